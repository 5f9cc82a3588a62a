// Planner: allocates claims over a fleet of nodes, by one of three policies.
//
//   Planner planner({.features = Features::FromCompatibility(compatibility)});
//   planner.SetNode(node); planner.SetSlice(slice); planner.SetClass(device_class);
//   planner.SetClaim(allocated_claim);
//   ASSAY_ASSIGN_OR_RETURN(std::optional<Placement> place, planner.Place({&claim},
//   Policy::kBestFit)); if (place.has_value()) { claim.status.allocation = place->allocations[0];
//   planner.SetClaim(claim); }
//
// First fit takes the devices that Kubernetes takes, on the first node where the claims fit, in the
// order in which nodes were set. Best fit takes the devices, and the node, that strand the least
// (allocator/policy/quality.h); its answers do not hang on the order of nodes. Both take one pod's
// claims at a time. PlaceAll places many pods' claims together or not at all.
//
// Why claims do not fit, and what would help: allocator/planner/diagnosis.h.
//
// Not thread-safe.
#ifndef ASSAY_ALLOCATOR_PLANNER_PLANNER_H_
#define ASSAY_ALLOCATOR_PLANNER_PLANNER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allocator/allocator.h"
#include "allocator/fleet.h"
#include "allocator/policy/best_fit.h"
#include "allocator/policy/ledger.h"
#include "allocator/policy/quality.h"
#include "api/core/types.h"
#include "api/resource/types.h"
#include "base/result.h"

namespace assay::allocator {

enum class Policy : std::uint8_t { kFirstFit, kBestFit };
using policy::Placement;

struct PlannerOptions {
  Features features;
  AllocateOptions allocate;
  policy::BestFitOptions best_fit;
  // Nodes tried for groups after which PlaceAll gives up.
  std::uint64_t max_batch_steps = 20'000;
};

// Claims that have to be on one node, such as a pod's.
using Group = std::vector<const api::resource::ResourceClaim*>;

struct BatchPlacement {
  // Of each group, in their order; none if not all of them can be placed.
  std::optional<std::vector<Placement>> placements;
  // Where there are none: that there is no way was proven by trying all. False: every heuristic
  // failed, and the search gave up after `steps`, or pools that several nodes see kept it from
  // knowing.
  bool proven = false;
  std::uint64_t steps = 0;  // nodes tried for groups
  // Where there are none: the groups, by number, that were left over by the best attempt.
  std::vector<std::size_t> unplaced;
};

struct NodeState {
  std::string node;
  double stranded = 0;  // see allocator/policy/quality.h
  double used = 0;      // in whole devices
  double size = 0;
};

class Planner {
 public:
  explicit Planner(PlannerOptions options = {});
  ~Planner();

  // Each adds or replaces, by name. A claim's allocation is in use; a claim without one, and one
  // that is removed, frees what it had.
  void SetNode(const api::core::Node& node);
  void RemoveNode(std::string_view name);
  void SetSlice(const api::resource::ResourceSlice& slice);
  void RemoveSlice(std::string_view name);
  void SetClass(const api::resource::DeviceClass& device_class);
  void SetClaim(const api::resource::ResourceClaim& claim);
  void RemoveClaim(std::string_view namespace_name, std::string_view name);

  // Where the claims, none of which is allocated, fit together; nullopt: nowhere. They are not
  // allocated by that: set them with the allocations. Errors: as Snapshot::Allocate; those that
  // concern one node only if the claims fit on no other. What is fatal on one node ends the
  // attempt, as the scheduler does; best fit looks at every node, first fit up to the first that
  // fits.
  Result<std::optional<Placement>> Place(const Group& claims, Policy policy);

  // Places all groups, or none. Strands little, by best fit, in whichever order of the groups
  // works; if none does, every distribution over the nodes is tried, up to max_batch_steps.
  Result<BatchPlacement> PlaceAll(std::span<const Group> groups);

  // The nodes as they are, by name.
  Result<std::vector<NodeState>> Judge();

  const std::vector<api::core::Node>& nodes() const { return nodes_; }
  const policy::Ledger& ledger() const { return ledger_; }
  const PlannerOptions& options() const { return options_; }
  std::shared_ptr<const Snapshot> TakeSnapshot() { return inventory_.TakeSnapshot(); }
  // All by name.
  const std::map<std::string, api::resource::ResourceSlice, std::less<>>& slices() const {
    return slices_;
  }
  const std::map<std::string, api::resource::DeviceClass, std::less<>>& classes() const {
    return classes_;
  }
  // The claims that are allocated, by "namespace/name".
  const std::map<std::string, api::resource::ResourceClaim, std::less<>>& claims() const {
    return claims_;
  }

 private:
  using PoolKey = std::pair<std::string, std::string>;
  // The best place on a node for claims of some form, as long as the node's pools are unchanged.
  struct Remembered {
    std::vector<std::uint64_t> epochs;                                        // of the node's pools
    std::map<std::string, std::optional<Placement>, std::less<>> placements;  // by the claims' form
  };

  Result<std::optional<Placement>> FirstFit(const Group& claims);
  Result<std::optional<Placement>> BestFit(const Group& claims);
  Result<std::optional<Placement>> BestFitOn(const Snapshot& snapshot, const Group& claims,
                                             const std::string& form, const api::core::Node& node);
  void Changed(const api::resource::ResourceClaim& claim);

  // The devices of a placement of the group, in use from now on; and no longer.
  void Assume(const Group& group, const Placement& placement);
  void Forget(const Group& group);
  Result<bool> PlaceInOrder(std::span<const Group> groups, const std::vector<std::size_t>& order,
                            std::vector<Placement>* placements, std::size_t* failed,
                            BatchPlacement* answer);

  PlannerOptions options_;
  Inventory inventory_;
  policy::Ledger ledger_;
  policy::Scale scale_;
  bool scale_changed_ = false;
  policy::BestFit best_fit_;
  std::vector<api::core::Node> nodes_;
  std::optional<Fleet> fleet_;  // of `nodes_`; made anew after they changed
  std::map<std::string, api::resource::ResourceSlice, std::less<>> slices_;
  std::map<std::string, api::resource::DeviceClass, std::less<>> classes_;
  std::map<std::string, api::resource::ResourceClaim, std::less<>> claims_;
  std::uint64_t epoch_ = 0;
  std::map<PoolKey, std::uint64_t, std::less<>> epochs_;       // when what is in use last changed
  std::map<std::string, Remembered, std::less<>> remembered_;  // by node
};

}  // namespace assay::allocator

#endif  // ASSAY_ALLOCATOR_PLANNER_PLANNER_H_
