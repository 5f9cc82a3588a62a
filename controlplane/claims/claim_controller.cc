#include "controlplane/claims/claim_controller.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/client/async_client.h"
#include "api/client/event_recorder.h"
#include "api/client/informer.h"
#include "api/client/work_queue.h"
#include "api/core/types.h"
#include "api/json/json.h"
#include "api/registry.h"
#include "api/resource/types.h"
#include "api/scheduling/types.h"
#include "controlplane/claims/generated_name.h"
#include "controlplane/claims/pod_claims.h"
#include "controlplane/claims/uid_cache.h"

namespace assay::controlplane::claims {
namespace {

using api::KindOf;
using api::Object;
using api::client::AsyncClient;
using api::client::Informer;
using api::client::KeyOf;
using api::client::ObjectKey;
using api::client::Task;
using api::core::Pod;
using api::core::PodResourceClaim;
using api::resource::ResourceClaim;
using api::resource::ResourceClaimConsumerReference;
using api::resource::ResourceClaimTemplate;
using api::scheduling::PodGroup;
using api::scheduling::PodGroupResourceClaim;

using ClaimRef = Informer<ResourceClaim>::Ref;
using PodRef = Informer<Pod>::Ref;
using GroupRef = Informer<PodGroup>::Ref;

constexpr char kFieldManager[] = "ResourceClaimController";
constexpr std::string_view kPodKey = "pod:";
constexpr std::string_view kGroupKey = "podgroup:";
constexpr std::string_view kClaimKey = "claim:";

std::string QueueKey(std::string_view prefix, const ObjectKey& key) {
  return std::string(prefix) + key.ToString();
}

// What a claim is generated for: a pod's entry or a group's.
struct Consumer {
  api::meta::OwnerReference owner;
  std::string namespace_;
  std::string entry_name;
  std::string template_name;
};

template <typename T, typename Entry>
Consumer ConsumerOf(const T& object, const Entry& entry, api::Level level) {
  const api::Kind& kind = KindOf<T>();
  Consumer consumer;
  consumer.owner.api_version =
      api::GroupVersionKind{kind.group, api::PreferredVersion(kind, level)->version, kind.kind}
          .ApiVersion();
  consumer.owner.kind = kind.kind;
  consumer.owner.name = object.metadata.name;
  consumer.owner.uid = object.metadata.uid;
  consumer.owner.controller = true;
  consumer.namespace_ = object.metadata.namespace_;
  consumer.entry_name = entry.name;
  consumer.template_name = entry.resource_claim_template_name.value_or("");
  return consumer;
}

bool NeedsAdminAccess(const ResourceClaimTemplate& claim_template) {
  const auto& requests = claim_template.spec.spec.devices.requests;
  return std::any_of(requests.begin(), requests.end(), [](const auto& request) {
    return request.exactly && request.exactly->admin_access.value_or(false);
  });
}

bool HasPrioritizedList(const ResourceClaimTemplate& claim_template) {
  const auto& requests = claim_template.spec.spec.devices.requests;
  return std::any_of(requests.begin(), requests.end(),
                     [](const auto& request) { return !request.first_available.empty(); });
}

std::vector<std::string> OwnerUids(const ResourceClaim& claim) {
  const api::meta::OwnerReference* controller = ControllerOf(claim.metadata);
  return controller == nullptr ? std::vector<std::string>{}
                               : std::vector<std::string>{controller->uid};
}

// "ns/claim" of each entry that means a claim.
template <typename T>
std::vector<std::string> ClaimKeys(const T& object) {
  std::vector<std::string> keys;
  for (const auto& entry : object.spec.resource_claims) {
    if (const Result<ClaimName> name = NameOf(object, entry); name.ok() && name->name) {
      keys.push_back(object.metadata.namespace_ + "/" + *name->name);
    }
  }
  return keys;
}

template <typename T>
std::vector<std::string> TemplateKeys(const T& object) {
  std::vector<std::string> keys;
  for (const auto& entry : object.spec.resource_claims) {
    if (entry.resource_claim_template_name) {
      keys.push_back(object.metadata.namespace_ + "/" + *entry.resource_claim_template_name);
    }
  }
  return keys;
}

std::vector<std::string> GroupKeys(const Pod& pod) {
  const std::optional<std::string> group = PodGroupName(pod);
  return group ? std::vector<std::string>{pod.metadata.namespace_ + "/" + *group}
               : std::vector<std::string>{};
}

}  // namespace

struct ClaimController::Impl {
  Impl(api::client::Client& client, const api::Compatibility& compatibility)
      : cluster(client),
        level(compatibility.level()),
        admin_access(compatibility.Enabled("DRAAdminAccess")),
        prioritized_list(compatibility.Enabled("DRAPrioritizedList")),
        groups_enabled(compatibility.Enabled("DRAWorkloadResourceClaims")),
        recorder(client, "resource_claim"),
        pods(client),
        groups(client),
        claims(client),
        templates(client),
        queue(client.loop(), {.workers = 50}, [this](std::string key) { return Sync(key); }) {
    AddIndexes();
    AddHandlers();
  }

  PodGroupOptions group_options() const { return {.accept_pod_group = groups_enabled}; }

  void AddIndexes();
  void AddHandlers();

  void EnqueuePod(const PodRef& pod, bool deleted);
  void EnqueueGroup(const GroupRef& group, bool deleted);
  void EnqueueTemplate(const ResourceClaimTemplate& claim_template);
  void EnqueueUsersOf(const ResourceClaim& claim);
  template <typename T>
  void EnqueueClaimsOf(const T& object);
  bool PodNeedsWork(const Pod& pod) const;
  bool MustReserve(const Pod& pod, const ResourceClaim& claim) const;
  bool GroupNeedsWork(const PodGroup& group) const;

  Task<Status> Sync(std::string key);
  Task<Status> SyncPod(ObjectKey key);
  Task<Status> SyncGroup(ObjectKey key);
  Task<Status> SyncClaim(ObjectKey key);
  Task<Status> Release(ClaimRef claim, std::vector<ResourceClaimConsumerReference> remaining);
  Task<Status> Finalize(ClaimRef claim);
  Task<Status> RemoveFinalizer(Object claim);
  Task<Status> DeleteIfOwnerIsDone(ClaimRef claim);

  // The group of the pod: null if it has none; kNotFound if it is not there.
  Result<GroupRef> GroupOf(const Pod& pod) const;
  // Whether the claim is still needed by whom it is reserved for.
  Task<Result<bool>> IsStillReserved(std::string namespace_name,
                                     ResourceClaimConsumerReference reference);
  // Makes sure that the entry's claim exists, and returns its name if the status must say so.
  Task<Result<std::optional<std::string>>> EnsurePodClaim(PodRef pod, GroupRef group,
                                                          PodResourceClaim entry);
  Task<Result<std::optional<std::string>>> EnsureGroupClaim(GroupRef group,
                                                            PodGroupResourceClaim entry);
  Task<Result<std::string>> FindOrCreate(Consumer consumer);
  std::optional<std::string> FindGenerated(const std::string& owner_uid,
                                           const std::string& entry_name) const;
  Task<Status> ApplyStatuses(const api::Kind& kind, ObjectKey key,
                             std::map<std::string, std::string> names);
  Task<Status> ReserveForRunningPod(PodRef pod, GroupRef group);

  AsyncClient cluster;
  const api::Level level;
  const bool admin_access;
  const bool prioritized_list;
  const bool groups_enabled;
  api::client::EventRecorder recorder;
  Informer<Pod> pods;
  Informer<PodGroup> groups;
  Informer<ResourceClaim> claims;
  Informer<ResourceClaimTemplate> templates;
  UidCache deleted_uids;
  // Claims created here that the informer has not shown yet, so that a retry finds them.
  std::map<ObjectKey, ClaimRef> created;
  // Last: what it runs uses all of the above.
  api::client::WorkQueue queue;
};

ClaimController::ClaimController(api::client::Client& client,
                                 const api::Compatibility& compatibility)
    : impl_(std::make_unique<Impl>(client, compatibility)) {}

ClaimController::~ClaimController() = default;

void ClaimController::Start() {
  // Pods before claims: a reservation whose pod is not known costs a look-up.
  impl_->templates.Start([this] {
    const auto start_pods = [this] { impl_->pods.Start([this] { impl_->claims.Start(); }); };
    if (impl_->groups_enabled) {
      impl_->groups.Start(start_pods);
    } else {
      start_pods();
    }
  });
}

bool ClaimController::synced() const { return impl_->claims.synced(); }

void ClaimController::Impl::AddIndexes() {
  pods.AddIndex("claim", ClaimKeys<Pod>);
  pods.AddIndex("template", TemplateKeys<Pod>);
  pods.AddIndex("group", GroupKeys);
  groups.AddIndex("claim", ClaimKeys<PodGroup>);
  groups.AddIndex("template", TemplateKeys<PodGroup>);
  claims.AddIndex("owner", OwnerUids);
}

void ClaimController::Impl::AddHandlers() {
  pods.AddHandlers(
      {.on_add = [this](const PodRef& pod) { EnqueuePod(pod, false); },
       .on_update = [this](const PodRef&, const PodRef& pod) { EnqueuePod(pod, false); },
       .on_delete = [this](const PodRef& pod) { EnqueuePod(pod, true); }});
  groups.AddHandlers(
      {.on_add = [this](const GroupRef& group) { EnqueueGroup(group, false); },
       .on_update = [this](const GroupRef&, const GroupRef& group) { EnqueueGroup(group, false); },
       .on_delete = [this](const GroupRef& group) { EnqueueGroup(group, true); }});
  const auto on_claim = [this](const ClaimRef& claim) {
    created.erase(KeyOf(claim->metadata));
    queue.Add(QueueKey(kClaimKey, KeyOf(claim->metadata)));
    EnqueueUsersOf(*claim);
  };
  claims.AddHandlers(
      {.on_add = on_claim,
       .on_update = [on_claim](const ClaimRef&, const ClaimRef& now) { on_claim(now); },
       .on_delete =
           [this](const ClaimRef& claim) {
             created.erase(KeyOf(claim->metadata));
             EnqueueUsersOf(*claim);
           }});
  using TemplateRef = Informer<ResourceClaimTemplate>::Ref;
  templates.AddHandlers(
      {.on_add = [this](const TemplateRef& added) { EnqueueTemplate(*added); },
       .on_update = [this](const TemplateRef&, const TemplateRef& now) { EnqueueTemplate(*now); }});
}

void ClaimController::Impl::EnqueueTemplate(const ResourceClaimTemplate& claim_template) {
  const std::string key = KeyOf(claim_template.metadata).ToString();
  for (const PodRef& pod : pods.ByIndex("template", key)) {
    EnqueuePod(pod, false);
  }
  for (const GroupRef& group : groups.ByIndex("template", key)) {
    EnqueueGroup(group, false);
  }
}

void ClaimController::Impl::EnqueueUsersOf(const ResourceClaim& claim) {
  const std::string key = KeyOf(claim.metadata).ToString();
  for (const PodRef& pod : pods.ByIndex("claim", key)) {
    EnqueuePod(pod, false);
  }
  for (const GroupRef& group : groups.ByIndex("claim", key)) {
    EnqueueGroup(group, false);
  }
}

template <typename T>
void ClaimController::Impl::EnqueueClaimsOf(const T& object) {
  for (const std::string& key : ClaimKeys(object)) {
    queue.Add(std::string(kClaimKey) + key);
  }
}

void ClaimController::Impl::EnqueuePod(const PodRef& pod, bool deleted) {
  const auto& extended = pod->status.extended_resource_claim_status;
  if (pod->spec.resource_claims.empty() && !extended) {
    return;
  }
  if (deleted) {
    deleted_uids.Add(pod->metadata.uid);
  }
  if (deleted || IsDone(*pod)) {
    EnqueueClaimsOf(*pod);
    if (extended) {
      queue.Add(QueueKey(kClaimKey, {pod->metadata.namespace_, extended->resource_claim_name}));
    }
  }
  if (PodNeedsWork(*pod)) {
    queue.Add(QueueKey(kPodKey, KeyOf(pod->metadata)));
  }
}

void ClaimController::Impl::EnqueueGroup(const GroupRef& group, bool deleted) {
  if (group->spec.resource_claims.empty()) {
    return;
  }
  if (deleted) {
    deleted_uids.Add(group->metadata.uid);
    EnqueueClaimsOf(*group);
  }
  if (GroupNeedsWork(*group)) {
    queue.Add(QueueKey(kGroupKey, KeyOf(group->metadata)));
  }
  // Its status may be what its pods have been waiting for.
  for (const PodRef& pod : pods.ByIndex("group", KeyOf(group->metadata).ToString())) {
    EnqueuePod(pod, false);
  }
}

// Unlike upstream, which here forgets that a pod may have ended: it makes a claim for the ended pod
// again once its cache has forgotten that there was one, and reserves a claim that others still use
// for it, only to undo both in SyncClaim, and so on without end.
bool ClaimController::Impl::PodNeedsWork(const Pod& pod) const {
  if (IsBeingDeleted(pod.metadata) || IsTerminal(pod)) {
    return false;
  }
  for (const PodResourceClaim& entry : pod.spec.resource_claims) {
    const Result<ClaimName> name = NameOf(pod, entry);
    if (!name.ok()) {
      return true;
    }
    if (!name->name) {
      continue;
    }
    const ClaimRef claim = claims.Get(pod.metadata.namespace_, *name->name);
    if (!claim) {
      if (!entry.resource_claim_template_name) {
        continue;  // For the user to create.
      }
      const Result<GroupRef> group = GroupOf(pod);
      if (!group.ok()) {
        return true;
      }
      const auto bind_to = BindTo(pod, group->get(), entry);
      if (bind_to.ok() && bind_to->resource != "podgroups") {
        return true;
      }
      continue;  // Its group's claim comes first.
    }
    if (name->must_check_owner && !IsForPod(pod, *claim, group_options()).ok()) {
      continue;  // Nothing can be done until the other claim is gone.
    }
    if (MustReserve(pod, *claim)) {
      return true;
    }
  }
  return false;
}

bool ClaimController::Impl::MustReserve(const Pod& pod, const ResourceClaim& claim) const {
  return !pod.spec.node_name.empty() && claim.status.allocation &&
         !IsReservedForPod(pod, claim, group_options());
}

bool ClaimController::Impl::GroupNeedsWork(const PodGroup& group) const {
  if (IsBeingDeleted(group.metadata)) {
    return false;
  }
  for (const PodGroupResourceClaim& entry : group.spec.resource_claims) {
    const Result<ClaimName> name = NameOf(group, entry);
    if (!name.ok()) {
      return true;
    }
    if (name->name && entry.resource_claim_template_name &&
        !claims.Get(group.metadata.namespace_, *name->name)) {
      return true;
    }
  }
  return false;
}

Result<GroupRef> ClaimController::Impl::GroupOf(const Pod& pod) const {
  const std::optional<std::string> name = groups_enabled ? PodGroupName(pod) : std::nullopt;
  if (!name) {
    return GroupRef();
  }
  GroupRef group = groups.Get(pod.metadata.namespace_, *name);
  if (!group) {
    return NotFoundError("podgroup.scheduling.k8s.io \"" + *name + "\" not found");
  }
  return group;
}

Task<Status> ClaimController::Impl::Sync(std::string key) {
  const std::size_t colon = key.find(':');
  const std::size_t slash = key.find('/');
  const std::string prefix = key.substr(0, colon + 1);
  ObjectKey object{key.substr(colon + 1, slash - colon - 1), key.substr(slash + 1)};
  if (prefix == kPodKey) {
    co_return co_await SyncPod(object);
  }
  if (prefix == kGroupKey) {
    co_return co_await SyncGroup(object);
  }
  co_return co_await SyncClaim(object);
}

Task<Status> ClaimController::Impl::SyncPod(ObjectKey key) {
  const PodRef pod = pods.Get(key);
  if (!pod || IsBeingDeleted(pod->metadata) || IsTerminal(*pod)) {
    co_return OkStatus();
  }
  const Result<GroupRef> group = GroupOf(*pod);
  if (!group.ok()) {
    co_return group.status().WithContext("get PodGroup for Pod " + key.ToString());
  }
  std::map<std::string, std::string> names;
  for (const PodResourceClaim& entry : pod->spec.resource_claims) {
    const Result<std::optional<std::string>> name = co_await EnsurePodClaim(pod, *group, entry);
    if (!name.ok()) {
      const std::string what = "PodResourceClaim " + entry.name;
      recorder.Record(Object::Of(*pod), {.type = api::client::kEventWarning,
                                         .reason = "FailedResourceClaimCreation",
                                         .message = what + ": " + name.status().message()});
      co_return name.status().WithContext("pod " + key.ToString() + ", " + what);
    }
    if (*name) {
      names[entry.name] = **name;
    }
  }
  if (!names.empty()) {
    const Status applied = co_await ApplyStatuses(KindOf<Pod>(), key, names);
    ASSAY_CO_RETURN_IF_ERROR(
        applied.WithContext("update pod " + key.ToString() + " ResourceClaimStatuses"));
  }
  if (pod->spec.node_name.empty()) {
    co_return OkStatus();  // The scheduler reserves.
  }
  co_return co_await ReserveForRunningPod(pod, *group);
}

Task<Status> ClaimController::Impl::ReserveForRunningPod(PodRef pod, GroupRef group) {
  for (const PodResourceClaim& entry : pod->spec.resource_claims) {
    const Result<ClaimName> name = NameOf(*pod, entry);
    ASSAY_CO_RETURN_IF_ERROR(name.status());
    if (!name->name) {
      continue;
    }
    const ClaimRef claim = claims.Get(pod->metadata.namespace_, *name->name);
    if (!claim) {
      co_return OkStatus();
    }
    if (name->must_check_owner) {
      ASSAY_CO_RETURN_IF_ERROR(IsForPod(*pod, *claim, group_options()));
    }
    if (!MustReserve(*pod, *claim)) {
      continue;
    }
    const Result<ResourceClaimConsumerReference> bind_to = BindTo(*pod, group.get(), entry);
    ASSAY_CO_RETURN_IF_ERROR(bind_to.status());
    ResourceClaim changed = *claim;
    changed.status.reserved_for.push_back(*bind_to);
    const Object object = Object::Of(std::move(changed));
    const Result<Object> updated = co_await cluster.UpdateStatus(object);
    ASSAY_CO_RETURN_IF_ERROR(
        updated.status().WithContext("reserve claim " + KeyOf(claim->metadata).ToString()));
  }
  co_return OkStatus();
}

Task<Status> ClaimController::Impl::SyncGroup(ObjectKey key) {
  const GroupRef group = groups.Get(key);
  if (!group || IsBeingDeleted(group->metadata)) {
    co_return OkStatus();
  }
  std::map<std::string, std::string> names;
  for (const PodGroupResourceClaim& entry : group->spec.resource_claims) {
    const Result<std::optional<std::string>> name = co_await EnsureGroupClaim(group, entry);
    if (!name.ok()) {
      const std::string what = "PodGroupResourceClaim " + entry.name;
      recorder.Record(Object::Of(*group), {.type = api::client::kEventWarning,
                                           .reason = "FailedResourceClaimCreation",
                                           .message = what + ": " + name.status().message()});
      co_return name.status().WithContext("PodGroup " + key.ToString() + ", " + what);
    }
    if (*name) {
      names[entry.name] = **name;
    }
  }
  if (names.empty()) {
    co_return OkStatus();
  }
  const Status applied = co_await ApplyStatuses(KindOf<PodGroup>(), key, names);
  co_return applied.WithContext("update PodGroup " + key.ToString() + " ResourceClaimStatuses");
}

Task<Result<std::optional<std::string>>> ClaimController::Impl::EnsurePodClaim(
    PodRef pod, GroupRef group, PodResourceClaim entry) {
  const std::optional<std::string> nothing;
  const Result<ClaimName> name = NameOf(*pod, entry);
  if (!name.ok() && name.status().code() != StatusCode::kNotFound) {
    co_return name.status().WithContext("checking for claim before creating it");
  }
  if (name.ok()) {
    if (!name->name) {
      co_return nothing;
    }
    // The status names a claim; it may have been deleted since, or replaced by a foreign one.
    const ClaimRef claim = claims.Get(pod->metadata.namespace_, *name->name);
    if (claim && (!name->must_check_owner || IsForPod(*pod, *claim, group_options()).ok())) {
      co_return nothing;
    }
  }
  if (!entry.resource_claim_template_name) {
    co_return nothing;
  }
  const Result<ResourceClaimConsumerReference> bind_to = BindTo(*pod, group.get(), entry);
  ASSAY_CO_RETURN_IF_ERROR(bind_to.status());
  if (bind_to->resource == "podgroups") {
    // The group's claim is made for the group; the pod's status only points there.
    co_return FindGenerated(group->metadata.uid, entry.name);
  }
  const Consumer consumer = ConsumerOf(*pod, entry, level);
  const Result<std::string> claim = co_await FindOrCreate(consumer);
  ASSAY_CO_RETURN_IF_ERROR(claim.status());
  co_return std::optional<std::string>(*claim);
}

Task<Result<std::optional<std::string>>> ClaimController::Impl::EnsureGroupClaim(
    GroupRef group, PodGroupResourceClaim entry) {
  const std::optional<std::string> nothing;
  const Result<ClaimName> name = NameOf(*group, entry);
  if (!name.ok() && name.status().code() != StatusCode::kNotFound) {
    co_return name.status().WithContext("checking for claim before creating it");
  }
  if (name.ok()) {
    if (!name->name) {
      co_return nothing;
    }
    const ClaimRef claim = claims.Get(group->metadata.namespace_, *name->name);
    if (claim && (!name->must_check_owner || IsForPodGroup(*group, *claim).ok())) {
      co_return nothing;
    }
  }
  if (!entry.resource_claim_template_name) {
    co_return nothing;
  }
  const Consumer consumer = ConsumerOf(*group, entry, level);
  const Result<std::string> claim = co_await FindOrCreate(consumer);
  ASSAY_CO_RETURN_IF_ERROR(claim.status());
  co_return std::optional<std::string>(*claim);
}

std::optional<std::string> ClaimController::Impl::FindGenerated(
    const std::string& owner_uid, const std::string& entry_name) const {
  const auto matches = [&](const ResourceClaim& claim) {
    const auto annotation = claim.metadata.annotations.find(kPodClaimAnnotation);
    return annotation != claim.metadata.annotations.end() && annotation->second == entry_name;
  };
  for (const ClaimRef& claim : claims.ByIndex("owner", owner_uid)) {
    if (matches(*claim)) {
      return claim->metadata.name;
    }
  }
  for (const auto& [key, claim] : created) {
    const api::meta::OwnerReference* controller = ControllerOf(claim->metadata);
    if (controller != nullptr && controller->uid == owner_uid && matches(*claim)) {
      return claim->metadata.name;
    }
  }
  return std::nullopt;
}

// An orphan that an earlier, interrupted run has created is taken before a new one is made.
Task<Result<std::string>> ClaimController::Impl::FindOrCreate(Consumer consumer) {
  if (const std::optional<std::string> found =
          FindGenerated(consumer.owner.uid, consumer.entry_name)) {
    co_return *found;
  }
  const auto claim_template = templates.Get(consumer.namespace_, consumer.template_name);
  if (!claim_template) {
    const std::string quoted = "\"" + consumer.template_name + "\"";
    co_return NotFoundError("resource claim template " + quoted +
                            ": resourceclaimtemplate.resource.k8s.io " + quoted + " not found");
  }
  if (!admin_access && NeedsAdminAccess(*claim_template)) {
    co_return FailedPreconditionError("admin access is requested, but the feature is disabled");
  }
  if (!prioritized_list && HasPrioritizedList(*claim_template)) {
    co_return FailedPreconditionError(
        "template includes a prioritized list of subrequests, but the feature is disabled");
  }
  ResourceClaim claim;
  claim.metadata.namespace_ = consumer.namespace_;
  claim.metadata.generate_name = GeneratedNamePrefix(consumer.owner.name, consumer.entry_name);
  claim.metadata.owner_references = {consumer.owner};
  claim.metadata.labels = claim_template->spec.metadata.labels;
  claim.metadata.annotations = claim_template->spec.metadata.annotations;
  claim.metadata.annotations[kPodClaimAnnotation] = consumer.entry_name;
  claim.spec = claim_template->spec.spec;
  const Object object = Object::Of(std::move(claim));
  const Result<Object> stored = co_await cluster.Create(object);
  // The claim has no name yet; upstream's message has the gap too.
  ASSAY_CO_RETURN_IF_ERROR(stored.status().WithContext("create ResourceClaim "));
  const ObjectKey key = KeyOf(stored->metadata());
  if (!claims.Get(key)) {
    created[key] = stored->Share<ResourceClaim>();
  }
  co_return stored->name();
}

Task<Status> ClaimController::Impl::ApplyStatuses(const api::Kind& kind, ObjectKey key,
                                                  std::map<std::string, std::string> names) {
  std::string statuses;
  for (const auto& [entry, claim] : names) {
    statuses += statuses.empty() ? "" : ",";
    statuses += R"({"name":)" + api::json::Quote(entry) + R"(,"resourceClaimName":)" +
                api::json::Quote(claim) + "}";
  }
  const std::string body = R"({"apiVersion":")" + kind.HubGvk().ApiVersion() + R"(","kind":")" +
                           kind.kind + R"(","metadata":{"name":)" + api::json::Quote(key.name) +
                           R"(,"namespace":)" + api::json::Quote(key.namespace_) +
                           R"(},"status":{"resourceClaimStatuses":[)" + statuses + "]}}";
  api::client::PatchOptions options;
  options.type = api::client::PatchType::kApply;
  options.subresource = "status";
  options.field_manager = kFieldManager;
  options.force = true;
  const Result<Object> applied = co_await cluster.Patch(kind, key, body, options);
  co_return applied.status();
}

Task<Result<bool>> ClaimController::Impl::IsStillReserved(
    std::string namespace_name, ResourceClaimConsumerReference reference) {
  const bool is_pod = reference.api_group.empty() && reference.resource == "pods";
  const bool is_group = groups_enabled && reference.api_group == "scheduling.k8s.io" &&
                        reference.resource == "podgroups";
  if (!is_pod && !is_group) {
    co_return true;  // Somebody whom this controller does not know.
  }
  if (deleted_uids.Has(reference.uid)) {
    co_return false;
  }
  if (is_pod) {
    if (const PodRef pod = pods.Get(namespace_name, reference.name)) {
      co_return pod->metadata.uid == reference.uid && !IsDone(*pod);
    }
  } else if (const GroupRef group = groups.Get(namespace_name, reference.name)) {
    co_return group->metadata.uid == reference.uid;
  }
  // Perhaps it is only too new for the cache. To free the devices of a pod that is being scheduled
  // would be bad: only the API server's word counts.
  const ObjectKey key{namespace_name, reference.name};
  const Result<Object> live =
      co_await cluster.Get(is_pod ? KindOf<Pod>() : KindOf<PodGroup>(), key);
  if (live.ok()) {
    co_return live->metadata().uid == reference.uid;
  }
  if (live.status().code() == StatusCode::kNotFound) {
    co_return false;
  }
  co_return live.status();
}

Task<Status> ClaimController::Impl::SyncClaim(ObjectKey key) {
  const ClaimRef claim = claims.Get(key);
  if (!claim) {
    co_return OkStatus();
  }
  std::vector<ResourceClaimConsumerReference> remaining;
  for (const ResourceClaimConsumerReference& reference : claim->status.reserved_for) {
    const Result<bool> keep = co_await IsStillReserved(key.namespace_, reference);
    ASSAY_CO_RETURN_IF_ERROR(keep.status());
    if (*keep) {
      remaining.push_back(reference);
    }
  }
  const bool unreserved = remaining.empty();
  if (remaining.size() < claim->status.reserved_for.size()) {
    const Status released = co_await Release(claim, remaining);
    ASSAY_CO_RETURN_IF_ERROR(released);
  } else if (HasFinalizer(*claim) && IsBeingDeleted(claim->metadata) && unreserved) {
    const Status finalized = co_await Finalize(claim);
    ASSAY_CO_RETURN_IF_ERROR(finalized);
  }
  if (!unreserved) {
    co_return OkStatus();
  }
  co_return co_await DeleteIfOwnerIsDone(claim);
}

// Updates, not patches, so that any change made meanwhile makes them fail.
Task<Status> ClaimController::Impl::Release(ClaimRef claim,
                                            std::vector<ResourceClaimConsumerReference> remaining) {
  ResourceClaim changed = *claim;
  changed.status.reserved_for = std::move(remaining);
  // The step from used to unused deallocates. A claim that never was reserved keeps its allocation.
  if (changed.status.reserved_for.empty() && HasFinalizer(changed)) {
    changed.status.allocation.reset();
  }
  const Object object = Object::Of(std::move(changed));
  const Result<Object> updated = co_await cluster.UpdateStatus(object);
  ASSAY_CO_RETURN_IF_ERROR(updated.status());
  const ResourceClaim& now = updated->As<ResourceClaim>();
  if (HasFinalizer(now) && !now.status.allocation) {
    co_return co_await RemoveFinalizer(*updated);
  }
  co_return OkStatus();
}

Task<Status> ClaimController::Impl::Finalize(ClaimRef claim) {
  Object current = Object::Of(*claim);
  if (claim->status.allocation) {
    ResourceClaim changed = *claim;
    changed.status.allocation.reset();
    const Object object = Object::Of(std::move(changed));
    const Result<Object> updated = co_await cluster.UpdateStatus(object);
    ASSAY_CO_RETURN_IF_ERROR(updated.status());
    current = *updated;
  }
  co_return co_await RemoveFinalizer(current);
}

Task<Status> ClaimController::Impl::RemoveFinalizer(Object claim) {
  ResourceClaim changed = claim.As<ResourceClaim>();
  std::erase(changed.metadata.finalizers, kFinalizer);
  const Object object = Object::Of(std::move(changed));
  const Result<Object> updated = co_await cluster.Update(object);
  co_return updated.status();
}

// A generated claim whose pod will not run is deleted without waiting for the pod's end.
Task<Status> ClaimController::Impl::DeleteIfOwnerIsDone(ClaimRef claim) {
  const api::meta::OwnerReference* owner = ControllerOf(claim->metadata);
  if (owner == nullptr || owner->api_version != "v1" || owner->kind != "Pod") {
    co_return OkStatus();
  }
  const PodRef pod = pods.Get(claim->metadata.namespace_, owner->name);
  // Not in the cache: too new, or gone; then the garbage collector deletes the claim.
  if (!pod || (pod->metadata.uid == owner->uid && !IsDone(*pod))) {
    co_return OkStatus();
  }
  const ObjectKey key = KeyOf(claim->metadata);
  const api::client::DeleteOptions options;
  const Status deleted = co_await cluster.Delete(KindOf<ResourceClaim>(), key, options);
  co_return deleted.WithContext("delete unused generated claim " + key.ToString());
}

}  // namespace assay::controlplane::claims
