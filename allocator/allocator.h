// The allocator: which devices a node can give to claims.
//
// An Inventory takes slices, classes and allocated claims as they come, go and change, and keeps
// its indexes. A Snapshot of it is immutable; against one, any number of threads allocate, node by
// node.
//
//   Inventory inventory({.features = Features::FromCompatibility(compatibility)});
//   inventory.SetSlice(slice);              // on every event
//   inventory.SetClass(device_class);
//   inventory.SetClaim(claim);              // its allocation, if any, is in use from now on
//   std::shared_ptr<const Snapshot> snapshot = inventory.TakeSnapshot();
//   ASSAY_ASSIGN_OR_RETURN(auto allocations, snapshot->Allocate({&claim}, node));
//   if (!allocations.has_value()) ...       // does not fit on this node: no error
//
// Many nodes are tried faster with an Attempt, which prepares the claims once:
//
//   Attempt attempt(snapshot, {&claim});
//   for (const Node& node : nodes) {
//     ASSAY_ASSIGN_OR_RETURN(bool fits, attempt.Fits(node));
//     if (fits) return attempt.Allocate(node);
//   }
//
// The answers are those of Kubernetes' structured allocator (k8s.io/dynamic-resource-allocation
// v0.36.3, or v0.37.2 at level 1.37; structured/internal/incubating), device for device; README.md
// lists where they differ and why.
//
// Inventory: not thread-safe. Snapshot: thread-safe. Attempt: not thread-safe; one per thread.
#ifndef ASSAY_ALLOCATOR_ALLOCATOR_H_
#define ASSAY_ALLOCATOR_ALLOCATOR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/explain/explanation.h"
#include "allocator/features.h"
#include "allocator/search/options.h"
#include "api/resource/types.h"
#include "base/result.h"

namespace assay::api::core {
struct Node;
}  // namespace assay::api::core

namespace assay::allocator::search {
struct Input;
}  // namespace assay::allocator::search

namespace assay::allocator {

struct InventoryOptions {
  Features features;
  // A string attribute of which a driver's devices have more values than this is taken to tell
  // devices apart, like a UUID: it is kept by device, all else once for devices alike. Changes no
  // answer.
  std::size_t max_shared_values = 32;
};

class Snapshot {
 public:
  struct Impl;
  explicit Snapshot(std::shared_ptr<const Impl> impl);
  ~Snapshot();

  // The allocations of `claims` (none of which is allocated yet) on `node`, in their order, all of
  // them or none: nullopt means that they do not fit, which includes pools that are incomplete.
  //
  // Errors, with upstream's messages: kInvalidArgument is fatal, whichever the node (a class that
  // does not exist, a selector that fails, more than 32 devices, a disabled feature); the scheduler
  // then aborts the attempt. kFailedPrecondition concerns this node alone ("invalid resource pools
  // were encountered"). kCancelled, kResourceExhausted: see AllocateOptions.
  Result<std::optional<std::vector<api::resource::AllocationResult>>> Allocate(
      std::span<const api::resource::ResourceClaim* const> claims, const api::core::Node& node,
      const AllocateOptions& options = {}) const;

  // Whether an allocated claim can be used on the node: status.allocation.nodeSelector matches.
  static Result<bool> NodeMatches(const api::resource::AllocationResult& allocation,
                                  const api::core::Node& node);

  // Why `claims` do not fit on `node`: what holds each request back, device by device, counted.
  Explanation Explain(std::span<const api::resource::ResourceClaim* const> claims,
                      const api::core::Node& node) const;

  // If only nodes that slices name can have devices: true, and these nodes. A scheduler then need
  // not try the others.
  bool IsLocalToNodes(std::vector<std::string>* node_names) const;

  // For policies (allocator/policy): calls `use` with what a search for `claims` on `node` reads.
  Status WithSearch(std::span<const api::resource::ResourceClaim* const> claims,
                    const api::core::Node& node, const AllocateOptions& options,
                    const std::function<Status(const search::Input&)>& use) const;

 private:
  friend class Attempt;
  friend class Fleet;
  std::shared_ptr<const Impl> impl_;
};

// Claims that are tried on one node after the other. Keeps what it has found out about them: on a
// node like one that it has seen, with the same devices, of which the same are in use, it takes
// well below a microsecond and allocates no memory. To try many nodes for the first that will do:
// allocator/fleet.h.
class Attempt {
 public:
  // The claims must outlive it.
  Attempt(std::shared_ptr<const Snapshot> snapshot,
          std::span<const api::resource::ResourceClaim* const> claims,
          AllocateOptions options = {});
  ~Attempt();
  Attempt(Attempt&&) noexcept;
  Attempt& operator=(Attempt&&) noexcept;

  // Whether Snapshot::Allocate would find an allocation on the node; its errors.
  Result<bool> Fits(const api::core::Node& node);
  Result<std::optional<std::vector<api::resource::AllocationResult>>> Allocate(
      const api::core::Node& node);

  // How many devices the last node's search has tried.
  std::uint64_t steps() const;

 private:
  friend class Fleet;
  const std::shared_ptr<const Snapshot>& snapshot() const;
  // Whether the last answer is that of all nodes like the last one.
  bool HoldsForAlike() const;

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class Inventory {
 public:
  explicit Inventory(InventoryOptions options = {});
  ~Inventory();
  Inventory(Inventory&&) noexcept;
  Inventory& operator=(Inventory&&) noexcept;

  // Adds or replaces, by name. Only slices at their newest generation count; the taints of
  // DeviceTaintRules are the caller's to add beforehand (taint_rules.h).
  void SetSlice(const api::resource::ResourceSlice& slice);
  void RemoveSlice(std::string_view name);

  void SetClass(const api::resource::DeviceClass& device_class);
  void RemoveClass(std::string_view name);

  // Adds or replaces the claim of this namespace and name: the devices of its allocation are in use
  // (those with adminAccess are not). A claim assumed to be allocated soon is set the same way,
  // with the allocation in its status; one without allocation frees what it had.
  void SetClaim(const api::resource::ResourceClaim& claim);
  void RemoveClaim(std::string_view namespace_name, std::string_view name);

  // What the inventory holds now. Cheap if nothing changed since the last one.
  std::shared_ptr<const Snapshot> TakeSnapshot();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The scheduler's score of an allocation (KEP-4816): for each firstAvailable request of the claim,
// 8 less the index of the subrequest that was picked; 0 without such requests.
std::int64_t Score(const api::resource::ResourceClaim& claim,
                   const api::resource::AllocationResult& allocation);

}  // namespace assay::allocator

#endif  // ASSAY_ALLOCATOR_ALLOCATOR_H_
