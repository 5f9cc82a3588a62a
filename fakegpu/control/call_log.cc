#include "fakegpu/control/call_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "fakegpu/abi/nvml.h"
#include "fakegpu/layout/call_log.h"
#include "fakegpu/model/state_text.h"

namespace assay::fakegpu::control {
namespace {

using layout::CallLog;

// Who may write the log can also cut it short, under the programs that have it mapped.
constexpr mode_t kOwners = 0600;
constexpr mode_t kEverybodys = 0666;

std::filesystem::path LogPath(const std::filesystem::path& state) {
  return state.string() + layout::kCallLogSuffix;
}

Status OpenLog(const Node& node, bool writable, CallLog& log) {
  const std::filesystem::path& state = node.state_path();
  return model::OpenStatus(log.Open(state.c_str(), writable), LogPath(state));
}

ProcessCalls DescribeProcess(const layout::LoggedProcess& process, std::uint32_t pid) {
  ProcessCalls calls;
  calls.pid = pid;
  calls.name.assign(process.name, strnlen(process.name, sizeof(process.name)));
  for (std::uint32_t function = 0; function < layout::kFunctions; ++function) {
    for (std::uint32_t code = 0; code < layout::kCodes; ++code) {
      const std::uint64_t count = process.counts[function][code].load(std::memory_order_relaxed);
      if (count != 0) {
        calls.counts.push_back({.function = layout::kFunctionNames[function],
                                .code = code == layout::kOtherCode
                                            ? static_cast<int>(NVML_ERROR_UNKNOWN)
                                            : static_cast<int>(code),
                                .count = count});
      }
    }
  }
  return calls;
}

std::vector<ProcessCalls> DescribeProcesses(const CallLog& log) {
  constexpr std::uint32_t kRest = layout::kLoggedProcesses - 1;
  std::vector<ProcessCalls> processes;
  for (std::uint32_t place = 0; place <= kRest; ++place) {
    const layout::LoggedProcess& process = log.process(place);
    // Zero where a process died before it had named itself.
    const std::uint32_t pid = process.pid.load(std::memory_order_acquire);
    if (pid == 0 && place != kRest) {
      continue;
    }
    ProcessCalls calls = DescribeProcess(process, pid);
    if (!calls.counts.empty()) {
      processes.push_back(std::move(calls));
    }
  }
  return processes;
}

// Empty where the entry is, or was meanwhile, overwritten, or its writer died over it.
std::optional<RecordedCall> ReadCall(const CallLog& log, std::uint64_t number) {
  const layout::LoggedCall& entry = log.call(number);
  if (entry.number.load(std::memory_order_acquire) != number) {
    return std::nullopt;
  }
  RecordedCall call;
  call.time = std::chrono::system_clock::time_point(
      std::chrono::nanoseconds(entry.time_ns.load(std::memory_order_acquire)));
  call.pid = entry.pid.load(std::memory_order_acquire);
  const std::uint32_t function = entry.function.load(std::memory_order_acquire);
  const std::uint32_t gpu = entry.gpu.load(std::memory_order_acquire);
  call.code = entry.code.load(std::memory_order_acquire);
  if (entry.number.load(std::memory_order_relaxed) != number || function >= layout::kFunctions) {
    return std::nullopt;
  }
  call.function = layout::kFunctionNames[function];
  if (gpu != layout::kAnyGpu) {
    call.gpu = gpu;
  }
  return call;
}

// Takes the room on disk that the log may come to need, so that no client's write can fail.
Status Reserve(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    return ErrnoError(errno, path.string());
  }
  const int error = posix_fallocate(fd, 0, static_cast<off_t>(layout::kCallLogSize));
  close(fd);
  return error == 0 ? OkStatus() : ErrnoError(error, path.string());
}

}  // namespace

Status MakeCallLog(const std::filesystem::path& state, std::uint64_t instance_id) {
  layout::CallLogHeader header{};
  layout::FormatCallLog(&header, instance_id);
  const std::filesystem::path path = LogPath(state);
  const std::string unfinished = path.string() + ".new";
  const int fd = open(unfinished.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, kOwners);
  if (fd < 0) {
    return ErrnoError(errno, unfinished);
  }
  // It is sparse until it is switched on.
  const bool made = ftruncate(fd, static_cast<off_t>(layout::kCallLogSize)) == 0 &&
                    pwrite(fd, &header, sizeof(header), 0) == sizeof(header) &&
                    rename(unfinished.c_str(), path.c_str()) == 0;
  const int error = errno;
  close(fd);
  return made ? OkStatus() : ErrnoError(error, path.string());
}

Status StartCallLog(const Node& node, CallLogOptions options) {
  CallLog log;
  ASSAY_RETURN_IF_ERROR(OpenLog(node, /*writable=*/true, log));
  const std::filesystem::path path = LogPath(node.state_path());
  ASSAY_RETURN_IF_ERROR(Reserve(path));
  if (chmod(path.c_str(), options.of_everyone ? kEverybodys : kOwners) != 0) {
    return ErrnoError(errno, path.string());
  }
  log.Start();
  return OkStatus();
}

Status StopCallLog(const Node& node) {
  CallLog log;
  ASSAY_RETURN_IF_ERROR(OpenLog(node, /*writable=*/true, log));
  log.Stop();
  return OkStatus();
}

Result<CallReport> ReadCallLog(const Node& node) {
  CallLog log;
  ASSAY_RETURN_IF_ERROR(OpenLog(node, /*writable=*/false, log));
  CallReport report;
  report.on = log.IsOn();
  report.processes = DescribeProcesses(log);
  const std::uint64_t calls = log.header().calls.load(std::memory_order_acquire);
  const std::uint64_t oldest = calls - std::min<std::uint64_t>(calls, layout::kLoggedCalls) + 1;
  for (std::uint64_t number = oldest; number <= calls; ++number) {
    if (std::optional<RecordedCall> call = ReadCall(log, number); call.has_value()) {
      report.last.push_back(*std::move(call));
    }
  }
  return report;
}

}  // namespace assay::fakegpu::control
