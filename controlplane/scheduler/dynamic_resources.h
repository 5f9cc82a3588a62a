// DynamicResources: the scheduler's plugin for claims: whether a pod's claims are there, on which
// nodes they can be used or allocated, and the writes that allocate and reserve them.
//
// Source: kube-scheduler, framework/plugins/dynamicresources; KEP-4381, KEP-4816 (scores),
// KEP-5007 (binding conditions), KEP-5004 (extended resources), KEP-5729 (claims of pod groups),
// KEP-5517 (devices that take cpu and memory). Texts are upstream's.
//
// Not thread-safe: lives on the client's loop.
#ifndef ASSAY_CONTROLPLANE_SCHEDULER_DYNAMIC_RESOURCES_H_
#define ASSAY_CONTROLPLANE_SCHEDULER_DYNAMIC_RESOURCES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "allocator/allocator.h"
#include "api/client/async_client.h"
#include "api/client/event_recorder.h"
#include "api/client/task.h"
#include "api/compatibility.h"
#include "base/random.h"
#include "controlplane/scheduler/device_cache.h"
#include "controlplane/scheduler/extended_resources.h"
#include "controlplane/scheduler/native_resources.h"
#include "controlplane/scheduler/node_info.h"
#include "controlplane/scheduler/plugin_status.h"

namespace assay::controlplane::scheduler {

inline constexpr char kDynamicResources[] = "DynamicResources";

// What one scheduling attempt knows of its pod's claims.
struct ClaimCycle {
  using ClaimRef = DeviceCache::ClaimRef;
  using PodRef = std::shared_ptr<const api::core::Pod>;

  struct Entry {
    ClaimRef claim;
    api::resource::ResourceClaimConsumerReference reservation;
    // Decided by Reserve, or for another pod of the group; to be written by PreBind.
    std::optional<api::resource::AllocationResult> allocation;
    bool pending = false;  // The allocation is pending in the cache, for this pod too.
    // The claim for extended resources, which may exist only here.
    bool extended = false;
  };
  // What is to be allocated if the node is picked.
  struct NodeAllocation {
    // One for each entry that IsToBeAllocated, in their order; an extended claim may have none.
    std::vector<api::resource::AllocationResult> results;
    std::optional<ExtendedRequests> extended;
    TakenByClaims taken;
  };

  PodRef pod;
  std::vector<Entry> entries;
  std::shared_ptr<const allocator::Snapshot> snapshot;  // Null: nothing is to be allocated.
  std::map<std::string, NodeAllocation> nodes;          // By node name.
  std::set<std::size_t> unavailable;  // Allocated entries that cannot be used on some node.
  // While a pod group is scheduled: the UIDs of the claims whose allocation its pods share although
  // it is pending. Null outside of that.
  std::shared_ptr<std::set<std::string>> shared_by_group;
  TakenByClaims taken;         // On the node that was picked.
  bool taken_written = false;  // In the pod's status.

  static bool IsToBeAllocated(const Entry& entry) {
    return !entry.claim->status.allocation && !entry.allocation;
  }
  bool empty() const { return entries.empty(); }
};

struct DynamicResourcesOptions {
  Duration filter_timeout = std::chrono::seconds(10);   // For one node.
  Duration binding_timeout = std::chrono::minutes(10);  // KEP-5007
  allocator::AllocateOptions allocate;
};

class DynamicResources {
 public:
  using PodRef = ClaimCycle::PodRef;

  // All outlive this.
  DynamicResources(api::client::Client& client, DeviceCache& cache,
                   api::client::EventRecorder& recorder, const api::Compatibility& compatibility,
                   Random& random, DynamicResourcesOptions options);

  // Whether the pod's claims exist and are its own.
  PluginStatus PreEnqueue(const api::core::Pod& pod) const;
  // Fills all of `cycle` but shared_by_group; an empty one means that the pod has nothing to do
  // with devices.
  PluginStatus PreFilter(const PodRef& pod, ClaimCycle& cycle) const;
  PluginStatus Filter(ClaimCycle& cycle, const NodeInfo& node) const;
  // 8 for a first choice, less for later ones; to be normalised.
  std::int64_t Score(const ClaimCycle& cycle, const std::string& node_name) const;
  // Takes the devices in memory, and tells in `cycle.taken` what else they take of the node.
  PluginStatus Reserve(ClaimCycle& cycle, const std::string& node_name);
  // Writes what Reserve took, and waits for binding conditions. `cycle` outlives the Task.
  api::client::Task<Status> PreBind(ClaimCycle& cycle, std::string node_name);
  // Gives back what Reserve and PreBind took. `cycle` outlives the Task.
  api::client::Task<Status> Unreserve(ClaimCycle& cycle);
  // No node fits: frees a claim, if that may help; one of the pod's group only while none of the
  // group's pods is scheduled. Never succeeds. `cycle` outlives the Task.
  struct PostFilterOptions {
    bool group_is_scheduled = false;
  };
  api::client::Task<PluginStatus> PostFilter(ClaimCycle& cycle, PostFilterOptions options);

  // Whether the change of a claim may make the pod schedulable.
  bool ClaimChangeHelps(const api::core::Pod& pod, const DeviceCache::ClaimRef& before,
                        const DeviceCache::ClaimRef& now) const;
  // Whether the pod's claims are as PreEnqueue wants them.
  bool PodChangeHelps(const api::core::Pod& now) const { return PreEnqueue(now).ok(); }
  // Whether devices stand in for the extended resource on this node (NodeResourcesFit skips it).
  bool Provides(const NodeInfo& node, const std::string& resource) const;

 private:
  using ClaimRef = DeviceCache::ClaimRef;
  using Entry = ClaimCycle::Entry;

  // Reserved for the group where it has the same entry; `group` may be null.
  Result<std::vector<Entry>> EntriesOf(const api::core::Pod& pod,
                                       const api::scheduling::PodGroup* group) const;
  bool IsReservedFor(const api::core::Pod& pod, const api::resource::ResourceClaim& claim) const;
  PluginStatus CheckClasses(const api::resource::ResourceClaim& claim) const;
  PluginStatus FilterExtended(const ClaimCycle& cycle, const NodeInfo& node,
                              std::optional<ExtendedRequests>& extended) const;
  PluginStatus Allocate(ClaimCycle& cycle, const NodeInfo& node,
                        std::optional<ExtendedRequests> extended) const;
  PluginStatus CheckTaken(const ClaimCycle& cycle, const NodeInfo& node,
                          const std::vector<const api::resource::ResourceClaim*>& wanted,
                          ClaimCycle::NodeAllocation& allocated) const;
  // True: ready; false: not yet; an error: a binding failure condition is true.
  Result<bool> IsReady(const api::resource::ResourceClaim& claim) const;
  bool HasTimedOut(const api::resource::ResourceClaim& claim) const;

  api::client::Task<Result<ClaimRef>> Bind(ClaimCycle& cycle, std::size_t index,
                                           std::string node_name);
  api::client::Task<Result<ClaimRef>> Write(Entry entry, ClaimRef claim);
  api::client::Task<Result<ClaimRef>> CreateExtendedClaim(PodRef pod, ExtendedRequests requests,
                                                          ClaimRef draft);
  api::client::Task<Status> PatchExtendedStatus(PodRef pod, ExtendedRequests requests,
                                                ClaimRef claim);
  api::client::Task<Status> DeleteExtendedClaim(ClaimRef claim);
  // Writes what the pod's claims take into its status; nothing: removes it.
  api::client::Task<Status> PatchTaken(PodRef pod, TakenByClaims taken);
  // Takes `uid` out of the claim's reservations.
  api::client::Task<Status> PatchReservationAway(ClaimRef claim, std::string uid);
  // True: a claim is no longer reserved for the pod's group.
  api::client::Task<Result<bool>> UnreserveGroup(PodRef pod);
  api::client::Task<Status> WaitForBindingConditions(ClaimCycle& cycle, std::string node_name);

  api::client::AsyncClient cluster_;
  const Clock* clock_;
  DeviceCache* cache_;
  api::client::EventRecorder* recorder_;
  Random* random_;
  DynamicResourcesOptions options_;
  const bool prioritized_list_;
  const bool binding_conditions_;
  const bool filter_timeout_;
  const bool extended_resources_;
  const bool workload_claims_;
  const bool native_resources_;
  const bool optional_node_operations_;
};

}  // namespace assay::controlplane::scheduler

#endif  // ASSAY_CONTROLPLANE_SCHEDULER_DYNAMIC_RESOURCES_H_
