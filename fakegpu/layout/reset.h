// A reset of a GPU: what waited for one comes into force, and what lasts until one ends.
//
// Freestanding. Thread-safe: a function of its argument; changes are made in a Transaction.
#ifndef ASSAY_FAKEGPU_LAYOUT_RESET_H_
#define ASSAY_FAKEGPU_LAYOUT_RESET_H_

#include "fakegpu/layout/state.h"

namespace assay::fakegpu::layout {

// Pending ECC and MIG modes and remapped rows come into force; volatile ECC counts, the last XID
// and the recovery action are gone. Faults of the hardware stay, and MIG instances: see the
// callers.
void ResetGpu(GpuState& gpu);

}  // namespace assay::fakegpu::layout

#endif  // ASSAY_FAKEGPU_LAYOUT_RESET_H_
