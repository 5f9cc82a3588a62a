#include "controlplane/node/cdi/registry.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>
#include <utility>

#include "controlplane/node/cdi/qualified_name.h"

namespace assay::controlplane::node::cdi {
namespace {

// The spec files of a directory by name, as os.ReadDir sorts them.
std::vector<std::filesystem::path> SpecFiles(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::filesystem::path extension = it->path().extension();
    if ((extension == ".json" || extension == ".yaml") && !it->is_directory(error)) {
      files.push_back(it->path());
    }
  }
  std::ranges::sort(files);
  return files;
}

// Fills in what a device node leaves to the host (pkg/cdi/container-edits_unix.go).
Status FillFromHost(DeviceNode& node) {
  const bool complete = !node.type.empty() && (node.major != 0 || node.type == "p");
  if (node.host_path.empty()) {
    node.host_path = node.path;
  }
  struct stat info = {};
  std::string type;
  int error = ::lstat(node.host_path.c_str(), &info) == 0 ? 0 : errno;
  if (error == 0) {
    type = S_ISBLK(info.st_mode)    ? "b"
           : S_ISCHR(info.st_mode)  ? "c"
           : S_ISFIFO(info.st_mode) ? "p"
                                    : "";
  }
  if (type.empty()) {
    if (complete) {
      return OkStatus();
    }
    const std::string subject = "CDI host device \"" + node.host_path + "\"";
    return error != 0 ? ErrnoError(error, subject)
                      : InvalidArgumentError(subject + " is not a device node");
  }
  if (!node.file_mode) {
    node.file_mode = info.st_mode & ~static_cast<std::uint32_t>(S_IFMT);
  }
  if (complete) {
    return OkStatus();
  }
  if (node.type.empty()) {
    node.type = type;
  }
  if (node.type != type) {
    return InvalidArgumentError("CDI device \"" + node.path + "\": is of type " + node.type +
                                ", but \"" + node.host_path + "\" on the host is of type " + type);
  }
  if (node.type != "p" && node.major == 0) {
    node.major = static_cast<std::int64_t>(major(info.st_rdev));
    node.minor = static_cast<std::int64_t>(minor(info.st_rdev));
  }
  return OkStatus();
}

std::string_view EnvName(std::string_view entry) { return entry.substr(0, entry.find('=')); }

void SetEnv(const std::string& entry, OciSpec& spec) {
  const auto there = std::ranges::find(spec.env, EnvName(entry), EnvName);
  if (there != spec.env.end()) {
    *there = entry;
  } else {
    spec.env.push_back(entry);
  }
}

void AddDevice(const DeviceNode& node, OciSpec& spec) {
  OciDevice device{.path = node.path,
                   .type = node.type,
                   .major = node.major,
                   .minor = node.minor,
                   .file_mode = node.file_mode,
                   .uid = node.uid,
                   .gid = node.gid,
                   .host_path = node.host_path};
  // The node belongs to the container's user unless the spec says whose it is.
  if (!device.uid && spec.uid > 0) {
    device.uid = spec.uid;
  }
  if (!device.gid && spec.gid > 0) {
    device.gid = spec.gid;
  }
  std::erase_if(spec.devices, [&](const OciDevice& other) { return other.path == device.path; });
  if (device.type == "b" || device.type == "c") {
    spec.device_rules.push_back({.allow = true,
                                 .type = device.type,
                                 .major = device.major,
                                 .minor = device.minor,
                                 .access = node.permissions.empty()     ? "rwm"
                                           : node.permissions == "none" ? ""
                                                                        : node.permissions});
  }
  spec.devices.push_back(std::move(device));
}

// In a user namespace a bind mount keeps its owners only when it is ID-mapped.
void AddIdMapping(OciMount& mount) {
  std::string option = mount.type == "bind" ? "idmap" : "";
  for (const std::string& present : mount.options) {
    if (present == "idmap" || present == "ridmap") {
      return;
    }
    if (present == "bind") {
      option = "idmap";
    } else if (present == "rbind") {
      option = "ridmap";
    }
  }
  if (!option.empty()) {
    mount.options.push_back(option);
  }
}

void AddMount(const Mount& mount, OciSpec& spec) {
  const auto there = std::ranges::find(spec.mounts, mount.container_path, &OciMount::destination);
  if (there != spec.mounts.end()) {
    spec.mounts.erase(there);
  }
  OciMount added{.destination = mount.container_path,
                 .type = mount.type,
                 .source = mount.host_path,
                 .options = mount.options};
  if (spec.user_namespace) {
    AddIdMapping(added);
  }
  spec.mounts.push_back(std::move(added));
}

// How many parts the destination has: /a before /a/b.
std::ptrdiff_t Depth(const OciMount& mount) {
  const std::string clean = std::filesystem::path(mount.destination).lexically_normal().string();
  const std::string_view trimmed = clean.size() > 1 && clean.back() == '/'
                                       ? std::string_view(clean).substr(0, clean.size() - 1)
                                       : std::string_view(clean);
  return std::ranges::count(trimmed, '/');
}

}  // namespace

Registry Registry::Scan(const std::vector<std::filesystem::path>& directories) {
  Registry registry;
  std::set<std::string> conflicts;
  for (std::size_t priority = 0; priority < directories.size(); ++priority) {
    for (const std::filesystem::path& path : SpecFiles(directories[priority])) {
      Result<Spec> spec = ReadSpecFile(path);
      if (!spec.ok()) {
        registry.errors_[path].push_back(spec.status());
        continue;
      }
      const std::size_t index = registry.specs_.size();
      const LoadedSpec& loaded =
          registry.specs_.emplace_back(LoadedSpec{path, priority, *std::move(spec)});
      for (std::size_t i = 0; i < loaded.spec.devices.size(); ++i) {
        const std::string name = loaded.spec.kind + "=" + loaded.spec.devices[i].name;
        const auto [entry, added] = registry.devices_.try_emplace(name, index, i);
        if (added) {
          continue;
        }
        const LoadedSpec& other = registry.specs_[entry->second.first];
        if (other.priority == priority) {
          const Status conflict =
              AlreadyExistsError("conflicting device \"" + name + "\" (specs \"" + path.string() +
                                 "\", \"" + other.path.string() + "\")");
          registry.errors_[path].push_back(conflict);
          registry.errors_[other.path].push_back(conflict);
          conflicts.insert(name);
        } else {
          entry->second = {index, i};
        }
      }
    }
  }
  for (const std::string& name : conflicts) {
    registry.devices_.erase(name);
  }
  return registry;
}

std::vector<std::string> Registry::DeviceNames() const {
  std::vector<std::string> names;
  for (const auto& [name, place] : devices_) {
    names.push_back(name);
  }
  return names;
}

Result<Registry::Resolved> Registry::Resolve(std::string_view qualified_name) const {
  const auto found = devices_.find(qualified_name);
  if (found == devices_.end()) {
    return NotFoundError("unresolvable CDI devices " + std::string(qualified_name));
  }
  const auto [spec, device] = found->second;
  return Resolved{&specs_[spec], &specs_[spec].spec.devices[device]};
}

Result<ContainerEdits> Registry::EditsFor(const std::vector<std::string>& qualified_names) const {
  ContainerEdits edits;
  std::set<const LoadedSpec*> seen;
  std::string unresolved;
  for (const std::string& name : qualified_names) {
    const Result<Resolved> found = Resolve(name);
    if (!found.ok()) {
      unresolved += (unresolved.empty() ? "" : ", ") + name;
      continue;
    }
    if (seen.insert(found->spec).second) {
      edits.Append(found->spec->spec.container_edits);
    }
    edits.Append(found->device->container_edits);
  }
  if (!unresolved.empty()) {
    return NotFoundError("unresolvable CDI devices " + unresolved);
  }
  return edits;
}

Status Registry::Inject(const std::vector<std::string>& qualified_names, OciSpec& spec) const {
  ASSAY_ASSIGN_OR_RETURN(const ContainerEdits edits, EditsFor(qualified_names));
  return ApplyEdits(edits, spec).WithContext("failed to inject CDI devices");
}

Status ApplyEdits(const ContainerEdits& edits, OciSpec& spec) {
  OciSpec result = spec;
  for (const std::string& entry : edits.env) {
    SetEnv(entry, result);
  }
  for (DeviceNode node : edits.device_nodes) {
    ASSAY_RETURN_IF_ERROR(FillFromHost(node));
    AddDevice(node, result);
  }
  for (const NetDevice& device : edits.net_devices) {
    result.net_devices[device.host_interface_name] = device.name;
  }
  for (const Mount& mount : edits.mounts) {
    AddMount(mount, result);
  }
  if (!edits.mounts.empty()) {
    std::ranges::stable_sort(result.mounts, {}, Depth);
  }
  for (const Hook& hook : edits.hooks) {
    result.hooks[hook.hook_name].push_back(
        {.path = hook.path, .args = hook.args, .env = hook.env, .timeout = hook.timeout});
  }
  if (edits.intel_rdt) {
    result.intel_rdt = edits.intel_rdt;
  }
  for (const std::uint32_t gid : edits.additional_gids) {
    if (gid != 0 && !std::ranges::count(result.additional_gids, gid)) {
      result.additional_gids.push_back(gid);
    }
  }
  spec = std::move(result);
  return OkStatus();
}

}  // namespace assay::controlplane::node::cdi
