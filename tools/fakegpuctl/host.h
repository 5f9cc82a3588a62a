// The commands that show a node to programs as their machine, and a machine as a node: root, run,
// capture.
//
// Not thread-safe.
#ifndef ASSAY_TOOLS_FAKEGPUCTL_HOST_H_
#define ASSAY_TOOLS_FAKEGPUCTL_HOST_H_

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "fakegpu/host/driver_root.h"

namespace assay::tools {

// Writes a driver root. What `options` leaves empty is looked for: the library beside fakegpuctl,
// nvidia-smi in PATH.
Status MakeRoot(const std::filesystem::path& state, const std::filesystem::path& directory,
                fakegpu::host::DriverRootOptions options);

// Becomes the program, in a view of the node; returns only where that fails. A program that cannot
// be started ends this process with a shell's exit codes, 126 and 127.
Status RunProgram(const std::filesystem::path& state, const std::filesystem::path& library,
                  const std::vector<std::string>& program);

// Writes what NVML says of its GPUs into `directory`, which `create` takes node.yaml from.
Status CaptureNode(const std::string& library, const std::filesystem::path& directory);

}  // namespace assay::tools

#endif  // ASSAY_TOOLS_FAKEGPUCTL_HOST_H_
