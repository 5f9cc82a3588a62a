// NVLink: state, capabilities, what is at the other end, error counters.

#include "fakegpu/nvml/nvlink.h"

#include <unistd.h>

#include "fakegpu/nvml/call.h"
#include "fakegpu/nvml/pci.h"

namespace assay::fakegpu::nvml {
namespace {

constexpr unsigned int kNvidia = 0x10de;

bool HasLinkTo(const layout::GpuState& gpu, const layout::PciAddress& other) {
  for (const layout::Link& link : gpu.links) {
    if (link.present != 0 && link.up != 0 && link.remote == layout::Link::kGpu &&
        link.remote_pci.domain == other.domain && link.remote_pci.bus == other.bus &&
        link.remote_pci.device == other.device) {
      return true;
    }
  }
  return false;
}

bool HasLinkToSwitch(const layout::GpuState& gpu) {
  for (const layout::Link& link : gpu.links) {
    if (link.present != 0 && link.up != 0 && link.remote == layout::Link::kSwitch) {
      return true;
    }
  }
  return false;
}

// A read of one link: body(const Gpu&, const layout::Link&).
template <typename Body>
nvmlReturn_t ReadLink(const char* function, nvmlDevice_t device, unsigned int link,
                      bool arguments_ok, Body&& body) {
  const bool ok = arguments_ok && link < NVML_NVLINK_MAX_LINKS;
  return ReadDevice(DeviceCall{function, device, ok}, [&](const Gpu& gpu) {
    if (gpu.state.nvlink_version == 0) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    const layout::Link& entry = gpu.state.links[link];
    return entry.present == 0 ? NVML_ERROR_NOT_SUPPORTED : body(gpu, entry);
  });
}

nvmlReturn_t RemotePci(const layout::Link& link, nvmlPciInfo_t* pci) {
  if (link.up == 0) {
    return NVML_ERROR_NOT_SUPPORTED;
  }
  *pci = {};
  FillPciAddress(link.remote_pci, pci);
  pci->pciDeviceId = link.remote_device_id << 16 | kNvidia;
  return NVML_SUCCESS;
}

// A read of the bandwidth modes, which came with the fifth NVLink.
constexpr std::uint32_t kFirstWithBandwidthModes = 5;
template <typename Info, typename Body>
nvmlReturn_t ReadBandwidthModes(const char* function, nvmlDevice_t device, Info* info,
                                unsigned int version, Body&& body) {
  return ReadDevice(DeviceCall{function, device, NotNull(info)}, [&](const Gpu& gpu) {
    if (info->version != version) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    return gpu.state.nvlink_version < kFirstWithBandwidthModes ? NVML_ERROR_NOT_SUPPORTED
                                                               : body(gpu);
  });
}

// Links that sleep when they are idle, and one bandwidth mode of the whole node, came with Hopper.
bool HasLinkPower(const layout::GpuState& gpu) {
  return gpu.nvlink_version != 0 && gpu.identity.architecture >= NVML_DEVICE_ARCH_HOPPER;
}
template <typename Source>  // A layout::Copy, or a transaction.
bool AllHaveLinkPower(std::uint32_t gpus, Source&& gpu) {
  for (std::uint32_t slot = 0; slot < gpus; ++slot) {
    if (!HasLinkPower(gpu(slot))) {
      return false;
    }
  }
  return gpus != 0;
}

// A counter of a link's port registers, as far as the model counts such things.
nvmlReturn_t PortCounter(const layout::Link& link, unsigned int id, unsigned long long* count) {
  switch (id) {
    case NVML_PRM_COUNTER_ID_PPCNT_PHYSICAL_LAYER_CTRS_LINK_DOWN_EVENTS:
      *count = link.downs;
      return NVML_SUCCESS;
    case NVML_PRM_COUNTER_ID_PPCNT_PHYSICAL_LAYER_CTRS_SUCCESSFUL_RECOVERY_EVENTS:
    case NVML_PRM_COUNTER_ID_PPCNT_RECOVERY_CTRS_TOTAL_SUCCESSFUL_RECOVERY_EVENTS:
      *count = link.errors[NVML_NVLINK_ERROR_DL_RECOVERY];
      return NVML_SUCCESS;
    case NVML_PRM_COUNTER_ID_PPCNT_PLR_RCV_CODE_ERR:
      *count = link.errors[NVML_NVLINK_ERROR_DL_CRC_FLIT];
      return NVML_SUCCESS;
    case NVML_PRM_COUNTER_ID_PPCNT_PLR_RCV_UNCORRECTABLE_CODE:
      *count = link.errors[NVML_NVLINK_ERROR_DL_ECC_DATA];
      return NVML_SUCCESS;
    case NVML_PRM_COUNTER_ID_PPCNT_PLR_XMIT_RETRY_CODES:
    case NVML_PRM_COUNTER_ID_PPCNT_PLR_XMIT_RETRY_EVENTS:
      *count = link.errors[NVML_NVLINK_ERROR_DL_REPLAY];
      return NVML_SUCCESS;
    default:
      return NVML_ERROR_NOT_SUPPORTED;
  }
}

}  // namespace

bool AreLinked(const layout::GpuState& a, const layout::GpuState& b) {
  return HasLinkTo(a, b.identity.pci) || (HasLinkToSwitch(a) && HasLinkToSwitch(b));
}

unsigned int NvLinkVersionCode(std::uint32_t generation) {
  switch (generation) {
    case 1:
      return NVML_NVLINK_VERSION_1_0;
    case 2:
      return NVML_NVLINK_VERSION_2_0;
    case 3:
      return NVML_NVLINK_VERSION_3_0;
    case 4:
      return NVML_NVLINK_VERSION_4_0;
    case 5:
      return NVML_NVLINK_VERSION_5_0;
    default:
      return generation == 0 ? NVML_NVLINK_VERSION_INVALID : NVML_NVLINK_VERSION_6_0;
  }
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link,
                                                  nvmlEnableState_t* isActive) {
  return ReadLink(__func__, device, link, NotNull(isActive),
                  [&](const Gpu&, const layout::Link& entry) {
                    *isActive = static_cast<nvmlEnableState_t>(entry.up);
                    return NVML_SUCCESS;
                  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkVersion(nvmlDevice_t device, unsigned int link,
                                                    unsigned int* version) {
  return ReadLink(__func__, device, link, NotNull(version),
                  [&](const Gpu& gpu, const layout::Link&) {
                    *version = NvLinkVersionCode(gpu.state.nvlink_version);
                    return NVML_SUCCESS;
                  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkCapability(nvmlDevice_t device, unsigned int link,
                                                       nvmlNvLinkCapability_t capability,
                                                       unsigned int* capResult) {
  const bool known = capability >= 0 && capability < NVML_NVLINK_CAP_COUNT;
  return ReadLink(__func__, device, link, NotNull(capResult) && known,
                  [&](const Gpu&, const layout::Link& entry) {
                    *capResult = capability == NVML_NVLINK_CAP_VALID        ? entry.up
                                 : capability == NVML_NVLINK_CAP_SLI_BRIDGE ? 0
                                                                            : 1;
                    return NVML_SUCCESS;
                  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t device, unsigned int link,
                                                             nvmlPciInfo_t* pci) {
  return ReadLink(__func__, device, link, NotNull(pci),
                  [&](const Gpu&, const layout::Link& entry) { return RemotePci(entry, pci); });
}
// The first version's struct ends before `busId`, as in nvmlDeviceGetPciInfo.
NVML_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo(nvmlDevice_t device, unsigned int link,
                                                          nvmlPciInfo_t* pci) {
  return ReadLink(__func__, device, link, NotNull(pci), [&](const Gpu&, const layout::Link& entry) {
    nvmlPciInfo_t full;
    const nvmlReturn_t result = RemotePci(entry, &full);
    if (result == NVML_SUCCESS) {
      memcpy(pci, &full, offsetof(nvmlPciInfo_t, busId));
    }
    return result;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkRemoteDeviceType(nvmlDevice_t device, unsigned int link,
                                                             nvmlIntNvLinkDeviceType_t* type) {
  return ReadLink(
      __func__, device, link, NotNull(type), [&](const Gpu&, const layout::Link& entry) {
        *type = entry.remote == layout::Link::kGpu      ? NVML_NVLINK_DEVICE_TYPE_GPU
                : entry.remote == layout::Link::kSwitch ? NVML_NVLINK_DEVICE_TYPE_SWITCH
                                                        : NVML_NVLINK_DEVICE_TYPE_UNKNOWN;
        return NVML_SUCCESS;
      });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkErrorCounter(nvmlDevice_t device, unsigned int link,
                                                         nvmlNvLinkErrorCounter_t counter,
                                                         unsigned long long* counterValue) {
  const bool known = counter >= 0 && counter < NVML_NVLINK_ERROR_COUNT;
  return ReadLink(__func__, device, link, NotNull(counterValue) && known,
                  [&](const Gpu&, const layout::Link& entry) {
                    *counterValue = entry.errors[counter];
                    return NVML_SUCCESS;
                  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetNvlinkSupportedBwModes(
    nvmlDevice_t device, nvmlNvlinkSupportedBwModes_t* supportedBwMode) {
  return ReadBandwidthModes(__func__, device, supportedBwMode, nvmlNvlinkSupportedBwModes_v1,
                            [&](const Gpu&) {
                              for (unsigned char i = 0; i < NVML_GPU_NVLINK_BW_MODE_COUNT; ++i) {
                                supportedBwMode->bwModes[i] = i;
                              }
                              supportedBwMode->totalBwModes = NVML_GPU_NVLINK_BW_MODE_COUNT;
                              return NVML_SUCCESS;
                            });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetNvlinkBwMode(nvmlDevice_t device,
                                                   nvmlNvlinkGetBwMode_t* getBwMode) {
  return ReadBandwidthModes(__func__, device, getBwMode, nvmlNvlinkGetBwMode_v1,
                            [&](const Gpu& gpu) {
                              const std::uint32_t mode = gpu.state.settings.nvlink_bandwidth_mode;
                              getBwMode->bwMode = static_cast<unsigned char>(mode);
                              getBwMode->bIsBest = mode == NVML_GPU_NVLINK_BW_MODE_FULL ? 1 : 0;
                              return NVML_SUCCESS;
                            });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceSetNvlinkBwMode(nvmlDevice_t device,
                                                   nvmlNvlinkSetBwMode_t* setBwMode) {
  const nvmlReturn_t readable =
      ReadBandwidthModes(__func__, device, setBwMode, nvmlNvlinkSetBwMode_v1, [&](const Gpu&) {
        return setBwMode->bSetBest != 0 || setBwMode->bwMode < NVML_GPU_NVLINK_BW_MODE_COUNT
                   ? NVML_SUCCESS
                   : NVML_ERROR_INVALID_ARGUMENT;
      });
  if (readable != NVML_SUCCESS) {
    return readable;
  }
  return ChangeDevice(
      DeviceCall{__func__, device}, [setBwMode](layout::Transaction&, layout::GpuState& gpu) {
        gpu.settings.nvlink_bandwidth_mode =
            setBwMode->bSetBest != 0 ? NVML_GPU_NVLINK_BW_MODE_FULL : setBwMode->bwMode;
        return NVML_SUCCESS;
      });
}

NVML_EXPORT nvmlReturn_t nvmlSystemGetNvlinkBwMode(unsigned int* nvlinkBwMode) {
  return ReadNode(__func__, NotNull(nvlinkBwMode), [&](const layout::Copy& copy) {
    const auto gpu = [&copy](std::uint32_t slot) -> const layout::GpuState& {
      return copy.gpu(slot);
    };
    if (!AllHaveLinkPower(copy.gpu_count(), gpu)) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    if (geteuid() != 0) {
      return NVML_ERROR_NO_PERMISSION;
    }
    *nvlinkBwMode = copy.node().nvlink_bandwidth_mode;
    return NVML_SUCCESS;
  });
}
// Refused while a process might use the links.
NVML_EXPORT nvmlReturn_t nvmlSystemSetNvlinkBwMode(unsigned int nvlinkBwMode) {
  const bool known = nvlinkBwMode < NVML_GPU_NVLINK_BW_MODE_COUNT;
  const nvmlReturn_t ready =
      ReadNode(__func__, known, [](const layout::Copy&) { return NVML_SUCCESS; });
  if (ready != NVML_SUCCESS) {
    return ready;
  }
  layout::Transaction transaction;
  const nvmlReturn_t begun = BeginChange(transaction);
  if (begun != NVML_SUCCESS) {
    return begun;
  }
  const auto gpu = [&transaction](std::uint32_t slot) -> const layout::GpuState& {
    return transaction.look(slot);
  };
  if (!AllHaveLinkPower(transaction.gpu_count(), gpu)) {
    return NVML_ERROR_NOT_SUPPORTED;
  }
  for (std::uint32_t slot = 0; slot < transaction.gpu_count(); ++slot) {
    for (const layout::Process& process : transaction.look(slot).processes) {
      if (process.type != layout::Process::kFree) {
        return NVML_ERROR_IN_USE;
      }
    }
  }
  transaction.node().nvlink_bandwidth_mode = nvlinkBwMode;
  transaction.Commit();
  return NVML_SUCCESS;
}

NVML_EXPORT nvmlReturn_t nvmlDeviceSetNvLinkDeviceLowPowerThreshold(nvmlDevice_t device,
                                                                    nvmlNvLinkPowerThres_t* info) {
  return ChangeDevice(DeviceCall{__func__, device, NotNull(info)},
                      [info](layout::Transaction&, layout::GpuState& gpu) {
                        if (!HasLinkPower(gpu)) {
                          return NVML_ERROR_NOT_SUPPORTED;
                        }
                        const unsigned int threshold = info->lowPwrThreshold;
                        if (threshold != NVML_NVLINK_LOW_POWER_THRESHOLD_RESET &&
                            (threshold < NVML_NVLINK_LOW_POWER_THRESHOLD_MIN ||
                             threshold > NVML_NVLINK_LOW_POWER_THRESHOLD_MAX)) {
                          return NVML_ERROR_INVALID_ARGUMENT;
                        }
                        gpu.settings.nvlink_low_power_threshold =
                            threshold == NVML_NVLINK_LOW_POWER_THRESHOLD_RESET ? 0 : threshold;
                        return NVML_SUCCESS;
                      });
}

// Ports count from 1. The registers themselves are not in the model (refused.def).
NVML_EXPORT nvmlReturn_t nvmlDeviceReadPRMCounters_v1(nvmlDevice_t device,
                                                      nvmlPRMCounterList_v1_t* counterList) {
  const bool ok =
      NotNull(counterList) && (counterList->counters != nullptr || counterList->numCounters == 0);
  return ReadDevice(DeviceCall{__func__, device, ok}, [&](const Gpu& gpu) {
    if (gpu.state.nvlink_version < kFirstWithBandwidthModes) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    if (geteuid() != 0) {
      return NVML_ERROR_NO_PERMISSION;
    }
    for (unsigned int i = 0; i < counterList->numCounters; ++i) {
      nvmlPRMCounter_v1_t& counter = counterList->counters[i];
      const unsigned int link = counter.inData.localPort - 1;
      const bool present = link < layout::kMaxLinks && gpu.state.links[link].present != 0;
      unsigned long long count = 0;
      counter.counterValue.status =
          present ? PortCounter(gpu.state.links[link], counter.counterId, &count)
                  : NVML_ERROR_INVALID_ARGUMENT;
      counter.counterValue.outputType = NVML_VALUE_TYPE_UNSIGNED_LONG_LONG;
      counter.counterValue.outputValue.ullVal = count;
    }
    return NVML_SUCCESS;
  });
}

// Two layouts behind one pointer. NVLink encryption needs confidential computing, which is off.
NVML_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkInfo(nvmlDevice_t device, nvmlNvLinkInfo_t* info) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(info)}, [&](const Gpu& gpu) {
    if (info->version != nvmlNvLinkInfo_v1 && info->version != nvmlNvLinkInfo_v2) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    if (gpu.state.nvlink_version < kFirstWithBandwidthModes) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    info->isNvleEnabled = 0;
    if (info->version == nvmlNvLinkInfo_v2) {
      info->firmwareInfo = {};
    }
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceResetNvLinkErrorCounters(nvmlDevice_t device,
                                                            unsigned int link) {
  return ChangeDevice(DeviceCall{__func__, device, link < NVML_NVLINK_MAX_LINKS},
                      [link](layout::Transaction&, layout::GpuState& gpu) {
                        layout::Link& entry = gpu.links[link];
                        if (entry.present == 0) {
                          return NVML_ERROR_NOT_SUPPORTED;
                        }
                        for (std::uint64_t& errors : entry.errors) {
                          errors = 0;
                        }
                        return NVML_SUCCESS;
                      });
}

}  // namespace assay::fakegpu::nvml
