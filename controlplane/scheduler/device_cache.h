// DeviceCache: what the scheduler knows of devices, claims and pod groups: slices, classes, claims
// and groups as they are watched, claims as they were last written (which the watch may not have
// shown yet), and allocations that have been decided but not written. Its snapshot is what is
// allocated against.
//
// Source: kube-scheduler, dynamicresources/dra_manager.go and util/assumecache; the merge of
// DeviceTaintRules is k8s.io/dynamic-resource-allocation's slice tracker.
//
// Not thread-safe: lives on the client's loop.
#ifndef ASSAY_CONTROLPLANE_SCHEDULER_DEVICE_CACHE_H_
#define ASSAY_CONTROLPLANE_SCHEDULER_DEVICE_CACHE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "allocator/allocator.h"
#include "api/client/informer.h"
#include "api/compatibility.h"
#include "api/core/types.h"
#include "api/resource/types.h"
#include "api/scheduling/types.h"

namespace assay::controlplane::scheduler {

class DeviceCache {
 public:
  using ClaimRef = std::shared_ptr<const api::resource::ResourceClaim>;
  using GroupRef = std::shared_ptr<const api::scheduling::PodGroup>;

  struct Handlers {
    // A claim was added (no `before`), changed, or deleted (no `now`), as far as the cache tells.
    std::function<void(const ClaimRef& before, const ClaimRef& now)> on_claim;
    std::function<void()> on_devices;  // A slice, class or taint rule was added or changed.
    std::function<void()> on_group;    // A pod group was added or changed.
  };

  DeviceCache(api::client::Client& client, const api::Compatibility& compatibility,
              Handlers handlers);

  void Start(std::function<void()> on_synced);

  // The newest that is known of the claim, or null.
  ClaimRef GetClaim(const api::client::ObjectKey& key) const;
  // Any claim for which `matches`, or null.
  ClaimRef FindClaim(const std::function<bool(const api::resource::ResourceClaim&)>& matches) const;
  bool HasClass(const std::string& name) const;
  // A device of this name in any driver's pool of this name, or null; until a slice changes.
  const api::resource::Device* FindDevice(const std::string& pool, const std::string& device) const;
  const api::client::Informer<api::resource::DeviceClass>& classes() const { return classes_; }
  // The pod's group: null if it has none, or with the gate GenericWorkload off; kNotFound if it is
  // not there.
  Result<GroupRef> GroupOf(const api::core::Pod& pod) const;

  // `claim` is the API server's answer to a write: it counts until the watch shows as much.
  void Assume(const ClaimRef& claim);
  // Back to what the watch has shown.
  void Restore(const api::client::ObjectKey& key);

  // Devices of an allocation that is decided but not written: they are in use from now on.
  // `claim` has the allocation in its status. Drafts may share a name, never a UID. Pods of one
  // group may need the same allocation: each of them sets it, and removes it.
  void SetPending(const api::resource::ResourceClaim& claim);
  // Once it is written, or the last pod has removed it, the allocation is pending no more.
  struct PendingEnd {
    bool written = false;
  };
  void RemovePending(const std::string& claim_uid, PendingEnd how);
  // The claim with its pending allocation, or null.
  ClaimRef GetPending(const std::string& claim_uid) const;

  std::shared_ptr<const allocator::Snapshot> TakeSnapshot() { return inventory_.TakeSnapshot(); }

 private:
  void OnClaim(const ClaimRef& before, const ClaimRef& now);
  // Tells the inventory what holds for the claim.
  void Refresh(const api::client::ObjectKey& key);
  void SetSlice(const api::resource::ResourceSlice& slice);
  void SetAllSlices();

  struct Pending {
    ClaimRef claim;
    int pods = 0;
  };

  const bool taint_rules_;
  const bool groups_enabled_;
  Handlers handlers_;
  allocator::Inventory inventory_;
  std::map<api::client::ObjectKey, ClaimRef> assumed_;
  std::map<std::string, Pending> pending_;  // By UID.
  api::client::Informer<api::resource::ResourceSlice> slices_;
  api::client::Informer<api::resource::DeviceClass> classes_;
  api::client::Informer<api::resource::DeviceTaintRule> rules_;
  api::client::Informer<api::resource::ResourceClaim> claims_;
  api::client::Informer<api::scheduling::PodGroup> groups_;
};

}  // namespace assay::controlplane::scheduler

#endif  // ASSAY_CONTROLPLANE_SCHEDULER_DEVICE_CACHE_H_
