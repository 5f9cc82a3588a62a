#include "fakegpu/host/kernel_files.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <sstream>

#include "fakegpu/layout/region.h"
#include "fakegpu/model/state_text.h"

namespace assay::fakegpu::host {
namespace {

using model::PciText;
using model::Text;

constexpr std::uint32_t kNvidiaMajor = 195;
constexpr std::uint32_t kModesetMinor = 254;
constexpr std::uint32_t kControlMinor = 255;

// Instances of a GPU and of a GPU instance, by their ids (layout/mig.h).
constexpr std::uint32_t kGpuInstanceIds = 15;
constexpr std::uint32_t kComputeInstanceIds = 8;
// Capability minors 1 and 2 are those of all GPUs.
constexpr std::uint32_t kConfigMinor = 1;
constexpr std::uint32_t kMonitorMinor = 2;
constexpr std::uint32_t kFirstGpuMinor = 3;
constexpr std::uint32_t kMinorsOfGpuInstance = 1 + kComputeInstanceIds;
constexpr std::uint32_t kMinorsOfGpu = kGpuInstanceIds * kMinorsOfGpuInstance;
constexpr std::uint32_t kListedGpus = 32;  // The driver lists as many, there or not.

constexpr std::uint32_t kReadable = 0444;
constexpr std::uint32_t kRootReadable = 0400;
constexpr std::uint32_t kEverybodys = 0666;

std::string Hex(std::uint64_t number, int digits) {
  char text[32];
  std::snprintf(text, sizeof(text), "0x%0*llx", digits, static_cast<unsigned long long>(number));
  return text;
}

Entry File(std::string path, std::string contents, std::uint32_t mode = kReadable) {
  return {.type = Entry::Type::kFile,
          .path = std::move(path),
          .contents = std::move(contents),
          .mode = mode};
}
Entry Link(std::string path, std::string target) {
  return {.type = Entry::Type::kLink, .path = std::move(path), .contents = std::move(target)};
}
Entry Device(std::string path, std::uint32_t major, std::uint32_t minor,
             std::uint32_t mode = kEverybodys) {
  return {.type = Entry::Type::kDevice,
          .path = std::move(path),
          .mode = mode,
          .major = major,
          .minor = minor};
}

// A way from the directory that `path` lies in to `target`, both absolute, as sysfs links have it.
std::string Relative(const std::string& path, const std::string& target) {
  return std::filesystem::path(target)
      .lexically_relative(std::filesystem::path(path).parent_path())
      .string();
}

layout::PciAddress Function(std::uint32_t domain, std::uint32_t bus, std::uint32_t device) {
  return {.domain = domain, .bus = bus, .device = device, .function = 0};
}

// The bridges from the PCIe root to a GPU: a root port; below it, where GPUs share a switch, its
// two ports.
std::vector<layout::PciAddress> Bridges(const NodeFacts& node, const layout::Identity& gpu) {
  const std::uint32_t domain = gpu.pci.domain;
  if (gpu.pci_switch == 0) {
    return {Function(domain, gpu.pci_root_bus, 1)};
  }
  std::uint32_t first_bus = gpu.pci.bus;
  for (const GpuFacts& other : node.gpus) {
    if (other.identity.pci_switch == gpu.pci_switch && other.identity.pci.domain == domain) {
      first_bus = std::min(first_bus, other.identity.pci.bus);
    }
  }
  const std::uint32_t upstream_bus = first_bus >= 2 ? first_bus - 2 : 0;
  return {Function(domain, gpu.pci_root_bus, 1 + gpu.pci_switch % 31),
          Function(domain, upstream_bus, 0),
          Function(domain, upstream_bus + 1, (gpu.pci.bus - first_bus) % 32)};
}

std::string RootDirectory(std::uint32_t domain, std::uint32_t bus) {
  char text[48];
  std::snprintf(text, sizeof(text), "/sys/devices/pci%04x:%02x", domain, bus);
  return text;
}

std::string SysDirectory(const NodeFacts& node, const layout::Identity& gpu) {
  std::string directory = RootDirectory(gpu.pci.domain, gpu.pci_root_bus);
  for (const layout::PciAddress& bridge : Bridges(node, gpu)) {
    directory += "/" + PciText(bridge);
  }
  return directory + "/" + PciText(gpu.pci);
}

// "0-55,112-167"
std::string CpuList(const layout::Identity& gpu) {
  std::string list;
  for (const layout::CpuRange& range : gpu.cpus) {
    if (range.count != 0) {
      list += (list.empty() ? "" : ",") + std::to_string(range.first) +
              (range.count == 1 ? "" : "-" + std::to_string(range.first + range.count - 1));
    }
  }
  return list;
}

struct PciFunction {
  std::string directory;
  std::uint32_t vendor = 0;
  std::uint32_t device = 0;
  std::uint32_t subsystem_vendor = 0;
  std::uint32_t subsystem_device = 0;
  std::uint32_t class_code = 0;
  std::int64_t numa_node = -1;
};

// What every PCI function has in sysfs, and its place in the list of them.
void AddPciFunction(const PciFunction& function, std::vector<Entry>& entries) {
  const std::string& directory = function.directory;
  const std::string name = directory.substr(directory.rfind('/') + 1);
  const auto add = [&](const char* file, std::string value) {
    entries.push_back(File(directory + "/" + file, std::move(value) + "\n"));
  };
  add("vendor", Hex(function.vendor, 4));
  add("device", Hex(function.device, 4));
  add("subsystem_vendor", Hex(function.subsystem_vendor, 4));
  add("subsystem_device", Hex(function.subsystem_device, 4));
  add("class", Hex(function.class_code, 6));
  add("revision", "0xa1");
  add("numa_node", std::to_string(function.numa_node));
  add("enable", "1");
  char modalias[80];
  std::snprintf(modalias, sizeof(modalias), "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X",
                function.vendor, function.device, function.subsystem_vendor,
                function.subsystem_device, function.class_code >> 16,
                function.class_code >> 8 & 0xff, function.class_code & 0xff);
  add("modalias", modalias);
  const std::string subsystem = directory + "/subsystem";
  entries.push_back(Link(subsystem, Relative(subsystem, "/sys/bus/pci")));
  const std::string listed = "/sys/bus/pci/devices/" + name;
  entries.push_back(Link(listed, Relative(listed, directory)));
}

constexpr std::uint32_t kNvidiaVendor = 0x10de;
constexpr std::uint32_t kIntelVendor = 0x8086;
constexpr std::uint32_t kBridgeClass = 0x060400;
constexpr std::uint32_t kSwitchClass = 0x068000;
constexpr std::uint32_t kGpuClass = 0x030200;  // A 3D controller: no display is connected.

// Three memory regions as GPUs have them (registers, memory, more registers), then none.
std::string Resources(const layout::Identity& gpu, std::uint32_t slot) {
  constexpr std::uint64_t kRegisters = 16ULL << 20;
  constexpr std::uint64_t kMoreRegisters = 32ULL << 20;
  constexpr std::uint64_t kRegistersBase = 0x9000'0000;
  constexpr std::uint64_t kMemoryBase = 0x1000'0000'0000;
  constexpr std::uint64_t kMemoryStride = 0x100'0000'0000;
  constexpr std::uint64_t kPlain = 0x40200;
  constexpr std::uint64_t kPrefetchable = 0x14220c;
  constexpr int kLines = 13;
  struct Region {
    std::uint64_t base, size, flags;
  };
  const std::uint64_t memory = kMemoryBase + slot * kMemoryStride;
  const Region regions[kLines] = {{kRegistersBase + slot * kRegisters, kRegisters, kPlain},
                                  {memory, gpu.bar1_total_bytes, kPrefetchable},
                                  {},
                                  {memory + gpu.bar1_total_bytes, kMoreRegisters, kPrefetchable}};
  std::string text;
  for (const Region& region : regions) {
    const std::uint64_t end = region.size == 0 ? 0 : region.base + region.size - 1;
    text += Hex(region.base, 16) + " " + Hex(end, 16) + " " + Hex(region.flags, 16) + "\n";
  }
  return text;
}

const char* LinkSpeed(std::uint32_t generation) {
  constexpr const char* kSpeeds[] = {"2.5 GT/s PCIe",  "5.0 GT/s PCIe",  "8.0 GT/s PCIe",
                                     "16.0 GT/s PCIe", "32.0 GT/s PCIe", "64.0 GT/s PCIe"};
  return kSpeeds[std::clamp<std::uint32_t>(generation, 1, 6) - 1];
}

void AddGpuInSys(const NodeFacts& node, std::uint32_t slot, std::vector<Entry>& entries) {
  const layout::Identity& gpu = node.gpus[slot].identity;
  const std::string directory = SysDirectory(node, gpu);
  AddPciFunction({.directory = directory,
                  .vendor = gpu.pci_device_id & 0xffff,
                  .device = gpu.pci_device_id >> 16,
                  .subsystem_vendor = gpu.pci_subsystem_id & 0xffff,
                  .subsystem_device = gpu.pci_subsystem_id >> 16,
                  .class_code = kGpuClass,
                  .numa_node = gpu.numa_node},
                 entries);
  const auto add = [&](const char* file, const std::string& value) {
    entries.push_back(File(directory + "/" + file, value + "\n"));
  };
  add("local_cpulist", CpuList(gpu));
  add("max_link_speed", LinkSpeed(gpu.max_pcie_generation));
  add("max_link_width", std::to_string(gpu.max_pcie_width));
  add("current_link_speed", LinkSpeed(gpu.max_pcie_generation));
  add("current_link_width", std::to_string(gpu.max_pcie_width));
  entries.push_back(File(directory + "/resource", Resources(gpu, slot)));
  if (node.driver_loaded) {
    const std::string driver = directory + "/driver";
    entries.push_back(Link(driver, Relative(driver, "/sys/bus/pci/drivers/nvidia")));
    const std::string bound = "/sys/bus/pci/drivers/nvidia/" + PciText(gpu.pci);
    entries.push_back(Link(bound, Relative(bound, directory)));
  }
}

std::string Information(const layout::Identity& gpu) {
  return "Model: \t\t " + Text(gpu.name) + "\nIRQ:   \t\t 0\nGPU UUID: \t " + Text(gpu.uuid) +
         "\nVideo BIOS: \t " + Text(gpu.vbios) +
         "\nBus Type: \t PCIe\nDMA Size: \t 52 bits\nDMA Mask: \t 0xfffffffffffff\n"
         "Bus Location: \t " +
         PciText(gpu.pci) + "\nDevice Minor: \t " + std::to_string(gpu.minor) +
         "\nGPU Firmware: \t " + Text(gpu.gsp_firmware) + "\nGPU Excluded:\t No\n";
}

// A capability: the file that tells its device, and the device.
void AddCapability(const std::string& file, std::uint32_t minor, std::uint32_t mode,
                   const Majors& majors, std::vector<Entry>& entries) {
  entries.push_back(File("/proc/driver/nvidia/capabilities/" + file,
                         "DeviceFileMinor: " + std::to_string(minor) + "\nDeviceFileMode: " +
                             std::to_string(mode) + "\nDeviceFileModify: 1\n"));
  entries.push_back(
      Device("/dev/nvidia-caps/nvidia-cap" + std::to_string(minor), majors.caps, minor, mode));
}

void AddCapabilities(std::uint32_t minor, const Majors& majors, std::vector<Entry>& entries) {
  const std::string mig = "gpu" + std::to_string(minor) + "/mig";
  for (std::uint32_t gi = 0; gi < kGpuInstanceIds; ++gi) {
    const std::string instance = mig + "/gi" + std::to_string(gi);
    AddCapability(instance + "/access", MigMinor(minor, gi), kReadable, majors, entries);
    for (std::uint32_t ci = 0; ci < kComputeInstanceIds; ++ci) {
      AddCapability(instance + "/ci" + std::to_string(ci) + "/access", MigMinor(minor, gi, ci),
                    kReadable, majors, entries);
    }
  }
}

// The list of all capabilities that there may be.
std::string MigMinors(std::uint32_t gpus) {
  std::string text = "config " + std::to_string(kConfigMinor) + "\nmonitor " +
                     std::to_string(kMonitorMinor) + "\n";
  for (std::uint32_t gpu = 0; gpu < gpus; ++gpu) {
    for (std::uint32_t gi = 0; gi < kGpuInstanceIds; ++gi) {
      const std::string instance = "gpu" + std::to_string(gpu) + "/gi" + std::to_string(gi);
      text += instance + "/access " + std::to_string(MigMinor(gpu, gi)) + "\n";
      for (std::uint32_t ci = 0; ci < kComputeInstanceIds; ++ci) {
        text += instance + "/ci" + std::to_string(ci) + "/access " +
                std::to_string(MigMinor(gpu, gi, ci)) + "\n";
      }
    }
  }
  return text;
}

void AddBridges(const NodeFacts& node, std::vector<Entry>& entries) {
  std::map<std::string, std::int64_t> bridges;  // By directory, with the NUMA node.
  for (const GpuFacts& gpu : node.gpus) {
    std::string directory = RootDirectory(gpu.identity.pci.domain, gpu.identity.pci_root_bus);
    for (const layout::PciAddress& bridge : Bridges(node, gpu.identity)) {
      directory += "/" + PciText(bridge);
      bridges.emplace(directory, gpu.identity.numa_node);
    }
  }
  for (const auto& [directory, numa_node] : bridges) {
    AddPciFunction({.directory = directory,
                    .vendor = kIntelVendor,
                    .class_code = kBridgeClass,
                    .numa_node = numa_node},
                   entries);
  }
}

void AddSwitches(const NodeFacts& node, const Majors& majors, std::vector<Entry>& entries) {
  if (node.nvswitches.empty()) {
    return;
  }
  std::uint32_t minor = 0;
  for (const layout::PciAddress& address : node.nvswitches) {
    AddPciFunction({.directory = RootDirectory(address.domain, 0) + "/" + PciText(address),
                    .vendor = kNvidiaVendor,
                    .device = node.nvswitch_device_id,
                    .subsystem_vendor = kNvidiaVendor,
                    .class_code = kSwitchClass},
                   entries);
    entries.push_back(
        Device("/dev/nvidia-nvswitch" + std::to_string(minor), majors.nvswitch, minor));
    ++minor;
  }
  entries.push_back(Device("/dev/nvidia-nvswitchctl", majors.nvswitch, kControlMinor));
}

constexpr char kCharacterDevices[] = "Character devices:\n";
constexpr char kBlockDevices[] = "\nBlock devices:\n";

// The character devices of /proc/devices, by line: major number and driver.
std::vector<std::pair<std::uint32_t, std::string>> CharacterDevices(std::string_view text) {
  std::vector<std::pair<std::uint32_t, std::string>> devices;
  std::istringstream lines(std::string(text.substr(0, text.find(kBlockDevices))));
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::uint32_t major = 0;
    std::string name;
    if (words >> major >> name) {
      devices.emplace_back(major, name);
    }
  }
  return devices;
}

}  // namespace

Result<NodeFacts> ReadNodeFacts(const std::filesystem::path& state) {
  layout::Region region;
  ASSAY_RETURN_IF_ERROR(model::OpenStatus(region.Open(state.c_str()), state));
  return region.Read([](const layout::Copy& copy) {
    NodeFacts facts;
    facts.driver_version = Text(copy.node().driver_version);
    facts.driver_loaded = copy.node().driver_loaded != 0;
    std::map<std::string, layout::PciAddress> switches;
    for (std::uint32_t slot = 0; slot < copy.gpu_count(); ++slot) {
      const layout::GpuState& gpu = copy.gpu(slot);
      facts.gpus.push_back({.identity = gpu.identity,
                            .plugged = gpu.health.plugged != 0,
                            .mig = gpu.mig_supported != 0});
      for (const layout::Link& link : gpu.links) {
        if (link.present != 0 && link.remote == layout::Link::kSwitch) {
          switches.emplace(PciText(link.remote_pci), link.remote_pci);
          facts.nvswitch_device_id = link.remote_device_id;
        }
      }
    }
    for (const auto& [name, address] : switches) {
      facts.nvswitches.push_back(address);
    }
    return facts;
  });
}

Majors ChooseMajors(std::string_view proc_devices) {
  std::map<std::string, std::uint32_t> by_name;
  std::set<std::uint32_t> taken;
  for (const auto& [major, name] : CharacterDevices(proc_devices)) {
    by_name.emplace(name, major);
    taken.insert(major);
  }
  // The kernel hands out what is free from here down.
  std::uint32_t next = 511;
  const auto choose = [&](const char* name) {
    const auto found = by_name.find(name);
    if (found != by_name.end()) {
      return found->second;
    }
    while (taken.contains(next)) {
      --next;
    }
    taken.insert(next);
    return next;
  };
  Majors majors;
  majors.uvm = choose("nvidia-uvm");
  majors.caps = choose("nvidia-caps");
  majors.nvswitch = choose("nvidia-nvswitch");
  return majors;
}

std::string ProcDevices(std::string_view proc_devices, const Majors& majors) {
  std::vector<std::pair<std::uint32_t, std::string>> devices = CharacterDevices(proc_devices);
  std::erase_if(devices, [](const auto& device) { return device.second.starts_with("nvidia"); });
  for (const char* name : {"nvidia", "nvidia-modeset", "nvidiactl"}) {
    devices.emplace_back(kNvidiaMajor, name);
  }
  devices.emplace_back(majors.uvm, "nvidia-uvm");
  devices.emplace_back(majors.caps, "nvidia-caps");
  devices.emplace_back(majors.nvswitch, "nvidia-nvswitch");
  std::stable_sort(devices.begin(), devices.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text = kCharacterDevices;
  for (const auto& [major, name] : devices) {
    char line[128];
    std::snprintf(line, sizeof(line), "%3u %s\n", major, name.c_str());
    text += line;
  }
  const std::size_t blocks = proc_devices.find(kBlockDevices);
  return text +
         (blocks == proc_devices.npos ? kBlockDevices : std::string(proc_devices.substr(blocks)));
}

std::uint32_t MigMinor(std::uint32_t gpu_minor, std::uint32_t gpu_instance) {
  return kFirstGpuMinor + gpu_minor * kMinorsOfGpu + gpu_instance * kMinorsOfGpuInstance;
}
std::uint32_t MigMinor(std::uint32_t gpu_minor, std::uint32_t gpu_instance,
                       std::uint32_t compute_instance) {
  return MigMinor(gpu_minor, gpu_instance) + 1 + compute_instance;
}

std::vector<Entry> GpuEntries(const NodeFacts& node, std::uint32_t slot, const Majors& majors) {
  const layout::Identity& gpu = node.gpus[slot].identity;
  std::vector<Entry> entries;
  AddGpuInSys(node, slot, entries);
  if (!node.driver_loaded) {
    return entries;
  }
  entries.push_back(
      File("/proc/driver/nvidia/gpus/" + PciText(gpu.pci) + "/information", Information(gpu)));
  entries.push_back(Device("/dev/nvidia" + std::to_string(gpu.minor), kNvidiaMajor, gpu.minor));
  if (node.gpus[slot].mig) {
    AddCapabilities(gpu.minor, majors, entries);
  }
  return entries;
}

std::vector<Entry> NodeEntries(const NodeFacts& node, const Majors& majors) {
  std::vector<Entry> entries;
  AddBridges(node, entries);
  if (!node.driver_loaded) {
    return entries;
  }
  AddSwitches(node, majors, entries);
  entries.push_back({.type = Entry::Type::kDirectory, .path = "/sys/bus/pci/drivers/nvidia"});
  entries.push_back(File("/proc/driver/nvidia/version",
                         "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  " +
                             node.driver_version + "  Release Build\nGCC version:  gcc\n"));
  entries.push_back(File("/proc/driver/nvidia/params",
                         "ModifyDeviceFiles: 1\nDeviceFileUID: 0\nDeviceFileGID: 0\n"
                         "DeviceFileMode: 438\n"));
  std::uint32_t listed = kListedGpus;
  for (const GpuFacts& gpu : node.gpus) {
    listed = std::max(listed, gpu.identity.minor + 1);
  }
  entries.push_back(File("/proc/driver/nvidia-caps/mig-minors", MigMinors(listed)));
  AddCapability("mig/config", kConfigMinor, kRootReadable, majors, entries);
  AddCapability("mig/monitor", kMonitorMinor, kReadable, majors, entries);
  entries.push_back(Device("/dev/nvidiactl", kNvidiaMajor, kControlMinor));
  entries.push_back(Device("/dev/nvidia-modeset", kNvidiaMajor, kModesetMinor));
  entries.push_back(Device("/dev/nvidia-uvm", majors.uvm, 0));
  entries.push_back(Device("/dev/nvidia-uvm-tools", majors.uvm, 1));
  return entries;
}

}  // namespace assay::fakegpu::host
