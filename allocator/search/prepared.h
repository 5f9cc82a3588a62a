// Prepared: what is found out about claims once, for all nodes: classes, selectors, what of them
// each layout of devices can serve.
//
// Not thread-safe; one per search.
#ifndef ASSAY_ALLOCATOR_SEARCH_PREPARED_H_
#define ASSAY_ALLOCATOR_SEARCH_PREPARED_H_

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "allocator/constraint/constraint.h"
#include "allocator/features.h"
#include "allocator/inventory/pool.h"
#include "allocator/inventory/shape.h"
#include "allocator/search/request.h"
#include "allocator/selector/derived_attribute.h"
#include "api/resource/types.h"
#include "base/result.h"

namespace assay::allocator::search {

using inventory::DeviceSet;

// A request without subrequests, or a subrequest.
struct Wanted {
  static constexpr std::size_t kNotDerived = SIZE_MAX;

  Wanted(const api::resource::ResourceClaim& of_claim, Request of, selector::SelectorCache& cache,
         const Features& features)
      : request(std::move(of)), matcher(of_claim, request, cache, features) {}
  Wanted(const Wanted&) = delete;
  Wanted& operator=(const Wanted&) = delete;

  const Request request;
  Matcher matcher;
  std::size_t claim = 0;
  std::size_t number = 0;       // among those of all claims
  std::vector<bool> concerned;  // by which of the claim's constraints
  // Of these, what the request derives for it to compare, by number; else kNotDerived.
  std::vector<std::size_t> derived;
  std::size_t num_devices = 0;
  Status error;  // what upstream's validation ends with
};

struct PreparedRequest {
  Status error;  // before its alternatives are looked at
  bool has_alternatives = false;
  std::vector<std::unique_ptr<Wanted>> alternatives;
};

struct PreparedClaim {
  const api::resource::ResourceClaim* claim = nullptr;
  std::vector<PreparedRequest> requests;
  std::vector<constraint::Constraint> constraints;
  std::size_t first_constraint = 0;  // number of the first one among those of all claims
  Status constraint_error;
};

// What a layout's devices can be to the requests, as far as it does not hang on the node.
struct LayoutFacts {
  struct OfRequest {
    DeviceSet matches;   // selectors match
    DeviceSet fails;     // a fatal error, if it is looked at
    DeviceSet unknown;   // hangs on the node; in none of the others
    DeviceSet fits;      // the capacity would be enough were nothing in use
    DeviceSet overflow;  // that capacity is a fatal error, once selectors match
    DeviceSet serves;    // fits, and nothing else prevents it, but for the selectors
    DeviceSet usable;    // matches and serves
  };
  std::vector<OfRequest> requests;
  DeviceSet shareable;
  bool any_fails = false;
  bool any_unknown = false;
  bool hangs_on_node = false;       // on more than its pools, or on attributes that selectors read
  bool compares_own = false;        // some constraint compares values that the node gives
  bool compares_fixed_own = false;  // some compares one that another node gives, too
  // By constraint and device; see Prepared::ValueOf.
  std::vector<std::vector<constraint::ValueId>> values;
};

class Prepared {
 public:
  struct Input {
    std::span<const api::resource::ResourceClaim* const> claims;
    const ClassFinder& find_class;
    selector::SelectorCache& selectors;
    const inventory::ShapeTable& shapes;
    const Features& features;
  };
  // The input must outlive it.
  explicit Prepared(const Input& input);

  const Features& features() const { return features_; }
  std::vector<PreparedClaim>& claims() { return claims_; }
  const std::vector<Wanted*>& wanted() const { return wanted_; }
  std::size_t num_constraints() const { return constraints_.size(); }
  constraint::AttributeValues& values() { return values_; }
  bool wants_all() const { return wants_all_; }
  bool wants_admin() const { return wants_admin_; }
  bool has_derived() const { return !derived_.empty(); }
  // Nothing may be left out of the search: what is derived may end in a fatal error.
  bool tries_all() const { return has_derived() || features_.HasUpstreamDefects(); }

  const LayoutFacts& FactsOf(const inventory::NodePool& pool);
  // The value of a device that the constraint of this number compares.
  static constraint::ValueId ValueOf(const LayoutFacts& facts, std::size_t constraint,
                                     inventory::DeviceRef device) {
    const constraint::ValueId value = facts.values[constraint][device.number];
    return !IsOwn(value) ? value
                         : constraint::AttributeValues::OfOwn(
                               device.pool->base->own[device.layout().first_own + (value >> 3)]);
  }

  // The value of a device that the request's derived attribute of this number gives; a fatal error.
  Result<constraint::ValueId> DerivedValueOf(std::size_t derived, inventory::DeviceRef device);

 private:
  struct Derived {
    std::string name;
    selector::DerivedAttribute attribute;
    std::map<std::pair<const inventory::NodePool*, std::uint32_t>, constraint::ValueId> known;
  };

  // A value that the node gives: its slot with this tag. Small, unlike addresses.
  static constexpr constraint::ValueId kOwnTag = 4;
  static constexpr constraint::ValueId kMaxOwn = 1 << 20;
  static bool IsOwn(constraint::ValueId value) {
    return (value & 7) == kOwnTag && value <= kMaxOwn;
  }

  void PrepareClaim(const api::resource::ResourceClaim& claim);
  std::unique_ptr<Wanted> PrepareWanted(const api::resource::ResourceClaim& claim, Request request);
  Status CheckFeatures(const std::string& claim, const api::resource::DeviceRequest& request) const;
  std::unique_ptr<LayoutFacts> MakeFacts(const inventory::NodePool& pool);
  void AddFacts(Wanted& wanted, inventory::DeviceRef device, LayoutFacts& facts);
  std::size_t PrepareDerived(const Request& request, const constraint::Constraint& constraint);
  constraint::ValueId FindValue(const constraint::Constraint& constraint,
                                inventory::DeviceRef device);

  const ClassFinder& find_class_;
  selector::SelectorCache& selectors_;
  const inventory::ShapeTable& shapes_;
  const Features features_;
  constraint::AttributeValues values_;
  std::vector<PreparedClaim> claims_;
  std::vector<Wanted*> wanted_;
  std::vector<const constraint::Constraint*> constraints_;
  std::vector<Derived> derived_;
  bool wants_all_ = false;
  bool wants_admin_ = false;
  std::uint64_t last_layout_ = 0;
  const LayoutFacts* last_facts_ = nullptr;
  std::unordered_map<std::uint64_t, std::unique_ptr<LayoutFacts>> facts_;  // by layout
};

}  // namespace assay::allocator::search

#endif  // ASSAY_ALLOCATOR_SEARCH_PREPARED_H_
