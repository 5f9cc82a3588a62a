// The command `watch`: a node, live.
//
// Not thread-safe: it takes over the terminal and the process's signals.
#ifndef ASSAY_TOOLS_FAKEGPUCTL_WATCH_H_
#define ASSAY_TOOLS_FAKEGPUCTL_WATCH_H_

#include "base/clock.h"
#include "fakegpu/control/control.h"

namespace assay::tools {

// Until SIGINT or SIGTERM: draws the node into a terminal, anew with each change and after each
// `interval`; into anything else it writes a line for each change.
Status Watch(const fakegpu::control::Node& node, Duration interval);

}  // namespace assay::tools

#endif  // ASSAY_TOOLS_FAKEGPUCTL_WATCH_H_
