#include "controlplane/poolstatus/pool_status.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "controlplane/poolstatus/pool_views.h"

namespace assay::controlplane::poolstatus {
namespace {

using api::resource::Device;
using api::resource::DeviceTaint;
using api::resource::PoolStatus;
using api::resource::ResourceClaim;
using api::resource::ResourcePoolStatusRequestSpec;
using api::resource::ResourcePoolStatusRequestStatus;
using api::resource::ResourceSlice;

constexpr std::int32_t kDefaultLimit = 100;

// The slices of a pool's newest generation.
struct Pool {
  std::int64_t generation = 0;
  std::vector<const ResourceSlice*> slices;

  void Add(const ResourceSlice& slice) {
    if (slice.spec.pool.generation < generation) {
      return;
    }
    if (slice.spec.pool.generation > generation) {
      generation = slice.spec.pool.generation;
      slices.clear();
    }
    slices.push_back(&slice);
  }
  std::int64_t ExpectedSlices() const { return slices.front()->spec.pool.resource_slice_count; }
  bool IsOfOneNode() const {
    return slices.front()->spec.node_name.value_or("") != "" &&
           std::ranges::all_of(slices, [&](const ResourceSlice* slice) {
             return slice->spec.node_name == slices.front()->spec.node_name;
           });
  }
};

// What claims have of a pool.
struct Allocated {
  // Every result counts, also a share of a device and an administrator's access.
  std::int32_t results = 0;
  PoolUse use;
};

std::map<std::string, Allocated> AllocatedByPool(
    const std::string& driver, const std::vector<std::shared_ptr<const ResourceClaim>>& claims) {
  std::map<std::string, Allocated> pools;
  for (const auto& claim : claims) {
    if (!claim->status.allocation) {
      continue;
    }
    for (const auto& result : claim->status.allocation->devices.results) {
      if (result.driver != driver) {
        continue;
      }
      Allocated& pool = pools[result.pool];
      ++pool.results;
      if (result.admin_access.value_or(false)) {
        continue;
      }
      pool.use.devices.insert(result.device);
      for (const auto& [name, amount] : result.consumed_capacity) {
        pool.use.capacity[name].Add(amount);
      }
    }
  }
  return pools;
}

bool KeepsAway(const DeviceTaint& taint) {
  return taint.effect == "NoSchedule" || taint.effect == "NoExecute";
}

bool IsUnavailable(const ResourceSlice& slice, const Device& device, const PoolSources& sources) {
  return std::ranges::any_of(device.taints, KeepsAway) ||
         std::ranges::any_of(sources.taint_rules, [&](const auto& rule) {
           const auto& which = rule->spec.device_selector;
           return KeepsAway(rule->spec.taint) && which &&
                  which->driver.value_or(slice.spec.driver) == slice.spec.driver &&
                  which->pool.value_or(slice.spec.pool.name) == slice.spec.pool.name &&
                  which->device.value_or(device.name) == device.name;
         });
}

Result<PoolStatus> StatusOf(const ResourcePoolStatusRequestSpec& spec, const std::string& name,
                            const Pool& pool, const Allocated& allocated,
                            const PoolSources& sources, api::Level level) {
  if (static_cast<std::int64_t>(pool.slices.size()) < pool.ExpectedSlices()) {
    return FailedPreconditionError(
        "pool " + spec.driver + "/" + name + " is incomplete: observed " +
        std::to_string(pool.slices.size()) + "/" + std::to_string(pool.ExpectedSlices()) +
        " slices at generation " + std::to_string(pool.generation));
  }
  std::size_t devices = 0;
  std::int64_t unavailable = 0;
  for (const ResourceSlice* slice : pool.slices) {
    devices += slice->spec.devices.size();
    unavailable += std::ranges::count_if(slice->spec.devices, [&](const Device& device) {
      return IsUnavailable(*slice, device, sources);
    });
  }
  PoolStatus status;
  status.driver = spec.driver;
  status.pool_name = name;
  status.generation = pool.generation;
  status.resource_slice_count = static_cast<std::int32_t>(pool.slices.size());
  status.total_devices = static_cast<std::int32_t>(devices);
  if (level == api::Level::k1_36) {
    status.allocated_devices = allocated.results;
    // Tainted devices count as available: nothing is told from the others in 1.36.
    status.unavailable_devices = 0;
  } else {
    status.allocated_devices = static_cast<std::int32_t>(allocated.use.devices.size());
    status.unavailable_devices = static_cast<std::int32_t>(unavailable);
    AddViews(pool.slices, spec.default_partition_type_attribute.value_or(""), allocated.use,
             status);
  }
  status.available_devices =
      std::max(0, *status.total_devices - *status.allocated_devices - *status.unavailable_devices);
  if (pool.IsOfOneNode()) {
    status.node_name = pool.slices.front()->spec.node_name;
  }
  return status;
}

}  // namespace

Result<ResourcePoolStatusRequestStatus> AnswerTo(const ResourcePoolStatusRequestSpec& spec,
                                                 const PoolSources& sources, api::Level level,
                                                 api::meta::Time now) {
  const std::string wanted = spec.pool_name.value_or("");
  std::map<std::string, Pool> pools;  // By name.
  for (const auto& slice : sources.slices) {
    if (slice->spec.driver == spec.driver && (wanted.empty() || slice->spec.pool.name == wanted)) {
      pools[slice->spec.pool.name].Add(*slice);
    }
  }
  std::map<std::string, Allocated> allocated = AllocatedByPool(spec.driver, sources.claims);
  const auto limit = static_cast<std::size_t>(spec.limit.value_or(kDefaultLimit));

  ResourcePoolStatusRequestStatus status;
  status.pool_count = static_cast<std::int32_t>(pools.size());
  for (const auto& [name, pool] : pools) {
    if (status.pools.size() == limit) {
      break;
    }
    ASSAY_ASSIGN_OR_RETURN(PoolStatus pool_status,
                           StatusOf(spec, name, pool, allocated[name], sources, level));
    status.pools.push_back(std::move(pool_status));
  }
  const auto flawed = std::ranges::count_if(
      status.pools, [](const PoolStatus& pool) { return pool.validation_error.has_value(); });
  api::meta::Condition complete;
  complete.type = "Complete";
  complete.status = "True";
  complete.last_transition_time = now;
  complete.reason = "CalculationComplete";
  complete.message = "Calculated status for " + std::to_string(status.pools.size()) + " pools";
  if (flawed > 0) {
    complete.message += " (" + std::to_string(flawed) + " incomplete)";
  }
  status.conditions.push_back(std::move(complete));
  return status;
}

}  // namespace assay::controlplane::poolstatus
