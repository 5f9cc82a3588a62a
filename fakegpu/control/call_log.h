// What the programs on a node asked NVML: every call, counted by process, function and return code,
// and the last ones one by one. To assert what a driver asked for, and what it never did.
//
//   ASSAY_RETURN_IF_ERROR(StartCallLog(node));
//   ... the driver runs ...
//   ASSAY_ASSIGN_OR_RETURN(const CallReport report, ReadCallLog(node));
//
// Thread-safe; any process may start, stop and read it.
#ifndef ASSAY_FAKEGPU_CONTROL_CALL_LOG_H_
#define ASSAY_FAKEGPU_CONTROL_CALL_LOG_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "fakegpu/control/control.h"

namespace assay::fakegpu::control {

struct CallCount {
  std::string function;
  int code = 0;  // An nvmlReturn_t; those that NVML does not define are counted as 999.
  std::uint64_t count = 0;
};

struct ProcessCalls {
  std::uint32_t pid = 0;  // As the process sees itself; 0: all that came after the log was full.
  std::string name;
  std::vector<CallCount> counts;  // By function, then code.
};

struct RecordedCall {
  std::chrono::system_clock::time_point time;  // When it returned.
  std::uint32_t pid = 0;
  std::string function;
  std::optional<std::uint32_t> gpu;  // The slot of the GPU that it names.
  int code = 0;
};

struct CallReport {
  bool on = false;
  std::vector<ProcessCalls> processes;  // In the order in which they came.
  std::vector<RecordedCall> last;       // The oldest first.
};

// Makes the log of a node whose state is made, switched off. Node::Create does so.
Status MakeCallLog(const std::filesystem::path& state, std::uint64_t instance_id);

struct CallLogOptions {
  // Programs of other users than the node's are logged too, those that start from now on. They may
  // then write the log, and one that cuts it short ends every program that logs (SIGBUS).
  bool of_everyone = false;
};
// Begins anew: what was logged before is gone. kNotFound where the node has no log.
Status StartCallLog(const Node& node, CallLogOptions options = {});
// What was logged stays.
Status StopCallLog(const Node& node);
Result<CallReport> ReadCallLog(const Node& node);

}  // namespace assay::fakegpu::control

#endif  // ASSAY_FAKEGPU_CONTROL_CALL_LOG_H_
