#include "api/compatibility.h"

#include <array>
#include <cctype>

#include "base/check.h"

namespace assay::api {
namespace {

struct Gate {
  std::string_view name;
  bool enabled_by_default;
  bool locked = false;
  Level since = Level::k1_36;
};

// The gates that the schema's fields name, and those that dynamic resource allocation has besides,
// with their defaults in 1.36.3 (pkg/features/kube_features.go and apiserver's); 1.37 adds alpha
// gates and keeps the others.
constexpr std::array kGates = {
    Gate{"CSIServiceAccountTokenSecrets", true, true},
    Gate{"ClusterTrustBundleProjection", false},
    Gate{"ContainerRestartRules", true},
    Gate{"ContainerStopSignals", false},
    Gate{"CoordinatedLeaderElection", false},
    Gate{"CrossNamespaceVolumeDataSource", false},
    Gate{"DRAAdminAccess", true, true},
    Gate{"DRAConsumableCapacity", true},
    Gate{"DRADeviceBindingConditions", true},
    Gate{"DRADeviceTaintRules", false},
    Gate{"DRADeviceTaints", true},
    Gate{"DRAExtendedResource", true},
    Gate{"DRAFractionalCapacityRange", false, false, Level::k1_37},
    Gate{"DRAListTypeAttributes", false},
    Gate{"DRANodeAllocatableResources", false},
    Gate{"DRAOptionalNodeOperations", false, false, Level::k1_37},
    Gate{"DRAPartitionableDevices", true},
    Gate{"DRAPartitionableDevicesType", false, false, Level::k1_37},
    Gate{"DRAPrioritizedList", true},
    Gate{"DRAResourceClaimDeviceStatus", true},
    Gate{"DRAResourceClaimGranularStatusAuthorization", true},
    Gate{"DRAResourcePoolStatus", false},
    Gate{"DRASchedulerFilterTimeout", true},
    Gate{"DRAWorkloadResourceClaims", false},
    Gate{"DynamicResourceAllocation", true, true},
    Gate{"EnvFiles", true},
    Gate{"GangScheduling", false},
    Gate{"GenericWorkload", false},
    Gate{"HPAConfigurableTolerance", true},
    Gate{"HostnameOverride", true},
    Gate{"ImageVolumeWithDigest", false},
    Gate{"InPlacePodLevelResourcesVerticalScaling", true},
    Gate{"InPlacePodVerticalScaling", true, true},
    Gate{"KubeletPodResourcesDynamicResources", true, true},
    Gate{"KubeletPodResourcesGet", true, true},
    Gate{"MaxUnavailableStatefulSet", false},
    Gate{"MutableCSINodeAllocatableCount", true, true},
    Gate{"NodeDeclaredFeatures", true},
    Gate{"PodCertificateRequest", false},
    Gate{"PodLevelResources", true},
    Gate{"ResourceHealthStatus", true},
    Gate{"ResourceHealthStatusMessage", true},
    Gate{"SELinuxChangePolicy", true, true},
    Gate{"SELinuxMountReadWriteOncePod", true, true},
    Gate{"ShardedListAndWatch", false},
    Gate{"SupplementalGroupsPolicy", true, true},
    Gate{"TopologyAwareWorkloadScheduling", false},
    Gate{"VolumeAttributesClass", true, true},
    Gate{"VolumeLimitScaling", false},
    Gate{"WorkloadAwarePreemption", false},
};

const Gate* FindGate(std::string_view name) {
  for (const Gate& gate : kGates) {
    if (gate.name == name) {
      return &gate;
    }
  }
  return nullptr;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

// The spellings of Go's strconv.ParseBool.
Result<bool> ParseBool(std::string_view text) {
  for (std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) {
      return true;
    }
  }
  for (std::string_view no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) {
      return false;
    }
  }
  return InvalidArgumentError("no boolean: " + std::string(text));
}

}  // namespace

std::string_view LevelName(Level level) {
  switch (level) {
    case Level::k1_36:
      return "1.36";
    case Level::k1_37:
      return "1.37";
  }
  return "";
}

Result<Level> ParseLevel(std::string_view text) {
  for (Level level : {Level::k1_36, Level::k1_37}) {
    if (text == LevelName(level)) {
      return level;
    }
  }
  return InvalidArgumentError("unknown compatibility level \"" + std::string(text) +
                              "\": expected 1.36 or 1.37");
}

Compatibility::Compatibility(Level level) : level_(level) {
  for (const Gate& gate : kGates) {
    if (gate.since <= level) {
      gates_.emplace(gate.name, gate.enabled_by_default);
    }
  }
}

Result<Compatibility> Compatibility::Parse(std::string_view level, std::string_view gates) {
  ASSAY_ASSIGN_OR_RETURN(Level parsed_level, ParseLevel(level));
  Compatibility compatibility(parsed_level);
  while (!gates.empty()) {
    std::size_t comma = gates.find(',');
    std::string_view entry = Trim(gates.substr(0, comma));
    gates = comma == std::string_view::npos ? "" : gates.substr(comma + 1);
    if (entry.empty()) {
      continue;
    }
    std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) {
      return InvalidArgumentError("missing bool value for " + std::string(entry));
    }
    std::string_view name = Trim(entry.substr(0, equals));
    std::string_view text = Trim(entry.substr(equals + 1));
    Result<bool> value = ParseBool(text);
    if (!value.ok()) {
      return InvalidArgumentError("invalid value of " + std::string(name) + "=" +
                                  std::string(text) + ", expected true or false");
    }
    ASSAY_RETURN_IF_ERROR(compatibility.Set(name, *value));
  }
  return compatibility;
}

bool Compatibility::Enabled(std::string_view gate) const {
  auto found = gates_.find(gate);
  if (found != gates_.end()) {
    return found->second;
  }
  ASSAY_CHECK(FindGate(gate) != nullptr) << "unknown feature gate " << gate;
  return false;
}

Status Compatibility::Set(std::string_view gate, bool enabled) {
  auto found = gates_.find(gate);
  if (found == gates_.end()) {
    return InvalidArgumentError("unrecognized feature gate: " + std::string(gate));
  }
  const Gate* known = FindGate(gate);
  if (known->locked && enabled != known->enabled_by_default) {
    return InvalidArgumentError("cannot set feature gate " + std::string(gate) + " to " +
                                (enabled ? "true" : "false") + ", feature is locked to " +
                                (known->enabled_by_default ? "true" : "false"));
  }
  found->second = enabled;
  return OkStatus();
}

}  // namespace assay::api
