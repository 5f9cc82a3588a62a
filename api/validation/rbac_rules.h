// The rules of Role, ClusterRole, RoleBinding and ClusterRoleBinding.
//
// Source: pkg/apis/rbac/validation. Thread-safe: pure functions.
#ifndef ASSAY_API_VALIDATION_RBAC_RULES_H_
#define ASSAY_API_VALIDATION_RBAC_RULES_H_

#include "api/rbac/types.h"
#include "api/validation/field_error.h"

namespace assay::api::validation {

FieldErrors ValidateRole(const rbac::Role& role);
FieldErrors ValidateClusterRole(const rbac::ClusterRole& role);
FieldErrors ValidateRoleBinding(const rbac::RoleBinding& binding);
FieldErrors ValidateClusterRoleBinding(const rbac::ClusterRoleBinding& binding);
// Of both kinds of binding: to which role it binds stays.
FieldErrors ValidateRoleRefUpdate(const rbac::RoleRef& role, const rbac::RoleRef& old);

}  // namespace assay::api::validation

#endif  // ASSAY_API_VALIDATION_RBAC_RULES_H_
