// CDI specs: what a driver writes for the container runtime, decoded strictly and checked as the
// runtime's own library does (CDI v1.1, specs-go and pkg/cdi).
//
//   ASSAY_ASSIGN_OR_RETURN(Spec spec, ReadSpecFile("/var/run/cdi/gpu.example.com-claim_1.json"));
//
// Thread-safe: values and pure functions.
#ifndef ASSAY_CONTROLPLANE_NODE_CDI_SPEC_H_
#define ASSAY_CONTROLPLANE_NODE_CDI_SPEC_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace assay::controlplane::node::cdi {

struct DeviceNode {
  std::string path;
  std::string host_path;  // Empty: as `path`.
  std::string type;       // "b", "c", "u", "p"; empty: as on the host.
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::optional<std::uint32_t> file_mode;
  std::string permissions;  // Of "rwm"; "none"; empty: "rwm".
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
};

struct NetDevice {
  std::string host_interface_name;
  std::string name;
};

struct Hook {
  std::string hook_name;
  std::string path;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::optional<std::int64_t> timeout;
};

struct Mount {
  std::string host_path;
  std::string container_path;
  std::vector<std::string> options;
  std::string type;
};

struct IntelRdt {
  std::string clos_id;
  std::string l3_cache_schema;
  std::string mem_bw_schema;
  std::optional<std::vector<std::string>> schemata;
  bool enable_monitoring = false;
};

struct ContainerEdits {
  std::vector<std::string> env;
  std::vector<DeviceNode> device_nodes;
  std::vector<NetDevice> net_devices;
  std::vector<Hook> hooks;
  std::vector<Mount> mounts;
  std::optional<IntelRdt> intel_rdt;
  std::vector<std::uint32_t> additional_gids;

  bool empty() const;
  void Append(const ContainerEdits& other);
};

struct Device {
  std::string name;
  std::map<std::string, std::string> annotations;
  ContainerEdits container_edits;
};

struct Spec {
  std::string cdi_version;
  std::string kind;  // "vendor/class"
  std::map<std::string, std::string> annotations;
  std::vector<Device> devices;
  ContainerEdits container_edits;

  std::string vendor() const;
  std::string class_name() const;
};

// Decodes JSON or YAML. Unknown and duplicate keys and wrong types are refused:
// kInvalidArgument "file:line: field: problem". Does not validate.
Result<Spec> ParseSpec(std::string_view text, std::string_view file_name);

// The released versions, oldest first, and the oldest one that has all fields `spec` uses.
const std::vector<std::string>& ReleasedVersions();
std::string MinimumRequiredVersion(const Spec& spec);

// Everything that makes the runtime ignore the whole file. kInvalidArgument.
Status ValidateSpec(const Spec& spec);

// ReadFile, ParseSpec and ValidateSpec.
Result<Spec> ReadSpecFile(const std::filesystem::path& path);

}  // namespace assay::controlplane::node::cdi

#endif  // ASSAY_CONTROLPLANE_NODE_CDI_SPEC_H_
