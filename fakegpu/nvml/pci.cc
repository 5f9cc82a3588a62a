// A GPU's place on the PCI bus and its PCIe link.

#include "fakegpu/nvml/pci.h"

#include <stddef.h>
#include <stdio.h>

#include <iterator>

#include "fakegpu/nvml/call.h"
#include "fakegpu/nvml/traffic.h"

namespace assay::fakegpu::nvml {
namespace {

// 3D controller.
constexpr unsigned int kBaseClass = 0x03;
constexpr unsigned int kSubClass = 0x02;

// Callers of the first two versions have a struct that ends before `busId` (after it came reserved
// words): nothing is written beyond.
nvmlReturn_t GetOlderPciInfo(const char* function, nvmlDevice_t device, nvmlPciInfo_t* pci) {
  return ReadDevice(DeviceCall{function, device, NotNull(pci)}.EvenIfLost(), [&](const Gpu& gpu) {
    nvmlPciInfo_t full;
    FillPciInfo(gpu.state.identity, &full);
    memcpy(pci, &full, offsetof(nvmlPciInfo_t, busId));
    return NVML_SUCCESS;
  });
}

// Gigatransfers a second as NVML_PCIE_LINK_MAX_SPEED_* and as megabits.
unsigned int LinkMegabits(std::uint32_t generation) {
  constexpr unsigned int kMegabits[] = {0, 2500, 5000, 8000, 16000, 32000, 64000};
  return generation < std::size(kMegabits) ? kMegabits[generation] : 0;
}

}  // namespace

unsigned int LaneMegabytes(std::uint32_t generation) {
  constexpr unsigned int kMegabytes[] = {0, 250, 500, 985, 1969, 3938, 7563};
  return generation < std::size(kMegabytes) ? kMegabytes[generation] : 0;
}

void FillPciAddress(const layout::PciAddress& address, nvmlPciInfo_t* pci) {
  snprintf(pci->busIdLegacy, sizeof(pci->busIdLegacy), NVML_DEVICE_PCI_BUS_ID_LEGACY_FMT,
           address.domain & 0xffff, address.bus & 0xff, address.device & 0xff);
  snprintf(pci->busId, sizeof(pci->busId), NVML_DEVICE_PCI_BUS_ID_FMT, address.domain, address.bus,
           address.device);
  pci->domain = address.domain;
  pci->bus = address.bus;
  pci->device = address.device;
}

void FillPciInfo(const layout::Identity& identity, nvmlPciInfo_t* pci) {
  *pci = {};
  FillPciAddress(identity.pci, pci);
  pci->pciDeviceId = identity.pci_device_id;
  pci->pciSubSystemId = identity.pci_subsystem_id;
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t* pci) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(pci)}.EvenIfLost(), [&](const Gpu& gpu) {
    FillPciInfo(gpu.state.identity, pci);
    return NVML_SUCCESS;
  });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v2(nvmlDevice_t device, nvmlPciInfo_t* pci) {
  return GetOlderPciInfo(__func__, device, pci);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetPciInfo(nvmlDevice_t device, nvmlPciInfo_t* pci) {
  return GetOlderPciInfo(__func__, device, pci);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetPciInfoExt(nvmlDevice_t device, nvmlPciInfoExt_t* pci) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(pci)}.EvenIfLost(), [&](const Gpu& gpu) {
    if (pci->version != nvmlPciInfoExt_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    const layout::Identity& identity = gpu.state.identity;
    pci->domain = identity.pci.domain;
    pci->bus = identity.pci.bus;
    pci->device = identity.pci.device;
    pci->pciDeviceId = identity.pci_device_id;
    pci->pciSubSystemId = identity.pci_subsystem_id;
    pci->baseClass = kBaseClass;
    pci->subClass = kSubClass;
    snprintf(pci->busId, sizeof(pci->busId), NVML_DEVICE_PCI_BUS_ID_FMT, identity.pci.domain,
             identity.pci.bus, identity.pci.device);
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetMaxPcieLinkGeneration(nvmlDevice_t device,
                                                            unsigned int* maxLinkGen) {
  return Get(DeviceCall{__func__, device}, maxLinkGen,
             [](const Gpu& gpu) { return gpu.state.identity.max_pcie_generation; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetGpuMaxPcieLinkGeneration(nvmlDevice_t device,
                                                               unsigned int* maxLinkGenDevice) {
  return Get(DeviceCall{__func__, device}, maxLinkGenDevice,
             [](const Gpu& gpu) { return gpu.state.identity.max_pcie_generation; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetMaxPcieLinkWidth(nvmlDevice_t device,
                                                       unsigned int* maxLinkWidth) {
  return Get(DeviceCall{__func__, device}, maxLinkWidth,
             [](const Gpu& gpu) { return gpu.state.identity.max_pcie_width; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetCurrPcieLinkGeneration(nvmlDevice_t device,
                                                             unsigned int* currLinkGen) {
  return Get(DeviceCall{__func__, device}, currLinkGen,
             [](const Gpu& gpu) { return gpu.state.identity.max_pcie_generation; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetCurrPcieLinkWidth(nvmlDevice_t device,
                                                        unsigned int* currLinkWidth) {
  return Get(DeviceCall{__func__, device}, currLinkWidth,
             [](const Gpu& gpu) { return gpu.state.identity.max_pcie_width; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetPcieLinkMaxSpeed(nvmlDevice_t device,
                                                       unsigned int* maxSpeed) {
  // NVML_PCIE_LINK_MAX_SPEED_* are the generations' numbers.
  return Get(DeviceCall{__func__, device}, maxSpeed,
             [](const Gpu& gpu) { return gpu.state.identity.max_pcie_generation; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetPcieSpeed(nvmlDevice_t device, unsigned int* pcieSpeed) {
  return Get(DeviceCall{__func__, device}, pcieSpeed,
             [](const Gpu& gpu) { return LinkMegabits(gpu.state.identity.max_pcie_generation); });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t device,
                                                     nvmlPcieUtilCounter_t counter,
                                                     unsigned int* value) {
  const bool known = counter == NVML_PCIE_UTIL_TX_BYTES || counter == NVML_PCIE_UTIL_RX_BYTES;
  return Get(DeviceCall{__func__, device, known}, value, [&](const Gpu& gpu) {
    const double kilobytes =
        PcieBytesPerBusySecond(gpu.state) / 1000 * gpu.Measure().gpu_percent / 100;
    return layout::Whole<unsigned int>(counter == NVML_PCIE_UTIL_RX_BYTES ? kilobytes
                                                                          : kilobytes / 2);
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetPcieReplayCounter(nvmlDevice_t device, unsigned int* value) {
  return Get(DeviceCall{__func__, device}, value,
             [](const Gpu& gpu) { return gpu.state.health.pcie_replays; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetBusType(nvmlDevice_t device, nvmlBusType_t* type) {
  return Get(DeviceCall{__func__, device}, type, [](const Gpu&) { return NVML_BUS_TYPE_PCIE; });
}

}  // namespace assay::fakegpu::nvml
