// The rules of ResourceClaim, ResourceClaimTemplate and DeviceClass.
//
// Source: pkg/apis/resource/validation/validation.go. Thread-safe: pure functions.
#ifndef ASSAY_API_VALIDATION_CLAIM_RULES_H_
#define ASSAY_API_VALIDATION_CLAIM_RULES_H_

#include "api/resource/types.h"
#include "api/validation/field_error.h"
#include "api/validation/strategy.h"

namespace assay::api::validation {

FieldErrors ValidateResourceClaim(const resource::ResourceClaim& claim, const Context& context);
FieldErrors ValidateResourceClaimUpdate(const resource::ResourceClaim& claim,
                                        const resource::ResourceClaim& old);
FieldErrors ValidateResourceClaimStatusUpdate(const resource::ResourceClaim& claim,
                                              const resource::ResourceClaim& old);

FieldErrors ValidateResourceClaimTemplate(const resource::ResourceClaimTemplate& object,
                                          const Context& context);
// An update is validated like a new template too, old CEL expressions included.
FieldErrors ValidateResourceClaimTemplateUpdate(const resource::ResourceClaimTemplate& object,
                                                const resource::ResourceClaimTemplate& old,
                                                const Context& context);

FieldErrors ValidateDeviceClass(const resource::DeviceClass& device_class, const Context& context);
FieldErrors ValidateDeviceClassUpdate(const resource::DeviceClass& device_class,
                                      const resource::DeviceClass& old, const Context& context);

}  // namespace assay::api::validation

#endif  // ASSAY_API_VALIDATION_CLAIM_RULES_H_
