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
// The answers are those of Kubernetes' structured allocator (k8s.io/dynamic-resource-allocation
// v0.36.3, structured/internal/incubating), device for device; README.md lists where they differ
// and why.
//
// Inventory: not thread-safe. Snapshot: thread-safe.
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

#include "api/resource/types.h"
#include "base/result.h"

namespace assay::api {
class Compatibility;
}  // namespace assay::api
namespace assay::api::core {
struct Node;
}  // namespace assay::api::core

namespace assay::allocator {

// What the allocator does beyond the oldest rules; by default what level 1.36 turns on.
struct Features {
  bool admin_access = true;               // DRAAdminAccess
  bool prioritized_list = true;           // DRAPrioritizedList
  bool partitionable_devices = true;      // DRAPartitionableDevices
  bool device_taints = true;              // DRADeviceTaints
  bool device_binding_and_status = true;  // DRADeviceBindingConditions and
                                          // DRAResourceClaimDeviceStatus
  bool consumable_capacity = true;        // DRAConsumableCapacity
  bool list_type_attributes = false;      // DRAListTypeAttributes

  static Features FromCompatibility(const api::Compatibility& compatibility);
  friend bool operator==(const Features&, const Features&) = default;
};

struct InventoryOptions {
  Features features;
};

struct AllocateOptions {
  // Makes the share ID of a device that allows multiple allocations. Default: random UUIDs.
  std::function<std::string()> new_share_id;
  // Asked now and then; true ends the search with kCancelled.
  std::function<bool()> cancelled;
  // Steps (candidate devices tried) after which the search gives up with kResourceExhausted,
  // "gave up after N steps". 0: no limit.
  std::uint64_t max_steps = 50'000'000;
};

// One reason why devices cannot serve a request, with how many it hits.
struct Cause {
  enum class Kind : std::uint8_t {
    kNoSuchDevices,        // no pool offers devices on this node
    kAllocated,            // in use by another claim
    kTainted,              // a taint is not tolerated
    kClassSelector,        // the class' selector does not match
    kRequestSelector,      // the request's selector does not match
    kSelectorError,        // a selector failed
    kCapacity,             // not enough of a capacity left
    kCounters,             // not enough of a shared counter left
    kIncompletePool,       // a slice of the pool is missing
    kInvalidPool,          // the pool contradicts itself
    kDisabledFeature,      // needs a feature that is off
    kConstraint,           // no set of devices satisfies a constraint
    kTakenByOtherRequest,  // other requests of these claims need it
  };
  Kind kind = Kind::kNoSuchDevices;
  std::string detail;  // "nvidia.com/xid=79:NoExecute", "selector #0: device.driver == \"x\""
  int devices = 0;
};

// Why one request of one claim cannot be served on a node, or that it can by itself.
struct RequestExplanation {
  std::string claim;    // "namespace/name"
  std::string request;  // "request" or "request/subrequest"
  std::string device_class;
  int wanted = 0;             // devices; 0: all
  int devices = 0;            // on this node
  int usable = 0;             // of these, by this request alone
  std::vector<Cause> causes;  // of those not usable, most frequent first
};

struct Explanation {
  bool fits = false;
  std::string error;  // a fatal error's message; empty if none
  std::vector<RequestExplanation> requests;
  // For people, one line a request:
  // "claim default/c, request gpu: 8 devices: 5 allocated, 2 tainted nvidia.com/xid=79:NoExecute".
  std::string ToString() const;
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

  // The names of all nodes that a slice names; empty if some slice is for other nodes as well.
  // A scheduler that knows them need not try the others.
  bool IsLocalToNodes(std::vector<std::string>* node_names) const;

 private:
  std::shared_ptr<const Impl> impl_;
};

class Inventory {
 public:
  explicit Inventory(InventoryOptions options = {});
  ~Inventory();
  Inventory(Inventory&&) noexcept;
  Inventory& operator=(Inventory&&) noexcept;

  // Adds or replaces, by name. Only slices at their newest generation count; taints of
  // DeviceTaintRules are the caller's to merge into the slices beforehand.
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
