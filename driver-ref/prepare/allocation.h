// What of a claim's allocation is this driver's business. Pure.
//
// Thread-safe: no state.
#ifndef ASSAY_DRIVER_REF_PREPARE_ALLOCATION_H_
#define ASSAY_DRIVER_REF_PREPARE_ALLOCATION_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/resource/types.h"
#include "base/result.h"
#include "driver-ref/cdi/metadata_files.h"
#include "driver-ref/prepare/checkpoint.h"

namespace assay::driver_ref::prepare {

// What a claim's status and its allocation know a device by.
struct DeviceKey {
  std::string driver;
  std::string pool;
  std::string device;
  std::optional<std::string> share_id;

  friend bool operator==(const DeviceKey&, const DeviceKey&) = default;
};
DeviceKey KeyOf(const api::resource::DeviceRequestAllocationResult& result);
// What the claim's status says of the device; null if nothing.
const api::resource::AllocatedDeviceStatus* StatusOf(const api::resource::ResourceClaim& claim,
                                                     const DeviceKey& key);
// Its condition of that type; null if there is none, or no status.
const api::meta::Condition* ConditionOf(const api::resource::AllocatedDeviceStatus* status,
                                        const std::string& type);

// The devices that the claim's allocation gives out of this driver's pools, each once, with all
// requests that it serves (without "/subrequest", as the kubelet compares them), and what is to be
// set of it: of the configurations for its request the last counts, as a whole; those of classes
// come before the claim's own. Administrators set nothing.
//
// kFailedPrecondition: not allocated, or not by the claim with this UID, or a device has a binding
// condition that is not True (KEP-5007). kInvalidArgument: a configuration for this driver that is
// wrong.
Result<std::vector<DeviceRecord>> DevicesOf(const api::resource::ResourceClaim& claim,
                                            const std::string& uid, const std::string& driver_name);

// What containers are told about these devices (KEP-5304): with the attributes that `attributes_of`
// knows by name, and the network data of the claim's status.
cdi::ClaimMetadata MetadataOf(
    const api::resource::ResourceClaim& claim, const std::string& driver_name,
    const std::function<std::map<std::string, api::resource::DeviceAttribute>(
        const std::string& device)>& attributes_of);

}  // namespace assay::driver_ref::prepare

#endif  // ASSAY_DRIVER_REF_PREPARE_ALLOCATION_H_
