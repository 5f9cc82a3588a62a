#include "controlplane/eviction/device_taint_eviction.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
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
#include "api/resource/types.h"
#include "api/schema/descriptor.h"
#include "controlplane/claims/pod_claims.h"
#include "controlplane/claims/uid_cache.h"
#include "controlplane/eviction/eviction_time.h"

namespace assay::controlplane::eviction {
namespace {

using api::KindOf;
using api::Object;
using api::client::Informer;
using api::client::KeyOf;
using api::client::ObjectKey;
using api::client::Task;
using api::core::Pod;
using api::core::PodCondition;
using api::resource::DeviceTaintRule;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;

using PodRef = Informer<Pod>::Ref;
using ClaimRef = Informer<ResourceClaim>::Ref;

constexpr char kName[] = "device-taint-eviction-controller";
constexpr char kEventReason[] = "DeviceTaintManagerEviction";
constexpr char kCondition[] = "EvictionInProgress";
constexpr Duration kRuleStatusPeriod = std::chrono::seconds(10);
constexpr std::string_view kPodKey = "pod:";
constexpr std::string_view kRuleKey = "rule:";

// "1 pod", "2 pods".
std::string Count(int number, const std::string& singular, const std::string& plural) {
  return std::to_string(number) + " " + (number == 1 ? singular : plural);
}

std::string Namespaces(int number) { return Count(number, "namespace", "different namespaces"); }

bool SameClaims(const Pod& a, const Pod& b) {
  return std::equal(a.status.resource_claim_statuses.begin(),
                    a.status.resource_claim_statuses.end(),
                    b.status.resource_claim_statuses.begin(),
                    b.status.resource_claim_statuses.end(), [](const auto& x, const auto& y) {
                      return x.name == y.name && x.resource_claim_name == y.resource_claim_name;
                    });
}

}  // namespace

struct DeviceTaintEviction::Impl {
  Impl(api::client::Client& client, const api::Compatibility& compatibility)
      : cluster(client),
        enabled(compatibility.Enabled("DRADeviceTaints")),
        rules_enabled(compatibility.Enabled("DRADeviceTaintRules")),
        groups_enabled(compatibility.Enabled("DRAWorkloadResourceClaims")),
        recorder(client, kName),
        pods(client),
        claims(client),
        slices(client),
        rules(client),
        queue(client.loop(), {.workers = 8}, [this](std::string key) { return Work(key); }) {
    AddHandlers();
  }

  struct AllocatedClaim {
    ClaimRef claim;
    std::optional<Eviction> eviction;
  };
  struct PodEviction {
    ObjectKey pod;
    Eviction eviction;
  };

  void AddHandlers();
  void OnClaim(const ClaimRef& before, const ClaimRef& now);
  void OnRule(const RuleRef& before, const RuleRef& now);
  void OnPod(const PodRef& before, const PodRef& now);
  // Looks at all allocated claims again, and at the pods of those for which something changed.
  void Reevaluate();
  void HandlePodsOf(const ResourceClaim& claim);
  void HandlePod(const PodRef& pod);
  std::optional<Eviction> EvictionOfPod(const Pod& pod,
                                        const std::map<ObjectKey, AllocatedClaim>& allocated) const;
  void CountPending(const DeviceTaintRule& rule,
                    const std::map<ObjectKey, AllocatedClaim>& allocated, int& pod_count,
                    int& namespace_count) const;
  api::meta::Condition ConditionOf(const DeviceTaintRule& rule) const;

  Task<Status> Work(std::string key);
  Task<Status> WorkOnPod(std::string key, std::string uid);
  Task<Status> WorkOnRule(std::string key, std::string uid);
  Task<Status> MarkAndDelete(ObjectKey key, std::string uid);

  WallTime now() { return cluster.loop().clock().Now(); }

  api::client::AsyncClient cluster;
  const bool enabled;
  const bool rules_enabled;
  const bool groups_enabled;
  api::client::EventRecorder recorder;
  Informer<Pod> pods;
  Informer<ResourceClaim> claims;
  Informer<ResourceSlice> slices;
  Informer<DeviceTaintRule> rules;
  Pools pools;
  std::map<ObjectKey, AllocatedClaim> allocated_claims;
  std::map<std::string, RuleRef> evicting_rules;  // Those with NoExecute, by name.
  std::map<std::string, int> evicted_by_rule;     // By the rule's UID.
  std::map<std::string, PodEviction> pending;     // By pod UID: to be deleted.
  claims::UidCache evicted;
  api::client::WorkQueue queue;  // Last: what it runs uses all of the above.
};

DeviceTaintEviction::DeviceTaintEviction(api::client::Client& client,
                                         const api::Compatibility& compatibility)
    : impl_(std::make_unique<Impl>(client, compatibility)) {}

DeviceTaintEviction::~DeviceTaintEviction() = default;

void DeviceTaintEviction::Start() {
  if (!impl_->enabled) {
    return;
  }
  impl_->slices.Start([this] {
    const auto rest = [this] { impl_->pods.Start([this] { impl_->claims.Start(); }); };
    if (impl_->rules_enabled) {
      impl_->rules.Start(rest);
    } else {
      rest();
    }
  });
}

bool DeviceTaintEviction::synced() const { return !impl_->enabled || impl_->claims.synced(); }

void DeviceTaintEviction::Impl::AddHandlers() {
  pods.AddIndex("group", [](const Pod& pod) {
    const std::optional<std::string> group = claims::PodGroupName(pod);
    return group ? std::vector<std::string>{pod.metadata.namespace_ + "/" + *group}
                 : std::vector<std::string>{};
  });
  pods.AddHandlers(
      {.on_add = [this](const PodRef& pod) { OnPod(nullptr, pod); },
       .on_update = [this](const PodRef& before, const PodRef& now) { OnPod(before, now); },
       .on_delete = [this](const PodRef& pod) { OnPod(pod, nullptr); }});
  claims.AddHandlers(
      {.on_add = [this](const ClaimRef& claim) { OnClaim(nullptr, claim); },
       .on_update = [this](const ClaimRef& before, const ClaimRef& now) { OnClaim(before, now); },
       .on_delete = [this](const ClaimRef& claim) { OnClaim(claim, nullptr); }});
  const auto set = [this](const SliceRef& slice) {
    pools.Set(slice);
    Reevaluate();
  };
  slices.AddHandlers({.on_add = set,
                      .on_update =
                          [this, set](const SliceRef& before, const SliceRef& now) {
                            pools.Remove(before);
                            set(now);
                          },
                      .on_delete =
                          [this](const SliceRef& slice) {
                            pools.Remove(slice);
                            Reevaluate();
                          }});
  rules.AddHandlers(
      {.on_add = [this](const RuleRef& rule) { OnRule(nullptr, rule); },
       .on_update = [this](const RuleRef& before, const RuleRef& now) { OnRule(before, now); },
       .on_delete = [this](const RuleRef& rule) { OnRule(rule, nullptr); }});
}

void DeviceTaintEviction::Impl::OnClaim(const ClaimRef& before, const ClaimRef& now) {
  const ObjectKey key = KeyOf((now ? now : before)->metadata);
  if (now && now->status.allocation) {
    allocated_claims[key] = {now, EvictionOf(*now, pools, evicting_rules)};
    HandlePodsOf(*now);
  } else if (allocated_claims.erase(key) != 0 && now) {
    HandlePodsOf(*now);
  }
  // Whoever lost its reservation need not go any more.
  if (before) {
    HandlePodsOf(*before);
  }
}

void DeviceTaintEviction::Impl::OnRule(const RuleRef& before, const RuleRef& now) {
  const RuleRef& rule = now ? now : before;
  const std::string key = std::string(kRuleKey) + rule->metadata.name + "/" + rule->metadata.uid;
  if (!now) {
    evicted_by_rule.erase(rule->metadata.uid);
    evicting_rules.erase(rule->metadata.name);
  } else {
    if (before &&
        api::schema::Equal(api::schema::DescriptorOf<api::resource::DeviceTaintRuleSpec>(),
                           &before->spec, &now->spec)) {
      return;
    }
    // The status is told at least once, at once, before any pod is evicted.
    queue.Add(key);
    evicting_rules.erase(rule->metadata.name);
    if (now->spec.taint.effect == kNoExecute) {
      evicting_rules[now->metadata.name] = now;
    }
  }
  Reevaluate();
}

void DeviceTaintEviction::Impl::OnPod(const PodRef& before, const PodRef& now) {
  if (!now) {
    pending.erase(before->metadata.uid);
    return;
  }
  if (before && before->spec.node_name == now->spec.node_name && SameClaims(*before, *now)) {
    return;
  }
  HandlePod(now);
}

void DeviceTaintEviction::Impl::Reevaluate() {
  for (auto& [key, allocated] : allocated_claims) {
    std::optional<Eviction> eviction = EvictionOf(*allocated.claim, pools, evicting_rules);
    if (eviction != allocated.eviction) {
      allocated.eviction = std::move(eviction);
      HandlePodsOf(*allocated.claim);
    }
  }
}

void DeviceTaintEviction::Impl::HandlePodsOf(const ResourceClaim& claim) {
  for (const auto& consumer : claim.status.reserved_for) {
    if (consumer.api_group.empty() && consumer.resource == "pods") {
      const PodRef pod = pods.Get(claim.metadata.namespace_, consumer.name);
      if (pod && pod->metadata.uid == consumer.uid) {
        HandlePod(pod);
      }
    } else if (groups_enabled && consumer.api_group == "scheduling.k8s.io" &&
               consumer.resource == "podgroups") {
      for (const PodRef& pod :
           pods.ByIndex("group", claim.metadata.namespace_ + "/" + consumer.name)) {
        HandlePod(pod);
      }
    }
  }
}

void DeviceTaintEviction::Impl::HandlePod(const PodRef& pod) {
  const std::string& uid = pod->metadata.uid;
  const std::optional<Eviction> eviction = EvictionOfPod(*pod, allocated_claims);
  if (!eviction) {
    if (pending.erase(uid) != 0) {
      recorder.Record(Object::Of(*pod), {.reason = kEventReason, .message = "Cancelling deletion"});
    }
    return;
  }
  pending[uid] = {KeyOf(pod->metadata), *eviction};
  queue.AddAfter(std::string(kPodKey) + KeyOf(pod->metadata).ToString() + "/" + uid,
                 eviction->when.ToWallTime() - now());
  for (const EvictingTaint& taint : eviction->reasons) {
    if (!taint.rule_name.empty()) {
      // More changes may be coming: not at once.
      queue.AddAfter(std::string(kRuleKey) + taint.rule_name + "/" + taint.rule_uid,
                     kRuleStatusPeriod);
    }
  }
}

std::optional<Eviction> DeviceTaintEviction::Impl::EvictionOfPod(
    const Pod& pod, const std::map<ObjectKey, AllocatedClaim>& allocated) const {
  if (pod.spec.node_name.empty()) {
    return std::nullopt;
  }
  const claims::PodGroupOptions options{.accept_pod_group = groups_enabled};
  std::optional<Eviction> eviction;
  for (const auto& entry : pod.spec.resource_claims) {
    const Result<claims::ClaimName> name = claims::NameOf(pod, entry);
    if (!name.ok() || !name->name) {
      continue;
    }
    const auto claim = allocated.find(ObjectKey{pod.metadata.namespace_, *name->name});
    if (claim == allocated.end() || !claim->second.eviction ||
        (name->must_check_owner && !claims::IsForPod(pod, *claim->second.claim, options).ok()) ||
        !claims::IsReservedForPod(pod, *claim->second.claim, options)) {
      continue;
    }
    if (eviction) {
      eviction->Join(*claim->second.eviction);
    } else {
      eviction = claim->second.eviction;
    }
  }
  return eviction;
}

Task<Status> DeviceTaintEviction::Impl::Work(std::string key) {
  const std::string uid = key.substr(key.rfind('/') + 1);
  if (key.starts_with(kPodKey)) {
    co_return co_await WorkOnPod(key, uid);
  }
  co_return co_await WorkOnRule(key, uid);
}

Task<Status> DeviceTaintEviction::Impl::WorkOnPod(std::string key, std::string uid) {
  const auto found = pending.find(uid);
  if (found == pending.end() || evicted.Has(uid)) {
    co_return OkStatus();  // Cancelled, or done.
  }
  const PodEviction due = found->second;
  const Duration wait = due.eviction.when.ToWallTime() - now();
  if (wait > Duration::zero()) {
    queue.AddAfter(key, wait);
    co_return OkStatus();
  }
  const Status status = co_await MarkAndDelete(due.pod, uid);
  if (!status.ok() && status.code() != StatusCode::kNotFound) {
    co_return status;
  }
  pending.erase(uid);
  evicted.Add(uid);
  if (!status.ok()) {
    co_return OkStatus();  // It was gone already: not this controller's work.
  }
  for (const EvictingTaint& taint : due.eviction.reasons) {
    if (!taint.rule_name.empty()) {
      ++evicted_by_rule[taint.rule_uid];
      queue.AddAfter(std::string(kRuleKey) + taint.rule_name + "/" + taint.rule_uid,
                     kRuleStatusPeriod);
    }
  }
  co_return OkStatus();
}

Task<Status> DeviceTaintEviction::Impl::MarkAndDelete(ObjectKey key, std::string uid) {
  const Result<Object> live = co_await cluster.Get(KindOf<Pod>(), key);
  ASSAY_CO_RETURN_IF_ERROR(live.status());
  const Pod& pod = live->As<Pod>();
  if (pod.metadata.uid != uid) {
    co_return NotFoundError("pods \"" + key.name + "\" not found");
  }
  if (claims::IsBeingDeleted(pod.metadata)) {
    co_return OkStatus();
  }
  recorder.Record(*live, {.reason = kEventReason, .message = "Marking for deletion"});
  PodCondition condition;
  condition.type = "DisruptionTarget";
  condition.status = "True";
  condition.reason = "DeletionByDeviceTaintManager";
  condition.message = "Device Taint manager: deleting due to NoExecute taint";
  condition.last_transition_time = api::meta::Time::From(now());
  const bool known = std::any_of(
      pod.status.conditions.begin(), pod.status.conditions.end(), [&](const PodCondition& other) {
        return other.type == condition.type && other.status == condition.status &&
               other.reason == condition.reason && other.message == condition.message;
      });
  if (!known) {
    const std::string status = R"({"conditions":[)" + api::json::EncodeAs(condition) + "]}";
    const Result<Object> patched =
        co_await cluster.PatchStatus(KindOf<Pod>(), pod.metadata, status);
    ASSAY_CO_RETURN_IF_ERROR(patched.status());
  }
  api::client::DeleteOptions options;
  options.uid = uid;
  const Status deleted = co_await cluster.Delete(KindOf<Pod>(), key, options);
  co_return deleted;
}

Task<Status> DeviceTaintEviction::Impl::WorkOnRule(std::string key, std::string uid) {
  const std::string name = key.substr(kRuleKey.size(), key.rfind('/') - kRuleKey.size());
  const RuleRef rule = rules.Get("", name);
  if (!rule || rule->metadata.uid != uid) {
    co_return OkStatus();
  }
  api::meta::Condition before;
  for (const api::meta::Condition& condition : rule->status.conditions) {
    if (condition.type == kCondition) {
      before = condition;
      // The time changes with every change of the message: it paces the updates.
      const Duration since = now() - before.last_transition_time.ToWallTime();
      if (before.observed_generation == rule->metadata.generation && since < kRuleStatusPeriod) {
        queue.AddAfter(key, kRuleStatusPeriod - since);
        co_return OkStatus();
      }
    }
  }
  api::meta::Condition condition = ConditionOf(*rule);
  if (condition.status == before.status && condition.reason == before.reason &&
      condition.message == before.message &&
      condition.observed_generation == before.observed_generation) {
    co_return OkStatus();
  }
  condition.last_transition_time = api::meta::Time::From(now());
  // DRADeviceTaintRules is served as v1beta2 at level 1.36; the server takes every version.
  const api::Kind& kind = KindOf<DeviceTaintRule>();
  const std::string body = R"({"apiVersion":")" + kind.HubGvk().ApiVersion() + R"(","kind":")" +
                           kind.kind + R"(","metadata":{"name":)" + api::json::Quote(name) +
                           R"(,"uid":)" + api::json::Quote(uid) + R"(},"status":{"conditions":[)" +
                           api::json::EncodeAs(condition) + "]}}";
  const ObjectKey object{"", name};
  api::client::PatchOptions options;
  options.type = api::client::PatchType::kApply;
  options.subresource = "status";
  options.field_manager = kName;
  options.force = true;
  const Result<Object> applied = co_await cluster.Patch(kind, object, body, options);
  co_return applied.status().WithContext("add condition to DeviceTaintRule status");
}

void DeviceTaintEviction::Impl::CountPending(const DeviceTaintRule& rule,
                                             const std::map<ObjectKey, AllocatedClaim>& allocated,
                                             int& pod_count, int& namespace_count) const {
  std::set<std::string> namespaces;
  pod_count = 0;
  for (const PodRef& pod : pods.List()) {
    if (claims::IsBeingDeleted(pod->metadata)) {
      continue;
    }
    const std::optional<Eviction> eviction = EvictionOfPod(*pod, allocated);
    if (eviction && eviction->BecauseOf(rule.metadata.uid)) {
      ++pod_count;
      namespaces.insert(pod->metadata.namespace_);
    }
  }
  namespace_count = static_cast<int>(namespaces.size());
}

api::meta::Condition DeviceTaintEviction::Impl::ConditionOf(const DeviceTaintRule& rule) const {
  api::meta::Condition condition;
  condition.type = kCondition;
  condition.status = "False";
  condition.observed_generation = rule.metadata.generation;
  const auto count = evicted_by_rule.find(rule.metadata.uid);
  const int evicted_pods = count == evicted_by_rule.end() ? 0 : count->second;
  int pod_count = 0;
  int namespace_count = 0;
  if (rule.spec.taint.effect == kNoExecute) {
    CountPending(rule, allocated_claims, pod_count, namespace_count);
    if (pod_count > 0) {
      condition.status = "True";
      condition.reason = "PodsPendingEviction";
      condition.message = Count(pod_count, "pod needs", "pods need") + " to be evicted in " +
                          Namespaces(namespace_count) + ".";
    } else {
      condition.reason = evicted_pods > 0 ? "Completed" : "NotStarted";
    }
  } else if (rule.spec.taint.effect == "None") {
    // What would be, if this rule alone were to evict.
    DeviceTaintRule evicting = rule;
    evicting.spec.taint.effect = kNoExecute;
    const std::map<std::string, RuleRef> only{
        {rule.metadata.name, std::make_shared<const DeviceTaintRule>(evicting)}};
    std::map<ObjectKey, AllocatedClaim> allocated = allocated_claims;
    int devices = 0;
    for (auto& [key, claim] : allocated) {
      claim.eviction = EvictionOf(*claim.claim, pools, only);
      for (const auto& result : claim.claim->status.allocation->devices.results) {
        devices += Selects(rule, result.driver, result.pool, result.device) ? 1 : 0;
      }
    }
    CountPending(rule, allocated, pod_count, namespace_count);
    condition.reason = "NoEffect";
    condition.message =
        Count(pools.CountSelected(rule), "published device", "published devices") + " selected. " +
        Count(devices, "allocated device", "allocated devices") + " selected. " +
        Count(pod_count, "pod", "pods") + " would be evicted in " + Namespaces(namespace_count) +
        " if the effect was NoExecute. This information will not be updated again. Recreate the "
        "DeviceTaintRule to trigger an update.";
  } else {
    condition.reason = "OtherEffect";
    condition.message = "Eviction only happens for the NoExecute effect.";
  }
  if (evicted_pods > 0) {
    condition.message += std::string(condition.message.empty() ? "" : " ") +
                         Count(evicted_pods, "pod", "pods") +
                         " evicted since starting the controller.";
  }
  return condition;
}

}  // namespace assay::controlplane::eviction
