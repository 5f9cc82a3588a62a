#include "driver-ref/prepare/allocation.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <optional>

#include "driver-ref/mutants.h"
#include "driver-ref/prepare/gpu_config.h"

namespace assay::driver_ref::prepare {
namespace {

using api::resource::AllocatedDeviceStatus;
using api::resource::AllocationResult;
using api::resource::DeviceAllocationConfiguration;
using api::resource::DeviceRequestAllocationResult;
using api::resource::ResourceClaim;

std::string BaseRequest(const std::string& request) {
  return mutants::Is("keeps-subrequest") ? request : cdi::BaseRequest(request);
}

bool IsOwn(const DeviceRequestAllocationResult& result, const std::string& driver_name) {
  return result.driver == driver_name || mutants::Is("foreign-devices");
}

// A configuration without requests is for all of them; "request" is for its subrequests too.
bool IsFor(const DeviceAllocationConfiguration& config, const std::string& request) {
  if (config.requests.empty()) {
    return !mutants::Is("config-needs-request");
  }
  return std::ranges::any_of(config.requests, [&](const std::string& name) {
    return name == request || name == BaseRequest(request) ||
           (mutants::Is("config-of-alternatives") && BaseRequest(name) == BaseRequest(request));
  });
}

// For a mutant: what the claim asked for in the place of what it got.
AllocationResult WithConfigOfSpec(const ResourceClaim& claim) {
  AllocationResult allocation = *claim.status.allocation;
  allocation.devices.config.clear();
  for (const auto& config : claim.spec.devices.config) {
    DeviceAllocationConfiguration& copy = allocation.devices.config.emplace_back();
    copy.source = "FromClaim";
    copy.requests = config.requests;
    copy.opaque = config.opaque;
  }
  return allocation;
}

// What the allocation's configurations for this driver say for the request.
Result<DeviceConfig> ConfigFor(const AllocationResult& allocation, const std::string& request,
                               const std::string& driver_name) {
  DeviceConfig config;
  const auto& configs = allocation.devices.config;
  for (const bool of_class : {true, false}) {
    for (std::size_t i = 0; i < configs.size(); ++i) {
      if ((configs[i].source == "FromClass") != of_class || !configs[i].opaque ||
          configs[i].opaque->driver != driver_name || !IsFor(configs[i], request)) {
        continue;
      }
      Result<DeviceConfig> parsed = ParseDeviceConfig(configs[i].opaque->parameters.json);
      if (!parsed.ok()) {
        return parsed.status().WithContext("status.allocation.devices.config[" + std::to_string(i) +
                                           "].opaque.parameters (" + configs[i].source + ")");
      }
      config = *parsed;
    }
  }
  return config;
}

// The scheduler lets no pod come here before; somebody else who writes a pod's node might.
Status CheckBound(const ResourceClaim& claim, const DeviceRequestAllocationResult& result) {
  const AllocatedDeviceStatus* const status = StatusOf(claim, KeyOf(result));
  for (const std::string& type : result.binding_conditions) {
    const api::meta::Condition* const condition = ConditionOf(status, type);
    if (condition == nullptr || condition->status != "True") {
      return FailedPreconditionError("device " + result.pool + "/" + result.device +
                                     ": its binding condition " + type + " is not True");
    }
  }
  return OkStatus();
}

// The name that the claim's pod has for it, if the claim was made from a template. Users can write
// the annotation too, and it becomes part of a path: what is no DNS label is none of Kubernetes'.
std::optional<std::string> PodClaimName(const ResourceClaim& claim) {
  const auto found = claim.metadata.annotations.find("resource.kubernetes.io/pod-claim-name");
  if (found == claim.metadata.annotations.end() || found->second.empty() ||
      found->second.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") !=
          std::string::npos) {
    return std::nullopt;
  }
  return found->second;
}

}  // namespace

DeviceKey KeyOf(const DeviceRequestAllocationResult& result) {
  return {result.driver, result.pool, result.device, result.share_id};
}

const AllocatedDeviceStatus* StatusOf(const ResourceClaim& claim, const DeviceKey& key) {
  const auto found = std::ranges::find_if(claim.status.devices, [&](const auto& status) {
    return DeviceKey{status.driver, status.pool, status.device, status.share_id} == key;
  });
  return found == claim.status.devices.end() ? nullptr : &*found;
}

const api::meta::Condition* ConditionOf(const AllocatedDeviceStatus* status,
                                        const std::string& type) {
  if (status == nullptr) {
    return nullptr;
  }
  const auto found = std::ranges::find(status->conditions, type, &api::meta::Condition::type);
  return found == status->conditions.end() ? nullptr : &*found;
}

Result<std::vector<DeviceRecord>> DevicesOf(const ResourceClaim& claim, const std::string& uid,
                                            const std::string& driver_name) {
  if (claim.metadata.uid != uid) {
    return FailedPreconditionError("the claim of this name has the UID " + claim.metadata.uid +
                                   " now");
  }
  if (mutants::Is("crashes-without-allocation") && !claim.status.allocation) {
    std::abort();
  }
  if (!claim.status.allocation) {
    return FailedPreconditionError("the claim is not allocated");
  }
  std::optional<AllocationResult> mutated;
  if (mutants::Is("config-from-spec")) {
    mutated = WithConfigOfSpec(claim);
  }
  const AllocationResult& allocation = mutated ? *mutated : *claim.status.allocation;
  std::vector<DeviceRecord> devices;
  for (const DeviceRequestAllocationResult& result : allocation.devices.results) {
    if (!IsOwn(result, driver_name) ||
        (mutants::Is("drops-subrequests") && result.request.find('/') != std::string::npos)) {
      continue;
    }
    if (!mutants::Is("prepares-unbound")) {
      ASSAY_RETURN_IF_ERROR(CheckBound(claim, result));
    }
    const std::string request = BaseRequest(result.request);
    ASSAY_ASSIGN_OR_RETURN(const DeviceConfig config,
                           ConfigFor(allocation, result.request, driver_name));
    const auto same = std::ranges::find_if(devices, [&](const DeviceRecord& device) {
      return device.pool == result.pool && device.device == result.device &&
             device.share_id == result.share_id;
    });
    if (same != devices.end()) {
      if (!mutants::Is("first-request-only")) {
        same->requests.push_back(request);
      }
      continue;
    }
    devices.push_back({.pool = result.pool,
                       .device = result.device,
                       .requests = {request},
                       .share_id = result.share_id,
                       .admin_access = result.admin_access.value_or(false)});
    devices.back().mig_profile = config.mig_profile;
    if (config.settings != discovery::GpuSettings() && !devices.back().admin_access) {
      devices.back().settings.emplace().wanted = config.settings;
    }
  }
  if (mutants::Is("first-device-again")) {
    for (DeviceRecord& device : devices) {
      device.pool = devices.front().pool;
      device.device = devices.front().device;
    }
  }
  return devices;
}

cdi::ClaimMetadata MetadataOf(
    const ResourceClaim& claim, const std::string& driver_name,
    const std::function<std::map<std::string, api::resource::DeviceAttribute>(
        const std::string& device)>& attributes_of) {
  cdi::ClaimMetadata metadata{.namespace_ = claim.metadata.namespace_,
                              .name = claim.metadata.name,
                              .uid = claim.metadata.uid,
                              .pod_claim_name = PodClaimName(claim),
                              .requests = {}};
  for (const DeviceRequestAllocationResult& result : claim.status.allocation->devices.results) {
    if (!IsOwn(result, driver_name)) {
      continue;
    }
    cdi::DeviceMetadata& device = metadata.requests[result.request].emplace_back();
    device.pool = result.pool;
    device.device = result.device;
    device.attributes = attributes_of(result.device);
    if (const AllocatedDeviceStatus* const status = StatusOf(claim, KeyOf(result))) {
      device.network_data = status->network_data;
    }
  }
  return metadata;
}

}  // namespace assay::driver_ref::prepare
