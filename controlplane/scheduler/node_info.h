// NodeInfo: a node and what its pods take of it; and the checks of a pod against it that have
// nothing to do with devices: name, taints, affinity, cpu, memory, and the number of pods.
//
// Source: kube-scheduler's plugins NodeUnschedulable, NodeName, TaintToleration, NodeAffinity,
// NodePorts and NodeResourcesFit, in this order. Not thread-safe.
#ifndef ASSAY_CONTROLPLANE_SCHEDULER_NODE_INFO_H_
#define ASSAY_CONTROLPLANE_SCHEDULER_NODE_INFO_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "api/core/types.h"
#include "controlplane/scheduler/plugin_status.h"

namespace assay::controlplane::scheduler {

// By resource name; cpu in thousandths, all else in whole units, rounded up.
using ResourceAmounts = std::map<std::string, std::int64_t>;

// What a pod takes of its node: the sum of its containers and sidecars, or what one of its init
// containers needs while it runs, whichever is more, with what its devices take besides (KEP-5517),
// and its overhead (KEP-753, KEP-2837).
ResourceAmounts RequestsOf(const api::core::Pod& pod);

// Whether a toleration accepts a node's taint.
bool Tolerates(const api::core::Toleration& toleration, const api::core::Taint& taint);

class NodeInfo {
 public:
  // Null until the node is known: pods may be heard of first.
  std::shared_ptr<const api::core::Node> node;

  // Adding a pod twice (by UID) replaces it.
  void AddPod(std::shared_ptr<const api::core::Pod> pod);
  void RemovePod(const std::string& uid);
  bool empty() const { return pods_.empty(); }
  // The UIDs of the pods here for which the claim takes something of the node (KEP-5517).
  std::set<std::string> PodsTakingWith(const std::string& namespace_name,
                                       const std::string& claim_name) const;

  struct FitOptions {
    // True for a resource that DynamicResources provides on this node instead (KEP-5004).
    std::function<bool(const std::string& resource)> delegated;
  };
  // The first check that refuses the pod, or success. `requests` is RequestsOf(pod).
  PluginStatus Fit(const api::core::Pod& pod, const ResourceAmounts& requests,
                   const FitOptions& options) const;

  std::int64_t Allocatable(const std::string& resource) const;
  std::int64_t Requested(const std::string& resource) const;
  // NodeResourcesFit's LeastAllocated, 0 to 100, over cpu and memory.
  std::int64_t LeastAllocatedScore(const ResourceAmounts& requests) const;

 private:
  struct Entry {
    std::shared_ptr<const api::core::Pod> pod;
    ResourceAmounts requests;
  };
  PluginStatus FitResources(const ResourceAmounts& requests, const FitOptions& options) const;
  bool PortsAreFree(const api::core::Pod& pod) const;

  std::map<std::string, Entry> pods_;  // By UID.
  ResourceAmounts requested_;
};

}  // namespace assay::controlplane::scheduler

#endif  // ASSAY_CONTROLPLANE_SCHEDULER_NODE_INFO_H_
