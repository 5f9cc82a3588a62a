// Which GPUs NVLink joins.
//
// Freestanding. Thread-safe: pure functions.
#ifndef ASSAY_FAKEGPU_NVML_NVLINK_H_
#define ASSAY_FAKEGPU_NVML_NVLINK_H_

#include "fakegpu/layout/state.h"

namespace assay::fakegpu::nvml {

// Whether links that are up join two GPUs, directly or through switches (on one node every switch
// reaches every GPU).
bool AreLinked(const layout::GpuState& a, const layout::GpuState& b);

}  // namespace assay::fakegpu::nvml

#endif  // ASSAY_FAKEGPU_NVML_NVLINK_H_
