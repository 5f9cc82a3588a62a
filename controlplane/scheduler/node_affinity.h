// Node selectors: which nodes a NodeSelector, or a pod's nodeSelector and required node affinity,
// accept.
//
// Source: component-helpers, scheduling/corev1/nodeaffinity. Thread-safe: functions.
#ifndef ASSAY_CONTROLPLANE_SCHEDULER_NODE_AFFINITY_H_
#define ASSAY_CONTROLPLANE_SCHEDULER_NODE_AFFINITY_H_

#include "api/core/types.h"

namespace assay::controlplane::scheduler {

// Any of its terms; a term without requirements matches nothing.
bool Matches(const api::core::NodeSelector& selector, const api::core::Node& node);

// spec.nodeSelector, and requiredDuringSchedulingIgnoredDuringExecution where there is one.
bool MatchesRequiredAffinity(const api::core::Pod& pod, const api::core::Node& node);

}  // namespace assay::controlplane::scheduler

#endif  // ASSAY_CONTROLPLANE_SCHEDULER_NODE_AFFINITY_H_
