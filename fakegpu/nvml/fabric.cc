// The NVLink fabric beyond the node, chip-to-chip links, and the platform around a GPU.

#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

template <typename Info>
void FillFabric(const layout::Fabric& fabric, Info* info) {
  memcpy(info->clusterUuid, fabric.cluster_uuid, sizeof(info->clusterUuid));
  info->status = static_cast<nvmlReturn_t>(fabric.status);
  info->cliqueId = fabric.clique;
  info->state = static_cast<nvmlGpuFabricState_t>(fabric.state);
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlDeviceGetGpuFabricInfo(nvmlDevice_t device,
                                                    nvmlGpuFabricInfo_t* gpuFabricInfo) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(gpuFabricInfo)}, [&](const Gpu& gpu) {
    FillFabric(gpu.state.fabric, gpuFabricInfo);
    return NVML_SUCCESS;
  });
}

// Two layouts behind one pointer: the version word says which the caller has.
NVML_EXPORT nvmlReturn_t nvmlDeviceGetGpuFabricInfoV(nvmlDevice_t device,
                                                     nvmlGpuFabricInfoV_t* gpuFabricInfo) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(gpuFabricInfo)}, [&](const Gpu& gpu) {
    const layout::Fabric& fabric = gpu.state.fabric;
    if (gpuFabricInfo->version == nvmlGpuFabricInfo_v2) {
      auto* info = reinterpret_cast<nvmlGpuFabricInfo_v2_t*>(gpuFabricInfo);
      FillFabric(fabric, info);
      info->healthMask = fabric.health_mask;
      return NVML_SUCCESS;
    }
    if (gpuFabricInfo->version != nvmlGpuFabricInfo_v3) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    FillFabric(fabric, gpuFabricInfo);
    gpuFabricInfo->healthMask = fabric.health_mask;
    gpuFabricInfo->healthSummary = fabric.state != NVML_GPU_FABRIC_STATE_COMPLETED
                                       ? NVML_GPU_FABRIC_HEALTH_SUMMARY_NOT_SUPPORTED
                                   : fabric.status == NVML_SUCCESS
                                       ? NVML_GPU_FABRIC_HEALTH_SUMMARY_HEALTHY
                                       : NVML_GPU_FABRIC_HEALTH_SUMMARY_UNHEALTHY;
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetC2cModeInfoV(nvmlDevice_t device,
                                                   nvmlC2cModeInfo_v1_t* c2cModeInfo) {
  return Get(DeviceCall{__func__, device}, c2cModeInfo, [](const Gpu& gpu) {
    return nvmlC2cModeInfo_v1_t{.isC2cEnabled = gpu.state.identity.c2c_links != 0 ? 1U : 0U};
  });
}

// Where the GPU stands in its rack. The versions have one layout and name its parts differently.
NVML_EXPORT nvmlReturn_t nvmlDeviceGetPlatformInfo(nvmlDevice_t device,
                                                   nvmlPlatformInfo_t* platformInfo) {
  static_assert(sizeof(nvmlPlatformInfo_v1_t) == sizeof(nvmlPlatformInfo_v2_t));
  return ReadDevice(DeviceCall{__func__, device, NotNull(platformInfo)}, [&](const Gpu& gpu) {
    if (platformInfo->version != nvmlPlatformInfo_v1 &&
        platformInfo->version != nvmlPlatformInfo_v2) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    const layout::Platform& platform = gpu.state.identity.platform;
    if (platform.known == 0) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    memcpy(platformInfo->ibGuid, platform.ib_guid, sizeof(platformInfo->ibGuid));
    memcpy(platformInfo->chassisSerialNumber, platform.chassis_serial,
           sizeof(platformInfo->chassisSerialNumber));
    platformInfo->slotNumber = static_cast<unsigned char>(platform.slot);
    platformInfo->trayIndex = static_cast<unsigned char>(platform.tray);
    platformInfo->hostId = static_cast<unsigned char>(platform.host);
    platformInfo->peerType = static_cast<unsigned char>(platform.switched);
    platformInfo->moduleId = static_cast<unsigned char>(gpu.state.identity.module_id);
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetCapabilities(nvmlDevice_t device,
                                                   nvmlDeviceCapabilities_t* caps) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(caps)}, [&](const Gpu&) {
    if (caps->version != nvmlDeviceCapabilities_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    caps->capMask = 0;
    return NVML_SUCCESS;
  });
}

}  // namespace assay::fakegpu::nvml
