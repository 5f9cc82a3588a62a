#include "controlplane/claims/pod_claims.h"

#include <algorithm>

namespace assay::controlplane::claims {
namespace {

using api::core::Pod;
using api::core::PodResourceClaim;
using api::resource::ResourceClaim;
using api::resource::ResourceClaimConsumerReference;
using api::scheduling::PodGroup;

constexpr char kSchedulingGroup[] = "scheduling.k8s.io";
constexpr char kNotCreated[] = "ResourceClaim not created yet";
constexpr char kUnsupported[] = "none of the supported fields are set";

template <typename Entry, typename Statuses>
Result<ClaimName> FindName(const Entry& entry, const Statuses& statuses, const std::string& owner,
                           const std::string& owner_and_entry) {
  if (entry.resource_claim_name) {
    return ClaimName{.name = entry.resource_claim_name, .must_check_owner = false};
  }
  if (!entry.resource_claim_template_name) {
    return UnimplementedError(owner_and_entry + ": " + kUnsupported);
  }
  for (const auto& status : statuses) {
    if (status.name == entry.name) {
      return ClaimName{.name = status.resource_claim_name, .must_check_owner = true};
    }
  }
  return NotFoundError(owner + ": " + kNotCreated);
}

template <typename T>
std::string PathOf(const T& object) {
  return object.metadata.namespace_ + "/" + object.metadata.name;
}

bool IsControlledBy(const ResourceClaim& claim, const std::string& uid) {
  const api::meta::OwnerReference* controller = ControllerOf(claim.metadata);
  return controller != nullptr && controller->uid == uid;
}

}  // namespace

Result<ClaimName> NameOf(const Pod& pod, const PodResourceClaim& entry) {
  const std::string owner = "pod \"" + PathOf(pod) + "\"";
  return FindName(entry, pod.status.resource_claim_statuses, owner,
                  owner + ", spec.resourceClaim \"" + entry.name + "\"");
}

Result<ClaimName> NameOf(const PodGroup& group,
                         const api::scheduling::PodGroupResourceClaim& entry) {
  const std::string owner = "PodGroup " + PathOf(group);
  return FindName(entry, group.status.resource_claim_statuses, owner,
                  owner + ", spec.resourceClaim " + entry.name);
}

Status IsForPod(const Pod& pod, const ResourceClaim& claim, PodGroupOptions options) {
  if (claim.metadata.namespace_ != pod.metadata.namespace_) {
    return FailedPreconditionError("ResourceClaim " + PathOf(claim) +
                                   " is not in the same namespace as Pod " + PathOf(pod));
  }
  if (IsControlledBy(claim, pod.metadata.uid)) {
    return OkStatus();
  }
  const std::string foreign =
      "ResourceClaim " + PathOf(claim) + " was not created for Pod " + PathOf(pod);
  const std::optional<std::string> group = PodGroupName(pod);
  if (!options.accept_pod_group || !group) {
    return FailedPreconditionError(foreign + " (Pod is not owner)");
  }
  // The pod does not know its group's UID. The version of the API may differ, the group may not.
  const api::meta::OwnerReference* controller = ControllerOf(claim.metadata);
  if (controller != nullptr && controller->name == *group && controller->kind == "PodGroup" &&
      controller->api_version.starts_with(std::string(kSchedulingGroup) + "/")) {
    return OkStatus();
  }
  return FailedPreconditionError(foreign + " (neither Pod nor PodGroup " + *group +
                                 " is the owner)");
}

Status IsForPodGroup(const PodGroup& group, const ResourceClaim& claim) {
  if (claim.metadata.namespace_ != group.metadata.namespace_) {
    return FailedPreconditionError("ResourceClaim " + PathOf(claim) +
                                   " is not in the same namespace as PodGroup " + PathOf(group));
  }
  if (!IsControlledBy(claim, group.metadata.uid)) {
    return FailedPreconditionError("ResourceClaim " + PathOf(claim) +
                                   " was not created for PodGroup " + PathOf(group) +
                                   " (PodGroup is not owner)");
  }
  return OkStatus();
}

bool IsReservedForPod(const Pod& pod, const ResourceClaim& claim, PodGroupOptions options) {
  const std::optional<std::string> group =
      options.accept_pod_group ? PodGroupName(pod) : std::nullopt;
  return std::any_of(claim.status.reserved_for.begin(), claim.status.reserved_for.end(),
                     [&](const ResourceClaimConsumerReference& reserved) {
                       return reserved.uid == pod.metadata.uid ||
                              (group && reserved.api_group == kSchedulingGroup &&
                               reserved.resource == "podgroups" && reserved.name == *group);
                     });
}

Result<ResourceClaimConsumerReference> BindTo(const Pod& pod, const PodGroup* group,
                                              const PodResourceClaim& entry) {
  if (!entry.resource_claim_name && !entry.resource_claim_template_name) {
    return UnimplementedError("Pod " + PathOf(pod) + " claim " + entry.name + ": " + kUnsupported);
  }
  ResourceClaimConsumerReference reference;
  if (group != nullptr) {
    for (const auto& candidate : group->spec.resource_claims) {
      if (!candidate.resource_claim_name && !candidate.resource_claim_template_name) {
        return UnimplementedError("PodGroup " + PathOf(*group) + " claim " + candidate.name + ": " +
                                  kUnsupported);
      }
      if (candidate.name == entry.name &&
          candidate.resource_claim_name == entry.resource_claim_name &&
          candidate.resource_claim_template_name == entry.resource_claim_template_name) {
        reference.api_group = kSchedulingGroup;
        reference.resource = "podgroups";
        reference.name = group->metadata.name;
        reference.uid = group->metadata.uid;
        return reference;
      }
    }
  }
  reference.resource = "pods";
  reference.name = pod.metadata.name;
  reference.uid = pod.metadata.uid;
  return reference;
}

std::optional<std::string> PodGroupName(const Pod& pod) {
  return pod.spec.scheduling_group ? pod.spec.scheduling_group->pod_group_name : std::nullopt;
}

const api::meta::OwnerReference* ControllerOf(const api::meta::ObjectMeta& metadata) {
  for (const api::meta::OwnerReference& owner : metadata.owner_references) {
    if (owner.controller.value_or(false)) {
      return &owner;
    }
  }
  return nullptr;
}

bool HasFinalizer(const ResourceClaim& claim) {
  const auto& finalizers = claim.metadata.finalizers;
  return std::find(finalizers.begin(), finalizers.end(), kFinalizer) != finalizers.end();
}

bool IsBeingDeleted(const api::meta::ObjectMeta& metadata) {
  return metadata.deletion_timestamp.has_value();
}

bool IsTerminal(const Pod& pod) {
  return pod.status.phase == "Succeeded" || pod.status.phase == "Failed";
}

bool IsDone(const Pod& pod) {
  return IsTerminal(pod) || (IsBeingDeleted(pod.metadata) && pod.spec.node_name.empty());
}

}  // namespace assay::controlplane::claims
