#include "api/validation/core_rules.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <vector>

#include "api/meta/quantity.h"
#include "api/validation/go_json.h"
#include "api/validation/metadata.h"
#include "api/validation/validators.h"

namespace assay::api::validation {
namespace {

using Resources = std::map<std::string, meta::Quantity>;

MetadataRules PodMetadataRules() { return {.namespaced = true, .name_rule = NameIsDnsSubdomain}; }
MetadataRules NodeMetadataRules() { return {.name_rule = NameIsDnsSubdomain}; }

FieldErrors ValidateNotNegative(const Resources& resources, const FieldPath& path) {
  FieldErrors errors;
  for (const auto& [name, quantity] : resources) {
    if (quantity.Sign() < 0) {
      errors.push_back(
          Invalid(path.Key(name), quantity.ToString(), "must be greater than or equal to 0"));
    }
  }
  return errors;
}

// cpu, memory and hugepages are the resources of which limits may exceed requests.
bool IsOvercommitAllowed(std::string_view name) {
  return IsNativeResource(name) && !name.starts_with("hugepages-");
}

FieldErrors ValidateResources(const core::ResourceRequirements& resources,
                              const std::set<std::string>& pod_claims, const FieldPath& path) {
  FieldErrors errors = ValidateNotNegative(resources.limits, path.Child("limits"));
  Append(errors, ValidateNotNegative(resources.requests, path.Child("requests")));
  for (const auto& [name, request] : resources.requests) {
    const auto limit = resources.limits.find(name);
    const FieldPath item = path.Child("requests");
    if (limit == resources.limits.end()) {
      if (!IsOvercommitAllowed(name)) {
        errors.push_back(Required(path.Child("limits").Key(name),
                                  "Limit must be set for non overcommitable resources"));
      }
    } else if (!IsOvercommitAllowed(name) && request != limit->second) {
      errors.push_back(
          Invalid(item, request.ToString(),
                  "must be equal to " + name + " limit of " + limit->second.ToString()));
    } else if (request > limit->second) {
      errors.push_back(Invalid(
          item, request.ToString(),
          "must be less than or equal to " + name + " limit of " + limit->second.ToString()));
    }
  }
  std::set<std::string> seen;
  for (std::size_t i = 0; i < resources.claims.size(); ++i) {
    const core::ResourceClaim& claim = resources.claims[i];
    const FieldPath item = path.Child("claims").Index(i);
    if (claim.name.empty()) {
      errors.push_back(Required(item.Child("name")));
      continue;
    }
    if (!seen.insert(claim.name + '/' + claim.request).second) {
      errors.push_back(claim.request.empty() ? Duplicate(item, claim.name)
                                             : Duplicate(item, claim.name + "/" + claim.request));
    }
    if (!claim.request.empty()) {
      Append(errors, ValidateDns1123Label(claim.request, item.Child("request")));
    }
    if (!pod_claims.contains(claim.name)) {
      errors.push_back(NotFound(item.Child("name"), claim.name));
    }
  }
  return errors;
}

template <typename Container>
FieldErrors ValidateContainer(const Container& container, const std::set<std::string>& claims,
                              std::set<std::string>& names, const FieldPath& path) {
  FieldErrors errors;
  if (container.name.empty()) {
    errors.push_back(Required(path.Child("name")));
  } else {
    Append(errors, ValidateDns1123Label(container.name, path.Child("name")));
    if (!names.insert(container.name).second) {
      errors.push_back(Duplicate(path.Child("name"), container.name));
    }
  }
  if (container.image.empty()) {
    errors.push_back(Required(path.Child("image")));
  } else if (container.image.front() == ' ' || container.image.back() == ' ') {
    errors.push_back(Invalid(path.Child("image"), container.image,
                             "must not have leading or trailing whitespace"));
  }
  constexpr std::array<std::string_view, 3> kPolicies = {"Always", "IfNotPresent", "Never"};
  if (container.image_pull_policy.empty()) {
    errors.push_back(Required(path.Child("imagePullPolicy")));
  } else if (std::find(kPolicies.begin(), kPolicies.end(), container.image_pull_policy) ==
             kPolicies.end()) {
    errors.push_back(NotSupported(path.Child("imagePullPolicy"), container.image_pull_policy,
                                  {"Always", "IfNotPresent", "Never"}));
  }
  Append(errors, ValidateResources(container.resources, claims, path.Child("resources")));
  return errors;
}

FieldErrors ValidatePodResourceClaims(const core::Pod& pod, const FieldPath& path) {
  constexpr std::string_view kMirrorPod = "kubernetes.io/config.mirror";
  FieldErrors errors;
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < pod.spec.resource_claims.size(); ++i) {
    const core::PodResourceClaim& claim = pod.spec.resource_claims[i];
    const FieldPath item = path.Index(i);
    if (pod.metadata.annotations.contains(std::string(kMirrorPod))) {
      FieldError error = Forbidden(FieldPath(), "static pods do not support resource claims");
      error.field = "[]";  // How upstream prints a path of one empty name.
      errors.push_back(std::move(error));
      continue;
    }
    if (claim.name.empty()) {
      errors.push_back(Required(item.Child("name")));
    } else if (!names.insert(claim.name).second) {
      errors.push_back(Duplicate(item.Child("name"), claim.name));
    } else {
      Append(errors, ValidateDns1123Label(claim.name, item.Child("name")));
    }
    const bool has_claim = claim.resource_claim_name.has_value();
    const bool has_template = claim.resource_claim_template_name.has_value();
    if (has_claim && has_template) {
      errors.push_back(InvalidJson(item, GoJsonOf(claim),
                                   "at most one of `resourceClaimName` or "
                                   "`resourceClaimTemplateName` may be specified"));
    }
    if (!has_claim && !has_template) {
      errors.push_back(
          InvalidJson(item, GoJsonOf(claim),
                      "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"));
    }
    if (has_claim) {
      Append(errors,
             ValidateDns1123Subdomain(*claim.resource_claim_name, item.Child("resourceClaimName")));
    }
    if (has_template) {
      Append(errors, ValidateDns1123Subdomain(*claim.resource_claim_template_name,
                                              item.Child("resourceClaimTemplateName")));
    }
  }
  return errors;
}

FieldErrors ValidatePodSpec(const core::Pod& pod, const FieldPath& path) {
  const core::PodSpec& spec = pod.spec;
  FieldErrors errors;
  std::set<std::string> claims;
  for (const core::PodResourceClaim& claim : spec.resource_claims) {
    claims.insert(claim.name);
  }
  std::set<std::string> names;
  if (spec.containers.empty()) {
    errors.push_back(Required(path.Child("containers")));
  }
  const auto validate = [&](const auto& container, const FieldPath& item) {
    return ValidateContainer(container, claims, names, item);
  };
  Append(errors, ValidateSlice(spec.containers, kNoLimit, path.Child("containers"), validate));
  Append(errors,
         ValidateSlice(spec.init_containers, kNoLimit, path.Child("initContainers"), validate));
  Append(errors, ValidatePodResourceClaims(pod, path.Child("resourceClaims")));
  if (spec.restart_policy != "Always" && spec.restart_policy != "OnFailure" &&
      spec.restart_policy != "Never") {
    errors.push_back(spec.restart_policy.empty()
                         ? Required(path.Child("restartPolicy"))
                         : NotSupported(path.Child("restartPolicy"), spec.restart_policy,
                                        {"Always", "OnFailure", "Never"}));
  }
  if (spec.dns_policy != "ClusterFirst" && spec.dns_policy != "ClusterFirstWithHostNet" &&
      spec.dns_policy != "Default" && spec.dns_policy != "None") {
    errors.push_back(
        spec.dns_policy.empty()
            ? Required(path.Child("dnsPolicy"))
            : NotSupported(path.Child("dnsPolicy"), spec.dns_policy,
                           {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"}));
  }
  Append(errors, ValidateLabels(spec.node_selector, path.Child("nodeSelector")));
  if (!spec.node_name.empty()) {
    Append(errors, ValidateDns1123Subdomain(spec.node_name, path.Child("nodeName")));
  }
  if (!spec.service_account_name.empty()) {
    Append(errors,
           ValidateDns1123Subdomain(spec.service_account_name, path.Child("serviceAccountName")));
  }
  if (spec.active_deadline_seconds.has_value() &&
      (*spec.active_deadline_seconds < 1 ||
       *spec.active_deadline_seconds > std::numeric_limits<std::int32_t>::max())) {
    errors.push_back(Invalid(path.Child("activeDeadlineSeconds"), *spec.active_deadline_seconds,
                             "must be between 1 and 2147483647, inclusive"));
  }
  if (spec.affinity.has_value() && spec.affinity->node_affinity.has_value() &&
      spec.affinity->node_affinity->required_during_scheduling_ignored_during_execution
          .has_value()) {
    Append(errors,
           ValidateNodeSelector(
               *spec.affinity->node_affinity->required_during_scheduling_ignored_during_execution,
               path.Child("affinity")
                   .Child("nodeAffinity")
                   .Child("requiredDuringSchedulingIgnoredDuringExecution")));
  }
  std::set<std::string_view> gates;
  for (std::size_t i = 0; i < spec.scheduling_gates.size(); ++i) {
    const std::string& name = spec.scheduling_gates[i].name;
    Append(errors,
           InvalidFor(CheckQualifiedName(name), name, path.Child("schedulingGates").Index(i)));
    if (!gates.insert(name).second) {
      errors.push_back(Duplicate(path.Child("schedulingGates").Index(i), name));
    }
  }
  return errors;
}

FieldErrors ValidateResourceClaimStatuses(const core::Pod& pod, const FieldPath& path) {
  FieldErrors errors;
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < pod.status.resource_claim_statuses.size(); ++i) {
    const core::PodResourceClaimStatus& status = pod.status.resource_claim_statuses[i];
    const FieldPath item = path.Index(i);
    if (std::none_of(pod.spec.resource_claims.begin(), pod.spec.resource_claims.end(),
                     [&](const auto& claim) { return claim.name == status.name; })) {
      errors.push_back(Invalid(item.Child("name"), status.name,
                               "must match the name of an entry in `spec.resourceClaims`"));
    }
    if (!names.insert(status.name).second) {
      errors.push_back(Duplicate(item.Child("name"), status.name));
    }
    if (status.resource_claim_name.has_value()) {
      for (const std::string& problem : CheckDns1123Subdomain(*status.resource_claim_name)) {
        errors.push_back(
            Invalid(item.Child("resourceClaimName"), *status.resource_claim_name, problem));
      }
    }
  }
  return errors;
}

FieldErrors ValidateExtendedResourceClaimStatus(const core::Pod& pod, const FieldPath& path) {
  if (!pod.status.extended_resource_claim_status.has_value()) {
    return {};
  }
  const core::PodExtendedResourceClaimStatus& status = *pod.status.extended_resource_claim_status;
  std::map<std::string_view, const core::Container*> containers;
  for (const auto* list : {&pod.spec.init_containers, &pod.spec.containers}) {
    for (const core::Container& container : *list) {
      containers[container.name] = &container;
    }
  }
  FieldErrors errors;
  const FieldPath mappings = path.Child("requestMappings");
  if (status.request_mappings.empty()) {
    errors.push_back(Required(mappings, "at least one request mapping is required"));
  }
  std::set<std::tuple<std::string, std::string, std::string>> seen;
  for (std::size_t i = 0; i < status.request_mappings.size(); ++i) {
    const core::ContainerExtendedResourceRequest& mapping = status.request_mappings[i];
    const FieldPath item = mappings.Index(i);
    const auto container = containers.find(mapping.container_name);
    if (container == containers.end()) {
      errors.push_back(Invalid(item.Child("containerName"), mapping.container_name,
                               "must match the name of an entry in spec.initContainers.name or "
                               "spec.containers.name"));
    } else if (!container->second->resources.requests.contains(mapping.resource_name)) {
      errors.push_back(
          Invalid(item.Child("resourceName"), mapping.resource_name,
                  "must match the extended resource name of an entry in "
                  "spec.initContainers.resources.requests or spec.containers.resources.requests"));
    }
    // Upstream reports it beside the mappings, not within one.
    Append(errors, ValidateDns1123Label(mapping.request_name, path.Child("requestName")));
    if (!seen.emplace(mapping.container_name, mapping.resource_name, mapping.request_name).second) {
      errors.push_back(Duplicate(item.Child("containerName"), mapping.container_name));
      errors.push_back(Duplicate(item.Child("resourceName"), mapping.resource_name));
      errors.push_back(Duplicate(item.Child("requestName"), mapping.request_name));
    }
  }
  const FieldPath claim = path.Child("resourceClaimName");
  if (status.resource_claim_name.empty()) {
    errors.push_back(Required(claim));
  } else {
    Append(errors, ValidateDns1123Subdomain(status.resource_claim_name, claim));
  }
  return errors;
}

// Whether the container has what the entry of its status is named after.
FieldErrors ValidateAllocatedName(const core::Container& container, const std::string& name,
                                  const FieldPath& path) {
  if (!name.starts_with("claim:")) {
    return container.resources.requests.contains(name)
               ? FieldErrors{}
               : FieldErrors{
                     Invalid(path, name, "must match one of the container's resource requests")};
  }
  const auto& claims = container.resources.claims;
  const bool found = std::any_of(claims.begin(), claims.end(), [&](const auto& claim) {
    return name == "claim:" + claim.name + (claim.request.empty() ? "" : "/" + claim.request);
  });
  return found
             ? FieldErrors{}
             : FieldErrors{Invalid(path, name,
                                   "must match one of the container's resource claims in a format "
                                   "'claim:<claimName>/<request>' or 'claim:<claimName>' if "
                                   "request is empty")};
}

FieldErrors ValidateHealth(const std::vector<core::ResourceHealth>& resources,
                           const FieldPath& path) {
  constexpr std::size_t kMaxMessage = 1024;
  FieldErrors errors;
  std::set<std::string_view> ids;
  for (std::size_t i = 0; i < resources.size(); ++i) {
    const core::ResourceHealth& resource = resources[i];
    const FieldPath item = path.Index(i);
    if (resource.health != "Healthy" && resource.health != "Unhealthy" &&
        resource.health != "Unknown") {
      errors.push_back(
          NotSupported(item.Child("health"), resource.health, {"Healthy", "Unhealthy", "Unknown"}));
    }
    if (resource.message && resource.message->empty()) {
      errors.push_back(Required(item.Child("message"), "must be non-empty if specified"));
    } else if (resource.message && resource.message->size() > kMaxMessage) {
      errors.push_back(TooLong(item.Child("message"), kMaxMessage));
    }
    if (!ids.insert(resource.resource_id).second) {
      errors.push_back(Duplicate(item.Child("resourceID"), resource.resource_id));
    }
  }
  return errors;
}

FieldErrors ValidateAllocatedResources(const std::vector<core::ContainerStatus>& statuses,
                                       const std::vector<core::Container>& containers,
                                       const FieldPath& path) {
  FieldErrors errors;
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    const auto container =
        std::find_if(containers.begin(), containers.end(),
                     [&](const auto& candidate) { return candidate.name == statuses[i].name; });
    for (std::size_t j = 0; j < statuses[i].allocated_resources_status.size(); ++j) {
      const core::ResourceStatus& status = statuses[i].allocated_resources_status[j];
      const FieldPath item = path.Index(i).Child("allocatedResourcesStatus").Index(j);
      // What is told of containers that are not there is let through.
      if (container != containers.end()) {
        Append(errors, ValidateAllocatedName(*container, status.name, item.Child("name")));
      }
      Append(errors, ValidateHealth(status.resources, item.Child("resources")));
    }
  }
  return errors;
}

FieldErrors ValidateNodeAllocatableStatuses(const core::Pod& pod, const FieldPath& path) {
  FieldErrors errors;
  for (std::size_t i = 0; i < pod.status.node_allocatable_resource_claim_statuses.size(); ++i) {
    const auto& status = pod.status.node_allocatable_resource_claim_statuses[i];
    const FieldPath item = path.Index(i);
    const FieldPath claim = item.Child("resourceClaimName");
    if (status.resource_claim_name.empty()) {
      errors.push_back(Required(claim, "must not be empty"));
    }
    const auto names_claim = [&](const auto& reference) {
      return reference.resource_claim_name == status.resource_claim_name;
    };
    if (std::none_of(pod.spec.resource_claims.begin(), pod.spec.resource_claims.end(),
                     names_claim) &&
        std::none_of(pod.status.resource_claim_statuses.begin(),
                     pod.status.resource_claim_statuses.end(), names_claim)) {
      errors.push_back(
          Invalid(claim, status.resource_claim_name, "no mapping found in pod reference"));
    }
    if (status.containers.empty()) {
      errors.push_back(Required(item.Child("containers"), "must not be empty"));
    }
    const FieldPath resources = item.Child("resources");
    if (status.resources.empty()) {
      errors.push_back(Required(resources, "must not be empty"));
    }
    for (const auto& [name, quantity] : status.resources) {
      if (!IsNativeResource(name)) {
        errors.push_back(
            Invalid(resources.Key(name), name, "must be a node allocatable resource name"));
      }
      if (quantity.Sign() < 0) {
        errors.push_back(Invalid(resources.Key(name), quantity.ToString(), "must be non-negative"));
      }
    }
  }
  return errors;
}

// Containers keep their number and names; their images may change to another one.
FieldErrors ValidateContainerUpdates(const std::vector<core::Container>& containers,
                                     const std::vector<core::Container>& old, const FieldPath& path,
                                     bool* stop) {
  if (containers.size() != old.size()) {
    *stop = true;
    return {Forbidden(path, "pod updates may not add or remove containers")};
  }
  return {};
}

// `pod`'s spec with what may change set back to what it was.
core::PodSpec WithoutMutableFields(core::PodSpec spec, const core::PodSpec& old) {
  for (auto [containers, before] : {std::pair(&spec.containers, &old.containers),
                                    std::pair(&spec.init_containers, &old.init_containers)}) {
    for (std::size_t i = 0; i < containers->size(); ++i) {
      (*containers)[i].image = (*before)[i].image;
    }
  }
  spec.active_deadline_seconds = old.active_deadline_seconds;
  spec.scheduling_gates = old.scheduling_gates;
  spec.tolerations = old.tolerations;
  if (old.termination_grace_period_seconds.value_or(0) < 0 &&
      spec.termination_grace_period_seconds == 1) {
    spec.termination_grace_period_seconds = old.termination_grace_period_seconds;
  }
  if (!old.scheduling_gates.empty()) {
    // A gated pod's node constraints may still be narrowed.
    spec.node_selector = old.node_selector;
    spec.affinity = old.affinity;
  }
  return spec;
}

FieldErrors ValidateTolerationUpdate(const core::PodSpec& spec, const core::PodSpec& old,
                                     const FieldPath& path) {
  for (const core::Toleration& before : old.tolerations) {
    const bool kept =
        std::any_of(spec.tolerations.begin(), spec.tolerations.end(), [&](core::Toleration now) {
          now.toleration_seconds = before.toleration_seconds;
          return SemanticEqual(now, before);
        });
    if (!kept) {
      return {Forbidden(path,
                        "existing toleration can not be modified except its "
                        "tolerationSeconds")};
    }
  }
  return {};
}

FieldErrors ValidateGateUpdate(const core::PodSpec& spec, const core::PodSpec& old,
                               const FieldPath& path) {
  std::set<std::string> added;
  for (const core::PodSchedulingGate& gate : spec.scheduling_gates) {
    if (std::none_of(old.scheduling_gates.begin(), old.scheduling_gates.end(),
                     [&](const auto& other) { return other.name == gate.name; })) {
      added.insert(gate.name);
    }
  }
  FieldErrors errors;
  for (std::size_t i = 0; i < spec.scheduling_gates.size(); ++i) {
    const std::string& name = spec.scheduling_gates[i].name;
    if (added.contains(name)) {
      errors.push_back(Forbidden(path.Index(i).Child("name"),
                                 "only deletion is allowed, but found new "
                                 "scheduling gate '" +
                                     name + "'"));
    }
  }
  return errors;
}

bool IsQosResource(std::string_view name) { return name == "cpu" || name == "memory"; }

void AddQosResources(const Resources& from, Resources& to) {
  for (const auto& [name, quantity] : from) {
    if (IsQosResource(name) && quantity.Sign() > 0) {
      to[name].Add(quantity);
    }
  }
}

bool LimitsBoth(const Resources& limits) {
  const auto limited = [&](const char* name) {
    const auto found = limits.find(name);
    return found != limits.end() && found->second.Sign() > 0;
  };
  return limited("cpu") && limited("memory");
}

}  // namespace

std::string PodQosClass(const core::Pod& pod) {
  Resources requests;
  Resources limits;
  bool guaranteed = true;
  if (pod.spec.resources.has_value()) {
    AddQosResources(pod.spec.resources->requests, requests);
    AddQosResources(pod.spec.resources->limits, limits);
    guaranteed = pod.spec.resources->limits.empty() || LimitsBoth(pod.spec.resources->limits);
  } else {
    for (const auto* list : {&pod.spec.containers, &pod.spec.init_containers}) {
      for (const core::Container& container : *list) {
        AddQosResources(container.resources.requests, requests);
        AddQosResources(container.resources.limits, limits);
        guaranteed = guaranteed && LimitsBoth(container.resources.limits);
      }
    }
  }
  if (requests.empty() && limits.empty()) {
    return "BestEffort";
  }
  return guaranteed && requests == limits ? "Guaranteed" : "Burstable";
}

FieldErrors ValidatePod(const core::Pod& pod) {
  FieldErrors errors = ValidateObjectMeta(pod.metadata, PodMetadataRules(), FieldPath("metadata"));
  Append(errors, ValidatePodSpec(pod, FieldPath("spec")));
  return errors;
}

FieldErrors ValidatePodUpdate(const core::Pod& pod, const core::Pod& old) {
  const FieldPath metadata("metadata");
  const FieldPath spec("spec");
  FieldErrors errors = ValidateObjectMetaUpdate(pod.metadata, old.metadata, true, metadata);
  Append(errors, ValidateObjectMeta(pod.metadata, PodMetadataRules(), metadata));
  Append(errors, ValidatePodSpec(pod, spec));
  bool stop = false;
  Append(errors, ValidateContainerUpdates(pod.spec.containers, old.spec.containers,
                                          spec.Child("containers"), &stop));
  if (!stop) {
    Append(errors, ValidateContainerUpdates(pod.spec.init_containers, old.spec.init_containers,
                                            spec.Child("initContainers"), &stop));
  }
  if (stop) {
    return errors;
  }
  const FieldPath deadline = spec.Child("activeDeadlineSeconds");
  const auto& now_deadline = pod.spec.active_deadline_seconds;
  const auto& old_deadline = old.spec.active_deadline_seconds;
  if (!now_deadline.has_value() && old_deadline.has_value()) {
    errors.push_back(
        InvalidJson(deadline, "null", "must not update from a positive integer to nil value"));
  } else if (now_deadline.has_value() && old_deadline.has_value() &&
             *old_deadline < *now_deadline) {
    errors.push_back(
        Invalid(deadline, *now_deadline, "must be less than or equal to previous value"));
    return errors;
  }
  Append(errors, ValidateTolerationUpdate(pod.spec, old.spec, spec.Child("tolerations")));
  Append(errors, ValidateGateUpdate(pod.spec, old.spec, spec.Child("schedulingGates")));
  core::PodSpec munged = WithoutMutableFields(pod.spec, old.spec);
  if (now_deadline.has_value()) {
    munged.active_deadline_seconds = old.spec.active_deadline_seconds;
  }
  if (!SemanticEqual(munged, old.spec)) {
    // Upstream appends a textual difference, which has no fixed form.
    errors.push_back(
        Forbidden(spec,
                  "pod updates may not change fields other than `spec.containers[*].image`,"
                  "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
                  "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
                  "(allow it to be set to 1 if it was previously negative)"));
  }
  return errors;
}

FieldErrors ValidatePodStatusUpdate(const core::Pod& pod, const core::Pod& old) {
  FieldErrors errors =
      ValidateObjectMetaUpdate(pod.metadata, old.metadata, true, FieldPath("metadata"));
  const FieldPath status("status");
  if (pod.status.nominated_node_name != old.status.nominated_node_name &&
      !pod.status.nominated_node_name.empty()) {
    Append(errors, ValidateDns1123Subdomain(pod.status.nominated_node_name,
                                            status.Child("nominatedNodeName")));
  }
  if (pod.status.observed_generation < 0) {
    errors.push_back(Invalid(status.Child("observedGeneration"), pod.status.observed_generation,
                             "must be a non-negative integer"));
  }
  if (pod.status.qos_class != old.status.qos_class) {
    errors.push_back(Invalid(status.Child("qosClass"), pod.status.qos_class, kImmutable));
  }
  Append(errors, ValidateAllocatedResources(pod.status.container_statuses, pod.spec.containers,
                                            status.Child("containerStatuses")));
  Append(errors,
         ValidateAllocatedResources(pod.status.init_container_statuses, pod.spec.init_containers,
                                    status.Child("initContainerStatuses")));
  Append(errors, ValidateResourceClaimStatuses(pod, status.Child("resourceClaimStatuses")));
  Append(errors,
         ValidateExtendedResourceClaimStatus(pod, status.Child("extendedResourceClaimStatus")));
  Append(errors, ValidateNodeAllocatableStatuses(
                     pod, status.Child("nodeAllocatableResourceClaimStatuses")));
  return errors;
}

FieldErrors ValidateNode(const core::Node& node) {
  FieldErrors errors =
      ValidateObjectMeta(node.metadata, NodeMetadataRules(), FieldPath("metadata"));
  const FieldPath taints = FieldPath("spec").Child("taints");
  std::set<std::pair<std::string, std::string>> seen;
  for (std::size_t i = 0; i < node.spec.taints.size(); ++i) {
    const core::Taint& taint = node.spec.taints[i];
    const FieldPath item = taints.Index(i);
    Append(errors, ValidateLabelName(taint.key, item.Child("key")));
    for (const std::string& problem : CheckLabelValue(taint.value)) {
      errors.push_back(Invalid(item.Child("value"), taint.value, problem));
    }
    if (taint.effect.empty()) {
      errors.push_back(Required(item.Child("effect")));
    } else if (taint.effect != "NoSchedule" && taint.effect != "PreferNoSchedule" &&
               taint.effect != "NoExecute") {
      errors.push_back(NotSupported(item.Child("effect"), taint.effect,
                                    {"NoSchedule", "PreferNoSchedule", "NoExecute"}));
    }
    if (!seen.emplace(taint.key, taint.effect).second) {
      FieldError error = DuplicateJson(item, GoJsonOf(taint));
      error.detail = "taints must be unique by key and effect pair";
      errors.push_back(std::move(error));
    }
  }
  return errors;
}

FieldErrors ValidateNodeUpdate(const core::Node& node, const core::Node& old) {
  FieldErrors errors =
      ValidateObjectMetaUpdate(node.metadata, old.metadata, true, FieldPath("metadata"));
  FieldErrors more = ValidateNode(node);
  Append(errors, std::move(more));
  return errors;
}

}  // namespace assay::api::validation
