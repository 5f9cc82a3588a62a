// Constraint: matchAttribute and distinctAttribute of one claim, kept while devices are chosen and
// given up again. AttributeValues: the values that they compare, as numbers.
//
// Unlike upstream 0.36.3, distinctAttribute compares all devices of a request with one another (not
// just the last), and a matchAttribute over lists is right again after backtracking; 0.37 does
// both. Features::upstream_defects has it the old way.
//
// Source: structured/internal/incubating/constraint.go and allocator_incubating.go,
// structured/internal/experimental/constraint.go for lists.
//
// Not thread-safe; one per search.
#ifndef ASSAY_ALLOCATOR_CONSTRAINT_CONSTRAINT_H_
#define ASSAY_ALLOCATOR_CONSTRAINT_CONSTRAINT_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allocator/features.h"
#include "api/resource/types.h"

namespace assay::allocator::constraint {

// The value of an attribute: equal values have equal numbers. Also of lists, as sets.
using ValueId = std::uint64_t;
inline constexpr ValueId kNoValue = 0;       // the device does not have the attribute
inline constexpr ValueId kUnknownValue = 2;  // it has, with a kind of value that is not known

// Gives values their numbers. A string that tells devices apart has its address for a number; those
// given here are odd.
class AttributeValues {
 public:
  explicit AttributeValues(bool lists) : lists_(lists) {}

  static ValueId OfOwn(const std::string* value) {
    return static_cast<ValueId>(reinterpret_cast<std::uintptr_t>(value));
  }
  // Whether it is such an address.
  static bool IsOwn(ValueId id) { return id != kNoValue && id != kUnknownValue && id % 2 == 0; }
  // `own`: the string that tells devices apart and is the same text, or null.
  ValueId Of(const api::resource::DeviceAttribute& attribute, const std::string* own);

  // With lists: what two values have in common, as a value; kNoValue: nothing.
  ValueId Intersection(ValueId a, ValueId b);

 private:
  // One item of a value: its kind and text, or number.
  using Item = std::pair<char, std::string>;
  using Items = std::vector<ValueId>;  // sorted

  ValueId OfItem(char kind, std::string text);
  ValueId OfItems(Items items);
  std::span<const ValueId> ItemsOf(const ValueId& id) const;

  bool lists_;
  std::map<Item, ValueId> items_;
  std::map<Items, ValueId> sets_;
  std::vector<Items> by_set_;
};

class Constraint {
 public:
  // `constraint` must outlive this; one of its attributes must be set.
  Constraint(const api::resource::DeviceConstraint& constraint, const Features& features);

  std::string_view attribute() const { return attribute_; }
  bool distinct() const { return distinct_; }
  // Values are lists, of which devices must share an item.
  bool lists() const { return lists_; }

  // Whether the constraint concerns a request, or a subrequest of it ("" if it is none).
  bool Concerns(std::string_view request, std::string_view subrequest) const;

  // Takes a device of a request that it concerns, if the constraint holds with it.
  bool Add(std::string_view request, ValueId value, AttributeValues& values);
  // Gives up the device that was added last, which was of that request.
  void RemoveLast(std::string_view request) {
    stack_.pop_back();
    if (defects_) {
      last_.erase(request);
    }
  }
  void Clear() {
    stack_.clear();
    last_.clear();
  }

  // distinct: the value of each device, in their order; match: what all devices up to each have in
  // common.
  const std::vector<ValueId>& stack() const { return stack_; }

 private:
  bool AddWithDefects(std::string_view request, ValueId value, AttributeValues& values);

  const api::resource::DeviceConstraint* constraint_;
  std::string_view attribute_;
  bool distinct_;
  bool lists_;
  bool defects_;  // it is one that v0.36.3 keeps wrongly, and is to be kept so
  std::vector<ValueId> stack_;
  // With defects: distinct: the last device of each request, until one of that request is given up;
  // match: what devices had in common that may have been given up since, under "".
  std::map<std::string_view, ValueId> last_;
};

}  // namespace assay::allocator::constraint

#endif  // ASSAY_ALLOCATOR_CONSTRAINT_CONSTRAINT_H_
