// CountersByPoolName: the counters of a search as v0.36.3 keeps them, wrongly: pools of one name
// have one account, whichever their drivers; what is available in it is that of the pool that is
// looked at first (Features::upstream_defects).
//
// Source: structured/internal/incubating/allocator_incubating.go (checkAvailableCounters).
//
// Not thread-safe; one per Attempt, as upstream has one per Allocator.
#ifndef ASSAY_ALLOCATOR_SEARCH_COUNTERS_BY_POOL_NAME_H_
#define ASSAY_ALLOCATOR_SEARCH_COUNTERS_BY_POOL_NAME_H_

#include <map>
#include <string>
#include <utility>

#include "allocator/inventory/pool.h"

namespace assay::allocator::search {

class CountersByPoolName {
 public:
  // Forgets what was taken. What is available stays, even from node to node.
  void StartSearch() { taken_.clear(); }

  // Takes the device's counters, if the account has them.
  bool Take(inventory::DeviceRef device);
  void GiveBack(inventory::DeviceRef device) { Change(device, -1); }

 private:
  using Amounts = std::map<std::pair<std::string, std::string>, inventory::Amount, std::less<>>;

  void Change(inventory::DeviceRef device, int sign);

  // By the pool's name; of each, by counter set and counter.
  std::map<std::string, Amounts> available_;
  std::map<std::string, Amounts> taken_;
};

}  // namespace assay::allocator::search

#endif  // ASSAY_ALLOCATOR_SEARCH_COUNTERS_BY_POOL_NAME_H_
