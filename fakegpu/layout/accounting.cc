#include "fakegpu/layout/accounting.h"

namespace assay::fakegpu::layout {

AccountingRecord RunningRecord(const Process& process) {
  return {.pid = process.pid,
          .sm_percent = process.sm_percent,
          .memory_percent = process.memory_percent,
          .reserved = 0,
          .memory_bytes = process.memory_bytes,
          .start_ns = process.start_ns,
          .end_ns = 0};
}

void EndProcess(GpuState& gpu, Process& process, std::int64_t node_ns) {
  // Only compute processes are accounted for.
  if (gpu.settings.accounting != 0 && process.type != Process::kGraphics) {
    AccountingRecord& record = gpu.accounting.ended[gpu.accounting.count++ % kMaxAccounting];
    record = RunningRecord(process);
    record.end_ns = node_ns;
  }
  gpu.processes.Remove(process);
}

std::uint32_t AccountingSize(const GpuState& gpu) {
  return gpu.accounting.count < kMaxAccounting ? static_cast<std::uint32_t>(gpu.accounting.count)
                                               : kMaxAccounting;
}

const AccountingRecord& AccountingAt(const GpuState& gpu, std::uint32_t index) {
  const std::uint64_t oldest = gpu.accounting.count - AccountingSize(gpu);
  return gpu.accounting.ended[(oldest + index) % kMaxAccounting];
}

}  // namespace assay::fakegpu::layout
