// Authorizer: may this user do that? What the stored Roles, ClusterRoles and their bindings say, as
// Kubernetes' RBAC authoriser reads them.
//
// The group "system:masters" may do everything. Discovery, /version, health and the reviews of
// oneself are open to every authenticated user, health and /version to everybody, as in Kubernetes.
//
// Source: plugin/pkg/auth/authorizer/rbac, pkg/registry/rbac. Thread-safe.
#ifndef ASSAY_CONTROLPLANE_APISERVER_AUTHORIZER_H_
#define ASSAY_CONTROLPLANE_APISERVER_AUTHORIZER_H_

#include <functional>
#include <string>
#include <vector>

#include "api/object.h"
#include "controlplane/apiserver/api_result.h"
#include "controlplane/apiserver/policy_rules.h"
#include "controlplane/apiserver/request_info.h"
#include "controlplane/apiserver/user.h"
#include "controlplane/store/store.h"

namespace assay::controlplane::apiserver {

class Authorizer {
 public:
  // Where the roles and bindings are; must outlive it.
  explicit Authorizer(const store::Store& objects) : objects_(&objects) {}

  bool Allows(const User& user, const RequestInfo& info) const;
  // What `user` may do in `namespace_` (SelfSubjectRulesReview).
  std::vector<PolicyRule> RulesFor(const User& user, const std::string& namespace_) const;

  // The Forbidden answer where `user`, by writing `object`, would grant what he does not hold
  // himself and may neither "escalate" the role nor "bind" to it. `old` is what `object` replaces,
  // if anything; `name` is that of the request: empty for a POST.
  ApiError RefuseEscalation(const User& user, const api::Object& object, const api::Object* old,
                            const std::string& name) const;

 private:
  // Returns false to see no more.
  using Visitor = std::function<bool(const PolicyRule&)>;

  // Visits each rule that is for `user` in `namespace_`.
  void VisitRules(const User& user, const std::string& namespace_, const Visitor& visit) const;
  template <typename Binding>
  bool VisitBindings(const User& user, const std::string& namespace_, const Visitor& visit) const;
  // The rules of the role that a binding in `namespace_` refers to; NotFound.
  ApiResult<std::vector<PolicyRule>> RulesOf(const api::rbac::RoleRef& role,
                                             const std::string& namespace_) const;

  const store::Store* objects_;
};

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_AUTHORIZER_H_
