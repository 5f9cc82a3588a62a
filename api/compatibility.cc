#include "api/compatibility.h"

#include <array>
#include <cctype>

#include "base/check.h"

namespace assay::api {
namespace {

// What a gate is at one level.
enum class Stage : std::uint8_t {
  kAbsent,    // The level does not know it.
  kOff,       // alpha, or a beta that is off
  kOn,        // beta, or GA
  kLockedOn,  // GA, and cannot be turned off
};

struct Gate {
  std::string_view name;
  Stage in_1_36;
  Stage in_1_37;

  constexpr Gate(std::string_view the_name, Stage both)
      : name(the_name), in_1_36(both), in_1_37(both) {}
  constexpr Gate(std::string_view the_name, Stage first, Stage second)
      : name(the_name), in_1_36(first), in_1_37(second) {}
  Stage At(Level level) const { return level == Level::k1_36 ? in_1_36 : in_1_37; }
};

bool IsOn(Stage stage) { return stage == Stage::kOn || stage == Stage::kLockedOn; }

// The gates that the schema's fields name, and those that dynamic resource allocation has besides,
// with their stages in 1.36.3 and in 1.37 (pkg/features/kube_features.go and apiserver's).
constexpr std::array kGates = {
    Gate{"CSIServiceAccountTokenSecrets", Stage::kLockedOn},
    Gate{"ClusterTrustBundleProjection", Stage::kOff},
    Gate{"CompositePodGroup", Stage::kAbsent, Stage::kOff},
    Gate{"ContainerRestartRules", Stage::kOn},
    Gate{"ContainerStopSignals", Stage::kOff},
    Gate{"CoordinatedLeaderElection", Stage::kOff},
    Gate{"CrossNamespaceVolumeDataSource", Stage::kOff},
    Gate{"DRAAdminAccess", Stage::kLockedOn},
    Gate{"DRAConsumableCapacity", Stage::kOn},
    Gate{"DRADerivedAttributes", Stage::kAbsent, Stage::kOff},
    Gate{"DRADeviceBindingConditions", Stage::kOn},
    Gate{"DRADeviceCompatibilityGroups", Stage::kAbsent, Stage::kOff},
    Gate{"DRADeviceTaintRules", Stage::kOff, Stage::kOn},
    Gate{"DRADeviceTaints", Stage::kOn},
    Gate{"DRAExtendedResource", Stage::kOn, Stage::kLockedOn},
    Gate{"DRAFractionalCapacityRange", Stage::kAbsent, Stage::kOn},
    Gate{"DRAListTypeAttributes", Stage::kOff},
    Gate{"DRANodeAllocatableResources", Stage::kOff},
    Gate{"DRAOptionalNodeOperations", Stage::kAbsent, Stage::kOff},
    Gate{"DRAPartitionableDevices", Stage::kOn},
    Gate{"DRAPartitionableDevicesType", Stage::kAbsent, Stage::kOff},
    Gate{"DRAPrioritizedList", Stage::kOn, Stage::kLockedOn},
    Gate{"DRAResourceClaimDeviceStatus", Stage::kOn, Stage::kLockedOn},
    Gate{"DRAResourceClaimGranularStatusAuthorization", Stage::kOn},
    Gate{"DRAResourcePoolStatus", Stage::kOff},
    Gate{"DRASchedulerFilterTimeout", Stage::kOn},
    Gate{"DRAWorkloadResourceClaims", Stage::kOff},
    Gate{"DynamicResourceAllocation", Stage::kLockedOn},
    Gate{"EnvFiles", Stage::kOn},
    Gate{"GangScheduling", Stage::kOff},
    Gate{"GenericWorkload", Stage::kOff},
    Gate{"HPAConfigurableTolerance", Stage::kOn},
    Gate{"HostnameOverride", Stage::kOn},
    Gate{"ImageVolumeWithDigest", Stage::kOff},
    Gate{"InPlacePodLevelResourcesVerticalScaling", Stage::kOn},
    Gate{"InPlacePodVerticalScaling", Stage::kLockedOn},
    Gate{"KubeletPodResourcesDynamicResources", Stage::kLockedOn},
    Gate{"KubeletPodResourcesGet", Stage::kLockedOn},
    Gate{"MaxUnavailableStatefulSet", Stage::kOff},
    Gate{"MutableCSINodeAllocatableCount", Stage::kLockedOn},
    Gate{"NodeDeclaredFeatures", Stage::kOn, Stage::kLockedOn},
    Gate{"PodCertificateRequest", Stage::kOff},
    Gate{"PodGroupPreemptionPolicy", Stage::kAbsent, Stage::kOff},
    Gate{"PodLevelResources", Stage::kOn},
    Gate{"ResourceHealthStatus", Stage::kOn},
    Gate{"ResourceHealthStatusMessage", Stage::kOn},
    Gate{"SELinuxChangePolicy", Stage::kLockedOn},
    Gate{"SELinuxMountReadWriteOncePod", Stage::kLockedOn},
    Gate{"ShardedListAndWatch", Stage::kOff},
    Gate{"SupplementalGroupsPolicy", Stage::kLockedOn},
    Gate{"TopologyAwareWorkloadScheduling", Stage::kOff},
    Gate{"VolumeAttributesClass", Stage::kLockedOn},
    Gate{"VolumeLimitScaling", Stage::kOff, Stage::kOn},
    Gate{"WorkloadAwarePreemption", Stage::kOff},
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
    if (gate.At(level) != Stage::kAbsent) {
      gates_.emplace(gate.name, IsOn(gate.At(level)));
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
  if (FindGate(gate)->At(level_) == Stage::kLockedOn && !enabled) {
    return InvalidArgumentError("cannot set feature gate " + std::string(gate) +
                                " to false, feature is locked to true");
  }
  found->second = enabled;
  return OkStatus();
}

}  // namespace assay::api
