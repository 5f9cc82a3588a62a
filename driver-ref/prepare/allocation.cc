#include "driver-ref/prepare/allocation.h"

#include <algorithm>
#include <set>

#include "driver-ref/mutants.h"

namespace assay::driver_ref::prepare {
namespace {

using api::resource::AllocationResult;
using api::resource::DeviceRequestAllocationResult;
using api::resource::ResourceClaim;

std::string BaseRequest(const std::string& request) {
  return mutants::Is("keeps-subrequest") ? request : request.substr(0, request.find('/'));
}

bool IsOwn(const DeviceRequestAllocationResult& result, const std::string& driver_name) {
  return result.driver == driver_name || mutants::Is("foreign-devices");
}

// A configuration without requests is for all of them; "request" is for its subrequests too.
Status CheckConfiguration(const AllocationResult& allocation, const std::string& driver_name) {
  std::set<std::string> requests;
  for (const DeviceRequestAllocationResult& result : allocation.devices.results) {
    if (IsOwn(result, driver_name)) {
      requests.insert(result.request);
      requests.insert(BaseRequest(result.request));
    }
  }
  for (const auto& config : allocation.devices.config) {
    const bool applies =
        !requests.empty() && (config.requests.empty() ||
                              std::ranges::any_of(config.requests, [&](const std::string& name) {
                                return requests.contains(name);
                              }));
    if (config.opaque && config.opaque->driver == driver_name && applies) {
      return InvalidArgumentError(
          "status.allocation.devices.config: this driver takes no configuration, but the claim or "
          "its device class has one for " +
          driver_name);
    }
  }
  return OkStatus();
}

}  // namespace

Result<std::vector<DeviceRecord>> DevicesOf(const ResourceClaim& claim, const std::string& uid,
                                            const std::string& driver_name) {
  if (claim.metadata.uid != uid) {
    return FailedPreconditionError("the claim of this name has the UID " + claim.metadata.uid +
                                   " now");
  }
  if (!claim.status.allocation) {
    return FailedPreconditionError("the claim is not allocated");
  }
  const AllocationResult& allocation = *claim.status.allocation;
  ASSAY_RETURN_IF_ERROR(CheckConfiguration(allocation, driver_name));
  std::vector<DeviceRecord> devices;
  for (const DeviceRequestAllocationResult& result : allocation.devices.results) {
    if (!IsOwn(result, driver_name)) {
      continue;
    }
    const std::string request = BaseRequest(result.request);
    const auto same = std::ranges::find_if(devices, [&](const DeviceRecord& device) {
      return device.pool == result.pool && device.device == result.device &&
             device.share_id == result.share_id;
    });
    if (same != devices.end()) {
      same->requests.push_back(request);
      continue;
    }
    devices.push_back({.pool = result.pool,
                       .device = result.device,
                       .requests = {request},
                       .share_id = result.share_id,
                       .admin_access = result.admin_access.value_or(false)});
  }
  if (mutants::Is("first-device-again")) {
    for (DeviceRecord& device : devices) {
      device.pool = devices.front().pool;
      device.device = devices.front().device;
    }
  }
  return devices;
}

}  // namespace assay::driver_ref::prepare
