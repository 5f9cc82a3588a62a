#include "controlplane/node/dra_manager.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "controlplane/claims/pod_claims.h"

namespace assay::controlplane::node {
namespace {

using api::KindOf;
using api::Object;
using api::client::Task;
using api::core::Container;
using api::core::Pod;
using api::core::PodResourceClaim;
using api::resource::ResourceClaim;

constexpr char kPrepare[] = "NodePrepareResources";
constexpr char kUnprepare[] = "NodeUnprepareResources";

// As Go prints an error of gRPC.
std::string RpcErrorText(const Status& status) {
  static constexpr const char* kNames[] = {
      "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
      "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
      "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
      "DataLoss", "Unauthenticated"};
  return std::string("rpc error: code = ") + kNames[static_cast<int>(status.code())] +
         " desc = " + status.message();
}

Status RpcError(const std::string& method, const Status& status) {
  return Status(status.code(), method + ": " + RpcErrorText(status));
}

// The pod's claims, with the one that the scheduler made for extended resources last.
std::vector<PodResourceClaim> ClaimsOf(const Pod& pod, const api::Compatibility& compatibility) {
  std::vector<PodResourceClaim> claims = pod.spec.resource_claims;
  if (compatibility.Enabled("DRAExtendedResource") && pod.status.extended_resource_claim_status) {
    PodResourceClaim extended;
    extended.resource_claim_name = pod.status.extended_resource_claim_status->resource_claim_name;
    claims.push_back(std::move(extended));
  }
  return claims;
}

// The request without "/subrequest".
std::string BaseRequest(const std::string& request) { return request.substr(0, request.find('/')); }

bool Serves(const PreparedDevice& device, const std::string& request) {
  return request.empty() || device.request_names.empty() ||
         std::ranges::count(device.request_names, BaseRequest(request)) != 0;
}

std::string ResourceId(const std::string& driver, const PreparedDevice& device) {
  return device.cdi_device_ids.empty() ? driver + "/" + device.pool_name + "/" + device.device_name
                                       : device.cdi_device_ids.front();
}

// Every claim that was asked for must be in the answer, and no other; none may have failed.
template <typename Response>
Status CheckAnswer(const std::string& method, const std::vector<ClaimReference>& asked,
                   const Response& response,
                   const std::function<std::string(const typename Response::mapped_type&)>& error) {
  for (const auto& [uid, entry] : response) {
    const auto claim = std::ranges::find(asked, uid, &ClaimReference::uid);
    if (claim == asked.end()) {
      return InternalError(method + " returned result for unknown claim UID " + uid);
    }
    if (const std::string text = error(entry); !text.empty()) {
      return InternalError(method + " failed for ResourceClaim " + claim->name + ": " + text);
    }
  }
  return OkStatus();
}

// Level 1.37, by driver: the calls that all of its devices of the claim go without. Values that are
// not known count for nothing.
std::map<std::string, std::set<std::string>> SkippedOperations(
    const api::resource::AllocationResult& allocation) {
  const auto goes_without = [](const auto& result, const std::string& operation) {
    return std::ranges::count(result.skip_node_operations, operation) > 0 ||
           std::ranges::count(result.skip_node_operations, "*") > 0;
  };
  std::map<std::string, std::set<std::string>> skipped;
  for (const auto& first : allocation.devices.results) {
    for (const char* operation : {kPrepare, kUnprepare}) {
      const bool all = std::ranges::all_of(allocation.devices.results, [&](const auto& result) {
        return result.driver != first.driver || goes_without(result, operation);
      });
      if (all) {
        skipped[first.driver].insert(operation);
      }
    }
  }
  return skipped;
}

Status CheckComplete(const std::string& method, std::size_t asked, std::size_t answered) {
  return asked == answered ? OkStatus()
                           : InternalError(method + " skipped " + std::to_string(asked - answered) +
                                           " ResourceClaims");
}

}  // namespace

DraManager::DraManager(api::client::Client& client, const DriverRegistry& drivers, Options options)
    : client_(client),
      drivers_(&drivers),
      options_(std::move(options)),
      random_(options_.seed != 0 ? Random(options_.seed) : Random::FromSystem()),
      cache_(options_.state_dir.empty() ? "" : options_.state_dir / "dra_manager_state"),
      health_(client.loop().clock(),
              options_.state_dir.empty() ? "" : options_.state_dir / "dra_health_state") {}

Status DraManager::Load() { return cache_.Load(); }

template <typename T>
void DraManager::Shuffle(std::vector<T>& items) {
  for (std::size_t i = items.size(); i > 1; --i) {
    std::swap(items[i - 1], items[random_.Below(i)]);
  }
}

// Looks at everything before anything is noted, so that a pod that fails here can be deleted
// without a driver.
Task<Result<std::vector<DraManager::Checked>>> DraManager::Check(Pod pod) {
  const claims::PodGroupOptions group{
      .accept_pod_group = options_.compatibility.Enabled("DRAWorkloadResourceClaims")};
  std::vector<Checked> checked;
  for (const PodResourceClaim& entry : ClaimsOf(pod, options_.compatibility)) {
    const Result<claims::ClaimName> name = claims::NameOf(pod, entry);
    if (!name.ok()) {
      co_return name.status();
    }
    if (!name->name) {
      continue;
    }
    const api::client::ObjectKey key{pod.metadata.namespace_, *name->name};
    const Result<Object> object = co_await client_.Get(KindOf<ResourceClaim>(), key);
    if (!object.ok()) {
      co_return object.status().WithContext("fetch ResourceClaim " + key.name);
    }
    Checked& added = checked.emplace_back();
    added.claim = object->As<ResourceClaim>();
    const ResourceClaim& claim = added.claim;
    if (name->must_check_owner) {
      if (const Status status = claims::IsForPod(pod, claim, group); !status.ok()) {
        co_return status;
      }
    }
    if (!claims::IsReservedForPod(pod, claim, group)) {
      co_return FailedPreconditionError("pod " + pod.metadata.name + " (" + pod.metadata.uid +
                                        ") is not allowed to use ResourceClaim " + key.name + " (" +
                                        claim.metadata.uid + ")");
    }
    if (!claim.status.allocation) {
      co_return FailedPreconditionError("ResourceClaim " + claim.metadata.name + ": not allocated");
    }
    added.skipped_operations = SkippedOperations(*claim.status.allocation);
    for (const auto& result : claim.status.allocation->devices.results) {
      if (!result.skip_node_operations.empty() &&
          !options_.compatibility.Enabled("DRAOptionalNodeOperations")) {
        co_return FailedPreconditionError(
            "ResourceClaim " + claim.metadata.name +
            ": DRAOptionalNodeOperations feature gate is disabled on kubelet");
      }
      if (added.drivers.contains(result.driver)) {
        continue;
      }
      if (const auto skipped = added.skipped_operations.find(result.driver);
          skipped != added.skipped_operations.end() && skipped->second.contains(kPrepare)) {
        added.drivers[result.driver] = nullptr;
        continue;
      }
      const Result<std::shared_ptr<DriverRegistry::Driver>> driver = drivers_->Find(result.driver);
      if (!driver.ok()) {
        co_return driver.status();
      }
      added.drivers[result.driver] = *driver;
    }
  }
  co_return checked;
}

Result<std::vector<DraManager::Batch>> DraManager::Note(const std::string& pod_uid,
                                                        const std::vector<Checked>& checked) {
  std::vector<Batch> batches;
  for (const Checked& entry : checked) {
    const ResourceClaim& claim = entry.claim;
    ClaimInfo* info = cache_.Find(claim.metadata.namespace_, claim.metadata.name);
    if (info == nullptr) {
      info = &cache_.Add({.uid = claim.metadata.uid,
                          .namespace_ = claim.metadata.namespace_,
                          .name = claim.metadata.name});
      for (const auto& [driver, connection] : entry.drivers) {
        info->devices[driver];
      }
      info->skipped_operations = entry.skipped_operations;
    } else if (info->uid != claim.metadata.uid) {
      return FailedPreconditionError("old ResourceClaim with same name " + claim.metadata.name +
                                     " and different UID " + info->uid +
                                     " still exists (previous pod force-deleted?!)");
    }
    info->pod_uids.insert(pod_uid);
    ASSAY_RETURN_IF_ERROR(cache_.Save().WithContext("checkpoint ResourceClaim cache"));
    if (info->prepared) {
      continue;
    }
    for (const auto& [name, driver] : entry.drivers) {
      if (driver == nullptr) {
        continue;
      }
      auto batch = std::ranges::find(batches, driver, &Batch::driver);
      if (batch == batches.end()) {
        batch = batches.insert(batches.end(), Batch{driver, {}});
      }
      batch->claims.push_back(info->Reference());
    }
  }
  // A kubelet goes through them in a random order.
  Shuffle(batches);
  return batches;
}

Status DraManager::AddDevices(const std::string& driver, const std::vector<ClaimReference>& asked,
                              const PrepareResponse& response) {
  ASSAY_RETURN_IF_ERROR(CheckAnswer(kPrepare, asked, response,
                                    [](const PreparedClaim& claim) { return claim.error; }));
  for (const ClaimReference& claim : asked) {
    ClaimInfo* info = cache_.Find(claim.namespace_, claim.name);
    const auto entry = response.find(claim.uid);
    if (info == nullptr || entry == response.end()) {
      continue;
    }
    // A quirk of the kubelet: devices known from the checkpoint, or from an attempt that failed
    // later, are listed twice.
    std::vector<PreparedDevice>& devices = info->devices[driver];
    devices.insert(devices.end(), entry->second.devices.begin(), entry->second.devices.end());
  }
  return CheckComplete(kPrepare, asked.size(), response.size());
}

Task<Status> DraManager::Prepare(Pod pod) {
  const Result<std::vector<Checked>> checked = co_await Check(pod);
  if (!checked.ok()) {
    co_return checked.status().WithContext("prepare dynamic resources");
  }
  const Result<std::vector<Batch>> batches = Note(pod.metadata.uid, *checked);
  if (!batches.ok()) {
    co_return batches.status().WithContext("prepare dynamic resources");
  }
  std::set<ClaimReference> prepared;
  for (const Batch& batch : *batches) {
    const Result<PrepareResponse> response = co_await batch.driver->Prepare(batch.claims);
    const Status status = response.ok() ? AddDevices(batch.driver->name(), batch.claims, *response)
                                        : RpcError(kPrepare, response.status());
    if (!status.ok()) {
      co_return status.WithContext("prepare dynamic resources");
    }
    prepared.insert(batch.claims.begin(), batch.claims.end());
  }
  // A claim without devices has no driver and is prepared by itself.
  for (const Checked& entry : *checked) {
    const auto& metadata = entry.claim.metadata;
    if (ClaimInfo* info = cache_.Find(metadata.namespace_, metadata.name); info != nullptr) {
      info->prepared = true;
    }
  }
  co_return cache_.Save().WithContext("prepare dynamic resources: checkpoint ResourceClaim state");
}

Task<Status> DraManager::Unprepare(Pod pod) {
  std::vector<std::string> names;
  for (const PodResourceClaim& entry : ClaimsOf(pod, options_.compatibility)) {
    const Result<claims::ClaimName> name = claims::NameOf(pod, entry);
    if (!name.ok()) {
      co_return name.status().WithContext("unprepare dynamic resources");
    }
    if (name->name) {
      names.push_back(*name->name);
    }
  }
  const Status status = co_await UnprepareClaims(pod.metadata.uid, pod.metadata.namespace_, names);
  co_return status.WithContext("unprepare dynamic resources");
}

Task<Status> DraManager::UnprepareClaims(std::string pod_uid, std::string namespace_name,
                                         std::vector<std::string> claim_names) {
  std::map<std::string, std::vector<ClaimReference>> batches;  // By driver.
  std::set<std::string> unprepared;
  for (const std::string& name : claim_names) {
    ClaimInfo* info = cache_.Find(namespace_name, name);
    if (info == nullptr) {
      continue;
    }
    if (info->pod_uids.size() > 1) {
      info->pod_uids.erase(pod_uid);
      continue;
    }
    // A quirk of the kubelet: not checked that the one pod left is this one.
    unprepared.insert(name);
    for (const auto& [driver, devices] : info->devices) {
      if (!info->Skips(driver, kUnprepare)) {
        batches[driver].push_back(info->Reference());
      }
    }
  }
  std::vector<std::string> order;
  for (const auto& [driver, claims] : batches) {
    order.push_back(driver);
  }
  Shuffle(order);
  for (const std::string& driver_name : order) {
    const std::vector<ClaimReference>& claims = batches[driver_name];
    const Result<std::shared_ptr<DriverRegistry::Driver>> driver = drivers_->Find(driver_name);
    if (!driver.ok()) {
      co_return driver.status();
    }
    const Result<UnprepareResponse> response = co_await (*driver)->Unprepare(claims);
    if (!response.ok()) {
      co_return RpcError(kUnprepare, response.status());
    }
    const Status checked =
        CheckAnswer(kUnprepare, claims, *response, [](const std::string& error) { return error; });
    if (!checked.ok()) {
      co_return checked;
    }
    const Status complete = CheckComplete(kUnprepare, claims.size(), response->size());
    if (!complete.ok()) {
      co_return complete;
    }
  }
  for (const std::string& name : unprepared) {
    cache_.Remove(namespace_name, name);
  }
  co_return cache_.Save().WithContext("checkpoint ResourceClaim state");
}

Result<std::vector<std::string>> DraManager::CdiDevicesFor(const Pod& pod,
                                                           const Container& container) {
  // Claim to requests, in the order of the pod's claims.
  std::vector<std::pair<std::string, std::vector<std::string>>> wanted;
  for (const PodResourceClaim& entry : pod.spec.resource_claims) {
    std::vector<std::string> requests;
    for (const auto& claim : container.resources.claims) {
      if (claim.name == entry.name) {
        requests.push_back(claim.request);
      }
    }
    if (requests.empty()) {
      continue;
    }
    ASSAY_ASSIGN_OR_RETURN(const claims::ClaimName name, claims::NameOf(pod, entry));
    if (name.name) {
      wanted.emplace_back(*name.name, std::move(requests));
    }
  }
  const auto& extended = pod.status.extended_resource_claim_status;
  if (extended && options_.compatibility.Enabled("DRAExtendedResource")) {
    std::vector<std::string> requests;
    for (const auto& mapping : extended->request_mappings) {
      const auto asked = container.resources.requests.find(mapping.resource_name);
      if (mapping.container_name == container.name && asked != container.resources.requests.end() &&
          !asked->second.IsZero()) {
        requests.push_back(mapping.request_name);
      }
    }
    if (!requests.empty()) {
      wanted.emplace_back(extended->resource_claim_name, std::move(requests));
    }
  }
  std::vector<std::string> ids;
  for (const auto& [name, requests] : wanted) {
    const ClaimInfo* info = cache_.Find(pod.metadata.namespace_, name);
    if (info == nullptr) {
      return InternalError("internal error: unable to get claim info for ResourceClaim " + name +
                           " in namespace " + pod.metadata.namespace_);
    }
    for (const std::string& request : requests) {
      // The kubelet compares the names as they are.
      std::ranges::copy(info->CdiDeviceIds(request), std::back_inserter(ids));
    }
  }
  return ids;
}

std::vector<api::core::ResourceStatus> DraManager::ResourceStatusFor(const Pod& pod,
                                                                     const Container& container) {
  std::vector<api::core::ResourceStatus> statuses;
  for (const auto& claim : container.resources.claims) {
    const auto entry =
        std::ranges::find(pod.spec.resource_claims, claim.name, &PodResourceClaim::name);
    if (entry == pod.spec.resource_claims.end()) {
      continue;
    }
    const Result<claims::ClaimName> name = claims::NameOf(pod, *entry);
    const ClaimInfo* info =
        name.ok() && name->name ? cache_.Find(pod.metadata.namespace_, *name->name) : nullptr;
    if (info == nullptr) {
      continue;
    }
    api::core::ResourceStatus status;
    status.name = "claim:" + claim.name + (claim.request.empty() ? "" : "/" + claim.request);
    for (const auto& [driver, devices] : info->devices) {
      for (const PreparedDevice& device : devices) {
        const std::string id = ResourceId(driver, device);
        if (!Serves(device, claim.request) ||
            std::ranges::count(status.resources, id, &api::core::ResourceHealth::resource_id) !=
                0) {
          continue;
        }
        const HealthState health = health_.Get(driver, device.pool_name, device.device_name);
        api::core::ResourceHealth& added = status.resources.emplace_back();
        added.resource_id = id;
        added.health = HealthName(health.health);
        if (!health.message.empty() &&
            options_.compatibility.Enabled("ResourceHealthStatusMessage")) {
          added.message = health.message;
        }
      }
    }
    if (!status.resources.empty() &&
        std::ranges::count(statuses, status.name, &api::core::ResourceStatus::name) == 0) {
      statuses.push_back(std::move(status));
    }
  }
  return statuses;
}

std::set<std::string> DraManager::UpdateHealth(const std::string& driver,
                                               const std::vector<DeviceHealth>& devices) {
  std::set<std::string> pods;
  const std::set<HealthCache::DeviceKey> changed = health_.Update(driver, devices);
  for (const auto& [key, claim] : cache_.claims()) {
    const auto prepared = claim.devices.find(driver);
    if (prepared != claim.devices.end() &&
        std::ranges::any_of(prepared->second, [&](const PreparedDevice& device) {
          return changed.contains({device.pool_name, device.device_name});
        })) {
      pods.insert(claim.pod_uids.begin(), claim.pod_uids.end());
    }
  }
  return pods;
}

void DraManager::ClearHealth(const std::string& driver) { health_.Clear(driver); }

}  // namespace assay::controlplane::node
