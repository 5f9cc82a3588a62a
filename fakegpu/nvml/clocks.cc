// Clocks: what they are, may be, and are set to; performance states and throttle reasons.

#include <iterator>

#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

bool IsClockType(nvmlClockType_t type) { return type >= 0 && type < NVML_CLOCK_COUNT; }

// A measurement each: it costs what is read of it.
std::uint32_t CurrentClock(const Gpu& gpu, nvmlClockType_t type) {
  switch (type) {
    case NVML_CLOCK_MEM:
      return gpu.Measure().memory_mhz;
    case NVML_CLOCK_VIDEO:
      return gpu.Measure().video_mhz;
    default:
      return gpu.Measure().graphics_mhz;
  }
}

std::uint32_t MaxClock(const layout::Limits& limits, nvmlClockType_t type) {
  switch (type) {
    case NVML_CLOCK_MEM:
      return limits.clock_memory_mhz[0];
    case NVML_CLOCK_VIDEO:
      return limits.clock_video_max_mhz;
    default:
      return limits.clock_graphics_max_mhz;
  }
}

// Only graphics (and with it SM) and memory have application clocks.
nvmlReturn_t ApplicationClock(const Gpu& gpu, nvmlClockType_t type, bool as_set,
                              unsigned int* mhz) {
  const layout::Limits& limits = gpu.state.limits;
  const layout::Settings& settings = gpu.state.settings;
  switch (type) {
    case NVML_CLOCK_GRAPHICS:
    case NVML_CLOCK_SM:
      *mhz = as_set && settings.application_graphics_mhz != 0
                 ? settings.application_graphics_mhz
                 : limits.clock_application_graphics_mhz;
      return NVML_SUCCESS;
    case NVML_CLOCK_MEM:
      *mhz = as_set && settings.application_memory_mhz != 0 ? settings.application_memory_mhz
                                                            : limits.clock_application_memory_mhz;
      return NVML_SUCCESS;
    default:
      return NVML_ERROR_NOT_SUPPORTED;
  }
}

bool IsMemoryClock(const layout::Limits& limits, unsigned int mhz) {
  for (const std::uint32_t clock : limits.clock_memory_mhz) {
    if (clock != 0 && clock == mhz) {
      return true;
    }
  }
  return false;
}

std::uint32_t GraphicsStep(const layout::Limits& limits) {
  return limits.clock_graphics_step_mhz != 0 ? limits.clock_graphics_step_mhz : 15;
}

// How many graphics clocks are supported: from the highest down in steps.
std::uint32_t CountGraphicsClocks(const layout::Limits& limits) {
  return limits.clock_graphics_max_mhz < limits.clock_graphics_min_mhz
             ? 0
             : (limits.clock_graphics_max_mhz - limits.clock_graphics_min_mhz) /
                       GraphicsStep(limits) +
                   1;
}

// An array of `needed` values under NVML's rule: the count goes in as the array's size and comes
// out as what there is; too small (or no) an array is INSUFFICIENT_SIZE.
template <typename Value>
nvmlReturn_t FillClocks(std::uint32_t needed, unsigned int* count, unsigned int* clocks,
                        unsigned int size, Value&& value) {
  *count = needed;
  if (clocks == nullptr || size < needed) {
    return needed == 0 ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
  }
  for (std::uint32_t i = 0; i < needed; ++i) {
    clocks[i] = value(i);
  }
  return NVML_SUCCESS;
}

constexpr unsigned long long kSupportedReasons =
    nvmlClocksEventReasonGpuIdle | nvmlClocksEventReasonApplicationsClocksSetting |
    nvmlClocksEventReasonSwPowerCap | nvmlClocksThrottleReasonHwSlowdown |
    nvmlClocksEventReasonSyncBoost | nvmlClocksEventReasonSwThermalSlowdown |
    nvmlClocksThrottleReasonHwThermalSlowdown | nvmlClocksThrottleReasonHwPowerBrakeSlowdown |
    nvmlClocksEventReasonDisplayClockSetting;

nvmlReturn_t GetReasons(const char* function, nvmlDevice_t device, unsigned long long* reasons) {
  return Get(DeviceCall{function, device}, reasons,
             [](const Gpu& gpu) { return gpu.Measure().throttle_reasons; });
}
nvmlReturn_t GetSupportedReasons(const char* function, nvmlDevice_t device,
                                 unsigned long long* reasons) {
  return Get(DeviceCall{function, device}, reasons, [](const Gpu&) { return kSupportedReasons; });
}
nvmlReturn_t GetPerformanceState(const char* function, nvmlDevice_t device, nvmlPstates_t* state) {
  return Get(DeviceCall{function, device}, state,
             [](const Gpu& gpu) { return gpu.Measure().performance_state; });
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t type,
                                                unsigned int* clock) {
  return Get(DeviceCall{__func__, device, IsClockType(type)}, clock,
             [type](const Gpu& gpu) { return CurrentClock(gpu, type); });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, nvmlClockType_t type,
                                                   unsigned int* clock) {
  return Get(DeviceCall{__func__, device, IsClockType(type)}, clock,
             [type](const Gpu& gpu) { return MaxClock(gpu.state.limits, type); });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetMaxCustomerBoostClock(nvmlDevice_t device,
                                                            nvmlClockType_t clockType,
                                                            unsigned int* clockMHz) {
  return Get(DeviceCall{__func__, device, IsClockType(clockType)}, clockMHz,
             [clockType](const Gpu& gpu) { return MaxClock(gpu.state.limits, clockType); });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetClock(nvmlDevice_t device, nvmlClockType_t clockType,
                                            nvmlClockId_t clockId, unsigned int* clockMHz) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(clockMHz) && IsClockType(clockType)},
                    [&](const Gpu& gpu) {
                      switch (clockId) {
                        case NVML_CLOCK_ID_CURRENT:
                          *clockMHz = CurrentClock(gpu, clockType);
                          return NVML_SUCCESS;
                        case NVML_CLOCK_ID_APP_CLOCK_TARGET:
                          return ApplicationClock(gpu, clockType, true, clockMHz);
                        case NVML_CLOCK_ID_APP_CLOCK_DEFAULT:
                          return ApplicationClock(gpu, clockType, false, clockMHz);
                        case NVML_CLOCK_ID_CUSTOMER_BOOST_MAX:
                          *clockMHz = MaxClock(gpu.state.limits, clockType);
                          return NVML_SUCCESS;
                        default:
                          return NVML_ERROR_INVALID_ARGUMENT;
                      }
                    });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetApplicationsClock(nvmlDevice_t device,
                                                        nvmlClockType_t clockType,
                                                        unsigned int* clockMHz) {
  return ReadDevice(
      DeviceCall{__func__, device, NotNull(clockMHz) && IsClockType(clockType)},
      [&](const Gpu& gpu) { return ApplicationClock(gpu, clockType, true, clockMHz); });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetDefaultApplicationsClock(nvmlDevice_t device,
                                                               nvmlClockType_t clockType,
                                                               unsigned int* clockMHz) {
  return ReadDevice(
      DeviceCall{__func__, device, NotNull(clockMHz) && IsClockType(clockType)},
      [&](const Gpu& gpu) { return ApplicationClock(gpu, clockType, false, clockMHz); });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetSupportedMemoryClocks(nvmlDevice_t device,
                                                            unsigned int* count,
                                                            unsigned int* clocksMHz) {
  const unsigned int size = count != nullptr ? *count : 0;
  return ReadDevice(DeviceCall{__func__, device, NotNull(count)}, [&](const Gpu& gpu) {
    const auto& clocks = gpu.state.limits.clock_memory_mhz;
    std::uint32_t needed = 0;
    while (needed < layout::kMaxMemoryClocks && clocks[needed] != 0) {
      ++needed;
    }
    return FillClocks(needed, count, clocksMHz, size,
                      [&clocks](std::uint32_t i) { return clocks[i]; });
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetSupportedGraphicsClocks(nvmlDevice_t device,
                                                              unsigned int memoryClockMHz,
                                                              unsigned int* count,
                                                              unsigned int* clocksMHz) {
  const unsigned int size = count != nullptr ? *count : 0;
  return ReadDevice(DeviceCall{__func__, device, NotNull(count)}, [&](const Gpu& gpu) {
    const layout::Limits& limits = gpu.state.limits;
    if (!IsMemoryClock(limits, memoryClockMHz)) {
      return NVML_ERROR_NOT_FOUND;
    }
    return FillClocks(CountGraphicsClocks(limits), count, clocksMHz, size,
                      [&limits](std::uint32_t i) {
                        return limits.clock_graphics_max_mhz - i * GraphicsStep(limits);
                      });
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceSetApplicationsClocks(nvmlDevice_t device,
                                                         unsigned int memClockMHz,
                                                         unsigned int graphicsClockMHz) {
  return ChangeDevice(DeviceCall{__func__, device}, [&](layout::Transaction&,
                                                        layout::GpuState& gpu) {
    const layout::Limits& limits = gpu.limits;
    if (!IsMemoryClock(limits, memClockMHz) || graphicsClockMHz > limits.clock_graphics_max_mhz ||
        graphicsClockMHz < limits.clock_graphics_min_mhz ||
        (limits.clock_graphics_max_mhz - graphicsClockMHz) % GraphicsStep(limits) != 0) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    gpu.settings.application_memory_mhz = memClockMHz;
    gpu.settings.application_graphics_mhz = graphicsClockMHz;
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceResetApplicationsClocks(nvmlDevice_t device) {
  return ChangeDevice(DeviceCall{__func__, device},
                      [](layout::Transaction&, layout::GpuState& gpu) {
                        gpu.settings.application_memory_mhz = 0;
                        gpu.settings.application_graphics_mhz = 0;
                        return NVML_SUCCESS;
                      });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceSetGpuLockedClocks(nvmlDevice_t device,
                                                      unsigned int minGpuClockMHz,
                                                      unsigned int maxGpuClockMHz) {
  const bool ordered = minGpuClockMHz <= maxGpuClockMHz;
  return ChangeDevice(DeviceCall{__func__, device, ordered},
                      [&](layout::Transaction&, layout::GpuState& gpu) {
                        if (maxGpuClockMHz < gpu.limits.clock_graphics_min_mhz ||
                            minGpuClockMHz > gpu.limits.clock_graphics_max_mhz) {
                          return NVML_ERROR_INVALID_ARGUMENT;
                        }
                        gpu.settings.locked_graphics_min_mhz = minGpuClockMHz;
                        gpu.settings.locked_graphics_max_mhz = maxGpuClockMHz;
                        return NVML_SUCCESS;
                      });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceResetGpuLockedClocks(nvmlDevice_t device) {
  return ChangeDevice(DeviceCall{__func__, device},
                      [](layout::Transaction&, layout::GpuState& gpu) {
                        gpu.settings.locked_graphics_min_mhz = 0;
                        gpu.settings.locked_graphics_max_mhz = 0;
                        return NVML_SUCCESS;
                      });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceSetMemoryLockedClocks(nvmlDevice_t device,
                                                         unsigned int minMemClockMHz,
                                                         unsigned int maxMemClockMHz) {
  const bool ordered = minMemClockMHz <= maxMemClockMHz && maxMemClockMHz != 0;
  return ChangeDevice(DeviceCall{__func__, device, ordered},
                      [&](layout::Transaction&, layout::GpuState& gpu) {
                        gpu.settings.locked_memory_min_mhz = minMemClockMHz;
                        gpu.settings.locked_memory_max_mhz = maxMemClockMHz;
                        return NVML_SUCCESS;
                      });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceResetMemoryLockedClocks(nvmlDevice_t device) {
  return ChangeDevice(DeviceCall{__func__, device},
                      [](layout::Transaction&, layout::GpuState& gpu) {
                        gpu.settings.locked_memory_min_mhz = 0;
                        gpu.settings.locked_memory_max_mhz = 0;
                        return NVML_SUCCESS;
                      });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetPerformanceState(nvmlDevice_t device, nvmlPstates_t* pState) {
  return GetPerformanceState(__func__, device, pState);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetPowerState(nvmlDevice_t device, nvmlPstates_t* pState) {
  return GetPerformanceState(__func__, device, pState);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetSupportedPerformanceStates(nvmlDevice_t device,
                                                                 nvmlPstates_t* pstates,
                                                                 unsigned int size) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(pstates)}, [&](const Gpu& gpu) {
    // P0, and what the board rests in; the remainder of the array, which `size` counts in bytes, is
    // NVML_PSTATE_UNKNOWN.
    const std::uint32_t resting = layout::RestingState(gpu.state.limits);
    const std::size_t count = size / sizeof(nvmlPstates_t);
    if (count < (resting == 0 ? 1 : 2)) {
      return NVML_ERROR_INSUFFICIENT_SIZE;
    }
    for (std::size_t i = 0; i < count; ++i) {
      pstates[i] = NVML_PSTATE_UNKNOWN;
    }
    pstates[0] = NVML_PSTATE_0;
    if (resting != 0) {
      pstates[1] = static_cast<nvmlPstates_t>(resting);
    }
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetMinMaxClockOfPState(nvmlDevice_t device, nvmlClockType_t type,
                                                          nvmlPstates_t pstate,
                                                          unsigned int* minClockMHz,
                                                          unsigned int* maxClockMHz) {
  const bool ok = NotNull(minClockMHz, maxClockMHz) && IsClockType(type);
  return ReadDevice(DeviceCall{__func__, device, ok}, [&](const Gpu& gpu) {
    if (pstate != NVML_PSTATE_0) {
      const layout::Limits& limits = gpu.state.limits;
      if (pstate != layout::RestingState(limits)) {
        return NVML_ERROR_INVALID_ARGUMENT;
      }
      // From the lowest clock to what the board rests at.
      *minClockMHz = type == NVML_CLOCK_MEM ? layout::LowestMemoryClock(limits)
                                            : limits.clock_graphics_min_mhz;
      *maxClockMHz = type == NVML_CLOCK_MEM ? *minClockMHz : limits.clock_graphics_idle_mhz;
      return NVML_SUCCESS;
    }
    *maxClockMHz = MaxClock(gpu.state.limits, type);
    *minClockMHz = type == NVML_CLOCK_MEM ? *maxClockMHz : gpu.state.limits.clock_graphics_min_mhz;
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetDynamicPstatesInfo(nvmlDevice_t device,
                                                         nvmlGpuDynamicPstatesInfo_t* info) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(info)}, [&](const Gpu& gpu) {
    const layout::Readings readings = gpu.Measure();
    const std::uint32_t domains[] = {readings.gpu_percent, readings.memory_percent,
                                     readings.decoder_percent};
    *info = {};
    for (std::size_t i = 0; i < std::size(domains); ++i) {
      info->utilization[i].bIsPresent = 1;
      info->utilization[i].percentage = domains[i];
    }
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device,
                                                                unsigned long long* reasons) {
  return GetReasons(__func__, device, reasons);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device,
                                                                   unsigned long long* reasons) {
  return GetReasons(__func__, device, reasons);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetSupportedClocksEventReasons(nvmlDevice_t device,
                                                                  unsigned long long* reasons) {
  return GetSupportedReasons(__func__, device, reasons);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetSupportedClocksThrottleReasons(nvmlDevice_t device,
                                                                     unsigned long long* reasons) {
  return GetSupportedReasons(__func__, device, reasons);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetAdaptiveClockInfoStatus(nvmlDevice_t device,
                                                              unsigned int* adaptiveClockStatus) {
  return Get(DeviceCall{__func__, device}, adaptiveClockStatus,
             [](const Gpu&) { return NVML_ADAPTIVE_CLOCKING_INFO_STATUS_ENABLED; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetClkMonStatus(nvmlDevice_t device,
                                                   nvmlClkMonStatus_t* status) {
  return Get(DeviceCall{__func__, device}, status, [](const Gpu&) { return nvmlClkMonStatus_t{}; });
}

}  // namespace assay::fakegpu::nvml
