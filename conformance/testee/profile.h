// Profile: what Assay knows of a driver under test: how to start and stop it, what it claims to
// support, where it leaves its files, and how its devices can be broken. A YAML file;
// fixtures/schema/testee.schema.json describes it for editors.
//
// Strings may hold ${NAME} for what differs from run to run (see kVariables) and ${env:NAME} for a
// variable of the caller's environment.
//
// Thread-safe: immutable values.
#ifndef ASSAY_CONFORMANCE_TESTEE_PROFILE_H_
#define ASSAY_CONFORMANCE_TESTEE_PROFILE_H_

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "conformance/rules/rules.h"

namespace assay::conformance {

// What ${...} may name, with what it stands for.
inline constexpr std::pair<std::string_view, std::string_view> kVariables[] = {
    {"KUBECONFIG", "a kubeconfig with the permissions that KEP-4381 gives a driver"},
    {"NODE_NAME", "the name of the node that the driver serves"},
    {"KUBELET_ROOT", "the kubelet's directory, /var/lib/kubelet elsewhere"},
    {"PLUGINS_DIR", "${KUBELET_ROOT}/plugins"},
    {"REGISTRY_DIR", "${KUBELET_ROOT}/plugins_registry"},
    {"CDI_DIR", "where the runtime looks for CDI specs, /var/run/cdi elsewhere"},
    {"STATE_DIR", "a directory for whatever else the driver keeps"},
    {"DRIVER_NAME", "the profile's `driver`"},
    {"INSTANCE", "a UID that differs between instances, as a pod's would"},
    {"DEV_DIR", "device nodes of the fake GPUs, in the place of /dev"},
    {"PROC_DIR", "what /proc tells of the fake GPUs' devices, in the place of /proc"},
    {"SYS_DIR", "what /sys tells of the fake GPUs, in the place of /sys"},
    {"FAKEGPU_STATE", "the state file of the fake GPUs, where `devices.fakegpu` is given"},
    {"NVML_LIBRARY", "Assay's libnvidia-ml.so.1"},
    {"PROFILE_DIR", "the directory of the profile"},
    {"BIN_DIR", "the directory of the running program, where assay's own drivers lie"},
};
using Variables = std::map<std::string, std::string, std::less<>>;

struct Command {
  std::vector<std::string> argv;
  Duration timeout = std::chrono::seconds(10);
};

// The ways in which a rule's test may ask for trouble with a device.
// kFail: the device is of no use any more. kDegrade: it asks for attention, and still works.
enum class Hook { kList, kPlug, kUnplug, kFail, kDegrade, kHeal, kStall };
std::string_view HookName(Hook hook);  // "unplug"

struct Profile {
  std::filesystem::path file;
  std::string name;    // "driver-ref"
  std::string driver;  // "gpu.example.com": ResourceSlice.spec.driver

  std::vector<std::string> start;                     // start.command
  std::map<std::string, std::string> env;             // start.env
  std::vector<std::string> directories;               // start.directories: made before.
  Duration ready_timeout = std::chrono::seconds(30);  // start.ready
  Duration stop_timeout = std::chrono::seconds(30);   // stop.timeout
  bool parallel = true;  // parallel: it can run several times on a machine, as on several nodes.
  std::vector<std::string> dra_versions = {"v1", "v1beta1"};  // draVersions
  std::set<std::string> features;

  std::string data_directory = "${PLUGINS_DIR}/${DRIVER_NAME}";  // files.data
  std::vector<std::string> state_files;       // files.state: durable state, files or directories
  std::vector<std::string> static_cdi_files;  // files.staticCdi: base names that may stay

  // claims: what a claim for this driver looks like.
  std::string selector;  // claims.selector: CEL
  std::string config;    // claims.config: opaque parameters, JSON; empty: none
  // claims.badConfig: name to parameters that Prepare must refuse.
  std::map<std::string, std::string> bad_configs;

  std::string
      device_key;       // devices.key: the attribute that hooks know a device by; empty: its name
  std::string fakegpu;  // devices.fakegpu: a node's YAML; supplies all hooks that it can
  std::map<Hook, Command> hooks;

  // access: as whom the driver runs in `assay lab`, and what alone it may do there. Absent: what
  // KEP-4381 grants, as in every certification.
  struct Access {
    std::string namespace_;  // Of access.serviceAccount, "namespace/name".
    std::string name;
    std::vector<std::filesystem::path> manifests;  // Absolute: roles and bindings.
    std::vector<std::string> cluster_roles;        // Bound to the service account beside them.
  };
  std::optional<Access> access;

  std::filesystem::path expectations;  // Absolute; empty: none.

  bool Declares(std::string_view feature) const { return features.contains(std::string(feature)); }
};

// kInvalidArgument "file:line: field: what was expected"; `rules` knows the features.
Result<Profile> ParseProfile(std::string_view text, const std::filesystem::path& file,
                             const RuleSet& rules);
Result<Profile> LoadProfile(const std::filesystem::path& file, const RuleSet& rules);

// `text` with each ${NAME} replaced. kFailedPrecondition for ${env:NAME} that is not set,
// kInvalidArgument for a name that `variables` does not have.
Result<std::string> Expand(std::string_view text, const Variables& variables);
Result<std::vector<std::string>> Expand(const std::vector<std::string>& texts,
                                        const Variables& variables);

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_TESTEE_PROFILE_H_
