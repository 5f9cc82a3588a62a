// Power, its limit, and energy.

#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

std::uint32_t LimitOf(const layout::GpuState& gpu) {
  return gpu.settings.power_limit_mw != 0 ? gpu.settings.power_limit_mw
                                          : gpu.limits.power_default_mw;
}

nvmlReturn_t SetLimit(const DeviceCall& call, std::uint32_t limit_mw) {
  return ChangeDevice(call, [limit_mw](layout::Transaction&, layout::GpuState& gpu) {
    if (limit_mw < gpu.limits.power_min_mw || limit_mw > gpu.limits.power_max_mw) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    gpu.settings.power_limit_mw = limit_mw;
    return NVML_SUCCESS;
  });
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlDeviceGetPowerManagementMode(nvmlDevice_t device,
                                                          nvmlEnableState_t* mode) {
  return Get(DeviceCall{__func__, device}, mode, [](const Gpu&) { return NVML_FEATURE_ENABLED; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int* power) {
  return Get(DeviceCall{__func__, device}, power,
             [](const Gpu& gpu) { return gpu.Measure().power_mw; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device,
                                                             unsigned long long* energy) {
  return Get(DeviceCall{__func__, device}, energy,
             [](const Gpu& gpu) { return gpu.Measure().energy_mj; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetPowerManagementLimit(nvmlDevice_t device,
                                                           unsigned int* limit) {
  return Get(DeviceCall{__func__, device}, limit,
             [](const Gpu& gpu) { return LimitOf(gpu.state); });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned int* limit) {
  return Get(DeviceCall{__func__, device}, limit,
             [](const Gpu& gpu) { return LimitOf(gpu.state); });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetPowerManagementDefaultLimit(nvmlDevice_t device,
                                                                  unsigned int* defaultLimit) {
  return Get(DeviceCall{__func__, device}, defaultLimit,
             [](const Gpu& gpu) { return gpu.state.limits.power_default_mw; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device,
                                                                      unsigned int* minLimit,
                                                                      unsigned int* maxLimit) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(minLimit, maxLimit)}, [&](const Gpu& gpu) {
    *minLimit = gpu.state.limits.power_min_mw;
    *maxLimit = gpu.state.limits.power_max_mw;
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceSetPowerManagementLimit(nvmlDevice_t device,
                                                           unsigned int limit) {
  return SetLimit(DeviceCall{__func__, device}, limit);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceSetPowerManagementLimit_v2(nvmlDevice_t device,
                                                              nvmlPowerValue_v2_t* powerValue) {
  const DeviceCall call{__func__, device, NotNull(powerValue)};
  const nvmlReturn_t readable = ReadDevice(call, [&](const Gpu&) {
    return powerValue->version == nvmlPowerValue_v2 ? NVML_SUCCESS
                                                    : NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  });
  if (readable != NVML_SUCCESS) {
    return readable;
  }
  if (powerValue->powerScope != NVML_POWER_SCOPE_GPU) {
    return powerValue->powerScope < NVML_POWER_SCOPE_COUNT ? NVML_ERROR_NOT_SUPPORTED
                                                           : NVML_ERROR_INVALID_ARGUMENT;
  }
  return SetLimit(DeviceCall{kReadAgain, device}, powerValue->powerValueMw);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetPowerSource(nvmlDevice_t device,
                                                  nvmlPowerSource_t* powerSource) {
  return Get(DeviceCall{__func__, device}, powerSource,
             [](const Gpu&) { return NVML_POWER_SOURCE_AC; });
}

}  // namespace assay::fakegpu::nvml
