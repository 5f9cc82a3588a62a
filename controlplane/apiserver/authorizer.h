// Authorizer: may this user do that? Kubernetes' role-based rules, additive, given as values.
//
//   authorizer.Grant("system:serviceaccount:default:driver",
//                    {{.verbs = {"get"}, .groups = {"resource.k8s.io"},
//                      .resources = {"resourceclaims"}}});
//
// The group "system:masters" may do everything. Discovery, /version, health and the reviews of
// oneself are open to every authenticated user, as in Kubernetes.
//
// Thread-safe.
#ifndef ASSAY_CONTROLPLANE_APISERVER_AUTHORIZER_H_
#define ASSAY_CONTROLPLANE_APISERVER_AUTHORIZER_H_

#include <map>
#include <shared_mutex>
#include <string>
#include <vector>

#include "controlplane/apiserver/request_info.h"
#include "controlplane/apiserver/user.h"

namespace assay::controlplane::apiserver {

// As rbac.authorization.k8s.io/v1 PolicyRule, with "*" for everything. "resources" may name a
// subresource: "resourceclaims/status", "*/status".
struct PolicyRule {
  std::vector<std::string> verbs;
  std::vector<std::string> groups;  // "" is the core group.
  std::vector<std::string> resources;
  std::vector<std::string> names;              // Empty: all names.
  std::vector<std::string> non_resource_urls;  // "/metrics", "/healthz/*"
  // Where it holds; empty: everywhere (a ClusterRoleBinding).
  std::string namespace_;
};

// What a driver's node plugin may do beyond the least.
struct DriverGrants {
  // Write status.devices of claims that are allocated to its node (KEP-4817).
  bool device_status = false;
  // That, and watch all claims, to see which devices are to be bound (KEP-5007).
  bool binding = false;
};

class Authorizer {
 public:
  // `subject` is a user's or a group's name. Adds to what it has.
  void Grant(const std::string& subject, std::vector<PolicyRule> rules);
  // Takes everything from `subject`.
  void Revoke(const std::string& subject);

  bool Allows(const User& user, const RequestInfo& info) const;
  // What `user` has been granted in `namespace_` (SelfSubjectRulesReview).
  std::vector<PolicyRule> RulesFor(const User& user, const std::string& namespace_) const;

  // Grants to "system:nodes" what a kubelet needs. What it may do to which objects is narrowed by
  // the registry, as NodeRestriction does.
  void GrantNodes();
  // Grants to a driver's node plugin what KEP-4381 says that it needs: slices (all verbs), get of
  // claims and nodes, and what `grants` adds.
  void GrantDriver(const std::string& subject, const DriverGrants& grants = {});

 private:
  mutable std::shared_mutex mu_;
  std::map<std::string, std::vector<PolicyRule>> rules_;  // Guarded by mu_.
};

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_AUTHORIZER_H_
