#include "driver-ref/discovery/devices.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <system_error>
#include <tuple>
#include <utility>

#include "driver-ref/discovery/attributes.h"
#include "driver-ref/discovery/torus.h"
#include "driver-ref/mutants.h"

namespace assay::driver_ref::discovery {
namespace {

using api::resource::Device;
using api::resource::DeviceAttribute;

// What a profile has of a GPU besides its memory: the counter's name, the capacity's, and the
// field.
struct Share {
  std::string_view counter;
  std::string_view capacity;
  std::uint32_t MigProfile::* field;
};
constexpr std::array<Share, 6> kShares = {{
    {"multiprocessors", "multiprocessors", &MigProfile::multiprocessors},
    {"copy-engines", "copyEngines", &MigProfile::copy_engines},
    {"decoders", "decoders", &MigProfile::decoders},
    {"encoders", "encoders", &MigProfile::encoders},
    {"jpeg-engines", "jpegEngines", &MigProfile::jpeg_engines},
    {"ofa-engines", "ofaEngines", &MigProfile::ofa_engines},
}};

api::meta::Quantity Bytes(std::uint64_t bytes) {
  return api::meta::Quantity::FromInt64(static_cast<std::int64_t>(bytes),
                                        api::meta::Quantity::Format::kBinarySI);
}
api::meta::Quantity Count(std::uint32_t count) {
  return api::meta::Quantity::FromInt64(count, api::meta::Quantity::Format::kDecimalSI);
}

// Claims share `capacity` of the device in steps; one that asks for no amount gets all of it, which
// is `most`.
void ShareInSteps(const std::string& capacity, const api::meta::Quantity& step,
                  const api::meta::Quantity& most, Device& device) {
  device.allow_multiple_allocations = true;
  auto& policy = device.capacity.at(capacity).request_policy.emplace();
  policy.default_ = most;
  policy.valid_range.emplace();
  policy.valid_range->min = step;
  policy.valid_range->step = step;
}

void ShareByMemory(std::uint64_t memory_bytes, Device& device) {
  constexpr std::uint64_t kStep = std::uint64_t{1} << 30;
  const std::uint64_t steps = memory_bytes / kStep;
  // Less is too little for a policy that the API server accepts.
  if (steps >= 2) {
    ShareInSteps("memory", Bytes(kStep), Bytes(steps * kStep), device);
  }
}

// What the whole GPU has for its partitions: of everything as much as its largest profile.
MigProfile Most(const Gpu& gpu) {
  MigProfile most;
  for (const MigProfile& profile : gpu.mig_profiles) {
    for (const Share& share : kShares) {
      most.*share.field = std::max(most.*share.field, profile.*share.field);
    }
    most.memory_bytes = std::max(most.memory_bytes, profile.memory_bytes);
    most.size = std::max(most.size, profile.size);
  }
  return most;
}

std::map<std::string, api::resource::Counter> Counters(const MigProfile& profile,
                                                       std::uint32_t start) {
  std::map<std::string, api::resource::Counter> counters;
  for (const Share& share : kShares) {
    counters[std::string(share.counter)].value = Count(profile.*share.field);
  }
  counters["memory"].value = Bytes(profile.memory_bytes);
  for (std::uint32_t slice = start; slice < start + profile.size; ++slice) {
    counters["memory-slice-" + std::to_string(slice)].value = Count(1);
  }
  return counters;
}

std::string CounterSetName(const Gpu& gpu) { return DeviceName(gpu.uuid) + "-counter-set"; }

void SetCapacity(const MigProfile& profile, Device& device) {
  for (const Share& share : kShares) {
    device.capacity[std::string(share.capacity)].value = Count(profile.*share.field);
  }
}

void Taint(const std::string& trouble, const DeviceOptions& options, Device& device) {
  if (!trouble.empty() && !mutants::Is("never-taints")) {
    auto& taint = device.taints.emplace_back();
    taint.key =
        mutants::Is("taint-without-domain") ? "unhealthy" : options.driver_name + "/unhealthy";
    taint.value = trouble;
    taint.effect = options.taint_effect;
  }
}

// The value that all parts have, or the one of an empty part.
template <typename T>
T Common(const NodeDevice& source, T PlainDevice::* field) {
  const T& first = source.parts.front()->*field;
  return std::ranges::all_of(source.parts,
                             [&](const PlainDevice* part) { return part->*field == first; })
             ? first
             : T();
}

Device ToPlainDevice(const NodeDevice& source, const Inventory& inventory,
                     const DeviceOptions& options) {
  Device device;
  device.name = source.name;
  SetString(device, "type", Common(source, &PlainDevice::kind));
  SetString(device, "vendor", Common(source, &PlainDevice::vendor));
  SetString(device, "model", Common(source, &PlainDevice::model));
  SetString(device, "serial", Common(source, &PlainDevice::serial));
  SetString(device, "linkDomain", Common(source, &PlainDevice::link_domain));
  SetString(device, "clique", Common(source, &PlainDevice::clique));
  SetString(device, "interface", Common(source, &PlainDevice::interface));
  const std::string bus_id = Common(source, &PlainDevice::pci_bus_id);
  std::string root = Common(source, &PlainDevice::pcie_root);
  if (root.empty() && options.pcie_root && !bus_id.empty()) {
    root = options.pcie_root(bus_id);
  }
  SetString(device, kPciBusId, bus_id);
  SetString(device, kPcieRoot, root);
  SetInt(device, kNumaNode, Common(source, &PlainDevice::numa_node));
  SetInt(device, "index", Common(source, &PlainDevice::index));
  if (const std::optional<Box> box = BoxOf(source.parts)) {
    SetString(device, "topology", box->ShapeText());
    SetInt(device, "x", box->at[0]);
    SetInt(device, "y", box->at[1]);
    SetInt(device, "z", box->at[2]);
    SetInt(device, "chips", static_cast<std::int64_t>(source.parts.size()));
  }
  for (const PlainDevice* part : source.parts) {
    for (const auto& [name, capacity] : part->capacity) {
      device.capacity[name].value.Add(capacity.total);
      if (capacity.step && source.parts.size() == 1) {
        ShareInSteps(name, *capacity.step, capacity.total, device);
      }
    }
  }
  device.consumes_counters = CountersOf(source.parts, inventory.devices);
  Taint(source.needs(), options, device);
  return device;
}

// "gpu-8c2e...-1g10gb-me-20-3": the profile's name is for people, its id and the placement make it
// unique.
std::string PartitionName(const Gpu& gpu, const MigProfile& profile, std::uint32_t start) {
  std::string text;
  for (const char c : profile.name) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      text += c;
    } else if (c != '.' && !text.ends_with('-')) {
      text += '-';
    }
  }
  return DeviceName(gpu.uuid) + "-" + text + "-" + std::to_string(profile.id) + "-" +
         std::to_string(start);
}

}  // namespace

std::string FabricReadyCondition(const std::string& driver_name) {
  return driver_name + "/fabric-ready";
}
std::string FabricFailedCondition(const std::string& driver_name) {
  return driver_name + "/fabric-failed";
}

std::string DeviceName(const std::string& gpu_uuid) {
  std::string name = gpu_uuid;
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return name;
}

std::string DomainName(const std::string& fabric_clique) {
  std::string name = "nvlink-" + fabric_clique;
  std::ranges::replace(name, '.', '-');
  return name;
}

std::vector<NodeDevice> DevicesOf(const Gpu& gpu) {
  std::vector<const MigProfile*> profiles;
  for (const MigProfile& profile : gpu.mig_profiles) {
    profiles.push_back(&profile);
  }
  std::ranges::sort(profiles, {}, [](const MigProfile* profile) {
    return std::tuple(profile->memory_bytes, profile->multiprocessors, profile->name);
  });
  std::vector<NodeDevice> devices;
  for (const MigProfile* profile : profiles) {
    for (const std::uint32_t start : profile->starts) {
      devices.push_back({.name = PartitionName(gpu, *profile, start),
                         .gpu = &gpu,
                         .profile = profile,
                         .start = start});
    }
  }
  if (gpu.whole) {
    devices.push_back({.name = DeviceName(gpu.uuid), .gpu = &gpu});
  }
  std::erase_if(devices, [](const NodeDevice& device) { return !IsLabel(device.name); });
  return devices;
}

std::vector<NodeDevice> DevicesOf(const Inventory& inventory) {
  std::vector<NodeDevice> devices;
  for (const Gpu& gpu : inventory.gpus) {
    std::ranges::move(DevicesOf(gpu), std::back_inserter(devices));
  }
  for (const PlainDevice& device : inventory.devices) {
    devices.push_back({.name = device.name, .parts = {&device}});
  }
  for (SubSlice& slice : SubSlicesOf(inventory.devices)) {
    devices.push_back({.name = std::move(slice.name), .parts = std::move(slice.chips)});
  }
  return devices;
}

const std::string& NodeDevice::needs() const {
  if (gpu != nullptr) {
    return gpu->needs;
  }
  const auto found =
      std::ranges::find_if(parts, [](const PlainDevice* part) { return !part->needs.empty(); });
  return found == parts.end() ? parts.front()->needs : (*found)->needs;
}

Device ToDevice(const NodeDevice& source, const Inventory& inventory,
                const DeviceOptions& options) {
  if (source.gpu == nullptr) {
    return ToPlainDevice(source, inventory, options);
  }
  const Gpu& gpu = *source.gpu;
  Device device;
  device.name = source.name;
  SetString(device, "type", source.profile != nullptr ? "mig" : "gpu");
  if (source.profile != nullptr) {
    SetString(device, "profile", source.profile->name);
    SetString(device, "parentUUID", gpu.uuid);
  } else {
    SetString(device, "uuid", gpu.uuid);
  }
  SetString(device, "productName", gpu.model);
  SetString(device, "brand", gpu.brand);
  SetString(device, "architecture", gpu.architecture);
  SetVersion(device, "cudaComputeCapability", gpu.compute_capability);
  SetVersion(device, "driverVersion", inventory.driver_version);
  SetVersion(device, "cudaDriverVersion", inventory.cuda_version);
  // A GPU that is divided leaves the fabric.
  if (source.profile == nullptr) {
    SetString(device, "nvlinkDomain", gpu.fabric_clique);
  }
  SetString(device, kPciBusId, gpu.pci_bus_id);
  if (options.pcie_root) {
    SetString(device, kPcieRoot, options.pcie_root(gpu.pci_bus_id));
  }
  device.capacity["memory"].value =
      Bytes(source.profile != nullptr ? source.profile->memory_bytes : gpu.memory_bytes);
  if (!gpu.mig_profiles.empty()) {
    const MigProfile taken = source.profile != nullptr ? *source.profile : Most(gpu);
    SetCapacity(taken, device);
    device.consumes_counters.push_back(
        {.counter_set = CounterSetName(gpu), .counters = Counters(taken, source.start)});
  }
  if (options.share) {
    ShareByMemory(gpu.memory_bytes, device);
  }
  std::string trouble = gpu.needs;
  // A GPU that is divided leaves the fabric.
  if (options.bind_to_fabric && gpu.fabric != Fabric::kNone && source.profile == nullptr) {
    device.binds_to_node = true;
    device.binding_conditions = {FabricReadyCondition(options.driver_name)};
    device.binding_failure_conditions = {FabricFailedCondition(options.driver_name)};
    if (trouble.empty() && gpu.fabric == Fabric::kFailed) {
      trouble = "fabric";
    }
  }
  Taint(trouble, options, device);
  return device;
}

std::vector<Device> ToDevices(const Inventory& inventory, const DeviceOptions& options) {
  std::vector<Device> devices;
  for (const NodeDevice& device : DevicesOf(inventory)) {
    devices.push_back(ToDevice(device, inventory, options));
  }
  if (mutants::Is("names-by-index")) {
    for (std::size_t i = 0; i < devices.size(); ++i) {
      devices[i].name = "gpu-" + std::to_string(i);
    }
  }
  return devices;
}

std::vector<api::resource::CounterSet> ToCounterSets(const Inventory& inventory) {
  std::vector<api::resource::CounterSet> sets;
  for (const Gpu& gpu : inventory.gpus) {
    if (!gpu.mig_profiles.empty() && IsLabel(CounterSetName(gpu))) {
      sets.push_back({.name = CounterSetName(gpu), .counters = Counters(Most(gpu), 0)});
    }
  }
  std::ranges::move(CounterSetsOf(inventory.devices), std::back_inserter(sets));
  return sets;
}

std::string PcieRootFromSysfs(const std::string& sysfs_root, const std::string& pci_bus_id) {
  std::error_code error;
  const std::filesystem::path device = std::filesystem::canonical(
      std::filesystem::path(sysfs_root) / "bus/pci/devices" / pci_bus_id, error);
  if (error || pci_bus_id.empty()) {
    return "";
  }
  for (const std::filesystem::path& part : device) {
    const std::string name = part.string();
    // "pci0000:17"
    if (name.size() == 10 && name.starts_with("pci") && name[7] == ':') {
      return name;
    }
  }
  return "";
}

}  // namespace assay::driver_ref::discovery
