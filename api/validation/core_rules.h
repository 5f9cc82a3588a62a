// The rules of core/v1 kinds, as far as DRA drivers, schedulers and kubelets meet them: pods with
// their resource claims, nodes and namespaces.
//
// A pod's volumes, probes and security contexts are not judged. Source: pkg/apis/core/validation.
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_VALIDATION_CORE_RULES_H_
#define ASSAY_API_VALIDATION_CORE_RULES_H_

#include <string>

#include "api/core/types.h"
#include "api/validation/field_error.h"

namespace assay::api::validation {

FieldErrors ValidatePod(const core::Pod& pod);
FieldErrors ValidatePodUpdate(const core::Pod& pod, const core::Pod& old);
FieldErrors ValidatePodStatusUpdate(const core::Pod& pod, const core::Pod& old);
// "Guaranteed", "Burstable" or "BestEffort" (pkg/apis/core/helper/qos).
std::string PodQosClass(const core::Pod& pod);

FieldErrors ValidateNode(const core::Node& node);
FieldErrors ValidateNodeUpdate(const core::Node& node, const core::Node& old);

}  // namespace assay::api::validation

#endif  // ASSAY_API_VALIDATION_CORE_RULES_H_
