// What ended processes used: kept while accounting mode is on, and told by
// nvmlDeviceGetAccounting*.
//
// Freestanding. Thread-safe: functions of their arguments; changes are made in a Transaction.
#ifndef ASSAY_FAKEGPU_LAYOUT_ACCOUNTING_H_
#define ASSAY_FAKEGPU_LAYOUT_ACCOUNTING_H_

#include <cstdint>

#include "fakegpu/layout/state.h"

namespace assay::fakegpu::layout {

// Takes `process` off the GPU, and writes down what it used if accounting is on.
void EndProcess(GpuState& gpu, Process& process, std::int64_t node_ns);

// How many records of ended processes are kept, and the one at `index`, the oldest first.
std::uint32_t AccountingSize(const GpuState& gpu);
const AccountingRecord& AccountingAt(const GpuState& gpu, std::uint32_t index);

// What a process that runs has used so far.
AccountingRecord RunningRecord(const Process& process);

}  // namespace assay::fakegpu::layout

#endif  // ASSAY_FAKEGPU_LAYOUT_ACCOUNTING_H_
