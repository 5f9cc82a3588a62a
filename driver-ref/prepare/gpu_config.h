// The opaque parameters of this driver: what a claim or a device class may set of whole GPUs, and
// what it may expect of partitions.
//
//   apiVersion: gpu.assay.dev/v1
//   kind: GpuConfig
//   powerLimitWatts: 350
//   computeMode: ExclusiveProcess    # or Default
//   sharing:                         # How processes share the GPU.
//     strategy: TimeSlicing
//     timeSlicingConfig:
//       interval: Short              # or Default, Medium, Long
//
//   apiVersion: gpu.assay.dev/v1
//   kind: MigConfig
//   profile: 3g.40gb                 # The devices are partitions of this profile.
//
// Each field of a GpuConfig may be left out. MPS is refused: it needs a control daemon for each
// GPU, which this driver does not start. Pure.
//
// Thread-safe: no state.
#ifndef ASSAY_DRIVER_REF_PREPARE_GPU_CONFIG_H_
#define ASSAY_DRIVER_REF_PREPARE_GPU_CONFIG_H_

#include <optional>
#include <string>

#include "base/result.h"
#include "driver-ref/discovery/configurator.h"

namespace assay::driver_ref::prepare {

struct DeviceConfig {
  discovery::GpuSettings settings;
  std::string mig_profile;  // Empty: of a GpuConfig.

  friend bool operator==(const DeviceConfig&, const DeviceConfig&) = default;
};
// kInvalidArgument names the field that is unknown, missing, there twice or has no value of its
// kind.
Result<DeviceConfig> ParseDeviceConfig(const std::string& json);

// "Default", "ExclusiveProcess", ...; and back, nothing for any other text.
std::string ComputeModeName(discovery::ComputeMode mode);
std::optional<discovery::ComputeMode> ParseComputeMode(const std::string& name);
// "Default", "Short", ...
std::string TimeSliceName(discovery::TimeSlice slice);
std::optional<discovery::TimeSlice> ParseTimeSlice(const std::string& name);

}  // namespace assay::driver_ref::prepare

#endif  // ASSAY_DRIVER_REF_PREPARE_GPU_CONFIG_H_
