// Features: what the allocator does beyond the oldest rules.
//
// Thread-safe: values.
#ifndef ASSAY_ALLOCATOR_FEATURES_H_
#define ASSAY_ALLOCATOR_FEATURES_H_

#include "api/compatibility.h"
#include "cel/dra/selector.h"

namespace assay::allocator {

// By default what level 1.36 turns on.
struct Features {
  // Whose answers are given: k8s.io/dynamic-resource-allocation v0.36.3 or v0.37.2.
  api::Level level = api::Level::k1_36;

  bool admin_access = true;               // DRAAdminAccess
  bool prioritized_list = true;           // DRAPrioritizedList
  bool partitionable_devices = true;      // DRAPartitionableDevices
  bool device_taints = true;              // DRADeviceTaints
  bool device_binding_and_status = true;  // DRADeviceBindingConditions and
                                          // DRAResourceClaimDeviceStatus
  bool consumable_capacity = true;        // DRAConsumableCapacity
  bool list_type_attributes = false;      // DRAListTypeAttributes; the 1.36 scheduler leaves it off

  // Of level 1.37.
  bool fractional_capacity_range = false;  // DRAFractionalCapacityRange
  bool optional_node_operations = false;   // DRAOptionalNodeOperations
  bool compatibility_groups = false;       // DRADeviceCompatibilityGroups
  bool derived_attributes = false;         // DRADerivedAttributes

  // Also the wrong answers of v0.36.3 (README.md, "Upstream's quirks"). Without effect at level
  // 1.37, which has none of them.
  bool upstream_defects = false;

  static Features FromCompatibility(const api::Compatibility& compatibility);
  // Upstream has a variant of its own where one of these is on.
  bool IsExperimental() const {
    return list_type_attributes || optional_node_operations || compatibility_groups ||
           derived_attributes;
  }
  bool AtLeast1_37() const { return level >= api::Level::k1_37; }
  // What expressions are compiled with, and devices given to them: 1.37 has lists whatever the
  // gate; 1.36 fails on them.
  cel::dra::Features OfSelectors() const {
    return {consumable_capacity, list_type_attributes || AtLeast1_37()};
  }
  bool HasUpstreamDefects() const { return upstream_defects && !AtLeast1_37(); }
  friend bool operator==(const Features&, const Features&) = default;
};

}  // namespace assay::allocator

#endif  // ASSAY_ALLOCATOR_FEATURES_H_
