#include "driver-ref/cdi/claim_specs.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/file.h"
#include "driver-ref/cdi/spec_file.h"
#include "driver-ref/mutants.h"

namespace assay::driver_ref::cdi {
namespace {

using Json = nlohmann::ordered_json;

// The oldest version that has host paths and names that start with a digit.
constexpr std::string_view kVersion = "0.5.0";
constexpr std::int64_t kNvidiaMajor = 195;
constexpr std::string_view kClass = "claim";
constexpr std::string_view kExtension = ".json";

// What every process that uses NVML or CUDA opens besides its GPUs. The numbers of the uvm nodes
// are the kernel's choice: the runtime asks the host.
struct ControlNode {
  std::string_view name;
  std::optional<int> minor;
};
constexpr std::array<ControlNode, 3> kControlNodes = {{
    {.name = "nvidiactl", .minor = 255},
    {.name = "nvidia-uvm", .minor = std::nullopt},
    {.name = "nvidia-uvm-tools", .minor = std::nullopt},
}};

bool IsDeviceNode(const std::filesystem::path& path) {
  struct stat info = {};
  return ::stat(path.c_str(), &info) == 0 && (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode));
}

Json DeviceNode(const std::string& name, const std::filesystem::path& dev_root) {
  Json node = {{"path", "/dev/" + name}};
  if (dev_root != "/dev") {
    node["hostPath"] = (dev_root / name).string();
  }
  return node;
}

Json NumberedNode(const discovery::DeviceNode& node, const std::filesystem::path& dev_root) {
  Json json = DeviceNode(node.path, dev_root);
  json["type"] = "c";
  json["major"] = node.major;
  json["minor"] = node.minor;
  json["permissions"] = "rw";
  return json;
}

// What containers with GPUs get besides them.
Json CommonEdits(const ClaimSpecs::Options& options) {
  Json common = Json::object();
  // Keeps NVIDIA's own container runtime from adding every GPU of the node.
  common["env"].push_back("NVIDIA_VISIBLE_DEVICES=void");
  for (const ControlNode& node : kControlNodes) {
    const std::string name(node.name);
    if (IsDeviceNode(options.dev_root / name)) {
      common["deviceNodes"].push_back(
          node.minor ? NumberedNode({.path = name, .major = kNvidiaMajor, .minor = *node.minor},
                                    options.dev_root)
                     : DeviceNode(name, options.dev_root));
    }
  }
  if (!options.nvml_library.empty()) {
    common["mounts"].push_back({{"hostPath", options.nvml_library.string()},
                                {"containerPath", "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"},
                                {"options", {"ro", "nosuid", "nodev", "bind"}}});
  }
  return common;
}

}  // namespace

std::string ClaimSpecs::DeviceId(const std::string& uid, const std::string& device) const {
  const std::string owner = mutants::Is("shared-names") ? "" : uid + "-";
  return options_.driver_name + "/" + std::string(kClass) + "=" + owner + device;
}

std::string ClaimSpecs::FileName(const std::string& uid) const {
  return options_.driver_name + "-" + std::string(kClass) + "_" + uid + std::string(kExtension);
}

Result<std::string> ClaimSpecs::Format(const std::string& uid,
                                       const std::vector<DeviceEdits>& devices) const {
  Json spec = {{"cdiVersion", kVersion},
               {"kind", options_.driver_name + "/" + std::string(kClass)},
               {"devices", Json::array()}};
  for (const DeviceEdits& device : devices) {
    Json edits = Json::object();
    if (!mutants::Is("empty-edits")) {
      std::vector<discovery::DeviceNode> nodes = device.nodes;
      if (device.minor) {
        nodes.push_back({.path = "nvidia" + std::to_string(*device.minor),
                         .major = kNvidiaMajor,
                         .minor = *device.minor});
      }
      std::vector<MigCapability> capabilities;
      if (device.mig) {
        ASSAY_ASSIGN_OR_RETURN(capabilities, CapabilitiesOf(*device.mig, options_.proc_root));
      }
      for (const MigCapability& capability : capabilities) {
        nodes.push_back({.path = "nvidia-caps/nvidia-cap" + std::to_string(capability.minor),
                         .major = capability.major,
                         .minor = capability.minor});
      }
      for (const discovery::DeviceNode& node : nodes) {
        edits["deviceNodes"].push_back(NumberedNode(node, options_.dev_root));
      }
      for (const std::string& variable : device.env) {
        edits["env"].push_back(variable);
      }
      if (device.admin_access) {
        edits["env"].push_back("DRA_ADMIN_ACCESS=true");
      }
    }
    const std::string id = DeviceId(uid, device.device);
    spec["devices"].push_back(
        {{"name", id.substr(id.find('=') + 1)}, {"containerEdits", std::move(edits)}});
  }

  if (std::ranges::any_of(devices,
                          [](const DeviceEdits& device) { return device.minor.has_value(); })) {
    spec["containerEdits"] = CommonEdits(options_);
  }
  return spec.dump(2) + "\n";
}

Status ClaimSpecs::Write(const std::string& uid, const std::vector<DeviceEdits>& devices) const {
  if (devices.empty()) {
    return Remove(uid);
  }
  ASSAY_ASSIGN_OR_RETURN(const std::string text, Format(uid, devices));
  return WriteSpecFile(options_.cdi_root / FileName(uid), text);
}

Status ClaimSpecs::Remove(const std::string& uid) const {
  return RemoveSpecFile(options_.cdi_root / FileName(uid));
}

Result<std::set<std::string>> ClaimSpecs::Claims() const {
  const std::string prefix = FileName("").substr(0, FileName("").size() - kExtension.size());
  ASSAY_ASSIGN_OR_RETURN(const std::set<std::string> names, SpecFiles(options_.cdi_root, prefix));
  std::set<std::string> uids;
  for (const std::string& name : names) {
    uids.insert(name.substr(prefix.size(), name.size() - prefix.size() - kExtension.size()));
  }
  return uids;
}

Result<std::vector<std::string>> ClaimSpecs::DevicesOf(const std::string& uid) const {
  const std::filesystem::path path = options_.cdi_root / FileName(uid);
  ASSAY_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const Json spec = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto devices = spec.is_object() ? spec.find("devices") : spec.end();
  if (!spec.is_object() || devices == spec.end() || !devices->is_array()) {
    return InvalidArgumentError(path.string() + " is no CDI spec");
  }
  std::vector<std::string> names;
  for (const Json& device : *devices) {
    const auto name = device.is_object() ? device.find("name") : device.end();
    if (!device.is_object() || name == device.end() || !name->is_string() ||
        !name->get_ref<const std::string&>().starts_with(uid + "-")) {
      return InvalidArgumentError(path.string() + ": a device is not named after the claim");
    }
    names.push_back(name->get_ref<const std::string&>().substr(uid.size() + 1));
  }
  return names;
}

}  // namespace assay::driver_ref::cdi
