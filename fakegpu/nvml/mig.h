// MIG devices as other calls see them: their names and their share of the GPU's memory.
//
// Freestanding. Thread-safe: pure functions.
#ifndef ASSAY_FAKEGPU_NVML_MIG_H_
#define ASSAY_FAKEGPU_NVML_MIG_H_

#include <cstddef>

#include "fakegpu/layout/metrics.h"
#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {

// The device's name; of a MIG device the GPU's, then " MIG 1g.10gb".
void MigDeviceName(const Gpu& gpu, char* text, std::size_t size);

// The GPU's memory, or a MIG device's: what its GPU instance has.
layout::Memory MemoryOfDevice(const Gpu& gpu);

}  // namespace assay::fakegpu::nvml

#endif  // ASSAY_FAKEGPU_NVML_MIG_H_
