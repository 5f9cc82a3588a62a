#include "controlplane/eviction/eviction_time.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace assay::controlplane::eviction {
namespace {

using api::resource::Device;
using api::resource::DeviceRequestAllocationResult;
using api::resource::DeviceTaint;
using api::resource::DeviceTaintRule;
using api::resource::DeviceToleration;

// When the taint evicts the user of the device; nothing if it is tolerated for ever.
std::optional<api::meta::Time> TimeOf(const DeviceRequestAllocationResult& result,
                                      const DeviceTaint& taint) {
  const api::meta::Time added = taint.time_added.value_or(api::meta::Time::FromUnix(0));
  std::optional<std::int64_t> seconds;
  for (const DeviceToleration& toleration : result.tolerations) {
    if (!Tolerates(toleration, taint)) {
      continue;
    }
    if (!toleration.toleration_seconds) {
      return std::nullopt;
    }
    const std::int64_t span = std::max<std::int64_t>(0, *toleration.toleration_seconds);
    seconds = seconds ? std::min(*seconds, span) : span;
  }
  return api::meta::Time::FromUnix(added.unix_seconds() + seconds.value_or(0), added.nanos());
}

}  // namespace

bool Eviction::BecauseOf(const std::string& rule_uid) const {
  return std::any_of(reasons.begin(), reasons.end(), [&](const EvictingTaint& taint) {
    return !taint.rule_name.empty() && taint.rule_uid == rule_uid;
  });
}

void Eviction::Join(const Eviction& other) {
  when = std::min(when, other.when);
  reasons.insert(other.reasons.begin(), other.reasons.end());
}

std::int64_t Pools::Pool::NewestGeneration() const {
  std::int64_t newest = std::numeric_limits<std::int64_t>::min();
  for (const auto& [name, slice] : slices) {
    newest = std::max(newest, slice->spec.pool.generation);
  }
  return newest;
}

void Pools::Set(const SliceRef& slice) {
  pools_[{slice->spec.driver, slice->spec.pool.name}].slices[slice->metadata.name] = slice;
}

void Pools::Remove(const SliceRef& slice) {
  const auto pool = pools_.find({slice->spec.driver, slice->spec.pool.name});
  if (pool == pools_.end()) {
    return;
  }
  pool->second.slices.erase(slice->metadata.name);
  if (pool->second.slices.empty()) {
    pools_.erase(pool);
  }
}

const Device* Pools::Find(const std::string& driver, const std::string& pool_name,
                          const std::string& device) const {
  const auto pool = pools_.find({driver, pool_name});
  if (pool == pools_.end()) {
    return nullptr;
  }
  const std::int64_t newest = pool->second.NewestGeneration();
  for (const auto& [name, slice] : pool->second.slices) {
    if (slice->spec.pool.generation != newest) {
      continue;
    }
    for (const Device& candidate : slice->spec.devices) {
      if (candidate.name == device) {
        return &candidate;
      }
    }
  }
  return nullptr;
}

int Pools::CountSelected(const DeviceTaintRule& rule) const {
  int count = 0;
  for (const auto& [id, pool] : pools_) {
    const std::int64_t newest = pool.NewestGeneration();
    for (const auto& [name, slice] : pool.slices) {
      if (slice->spec.pool.generation == newest) {
        count += static_cast<int>(std::count_if(
            slice->spec.devices.begin(), slice->spec.devices.end(),
            [&](const Device& device) { return Selects(rule, id.first, id.second, device.name); }));
      }
    }
  }
  return count;
}

bool Selects(const DeviceTaintRule& rule, const std::string& driver, const std::string& pool,
             const std::string& device) {
  const auto& selector = rule.spec.device_selector;
  return selector && selector->driver.value_or(driver) == driver &&
         selector->pool.value_or(pool) == pool && selector->device.value_or(device) == device;
}

bool Tolerates(const DeviceToleration& toleration, const DeviceTaint& taint) {
  if (toleration.effect != kNoExecute || taint.effect != kNoExecute) {
    return false;
  }
  if (!toleration.key.empty() && toleration.key != taint.key) {
    return false;
  }
  if (toleration.operator_.empty() || toleration.operator_ == "Equal") {
    return toleration.value == taint.value;
  }
  return toleration.operator_ == "Exists";
}

std::optional<Eviction> EvictionOf(const api::resource::ResourceClaim& claim, const Pools& pools,
                                   const std::map<std::string, RuleRef>& rules) {
  std::optional<Eviction> eviction;
  const auto consider = [&](const DeviceRequestAllocationResult& result, const DeviceTaint& taint,
                            EvictingTaint reason) {
    if (const std::optional<api::meta::Time> when = TimeOf(result, taint)) {
      const Eviction found{.when = *when, .reasons = {std::move(reason)}};
      if (eviction) {
        eviction->Join(found);
      } else {
        eviction = found;
      }
    }
  };
  for (const DeviceRequestAllocationResult& result : claim.status.allocation->devices.results) {
    if (const Device* device = pools.Find(result.driver, result.pool, result.device)) {
      for (std::size_t i = 0; i < device->taints.size(); ++i) {
        if (device->taints[i].effect == kNoExecute) {
          consider(
              result, device->taints[i],
              {.driver = result.driver, .pool = result.pool, .device = result.device, .index = i});
        }
      }
    }
    // A rule also holds for a device that is not published any more.
    for (const auto& [name, rule] : rules) {
      if (Selects(*rule, result.driver, result.pool, result.device)) {
        consider(result, rule->spec.taint, {.rule_name = name, .rule_uid = rule->metadata.uid});
      }
    }
  }
  return eviction;
}

}  // namespace assay::controlplane::eviction
