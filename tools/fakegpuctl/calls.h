// How fakegpuctl prints the call log: tables for people, JSON for programs.
//
// Thread-safe: pure functions.
#ifndef ASSAY_TOOLS_FAKEGPUCTL_CALLS_H_
#define ASSAY_TOOLS_FAKEGPUCTL_CALLS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "fakegpu/control/call_log.h"

namespace assay::tools {

// What of the log is printed.
struct CallSelection {
  std::optional<std::uint32_t> pid;  // Of every process where it is empty.
  std::size_t last = 0;              // So many calls one by one.
};

std::string CallsText(const fakegpu::control::CallReport& report, const CallSelection& selection);
std::string CallsJson(const fakegpu::control::CallReport& report, const CallSelection& selection);

}  // namespace assay::tools

#endif  // ASSAY_TOOLS_FAKEGPUCTL_CALLS_H_
