// Registry: the CDI directories as a container runtime sees them: which devices resolve, which
// files are refused, which names conflict; and the application of devices to an OCI spec
// (CDI v1.1, pkg/cdi/cache.go and container-edits.go).
//
//   const Registry registry = Registry::Scan({"/etc/cdi", "/var/run/cdi"});
//   ASSAY_RETURN_IF_ERROR(registry.Inject({"gpu.example.com/claim=1"}, oci_spec));
//
// A Registry is a snapshot of one moment. Thread-safe: immutable once scanned.
#ifndef ASSAY_CONTROLPLANE_NODE_CDI_REGISTRY_H_
#define ASSAY_CONTROLPLANE_NODE_CDI_REGISTRY_H_

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "controlplane/node/cdi/oci.h"
#include "controlplane/node/cdi/spec.h"

namespace assay::controlplane::node::cdi {

struct LoadedSpec {
  std::filesystem::path path;
  std::size_t priority = 0;  // Index of its directory.
  Spec spec;
};

class Registry {
 public:
  // Reads every *.json and *.yaml of the directories, not of theirs. A later directory takes
  // precedence; a name that two files of equal precedence define does not resolve at all. Files
  // that cannot be read or are invalid are left out, see errors().
  static Registry Scan(const std::vector<std::filesystem::path>& directories);

  const std::vector<LoadedSpec>& specs() const { return specs_; }
  // Why files were refused, and conflicts, by path.
  const std::map<std::filesystem::path, std::vector<Status>>& errors() const { return errors_; }
  // Every name that resolves, sorted.
  std::vector<std::string> DeviceNames() const;

  struct Resolved {
    const LoadedSpec* spec = nullptr;
    const Device* device = nullptr;
  };
  // kNotFound: "unresolvable CDI devices <name>".
  Result<Resolved> Resolve(std::string_view qualified_name) const;

  // The edits of the devices, and of each of their specs once, in order.
  // kNotFound names all that do not resolve.
  Result<ContainerEdits> EditsFor(const std::vector<std::string>& qualified_names) const;

  // Resolves and applies; `spec` is unchanged after an error.
  Status Inject(const std::vector<std::string>& qualified_names, OciSpec& spec) const;

 private:
  std::vector<LoadedSpec> specs_;
  // Indexes into specs_ and its devices.
  std::map<std::string, std::pair<std::size_t, std::size_t>, std::less<>> devices_;
  std::map<std::filesystem::path, std::vector<Status>> errors_;
};

// Applies edits as the runtime does: a device node without type or number takes them from the host
// (kNotFound, kInvalidArgument where it cannot), an environment variable or a mount destination
// that is there already is replaced, mounts are sorted by depth. `spec` is unchanged after an
// error.
Status ApplyEdits(const ContainerEdits& edits, OciSpec& spec);

}  // namespace assay::controlplane::node::cdi

#endif  // ASSAY_CONTROLPLANE_NODE_CDI_REGISTRY_H_
