// The rules of PodGroup, as far as they matter for claims and gangs: its policy and its claims.
//
// Source: the declarative tags of scheduling.k8s.io/v1alpha2 and pkg/apis/scheduling/validation of
// 1.36; at level 1.37 a gang's minCount may change. What belongs to workload-aware preemption and
// to topologies is not looked at.
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_VALIDATION_GROUP_RULES_H_
#define ASSAY_API_VALIDATION_GROUP_RULES_H_

#include "api/compatibility.h"
#include "api/scheduling/types.h"
#include "api/validation/field_error.h"

namespace assay::api::validation {

FieldErrors ValidatePodGroup(const scheduling::PodGroup& group);
FieldErrors ValidatePodGroupUpdate(const scheduling::PodGroup& group,
                                   const scheduling::PodGroup& old, Level level);
FieldErrors ValidatePodGroupStatusUpdate(const scheduling::PodGroup& group,
                                         const scheduling::PodGroup& old);

}  // namespace assay::api::validation

#endif  // ASSAY_API_VALIDATION_GROUP_RULES_H_
