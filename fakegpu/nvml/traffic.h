// What a GPU moves over its links: in proportion to the load of its multiprocessors, so that
// throughput, counters and GPM agree.
//
// Freestanding. Thread-safe: pure functions.
#ifndef ASSAY_FAKEGPU_NVML_TRAFFIC_H_
#define ASSAY_FAKEGPU_NVML_TRAFFIC_H_

#include "fakegpu/layout/state.h"

namespace assay::fakegpu::nvml {

// Bytes a second over PCIe to a GPU at full load: a tenth of the link. Half as many come back.
double PcieBytesPerBusySecond(const layout::GpuState& gpu);

// Whether the link is up and leads somewhere.
bool IsCarrying(const layout::Link& link);
// Bytes a second over one NVLink each way at full load: a fifth of the link; and over all of them.
double LinkBytesPerBusySecond(const layout::GpuState& gpu);
double NvLinkBytesPerBusySecond(const layout::GpuState& gpu);

}  // namespace assay::fakegpu::nvml

#endif  // ASSAY_FAKEGPU_NVML_TRAFFIC_H_
