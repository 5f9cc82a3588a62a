// Features: what the allocator does beyond the oldest rules.
//
// Thread-safe: values.
#ifndef ASSAY_ALLOCATOR_FEATURES_H_
#define ASSAY_ALLOCATOR_FEATURES_H_

namespace assay::api {
class Compatibility;
}  // namespace assay::api

namespace assay::allocator {

// By default what level 1.36 turns on.
struct Features {
  bool admin_access = true;               // DRAAdminAccess
  bool prioritized_list = true;           // DRAPrioritizedList
  bool partitionable_devices = true;      // DRAPartitionableDevices
  bool device_taints = true;              // DRADeviceTaints
  bool device_binding_and_status = true;  // DRADeviceBindingConditions and
                                          // DRAResourceClaimDeviceStatus
  bool consumable_capacity = true;        // DRAConsumableCapacity
  bool list_type_attributes = false;      // DRAListTypeAttributes; the 1.36 scheduler leaves it off

  static Features FromCompatibility(const api::Compatibility& compatibility);
  friend bool operator==(const Features&, const Features&) = default;
};

}  // namespace assay::allocator

#endif  // ASSAY_ALLOCATOR_FEATURES_H_
