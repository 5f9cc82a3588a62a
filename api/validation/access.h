// Who may have admin access, allocate, and report on devices: the checks of authorisation that are
// part of a ResourceClaim's validation.
//
// Source: pkg/registry/resource/utils.go (KEP-5018 admin access; granular status authorisation).
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_VALIDATION_ACCESS_H_
#define ASSAY_API_VALIDATION_ACCESS_H_

#include <string_view>
#include <vector>

#include "api/resource/types.h"
#include "api/validation/field_error.h"
#include "api/validation/strategy.h"

namespace assay::api::validation {

// Requests with admin access need a label on the namespace. The path is that of a claim, also where
// the requests are a template's.
FieldErrors CheckAdminRequests(const std::vector<resource::DeviceRequest>& requests,
                               std::string_view namespace_, const Context& context);
// As above for a new allocation.
FieldErrors CheckAdminResults(const resource::ResourceClaim& claim,
                              const resource::ResourceClaim& old, const Context& context);
// Whether the user may change status.allocation and status.reservedFor.
FieldErrors CheckBinding(const resource::ResourceClaim& claim, const resource::ResourceClaim& old,
                         const Context& context);
// Whether the user may change the entries of status.devices that he changes, driver by driver.
FieldErrors CheckDeviceStatus(const resource::ResourceClaim& claim,
                              const resource::ResourceClaim& old, const Context& context);

}  // namespace assay::api::validation

#endif  // ASSAY_API_VALIDATION_ACCESS_H_
