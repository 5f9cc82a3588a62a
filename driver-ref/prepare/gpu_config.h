// GpuConfig: what a claim or a device class may set of whole GPUs: the opaque parameters of this
// driver.
//
//   apiVersion: gpu.assay.dev/v1
//   kind: GpuConfig
//   powerLimitWatts: 350
//   computeMode: ExclusiveProcess    # or Default
//
// Each field may be left out. Pure.
//
// Thread-safe: no state.
#ifndef ASSAY_DRIVER_REF_PREPARE_GPU_CONFIG_H_
#define ASSAY_DRIVER_REF_PREPARE_GPU_CONFIG_H_

#include <optional>
#include <string>

#include "base/result.h"
#include "driver-ref/discovery/configurator.h"

namespace assay::driver_ref::prepare {

// kInvalidArgument names the field that is unknown, missing, there twice or has no value of its
// kind.
Result<discovery::GpuSettings> ParseGpuConfig(const std::string& json);

// "Default", "ExclusiveProcess", ...; and back, nothing for any other text.
std::string ComputeModeName(discovery::ComputeMode mode);
std::optional<discovery::ComputeMode> ParseComputeMode(const std::string& name);

}  // namespace assay::driver_ref::prepare

#endif  // ASSAY_DRIVER_REF_PREPARE_GPU_CONFIG_H_
