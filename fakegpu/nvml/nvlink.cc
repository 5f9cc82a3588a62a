// NVLink: state, capabilities, what is at the other end, error counters.

#include "fakegpu/nvml/nvlink.h"

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
