#include "controlplane/scheduler/scheduler.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/client/async_client.h"
#include "api/client/event_recorder.h"
#include "api/client/informer.h"
#include "api/core/types.h"
#include "api/json/json.h"
#include "api/scheduling/types.h"
#include "controlplane/claims/pod_claims.h"
#include "controlplane/scheduler/device_cache.h"
#include "controlplane/scheduler/fit_error.h"
#include "controlplane/scheduler/node_info.h"
#include "controlplane/scheduler/scheduling_queue.h"

namespace assay::controlplane::scheduler {
namespace {

using api::KindOf;
using api::Object;
using api::client::Informer;
using api::client::KeyOf;
using api::client::ObjectKey;
using api::client::Task;
using api::core::Node;
using api::core::Pod;

using NodeRef = Informer<Node>::Ref;
using PodRef = Informer<Pod>::Ref;

constexpr char kGates[] = "SchedulingGates";
constexpr char kGangs[] = "GangScheduling";
// events.k8s.io: a note's limit.
constexpr std::size_t kMaxNote = 1024;
// Up to so many nodes all are looked at; of more, a share (schedule_one.go).
constexpr std::size_t kMinFeasibleNodes = 100;
constexpr std::size_t kMinFeasiblePercentage = 5;
constexpr std::int64_t kDynamicResourcesWeight = 2;

std::size_t FeasibleNodesToFind(std::size_t nodes) {
  if (nodes < kMinFeasibleNodes) {
    return nodes;
  }
  const std::size_t percentage =
      nodes / 125 + kMinFeasiblePercentage < 50 ? 50 - nodes / 125 : kMinFeasiblePercentage;
  return std::max(kMinFeasibleNodes, nodes * percentage / 100);
}

std::string Truncated(std::string note) {
  const std::string suffix = " ...";
  if (note.size() > kMaxNote) {
    note.resize(kMaxNote - suffix.size());
    note += suffix;
  }
  return note;
}

// What of a node decides where pods fit.
bool SameForScheduling(const Node& a, const Node& b) {
  return a.metadata.labels == b.metadata.labels && a.spec.unschedulable == b.spec.unschedulable &&
         a.spec.taints.size() == b.spec.taints.size() &&
         std::equal(a.spec.taints.begin(), a.spec.taints.end(), b.spec.taints.begin(),
                    [](const auto& x, const auto& y) {
                      return x.key == y.key && x.value == y.value && x.effect == y.effect;
                    }) &&
         a.status.allocatable == b.status.allocatable;
}

}  // namespace

struct Scheduler::Impl {
  Impl(api::client::Client& api_client, const api::Compatibility& compatibility,
       SchedulerOptions scheduler_options)
      : options(std::move(scheduler_options)),
        groups_enabled(compatibility.Enabled("GenericWorkload")),
        gangs_enabled(compatibility.Enabled("GangScheduling")),
        cluster(api_client),
        random(options.seed),
        recorder(api_client, options.name),
        pods(api_client),
        nodes(api_client),
        devices(api_client, compatibility,
                {.on_claim = [this](const auto& before, const auto& now) { OnClaim(before, now); },
                 .on_devices = [this] { MoveRejectedBy({kDynamicResources}); },
                 .on_group = [this] { MoveRejectedBy({kDynamicResources, kGangs}); }}),
        plugin(api_client, devices, recorder, compatibility, random, options.dynamic_resources),
        queue(
            api_client.loop(), [this](QueuedPod& pod) { return MayEnter(pod); },
            [this] { Wake(); }) {
    AddHandlers();
  }
  ~Impl() { *alive = false; }

  void AddHandlers();
  void Start();

  bool IsMine(const Pod& pod) const { return pod.spec.scheduler_name == options.name; }
  void OnPodAdded(const PodRef& pod);
  void OnPodUpdated(const PodRef& before, const PodRef& now);
  void OnPodDeleted(const PodRef& pod);
  void OnNode(const NodeRef& before, const NodeRef& now);
  void OnClaim(const DeviceCache::ClaimRef& before, const DeviceCache::ClaimRef& now);
  void MoveRejectedBy(const std::set<std::string>& plugins);
  // Counts the pod on its node, or takes it off; only what has been there wakes others by that.
  void Place(const PodRef& pod);
  bool Remove(const std::string& uid);
  void TakeOff(const std::string& uid);

  bool MayEnter(QueuedPod& pod) const;
  void Wake();
  void RunNext();

  // How a pod fared.
  struct Attempt {
    QueuedPod queued;
    std::shared_ptr<ClaimCycle> cycle;     // Shared with the binding, which outlives the attempt.
    std::optional<std::string> node_name;  // It counts as being there.
    std::string reason;                    // "Unschedulable" or "SchedulerError": it fits nowhere.
    std::string message;
    std::optional<FitError> error;  // In the place of a message.
  };
  // Brings what is known of the pod up to date. False: there is nothing to be scheduled.
  bool Refresh(QueuedPod& queued);
  Task<Status> ScheduleOne(QueuedPod queued);
  Attempt Try(const QueuedPod& queued, std::shared_ptr<std::set<std::string>> shared_by_group);
  // Binds the pod, or sees whether freeing a claim helps, and tells why it was not scheduled.
  Task<Status> Conclude(Attempt attempt);

  // All pods of a group that wait are tried in a row; only then it is decided whether they go.
  Task<Status> ScheduleGroup(QueuedPod first);
  std::vector<PodRef> PodsOfGroupOf(const Pod& pod) const;
  std::size_t ScheduledOfGroupOf(const Pod& pod) const;
  // What the gang's policy asks for; 0 where there is none. kNotFound: the group is not there.
  Result<std::size_t> GangSizeOf(const Pod& pod) const;
  Task<Status> SetGroupCondition(Pod member, std::string reason, std::string message);

  // Finds the node; or fills `error`, or `failure` if the attempt was aborted.
  std::optional<std::string> FindNode(const PodRef& pod, ClaimCycle& cycle, FitError& error,
                                      PluginStatus& failure);
  std::string PickNode(const std::vector<const NodeInfo*>& feasible,
                       const ResourceAmounts& requests, const ClaimCycle& cycle) const;
  Task<Status> Bind(QueuedPod queued, std::shared_ptr<ClaimCycle> cycle, std::string node_name);
  Task<Status> BindPod(PodRef pod, std::string node_name);
  Task<Status> Fail(QueuedPod queued, std::string reason, std::string message);

  SchedulerOptions options;
  const bool groups_enabled;
  const bool gangs_enabled;
  api::client::AsyncClient cluster;
  Random random;
  api::client::EventRecorder recorder;
  Informer<Pod> pods;
  Informer<Node> nodes;
  DeviceCache devices;
  DynamicResources plugin;
  SchedulingQueue queue;
  std::map<std::string, NodeInfo> infos;       // By node name.
  std::map<std::string, std::string> node_of;  // Pod UID to node name, assumed ones too.
  std::set<std::string> assumed;               // UIDs of pods that are being bound.
  std::size_t next_start_node = 0;
  bool started = false;
  bool busy = false;    // A pod is being matched to a node.
  bool posted = false;  // RunNext is under way.
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
  api::client::TaskScope tasks;  // Last: what it runs uses all of the above.
};

Scheduler::Scheduler(api::client::Client& client, const api::Compatibility& compatibility,
                     SchedulerOptions options)
    : impl_(std::make_unique<Impl>(client, compatibility, std::move(options))) {}

Scheduler::~Scheduler() = default;

void Scheduler::Start() { impl_->Start(); }

bool Scheduler::synced() const { return impl_->started; }

void Scheduler::Impl::AddHandlers() {
  pods.AddIndex("group", [](const Pod& pod) {
    const std::optional<std::string> group = claims::PodGroupName(pod);
    return group ? std::vector<std::string>{ObjectKey{pod.metadata.namespace_, *group}.ToString()}
                 : std::vector<std::string>{};
  });
  pods.AddHandlers(
      {.on_add = [this](const PodRef& pod) { OnPodAdded(pod); },
       .on_update = [this](const PodRef& before, const PodRef& now) { OnPodUpdated(before, now); },
       .on_delete = [this](const PodRef& pod) { OnPodDeleted(pod); }});
  nodes.AddHandlers(
      {.on_add = [this](const NodeRef& node) { OnNode(nullptr, node); },
       .on_update = [this](const NodeRef& before, const NodeRef& now) { OnNode(before, now); },
       .on_delete = [this](const NodeRef& node) { OnNode(node, nullptr); }});
}

void Scheduler::Impl::Start() {
  nodes.Start([this] {
    devices.Start([this] {
      pods.Start([this] {
        started = true;
        // Pods were listed last, but PreEnqueue may have been asked before.
        Wake();
      });
    });
  });
}

void Scheduler::Impl::OnPodAdded(const PodRef& pod) {
  if (!pod->spec.node_name.empty()) {
    Place(pod);
  } else if (IsMine(*pod) && !claims::IsTerminal(*pod)) {
    queue.Add(pod);
  }
  if (gangs_enabled && claims::PodGroupName(*pod)) {
    // It may be the one that its gang has waited for.
    queue.Move([&](const QueuedPod& other) {
      return other.rejected_by.contains(kGangs) &&
             other.pod->metadata.namespace_ == pod->metadata.namespace_ &&
             claims::PodGroupName(*other.pod) == claims::PodGroupName(*pod);
    });
  }
}

void Scheduler::Impl::OnPodUpdated(const PodRef& before, const PodRef& now) {
  if (!now->spec.node_name.empty()) {
    queue.Remove(now->metadata.uid);
    Place(now);
    return;
  }
  if (!IsMine(*now) || claims::IsTerminal(*now) || assumed.contains(now->metadata.uid)) {
    return;
  }
  const bool ungated = before->spec.scheduling_gates.size() != now->spec.scheduling_gates.size() ||
                       before->metadata.labels != now->metadata.labels ||
                       before->metadata.generation != now->metadata.generation;
  const bool claims_changed =
      before->status.resource_claim_statuses.size() != now->status.resource_claim_statuses.size() &&
      plugin.PodChangeHelps(*now);
  queue.Update(now, {.may_help = ungated || claims_changed});
}

void Scheduler::Impl::OnPodDeleted(const PodRef& pod) {
  queue.Remove(pod->metadata.uid);
  TakeOff(pod->metadata.uid);
}

void Scheduler::Impl::Place(const PodRef& pod) {
  assumed.erase(pod->metadata.uid);
  if (claims::IsTerminal(*pod)) {
    TakeOff(pod->metadata.uid);
    return;
  }
  node_of[pod->metadata.uid] = pod->spec.node_name;
  infos[pod->spec.node_name].AddPod(pod);
}

bool Scheduler::Impl::Remove(const std::string& uid) {
  assumed.erase(uid);
  const auto place = node_of.find(uid);
  if (place == node_of.end()) {
    return false;
  }
  const auto info = infos.find(place->second);
  info->second.RemovePod(uid);
  if (info->second.node == nullptr && info->second.empty()) {
    infos.erase(info);
  }
  node_of.erase(place);
  return true;
}

void Scheduler::Impl::TakeOff(const std::string& uid) {
  if (Remove(uid)) {
    MoveRejectedBy({"NodeResourcesFit", "NodePorts"});
  }
}

void Scheduler::Impl::OnNode(const NodeRef& before, const NodeRef& now) {
  const std::string& name = (now ? now : before)->metadata.name;
  NodeInfo& info = infos[name];
  info.node = now;
  if (!now) {
    if (info.empty()) {
      infos.erase(name);
    }
    return;
  }
  if (!before || !SameForScheduling(*before, *now)) {
    MoveRejectedBy({kDynamicResources, "NodeResourcesFit", "NodeAffinity", "NodeName", "NodePorts",
                    "TaintToleration", "NodeUnschedulable", ""});
  }
}

void Scheduler::Impl::OnClaim(const DeviceCache::ClaimRef& before,
                              const DeviceCache::ClaimRef& now) {
  queue.Move([&](const QueuedPod& pod) {
    return pod.rejected_by.contains(kDynamicResources) &&
           plugin.ClaimChangeHelps(*pod.pod, before, now);
  });
}

void Scheduler::Impl::MoveRejectedBy(const std::set<std::string>& plugins) {
  queue.Move([&](const QueuedPod& pod) {
    return std::any_of(
        pod.rejected_by.begin(), pod.rejected_by.end(),
        [&](const std::string& plugin_name) { return plugins.contains(plugin_name); });
  });
}

bool Scheduler::Impl::MayEnter(QueuedPod& pod) const {
  pod.rejected_by.clear();
  if (!pod.pod->spec.scheduling_gates.empty()) {
    pod.rejected_by = {kGates};
  } else if (!plugin.PreEnqueue(*pod.pod).ok()) {
    pod.rejected_by = {kDynamicResources};
  } else if (const Result<std::size_t> size = GangSizeOf(*pod.pod);
             !size.ok() || PodsOfGroupOf(*pod.pod).size() < *size) {
    pod.rejected_by = {kGangs};
  }
  return pod.rejected_by.empty();
}

Result<std::size_t> Scheduler::Impl::GangSizeOf(const Pod& pod) const {
  if (!gangs_enabled) {
    return std::size_t{0};
  }
  ASSAY_ASSIGN_OR_RETURN(const DeviceCache::GroupRef group, devices.GroupOf(pod));
  if (group == nullptr || !group->spec.scheduling_policy.gang) {
    return std::size_t{0};
  }
  return static_cast<std::size_t>(group->spec.scheduling_policy.gang->min_count);
}

std::vector<PodRef> Scheduler::Impl::PodsOfGroupOf(const Pod& pod) const {
  const std::optional<std::string> group = claims::PodGroupName(pod);
  if (!group) {
    return {};
  }
  std::vector<PodRef> members =
      pods.ByIndex("group", ObjectKey{pod.metadata.namespace_, *group}.ToString());
  std::erase_if(members, [](const PodRef& member) { return claims::IsTerminal(*member); });
  return members;
}

std::size_t Scheduler::Impl::ScheduledOfGroupOf(const Pod& pod) const {
  const std::vector<PodRef> members = PodsOfGroupOf(pod);
  return static_cast<std::size_t>(
      std::count_if(members.begin(), members.end(),
                    [&](const PodRef& member) { return node_of.contains(member->metadata.uid); }));
}

void Scheduler::Impl::Wake() {
  if (!started || busy || posted) {
    return;
  }
  posted = true;
  cluster.loop().Post([this, here = alive] {
    if (*here) {
      posted = false;
      RunNext();
    }
  });
}

void Scheduler::Impl::RunNext() {
  if (busy) {
    return;
  }
  std::optional<QueuedPod> next = queue.Pop();
  if (!next) {
    return;
  }
  busy = true;
  const bool of_group = groups_enabled && claims::PodGroupName(*next->pod).has_value();
  tasks.Spawn<Status>(of_group ? ScheduleGroup(*std::move(next)) : ScheduleOne(*std::move(next)),
                      [this](const Status&) {
                        busy = false;
                        Wake();
                      });
}

bool Scheduler::Impl::Refresh(QueuedPod& queued) {
  const PodRef pod = pods.Get(KeyOf(queued.pod->metadata));
  if (!pod || pod->metadata.uid != queued.pod->metadata.uid || !pod->spec.node_name.empty()) {
    queue.Done(queued.pod->metadata.uid);
    return false;
  }
  queued.pod = pod;
  if (claims::IsBeingDeleted(pod->metadata)) {
    recorder.Record(Object::Of(*pod),
                    {.type = api::client::kEventWarning,
                     .reason = "FailedScheduling",
                     .message = "skip schedule deleting pod: " + KeyOf(pod->metadata).ToString(),
                     .action = "Scheduling"});
    queue.Done(pod->metadata.uid);
    return false;
  }
  return true;
}

Task<Status> Scheduler::Impl::ScheduleOne(QueuedPod queued) {
  if (!Refresh(queued)) {
    co_return OkStatus();
  }
  const Attempt attempt = Try(queued, nullptr);
  co_return co_await Conclude(attempt);
}

Scheduler::Impl::Attempt Scheduler::Impl::Try(
    const QueuedPod& queued, std::shared_ptr<std::set<std::string>> shared_by_group) {
  const PodRef pod = queued.pod;
  Attempt attempt{.queued = queued, .cycle = std::make_shared<ClaimCycle>()};
  attempt.cycle->shared_by_group = std::move(shared_by_group);
  FitError error;
  PluginStatus failure;
  const std::optional<std::string> node_name = FindNode(pod, *attempt.cycle, error, failure);
  if (!failure.ok()) {
    attempt.reason = "SchedulerError";
    attempt.message = failure.message();
    return attempt;
  }
  if (!node_name) {
    attempt.reason = "Unschedulable";
    if (error.nodes == 0) {
      attempt.queued.rejected_by.insert("");  // Any node may help.
      attempt.reason = "SchedulerError";
      attempt.message = "no nodes available to schedule pods";
      return attempt;
    }
    if (!error.prefilter.empty()) {
      attempt.queued.rejected_by.insert(kDynamicResources);
    }
    for (const auto& [name, status] : error.by_node) {
      attempt.queued.rejected_by.insert(status.plugin);
    }
    attempt.error = std::move(error);
    return attempt;
  }

  // From here on the pod counts as being there, with all that its devices take.
  const PluginStatus reserved = plugin.Reserve(*attempt.cycle, *node_name);
  ASSAY_CHECK(reserved.ok()) << reserved.message();
  Pod placed = *pod;
  placed.spec.node_name = *node_name;
  placed.status.node_allocatable_resource_claim_statuses = attempt.cycle->taken;
  node_of[pod->metadata.uid] = *node_name;
  infos[*node_name].AddPod(std::make_shared<const Pod>(std::move(placed)));
  assumed.insert(pod->metadata.uid);
  attempt.node_name = node_name;
  return attempt;
}

Task<Status> Scheduler::Impl::Conclude(Attempt attempt) {
  if (attempt.node_name) {
    tasks.Spawn(Bind(attempt.queued, attempt.cycle, *attempt.node_name));
    co_return OkStatus();
  }
  if (attempt.error) {
    const DynamicResources::PostFilterOptions options_of_group{
        .group_is_scheduled = ScheduledOfGroupOf(*attempt.queued.pod) > 0};
    const PluginStatus freed = co_await plugin.PostFilter(*attempt.cycle, options_of_group);
    attempt.error->postfilter = freed.code == PluginStatus::Code::kError
                                    ? freed.message()
                                    : freed.message() + ", " + PreemptionMessage(*attempt.error);
    attempt.message = attempt.error->ToString();
  }
  co_return co_await Fail(attempt.queued, attempt.reason, attempt.message);
}

Task<Status> Scheduler::Impl::ScheduleGroup(QueuedPod first) {
  std::vector<QueuedPod> members = {first};
  for (const PodRef& pod : PodsOfGroupOf(*first.pod)) {
    if (pod->metadata.uid != first.pod->metadata.uid) {
      if (std::optional<QueuedPod> queued = queue.Take(pod->metadata.uid)) {
        members.push_back(*std::move(queued));
      }
    }
  }
  std::stable_sort(members.begin(), members.end(), [](const QueuedPod& a, const QueuedPod& b) {
    const std::int32_t priority_a = a.pod->spec.priority.value_or(0);
    const std::int32_t priority_b = b.pod->spec.priority.value_or(0);
    return priority_a != priority_b ? priority_a > priority_b : a.added < b.added;
  });

  const auto shared = std::make_shared<std::set<std::string>>();
  std::vector<Attempt> attempts;
  bool complete = false;
  std::string error;
  for (QueuedPod& member : members) {
    if (!Refresh(member)) {
      continue;
    }
    if (!error.empty()) {
      attempts.push_back({.queued = member, .reason = "SchedulerError", .message = error});
      continue;
    }
    attempts.push_back(Try(member, shared));
    const Attempt& attempt = attempts.back();
    const Result<std::size_t> size = GangSizeOf(*member.pod);
    if (attempt.reason == "SchedulerError") {
      error = "failed to schedule other pod from a pod group: " + attempt.message;
    } else if (attempt.node_name && size.ok() && ScheduledOfGroupOf(*member.pod) >= *size) {
      complete = true;
    }
  }
  if (attempts.empty()) {
    co_return OkStatus();
  }
  const bool bind = complete && error.empty();
  for (Attempt& attempt : attempts) {
    if (attempt.node_name && !bind) {
      const Status unreserved = co_await plugin.Unreserve(*attempt.cycle);
      (void)unreserved;
      Remove(attempt.queued.pod->metadata.uid);
      attempt.node_name.reset();
      attempt.reason = error.empty() ? "Unschedulable" : "SchedulerError";
      attempt.message = error.empty() ? "pod group is unschedulable, waiting for minCount pods "
                                        "from a gang to be scheduled"
                                      : error;
    }
  }
  for (const Attempt& attempt : attempts) {
    const Status concluded = co_await Conclude(attempt);
    (void)concluded;  // A condition that could not be written is written after the next attempt.
  }
  const Pod member = *attempts.front().queued.pod;
  if (!error.empty()) {
    co_return co_await SetGroupCondition(member, "SchedulerError", error);
  }
  co_return co_await SetGroupCondition(member, bind ? "Scheduled" : "Unschedulable",
                                       bind ? "" : "pod group is unschedulable");
}

Task<Status> Scheduler::Impl::SetGroupCondition(Pod member, std::string reason,
                                                std::string message) {
  const Result<DeviceCache::GroupRef> group = devices.GroupOf(member);
  if (!group.ok() || *group == nullptr) {
    co_return OkStatus();
  }
  api::meta::Condition condition;
  condition.type = "PodGroupScheduled";
  condition.status = reason == "Scheduled" ? "True" : "False";
  condition.reason = std::move(reason);
  condition.message = std::move(message);
  condition.observed_generation = (*group)->metadata.generation;
  condition.last_transition_time = api::meta::Time::From(cluster.loop().clock().Now());
  for (const api::meta::Condition& known : (*group)->status.conditions) {
    if (known.type != condition.type) {
      continue;
    }
    if (known.status == condition.status) {
      condition.last_transition_time = known.last_transition_time;
    }
    // A group that has been scheduled stays so, whatever becomes of further pods.
    if ((known.status == "True" && condition.status != "True") || known == condition) {
      co_return OkStatus();
    }
  }
  const std::string status = R"({"conditions":[)" + api::json::EncodeAs(condition) + "]}";
  const Result<Object> patched =
      co_await cluster.PatchStatus(KindOf<api::scheduling::PodGroup>(), (*group)->metadata, status);
  co_return patched.status();
}

std::optional<std::string> Scheduler::Impl::FindNode(const PodRef& pod, ClaimCycle& cycle,
                                                     FitError& error, PluginStatus& failure) {
  std::vector<const NodeInfo*> known;
  for (const auto& [name, info] : infos) {
    if (info.node != nullptr) {
      known.push_back(&info);
    }
  }
  error.nodes = known.size();
  if (known.empty()) {
    return std::nullopt;
  }
  const PluginStatus prefilter = plugin.PreFilter(pod, cycle);
  if (prefilter.code == PluginStatus::Code::kError) {
    failure = prefilter;
    failure.reasons = {"running PreFilter plugin \"" + prefilter.plugin +
                       "\": " + prefilter.message()};
    return std::nullopt;
  }
  if (!prefilter.ok()) {
    error.prefilter = prefilter.message();
    return std::nullopt;
  }
  const ResourceAmounts requests = RequestsOf(*pod);
  const std::size_t wanted = FeasibleNodesToFind(known.size());
  std::vector<const NodeInfo*> feasible;
  std::size_t looked_at = 0;
  for (; looked_at < known.size() && feasible.size() < wanted; ++looked_at) {
    const NodeInfo& info = *known[(next_start_node + looked_at) % known.size()];
    const NodeInfo::FitOptions fit{
        .delegated = [&](const std::string& resource) { return plugin.Provides(info, resource); }};
    PluginStatus status = info.Fit(*pod, requests, fit);
    if (status.ok() && !cycle.empty()) {
      status = plugin.Filter(cycle, info);
    }
    if (status.code == PluginStatus::Code::kError) {
      failure = status;
      failure.reasons = {"running \"" + status.plugin + "\" filter plugin: " + status.message()};
      return std::nullopt;
    }
    if (status.ok()) {
      feasible.push_back(&info);
    } else {
      error.by_node[info.node->metadata.name] = std::move(status);
    }
  }
  // Large clusters: the next pod starts where this one stopped. Small ones: always all nodes.
  next_start_node = (next_start_node + looked_at) % known.size();
  if (feasible.empty()) {
    return std::nullopt;
  }
  return PickNode(feasible, requests, cycle);
}

// The highest score wins; of equals, the first by name (upstream: any).
std::string Scheduler::Impl::PickNode(const std::vector<const NodeInfo*>& feasible,
                                      const ResourceAmounts& requests,
                                      const ClaimCycle& cycle) const {
  std::map<std::string, std::int64_t> device_scores;
  std::int64_t highest = 0;
  for (const NodeInfo* info : feasible) {
    const std::string& name = info->node->metadata.name;
    device_scores[name] = plugin.Score(cycle, name);
    highest = std::max(highest, device_scores[name]);
  }
  std::map<std::string, std::int64_t> scores;
  for (const NodeInfo* info : feasible) {
    const std::string& name = info->node->metadata.name;
    const std::int64_t normalized = highest == 0 ? 0 : device_scores[name] * 100 / highest;
    scores[name] = kDynamicResourcesWeight * normalized + info->LeastAllocatedScore(requests);
  }
  // Sorted by name: max_element takes the first of equals.
  return std::max_element(scores.begin(), scores.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

Task<Status> Scheduler::Impl::Bind(QueuedPod queued, std::shared_ptr<ClaimCycle> cycle,
                                   std::string node_name) {
  const PodRef pod = queued.pod;
  Status status;
  if (!cycle->empty()) {
    status = co_await plugin.PreBind(*cycle, node_name);
    if (!status.ok()) {
      status = Status(status.code(), std::string("running PreBind plugin \"") + kDynamicResources +
                                         "\": " + status.message());
    }
  }
  if (status.ok()) {
    status = co_await BindPod(pod, node_name);
    if (!status.ok()) {
      status = Status(status.code(), "running Bind plugin \"DefaultBinder\": " + status.message());
    }
  }
  if (status.ok()) {
    queue.Done(pod->metadata.uid);
    recorder.Record(
        Object::Of(*pod),
        {.reason = "Scheduled",
         .message = "Successfully assigned " + KeyOf(pod->metadata).ToString() + " to " + node_name,
         .action = "Binding"});
    co_return OkStatus();
  }
  const Status unreserved = co_await plugin.Unreserve(*cycle);
  (void)unreserved;
  if (assumed.contains(pod->metadata.uid)) {
    TakeOff(pod->metadata.uid);
  }
  co_return co_await Fail(queued, "SchedulerError", status.message());
}

Task<Status> Scheduler::Impl::BindPod(PodRef pod, std::string node_name) {
  Pod binding;
  binding.metadata.namespace_ = pod->metadata.namespace_;
  binding.metadata.name = pod->metadata.name;
  binding.metadata.uid = pod->metadata.uid;
  binding.spec.node_name = node_name;
  api::client::WriteOptions write;
  write.subresource = "binding";
  const Object object = Object::Of(std::move(binding));
  const Result<Object> bound = co_await cluster.Create(object, write);
  co_return bound.status();
}

Task<Status> Scheduler::Impl::Fail(QueuedPod queued, std::string reason, std::string message) {
  const PodRef pod = pods.Get(KeyOf(queued.pod->metadata));
  if (!pod || pod->metadata.uid != queued.pod->metadata.uid || !pod->spec.node_name.empty()) {
    queue.Done(queued.pod->metadata.uid);
    co_return OkStatus();
  }
  queued.pod = pod;
  // Without any node it is an error by name only; a new node wakes the pod. Where no plugin refused
  // it, its group did, and no event will tell that this has changed.
  queued.failed_with_error = queued.rejected_by.empty() ||
                             (reason == "SchedulerError" && !queued.rejected_by.contains(""));
  queue.GiveBack(queued);
  recorder.Record(Object::Of(*pod), {.type = api::client::kEventWarning,
                                     .reason = "FailedScheduling",
                                     .message = Truncated(message),
                                     .action = "Scheduling"});
  api::core::PodCondition condition;
  condition.type = "PodScheduled";
  condition.status = "False";
  condition.reason = reason;
  condition.message = message;
  condition.observed_generation = pod->metadata.generation;
  condition.last_transition_time = api::meta::Time::From(cluster.loop().clock().Now());
  for (const api::core::PodCondition& known : pod->status.conditions) {
    if (known.type != condition.type) {
      continue;
    }
    if (known.status == condition.status) {
      condition.last_transition_time = known.last_transition_time;
      if (known.reason == condition.reason && known.message == condition.message &&
          known.observed_generation == condition.observed_generation) {
        co_return OkStatus();
      }
    }
  }
  const std::string status = R"({"conditions":[)" + api::json::EncodeAs(condition) + "]}";
  const Result<Object> patched = co_await cluster.PatchStatus(KindOf<Pod>(), pod->metadata, status);
  co_return patched.status();
}

}  // namespace assay::controlplane::scheduler
