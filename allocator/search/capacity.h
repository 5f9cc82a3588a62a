// Consumable capacity (KEP-5075): what a request takes of a device's capacity, and whether it is
// left.
//
// Source: structured/internal/incubating/consumable_capacity.go.
//
// Thread-safe: pure functions.
#ifndef ASSAY_ALLOCATOR_SEARCH_CAPACITY_H_
#define ASSAY_ALLOCATOR_SEARCH_CAPACITY_H_

#include <map>
#include <string>
#include <vector>

#include "allocator/inventory/pool.h"
#include "api/resource/types.h"

namespace assay::allocator::search {

// What of each of the device's capacities, in their order, is taken by shares of this search.
using Allocating = std::vector<cel::Quantity>;

// Whether the device has what the request asks for besides what is in use and `allocating` (may be
// null).
bool FitsCapacity(const inventory::Device& device, const inventory::DeviceUse* use,
                  const Allocating* allocating, const api::resource::CapacityRequirements* wanted);

// What the request takes, by capacity.
std::map<std::string, api::meta::Quantity> ConsumedCapacity(
    const inventory::Device& device, const api::resource::CapacityRequirements* wanted);

}  // namespace assay::allocator::search

#endif  // ASSAY_ALLOCATOR_SEARCH_CAPACITY_H_
