#include "fakegpu/nvml/traffic.h"

#include "fakegpu/nvml/pci.h"

namespace assay::fakegpu::nvml {

double PcieBytesPerBusySecond(const layout::GpuState& gpu) {
  const layout::Identity& identity = gpu.identity;
  return 0.1 * 1e6 * LaneMegabytes(identity.max_pcie_generation) * identity.max_pcie_width;
}

bool IsCarrying(const layout::Link& link) {
  return link.present != 0 && link.up != 0 && link.remote != layout::Link::kNone;
}

double LinkBytesPerBusySecond(const layout::GpuState& gpu) { return 0.2 * 1e6 * gpu.nvlink_mbps; }

double NvLinkBytesPerBusySecond(const layout::GpuState& gpu) {
  double bytes = 0;
  for (const layout::Link& link : gpu.links) {
    bytes += IsCarrying(link) ? LinkBytesPerBusySecond(gpu) : 0;
  }
  return bytes;
}

}  // namespace assay::fakegpu::nvml
