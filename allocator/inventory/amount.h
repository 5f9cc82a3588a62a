// Amount: a quantity as a number of billionths, the finest that Kubernetes keeps: what counters and
// capacities are summed and compared in. Exact, but that magnitudes from 10^24 on are all the same.
//
// Thread-safe: values.
#ifndef ASSAY_ALLOCATOR_INVENTORY_AMOUNT_H_
#define ASSAY_ALLOCATOR_INVENTORY_AMOUNT_H_

#include "api/meta/quantity.h"

namespace assay::allocator::inventory {

__extension__ using Amount = __int128;

// The magnitude of what is too large: 100,000 of them can be added.
inline constexpr Amount kHugeAmount = Amount{1'000'000'000'000'000} * 1'000'000'000'000'000'000;

Amount ToAmount(const api::meta::Quantity& quantity);

}  // namespace assay::allocator::inventory

#endif  // ASSAY_ALLOCATOR_INVENTORY_AMOUNT_H_
