#include "conformance/lab/claim.h"

#include <utility>

namespace assay::conformance {
namespace {

using api::resource::ResourceClaim;

std::vector<api::resource::DeviceToleration> TolerationsOf(const RequestOptions& options) {
  if (options.tolerated_taint.empty()) {
    return {};
  }
  return {{.key = options.tolerated_taint, .operator_ = "Exists"}};
}

api::resource::DeviceRequest SpecOf(const RequestOptions& options) {
  api::resource::DeviceRequest request;
  request.name = options.name;
  const auto count = static_cast<std::int64_t>(options.devices.size());
  // An allocation without devices is what allocation mode All gives where nothing matches.
  const std::string mode = count == 0 ? "All" : "ExactCount";
  if (options.subrequest.empty()) {
    request.exactly.emplace();
    request.exactly->device_class_name = std::string(kDeviceClass);
    request.exactly->allocation_mode = mode;
    request.exactly->count = count;
    request.exactly->tolerations = TolerationsOf(options);
    if (options.admin_access) {
      request.exactly->admin_access = true;
    }
    return request;
  }
  for (const std::string& name : {options.other_subrequest, options.subrequest}) {
    if (name.empty()) {
      continue;
    }
    api::resource::DeviceSubRequest alternative;
    alternative.name = name;
    alternative.device_class_name = std::string(kDeviceClass);
    alternative.allocation_mode = mode;
    alternative.count = count;
    alternative.tolerations = TolerationsOf(options);
    request.first_available.push_back(std::move(alternative));
  }
  return request;
}

// Of a claim's spec, or of its allocation.
template <typename Config>
Config ConfigOf(const ConfigOptions& options, const std::string& driver) {
  Config config;
  config.requests = options.requests;
  config.opaque.emplace();
  config.opaque->driver = options.driver.empty() ? driver : options.driver;
  config.opaque->parameters.json = options.parameters;
  return config;
}

api::resource::DeviceAllocationConfiguration AllocatedConfigOf(const ConfigOptions& options,
                                                               const std::string& driver) {
  auto config = ConfigOf<api::resource::DeviceAllocationConfiguration>(options, driver);
  config.source = options.source;
  return config;
}

}  // namespace

Result<ResourceClaim> CreateClaim(Lab& lab, const ClaimOptions& options) {
  const std::string& driver = lab.profile().driver;
  ResourceClaim claim;
  claim.metadata.namespace_ = options.namespace_;
  claim.metadata.name = options.name;
  claim.metadata.finalizers = options.finalizers;
  for (const RequestOptions& request : options.requests) {
    claim.spec.devices.requests.push_back(SpecOf(request));
  }
  for (const ConfigOptions& config : options.spec_configs) {
    claim.spec.devices.config.push_back(
        ConfigOf<api::resource::DeviceClaimConfiguration>(config, driver));
  }
  ASSAY_ASSIGN_OR_RETURN(ResourceClaim created, lab.admin().Create(std::move(claim)));
  if (!options.allocated) {
    return created;
  }
  api::resource::AllocationResult& allocation = created.status.allocation.emplace();
  for (const RequestOptions& request : options.requests) {
    for (const DeviceRef& device : request.devices) {
      api::resource::DeviceRequestAllocationResult result;
      result.request =
          request.subrequest.empty() ? request.name : request.name + "/" + request.subrequest;
      result.driver = device.driver.empty() ? driver : device.driver;
      result.pool = device.pool;
      result.device = device.name;
      result.binding_conditions = device.binding_conditions;
      result.binding_failure_conditions = device.binding_failure_conditions;
      if (!device.share_id.empty()) {
        result.share_id = device.share_id;
        result.consumed_capacity = device.consumed_capacity;
      }
      result.tolerations = TolerationsOf(request);
      if (request.admin_access) {
        result.admin_access = true;
      }
      allocation.devices.results.push_back(std::move(result));
    }
  }
  // As the scheduler does for devices of one node; also what makes the driver's writes of the
  // claim's status those of an associated node.
  auto& term = allocation.node_selector.emplace().node_selector_terms.emplace_back();
  term.match_fields.push_back(
      {.key = "metadata.name", .operator_ = "In", .values = {std::string(kNodeName)}});
  if (options.profile_config && !lab.profile().config.empty()) {
    allocation.devices.config.push_back(
        AllocatedConfigOf({.parameters = lab.profile().config}, driver));
  }
  for (const ConfigOptions& config : options.configs) {
    allocation.devices.config.push_back(AllocatedConfigOf(config, driver));
  }
  for (int pod = 0; pod < options.pods; ++pod) {
    created.status.reserved_for.push_back(
        {.resource = "pods", .name = "pod-" + std::to_string(pod), .uid = lab.NewUid()});
  }
  return lab.admin().UpdateStatus(std::move(created));
}

controlplane::node::ClaimReference ReferenceTo(const ResourceClaim& claim) {
  return {.namespace_ = claim.metadata.namespace_,
          .name = claim.metadata.name,
          .uid = claim.metadata.uid};
}

}  // namespace assay::conformance
