#include "driver-ref/discovery/devices.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "driver-ref/mutants.h"

namespace assay::driver_ref::discovery {
namespace {

using api::resource::Device;
using api::resource::DeviceAttribute;

// resource.k8s.io/v1: DeviceAttributeMaxValueLength, DNS labels.
constexpr std::size_t kMaxStringBytes = 64;
constexpr std::size_t kMaxNameBytes = 63;
constexpr std::string_view kPciBusId = "resource.kubernetes.io/pciBusID";
constexpr std::string_view kPcieRoot = "resource.kubernetes.io/pcieRoot";

bool IsLabel(std::string_view text) {
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= kMaxNameBytes && alphanumeric(text.front()) &&
         alphanumeric(text.back()) &&
         std::ranges::all_of(text, [&](char c) { return alphanumeric(c) || c == '-'; });
}

// The longest start of `text` that fits and does not end inside of a UTF-8 character.
std::string Shorten(const std::string& text) {
  if (text.size() <= kMaxStringBytes || mutants::Is("attribute-too-long")) {
    return text;
  }
  std::size_t size = kMaxStringBytes;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) {
    --size;
  }
  return text.substr(0, size);
}

void SetString(Device& device, std::string_view name, const std::string& value) {
  if (!value.empty()) {
    device.attributes[std::string(name)].string = Shorten(value);
  }
}

void SetVersion(Device& device, std::string_view name, std::string_view value) {
  if (std::string version = ToSemanticVersion(value);
      !version.empty() && version.size() <= kMaxStringBytes) {
    device.attributes[std::string(name)].version = std::move(version);
  }
}

void ShareByMemory(std::uint64_t memory_bytes, Device& device) {
  constexpr std::int64_t kStep = std::int64_t{1} << 30;
  const auto steps = static_cast<std::int64_t>(memory_bytes) / kStep;
  if (steps < 2) {
    return;  // Too little for a policy that the API server accepts.
  }
  const auto quantity = [](std::int64_t value) {
    return api::meta::Quantity::FromInt64(value, api::meta::Quantity::Format::kBinarySI);
  };
  device.allow_multiple_allocations = true;
  auto& policy = device.capacity.at("memory").request_policy.emplace();
  policy.default_ = quantity(steps * kStep);
  policy.valid_range.emplace();
  policy.valid_range->min = quantity(kStep);
  policy.valid_range->step = quantity(kStep);
}

Device ToDevice(const Gpu& gpu, const Inventory& inventory, const DeviceOptions& options) {
  Device device;
  device.name = DeviceName(gpu);
  SetString(device, "type", "gpu");
  SetString(device, "uuid", gpu.uuid);
  SetString(device, "productName", gpu.model);
  SetString(device, "brand", gpu.brand);
  SetString(device, "architecture", gpu.architecture);
  SetVersion(device, "cudaComputeCapability", gpu.compute_capability);
  SetVersion(device, "driverVersion", inventory.driver_version);
  SetVersion(device, "cudaDriverVersion", inventory.cuda_version);
  SetString(device, kPciBusId, gpu.pci_bus_id);
  if (options.pcie_root) {
    SetString(device, kPcieRoot, options.pcie_root(gpu.pci_bus_id));
  }
  device.capacity["memory"].value = api::meta::Quantity::FromInt64(
      static_cast<std::int64_t>(gpu.memory_bytes), api::meta::Quantity::Format::kBinarySI);
  if (options.share) {
    ShareByMemory(gpu.memory_bytes, device);
  }
  if (!gpu.needs.empty()) {
    auto& taint = device.taints.emplace_back();
    taint.key = options.driver_name + "/unhealthy";
    taint.value = gpu.needs;
    taint.effect = options.taint_effect;
  }
  return device;
}

}  // namespace

std::string DeviceName(const Gpu& gpu) {
  std::string name = gpu.uuid;
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return name;
}

std::vector<Device> ToDevices(const Inventory& inventory, const DeviceOptions& options) {
  std::vector<Device> devices;
  for (const Gpu& gpu : inventory.gpus) {
    if (IsLabel(DeviceName(gpu))) {
      devices.push_back(ToDevice(gpu, inventory, options));
    }
  }
  if (mutants::Is("names-by-index")) {
    for (std::size_t i = 0; i < devices.size(); ++i) {
      devices[i].name = "gpu-" + std::to_string(i);
    }
  }
  return devices;
}

std::string ToSemanticVersion(std::string_view version) {
  std::string result;
  int parts = 0;
  while (!version.empty() && parts < 3) {
    const std::string_view part = version.substr(0, version.find('.'));
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc() || end != part.data() + part.size()) {
      return "";
    }
    result += (parts == 0 ? "" : ".") + std::to_string(number);
    ++parts;
    version.remove_prefix(std::min(version.size(), part.size() + 1));
  }
  if (parts == 0 || !version.empty()) {
    return "";
  }
  for (; parts < 3; ++parts) {
    result += ".0";
  }
  return result;
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
