// Accounting: what processes used, those that run and those that have ended.

#include "fakegpu/layout/accounting.h"

#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

constexpr std::int64_t kMillisecondNs = 1'000'000;

// A read that needs accounting to be on.
template <typename Body>
nvmlReturn_t ReadAccounting(const DeviceCall& call, Body&& body) {
  return ReadDevice(call, [&](const Gpu& gpu) {
    return gpu.state.settings.accounting == 0 ? NVML_ERROR_NOT_SUPPORTED : body(gpu);
  });
}

bool IsAccounted(const layout::Process& process) {
  return process.type != layout::Process::kFree && process.type != layout::Process::kGraphics;
}

// The record of a process: it runs, or it is the latest ended one with the pid.
bool FindRecord(const layout::GpuState& gpu, unsigned int pid, layout::AccountingRecord* record) {
  for (const layout::Process& process : gpu.processes) {
    if (IsAccounted(process) && process.pid == pid) {
      *record = layout::RunningRecord(process);
      return true;
    }
  }
  for (std::uint32_t i = layout::AccountingSize(gpu); i > 0; --i) {
    if (layout::AccountingAt(gpu, i - 1).pid == pid) {
      *record = layout::AccountingAt(gpu, i - 1);
      return true;
    }
  }
  return false;
}

template <typename Stats>
void FillStats(const Gpu& gpu, const layout::AccountingRecord& record, Stats* stats) {
  stats->gpuUtilization = record.sm_percent;
  stats->memoryUtilization = record.memory_percent;
  stats->maxMemoryUsage = record.memory_bytes;
  stats->isRunning = record.end_ns == 0 ? 1 : 0;
  stats->startTime = gpu.StampUs(record.start_ns);
  // Told once the process has ended.
  stats->time = record.end_ns == 0
                    ? 0
                    : static_cast<unsigned long long>(
                          layout::Since(record.end_ns, record.start_ns) / kMillisecondNs);
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlDeviceGetAccountingBufferSize(nvmlDevice_t device,
                                                           unsigned int* bufferSize) {
  return Get(DeviceCall{__func__, device}, bufferSize,
             [](const Gpu&) { return layout::kMaxAccounting; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetAccountingPids(nvmlDevice_t device, unsigned int* count,
                                                     unsigned int* pids) {
  const unsigned int size = count != nullptr ? *count : 0;
  return ReadAccounting(DeviceCall{__func__, device, NotNull(count)}, [&](const Gpu& gpu) {
    unsigned int found = 0;
    const auto add = [&](unsigned int pid) {
      if (pids != nullptr && found < size) {
        pids[found] = pid;
      }
      ++found;
    };
    for (std::uint32_t i = 0; i < layout::AccountingSize(gpu.state); ++i) {
      add(layout::AccountingAt(gpu.state, i).pid);
    }
    for (const layout::Process& process : gpu.state.processes) {
      if (IsAccounted(process)) {
        add(process.pid);
      }
    }
    *count = found;
    return found == 0 || (pids != nullptr && found <= size) ? NVML_SUCCESS
                                                            : NVML_ERROR_INSUFFICIENT_SIZE;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetAccountingStats(nvmlDevice_t device, unsigned int pid,
                                                      nvmlAccountingStats_t* stats) {
  return ReadAccounting(DeviceCall{__func__, device, NotNull(stats)}, [&](const Gpu& gpu) {
    layout::AccountingRecord record{};
    if (!FindRecord(gpu.state, pid, &record)) {
      return NVML_ERROR_NOT_FOUND;
    }
    *stats = {};
    FillStats(gpu, record, stats);
    return NVML_SUCCESS;
  });
}

// The second version names the process in its struct and tells sums of samples, one a second.
NVML_EXPORT nvmlReturn_t nvmlDeviceGetAccountingStats_v2(nvmlDevice_t device,
                                                         nvmlAccountingStats_v2_t* stats) {
  return ReadAccounting(DeviceCall{__func__, device, NotNull(stats)}, [&](const Gpu& gpu) {
    layout::AccountingRecord record{};
    const unsigned int pid = stats->pid;
    if (!FindRecord(gpu.state, pid, &record)) {
      return NVML_ERROR_NOT_FOUND;
    }
    *stats = {};
    stats->pid = pid;
    FillStats(gpu, record, stats);
    const std::int64_t end = record.end_ns != 0 ? record.end_ns : gpu.Now();
    const std::int64_t seconds = layout::Since(end, record.start_ns) / 1'000'000'000;
    stats->sampleCount = seconds > 0 ? static_cast<unsigned int>(seconds) : 0;
    stats->sumGpuUtil = std::uint64_t{stats->sampleCount} * record.sm_percent;
    stats->sumFbUtil = std::uint64_t{stats->sampleCount} * record.memory_percent;
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceClearAccountingPids(nvmlDevice_t device) {
  return ChangeDevice(DeviceCall{__func__, device},
                      [](layout::Transaction&, layout::GpuState& gpu) {
                        gpu.accounting = {};
                        return NVML_SUCCESS;
                      });
}

}  // namespace assay::fakegpu::nvml
