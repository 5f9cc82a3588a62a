// How fakegpuctl prints a node: a table for people, JSON and YAML for programs.
//
// Thread-safe: pure functions.
#ifndef ASSAY_TOOLS_FAKEGPUCTL_SHOW_H_
#define ASSAY_TOOLS_FAKEGPUCTL_SHOW_H_

#include <cstdint>
#include <string>

#include "fakegpu/control/control.h"

namespace assay::tools {

// Memory is shown in these.
inline constexpr std::uint64_t kMebibyte = 1024 * 1024;

std::string ShowText(const fakegpu::control::NodeInfo& node);
std::string ShowJson(const fakegpu::control::NodeInfo& node);
std::string ShowYaml(const fakegpu::control::NodeInfo& node);

// "ok", "unplugged", or its faults.
std::string Health(const fakegpu::control::GpuInfo& gpu);

}  // namespace assay::tools

#endif  // ASSAY_TOOLS_FAKEGPUCTL_SHOW_H_
