// How busy a GPU and its engines are.

#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

constexpr unsigned int kSamplingPeriodUs = 167'000;

template <typename Percent>
nvmlReturn_t GetEngine(const char* function, nvmlDevice_t device, unsigned int* utilization,
                       unsigned int* period, Percent&& percent) {
  return ReadDevice(DeviceCall{function, device, NotNull(utilization, period)},
                    [&](const Gpu& gpu) {
                      *utilization = percent(gpu.Measure());
                      *period = kSamplingPeriodUs;
                      return NVML_SUCCESS;
                    });
}

// A process that uses the encoders has one session, of H.264 at 1920 x 1080: at full load of the
// engine so many frames a second, each of them in its share of the second.
constexpr unsigned int kFramesPerPercent = 6;
constexpr unsigned int kEncoderLatencyUs = 1'000'000 / (100 * kFramesPerPercent);

bool Encodes(const layout::Process& process) {
  return process.type != layout::Process::kFree && process.encoder_percent != 0;
}
unsigned int FramesPerSecond(const layout::Process& process) {
  return process.encoder_percent * kFramesPerPercent;
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device,
                                                       nvmlUtilization_t* utilization) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(utilization)}, [&](const Gpu& gpu) {
    // With MIG on, utilisation is not told for the whole GPU.
    if (gpu.state.settings.mig_current != 0) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    const layout::Readings readings = gpu.Measure();
    *utilization = {.gpu = readings.gpu_percent, .memory = readings.memory_percent};
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetEncoderUtilization(nvmlDevice_t device,
                                                         unsigned int* utilization,
                                                         unsigned int* samplingPeriodUs) {
  return GetEngine(__func__, device, utilization, samplingPeriodUs,
                   [](const layout::Readings& readings) { return readings.encoder_percent; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetDecoderUtilization(nvmlDevice_t device,
                                                         unsigned int* utilization,
                                                         unsigned int* samplingPeriodUs) {
  return GetEngine(__func__, device, utilization, samplingPeriodUs,
                   [](const layout::Readings& readings) { return readings.decoder_percent; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetJpgUtilization(nvmlDevice_t device, unsigned int* utilization,
                                                     unsigned int* samplingPeriodUs) {
  return GetEngine(__func__, device, utilization, samplingPeriodUs,
                   [](const layout::Readings& readings) { return readings.jpeg_percent; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetOfaUtilization(nvmlDevice_t device, unsigned int* utilization,
                                                     unsigned int* samplingPeriodUs) {
  return GetEngine(__func__, device, utilization, samplingPeriodUs,
                   [](const layout::Readings& readings) { return readings.ofa_percent; });
}

// What of the encoders is left, in percent.
NVML_EXPORT nvmlReturn_t nvmlDeviceGetEncoderCapacity(nvmlDevice_t device,
                                                      nvmlEncoderType_t encoderQueryType,
                                                      unsigned int* encoderCapacity) {
  const bool known =
      encoderQueryType >= NVML_ENCODER_QUERY_H264 && encoderQueryType <= NVML_ENCODER_QUERY_AV1;
  return ReadDevice(
      DeviceCall{__func__, device, NotNull(encoderCapacity) && known}, [&](const Gpu& gpu) {
        const layout::Identity& identity = gpu.state.identity;
        // AV1 came with Ada.
        if (identity.encoders == 0 || (encoderQueryType == NVML_ENCODER_QUERY_AV1 &&
                                       identity.architecture < NVML_DEVICE_ARCH_ADA)) {
          return NVML_ERROR_NOT_SUPPORTED;
        }
        *encoderCapacity = 100 - gpu.Measure().encoder_percent;
        return NVML_SUCCESS;
      });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetEncoderStats(nvmlDevice_t device, unsigned int* sessionCount,
                                                   unsigned int* averageFps,
                                                   unsigned int* averageLatency) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(sessionCount, averageFps, averageLatency)},
                    [&](const Gpu& gpu) {
                      unsigned int sessions = 0;
                      unsigned int frames = 0;
                      for (const layout::Process& process : gpu.state.processes) {
                        if (Encodes(process)) {
                          ++sessions;
                          frames += FramesPerSecond(process);
                        }
                      }
                      *sessionCount = sessions;
                      *averageFps = sessions == 0 ? 0 : frames / sessions;
                      *averageLatency = sessions == 0 ? 0 : kEncoderLatencyUs;
                      return NVML_SUCCESS;
                    });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetEncoderSessions(nvmlDevice_t device,
                                                      unsigned int* sessionCount,
                                                      nvmlEncoderSessionInfo_t* sessionInfos) {
  const unsigned int size = sessionCount != nullptr ? *sessionCount : 0;
  return ReadDevice(DeviceCall{__func__, device, NotNull(sessionCount)}, [&](const Gpu& gpu) {
    unsigned int found = 0;
    for (const layout::Process& process : gpu.state.processes) {
      if (!Encodes(process)) {
        continue;
      }
      if (sessionInfos != nullptr && found < size) {
        sessionInfos[found] = {.sessionId = found + 1,
                               .pid = process.pid,
                               .vgpuInstance = 0,
                               .codecType = NVML_ENCODER_QUERY_H264,
                               .hResolution = 1920,
                               .vResolution = 1080,
                               .averageFps = FramesPerSecond(process),
                               .averageLatency = kEncoderLatencyUs};
      }
      ++found;
    }
    *sessionCount = found;
    return sessionInfos == nullptr || found <= size ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
  });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetFBCStats(nvmlDevice_t device, nvmlFBCStats_t* fbcStats) {
  return Get(DeviceCall{__func__, device}, fbcStats, [](const Gpu&) { return nvmlFBCStats_t{}; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetFBCSessions(nvmlDevice_t device, unsigned int* sessionCount,
                                                  nvmlFBCSessionInfo_t*) {
  return Get(DeviceCall{__func__, device}, sessionCount, [](const Gpu&) { return 0; });
}

}  // namespace assay::fakegpu::nvml
