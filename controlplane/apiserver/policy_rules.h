// What the rules of rbac.authorization.k8s.io mean: which requests a rule allows, to whom a binding
// applies, what somebody may not grant because he does not hold it himself.
//
// Source: pkg/apis/rbac/v1/evaluation_helpers.go, pkg/registry/rbac/validation, and
// k8s.io/component-helpers/auth/rbac/validation. Thread-safe: pure functions.
#ifndef ASSAY_CONTROLPLANE_APISERVER_POLICY_RULES_H_
#define ASSAY_CONTROLPLANE_APISERVER_POLICY_RULES_H_

#include <string>
#include <vector>

#include "api/rbac/types.h"
#include "controlplane/apiserver/request_info.h"
#include "controlplane/apiserver/user.h"

namespace assay::controlplane::apiserver {

using api::rbac::PolicyRule;

inline constexpr char kRbacGroup[] = "rbac.authorization.k8s.io";

bool RuleAllows(const PolicyRule& rule, const RequestInfo& info);

// Whether `user` is among a binding's subjects. Service accounts without a namespace are of the
// binding's; a ClusterRoleBinding has none.
bool AppliesTo(const std::vector<api::rbac::Subject>& subjects, const User& user,
               const std::string& binding_namespace);

// The rights of `wanted` that no rule of `held` covers, each resource's on a line of its own as
// upstream writes them: `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`. Sorted.
std::vector<std::string> MissingRights(const std::vector<PolicyRule>& held,
                                       const std::vector<PolicyRule>& wanted);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_POLICY_RULES_H_
