#include "allocator/search/counters_by_pool_name.h"

#include <algorithm>

namespace assay::allocator::search {

bool CountersByPoolName::Take(inventory::DeviceRef device) {
  const inventory::NodePool& pool = *device.pool;
  const auto [account, fresh] = available_.try_emplace(pool.name());
  if (fresh) {
    const std::vector<inventory::Counter>& counters = pool.layout().counters;
    for (std::uint32_t i = 0; i < counters.size(); ++i) {
      account->second[{std::string(counters[i].counter_set), std::string(counters[i].name)}] =
          pool.Available(i);
    }
  }
  Change(device, 1);
  const Amounts& taken = taken_[pool.name()];
  const bool enough = std::ranges::all_of(account->second, [&taken](const auto& available) {
    const auto known = taken.find(available.first);
    return (known == taken.end() ? 0 : known->second) <= available.second;
  });
  if (!enough) {
    GiveBack(device);
  }
  return enough;
}

void CountersByPoolName::Change(inventory::DeviceRef device, int sign) {
  Amounts& taken = taken_[device.pool->name()];
  for (const auto& consumption : device.api().consumes_counters) {
    for (const auto& [name, counter] : consumption.counters) {
      taken[{consumption.counter_set, name}] += sign * inventory::ToAmount(counter.value);
    }
  }
}

}  // namespace assay::allocator::search
