// What NVLink is, and which GPUs it joins.
//
// Freestanding. Thread-safe: pure functions.
#ifndef ASSAY_FAKEGPU_NVML_NVLINK_H_
#define ASSAY_FAKEGPU_NVML_NVLINK_H_

#include "fakegpu/layout/state.h"

namespace assay::fakegpu::nvml {

// Whether links that are up join two GPUs, directly or through switches (on one node every switch
// reaches every GPU).
bool AreLinked(const layout::GpuState& a, const layout::GpuState& b);

// NVML's number (nvmlNvlinkVersion_t) for a generation of NVLink.
unsigned int NvLinkVersionCode(std::uint32_t generation);

}  // namespace assay::fakegpu::nvml

#endif  // ASSAY_FAKEGPU_NVML_NVLINK_H_
