#include "controlplane/node/cdi/spec.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/yaml/yaml.h"
#include "controlplane/node/cdi/qualified_name.h"

namespace assay::controlplane::node::cdi {
namespace {

// An absent or null entry leaves `out` as it is, as Go's decoder does.
Status ReadString(const yaml::Node& node, std::string_view key, std::string& out) {
  ASSAY_ASSIGN_OR_RETURN(out, node.GetStringOr(key, std::move(out)));
  return OkStatus();
}

Status ReadStrings(const yaml::Node& node, std::string_view key, std::vector<std::string>& out) {
  ASSAY_ASSIGN_OR_RETURN(out, node.GetStringsOr(key, std::move(out)));
  return OkStatus();
}

Result<std::uint32_t> AsUint32(const yaml::Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const std::uint64_t value, node.AsUint64());
  if (value > std::numeric_limits<std::uint32_t>::max()) {
    return node.Error("expected a number of 32 bits");
  }
  return static_cast<std::uint32_t>(value);
}

Status ReadUint32(const yaml::Node& node, std::string_view key, std::optional<std::uint32_t>& out) {
  if (const yaml::Node* value = node.Find(key); value != nullptr && !value->IsNull()) {
    ASSAY_ASSIGN_OR_RETURN(out, AsUint32(*value));
  }
  return OkStatus();
}

Status ReadMap(const yaml::Node& node, std::string_view key,
               std::map<std::string, std::string>& out) {
  const yaml::Node* map = node.Find(key);
  if (map == nullptr || map->IsNull()) {
    return OkStatus();
  }
  if (!map->IsMapping()) {
    return map->Error("expected a mapping of strings");
  }
  for (const auto& [name, value] : map->entries()) {
    ASSAY_ASSIGN_OR_RETURN(out[name], value.AsString());
  }
  return OkStatus();
}

// Reads every item of the sequence at `key` with `read`.
template <typename T>
Status ReadList(const yaml::Node& node, std::string_view key, std::vector<T>& out,
                Status (*read)(const yaml::Node&, T&)) {
  const yaml::Node* list = node.Find(key);
  if (list == nullptr || list->IsNull()) {
    return OkStatus();
  }
  if (!list->IsSequence()) {
    return list->Error("expected a sequence");
  }
  for (const yaml::Node& item : list->items()) {
    ASSAY_RETURN_IF_ERROR(read(item, out.emplace_back()));
  }
  return OkStatus();
}

Status ReadDeviceNode(const yaml::Node& node, DeviceNode& out) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys(
      {"path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"}));
  ASSAY_RETURN_IF_ERROR(ReadString(node, "path", out.path));
  ASSAY_RETURN_IF_ERROR(ReadString(node, "hostPath", out.host_path));
  ASSAY_RETURN_IF_ERROR(ReadString(node, "type", out.type));
  ASSAY_ASSIGN_OR_RETURN(out.major, node.GetInt64Or("major", 0));
  ASSAY_ASSIGN_OR_RETURN(out.minor, node.GetInt64Or("minor", 0));
  ASSAY_RETURN_IF_ERROR(ReadUint32(node, "fileMode", out.file_mode));
  ASSAY_RETURN_IF_ERROR(ReadString(node, "permissions", out.permissions));
  ASSAY_RETURN_IF_ERROR(ReadUint32(node, "uid", out.uid));
  return ReadUint32(node, "gid", out.gid);
}

Status ReadNetDevice(const yaml::Node& node, NetDevice& out) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"hostInterfaceName", "name"}));
  ASSAY_RETURN_IF_ERROR(ReadString(node, "hostInterfaceName", out.host_interface_name));
  return ReadString(node, "name", out.name);
}

Status ReadHook(const yaml::Node& node, Hook& out) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"hookName", "path", "args", "env", "timeout"}));
  ASSAY_RETURN_IF_ERROR(ReadString(node, "hookName", out.hook_name));
  ASSAY_RETURN_IF_ERROR(ReadString(node, "path", out.path));
  ASSAY_RETURN_IF_ERROR(ReadStrings(node, "args", out.args));
  ASSAY_RETURN_IF_ERROR(ReadStrings(node, "env", out.env));
  if (const yaml::Node* timeout = node.Find("timeout"); timeout != nullptr && !timeout->IsNull()) {
    ASSAY_ASSIGN_OR_RETURN(out.timeout, timeout->AsInt64());
  }
  return OkStatus();
}

Status ReadMount(const yaml::Node& node, Mount& out) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"hostPath", "containerPath", "options", "type"}));
  ASSAY_RETURN_IF_ERROR(ReadString(node, "hostPath", out.host_path));
  ASSAY_RETURN_IF_ERROR(ReadString(node, "containerPath", out.container_path));
  ASSAY_RETURN_IF_ERROR(ReadStrings(node, "options", out.options));
  return ReadString(node, "type", out.type);
}

Status ReadIntelRdt(const yaml::Node& node, IntelRdt& out) {
  ASSAY_RETURN_IF_ERROR(
      node.CheckKeys({"closID", "l3CacheSchema", "memBwSchema", "schemata", "enableMonitoring"}));
  ASSAY_RETURN_IF_ERROR(ReadString(node, "closID", out.clos_id));
  ASSAY_RETURN_IF_ERROR(ReadString(node, "l3CacheSchema", out.l3_cache_schema));
  ASSAY_RETURN_IF_ERROR(ReadString(node, "memBwSchema", out.mem_bw_schema));
  if (const yaml::Node* lines = node.Find("schemata"); lines != nullptr && !lines->IsNull()) {
    ASSAY_ASSIGN_OR_RETURN(out.schemata, lines->AsStrings());
  }
  ASSAY_ASSIGN_OR_RETURN(out.enable_monitoring, node.GetBoolOr("enableMonitoring", false));
  return OkStatus();
}

Status ReadGid(const yaml::Node& node, std::uint32_t& out) {
  ASSAY_ASSIGN_OR_RETURN(out, AsUint32(node));
  return OkStatus();
}

Status ReadEdits(const yaml::Node& parent, ContainerEdits& out) {
  const yaml::Node* node = parent.Find("containerEdits");
  if (node == nullptr || node->IsNull()) {
    return OkStatus();
  }
  ASSAY_RETURN_IF_ERROR(node->CheckKeys(
      {"env", "deviceNodes", "netDevices", "hooks", "mounts", "intelRdt", "additionalGids"}));
  ASSAY_RETURN_IF_ERROR(ReadStrings(*node, "env", out.env));
  ASSAY_RETURN_IF_ERROR(ReadList(*node, "deviceNodes", out.device_nodes, ReadDeviceNode));
  ASSAY_RETURN_IF_ERROR(ReadList(*node, "netDevices", out.net_devices, ReadNetDevice));
  ASSAY_RETURN_IF_ERROR(ReadList(*node, "hooks", out.hooks, ReadHook));
  ASSAY_RETURN_IF_ERROR(ReadList(*node, "mounts", out.mounts, ReadMount));
  if (const yaml::Node* rdt = node->Find("intelRdt"); rdt != nullptr && !rdt->IsNull()) {
    ASSAY_RETURN_IF_ERROR(ReadIntelRdt(*rdt, out.intel_rdt.emplace()));
  }
  return ReadList(*node, "additionalGids", out.additional_gids, ReadGid);
}

Status ReadDevice(const yaml::Node& node, Device& out) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"name", "annotations", "containerEdits"}));
  ASSAY_RETURN_IF_ERROR(ReadString(node, "name", out.name));
  ASSAY_RETURN_IF_ERROR(ReadMap(node, "annotations", out.annotations));
  return ReadEdits(node, out.container_edits);
}

// An entry of an environment is NAME=VALUE with a name that is not empty.
Status ValidateEnv(const std::vector<std::string>& env) {
  for (const std::string& entry : env) {
    const std::size_t equals = entry.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return InvalidArgumentError("invalid environment variable \"" + entry + "\"");
    }
  }
  return OkStatus();
}

Status ValidateDeviceNode(const DeviceNode& node) {
  if (node.path.empty()) {
    return InvalidArgumentError("device node with an empty path");
  }
  const std::string subject = "device node \"" + node.path + "\": ";
  // CDI asks for an absolute path; the runtime's library does not check it, runc refuses it.
  if (node.path.front() != '/') {
    return InvalidArgumentError(subject + "the path is not absolute");
  }
  if (!node.type.empty() && node.type != "b" && node.type != "c" && node.type != "u" &&
      node.type != "p") {
    return InvalidArgumentError(subject + "invalid type \"" + node.type + "\"");
  }
  if (node.permissions != "none" &&
      node.permissions.find_first_not_of("rwm") != std::string::npos) {
    return InvalidArgumentError(subject + "invalid permissions \"" + node.permissions + "\"");
  }
  return OkStatus();
}

Status ValidateHook(const Hook& hook) {
  static const std::set<std::string> kNames = {"prestart",       "createRuntime", "createContainer",
                                               "startContainer", "poststart",     "poststop"};
  if (!kNames.contains(hook.hook_name)) {
    return InvalidArgumentError("invalid hook name \"" + hook.hook_name + "\"");
  }
  if (hook.path.empty()) {
    return InvalidArgumentError("hook \"" + hook.hook_name + "\" with an empty path");
  }
  return ValidateEnv(hook.env).WithContext("hook \"" + hook.hook_name + "\"");
}

Status ValidateMount(const Mount& mount) {
  if (mount.host_path.empty()) {
    return InvalidArgumentError("mount with an empty hostPath");
  }
  if (mount.container_path.empty()) {
    return InvalidArgumentError("mount with an empty containerPath");
  }
  return OkStatus();
}

Status ValidateIntelRdt(const IntelRdt& rdt) {
  // The name of a directory in resctrl; "/" is its root.
  const std::string& id = rdt.clos_id;
  if (id != "/" && (id.size() >= 4096 || id == "." || id == ".." ||
                    id.find_first_of("/\n") != std::string::npos)) {
    return InvalidArgumentError("invalid closID");
  }
  return OkStatus();
}

Status ValidateNetDevices(const std::vector<NetDevice>& devices) {
  std::set<std::string> host_names;
  std::set<std::string> names;
  for (const NetDevice& device : devices) {
    if (device.host_interface_name.empty()) {
      return InvalidArgumentError("net device with an empty hostInterfaceName");
    }
    if (device.name.empty()) {
      return InvalidArgumentError("net device with an empty name");
    }
    if (!host_names.insert(device.host_interface_name).second) {
      return InvalidArgumentError("net devices: duplicate hostInterfaceName \"" +
                                  device.host_interface_name + "\"");
    }
    if (!names.insert(device.name).second) {
      return InvalidArgumentError("net devices: duplicate name \"" + device.name + "\"");
    }
  }
  return OkStatus();
}

Status ValidateEdits(const ContainerEdits& edits) {
  ASSAY_RETURN_IF_ERROR(ValidateEnv(edits.env));
  for (const DeviceNode& node : edits.device_nodes) {
    ASSAY_RETURN_IF_ERROR(ValidateDeviceNode(node));
  }
  for (const Hook& hook : edits.hooks) {
    ASSAY_RETURN_IF_ERROR(ValidateHook(hook));
  }
  for (const Mount& mount : edits.mounts) {
    ASSAY_RETURN_IF_ERROR(ValidateMount(mount));
  }
  if (edits.intel_rdt) {
    ASSAY_RETURN_IF_ERROR(ValidateIntelRdt(*edits.intel_rdt));
  }
  return ValidateNetDevices(edits.net_devices);
}

// The version that brought the newest field that `edits` use.
std::string MinimumVersion(const ContainerEdits& edits) {
  if (!edits.net_devices.empty() ||
      (edits.intel_rdt && (edits.intel_rdt->schemata || edits.intel_rdt->enable_monitoring))) {
    return "1.1.0";
  }
  if (edits.intel_rdt || !edits.additional_gids.empty()) {
    return "0.7.0";
  }
  if (std::ranges::any_of(edits.device_nodes,
                          [](const DeviceNode& node) { return !node.host_path.empty(); })) {
    return "0.5.0";
  }
  if (std::ranges::any_of(edits.mounts, [](const Mount& mount) { return !mount.type.empty(); })) {
    return "0.4.0";
  }
  return "0.3.0";
}

std::string WithoutLeadingV(const std::string& version) {
  return version.starts_with('v') ? version.substr(1) : version;
}

// The position in ReleasedVersions, or its size.
std::size_t VersionIndex(const std::string& version) {
  const auto& versions = ReleasedVersions();
  return static_cast<std::size_t>(std::ranges::find(versions, version) - versions.begin());
}

template <typename T>
void AppendAll(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

bool ContainerEdits::empty() const {
  return env.empty() && device_nodes.empty() && net_devices.empty() && hooks.empty() &&
         mounts.empty() && !intel_rdt && additional_gids.empty();
}

void ContainerEdits::Append(const ContainerEdits& other) {
  AppendAll(env, other.env);
  AppendAll(device_nodes, other.device_nodes);
  AppendAll(net_devices, other.net_devices);
  AppendAll(hooks, other.hooks);
  AppendAll(mounts, other.mounts);
  if (other.intel_rdt) {
    intel_rdt = other.intel_rdt;
  }
  AppendAll(additional_gids, other.additional_gids);
}

std::string Spec::vendor() const { return kind.substr(0, kind.find('/')); }

std::string Spec::class_name() const {
  const std::size_t slash = kind.find('/');
  return slash == std::string::npos ? "" : kind.substr(slash + 1);
}

const std::vector<std::string>& ReleasedVersions() {
  static const std::vector<std::string> kVersions = {"0.1.0", "0.2.0", "0.3.0", "0.4.0", "0.5.0",
                                                     "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0"};
  return kVersions;
}

std::string MinimumRequiredVersion(const Spec& spec) {
  std::vector<std::string> minimums = {MinimumVersion(spec.container_edits)};
  // 0.6.0 brought annotations and dots in the class.
  if (!spec.annotations.empty() || spec.class_name().find('.') != std::string::npos) {
    minimums.emplace_back("0.6.0");
  }
  for (const Device& device : spec.devices) {
    minimums.push_back(MinimumVersion(device.container_edits));
    if (!device.annotations.empty()) {
      minimums.emplace_back("0.6.0");
    }
    // 0.5.0 let device names start with a digit.
    if (!device.name.empty() && device.name.front() >= '0' && device.name.front() <= '9') {
      minimums.emplace_back("0.5.0");
    }
  }
  return *std::ranges::max_element(minimums, {}, VersionIndex);
}

Result<Spec> ParseSpec(std::string_view text, std::string_view file_name) {
  ASSAY_ASSIGN_OR_RETURN(const yaml::Node root, yaml::Parse(text, file_name));
  if (root.IsNull()) {
    return root.Error("no spec in this file");
  }
  ASSAY_RETURN_IF_ERROR(
      root.CheckKeys({"cdiVersion", "kind", "annotations", "devices", "containerEdits"}));
  Spec spec;
  ASSAY_RETURN_IF_ERROR(ReadString(root, "cdiVersion", spec.cdi_version));
  ASSAY_RETURN_IF_ERROR(ReadString(root, "kind", spec.kind));
  ASSAY_RETURN_IF_ERROR(ReadMap(root, "annotations", spec.annotations));
  ASSAY_RETURN_IF_ERROR(ReadList(root, "devices", spec.devices, ReadDevice));
  ASSAY_RETURN_IF_ERROR(ReadEdits(root, spec.container_edits));
  return spec;
}

Status ValidateSpec(const Spec& spec) {
  const std::string version = WithoutLeadingV(spec.cdi_version);
  if (VersionIndex(version) == ReleasedVersions().size()) {
    return InvalidArgumentError("cdiVersion: \"" + spec.cdi_version + "\" is no released version");
  }
  const std::string minimum = MinimumRequiredVersion(spec);
  if (VersionIndex(version) < VersionIndex(minimum)) {
    return InvalidArgumentError("cdiVersion: the fields in use need at least " + minimum);
  }
  ASSAY_RETURN_IF_ERROR(ValidateVendorName(spec.vendor()).WithContext("kind"));
  ASSAY_RETURN_IF_ERROR(ValidateClassName(spec.class_name()).WithContext("kind"));
  ASSAY_RETURN_IF_ERROR(ValidateEdits(spec.container_edits).WithContext("containerEdits"));
  if (spec.devices.empty()) {
    return InvalidArgumentError("devices: there are none");
  }
  std::set<std::string> names;
  for (const Device& device : spec.devices) {
    const std::string subject = "device \"" + device.name + "\"";
    ASSAY_RETURN_IF_ERROR(ValidateDeviceName(device.name).WithContext("devices"));
    if (device.container_edits.empty()) {
      return InvalidArgumentError(subject + ": empty containerEdits");
    }
    ASSAY_RETURN_IF_ERROR(ValidateEdits(device.container_edits).WithContext(subject));
    if (!names.insert(device.name).second) {
      return InvalidArgumentError(subject + " is defined twice");
    }
  }
  return OkStatus();
}

Result<Spec> ReadSpecFile(const std::filesystem::path& path) {
  ASSAY_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ASSAY_ASSIGN_OR_RETURN(Spec spec, ParseSpec(text, path.string()));
  ASSAY_RETURN_IF_ERROR(ValidateSpec(spec).WithContext(path.string()));
  return spec;
}

}  // namespace assay::controlplane::node::cdi
