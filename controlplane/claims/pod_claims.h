// How pods, pod groups and ResourceClaims refer to each other: which claim a pod's entry means,
// whether a claim was made for a pod, for whom it is reserved. The claim controller, the scheduler,
// the taint eviction and the node agent all ask here.
//
// Source: k8s.io/dynamic-resource-allocation, resourceclaim. Error texts are upstream's: they end
// up in events and conditions.
//
// Thread-safe: functions.
#ifndef ASSAY_CONTROLPLANE_CLAIMS_POD_CLAIMS_H_
#define ASSAY_CONTROLPLANE_CLAIMS_POD_CLAIMS_H_

#include <optional>
#include <string>

#include "api/core/types.h"
#include "api/resource/types.h"
#include "api/scheduling/types.h"
#include "base/result.h"

namespace assay::controlplane::claims {

// Keeps a claim from disappearing while it is allocated.
inline constexpr char kFinalizer[] = "resource.kubernetes.io/delete-protection";
// On a generated claim: the name of the pod's (or group's) entry that it was made for.
inline constexpr char kPodClaimAnnotation[] = "resource.kubernetes.io/pod-claim-name";
// On a claim that the scheduler made for extended resources (KEP-5004).
inline constexpr char kExtendedResourceAnnotation[] =
    "resource.kubernetes.io/extended-resource-claim";

// The claim that an entry of spec.resourceClaims means.
struct ClaimName {
  // Nothing: no claim was generated, and none is needed.
  std::optional<std::string> name;
  // The claim was generated: IsForPod must hold before it is used.
  bool must_check_owner = false;
};

// kNotFound: `pod "ns/p": ResourceClaim not created yet`. kUnimplemented: the entry has no field
// that is known.
Result<ClaimName> NameOf(const api::core::Pod& pod, const api::core::PodResourceClaim& entry);
Result<ClaimName> NameOf(const api::scheduling::PodGroup& group,
                         const api::scheduling::PodGroupResourceClaim& entry);

struct PodGroupOptions {
  // DRAWorkloadResourceClaims: a pod group's owner reference or reservation counts for its pods.
  bool accept_pod_group = false;
};

// kFailedPrecondition if the claim was made for somebody else.
Status IsForPod(const api::core::Pod& pod, const api::resource::ResourceClaim& claim,
                PodGroupOptions options);
Status IsForPodGroup(const api::scheduling::PodGroup& group,
                     const api::resource::ResourceClaim& claim);

bool IsReservedForPod(const api::core::Pod& pod, const api::resource::ResourceClaim& claim,
                      PodGroupOptions options);

// Whom a claim used by the pod's entry is reserved for: the group, if it has the very same entry,
// else the pod. `group` is null for a pod without one (or with DRAWorkloadResourceClaims off).
Result<api::resource::ResourceClaimConsumerReference> BindTo(
    const api::core::Pod& pod, const api::scheduling::PodGroup* group,
    const api::core::PodResourceClaim& entry);

// The name of the pod's group, if it has one.
std::optional<std::string> PodGroupName(const api::core::Pod& pod);

// The owner reference that says `controller: true`, or null.
const api::meta::OwnerReference* ControllerOf(const api::meta::ObjectMeta& metadata);

bool HasFinalizer(const api::resource::ResourceClaim& claim);
bool IsBeingDeleted(const api::meta::ObjectMeta& metadata);
// Succeeded or Failed.
bool IsTerminal(const api::core::Pod& pod);
// None of its containers runs or ever will: terminal, or deleted before it was scheduled.
bool IsDone(const api::core::Pod& pod);

}  // namespace assay::controlplane::claims

#endif  // ASSAY_CONTROLPLANE_CLAIMS_POD_CLAIMS_H_
