// What level 1.37 tells of a pool beside the numbers of its devices: how many more of each type of
// partition could be allocated, and what is left of the capacity of devices that are shared.
//
// Source: pkg/controller/resourcepoolstatusrequest/pool_views.go of 1.37. Thread-safe: a function.
#ifndef ASSAY_CONTROLPLANE_POOLSTATUS_POOL_VIEWS_H_
#define ASSAY_CONTROLPLANE_POOLSTATUS_POOL_VIEWS_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "api/meta/quantity.h"
#include "api/resource/types.h"

namespace assay::controlplane::poolstatus {

// What claims have of a pool; administrators use nothing.
struct PoolUse {
  std::set<std::string> devices;
  std::map<std::string, api::meta::Quantity> capacity;
};

// Sets partitionSummary, shareableSummary and validationError of `status`, the pool of `slices`,
// which are complete. `default_attribute` tells types of partitions where no slice names an
// attribute that does; empty: nothing does.
void AddViews(const std::vector<const api::resource::ResourceSlice*>& slices,
              const std::string& default_attribute, const PoolUse& use,
              api::resource::PoolStatus& status);

}  // namespace assay::controlplane::poolstatus

#endif  // ASSAY_CONTROLPLANE_POOLSTATUS_POOL_VIEWS_H_
