// Constraint: matchAttribute and distinctAttribute of one claim, kept while devices are chosen and
// given up again.
//
// Unlike upstream 0.36.3, distinctAttribute compares all devices of a request with one another (not
// just the last), and a matchAttribute over lists is right again after backtracking; 0.37 does
// both.
//
// Source: structured/internal/incubating/constraint.go and allocator_incubating.go,
// structured/internal/experimental/constraint.go for lists.
//
// Not thread-safe; one per search.
#ifndef ASSAY_ALLOCATOR_CONSTRAINT_CONSTRAINT_H_
#define ASSAY_ALLOCATOR_CONSTRAINT_CONSTRAINT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/resource/types.h"

namespace assay::allocator::constraint {

// The device's attribute of a full name: by that name, or by its id where the domain is the
// driver's. Null: it has none.
const api::resource::DeviceAttribute* FindAttribute(const api::resource::Device& device,
                                                    std::string_view driver,
                                                    std::string_view full_name);

class Constraint {
 public:
  // `constraint` must outlive this; one of its attributes must be set.
  Constraint(const api::resource::DeviceConstraint& constraint, bool lists);

  // Whether the constraint concerns a request, or a subrequest of it ("" if it is none).
  bool Concerns(std::string_view request, std::string_view subrequest) const;

  // Takes a device of a request that it concerns, if the constraint holds with it.
  bool Add(const api::resource::Device& device, std::string_view driver);
  // Gives up the device that was added last.
  void RemoveLast();

  // For looking ahead: whether devices must agree on one value each (matchAttribute, without
  // lists); the value of a device, and the one agreed on so far. Null: none.
  bool NeedsOneValue() const { return !distinct_ && !lists_; }
  std::optional<std::string> ValueOf(const api::resource::Device& device,
                                     std::string_view driver) const;
  std::optional<std::string> AgreedValue() const;

 private:
  // One value of an attribute: its kind and text, or number.
  struct Item {
    char kind;
    std::int64_t number;
    std::string_view text;
    friend bool operator==(const Item&, const Item&) = default;
  };
  using Items = std::vector<Item>;

  static std::string TextOf(const Item& item);
  Items ItemsOf(const api::resource::DeviceAttribute& attribute) const;

  const api::resource::DeviceConstraint& constraint_;
  std::string_view attribute_;
  bool distinct_;
  bool lists_;
  // distinct: the values of each device; match: what all devices up to each have in common.
  std::vector<Items> stack_;
};

}  // namespace assay::allocator::constraint

#endif  // ASSAY_ALLOCATOR_CONSTRAINT_CONSTRAINT_H_
