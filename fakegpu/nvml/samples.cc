// Readings of the recent past, and for how long clocks were held down.

#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

// The driver's buffer: so many samples, one each period.
constexpr std::int64_t kPeriodNs = 166'666'667;
constexpr unsigned int kSamples = 100;

// The reading of a sampling type; -1 where the boards have none.
std::int64_t Reading(const layout::Readings& readings, nvmlSamplingType_t type) {
  switch (type) {
    case NVML_TOTAL_POWER_SAMPLES:
      return readings.power_mw;
    case NVML_GPU_UTILIZATION_SAMPLES:
      return readings.gpu_percent;
    case NVML_MEMORY_UTILIZATION_SAMPLES:
      return readings.memory_percent;
    case NVML_ENC_UTILIZATION_SAMPLES:
      return readings.encoder_percent;
    case NVML_DEC_UTILIZATION_SAMPLES:
      return readings.decoder_percent;
    case NVML_PROCESSOR_CLK_SAMPLES:
      return readings.graphics_mhz;
    case NVML_MEMORY_CLK_SAMPLES:
      return readings.memory_mhz;
    case NVML_JPG_UTILIZATION_SAMPLES:
      return readings.jpeg_percent;
    case NVML_OFA_UTILIZATION_SAMPLES:
      return readings.ofa_percent;
    default:
      return -1;
  }
}

// Samples lie at whole periods of the node's clock, and none before the last change of what they
// depend on: how things were before it is not kept.
struct Window {
  std::int64_t first;  // Periods.
  std::int64_t last;
};
Window WindowOf(const layout::GpuState& gpu, std::int64_t now) {
  Window window{now / kPeriodNs - kSamples + 1, now / kPeriodNs};
  const std::int64_t settled = gpu.trail.since_ns / kPeriodNs;
  window.first = window.first < settled ? settled : window.first;
  window.first = window.first < 0 ? 0 : window.first;
  return window;
}

std::uint64_t ViolationNs(const layout::Trail& trail, nvmlPerfPolicyType_t policy) {
  double seconds = 0;
  switch (policy) {
    case NVML_PERF_POLICY_POWER:
      seconds = trail.power_capped_seconds;
      break;
    case NVML_PERF_POLICY_THERMAL:
      seconds = trail.thermal_seconds;
      break;
    case NVML_PERF_POLICY_BOARD_LIMIT:
      seconds = trail.brake_seconds;
      break;
    case NVML_PERF_POLICY_TOTAL_BASE_CLOCKS:
      seconds = trail.power_capped_seconds + trail.thermal_seconds + trail.brake_seconds;
      break;
    default:  // The model never holds clocks down for the others.
      break;
  }
  return layout::Whole<std::uint64_t>(seconds * 1e9);
}

bool IsPolicy(nvmlPerfPolicyType_t policy) {
  return (policy >= NVML_PERF_POLICY_POWER && policy <= NVML_PERF_POLICY_RELIABILITY) ||
         policy == NVML_PERF_POLICY_TOTAL_APP_CLOCKS ||
         policy == NVML_PERF_POLICY_TOTAL_BASE_CLOCKS;
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlDeviceGetSamples(nvmlDevice_t device, nvmlSamplingType_t type,
                                              unsigned long long lastSeenTimeStamp,
                                              nvmlValueType_t* sampleValType,
                                              unsigned int* sampleCount, nvmlSample_t* samples) {
  const bool known = type >= 0 && type < NVML_SAMPLINGTYPE_COUNT;
  const unsigned int size = sampleCount != nullptr ? *sampleCount : 0;
  const bool ok = known && NotNull(sampleValType, sampleCount);
  return ReadDevice(DeviceCall{__func__, device, ok}, [&](const Gpu& gpu) {
    const std::int64_t now = gpu.Now();
    const bool utilization = type != NVML_TOTAL_POWER_SAMPLES &&
                             type != NVML_PROCESSOR_CLK_SAMPLES && type != NVML_MEMORY_CLK_SAMPLES;
    // With MIG on, utilisation is not told for the whole GPU.
    if (Reading(gpu.Measure(), type) < 0 || (utilization && gpu.state.settings.mig_current != 0)) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    *sampleValType = NVML_VALUE_TYPE_UNSIGNED_INT;
    if (samples == nullptr) {
      *sampleCount = kSamples;
      return NVML_SUCCESS;
    }
    const Window window = WindowOf(gpu.state, now);
    unsigned int found = 0;
    for (std::int64_t period = window.first; period <= window.last && found < size; ++period) {
      const std::int64_t at = period * kPeriodNs;
      const unsigned long long at_us = gpu.StampUs(at);
      if (at_us <= lastSeenTimeStamp) {
        continue;
      }
      samples[found] = {};
      samples[found].timeStamp = at_us;
      samples[found].sampleValue.uiVal =
          static_cast<unsigned int>(Reading(layout::Measure(gpu.state, at), type));
      ++found;
    }
    *sampleCount = found;
    return found == 0 ? NVML_ERROR_NOT_FOUND : NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetViolationStatus(nvmlDevice_t device,
                                                      nvmlPerfPolicyType_t perfPolicyType,
                                                      nvmlViolationTime_t* violTime) {
  const bool ok = NotNull(violTime) && IsPolicy(perfPolicyType);
  return ReadDevice(DeviceCall{__func__, device, ok}, [&](const Gpu& gpu) {
    const std::int64_t now = gpu.Now();
    *violTime = {.referenceTime = gpu.StampUs(now),
                 .violationTime = ViolationNs(layout::TrailAt(gpu.state, now), perfPolicyType)};
    return NVML_SUCCESS;
  });
}

}  // namespace assay::fakegpu::nvml
