#include "allocator/taint_rules.h"

namespace assay::allocator {

void AddTaints(const api::resource::DeviceTaintRule& rule, api::resource::ResourceSlice& slice) {
  const auto& selector = rule.spec.device_selector;
  if (selector.has_value() &&
      (selector->driver.value_or(slice.spec.driver) != slice.spec.driver ||
       selector->pool.value_or(slice.spec.pool.name) != slice.spec.pool.name)) {
    return;
  }
  for (api::resource::Device& device : slice.spec.devices) {
    if (!selector.has_value() || selector->device.value_or(device.name) == device.name) {
      device.taints.push_back(rule.spec.taint);
    }
  }
}

}  // namespace assay::allocator
