// What the kernel of a node with these GPUs would show of them: entries of /sys, /proc and /dev.
//
// Pure: nothing is written here; file_tree.h writes entries below a directory.
//
// MIG capabilities are there for every instance that a GPU can have, not for those alone that it
// has: a driver reads them the moment that it has made an instance.
//
// Thread-safe: values and pure functions.
#ifndef ASSAY_FAKEGPU_HOST_KERNEL_FILES_H_
#define ASSAY_FAKEGPU_HOST_KERNEL_FILES_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "fakegpu/layout/state.h"

namespace assay::fakegpu::host {

// What of the node's state these files tell.
struct GpuFacts {
  layout::Identity identity{};
  bool plugged = true;
  bool mig = false;  // The board can.
};
struct NodeFacts {
  std::string driver_version;
  bool driver_loaded = true;
  std::vector<GpuFacts> gpus;
  std::vector<layout::PciAddress> nvswitches;
  std::uint32_t nvswitch_device_id = 0;
};
// kNotFound, kDataLoss as control::Node::Open.
Result<NodeFacts> ReadNodeFacts(const std::filesystem::path& state);

// Major numbers of the character devices whose drivers have none of their own in the kernel's list
// (NVIDIA's own is 195).
struct Majors {
  std::uint32_t uvm = 0;
  std::uint32_t caps = 0;
  std::uint32_t nvswitch = 0;
};
// As `proc_devices` (the text of /proc/devices) has them; else the highest that nobody has.
Majors ChooseMajors(std::string_view proc_devices);
// `proc_devices` with the drivers of this node.
std::string ProcDevices(std::string_view proc_devices, const Majors& majors);

struct Entry {
  enum class Type { kDirectory, kFile, kLink, kDevice };
  Type type = Type::kFile;
  std::string path;      // "/proc/driver/nvidia/version"
  std::string contents;  // Of a file; where a link leads.
  std::uint32_t mode = 0444;
  std::uint32_t major = 0;  // Of a device.
  std::uint32_t minor = 0;
};

// What comes and goes with one GPU. Directories of which a GPU has all come before what is in them.
std::vector<Entry> GpuEntries(const NodeFacts& node, std::uint32_t slot, const Majors& majors);
// The rest: the driver, the PCI bridges, the NVSwitches.
std::vector<Entry> NodeEntries(const NodeFacts& node, const Majors& majors);

// The minor number of a MIG capability's device, as the driver counts them: of a GPU instance, or
// of a compute instance in it.
std::uint32_t MigMinor(std::uint32_t gpu_minor, std::uint32_t gpu_instance);
std::uint32_t MigMinor(std::uint32_t gpu_minor, std::uint32_t gpu_instance,
                       std::uint32_t compute_instance);

}  // namespace assay::fakegpu::host

#endif  // ASSAY_FAKEGPU_HOST_KERNEL_FILES_H_
