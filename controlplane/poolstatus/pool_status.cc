#include "controlplane/poolstatus/pool_status.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace assay::controlplane::poolstatus {
namespace {

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

Result<PoolStatus> StatusOf(const std::string& driver, const std::string& name, const Pool& pool,
                            std::int32_t allocated) {
  if (static_cast<std::int64_t>(pool.slices.size()) < pool.ExpectedSlices()) {
    return FailedPreconditionError("pool " + driver + "/" + name + " is incomplete: observed " +
                                   std::to_string(pool.slices.size()) + "/" +
                                   std::to_string(pool.ExpectedSlices()) +
                                   " slices at generation " + std::to_string(pool.generation));
  }
  std::size_t devices = 0;
  for (const ResourceSlice* slice : pool.slices) {
    devices += slice->spec.devices.size();
  }
  PoolStatus status;
  status.driver = driver;
  status.pool_name = name;
  status.generation = pool.generation;
  status.resource_slice_count = static_cast<std::int32_t>(pool.slices.size());
  status.total_devices = static_cast<std::int32_t>(devices);
  status.allocated_devices = allocated;
  // Tainted and sick devices count as available: nothing is told from the others in 1.36.
  status.unavailable_devices = 0;
  status.available_devices = std::max(0, *status.total_devices - allocated);
  if (pool.IsOfOneNode()) {
    status.node_name = pool.slices.front()->spec.node_name;
  }
  return status;
}

// Every result counts, also a share of a device and an administrator's access.
std::map<std::string, std::int32_t> AllocatedByPool(
    const std::string& driver, const std::vector<std::shared_ptr<const ResourceClaim>>& claims) {
  std::map<std::string, std::int32_t> allocated;
  for (const auto& claim : claims) {
    if (!claim->status.allocation) {
      continue;
    }
    for (const auto& result : claim->status.allocation->devices.results) {
      if (result.driver == driver) {
        ++allocated[result.pool];
      }
    }
  }
  return allocated;
}

}  // namespace

Result<ResourcePoolStatusRequestStatus> AnswerTo(
    const ResourcePoolStatusRequestSpec& spec,
    const std::vector<std::shared_ptr<const ResourceSlice>>& slices,
    const std::vector<std::shared_ptr<const ResourceClaim>>& claims, api::meta::Time now) {
  const std::string wanted = spec.pool_name.value_or("");
  std::map<std::string, Pool> pools;  // By name.
  for (const auto& slice : slices) {
    if (slice->spec.driver == spec.driver && (wanted.empty() || slice->spec.pool.name == wanted)) {
      pools[slice->spec.pool.name].Add(*slice);
    }
  }
  const std::map<std::string, std::int32_t> allocated = AllocatedByPool(spec.driver, claims);
  const auto limit = static_cast<std::size_t>(spec.limit.value_or(kDefaultLimit));

  ResourcePoolStatusRequestStatus status;
  status.pool_count = static_cast<std::int32_t>(pools.size());
  for (const auto& [name, pool] : pools) {
    if (status.pools.size() == limit) {
      break;
    }
    const auto count = allocated.find(name);
    ASSAY_ASSIGN_OR_RETURN(
        PoolStatus pool_status,
        StatusOf(spec.driver, name, pool, count == allocated.end() ? 0 : count->second));
    status.pools.push_back(std::move(pool_status));
  }
  api::meta::Condition complete;
  complete.type = "Complete";
  complete.status = "True";
  complete.last_transition_time = now;
  complete.reason = "CalculationComplete";
  complete.message = "Calculated status for " + std::to_string(status.pools.size()) + " pools";
  status.conditions.push_back(std::move(complete));
  return status;
}

}  // namespace assay::controlplane::poolstatus
