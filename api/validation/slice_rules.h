// The rules of ResourceSlice, DeviceTaintRule and ResourcePoolStatusRequest.
//
// Source: pkg/apis/resource/validation; for ResourcePoolStatusRequest also the declarative tags of
// its API type, which Kubernetes enforces for this kind.
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_VALIDATION_SLICE_RULES_H_
#define ASSAY_API_VALIDATION_SLICE_RULES_H_

#include "api/resource/types.h"
#include "api/validation/field_error.h"

namespace assay::api::validation {

// Whether it has a list, if only an empty one (KEP-5491).
bool HasList(const resource::DeviceAttribute& attribute);

FieldErrors ValidateResourceSlice(const resource::ResourceSlice& slice);
FieldErrors ValidateResourceSliceUpdate(const resource::ResourceSlice& slice,
                                        const resource::ResourceSlice& old);

FieldErrors ValidateDeviceTaintRule(const resource::DeviceTaintRule& rule);
FieldErrors ValidateDeviceTaintRuleUpdate(const resource::DeviceTaintRule& rule,
                                          const resource::DeviceTaintRule& old);
FieldErrors ValidateDeviceTaintRuleStatusUpdate(const resource::DeviceTaintRule& rule,
                                                const resource::DeviceTaintRule& old);

FieldErrors ValidateResourcePoolStatusRequest(const resource::ResourcePoolStatusRequest& request);
FieldErrors ValidateResourcePoolStatusRequestUpdate(
    const resource::ResourcePoolStatusRequest& request,
    const resource::ResourcePoolStatusRequest& old);
FieldErrors ValidateResourcePoolStatusRequestStatusUpdate(
    const resource::ResourcePoolStatusRequest& request,
    const resource::ResourcePoolStatusRequest& old);

}  // namespace assay::api::validation

#endif  // ASSAY_API_VALIDATION_SLICE_RULES_H_
