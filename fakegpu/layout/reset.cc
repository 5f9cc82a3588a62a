#include "fakegpu/layout/reset.h"

namespace assay::fakegpu::layout {

void ResetGpu(GpuState& gpu) {
  Health& health = gpu.health;
  health.last_xid = 0;
  health.recovery_action = 0;
  health.remapped_uncorrected += gpu.identity.retires_pages == 0 ? health.remap_pending : 0;
  health.remap_pending = 0;
  health.ecc_volatile = {};
  gpu.settings.ecc_current = gpu.settings.ecc_pending;
  gpu.settings.mig_current = gpu.settings.mig_pending;
}

}  // namespace assay::fakegpu::layout
