// The end of event sets.
//
// Freestanding. Thread-safe.
#ifndef ASSAY_FAKEGPU_NVML_EVENTS_H_
#define ASSAY_FAKEGPU_NVML_EVENTS_H_

namespace assay::fakegpu::nvml {

// Frees every set of the process: none outlives the last nvmlShutdown.
void FreeEventSets();

}  // namespace assay::fakegpu::nvml

#endif  // ASSAY_FAKEGPU_NVML_EVENTS_H_
