// What a GPU is: names, numbers, versions of its parts.

#include <stdio.h>

#include "fakegpu/nvml/call.h"
#include "fakegpu/nvml/mig.h"

namespace assay::fakegpu::nvml {

NVML_EXPORT nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char* name, unsigned int length) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(name)}.EvenIfLost().OrMig(),
                    [&](const Gpu& gpu) {
                      char text[NVML_DEVICE_NAME_V2_BUFFER_SIZE + 32];
                      MigDeviceName(gpu, text, sizeof(text));
                      return CopyString(text, name, length);
                    });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char* uuid, unsigned int length) {
  return GetString(DeviceCall{__func__, device}.EvenIfLost().OrMig(), uuid, length,
                   [](const Gpu& gpu) -> const auto& {
                     return gpu.compute_instance != nullptr ? gpu.compute_instance->uuid
                                                            : gpu.state.identity.uuid;
                   });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetSerial(nvmlDevice_t device, char* serial,
                                             unsigned int length) {
  return GetString(DeviceCall{__func__, device}.EvenIfLost(), serial, length,
                   [](const Gpu& gpu) -> const auto& { return gpu.state.identity.serial; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetBoardPartNumber(nvmlDevice_t device, char* partNumber,
                                                      unsigned int length) {
  return GetString(DeviceCall{__func__, device}, partNumber, length,
                   [](const Gpu& gpu) -> const auto& { return gpu.state.identity.part_number; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetVbiosVersion(nvmlDevice_t device, char* version,
                                                   unsigned int length) {
  return GetString(DeviceCall{__func__, device}, version, length,
                   [](const Gpu& gpu) -> const auto& { return gpu.state.identity.vbios; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetInforomImageVersion(nvmlDevice_t device, char* version,
                                                          unsigned int length) {
  return GetString(DeviceCall{__func__, device}, version, length,
                   [](const Gpu& gpu) -> const auto& { return gpu.state.identity.inforom_image; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetInforomVersion(nvmlDevice_t device,
                                                     nvmlInforomObject_t object, char* version,
                                                     unsigned int length) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(version)}, [&](const Gpu& gpu) {
    const layout::Identity& identity = gpu.state.identity;
    switch (object) {
      case NVML_INFOROM_OEM:
        return CopyString(identity.inforom_oem, version, length);
      case NVML_INFOROM_ECC:
        return CopyString(identity.inforom_ecc, version, length);
      case NVML_INFOROM_POWER:
        return identity.inforom_power[0] == '\0'
                   ? NVML_ERROR_NOT_SUPPORTED
                   : CopyString(identity.inforom_power, version, length);
      case NVML_INFOROM_DEN:
        return NVML_ERROR_NOT_SUPPORTED;
      default:
        return NVML_ERROR_INVALID_ARGUMENT;
    }
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetInforomConfigurationChecksum(nvmlDevice_t device,
                                                                   unsigned int* checksum) {
  return Get(DeviceCall{__func__, device}, checksum, [](const Gpu& gpu) {
    char image[sizeof(gpu.state.identity.inforom_image) + 1] = {};
    memcpy(image, gpu.state.identity.inforom_image, sizeof(gpu.state.identity.inforom_image));
    return layout::HashName(image) & 0xffff'ffff;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceValidateInforom(nvmlDevice_t device) {
  return ReadDevice(DeviceCall{__func__, device}, [](const Gpu&) { return NVML_SUCCESS; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetGspFirmwareVersion(nvmlDevice_t device, char* version) {
  // The caller's buffer has NVML_GSP_FIRMWARE_VERSION_BUF_SIZE bytes, says the interface.
  return GetString(DeviceCall{__func__, device}, version, NVML_GSP_FIRMWARE_VERSION_BUF_SIZE,
                   [](const Gpu& gpu) -> const auto& { return gpu.state.identity.gsp_firmware; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetGspFirmwareMode(nvmlDevice_t device, unsigned int* isEnabled,
                                                      unsigned int* defaultMode) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(isEnabled, defaultMode)},
                    [&](const Gpu& gpu) {
                      *isEnabled = gpu.state.identity.gsp_firmware[0] != '\0';
                      *defaultMode = *isEnabled;
                      return NVML_SUCCESS;
                    });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetBrand(nvmlDevice_t device, nvmlBrandType_t* type) {
  return Get(DeviceCall{__func__, device}.EvenIfLost(), type,
             [](const Gpu& gpu) { return gpu.state.identity.brand; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetArchitecture(nvmlDevice_t device,
                                                   nvmlDeviceArchitecture_t* arch) {
  return Get(DeviceCall{__func__, device}, arch,
             [](const Gpu& gpu) { return gpu.state.identity.architecture; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int* major,
                                                            int* minor) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(major, minor)}.OrMig(),
                    [&](const Gpu& gpu) {
                      *major = static_cast<int>(gpu.state.identity.compute_major);
                      *minor = static_cast<int>(gpu.state.identity.compute_minor);
                      return NVML_SUCCESS;
                    });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned int* minorNumber) {
  return Get(DeviceCall{__func__, device}.EvenIfLost(), minorNumber,
             [](const Gpu& gpu) { return gpu.state.identity.minor; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetModuleId(nvmlDevice_t device, unsigned int* moduleId) {
  return Get(DeviceCall{__func__, device}, moduleId,
             [](const Gpu& gpu) { return gpu.state.identity.module_id; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetBoardId(nvmlDevice_t device, unsigned int* boardId) {
  return Get(DeviceCall{__func__, device}, boardId,
             [](const Gpu& gpu) { return gpu.state.identity.board_id; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetMultiGpuBoard(nvmlDevice_t device,
                                                    unsigned int* multiGpuBool) {
  return Get(DeviceCall{__func__, device}, multiGpuBool, [](const Gpu&) { return 0; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetNumGpuCores(nvmlDevice_t device, unsigned int* numCores) {
  return Get(DeviceCall{__func__, device}, numCores,
             [](const Gpu& gpu) { return gpu.state.identity.cores; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetIrqNum(nvmlDevice_t device, unsigned int* irqNum) {
  constexpr unsigned int kFirstIrq = 128;
  return Get(DeviceCall{__func__, device}, irqNum,
             [](const Gpu& gpu) { return kFirstIrq + gpu.handle.slot; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetPdi(nvmlDevice_t device, nvmlPdi_t* pdi) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(pdi)}, [&](const Gpu& gpu) {
    if (pdi->version != nvmlPdi_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    char uuid[sizeof(gpu.state.identity.uuid) + 1] = {};
    memcpy(uuid, gpu.state.identity.uuid, sizeof(gpu.state.identity.uuid));
    pdi->value = layout::HashName(uuid);
    return NVML_SUCCESS;
  });
}

// The black box: boards since Hopper write it into the InfoROM once in an hour of the node's time.
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kFlushPeriodNs = 3600 * kSecondNs;
constexpr unsigned long kFlushDurationUs = 120'000;
template <typename Body>
nvmlReturn_t ReadBlackBox(const DeviceCall& call, Body&& body) {
  return ReadDevice(call, [&](const Gpu& gpu) {
    return gpu.state.identity.architecture < NVML_DEVICE_ARCH_HOPPER ? NVML_ERROR_NOT_SUPPORTED
                                                                     : body(gpu);
  });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetLastBBXFlushTime(nvmlDevice_t device,
                                                       unsigned long long* timestamp,
                                                       unsigned long* durationUs) {
  return ReadBlackBox(DeviceCall{__func__, device, NotNull(timestamp, durationUs)},
                      [&](const Gpu& gpu) {
                        const std::int64_t now = gpu.Now();
                        *timestamp = gpu.StampUs(now - now % kFlushPeriodNs);
                        *durationUs = kFlushDurationUs;
                        return NVML_SUCCESS;
                      });
}
// For how long the GPU has run.
NVML_EXPORT nvmlReturn_t nvmlDeviceGetBBXTimeData_v1(nvmlDevice_t device,
                                                     nvmlBBXTimeData_v1_t* timeData) {
  return ReadBlackBox(DeviceCall{__func__, device, NotNull(timeData)}, [&](const Gpu& gpu) {
    timeData->timeRun = static_cast<unsigned int>(gpu.Now() / kSecondNs);
    return NVML_SUCCESS;
  });
}

// Data-centre boards drive no display.
NVML_EXPORT nvmlReturn_t nvmlDeviceGetDisplayMode(nvmlDevice_t device, nvmlEnableState_t* display) {
  return Get(DeviceCall{__func__, device}, display,
             [](const Gpu&) { return NVML_FEATURE_DISABLED; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetDisplayActive(nvmlDevice_t device,
                                                    nvmlEnableState_t* isActive) {
  return Get(DeviceCall{__func__, device}, isActive,
             [](const Gpu&) { return NVML_FEATURE_DISABLED; });
}

NVML_EXPORT nvmlReturn_t
nvmlDeviceGetVirtualizationMode(nvmlDevice_t device, nvmlGpuVirtualizationMode_t* pVirtualMode) {
  return Get(DeviceCall{__func__, device}, pVirtualMode,
             [](const Gpu&) { return NVML_GPU_VIRTUALIZATION_MODE_NONE; });
}

}  // namespace assay::fakegpu::nvml
