// A node's description, and the state that it starts with.
//
// Boards are given as states of one GPU with their facts filled in; building a node gives each its
// place, its UUID and serial number (from the seed), and its NVLinks.
//
// Thread-safe: values and pure functions.
#ifndef ASSAY_FAKEGPU_MODEL_NODE_BUILDER_H_
#define ASSAY_FAKEGPU_MODEL_NODE_BUILDER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "fakegpu/layout/state.h"

namespace assay::fakegpu::model {

// A board in its slot.
struct PlacedGpu {
  layout::GpuState board{};  // Its facts, and its settings as delivered.
  layout::PciAddress pci{};
  std::uint32_t pci_root_bus = 0;
  std::uint32_t pci_switch = 0;
  std::uint32_t numa_node = 0;
  std::vector<layout::CpuRange> cpus;
  std::uint32_t module_id = 0;
  std::optional<std::uint32_t> minor;  // The place in PCI order unless said.
  std::optional<std::string> uuid;     // Made of the seed unless said,
  std::optional<std::string> serial;   // and so is this.
  std::uint32_t nvlinks = 0;           // How many the board has.
  // By an NVLink bridge, to another of the node's GPUs: its place in NodeSpec::gpus.
  std::optional<std::size_t> bridged_to;
};

struct NodeSpec {
  std::string name;
  std::string driver_version;
  std::string driver_branch;
  std::uint32_t cuda_version = 0;  // 13000 is 13.0.
  std::uint64_t seed = 1;
  std::vector<PlacedGpu> gpus;
  // Where every board's links go, in turn; none: links stay unconnected.
  std::vector<layout::PciAddress> nvswitches;
  std::uint32_t nvswitch_device_id = 0;
  // The NVLink domain that the switches make with those of other nodes, where there is one.
  std::array<std::uint8_t, 16> fabric_cluster{};
  std::uint32_t fabric_clique = 0;
};

struct NodeImage {
  layout::NodeState node{};
  std::vector<layout::GpuState> gpus;  // In PCI order, as NVML lists them.
};

// kInvalidArgument for two GPUs at one PCI address or with one minor number, or too many.
Result<NodeImage> BuildNode(const NodeSpec& spec);

// The bytes of the state file. `instance_id` tells this making of the node from another.
std::string StateFileBytes(const NodeImage& image, std::uint64_t instance_id);

// Copies `text` into a string of the state. kInvalidArgument where it does not fit with its NUL.
Status SetText(std::string_view text, char* field, std::size_t size);
template <std::size_t N>
Status SetText(std::string_view text, char (&field)[N]) {
  return SetText(text, field, N);
}

}  // namespace assay::fakegpu::model

#endif  // ASSAY_FAKEGPU_MODEL_NODE_BUILDER_H_
