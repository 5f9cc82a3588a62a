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

NVML_EXPORT nvmlReturn_t nvmlDeviceGetHostname_v1(nvmlDevice_t device,
                                                  nvmlHostname_v1_t* hostname) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(hostname)}, [&](const Gpu& gpu) {
    static_assert(sizeof(hostname->value) == sizeof(gpu.state.settings.hostname));
    memcpy(hostname->value, gpu.state.settings.hostname, sizeof(hostname->value));
    hostname->value[sizeof(hostname->value) - 1] = '\0';
    return NVML_SUCCESS;
  });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceSetHostname_v1(nvmlDevice_t device,
                                                  nvmlHostname_v1_t* hostname) {
  const bool ok =
      NotNull(hostname) && memchr(hostname->value, '\0', sizeof(hostname->value)) != nullptr;
  return ChangeDevice(DeviceCall{__func__, device, ok},
                      [hostname](layout::Transaction&, layout::GpuState& gpu) {
                        memset(gpu.settings.hostname, 0, sizeof(gpu.settings.hostname));
                        memcpy(gpu.settings.hostname, hostname->value, strlen(hostname->value));
                        return NVML_SUCCESS;
                      });
}

}  // namespace assay::fakegpu::nvml
