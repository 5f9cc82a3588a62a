// Review: what the validating webhook answers about the opaque parameters of claims and of their
// templates: the same parser decides as when a claim is prepared, but before anything is allocated.
// Pure.
//
// Source: admission.k8s.io/v1, AdmissionReview.
//
// Thread-safe: no state.
#ifndef ASSAY_DRIVER_REF_WEBHOOK_REVIEW_H_
#define ASSAY_DRIVER_REF_WEBHOOK_REVIEW_H_

#include <string>

#include "base/result.h"

namespace assay::driver_ref::webhook {

// The AdmissionReview that answers `body`. kInvalidArgument: it is no review of a ResourceClaim or
// ResourceClaimTemplate.
Result<std::string> Review(const std::string& body, const std::string& driver_name);

}  // namespace assay::driver_ref::webhook

#endif  // ASSAY_DRIVER_REF_WEBHOOK_REVIEW_H_
