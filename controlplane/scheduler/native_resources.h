// What allocated devices take of their node's own resources, cpu and memory above all (KEP-5517).
//
// Source: kube-scheduler, dynamicresources/nodeallocatabledynamicresources.go of 1.36; what 1.37
// has in the place of nodeAllocatableResourceMappings is not looked at.
//
// Thread-safe: functions.
#ifndef ASSAY_CONTROLPLANE_SCHEDULER_NATIVE_RESOURCES_H_
#define ASSAY_CONTROLPLANE_SCHEDULER_NATIVE_RESOURCES_H_

#include <functional>
#include <string>
#include <vector>

#include "api/core/types.h"
#include "api/resource/types.h"
#include "base/result.h"
#include "controlplane/scheduler/node_info.h"
#include "controlplane/scheduler/plugin_status.h"

namespace assay::controlplane::scheduler {

using TakenByClaims = std::vector<api::core::NodeAllocatableResourceClaimStatus>;

struct ClaimAllocation {
  const api::resource::ResourceClaim* claim = nullptr;
  const api::resource::AllocationResult* allocation = nullptr;
};

// The device of the pool, or null. As upstream it goes without the driver's name.
using FindDevice =
    std::function<const api::resource::Device*(const std::string& pool, const std::string& device)>;

// One entry for each claim whose devices take something, by name.
Result<TakenByClaims> TakenOf(const api::core::Pod& pod, const std::vector<ClaimAllocation>& claims,
                              const FindDevice& find_device);

// Whether the node has enough for the pod and what its claims take.
PluginStatus FitTaken(const api::core::Pod& pod, const TakenByClaims& taken, const NodeInfo& node);

}  // namespace assay::controlplane::scheduler

#endif  // ASSAY_CONTROLPLANE_SCHEDULER_NATIVE_RESOURCES_H_
