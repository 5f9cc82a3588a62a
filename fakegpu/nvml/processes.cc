// The processes on a GPU or a MIG device, in each version's struct.

#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

// Whether the process is on this device: a MIG device has those of its compute instance.
bool IsOn(const layout::Process& process, const Gpu& gpu) {
  return gpu.compute_instance == nullptr || (process.gpu_instance == gpu.gpu_instance->id &&
                                             process.compute_instance == gpu.compute_instance->id);
}

// Outside of MIG the ids are 0xFFFFFFFF.
void Fill(const layout::Process& process, nvmlProcessInfo_v1_t* info) {
  *info = {.pid = process.pid, .usedGpuMemory = process.memory_bytes};
}
void Fill(const layout::Process& process, nvmlProcessInfo_v2_t* info) {
  *info = {.pid = process.pid,
           .usedGpuMemory = process.memory_bytes,
           .gpuInstanceId = process.gpu_instance,
           .computeInstanceId = process.compute_instance};
}
void Fill(const layout::Process& process, nvmlProcessDetail_v1_t* info) {
  *info = {.pid = process.pid,
           .usedGpuMemory = process.memory_bytes,
           .gpuInstanceId = process.gpu_instance,
           .computeInstanceId = process.compute_instance,
           .usedGpuCcProtectedMemory = 0};
}

template <typename Wanted, typename Info>
nvmlReturn_t List(const Gpu& gpu, Wanted&& wanted, unsigned int* count, Info* infos,
                  unsigned int size) {
  unsigned int found = 0;
  for (const layout::Process& process : gpu.state.processes) {
    if (process.type == layout::Process::kFree || !wanted(process) || !IsOn(process, gpu)) {
      continue;
    }
    if (infos != nullptr && found < size) {
      Fill(process, &infos[found]);
    }
    ++found;
  }
  *count = found;
  // No process is no error, whatever the size.
  return found == 0 || (infos != nullptr && found <= size) ? NVML_SUCCESS
                                                           : NVML_ERROR_INSUFFICIENT_SIZE;
}

template <typename Info>
nvmlReturn_t ListType(const char* function, nvmlDevice_t device, layout::Process::Type type,
                      unsigned int* count, Info* infos) {
  const unsigned int size = count != nullptr ? *count : 0;
  const bool ok = NotNull(count) && (size == 0 || infos != nullptr);
  return ReadDevice(DeviceCall{function, device, ok}.OrMig(), [&](const Gpu& gpu) {
    return List(
        gpu, [type](const layout::Process& process) { return process.type == type; }, count, infos,
        size);
  });
}

}  // namespace

#define ASSAY_PROCESS_LIST(name, type, Info)                                                 \
  NVML_EXPORT nvmlReturn_t name(nvmlDevice_t device, unsigned int* infoCount, Info* infos) { \
    return ListType(__func__, device, layout::Process::type, infoCount, infos);              \
  }
ASSAY_PROCESS_LIST(nvmlDeviceGetComputeRunningProcesses, kCompute, nvmlProcessInfo_v1_t)
ASSAY_PROCESS_LIST(nvmlDeviceGetComputeRunningProcesses_v2, kCompute, nvmlProcessInfo_v2_t)
ASSAY_PROCESS_LIST(nvmlDeviceGetComputeRunningProcesses_v3, kCompute, nvmlProcessInfo_t)
ASSAY_PROCESS_LIST(nvmlDeviceGetGraphicsRunningProcesses, kGraphics, nvmlProcessInfo_v1_t)
ASSAY_PROCESS_LIST(nvmlDeviceGetGraphicsRunningProcesses_v2, kGraphics, nvmlProcessInfo_v2_t)
ASSAY_PROCESS_LIST(nvmlDeviceGetGraphicsRunningProcesses_v3, kGraphics, nvmlProcessInfo_t)
ASSAY_PROCESS_LIST(nvmlDeviceGetMPSComputeRunningProcesses, kMps, nvmlProcessInfo_v1_t)
ASSAY_PROCESS_LIST(nvmlDeviceGetMPSComputeRunningProcesses_v2, kMps, nvmlProcessInfo_v2_t)
ASSAY_PROCESS_LIST(nvmlDeviceGetMPSComputeRunningProcesses_v3, kMps, nvmlProcessInfo_t)
#undef ASSAY_PROCESS_LIST

NVML_EXPORT nvmlReturn_t nvmlDeviceGetRunningProcessDetailList(nvmlDevice_t device,
                                                               nvmlProcessDetailList_t* plist) {
  const unsigned int size = plist != nullptr ? plist->numProcArrayEntries : 0;
  return ReadDevice(DeviceCall{__func__, device, NotNull(plist)}.OrMig(), [&](const Gpu& gpu) {
    if (plist->version != nvmlProcessDetailList_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    if (plist->mode >= NVML_PROCESS_MODE_MAX || (size != 0 && plist->procArray == nullptr)) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    // nvmlProcessMode_t counts from 0, layout::Process::Type from 1, in one order.
    const unsigned int mode = plist->mode;
    return List(
        gpu,
        [mode](const layout::Process& process) {
          return mode == NVML_PROCESS_MODE_ALL || process.type == mode + 1;
        },
        &plist->numProcArrayEntries, plist->procArray, size);
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetProcessUtilization(
    nvmlDevice_t device, nvmlProcessUtilizationSample_t* utilization,
    unsigned int* processSamplesCount, unsigned long long lastSeenTimeStamp) {
  const unsigned int size = processSamplesCount != nullptr ? *processSamplesCount : 0;
  return ReadDevice(DeviceCall{__func__, device, NotNull(processSamplesCount)},
                    [&](const Gpu& gpu) {
                      if (gpu.state.settings.mig_current != 0) {
                        return NVML_ERROR_NOT_SUPPORTED;
                      }
                      const unsigned long long now_us = gpu.StampUs(gpu.Now());
                      unsigned int found = 0;
                      for (const layout::Process& process : gpu.state.processes) {
                        if (process.type == layout::Process::kFree || now_us <= lastSeenTimeStamp) {
                          continue;
                        }
                        if (utilization != nullptr && found < size) {
                          utilization[found] = {.pid = process.pid,
                                                .timeStamp = now_us,
                                                .smUtil = process.sm_percent,
                                                .memUtil = process.memory_percent,
                                                .encUtil = process.encoder_percent,
                                                .decUtil = process.decoder_percent};
                        }
                        ++found;
                      }
                      if (found == 0) {
                        *processSamplesCount = 0;
                        return NVML_ERROR_NOT_FOUND;
                      }
                      *processSamplesCount = found;
                      return utilization != nullptr && found <= size ? NVML_SUCCESS
                                                                     : NVML_ERROR_INSUFFICIENT_SIZE;
                    });
}

// The same readings in a versioned struct, under NVML's size rule.
NVML_EXPORT nvmlReturn_t nvmlDeviceGetProcessesUtilizationInfo(
    nvmlDevice_t device, nvmlProcessesUtilizationInfo_t* procesesUtilInfo) {
  auto* info = procesesUtilInfo;
  const unsigned int size = info != nullptr ? info->processSamplesCount : 0;
  return ReadDevice(DeviceCall{__func__, device, NotNull(info)}, [&](const Gpu& gpu) {
    if (info->version != nvmlProcessesUtilizationInfo_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    if (gpu.state.settings.mig_current != 0) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    const unsigned long long now_us = gpu.StampUs(gpu.Now());
    unsigned int found = 0;
    for (const layout::Process& process : gpu.state.processes) {
      if (process.type == layout::Process::kFree || now_us <= info->lastSeenTimeStamp) {
        continue;
      }
      if (info->procUtilArray != nullptr && found < size) {
        info->procUtilArray[found] = {.timeStamp = now_us,
                                      .pid = process.pid,
                                      .smUtil = process.sm_percent,
                                      .memUtil = process.memory_percent,
                                      .encUtil = process.encoder_percent,
                                      .decUtil = process.decoder_percent,
                                      .jpgUtil = process.jpeg_percent,
                                      .ofaUtil = process.ofa_percent};
      }
      ++found;
    }
    info->processSamplesCount = found;
    if (found == 0) {
      return NVML_ERROR_NOT_FOUND;
    }
    return info->procUtilArray != nullptr && found <= size ? NVML_SUCCESS
                                                           : NVML_ERROR_INSUFFICIENT_SIZE;
  });
}

}  // namespace assay::fakegpu::nvml
