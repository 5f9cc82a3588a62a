// Taking GPUs out of the node and back, draining them, and the confidential-computing state.

#include <unistd.h>

#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

bool IsAt(const layout::GpuState& gpu, const nvmlPciInfo_t& pci) {
  const layout::PciAddress& address = gpu.identity.pci;
  return address.domain == pci.domain && address.bus == pci.bus && address.device == pci.device;
}

// Changes the GPU at a PCI address, plugged or not: change(GpuState&) -> nvmlReturn_t.
template <typename Change>
nvmlReturn_t ChangeAt(const char* function, const nvmlPciInfo_t* pci, Change&& change) {
  const nvmlReturn_t ready =
      ReadNode(function, NotNull(pci), [](const layout::Copy&) { return NVML_SUCCESS; });
  if (ready != NVML_SUCCESS) {
    return ready;
  }
  layout::Transaction transaction;
  const nvmlReturn_t begun = BeginChange(transaction);
  if (begun != NVML_SUCCESS) {
    return begun;
  }
  for (std::uint32_t slot = 0; slot < transaction.gpu_count(); ++slot) {
    if (!IsAt(transaction.look(slot), *pci)) {
      continue;
    }
    const bool was_plugged = transaction.look(slot).health.plugged != 0;
    const nvmlReturn_t result = change(transaction.gpu(slot));
    const bool is_plugged = transaction.look(slot).health.plugged != 0;
    if (result == NVML_SUCCESS) {
      if (was_plugged != is_plugged) {
        transaction.AddEvent(layout::BindingEvent(slot, is_plugged));
      }
      transaction.Commit();
    }
    return result;
  }
  return NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t Remove(const char* function, const nvmlPciInfo_t* pci) {
  return ChangeAt(function, pci, [](layout::GpuState& gpu) {
    if (gpu.health.plugged == 0) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    for (const layout::Process& process : gpu.processes) {
      if (process.type != layout::Process::kFree) {
        return NVML_ERROR_IN_USE;
      }
    }
    gpu.health.plugged = 0;
    return NVML_SUCCESS;
  });
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlDeviceRemoveGpu_v2(nvmlPciInfo_t* pciInfo, nvmlDetachGpuState_t,
                                                nvmlPcieLinkState_t) {
  return Remove(__func__, pciInfo);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceRemoveGpu(nvmlPciInfo_t* pciInfo) {
  return Remove(__func__, pciInfo);
}

// A rescan of the PCI bus finds what was removed and is still in its slot.
NVML_EXPORT nvmlReturn_t nvmlDeviceDiscoverGpus(nvmlPciInfo_t* pciInfo) {
  return ChangeAt(__func__, pciInfo, [](layout::GpuState& gpu) {
    gpu.health.plugged = 1;
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceModifyDrainState(nvmlPciInfo_t* pciInfo,
                                                    nvmlEnableState_t newState) {
  const bool known = newState == NVML_FEATURE_DISABLED || newState == NVML_FEATURE_ENABLED;
  return ChangeAt(__func__, known ? pciInfo : nullptr, [newState](layout::GpuState& gpu) {
    gpu.settings.drain = newState;
    return NVML_SUCCESS;
  });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceQueryDrainState(nvmlPciInfo_t* pciInfo,
                                                   nvmlEnableState_t* currentState) {
  return ReadNode(__func__, NotNull(pciInfo, currentState), [&](const layout::Copy& copy) {
    for (std::uint32_t slot = 0; slot < copy.gpu_count(); ++slot) {
      if (IsAt(copy.gpu(slot), *pciInfo)) {
        *currentState = static_cast<nvmlEnableState_t>(copy.gpu(slot).settings.drain);
        return NVML_SUCCESS;
      }
    }
    return NVML_ERROR_INVALID_ARGUMENT;
  });
}

// Confidential computing: the boards could, and it is off.
NVML_EXPORT nvmlReturn_t nvmlSystemGetConfComputeCapabilities(nvmlConfComputeSystemCaps_t* caps) {
  return ReadNode(__func__, NotNull(caps), [&](const layout::Copy& copy) {
    bool capable = copy.gpu_count() != 0;
    for (std::uint32_t slot = 0; slot < copy.gpu_count(); ++slot) {
      capable &= copy.gpu(slot).identity.architecture >= NVML_DEVICE_ARCH_HOPPER;
    }
    *caps = {.cpuCaps = NVML_CC_SYSTEM_CPU_CAPS_NONE,
             .gpusCaps = capable ? unsigned{NVML_CC_SYSTEM_GPUS_CC_CAPABLE}
                                 : unsigned{NVML_CC_SYSTEM_GPUS_CC_NOT_CAPABLE}};
    return NVML_SUCCESS;
  });
}
NVML_EXPORT nvmlReturn_t nvmlSystemGetConfComputeState(nvmlConfComputeSystemState_t* state) {
  return ReadNode(__func__, NotNull(state), [&](const layout::Copy&) {
    *state = {};
    return NVML_SUCCESS;
  });
}
NVML_EXPORT nvmlReturn_t
nvmlSystemGetConfComputeSettings(nvmlSystemConfComputeSettings_t* settings) {
  return ReadNode(__func__, NotNull(settings), [&](const layout::Copy&) {
    if (settings->version != nvmlSystemConfComputeSettings_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    *settings = {.version = settings->version,
                 .environment = NVML_CC_SYSTEM_ENVIRONMENT_UNAVAILABLE,
                 .ccFeature = NVML_CC_SYSTEM_FEATURE_DISABLED,
                 .devToolsMode = NVML_CC_SYSTEM_DEVTOOLS_MODE_OFF,
                 .multiGpuMode = NVML_CC_SYSTEM_MULTIGPU_NONE};
    return NVML_SUCCESS;
  });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetConfComputeMemSizeInfo(nvmlDevice_t device,
                                                             nvmlConfComputeMemSizeInfo_t* info) {
  return Get(DeviceCall{__func__, device}, info, [](const Gpu& gpu) {
    return nvmlConfComputeMemSizeInfo_t{
        .protectedMemSizeKib = 0,
        .unprotectedMemSizeKib = gpu.state.identity.memory_total_bytes / 1024};
  });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetConfComputeProtectedMemoryUsage(nvmlDevice_t device,
                                                                      nvmlMemory_t* memory) {
  return Get(DeviceCall{__func__, device}, memory, [](const Gpu&) { return nvmlMemory_t{}; });
}

// No licensable features: nothing here is a virtual GPU.
#define ASSAY_GRID_FEATURES(name)                                                              \
  NVML_EXPORT nvmlReturn_t name(nvmlDevice_t device, nvmlGridLicensableFeatures_t* features) { \
    return ReadDevice(DeviceCall{__func__, device, NotNull(features)}, [&](const Gpu&) {       \
      features->isGridLicenseSupported = 0;                                                    \
      features->licensableFeaturesCount = 0;                                                   \
      return NVML_SUCCESS;                                                                     \
    });                                                                                        \
  }
ASSAY_GRID_FEATURES(nvmlDeviceGetGridLicensableFeatures)
ASSAY_GRID_FEATURES(nvmlDeviceGetGridLicensableFeatures_v2)
ASSAY_GRID_FEATURES(nvmlDeviceGetGridLicensableFeatures_v3)
ASSAY_GRID_FEATURES(nvmlDeviceGetGridLicensableFeatures_v4)
#undef ASSAY_GRID_FEATURES

}  // namespace assay::fakegpu::nvml
