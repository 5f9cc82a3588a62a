#include "driver-ref/nvml/nvml_configurator.h"

namespace assay::driver_ref::nvml {

using discovery::ComputeMode;
using discovery::GpuSettings;

static_assert(static_cast<int>(ComputeMode::kDefault) == NVML_COMPUTEMODE_DEFAULT &&
              static_cast<int>(ComputeMode::kProhibited) == NVML_COMPUTEMODE_PROHIBITED &&
              static_cast<int>(ComputeMode::kExclusiveProcess) ==
                  NVML_COMPUTEMODE_EXCLUSIVE_PROCESS);

Result<GpuSettings> NvmlConfigurator::Read(const std::string& gpu) {
  const Functions& nvml = session_->f;
  ASSAY_ASSIGN_OR_RETURN(nvmlDevice_t device, session_->FindGpu(gpu));
  GpuSettings settings;
  unsigned int limit_mw = 0;
  nvmlReturn_t code = nvml.power_limit(device, &limit_mw);
  if (code == NVML_SUCCESS) {
    settings.power_limit_mw = limit_mw;
  } else if (code != NVML_ERROR_NOT_SUPPORTED) {
    return session_->Error(code, "nvmlDeviceGetPowerManagementLimit").WithContext(gpu);
  }
  nvmlComputeMode_t mode = NVML_COMPUTEMODE_DEFAULT;
  code = nvml.compute_mode(device, &mode);
  if (code == NVML_SUCCESS) {
    settings.compute_mode = static_cast<ComputeMode>(mode);
  } else if (code != NVML_ERROR_NOT_SUPPORTED) {
    return session_->Error(code, "nvmlDeviceGetComputeMode").WithContext(gpu);
  }
  if (nvidia_smi_.present()) {
    // Nothing tells it to programs. As for NVIDIA's driver it is the default where no claim sets
    // it.
    settings.time_slice = discovery::TimeSlice::kDefault;
  }
  return settings;
}

Status NvmlConfigurator::Write(const std::string& gpu, const GpuSettings& settings) {
  ASSAY_ASSIGN_OR_RETURN(nvmlDevice_t device, session_->FindGpu(gpu));
  if (settings.power_limit_mw) {
    ASSAY_RETURN_IF_ERROR(WritePowerLimit(device, *settings.power_limit_mw).WithContext(gpu));
  }
  if (settings.compute_mode) {
    ASSAY_RETURN_IF_ERROR(
        session_
            ->Error(session_->f.set_compute_mode(
                        device, static_cast<nvmlComputeMode_t>(*settings.compute_mode)),
                    "nvmlDeviceSetComputeMode")
            .WithContext(gpu));
  }
  if (settings.time_slice) {
    ASSAY_RETURN_IF_ERROR(nvidia_smi_.SetTimeSlice(gpu, *settings.time_slice));
  }
  return OkStatus();
}

Status NvmlConfigurator::WritePowerLimit(nvmlDevice_t device, std::uint32_t limit_mw) {
  const Functions& nvml = session_->f;
  unsigned int min_mw = 0;
  unsigned int max_mw = 0;
  ASSAY_RETURN_IF_ERROR(session_->Error(nvml.power_limit_range(device, &min_mw, &max_mw),
                                        "nvmlDeviceGetPowerManagementLimitConstraints"));
  if (limit_mw < min_mw || limit_mw > max_mw) {
    return InvalidArgumentError("a power limit of " + std::to_string(limit_mw / 1000) +
                                " W is not between " + std::to_string(min_mw / 1000) + " W and " +
                                std::to_string(max_mw / 1000) + " W");
  }
  return session_->Error(nvml.set_power_limit(device, limit_mw),
                         "nvmlDeviceSetPowerManagementLimit");
}

}  // namespace assay::driver_ref::nvml
