// Temperatures and fans.

#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

nvmlReturn_t Threshold(const layout::Limits& limits, nvmlTemperatureThresholds_t type,
                       unsigned int* celsius) {
  switch (type) {
    case NVML_TEMPERATURE_THRESHOLD_SHUTDOWN:
      *celsius = limits.temperature_shutdown_c;
      return NVML_SUCCESS;
    case NVML_TEMPERATURE_THRESHOLD_SLOWDOWN:
      *celsius = limits.temperature_slowdown_c;
      return NVML_SUCCESS;
    case NVML_TEMPERATURE_THRESHOLD_MEM_MAX:
      *celsius = limits.temperature_memory_max_c;
      return NVML_SUCCESS;
    case NVML_TEMPERATURE_THRESHOLD_GPU_MAX:
      *celsius = limits.temperature_gpu_max_c;
      return NVML_SUCCESS;
    case NVML_TEMPERATURE_THRESHOLD_ACOUSTIC_MIN:
    case NVML_TEMPERATURE_THRESHOLD_ACOUSTIC_CURR:
    case NVML_TEMPERATURE_THRESHOLD_ACOUSTIC_MAX:
    case NVML_TEMPERATURE_THRESHOLD_GPS_CURR:
      return NVML_ERROR_NOT_SUPPORTED;
    default:
      return NVML_ERROR_INVALID_ARGUMENT;
  }
}

// A read of fan number `fan`: boards without fans do not support it.
template <typename Value>
nvmlReturn_t ReadFan(const Gpu& gpu, unsigned int fan, unsigned int* result, Value&& value) {
  if (gpu.state.identity.fans == 0) {
    return NVML_ERROR_NOT_SUPPORTED;
  }
  if (fan >= gpu.state.identity.fans) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  *result = value(gpu);
  return NVML_SUCCESS;
}
template <typename Value>
nvmlReturn_t GetFan(const char* function, nvmlDevice_t device, unsigned int fan,
                    unsigned int* result, Value&& value) {
  return ReadDevice(DeviceCall{function, device, NotNull(result)},
                    [&](const Gpu& gpu) { return ReadFan(gpu, fan, result, value); });
}

std::uint32_t FanPercent(const Gpu& gpu) { return gpu.Measure().fan_percent; }

// A change of fan number `fan`.
template <typename Change>
nvmlReturn_t ChangeFan(const DeviceCall& call, unsigned int fan, Change&& change) {
  return ChangeDevice(call, [&](layout::Transaction&, layout::GpuState& gpu) {
    if (gpu.identity.fans == 0) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    if (fan >= gpu.identity.fans) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    change(gpu.settings);
    return NVML_SUCCESS;
  });
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device,
                                                  nvmlTemperatureSensors_t sensorType,
                                                  unsigned int* temp) {
  return Get(DeviceCall{__func__, device, sensorType == NVML_TEMPERATURE_GPU}, temp,
             [](const Gpu& gpu) { return gpu.Measure().temperature_c; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device,
                                                   nvmlTemperature_t* temperature) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(temperature)}, [&](const Gpu& gpu) {
    if (temperature->version != nvmlTemperature_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    if (temperature->sensorType != NVML_TEMPERATURE_GPU) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    temperature->temperature = static_cast<int>(gpu.Measure().temperature_c);
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetTemperatureThreshold(
    nvmlDevice_t device, nvmlTemperatureThresholds_t thresholdType, unsigned int* temp) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(temp)}, [&](const Gpu& gpu) {
    return Threshold(gpu.state.limits, thresholdType, temp);
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetMarginTemperature(nvmlDevice_t device,
                                                        nvmlMarginTemperature_t* marginTempInfo) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(marginTempInfo)}, [&](const Gpu& gpu) {
    if (marginTempInfo->version != nvmlMarginTemperature_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    marginTempInfo->marginTemperature = static_cast<int>(gpu.state.limits.temperature_slowdown_c) -
                                        static_cast<int>(gpu.Measure().temperature_c);
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetThermalSettings(nvmlDevice_t device, unsigned int sensorIndex,
                                                      nvmlGpuThermalSettings_t* settings) {
  // One sensor; its index, or 15 for all, as NVML_THERMAL_TARGET_ALL.
  const bool known = sensorIndex == 0 || sensorIndex == NVML_THERMAL_TARGET_ALL;
  return ReadDevice(DeviceCall{__func__, device, NotNull(settings) && known}, [&](const Gpu& gpu) {
    *settings = {};
    settings->count = 1;
    settings->sensor[0] = {
        .controller = NVML_THERMAL_CONTROLLER_GPU_INTERNAL,
        .defaultMinTemp = 0,
        .defaultMaxTemp = static_cast<int>(gpu.state.limits.temperature_shutdown_c),
        .currentTemp = static_cast<int>(gpu.Measure().temperature_c),
        .target = NVML_THERMAL_TARGET_GPU};
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetNumFans(nvmlDevice_t device, unsigned int* numFans) {
  return Get(DeviceCall{__func__, device}, numFans,
             [](const Gpu& gpu) { return gpu.state.identity.fans; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetFanSpeed(nvmlDevice_t device, unsigned int* speed) {
  return GetFan(__func__, device, 0, speed, FanPercent);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetFanSpeed_v2(nvmlDevice_t device, unsigned int fan,
                                                  unsigned int* speed) {
  return GetFan(__func__, device, fan, speed, FanPercent);
}
// In revolutions a minute: fans turn in proportion to their percentage.
NVML_EXPORT nvmlReturn_t nvmlDeviceGetFanSpeedRPM(nvmlDevice_t device,
                                                  nvmlFanSpeedInfo_t* fanSpeed) {
  constexpr unsigned int kRpmAtFullSpeed = 3600;
  return ReadDevice(DeviceCall{__func__, device, NotNull(fanSpeed)}, [&](const Gpu& gpu) {
    if (fanSpeed->version != nvmlFanSpeedInfo_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    return ReadFan(gpu, fanSpeed->fan, &fanSpeed->speed,
                   [](const Gpu& of) { return FanPercent(of) * kRpmAtFullSpeed / 100; });
  });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetCoolerInfo(nvmlDevice_t device,
                                                 nvmlCoolerInfo_t* coolerInfo) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(coolerInfo)}, [&](const Gpu& gpu) {
    if (coolerInfo->version != nvmlCoolerInfo_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    unsigned int known = 0;
    const nvmlReturn_t result =
        ReadFan(gpu, coolerInfo->index, &known, [](const Gpu&) { return 1U; });
    if (result == NVML_SUCCESS) {
      coolerInfo->signalType = NVML_THERMAL_COOLER_SIGNAL_VARIABLE;
      coolerInfo->target = NVML_THERMAL_COOLER_TARGET_GPU;
    }
    return result;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetTargetFanSpeed(nvmlDevice_t device, unsigned int fan,
                                                     unsigned int* targetSpeed) {
  return GetFan(__func__, device, fan, targetSpeed, FanPercent);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetMinMaxFanSpeed(nvmlDevice_t device, unsigned int* minSpeed,
                                                     unsigned int* maxSpeed) {
  constexpr unsigned int kMinPercent = 30;
  const nvmlReturn_t result =
      GetFan(__func__, device, 0, minSpeed, [](const Gpu&) { return kMinPercent; });
  return result != NVML_SUCCESS
             ? result
             : GetFan(__func__, device, 0, maxSpeed, [](const Gpu&) { return 100U; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetFanControlPolicy_v2(nvmlDevice_t device, unsigned int fan,
                                                          nvmlFanControlPolicy_t* policy) {
  return GetFan(__func__, device, fan, policy,
                [](const Gpu& gpu) { return gpu.state.settings.fan_policy; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceSetFanControlPolicy(nvmlDevice_t device, unsigned int fan,
                                                       nvmlFanControlPolicy_t policy) {
  return ChangeFan(DeviceCall{__func__, device, policy <= NVML_FAN_POLICY_MANUAL}, fan,
                   [policy](layout::Settings& settings) {
                     settings.fan_policy = policy;
                     settings.fan_percent =
                         policy == NVML_FAN_POLICY_MANUAL ? settings.fan_percent : 0;
                   });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceSetFanSpeed_v2(nvmlDevice_t device, unsigned int fan,
                                                  unsigned int speed) {
  return ChangeFan(DeviceCall{__func__, device, speed <= 100}, fan,
                   [speed](layout::Settings& settings) {
                     settings.fan_policy = NVML_FAN_POLICY_MANUAL;
                     settings.fan_percent = speed;
                   });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceSetDefaultFanSpeed_v2(nvmlDevice_t device, unsigned int fan) {
  return ChangeFan(DeviceCall{__func__, device}, fan, [](layout::Settings& settings) {
    settings.fan_policy = NVML_FAN_POLICY_TEMPERATURE_CONTINOUS_SW;
    settings.fan_percent = 0;
  });
}

}  // namespace assay::fakegpu::nvml
