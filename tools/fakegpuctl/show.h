// How fakegpuctl prints a node: a table for people, JSON for programs.
//
// Thread-safe: pure functions.
#ifndef ASSAY_TOOLS_FAKEGPUCTL_SHOW_H_
#define ASSAY_TOOLS_FAKEGPUCTL_SHOW_H_

#include <string>

#include "fakegpu/control/control.h"

namespace assay::tools {

std::string ShowText(const fakegpu::control::NodeInfo& node);
std::string ShowJson(const fakegpu::control::NodeInfo& node);

}  // namespace assay::tools

#endif  // ASSAY_TOOLS_FAKEGPUCTL_SHOW_H_
