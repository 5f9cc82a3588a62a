// The part of an OCI runtime spec (opencontainers/runtime-spec 1.3) that CDI edits and Kubernetes'
// claims touch, as containerd would hand it to runc. Written as JSON, it can be compared and kept.
//
// Thread-safe: values.
#ifndef ASSAY_CONTROLPLANE_NODE_CDI_OCI_H_
#define ASSAY_CONTROLPLANE_NODE_CDI_OCI_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/node/cdi/spec.h"

namespace assay::controlplane::node::cdi {

struct OciDevice {
  std::string path;
  std::string type;
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::optional<std::uint32_t> file_mode;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  // Where on the host it comes from. Not part of the OCI spec: kept for those who look at it.
  std::string host_path;
};

// linux.resources.devices
struct OciDeviceRule {
  bool allow = false;
  std::string type;
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::string access;
};

struct OciMount {
  std::string destination;
  std::string type;
  std::string source;
  std::vector<std::string> options;
};

struct OciHook {
  std::string path;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::optional<std::int64_t> timeout;
};

struct OciSpec {
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> additional_gids;
  bool user_namespace = false;
  std::vector<OciMount> mounts;
  std::vector<OciDevice> devices;
  std::vector<OciDeviceRule> device_rules;
  std::map<std::string, std::string> net_devices;     // host interface to name inside
  std::map<std::string, std::vector<OciHook>> hooks;  // by "createRuntime" and the like
  std::optional<IntelRdt> intel_rdt;
  std::map<std::string, std::string> annotations;

  // The entry "NAME=value" of an environment variable, or null.
  const std::string* FindEnv(const std::string& name) const;
  // The JSON of the OCI spec, keys in the runtime spec's names, indented.
  std::string ToJson() const;
};

}  // namespace assay::controlplane::node::cdi

#endif  // ASSAY_CONTROLPLANE_NODE_CDI_OCI_H_
