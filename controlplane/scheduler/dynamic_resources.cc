#include "controlplane/scheduler/dynamic_resources.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "api/core/types.h"
#include "api/json/json.h"
#include "api/schema/descriptor.h"
#include "controlplane/claims/pod_claims.h"

namespace assay::controlplane::scheduler {
namespace {

using api::KindOf;
using api::Object;
using api::client::KeyOf;
using api::client::ObjectKey;
using api::client::Task;
using api::core::Pod;
using api::resource::AllocationResult;
using api::resource::DeviceRequestAllocationResult;
using api::resource::ResourceClaim;
using ClaimRef = DeviceCache::ClaimRef;

constexpr Duration kBindingPoll = std::chrono::seconds(5);
// client-go's retry.DefaultRetry.
constexpr int kWriteAttempts = 5;
constexpr Duration kWriteDelay = std::chrono::milliseconds(10);

PluginStatus Unresolvable(std::string reason) {
  return PluginStatus::Unresolvable(kDynamicResources, std::move(reason));
}
PluginStatus Error(std::string reason) {
  return PluginStatus::Error(kDynamicResources, std::move(reason));
}
// Whether the node does without the calls that the claim's devices do without (1.37).
bool CanServe(const api::core::Node& node, const ResourceClaim& claim) {
  const bool asks =
      std::ranges::any_of(claim.status.allocation->devices.results,
                          [](const auto& result) { return !result.skip_node_operations.empty(); });
  return !asks ||
         std::ranges::count(node.status.declared_features, "DRAOptionalNodeOperations") > 0;
}

PluginStatus Unschedulable(std::string reason) {
  return {PluginStatus::Code::kUnschedulable, kDynamicResources, {std::move(reason)}};
}

std::string PathOf(const ResourceClaim& claim) { return KeyOf(claim.metadata).ToString(); }

bool IsDraft(const ResourceClaim& claim) { return claim.metadata.name == kExtendedClaimDraftName; }

bool IsReservedAs(const ResourceClaim& claim,
                  const api::resource::ResourceClaimConsumerReference& reservation) {
  return std::any_of(claim.status.reserved_for.begin(), claim.status.reserved_for.end(),
                     [&](const auto& known) { return known.uid == reservation.uid; });
}

const api::resource::AllocatedDeviceStatus* FindDeviceStatus(
    const ResourceClaim& claim, const DeviceRequestAllocationResult& result) {
  const auto found = std::find_if(
      claim.status.devices.begin(), claim.status.devices.end(), [&](const auto& device) {
        return device.driver == result.driver && device.pool == result.pool &&
               device.device == result.device;
      });
  return found == claim.status.devices.end() ? nullptr : &*found;
}

const api::meta::Condition* FindTrueCondition(const api::resource::AllocatedDeviceStatus& device,
                                              const std::string& type) {
  for (const api::meta::Condition& condition : device.conditions) {
    if (condition.type == type && condition.status == "True") {
      return &condition;
    }
  }
  return nullptr;
}

bool HasBindingConditions(const ResourceClaim& claim) {
  return claim.status.allocation &&
         std::any_of(claim.status.allocation->devices.results.begin(),
                     claim.status.allocation->devices.results.end(),
                     [](const auto& result) { return !result.binding_conditions.empty(); });
}

ResourceClaim MakeDraft(const Pod& pod, std::string uid) {
  ResourceClaim draft;
  draft.metadata.namespace_ = pod.metadata.namespace_;
  draft.metadata.name = kExtendedClaimDraftName;
  draft.metadata.uid = std::move(uid);
  draft.metadata.generate_name = pod.metadata.name + "-extended-resources-";
  api::meta::OwnerReference owner;
  owner.api_version = "v1";
  owner.kind = "Pod";
  owner.name = pod.metadata.name;
  owner.uid = pod.metadata.uid;
  owner.controller = true;
  draft.metadata.owner_references = {std::move(owner)};
  draft.metadata.annotations[claims::kExtendedResourceAnnotation] = "true";
  return draft;
}

bool IsExtendedClaimOf(const Pod& pod, const ResourceClaim& claim) {
  const auto annotation = claim.metadata.annotations.find(claims::kExtendedResourceAnnotation);
  const api::meta::OwnerReference* owner = claims::ControllerOf(claim.metadata);
  return annotation != claim.metadata.annotations.end() && annotation->second == "true" &&
         owner != nullptr && owner->name == pod.metadata.name && owner->uid == pod.metadata.uid;
}

}  // namespace

DynamicResources::DynamicResources(api::client::Client& client, DeviceCache& cache,
                                   api::client::EventRecorder& recorder,
                                   const api::Compatibility& compatibility, Random& random,
                                   DynamicResourcesOptions options)
    : cluster_(client),
      clock_(&client.loop().clock()),
      cache_(&cache),
      recorder_(&recorder),
      random_(&random),
      options_(std::move(options)),
      prioritized_list_(compatibility.Enabled("DRAPrioritizedList")),
      binding_conditions_(compatibility.Enabled("DRADeviceBindingConditions") &&
                          compatibility.Enabled("DRAResourceClaimDeviceStatus")),
      filter_timeout_(compatibility.Enabled("DRASchedulerFilterTimeout")),
      extended_resources_(compatibility.Enabled("DRAExtendedResource")),
      workload_claims_(compatibility.Enabled("DRAWorkloadResourceClaims")),
      native_resources_(compatibility.Enabled("DRANodeAllocatableResources")),
      optional_node_operations_(compatibility.Enabled("DRAOptionalNodeOperations")) {}

bool DynamicResources::IsReservedFor(const Pod& pod, const ResourceClaim& claim) const {
  return claims::IsReservedForPod(pod, claim, {.accept_pod_group = workload_claims_});
}

// The pod's claims, without the one for extended resources; or why it cannot be scheduled yet.
Result<std::vector<ClaimCycle::Entry>> DynamicResources::EntriesOf(
    const Pod& pod, const api::scheduling::PodGroup* group) const {
  std::vector<Entry> entries;
  for (const auto& pod_claim : pod.spec.resource_claims) {
    ASSAY_ASSIGN_OR_RETURN(const claims::ClaimName name, claims::NameOf(pod, pod_claim));
    if (!name.name) {
      continue;
    }
    const ObjectKey key{pod.metadata.namespace_, *name.name};
    ClaimRef claim = cache_->GetClaim(key);
    if (!claim) {
      return NotFoundError("could not find ResourceClaim \"" + key.ToString() + "\"");
    }
    if (claims::IsBeingDeleted(claim->metadata)) {
      return FailedPreconditionError("resourceclaim \"" + claim->metadata.name +
                                     "\" is being deleted");
    }
    if (name.must_check_owner) {
      ASSAY_RETURN_IF_ERROR(claims::IsForPod(pod, *claim, {.accept_pod_group = workload_claims_}));
    }
    ASSAY_ASSIGN_OR_RETURN(auto reservation, claims::BindTo(pod, group, pod_claim));
    entries.push_back({.claim = std::move(claim),
                       .reservation = std::move(reservation),
                       .allocation = std::nullopt});
  }
  return entries;
}

PluginStatus DynamicResources::PreEnqueue(const Pod& pod) const {
  const Result<std::vector<Entry>> entries = EntriesOf(pod, nullptr);
  return entries.ok() ? PluginStatus::Success() : Unresolvable(entries.status().message());
}

PluginStatus DynamicResources::PreFilter(const PodRef& pod, ClaimCycle& cycle) const {
  const auto shared = cycle.shared_by_group;
  cycle = ClaimCycle();
  cycle.shared_by_group = shared;
  DeviceCache::GroupRef group;
  if (workload_claims_) {
    Result<DeviceCache::GroupRef> found = cache_->GroupOf(*pod);
    if (!found.ok()) {
      return Unresolvable(found.status().message());
    }
    group = *std::move(found);
  }
  Result<std::vector<Entry>> entries = EntriesOf(*pod, group.get());
  if (!entries.ok()) {
    return Unresolvable(entries.status().message());
  }
  if (extended_resources_) {
    const ResourceAmounts requests = RequestsOf(*pod);
    const bool backed = std::any_of(requests.begin(), requests.end(), [&](const auto& request) {
      return request.second != 0 && IsExtendedResource(request.first) &&
             ClassForResource(cache_->classes().List(), request.first) != nullptr;
    });
    if (backed) {
      ClaimRef claim = cache_->FindClaim(
          [&](const ResourceClaim& candidate) { return IsExtendedClaimOf(*pod, candidate); });
      if (!claim) {
        claim = std::make_shared<const ResourceClaim>(MakeDraft(*pod, random_->Uuid()));
      }
      entries->push_back({.claim = std::move(claim), .allocation = std::nullopt, .extended = true});
      auto& reservation = entries->back().reservation;
      reservation.resource = "pods";
      reservation.name = pod->metadata.name;
      reservation.uid = pod->metadata.uid;
    }
  }
  bool allocate = false;
  for (Entry& entry : *entries) {
    if (entry.claim->status.allocation) {
      continue;
    }
    if (const ClaimRef pending = cache_->GetPending(entry.claim->metadata.uid)) {
      if (shared && shared->contains(entry.claim->metadata.uid)) {
        entry.allocation = pending->status.allocation;
        continue;
      }
      return Unresolvable("resource claim " + PathOf(*entry.claim) +
                          " is in the process of being allocated");
    }
    allocate = true;
    if (!entry.extended) {
      if (PluginStatus status = CheckClasses(*entry.claim); !status.ok()) {
        return status;
      }
    }
  }
  cycle.pod = pod;
  cycle.entries = *std::move(entries);
  if (allocate) {
    cycle.snapshot = cache_->TakeSnapshot();
  }
  return PluginStatus::Success();
}

PluginStatus DynamicResources::CheckClasses(const ResourceClaim& claim) const {
  const auto check = [&](const std::string& class_name, const std::string& request) {
    if (class_name.empty()) {
      return Error("request " + request + ": unsupported request type");
    }
    if (!cache_->HasClass(class_name)) {
      return Unresolvable("request " + request + ": device class " + class_name +
                          " does not exist");
    }
    return PluginStatus::Success();
  };
  for (const auto& request : claim.spec.devices.requests) {
    const std::string where = "resource claim " + PathOf(claim) + ", request " + request.name;
    if (request.exactly) {
      if (PluginStatus status = check(request.exactly->device_class_name, request.name);
          !status.ok()) {
        return status;
      }
      continue;
    }
    if (request.first_available.empty()) {
      return Unresolvable(where + ": unknown request type");
    }
    if (!prioritized_list_) {
      return Unresolvable(where +
                          ": has subrequests, but the DRAPrioritizedList feature is disabled");
    }
    for (const auto& subrequest : request.first_available) {
      if (PluginStatus status =
              check(subrequest.device_class_name, request.name + "/" + subrequest.name);
          !status.ok()) {
        return status;
      }
    }
  }
  return PluginStatus::Success();
}

PluginStatus DynamicResources::Filter(ClaimCycle& cycle, const NodeInfo& node) const {
  std::optional<ExtendedRequests> extended;
  if (PluginStatus status = FilterExtended(cycle, node, extended); !status.ok()) {
    return status;
  }
  if (!extended && cycle.entries.size() == 1 && cycle.entries.front().extended) {
    return PluginStatus::Success();  // The node itself has the extended resources.
  }
  bool available = true;
  for (std::size_t i = 0; i < cycle.entries.size(); ++i) {
    const ResourceClaim& claim = *cycle.entries[i].claim;
    if (ClaimCycle::IsToBeAllocated(cycle.entries[i])) {
      continue;
    }
    // Upstream 1.36 does not compare nodes with a pending allocation: pods of one group then end on
    // nodes that do not have their claim's devices.
    const bool pending = !claim.status.allocation;
    const Result<bool> matches = allocator::Snapshot::NodeMatches(
        pending ? *cycle.entries[i].allocation : *claim.status.allocation, *node.node);
    if (!matches.ok()) {
      return Error(matches.status().message());
    }
    if (pending) {
      available = available && *matches;
      continue;
    }
    bool usable = *matches && (!optional_node_operations_ || CanServe(*node.node, claim));
    if (usable && binding_conditions_) {
      // What has failed to bind, or takes too long, is for PostFilter to free.
      const Result<bool> ready = IsReady(claim);
      usable = ready.ok() && (*ready || !HasTimedOut(claim));
    }
    if (!usable) {
      cycle.unavailable.insert(i);
      available = false;
      continue;
    }
    if (native_resources_) {
      std::set<std::string> users =
          node.PodsTakingWith(claim.metadata.namespace_, claim.metadata.name);
      if (users.size() > 1 || (users.size() == 1 && !users.contains(cycle.pod->metadata.uid))) {
        return Unresolvable(
            "node allocatable resource claim " + claim.metadata.name +
            (users.size() > 1 ? " shared by multiple pods" : " is already used by another pod"));
      }
    }
  }
  if (cycle.snapshot) {
    if (PluginStatus status = Allocate(cycle, node, std::move(extended)); !status.ok()) {
      return status;
    }
  }
  return available ? PluginStatus::Success()
                   : Unresolvable("resourceclaim not available on the node");
}

PluginStatus DynamicResources::FilterExtended(const ClaimCycle& cycle, const NodeInfo& node,
                                              std::optional<ExtendedRequests>& extended) const {
  if (cycle.empty() || !cycle.entries.back().extended) {
    return PluginStatus::Success();
  }
  if (!IsDraft(*cycle.entries.back().claim)) {
    // Left over from an earlier attempt that failed; PostFilter deletes it.
    return Unresolvable("cannot schedule extended resource claim");
  }
  std::set<std::string> resources;
  const auto classes = cache_->classes().List();
  for (const auto& [resource, amount] : RequestsOf(*cycle.pod)) {
    if (amount == 0 || !IsExtendedResource(resource)) {
      continue;
    }
    if (Provides(node, resource)) {
      resources.insert(resource);
    } else if (!node.node->status.allocatable.contains(resource)) {
      return Unresolvable("cannot fit resource");
    }
  }
  if (!resources.empty()) {
    extended = MakeExtendedRequests(*cycle.pod, resources, [&](const std::string& resource) {
      return ClassForResource(classes, resource)->metadata.name;
    });
  }
  return PluginStatus::Success();
}

bool DynamicResources::Provides(const NodeInfo& node, const std::string& resource) const {
  return extended_resources_ && IsExtendedResource(resource) && node.Allocatable(resource) == 0 &&
         ClassForResource(cache_->classes().List(), resource) != nullptr;
}

PluginStatus DynamicResources::Allocate(ClaimCycle& cycle, const NodeInfo& node,
                                        std::optional<ExtendedRequests> extended) const {
  const std::string& node_name = node.node->metadata.name;
  std::vector<const ResourceClaim*> wanted;
  ResourceClaim extended_claim;
  for (const Entry& entry : cycle.entries) {
    if (!ClaimCycle::IsToBeAllocated(entry)) {
      continue;
    }
    if (!entry.extended) {
      wanted.push_back(entry.claim.get());
    } else if (extended) {
      extended_claim = *entry.claim;
      extended_claim.spec.devices.requests = extended->requests;
      wanted.push_back(&extended_claim);
    }
  }
  allocator::AllocateOptions allocate = options_.allocate;
  if (filter_timeout_ && options_.filter_timeout > Duration::zero()) {
    // Real time: what is limited is this computation.
    allocate.cancelled = [deadline = Clock::Real().Monotonic() + options_.filter_timeout] {
      return Clock::Real().Monotonic() >= deadline;
    };
  }
  auto allocated = cycle.snapshot->Allocate(wanted, *node.node, allocate);
  if (!allocated.ok()) {
    switch (allocated.status().code()) {
      case StatusCode::kCancelled:
      case StatusCode::kResourceExhausted:
        return Error("node " + node_name + ": timed out trying to allocate devices");
      case StatusCode::kFailedPrecondition:
        return Unresolvable(allocated.status().message());
      default:
        // Something is wrong with a claim or class: no other node can help.
        return Error(allocated.status().message());
    }
  }
  if (!*allocated) {
    return Unresolvable("cannot allocate all claims");
  }
  ClaimCycle::NodeAllocation on_node{.results = **std::move(allocated),
                                     .extended = std::move(extended)};
  if (native_resources_) {
    if (PluginStatus status = CheckTaken(cycle, node, wanted, on_node); !status.ok()) {
      return status;
    }
  }
  cycle.nodes[node_name] = std::move(on_node);
  return PluginStatus::Success();
}

PluginStatus DynamicResources::CheckTaken(const ClaimCycle& cycle, const NodeInfo& node,
                                          const std::vector<const ResourceClaim*>& wanted,
                                          ClaimCycle::NodeAllocation& allocated) const {
  std::vector<ClaimAllocation> claims;
  for (std::size_t i = 0; i < wanted.size() && i < allocated.results.size(); ++i) {
    claims.push_back({.claim = wanted[i], .allocation = &allocated.results[i]});
  }
  for (const Entry& entry : cycle.entries) {
    if (entry.allocation) {
      claims.push_back({.claim = entry.claim.get(), .allocation = &*entry.allocation});
    }
  }
  Result<TakenByClaims> taken =
      TakenOf(*cycle.pod, claims, [this](const std::string& pool, const std::string& device) {
        return cache_->FindDevice(pool, device);
      });
  if (!taken.ok()) {
    return Error(taken.status().message());
  }
  allocated.taken = *std::move(taken);
  return allocated.taken.empty() ? PluginStatus::Success()
                                 : FitTaken(*cycle.pod, allocated.taken, node);
}

std::int64_t DynamicResources::Score(const ClaimCycle& cycle, const std::string& node_name) const {
  const auto node = cycle.nodes.find(node_name);
  if (!prioritized_list_ || node == cycle.nodes.end()) {
    return 0;
  }
  std::int64_t score = 0;
  std::size_t next = 0;
  for (const Entry& entry : cycle.entries) {
    if (entry.claim->status.allocation) {
      score += allocator::Score(*entry.claim, *entry.claim->status.allocation);
    } else if (entry.allocation) {
      score += allocator::Score(*entry.claim, *entry.allocation);
    } else if (next < node->second.results.size()) {
      score += allocator::Score(*entry.claim, node->second.results[next++]);
    }
  }
  return score;
}

PluginStatus DynamicResources::Reserve(ClaimCycle& cycle, const std::string& node_name) {
  const auto node = cycle.nodes.find(node_name);
  if (node != cycle.nodes.end()) {
    cycle.taken = node->second.taken;
  }
  std::size_t next = 0;
  for (Entry& entry : cycle.entries) {
    if (ClaimCycle::IsToBeAllocated(entry) && node != cycle.nodes.end() &&
        next < node->second.results.size()) {
      entry.allocation = node->second.results[next++];
    }
    if (!entry.allocation) {
      continue;
    }
    ResourceClaim pending = *entry.claim;
    if (!claims::HasFinalizer(pending)) {
      pending.metadata.finalizers.push_back(claims::kFinalizer);
    }
    pending.status.allocation = entry.allocation;
    cache_->SetPending(pending);
    entry.pending = true;
    if (cycle.shared_by_group) {
      cycle.shared_by_group->insert(pending.metadata.uid);
    }
  }
  return PluginStatus::Success();
}

Task<Status> DynamicResources::PreBind(ClaimCycle& cycle, std::string node_name) {
  for (std::size_t i = 0; i < cycle.entries.size(); ++i) {
    if (IsReservedFor(*cycle.pod, *cycle.entries[i].claim)) {
      continue;
    }
    if (cycle.entries[i].extended && !cycle.entries[i].allocation) {
      continue;  // The node itself has the extended resources.
    }
    const Result<ClaimRef> bound = co_await Bind(cycle, i, node_name);
    ASSAY_CO_RETURN_IF_ERROR(bound.status());
    cycle.entries[i].claim = *bound;
  }
  if (!cycle.taken.empty()) {
    cycle.taken_written = true;
    const Status patched = co_await PatchTaken(cycle.pod, cycle.taken);
    ASSAY_CO_RETURN_IF_ERROR(patched);
  }
  const bool wait = binding_conditions_ &&
                    std::any_of(cycle.entries.begin(), cycle.entries.end(), [](const Entry& entry) {
                      return HasBindingConditions(*entry.claim);
                    });
  if (!wait) {
    co_return OkStatus();
  }
  co_return co_await WaitForBindingConditions(cycle, node_name);
}

// Writes the allocation and reservation of one claim. Whatever comes of it, the allocation is no
// longer pending afterwards: it is in the cache, or given up.
Task<Result<ClaimRef>> DynamicResources::Bind(ClaimCycle& cycle, std::size_t index,
                                              std::string node_name) {
  const PodRef pod = cycle.pod;
  ClaimRef claim = cycle.entries[index].claim;
  const std::string pending_uid = claim->metadata.uid;
  const bool extended = cycle.entries[index].extended;
  const ClaimCycle::NodeAllocation& node = cycle.nodes[node_name];
  const auto end_pending = [&](DeviceCache::PendingEnd how) {
    if (std::exchange(cycle.entries[index].pending, false)) {
      cache_->RemovePending(pending_uid, how);
    }
  };
  const ClaimRef newest = cache_->GetClaim(KeyOf(claim->metadata));
  if (newest && newest->metadata.uid == claim->metadata.uid) {
    claim = newest;  // Another pod of the group may have written it.
  }
  if (extended && IsDraft(*claim)) {
    const Result<ClaimRef> created = co_await CreateExtendedClaim(pod, *node.extended, claim);
    if (!created.ok()) {
      end_pending({});
      co_return created.status();
    }
    claim = *created;
    cycle.entries[index].claim = claim;  // For Unreserve to delete.
  }
  const Entry entry = cycle.entries[index];
  const Result<ClaimRef> written = co_await Write(entry, claim);
  if (written.ok()) {
    cache_->Assume(*written);
  }
  end_pending({.written = written.ok()});
  ASSAY_CO_RETURN_IF_ERROR(written.status());
  if (extended) {
    cycle.entries[index].claim = *written;
    const Status patched = co_await PatchExtendedStatus(pod, *node.extended, *written);
    ASSAY_CO_RETURN_IF_ERROR(patched);
  }
  co_return *written;
}

Task<Result<ClaimRef>> DynamicResources::Write(Entry entry, ClaimRef claim) {
  Status conflict;
  for (int attempt = 0; attempt < kWriteAttempts; ++attempt) {
    if (attempt > 0) {
      co_await api::client::Delay(cluster_.loop(), kWriteDelay);
      const ObjectKey key = KeyOf(claim->metadata);
      const Result<Object> fresh = co_await cluster_.Get(KindOf<ResourceClaim>(), key);
      ASSAY_CO_RETURN_IF_ERROR(
          fresh.status().WithContext("get updated claim " + key.ToString() + " after conflict"));
      claim = fresh->Share<ResourceClaim>();
    }
    const std::string path = PathOf(*claim);
    if (claims::IsBeingDeleted(claim->metadata)) {
      co_return FailedPreconditionError("claim " + path + " got deleted in the meantime");
    }
    if (IsReservedAs(*claim, entry.reservation)) {
      co_return claim;  // Another pod of the group was faster.
    }
    ResourceClaim changed = *claim;
    if (entry.allocation) {
      if (changed.status.allocation) {
        co_return FailedPreconditionError("claim " + path +
                                          " got allocated elsewhere in the meantime");
      }
      if (!claims::HasFinalizer(changed)) {
        changed.metadata.finalizers.push_back(claims::kFinalizer);
        const Object object = Object::Of(std::move(changed));
        const Result<Object> updated = co_await cluster_.Update(object);
        if (!updated.ok()) {
          conflict = updated.status().WithContext("add finalizer to claim " + path);
          if (conflict.code() != StatusCode::kAborted) {
            co_return conflict;
          }
          continue;
        }
        changed = updated->As<ResourceClaim>();
      }
      changed.status.allocation = entry.allocation;
    }
    changed.status.reserved_for.push_back(entry.reservation);
    if (binding_conditions_) {
      if (!changed.status.allocation) {
        co_return FailedPreconditionError("claim " + path +
                                          " got deallocated elsewhere in the meantime");
      }
      if (!changed.status.allocation->allocation_timestamp) {
        changed.status.allocation->allocation_timestamp =
            api::meta::Time::From(cluster_.loop().clock().Now());
      }
    }
    const Object object = Object::Of(std::move(changed));
    const Result<Object> updated = co_await cluster_.UpdateStatus(object);
    if (updated.ok()) {
      co_return updated->Share<ResourceClaim>();
    }
    conflict =
        updated.status().WithContext((entry.allocation ? "add allocation and reservation to claim "
                                                       : "add reservation to claim ") +
                                     path);
    if (conflict.code() != StatusCode::kAborted) {
      co_return conflict;
    }
  }
  co_return conflict;
}

Task<Result<ClaimRef>> DynamicResources::CreateExtendedClaim(PodRef pod, ExtendedRequests requests,
                                                             ClaimRef draft) {
  ResourceClaim claim = *draft;
  claim.metadata.name.clear();
  claim.metadata.uid.clear();
  claim.spec.devices.requests = requests.requests;
  const Object object = Object::Of(std::move(claim));
  const Result<Object> created = co_await cluster_.Create(object);
  ASSAY_CO_RETURN_IF_ERROR(created.status().WithContext("create claim for extended resources " +
                                                        pod->metadata.namespace_ + "/"));
  co_return created->Share<ResourceClaim>();
}

Task<Status> DynamicResources::PatchExtendedStatus(PodRef pod, ExtendedRequests requests,
                                                   ClaimRef claim) {
  api::core::PodExtendedResourceClaimStatus status;
  status.request_mappings = requests.mappings;
  status.resource_claim_name = claim->metadata.name;
  const std::string body = R"({"extendedResourceClaimStatus":)" + api::json::EncodeAs(status) + "}";
  const Result<Object> patched = co_await cluster_.PatchStatus(KindOf<Pod>(), pod->metadata, body);
  co_return patched.status().WithContext("update pod " + KeyOf(pod->metadata).ToString() +
                                         " ExtendedResourceClaimStatus");
}

Result<bool> DynamicResources::IsReady(const ResourceClaim& claim) const {
  if (!claim.status.allocation) {
    return false;
  }
  for (const DeviceRequestAllocationResult& result : claim.status.allocation->devices.results) {
    if (result.binding_conditions.empty()) {
      continue;
    }
    const auto* device = FindDeviceStatus(claim, result);
    if (device == nullptr) {
      return false;
    }
    for (const std::string& type : result.binding_failure_conditions) {
      if (const api::meta::Condition* failed = FindTrueCondition(*device, type)) {
        return FailedPreconditionError("device binding failed: claim=" + claim.metadata.name +
                                       ", reason=" + failed->reason +
                                       ", message=" + api::json::Quote(failed->message));
      }
    }
    for (const std::string& type : result.binding_conditions) {
      if (FindTrueCondition(*device, type) == nullptr) {
        return false;
      }
    }
  }
  return true;
}

bool DynamicResources::HasTimedOut(const ResourceClaim& claim) const {
  const auto& allocation = claim.status.allocation;
  return binding_conditions_ && HasBindingConditions(claim) && allocation->allocation_timestamp &&
         allocation->allocation_timestamp->ToWallTime() + options_.binding_timeout < clock_->Now();
}

Task<Status> DynamicResources::WaitForBindingConditions(ClaimCycle& cycle, std::string node_name) {
  recorder_->Record(Object::Of(*cycle.pod),
                    {.reason = "BindingConditionsPending",
                     .message = "waiting for binding conditions for device on node " + node_name,
                     .action = "Scheduling"});
  const MonotonicTime deadline = cluster_.loop().clock().Monotonic() + options_.binding_timeout;
  while (true) {
    bool all_ready = true;
    for (Entry& entry : cycle.entries) {
      if (IsDraft(*entry.claim)) {
        continue;
      }
      const ObjectKey key = KeyOf(entry.claim->metadata);
      const ClaimRef claim = cache_->GetClaim(key);
      if (!claim) {
        co_return NotFoundError("could not find ResourceClaim \"" + key.ToString() + "\"");
      }
      entry.claim = claim;
      const Result<bool> ready = IsReady(*claim);
      ASSAY_CO_RETURN_IF_ERROR(ready.status());
      if (!*ready) {
        if (HasTimedOut(*claim)) {
          co_return DeadlineExceededError("device binding timeout: claim=" + claim->metadata.name);
        }
        all_ready = false;
        break;
      }
    }
    if (all_ready) {
      co_return OkStatus();
    }
    const Duration left = deadline - cluster_.loop().clock().Monotonic();
    if (left <= Duration::zero()) {
      co_return DeadlineExceededError("device binding timeout: context deadline exceeded");
    }
    co_await api::client::Delay(cluster_.loop(), std::min(left, kBindingPoll));
  }
}

Task<Status> DynamicResources::PatchTaken(PodRef pod, TakenByClaims taken) {
  std::string statuses;
  for (const auto& status : taken) {
    // 1.37 has other fields in the place of `resources`, and nothing that could be taken.
    statuses += (statuses.empty() ? "[" : ",") +
                api::json::EncodeMessage(
                    api::schema::DescriptorOf<api::core::NodeAllocatableResourceClaimStatus>(),
                    &status, {}, {.level = api::Level::k1_36});
  }
  const std::string body = R"({"nodeAllocatableResourceClaimStatuses":)" +
                           (statuses.empty() ? "null" : statuses + "]") + "}";
  const Result<Object> patched = co_await cluster_.PatchStatus(KindOf<Pod>(), pod->metadata, body);
  co_return patched.status().WithContext("updating pod " + KeyOf(pod->metadata).ToString() +
                                         " NodeAllocatableResourceClaimStatuses");
}

Task<Status> DynamicResources::Unreserve(ClaimCycle& cycle) {
  if (std::exchange(cycle.taken_written, false)) {
    const TakenByClaims nothing;
    const Status patched = co_await PatchTaken(cycle.pod, nothing);
    (void)patched;  // The next attempt overwrites it.
  }
  for (Entry& entry : cycle.entries) {
    const ClaimRef claim = entry.claim;
    if (std::exchange(entry.pending, false)) {
      cache_->RemovePending(claim->metadata.uid, {});
    }
    if (entry.extended) {
      if (!IsDraft(*claim)) {
        // It is of no use to anybody without this attempt. Upstream logs a failure and goes on.
        const Status deleted = co_await DeleteExtendedClaim(claim);
        (void)deleted;
      }
      continue;
    }
    // What is reserved for the group stays: its other pods may need it.
    if (!claim->status.allocation || !claims::IsReservedForPod(*cycle.pod, *claim, {})) {
      continue;
    }
    // A failure is made good by the next attempt.
    const Status patched = co_await PatchReservationAway(claim, cycle.pod->metadata.uid);
    (void)patched;
  }
  co_return OkStatus();
}

Task<Status> DynamicResources::PatchReservationAway(ClaimRef claim, std::string uid) {
  const std::string status =
      R"({"reservedFor":[{"$patch":"delete","uid":)" + api::json::Quote(uid) + "}]}";
  const Result<Object> patched =
      co_await cluster_.PatchStatus(KindOf<ResourceClaim>(), claim->metadata, status);
  co_return patched.status();
}

Task<Result<bool>> DynamicResources::UnreserveGroup(PodRef pod) {
  const Result<DeviceCache::GroupRef> group = cache_->GroupOf(*pod);
  ASSAY_CO_RETURN_IF_ERROR(group.status());
  if (*group == nullptr) {
    co_return false;
  }
  for (const auto& entry : (*group)->spec.resource_claims) {
    const Result<claims::ClaimName> name = claims::NameOf(**group, entry);
    ASSAY_CO_RETURN_IF_ERROR(name.status());
    const ClaimRef claim =
        name->name ? cache_->GetClaim({pod->metadata.namespace_, *name->name}) : nullptr;
    if (!claim || (name->must_check_owner && !claims::IsForPodGroup(**group, *claim).ok()) ||
        !claim->status.allocation || !IsReservedFor(*pod, *claim)) {
      continue;
    }
    const Status patched = co_await PatchReservationAway(claim, (*group)->metadata.uid);
    if (patched.ok()) {
      co_return true;
    }
  }
  co_return false;
}

Task<Status> DynamicResources::DeleteExtendedClaim(ClaimRef claim) {
  const ObjectKey key = KeyOf(claim->metadata);
  for (int attempt = 0; attempt < kWriteAttempts; ++attempt) {
    if (attempt > 0) {
      co_await api::client::Delay(cluster_.loop(), kWriteDelay);
      const Result<Object> fresh = co_await cluster_.Get(KindOf<ResourceClaim>(), key);
      ASSAY_CO_RETURN_IF_ERROR(fresh.status().WithContext("get resourceclaim " + key.ToString()));
      claim = fresh->Share<ResourceClaim>();
    }
    ResourceClaim changed = *claim;
    std::erase(changed.metadata.finalizers, claims::kFinalizer);
    const Object object = Object::Of(std::move(changed));
    const Result<Object> updated = co_await cluster_.Update(object);
    if (updated.ok()) {
      break;
    }
    if (updated.status().code() != StatusCode::kAborted || attempt + 1 == kWriteAttempts) {
      co_return updated.status().WithContext("update resourceclaim " + key.ToString());
    }
  }
  const api::client::DeleteOptions options;
  const Status deleted = co_await cluster_.Delete(KindOf<ResourceClaim>(), key, options);
  co_return deleted;
}

// There is no preemption for devices: all that can help is to free a claim that this pod alone uses
// and that cannot be used where the pod could run.
Task<PluginStatus> DynamicResources::PostFilter(ClaimCycle& cycle, PostFilterOptions options) {
  if (cycle.empty()) {
    co_return Unschedulable("no new claims to deallocate");
  }
  std::vector<std::size_t> candidates(cycle.unavailable.begin(), cycle.unavailable.end());
  std::erase_if(candidates, [&](std::size_t index) {
    const auto& reserved_for = cycle.entries[index].claim->status.reserved_for;
    return cycle.entries[index].extended ||
           !(reserved_for.empty() ||
             (reserved_for.size() == 1 && reserved_for[0].uid == cycle.pod->metadata.uid));
  });
  if (!candidates.empty()) {
    const std::size_t picked = candidates[random_->Below(candidates.size())];
    ResourceClaim changed = *cycle.entries[picked].claim;
    changed.status.reserved_for.clear();
    changed.status.allocation.reset();
    changed.status.devices.clear();
    const Object object = Object::Of(std::move(changed));
    const Result<Object> updated = co_await cluster_.UpdateStatus(object);
    if (!updated.ok()) {
      co_return Error(updated.status().message());
    }
    co_return Unschedulable("deallocation of ResourceClaim completed");
  }
  const Entry& last = cycle.entries.back();
  if (last.extended && !IsDraft(*last.claim)) {
    const Status deleted = co_await DeleteExtendedClaim(last.claim);
    if (!deleted.ok()) {
      co_return Error(deleted.message());
    }
    co_return Unschedulable("deletion of ResourceClaim completed");
  }
  if (workload_claims_ && !options.group_is_scheduled) {
    // So that the group may get other devices in the next attempt.
    const Result<bool> unreserved = co_await UnreserveGroup(cycle.pod);
    if (!unreserved.ok()) {
      co_return Error(unreserved.status().message());
    }
    if (*unreserved) {
      co_return Unschedulable("ResourceClaim unreserved for PodGroup");
    }
  }
  co_return Unschedulable("still not schedulable");
}

bool DynamicResources::ClaimChangeHelps(const Pod& pod, const ClaimRef& before,
                                        const ClaimRef& now) const {
  if (before && before->status.allocation && (!now || !now->status.allocation)) {
    return true;  // Devices have become free.
  }
  if (!now) {
    return false;
  }
  bool uses = false;
  for (const auto& pod_claim : pod.spec.resource_claims) {
    const Result<claims::ClaimName> name = claims::NameOf(pod, pod_claim);
    uses = uses || (name.ok() && name->name == now->metadata.name &&
                    pod.metadata.namespace_ == now->metadata.namespace_);
  }
  if (!uses || !PreEnqueue(pod).ok()) {
    return false;
  }
  return !before ||
         !api::schema::Equal(api::schema::DescriptorOf<api::resource::ResourceClaimStatus>(),
                             &before->status, &now->status);
}

}  // namespace assay::controlplane::scheduler
