#include "fakegpu/model/node_builder.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <set>
#include <tuple>

#include "base/random.h"
#include "fakegpu/layout/metrics.h"
#include "fakegpu/layout/region.h"
#include "fakegpu/model/state_text.h"

namespace assay::fakegpu::model {
namespace {

// Since the fourth NVLink GPUs register with the fabric that switches make, on one node too.
constexpr std::uint32_t kFirstFabricNvLink = 4;

auto Order(const layout::PciAddress& pci) {
  return std::tuple(pci.domain, pci.bus, pci.device, pci.function);
}

// Links go to the bridge's other end, or to the switches in turn: each board has as many to one as
// to another.
void ConnectLinks(const NodeSpec& spec, const PlacedGpu& placed, std::uint32_t slot,
                  layout::GpuState& gpu) {
  const std::uint32_t count = std::min(placed.nvlinks, layout::kMaxLinks);
  for (std::uint32_t i = 0; i < count; ++i) {
    layout::Link& link = gpu.links[i];
    link.present = 1;
    if (placed.bridged_to.has_value()) {
      const PlacedGpu& other = spec.gpus[*placed.bridged_to];
      link.up = 1;
      link.remote = layout::Link::kGpu;
      link.remote_pci = other.pci;
      link.remote_device_id = other.board.identity.pci_device_id >> 16;
      link.remote_link = i;
      continue;
    }
    if (spec.nvswitches.empty()) {
      continue;
    }
    link.up = 1;
    link.remote = layout::Link::kSwitch;
    link.remote_pci = spec.nvswitches[i % spec.nvswitches.size()];
    link.remote_device_id = spec.nvswitch_device_id;
    link.remote_link = slot * count + i;
  }
}

Result<layout::GpuState> BuildGpu(const NodeSpec& spec, const PlacedGpu& placed,
                                  std::uint32_t slot) {
  layout::GpuState gpu = placed.board;
  Random random(spec.seed * 0x9e3779b97f4a7c15 + slot);
  layout::Identity& identity = gpu.identity;
  const std::string uuid = "GPU-" + random.Uuid();
  ASSAY_RETURN_IF_ERROR(SetText(placed.uuid.value_or(uuid), identity.uuid));
  char serial[16];
  std::snprintf(serial, sizeof(serial), "165%010llu",
                static_cast<unsigned long long>(random.Below(10'000'000'000)));
  ASSAY_RETURN_IF_ERROR(SetText(placed.serial.value_or(serial), identity.serial));
  identity.pci = placed.pci;
  identity.pci_root_bus = placed.pci_root_bus;
  identity.pci_switch = placed.pci_switch;
  identity.numa_node = placed.numa_node;
  if (placed.cpus.size() > layout::kMaxCpuRanges) {
    return InvalidArgumentError("more than " + std::to_string(layout::kMaxCpuRanges) +
                                " ranges of CPUs");
  }
  std::copy(placed.cpus.begin(), placed.cpus.end(), identity.cpus);
  identity.minor = placed.minor.value_or(slot);
  identity.module_id = placed.module_id;
  // As the driver makes it up for boards with one GPU.
  identity.board_id = placed.pci.domain << 16 | placed.pci.bus << 8 | placed.pci.device;
  gpu.noise_seed = random.Next();
  if (identity.platform.known != 0) {
    for (std::uint8_t& byte : identity.platform.ib_guid) {
      byte = static_cast<std::uint8_t>(random.Next());
    }
  }
  gpu.health.plugged = 1;
  gpu.trail = {0, static_cast<double>(gpu.limits.temperature_idle_c), 0};
  ConnectLinks(spec, placed, slot, gpu);
  if (gpu.nvlink_version >= kFirstFabricNvLink && !spec.nvswitches.empty()) {
    gpu.fabric.state = layout::Fabric::kCompleted;
    std::copy(spec.fabric_cluster.begin(), spec.fabric_cluster.end(), gpu.fabric.cluster_uuid);
    gpu.fabric.clique = spec.fabric_clique;
  }
  return gpu;
}

}  // namespace

Status SetText(std::string_view text, char* field, std::size_t size) {
  if (text.size() >= size) {
    return InvalidArgumentError("at most " + std::to_string(size - 1) + " characters, but \"" +
                                std::string(text) + "\" has " + std::to_string(text.size()));
  }
  std::memset(field, 0, size);
  std::memcpy(field, text.data(), text.size());
  return OkStatus();
}

Result<NodeImage> BuildNode(const NodeSpec& spec) {
  if (spec.gpus.size() > layout::kMaxGpus) {
    return InvalidArgumentError("a node has at most " + std::to_string(layout::kMaxGpus) + " GPUs");
  }
  NodeImage image;
  layout::NodeState& node = image.node;
  ASSAY_RETURN_IF_ERROR(SetText(spec.name, node.name));
  ASSAY_RETURN_IF_ERROR(SetText(spec.driver_version, node.driver_version));
  ASSAY_RETURN_IF_ERROR(SetText(spec.driver_branch, node.driver_branch));
  // NVML's version is its CUDA major version and the driver's.
  ASSAY_RETURN_IF_ERROR(SetText(
      std::to_string(spec.cuda_version / 1000) + "." + spec.driver_version, node.nvml_version));
  node.cuda_version = spec.cuda_version;
  node.driver_loaded = 1;
  node.gpu_count = static_cast<std::uint32_t>(spec.gpus.size());
  node.clock = {.held = 0,
                .epoch_s = static_cast<std::uint32_t>(std::time(nullptr)),
                .node_ns = 0,
                .monotonic_ns = layout::CoarseMonotonic(),
                .rate = 1};
  node.seed = spec.seed;

  std::vector<const PlacedGpu*> ordered;
  for (const PlacedGpu& placed : spec.gpus) {
    ordered.push_back(&placed);
  }
  std::stable_sort(ordered.begin(), ordered.end(), [](const PlacedGpu* a, const PlacedGpu* b) {
    return Order(a->pci) < Order(b->pci);
  });
  std::set<std::uint32_t> minors;
  for (std::uint32_t slot = 0; slot < ordered.size(); ++slot) {
    if (slot > 0 && Order(ordered[slot]->pci) == Order(ordered[slot - 1]->pci)) {
      return InvalidArgumentError("two GPUs at PCI address " + PciText(ordered[slot]->pci));
    }
    ASSAY_ASSIGN_OR_RETURN(layout::GpuState gpu, BuildGpu(spec, *ordered[slot], slot));
    if (!minors.insert(gpu.identity.minor).second) {
      return InvalidArgumentError("two GPUs with minor number " +
                                  std::to_string(gpu.identity.minor));
    }
    image.gpus.push_back(gpu);
  }
  return image;
}

std::string StateFileBytes(const NodeImage& image, std::uint64_t instance_id) {
  const auto count = static_cast<std::uint32_t>(image.gpus.size());
  std::string bytes(layout::FileSize(count), '\0');
  layout::FormatRegion(bytes.data(), image.node, image.gpus.data(), count, instance_id);
  return bytes;
}

}  // namespace assay::fakegpu::model
