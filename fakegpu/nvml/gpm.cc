// GPM: what a GPU did between two samples. A sample is a copy of what adds up over time; a metric
// is the difference of two, over the time between them.

#include <stdlib.h>

#include "fakegpu/nvml/call.h"
#include "fakegpu/nvml/live_list.h"
#include "fakegpu/nvml/traffic.h"

struct nvmlGpmSample_st {
  nvmlGpmSample_st* next;
  bool taken;
  std::uint32_t slot;
  std::uint32_t gpu_instance;  // kNoInstance: of the whole GPU.
  std::int64_t node_ns;
  double sm_seconds;
  double memory_seconds;
  double encoder_seconds;
  double decoder_seconds;
  double jpeg_seconds;
  double ofa_seconds;
  // Bytes a second at full load, each way.
  double pcie_bytes;
  double nvlink_bytes;
  std::uint32_t nvlinks_up;
};

namespace assay::fakegpu::nvml {
namespace {

constexpr double kMebibyte = 1024.0 * 1024.0;

constinit LiveList<nvmlGpmSample_st> samples;

// GPM came with Hopper.
bool HasGpm(const layout::GpuState& gpu) {
  return gpu.identity.architecture >= NVML_DEVICE_ARCH_HOPPER;
}

// Seconds at full load of the processes of one GPU instance, each since its start.
void AddInstance(const layout::GpuState& gpu, std::uint32_t instance, nvmlGpmSample_st* sample) {
  for (const layout::Process& process : gpu.processes) {
    if (process.type == layout::Process::kFree || process.gpu_instance != instance) {
      continue;
    }
    const double seconds =
        static_cast<double>(layout::Since(sample->node_ns, process.start_ns)) / 1e9;
    sample->sm_seconds += seconds * process.sm_percent / 100;
    sample->memory_seconds += seconds * process.memory_percent / 100;
    sample->encoder_seconds += seconds * process.encoder_percent / 100;
    sample->decoder_seconds += seconds * process.decoder_percent / 100;
    sample->jpeg_seconds += seconds * process.jpeg_percent / 100;
    sample->ofa_seconds += seconds * process.ofa_percent / 100;
  }
}

nvmlGpmSample_st TakeSample(const Gpu& gpu, std::uint32_t instance) {
  nvmlGpmSample_st sample{};
  sample.taken = true;
  sample.slot = gpu.handle.slot;
  sample.gpu_instance = instance;
  sample.node_ns = gpu.Now();
  sample.pcie_bytes = PcieBytesPerBusySecond(gpu.state);
  sample.nvlink_bytes = NvLinkBytesPerBusySecond(gpu.state);
  for (const layout::Link& link : gpu.state.links) {
    sample.nvlinks_up += IsCarrying(link) ? 1 : 0;
  }
  if (instance != layout::kNoInstance) {
    AddInstance(gpu.state, instance, &sample);
    return sample;
  }
  const layout::Trail trail = layout::TrailAt(gpu.state, sample.node_ns);
  sample.sm_seconds = trail.sm_seconds;
  sample.memory_seconds = trail.memory_seconds;
  sample.encoder_seconds = trail.encoder_seconds;
  sample.decoder_seconds = trail.decoder_seconds;
  sample.jpeg_seconds = trail.jpeg_seconds;
  sample.ofa_seconds = trail.ofa_seconds;
  return sample;
}

// Writes a new reading into `sample`: one that the caller has allocated.
nvmlReturn_t GetSample(const DeviceCall& call, std::uint32_t instance, nvmlGpmSample_t sample) {
  nvmlGpmSample_st reading{};
  const nvmlReturn_t result = ReadDevice(call, [&](const Gpu& gpu) {
    if (!HasGpm(gpu.state)) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    if (instance != layout::kNoInstance) {
      bool there = false;
      for (const layout::GpuInstance& entry : gpu.state.gpu_instances) {
        there |= entry.used != 0 && entry.id == instance;
      }
      if (!there) {
        return NVML_ERROR_NOT_FOUND;
      }
    } else if (gpu.state.settings.mig_current != 0) {
      return NVML_ERROR_NOT_SUPPORTED;  // With MIG on, samples are of its instances.
    }
    reading = TakeSample(gpu, instance);
    return NVML_SUCCESS;
  });
  if (result != NVML_SUCCESS) {
    return result;
  }
  const MutexLock lock(samples.mutex());
  if (!samples.Has(sample)) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  reading.next = sample->next;
  *sample = reading;
  return NVML_SUCCESS;
}

struct Metric {
  double value;
  const char* short_name;
  const char* long_name;
  const char* unit;
};

// What happened between two samples, per second.
struct Rates {
  double sm;  // 0 to 1, as the others but the bytes.
  double memory;
  double encoder;
  double decoder;
  double jpeg;
  double ofa;
  double pcie_bytes;
  double nvlink_bytes;
  std::uint32_t nvlinks_up;
};

Rates Between(const nvmlGpmSample_st& first, const nvmlGpmSample_st& second) {
  const double seconds = static_cast<double>(layout::Since(second.node_ns, first.node_ns)) / 1e9;
  const auto rate = [seconds](double from, double to) {
    const double value = (to - from) / seconds;
    return value < 0 ? 0 : value > 1 ? 1 : value;
  };
  Rates rates{};
  rates.sm = rate(first.sm_seconds, second.sm_seconds);
  rates.memory = rate(first.memory_seconds, second.memory_seconds);
  rates.encoder = rate(first.encoder_seconds, second.encoder_seconds);
  rates.decoder = rate(first.decoder_seconds, second.decoder_seconds);
  rates.jpeg = rate(first.jpeg_seconds, second.jpeg_seconds);
  rates.ofa = rate(first.ofa_seconds, second.ofa_seconds);
  rates.pcie_bytes = second.pcie_bytes * rates.sm;
  rates.nvlink_bytes = second.nvlink_bytes * rates.sm;
  rates.nvlinks_up = second.nvlinks_up;
  return rates;
}

// The model has one load of the multiprocessors; these are the parts that a mixed-precision
// training job has of it.
constexpr double kOccupancyShare = 0.5;
constexpr double kTensorShare = 0.4;
constexpr double kHalfTensorShare = 0.35;
constexpr double kIntegerTensorShare = 0.05;
constexpr double kIntegerShare = 0.2;
constexpr double kSingleShare = 0.25;
constexpr double kHalfShare = 0.1;

bool EngineMetric(unsigned int id, const Rates& rates, Metric* metric) {
  if (id >= NVML_GPM_METRIC_NVDEC_0_UTIL && id <= NVML_GPM_METRIC_NVDEC_7_UTIL) {
    *metric = {100 * rates.decoder, "NVDEC", "NVDEC utilisation", "%"};
  } else if (id >= NVML_GPM_METRIC_NVENC_0_UTIL && id <= NVML_GPM_METRIC_NVENC_3_UTIL) {
    *metric = {100 * rates.encoder, "NVENC", "NVENC utilisation", "%"};
  } else if (id >= NVML_GPM_METRIC_NVJPG_0_UTIL && id <= NVML_GPM_METRIC_NVJPG_7_UTIL) {
    *metric = {100 * rates.jpeg, "NVJPG", "JPEG engine utilisation", "%"};
  } else if (id == NVML_GPM_METRIC_NVOFA_0_UTIL || id == NVML_GPM_METRIC_NVOFA_1_UTIL) {
    *metric = {100 * rates.ofa, "NVOFA", "Optical flow engine utilisation", "%"};
  } else {
    return false;
  }
  return true;
}

bool LinkMetric(unsigned int id, const Rates& rates, Metric* metric) {
  if (id < NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC || id > NVML_GPM_METRIC_NVLINK_L17_TX_PER_SEC ||
      rates.nvlinks_up == 0) {
    return false;
  }
  double bytes = rates.nvlink_bytes;
  if (id >= NVML_GPM_METRIC_NVLINK_L0_RX_PER_SEC) {
    const unsigned int link = (id - NVML_GPM_METRIC_NVLINK_L0_RX_PER_SEC) / 2;
    if (link >= rates.nvlinks_up) {
      return false;
    }
    bytes /= rates.nvlinks_up;
  }
  *metric = {bytes / kMebibyte, "NVLINK", "NVLink traffic", "MiB/s"};
  return true;
}

bool ComputeMetric(unsigned int id, const Rates& rates, Metric* metric) {
  const double sm = 100 * rates.sm;
  switch (id) {
    case NVML_GPM_METRIC_GRAPHICS_UTIL:
      *metric = {sm, "GRAPHICS", "Graphics and compute utilisation", "%"};
      return true;
    case NVML_GPM_METRIC_SM_UTIL:
      *metric = {sm, "SM", "Multiprocessor utilisation", "%"};
      return true;
    case NVML_GPM_METRIC_SM_OCCUPANCY:
      *metric = {kOccupancyShare * sm, "OCCUPANCY", "Multiprocessor occupancy", "%"};
      return true;
    case NVML_GPM_METRIC_INTEGER_UTIL:
      *metric = {kIntegerShare * sm, "INTEGER", "Integer pipe utilisation", "%"};
      return true;
    case NVML_GPM_METRIC_ANY_TENSOR_UTIL:
      *metric = {kTensorShare * sm, "TENSOR", "Tensor core utilisation", "%"};
      return true;
    case NVML_GPM_METRIC_HMMA_TENSOR_UTIL:
      *metric = {kHalfTensorShare * sm, "HMMA", "Tensor core half-precision utilisation", "%"};
      return true;
    case NVML_GPM_METRIC_IMMA_TENSOR_UTIL:
      *metric = {kIntegerTensorShare * sm, "IMMA", "Tensor core integer utilisation", "%"};
      return true;
    case NVML_GPM_METRIC_DFMA_TENSOR_UTIL:
    case NVML_GPM_METRIC_DMMA_TENSOR_UTIL:
      *metric = {0, "DMMA", "Tensor core double-precision utilisation", "%"};
      return true;
    case NVML_GPM_METRIC_DRAM_BW_UTIL:
      *metric = {100 * rates.memory, "DRAM", "Device memory bandwidth utilisation", "%"};
      return true;
    case NVML_GPM_METRIC_FP64_UTIL:
      *metric = {0, "FP64", "Double-precision pipe utilisation", "%"};
      return true;
    case NVML_GPM_METRIC_FP32_UTIL:
      *metric = {kSingleShare * sm, "FP32", "Single-precision pipe utilisation", "%"};
      return true;
    case NVML_GPM_METRIC_FP16_UTIL:
      *metric = {kHalfShare * sm, "FP16", "Half-precision pipe utilisation", "%"};
      return true;
    case NVML_GPM_METRIC_PCIE_TX_PER_SEC:
      *metric = {rates.pcie_bytes / 2 / kMebibyte, "PCIE TX", "PCIe traffic from the GPU", "MiB/s"};
      return true;
    case NVML_GPM_METRIC_PCIE_RX_PER_SEC:
      *metric = {rates.pcie_bytes / kMebibyte, "PCIE RX", "PCIe traffic to the GPU", "MiB/s"};
      return true;
    default:
      return false;
  }
}

void Fill(const Rates& rates, nvmlGpmMetric_t* entry) {
  Metric metric{};
  if (entry->metricId == 0 || entry->metricId >= NVML_GPM_METRIC_MAX) {
    entry->nvmlReturn = NVML_ERROR_INVALID_ARGUMENT;
    return;
  }
  if (!ComputeMetric(entry->metricId, rates, &metric) &&
      !EngineMetric(entry->metricId, rates, &metric) &&
      !LinkMetric(entry->metricId, rates, &metric)) {
    entry->nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
    return;
  }
  entry->nvmlReturn = NVML_SUCCESS;
  entry->value = metric.value;
  // The interface has them as char*; clients only read.
  entry->metricInfo = {const_cast<char*>(metric.short_name), const_cast<char*>(metric.long_name),
                       const_cast<char*>(metric.unit)};
}

nvmlReturn_t Ready(const char* function, bool arguments_ok) {
  return ReadNode(function, arguments_ok, [](const layout::Copy&) { return NVML_SUCCESS; });
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlGpmSampleAlloc(nvmlGpmSample_t* gpmSample) {
  const nvmlReturn_t ready = Ready(__func__, NotNull(gpmSample));
  if (ready != NVML_SUCCESS) {
    return ready;
  }
  auto* sample = static_cast<nvmlGpmSample_st*>(calloc(1, sizeof(nvmlGpmSample_st)));
  if (sample == nullptr) {
    return NVML_ERROR_MEMORY;
  }
  const MutexLock lock(samples.mutex());
  samples.Add(sample);
  *gpmSample = sample;
  return NVML_SUCCESS;
}

// Works after the last nvmlShutdown too: the caller owns its samples.
NVML_EXPORT nvmlReturn_t nvmlGpmSampleFree(nvmlGpmSample_t gpmSample) {
  if (Library::Get().region() == nullptr && gpmSample == nullptr) {
    return NVML_ERROR_UNINITIALIZED;
  }
  const MutexLock lock(samples.mutex());
  if (!samples.Has(gpmSample)) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  samples.Remove(gpmSample);
  free(gpmSample);
  return NVML_SUCCESS;
}

NVML_EXPORT nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t device, nvmlGpmSample_t gpmSample) {
  return GetSample(DeviceCall{__func__, device, NotNull(gpmSample)}, layout::kNoInstance,
                   gpmSample);
}
NVML_EXPORT nvmlReturn_t nvmlGpmMigSampleGet(nvmlDevice_t device, unsigned int gpuInstanceId,
                                             nvmlGpmSample_t gpmSample) {
  const bool ok = NotNull(gpmSample) && gpuInstanceId != layout::kNoInstance;
  return GetSample(DeviceCall{__func__, device, ok}, gpuInstanceId, gpmSample);
}

NVML_EXPORT nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t* metricsGet) {
  const nvmlReturn_t ready = Ready(__func__, NotNull(metricsGet));
  if (ready != NVML_SUCCESS) {
    return ready;
  }
  if (metricsGet->version != NVML_GPM_METRICS_GET_VERSION) {
    return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  }
  if (metricsGet->numMetrics > NVML_GPM_METRIC_MAX) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  const MutexLock lock(samples.mutex());
  if (!samples.Has(metricsGet->sample1) || !samples.Has(metricsGet->sample2)) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  const nvmlGpmSample_st& first = *metricsGet->sample1;
  const nvmlGpmSample_st& second = *metricsGet->sample2;
  if (!first.taken || !second.taken || first.slot != second.slot ||
      first.gpu_instance != second.gpu_instance || second.node_ns <= first.node_ns) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  const Rates rates = Between(first, second);
  for (unsigned int i = 0; i < metricsGet->numMetrics; ++i) {
    Fill(rates, &metricsGet->metrics[i]);
  }
  return NVML_SUCCESS;
}

NVML_EXPORT nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device,
                                                   nvmlGpmSupport_t* gpmSupport) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(gpmSupport)}.OrMig(), [&](const Gpu& gpu) {
    if (gpmSupport->version != NVML_GPM_SUPPORT_VERSION) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    gpmSupport->isSupportedDevice = HasGpm(gpu.state) ? 1 : 0;
    return NVML_SUCCESS;
  });
}

}  // namespace assay::fakegpu::nvml
