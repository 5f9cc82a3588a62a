// The node in a mount namespace of this process's own: /sys, /proc and /dev show its GPUs, the rest
// of the machine, and none of the machine's own NVIDIA devices. Nothing is written outside of the
// namespace, which is gone with its last process.
//
//   ASSAY_RETURN_IF_ERROR(EnterPrivateView(state));
//   execvp(...);
//
// Not thread-safe: to be called before the process starts a thread.
#ifndef ASSAY_FAKEGPU_HOST_PRIVATE_VIEW_H_
#define ASSAY_FAKEGPU_HOST_PRIVATE_VIEW_H_

#include <filesystem>

#include "base/result.h"

namespace assay::fakegpu::host {

// Needs root, or user namespaces (a caller who is not root keeps its user id; devices are then
// stood in for by /dev/null): kPermissionDenied says so. From then on a process of its own,
// init's child, shows GPUs that are unplugged or put back; it ends with the caller.
Status EnterPrivateView(const std::filesystem::path& state);

}  // namespace assay::fakegpu::host

#endif  // ASSAY_FAKEGPU_HOST_PRIVATE_VIEW_H_
