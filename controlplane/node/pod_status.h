// The status that a kubelet would report for a pod, from what is known of its containers. Pure.
//
// Containers run until the pod is deleted, or for as long as the pod's annotation
// assay.dev/exit-after says ("5s", "250ms"), and then exit with the code of assay.dev/exit-code
// (default 0); restartPolicy Always starts them again at once. Plain init containers succeed
// without taking time.
//
// Thread-safe: no state.
#ifndef ASSAY_CONTROLPLANE_NODE_POD_STATUS_H_
#define ASSAY_CONTROLPLANE_NODE_POD_STATUS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/core/types.h"
#include "base/clock.h"

namespace assay::controlplane::node {

inline constexpr char kExitAfterAnnotation[] = "assay.dev/exit-after";
inline constexpr char kExitCodeAnnotation[] = "assay.dev/exit-code";

// When its containers end by themselves, and how; nothing if they do not.
struct PlannedExit {
  Duration after{};
  std::int32_t code = 0;
};
std::optional<PlannedExit> PlannedExitOf(const api::core::Pod& pod);

// Where a pod is in its life on the node.
struct PodProgress {
  enum class Phase { kWaiting, kRunning, kExited };
  Phase phase = Phase::kWaiting;
  // kWaiting: why, as in a container's state.waiting.
  std::string reason = "ContainerCreating";
  std::string message;
  WallTime started{};   // kRunning, kExited
  WallTime finished{};  // kExited
  std::int32_t exit_code = 0;
};

// Changes what a kubelet owns of `pod.status` and leaves the rest. `resources`: a container's
// allocatedResourcesStatus.
void SetStatus(
    const PodProgress& progress, WallTime now,
    const std::function<std::vector<api::core::ResourceStatus>(const api::core::Container&)>&
        resources,
    api::core::Pod& pod);

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_POD_STATUS_H_
