// Consumable capacity (KEP-5075): what a request takes of a device's capacity, and whether it is
// left.
//
// Source: structured/internal/incubating/consumable_capacity.go, of v0.36.3 and v0.37.2.
//
// Thread-safe: pure functions.
#ifndef ASSAY_ALLOCATOR_SEARCH_CAPACITY_H_
#define ASSAY_ALLOCATOR_SEARCH_CAPACITY_H_

#include <map>
#include <string>
#include <vector>

#include "allocator/features.h"
#include "allocator/inventory/pool.h"
#include "api/resource/types.h"
#include "base/result.h"

namespace assay::allocator::search {

// What of each of the device's capacities, in their order, is taken by shares of this search.
using Allocating = std::vector<inventory::Amount>;

// Whether the device has what the request asks for besides what is in use and `allocating` (each
// may be null). An error (level 1.37) is a request that cannot be reckoned with.
Result<bool> FitsCapacity(const inventory::Device& device, const inventory::DeviceUse* use,
                          const Allocating* allocating,
                          const api::resource::CapacityRequirements* wanted,
                          const Features& features);

// What the request takes, by capacity; of a device that FitsCapacity.
std::map<std::string, api::meta::Quantity> ConsumedCapacity(
    const inventory::Device& device, const api::resource::CapacityRequirements* wanted,
    const Features& features);

}  // namespace assay::allocator::search

#endif  // ASSAY_ALLOCATOR_SEARCH_CAPACITY_H_
