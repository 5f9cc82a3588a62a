// Tells in a claim's status how its devices fare (KEP-4817): each that is prepared is Ready, with
// the UUID of its GPU or MIG device.
//
// The driver needs to be allowed associated-node:patch of resourceclaims/driver.
//
// Not thread-safe: on the client's loop.
#ifndef ASSAY_DRIVER_REF_PUBLISH_CLAIM_STATUS_H_
#define ASSAY_DRIVER_REF_PUBLISH_CLAIM_STATUS_H_

#include <string>
#include <vector>

#include "api/client/client.h"
#include "api/resource/types.h"
#include "driver-ref/discovery/monitor.h"
#include "driver-ref/prepare/checkpoint.h"

namespace assay::driver_ref::publish {

// Applies the status of these devices, and of no other driver's, unless `claim` has it already.
// What cannot be written is logged: the claim is prepared all the same.
void ReportPrepared(api::client::Client& client, const std::string& driver_name,
                    const api::resource::ResourceClaim& claim,
                    const std::vector<prepare::DeviceRecord>& devices,
                    const discovery::Picture& picture);

}  // namespace assay::driver_ref::publish

#endif  // ASSAY_DRIVER_REF_PUBLISH_CLAIM_STATUS_H_
