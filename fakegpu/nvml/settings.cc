// Modes that are set and read back: persistence, compute mode, accounting and the like.

#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

bool IsEnableState(nvmlEnableState_t state) {
  return state == NVML_FEATURE_DISABLED || state == NVML_FEATURE_ENABLED;
}

bool IsRestrictedApi(nvmlRestrictedAPI_t type) {
  return type == NVML_RESTRICTED_API_SET_APPLICATION_CLOCKS ||
         type == NVML_RESTRICTED_API_SET_AUTO_BOOSTED_CLOCKS;
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlDeviceGetPersistenceMode(nvmlDevice_t device,
                                                      nvmlEnableState_t* mode) {
  return Get(DeviceCall{__func__, device}, mode,
             [](const Gpu& gpu) { return gpu.state.settings.persistence; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceSetPersistenceMode(nvmlDevice_t device, nvmlEnableState_t mode) {
  return ChangeDevice(DeviceCall{__func__, device, IsEnableState(mode)},
                      [mode](layout::Transaction&, layout::GpuState& gpu) {
                        gpu.settings.persistence = mode;
                        return NVML_SUCCESS;
                      });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetComputeMode(nvmlDevice_t device, nvmlComputeMode_t* mode) {
  return Get(DeviceCall{__func__, device}, mode,
             [](const Gpu& gpu) { return gpu.state.settings.compute_mode; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceSetComputeMode(nvmlDevice_t device, nvmlComputeMode_t mode) {
  const bool known = mode >= 0 && mode < NVML_COMPUTEMODE_COUNT;
  return ChangeDevice(DeviceCall{__func__, device, known},
                      [mode](layout::Transaction&, layout::GpuState& gpu) {
                        // Exclusive thread mode went away with CUDA 8.
                        if (mode == NVML_COMPUTEMODE_EXCLUSIVE_THREAD) {
                          return NVML_ERROR_NOT_SUPPORTED;
                        }
                        gpu.settings.compute_mode = mode;
                        return NVML_SUCCESS;
                      });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetAccountingMode(nvmlDevice_t device, nvmlEnableState_t* mode) {
  return Get(DeviceCall{__func__, device}, mode,
             [](const Gpu& gpu) { return gpu.state.settings.accounting; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceSetAccountingMode(nvmlDevice_t device, nvmlEnableState_t mode) {
  return ChangeDevice(DeviceCall{__func__, device, IsEnableState(mode)},
                      [mode](layout::Transaction&, layout::GpuState& gpu) {
                        gpu.settings.accounting = mode;
                        return NVML_SUCCESS;
                      });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetAccountingBufferSize(nvmlDevice_t device,
                                                           unsigned int* bufferSize) {
  constexpr unsigned int kBufferSize = 4000;
  return Get(DeviceCall{__func__, device}, bufferSize, [](const Gpu&) { return kBufferSize; });
}
// The model keeps no record of processes that have ended.
NVML_EXPORT nvmlReturn_t nvmlDeviceGetAccountingPids(nvmlDevice_t device, unsigned int* count,
                                                     unsigned int*) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(count)}, [&](const Gpu& gpu) {
    if (gpu.state.settings.accounting == 0) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    *count = 0;
    return NVML_SUCCESS;
  });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetAccountingStats(nvmlDevice_t device, unsigned int,
                                                      nvmlAccountingStats_t* stats) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(stats)}, [](const Gpu& gpu) {
    return gpu.state.settings.accounting == 0 ? NVML_ERROR_NOT_SUPPORTED : NVML_ERROR_NOT_FOUND;
  });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceClearAccountingPids(nvmlDevice_t device) {
  return ChangeDevice(DeviceCall{__func__, device},
                      [](layout::Transaction&, layout::GpuState&) { return NVML_SUCCESS; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetAPIRestriction(nvmlDevice_t device,
                                                     nvmlRestrictedAPI_t apiType,
                                                     nvmlEnableState_t* isRestricted) {
  return Get(DeviceCall{__func__, device, IsRestrictedApi(apiType)}, isRestricted,
             [apiType](const Gpu& gpu) { return gpu.state.settings.api_restriction[apiType]; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceSetAPIRestriction(nvmlDevice_t device,
                                                     nvmlRestrictedAPI_t apiType,
                                                     nvmlEnableState_t isRestricted) {
  return ChangeDevice(
      DeviceCall{__func__, device, IsRestrictedApi(apiType) && IsEnableState(isRestricted)},
      [&](layout::Transaction&, layout::GpuState& gpu) {
        gpu.settings.api_restriction[apiType] = isRestricted;
        return NVML_SUCCESS;
      });
}

}  // namespace assay::fakegpu::nvml
