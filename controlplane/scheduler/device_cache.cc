#include "controlplane/scheduler/device_cache.h"

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <utility>

#include "allocator/taint_rules.h"
#include "controlplane/claims/pod_claims.h"
#include "controlplane/scheduler/extended_resources.h"

namespace assay::controlplane::scheduler {
namespace {

using api::client::KeyOf;
using api::client::ObjectKey;
using api::resource::DeviceClass;
using api::resource::DeviceTaintRule;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;

constexpr char kByPool[] = "pool";

std::uint64_t VersionOf(const ResourceClaim& claim) {
  return std::strtoull(claim.metadata.resource_version.c_str(), nullptr, 10);
}

}  // namespace

DeviceCache::DeviceCache(api::client::Client& client, const api::Compatibility& compatibility,
                         Handlers handlers)
    : taint_rules_(compatibility.Enabled("DRADeviceTaintRules")),
      groups_enabled_(compatibility.Enabled("GenericWorkload")),
      handlers_(std::move(handlers)),
      inventory_({.features = allocator::Features::FromCompatibility(compatibility)}),
      slices_(client),
      classes_(client),
      rules_(client),
      claims_(client),
      groups_(client) {
  using SliceRef = std::shared_ptr<const ResourceSlice>;
  const auto on_slice = [this](const SliceRef& slice) {
    SetSlice(*slice);
    handlers_.on_devices();
  };
  slices_.AddIndex(kByPool, [](const ResourceSlice& slice) {
    return std::vector<std::string>{slice.spec.pool.name};
  });
  slices_.AddHandlers(
      {.on_add = on_slice,
       .on_update = [on_slice](const SliceRef&, const SliceRef& now) { on_slice(now); },
       .on_delete =
           [this](const SliceRef& slice) { inventory_.RemoveSlice(slice->metadata.name); }});
  using ClassRef = std::shared_ptr<const DeviceClass>;
  const auto on_class = [this](const ClassRef& device_class) {
    inventory_.SetClass(*device_class);
    handlers_.on_devices();
  };
  classes_.AddHandlers(
      {.on_add = on_class,
       .on_update = [on_class](const ClassRef&, const ClassRef& now) { on_class(now); },
       .on_delete =
           [this](const ClassRef& device_class) {
             inventory_.RemoveClass(device_class->metadata.name);
           }});
  using RuleRef = std::shared_ptr<const DeviceTaintRule>;
  rules_.AddHandlers({.on_add = [this](const RuleRef&) { SetAllSlices(); },
                      .on_update = [this](const RuleRef&, const RuleRef&) { SetAllSlices(); },
                      .on_delete = [this](const RuleRef&) { SetAllSlices(); }});
  claims_.AddHandlers(
      {.on_add = [this](const ClaimRef& claim) { OnClaim(nullptr, claim); },
       .on_update = [this](const ClaimRef& before, const ClaimRef& now) { OnClaim(before, now); },
       .on_delete = [this](const ClaimRef& claim) { OnClaim(claim, nullptr); }});
  groups_.AddHandlers({.on_add = [this](const GroupRef&) { handlers_.on_group(); },
                       .on_update =
                           [this](const GroupRef& before, const GroupRef& now) {
                             // A gang may need fewer from now on; what becomes of its status wakes
                             // nobody.
                             if (!(before->spec.scheduling_policy == now->spec.scheduling_policy)) {
                               handlers_.on_group();
                             }
                           }});
}

void DeviceCache::Start(std::function<void()> on_synced) {
  classes_.Start([this, on_synced = std::move(on_synced)] {
    const auto claims = [this, on_synced] {
      claims_.Start([this, on_synced] {
        if (groups_enabled_) {
          groups_.Start(on_synced);
        } else {
          on_synced();
        }
      });
    };
    const auto rest = [this, claims] { slices_.Start(claims); };
    if (taint_rules_) {
      rules_.Start(rest);
    } else {
      rest();
    }
  });
}

DeviceCache::ClaimRef DeviceCache::GetClaim(const ObjectKey& key) const {
  const auto assumed = assumed_.find(key);
  return assumed != assumed_.end() ? assumed->second : claims_.Get(key);
}

DeviceCache::ClaimRef DeviceCache::FindClaim(
    const std::function<bool(const ResourceClaim&)>& matches) const {
  for (const ClaimRef& claim : claims_.List()) {
    if (matches(*claim)) {
      return GetClaim(KeyOf(claim->metadata));
    }
  }
  return nullptr;
}

bool DeviceCache::HasClass(const std::string& name) const {
  return classes_.Get("", name) != nullptr;
}

const api::resource::Device* DeviceCache::FindDevice(const std::string& pool,
                                                     const std::string& device) const {
  for (const auto& slice : slices_.ByIndex(kByPool, pool)) {
    for (const api::resource::Device& candidate : slice->spec.devices) {
      if (candidate.name == device) {
        return &candidate;
      }
    }
  }
  return nullptr;
}

void DeviceCache::Assume(const ClaimRef& claim) {
  const ObjectKey key = KeyOf(claim->metadata);
  const ClaimRef watched = claims_.Get(key);
  // Deleted meanwhile, or the watch was faster.
  if (!watched || watched->metadata.uid != claim->metadata.uid ||
      VersionOf(*watched) >= VersionOf(*claim)) {
    return;
  }
  assumed_[key] = claim;
  Refresh(key);
}

void DeviceCache::Restore(const ObjectKey& key) {
  assumed_.erase(key);
  Refresh(key);
}

void DeviceCache::SetPending(const ResourceClaim& claim) {
  ResourceClaim copy = claim;
  if (copy.metadata.name == kExtendedClaimDraftName) {
    // The inventory tells claims apart by name.
    copy.metadata.name += copy.metadata.uid;
  }
  const ObjectKey key = KeyOf(copy.metadata);
  Pending& pending = pending_[claim.metadata.uid];
  pending.claim = std::make_shared<const ResourceClaim>(std::move(copy));
  ++pending.pods;
  Refresh(key);
}

void DeviceCache::RemovePending(const std::string& claim_uid, PendingEnd how) {
  const auto pending = pending_.find(claim_uid);
  if (pending == pending_.end() || (--pending->second.pods > 0 && !how.written)) {
    return;
  }
  const ObjectKey key = KeyOf(pending->second.claim->metadata);
  pending_.erase(pending);
  Refresh(key);
}

DeviceCache::ClaimRef DeviceCache::GetPending(const std::string& claim_uid) const {
  const auto pending = pending_.find(claim_uid);
  return pending == pending_.end() ? nullptr : pending->second.claim;
}

Result<DeviceCache::GroupRef> DeviceCache::GroupOf(const api::core::Pod& pod) const {
  const std::optional<std::string> name =
      groups_enabled_ ? claims::PodGroupName(pod) : std::nullopt;
  if (!name) {
    return GroupRef();
  }
  GroupRef group = groups_.Get(pod.metadata.namespace_, *name);
  if (!group) {
    return NotFoundError("podgroup.scheduling.k8s.io \"" + *name + "\" not found");
  }
  return group;
}

void DeviceCache::OnClaim(const ClaimRef& before, const ClaimRef& now) {
  const ObjectKey key = KeyOf((now ? now : before)->metadata);
  if (const auto assumed = assumed_.find(key); assumed != assumed_.end()) {
    if (!now || now->metadata.uid != assumed->second->metadata.uid ||
        VersionOf(*now) >= VersionOf(*assumed->second)) {
      assumed_.erase(assumed);
    }
  }
  Refresh(key);
  handlers_.on_claim(before, now);
}

void DeviceCache::Refresh(const ObjectKey& key) {
  for (const auto& [uid, pending] : pending_) {
    if (KeyOf(pending.claim->metadata) == key) {
      inventory_.SetClaim(*pending.claim);
      return;
    }
  }
  if (const ClaimRef claim = GetClaim(key)) {
    inventory_.SetClaim(*claim);
  } else {
    inventory_.RemoveClaim(key.namespace_, key.name);
  }
}

void DeviceCache::SetSlice(const ResourceSlice& slice) {
  if (!taint_rules_) {
    inventory_.SetSlice(slice);
    return;
  }
  ResourceSlice tainted = slice;
  for (const auto& rule : rules_.List()) {
    allocator::AddTaints(*rule, tainted);
  }
  inventory_.SetSlice(tainted);
}

void DeviceCache::SetAllSlices() {
  for (const auto& slice : slices_.List()) {
    SetSlice(*slice);
  }
  handlers_.on_devices();
}

}  // namespace assay::controlplane::scheduler
