// A node as `fakegpuctl watch` shows it: drawn for a terminal, or what has changed in lines.
//
// Thread-safe: pure functions.
#ifndef ASSAY_TOOLS_FAKEGPUCTL_LIVE_H_
#define ASSAY_TOOLS_FAKEGPUCTL_LIVE_H_

#include <string>
#include <vector>

#include "fakegpu/control/control.h"

namespace assay::tools {

// The table of `show`; below it MIG slices in their places, and processes.
std::string DrawNode(const fakegpu::control::NodeInfo& node);

// A line for each thing that came, went or broke between the two: the driver, GPUs, faults, MIG
// instances, processes. Readings that move by themselves are no changes.
std::vector<std::string> Changes(const fakegpu::control::NodeInfo& before,
                                 const fakegpu::control::NodeInfo& after);

}  // namespace assay::tools

#endif  // ASSAY_TOOLS_FAKEGPUCTL_LIVE_H_
