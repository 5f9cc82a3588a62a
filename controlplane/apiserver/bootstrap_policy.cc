#include "controlplane/apiserver/bootstrap_policy.h"

#include <map>
#include <string>
#include <utility>

#include "api/rbac/types.h"
#include "controlplane/apiserver/policy_rules.h"

namespace assay::controlplane::apiserver {
namespace {

using api::Object;
using api::rbac::ClusterRole;
using api::rbac::ClusterRoleBinding;
using Strings = std::vector<std::string>;

constexpr const char* kAggregateTo = "rbac.authorization.k8s.io/aggregate-to-";

const Strings& Read() {
  static const auto* verbs = new Strings{"get", "list", "watch"};
  return *verbs;
}
const Strings& Write() {
  static const auto* verbs = new Strings{"create", "delete", "deletecollection", "patch", "update"};
  return *verbs;
}

Object Role(const std::string& name, std::vector<PolicyRule> rules,
            std::map<std::string, std::string> labels = {}) {
  ClusterRole role;
  role.metadata.name = name;
  role.metadata.labels = std::move(labels);
  role.rules = std::move(rules);
  return Object::Of(std::move(role));
}

// A role that has the rules of all that are labelled for it; its own go into the one above it.
Object AggregatedRole(const std::string& name, const std::string& aggregated_to) {
  ClusterRole role;
  role.metadata.name = name;
  if (!aggregated_to.empty()) {
    role.metadata.labels[kAggregateTo + aggregated_to] = "true";
  }
  auto& selectors = role.aggregation_rule.emplace().cluster_role_selectors;
  selectors.emplace_back().match_labels[kAggregateTo + name] = "true";
  return Object::Of(std::move(role));
}

Object RoleToAggregate(const std::string& into, std::vector<PolicyRule> rules) {
  return Role("system:aggregate-to-" + into, std::move(rules), {{kAggregateTo + into, "true"}});
}

// Of the role of the same name.
Object Binding(const std::string& name, const std::string& kind, const std::string& subject) {
  ClusterRoleBinding binding;
  binding.metadata.name = name;
  binding.role_ref = {.api_group = kRbacGroup, .kind = "ClusterRole", .name = name};
  binding.subjects.push_back({.kind = kind, .api_group = kRbacGroup, .name = subject});
  return Object::Of(std::move(binding));
}

constexpr char kScheduling[] = "scheduling.k8s.io";
constexpr char kResource[] = "resource.k8s.io";

PolicyRule EventsRule() {
  return {.verbs = {"create", "update", "patch"},
          .api_groups = {"", "events.k8s.io"},
          .resources = {"events"}};
}

// Of the scheduler and the controllers, with what the gates that are off by default add.
std::vector<PolicyRule> SchedulerRules() {
  return {
      EventsRule(),
      {.verbs = Read(),
       .api_groups = {""},
       .resources = {"nodes", "pods", "services", "replicationcontrollers",
                     "persistentvolumeclaims", "persistentvolumes", "namespaces"}},
      {.verbs = {"delete"}, .api_groups = {""}, .resources = {"pods"}},
      {.verbs = {"create"}, .api_groups = {""}, .resources = {"pods/binding", "bindings"}},
      {.verbs = {"patch", "update"}, .api_groups = {""}, .resources = {"pods/status"}},
      {.verbs = {"update"}, .api_groups = {""}, .resources = {"pods/finalizers"}},
      {.verbs = Read(), .api_groups = {"apps"}, .resources = {"replicasets", "statefulsets"}},
      {.verbs = Read(), .api_groups = {"policy"}, .resources = {"poddisruptionbudgets"}},
      {.verbs = Read(),
       .api_groups = {"storage.k8s.io"},
       .resources = {"csinodes", "csidrivers", "csistoragecapacities", "volumeattachments",
                     "storageclasses"}},
      {.verbs = {"create"}, .api_groups = {"coordination.k8s.io"}, .resources = {"leases"}},
      {.verbs = {"get", "update", "list", "watch"},
       .api_groups = {"coordination.k8s.io"},
       .resources = {"leases"},
       .resource_names = {"kube-scheduler"}},
      {.verbs = {"create"}, .api_groups = {"authentication.k8s.io"}, .resources = {"tokenreviews"}},
      {.verbs = {"create"},
       .api_groups = {"authorization.k8s.io"},
       .resources = {"subjectaccessreviews"}},
      {.verbs = Read(),
       .api_groups = {kResource},
       .resources = {"deviceclasses", "resourceslices", "devicetaintrules", "resourceclaims",
                     "resourceclaims/status"}},
      {.verbs = {"update", "patch"},
       .api_groups = {kResource},
       .resources = {"resourceclaims", "resourceclaims/status", "resourceclaims/binding"}},
      {.verbs = {"create", "delete"}, .api_groups = {kResource}, .resources = {"resourceclaims"}},
      {.verbs = Read(), .api_groups = {kScheduling}, .resources = {"podgroups"}},
      {.verbs = {"patch", "update"},
       .api_groups = {kScheduling},
       .resources = {"podgroups/status"}}};
}

std::vector<PolicyRule> ClaimControllerRules() {
  return {EventsRule(),
          {.verbs = Read(), .api_groups = {""}, .resources = {"pods"}},
          {.verbs = {"update"}, .api_groups = {""}, .resources = {"pods/finalizers"}},
          {.verbs = {"update", "patch"}, .api_groups = {""}, .resources = {"pods/status"}},
          {.verbs = {"get", "list", "watch", "create", "delete"},
           .api_groups = {kResource},
           .resources = {"resourceclaims"}},
          {.verbs = {"update", "patch"},
           .api_groups = {kResource},
           .resources = {"resourceclaims", "resourceclaims/status", "resourceclaims/binding"}},
          {.verbs = Read(), .api_groups = {kResource}, .resources = {"resourceclaimtemplates"}},
          {.verbs = Read(), .api_groups = {kScheduling}, .resources = {"podgroups"}},
          {.verbs = {"update", "patch"},
           .api_groups = {kScheduling},
           .resources = {"podgroups/status"}}};
}

std::vector<PolicyRule> EvictionRules() {
  return {EventsRule(),
          {.verbs = {"get", "list", "watch", "delete"}, .api_groups = {""}, .resources = {"pods"}},
          {.verbs = {"update", "patch"}, .api_groups = {""}, .resources = {"pods/status"}},
          {.verbs = Read(),
           .api_groups = {kResource},
           .resources = {"resourceclaims", "resourceslices", "deviceclasses", "devicetaintrules"}},
          {.verbs = {"update", "patch"},
           .api_groups = {kResource},
           .resources = {"devicetaintrules/status"}}};
}

std::vector<PolicyRule> PoolStatusRules() {
  return {EventsRule(),
          {.verbs = {"get", "list", "watch", "delete"},
           .api_groups = {kResource},
           .resources = {"resourcepoolstatusrequests"}},
          {.verbs = {"update", "patch"},
           .api_groups = {kResource},
           .resources = {"resourcepoolstatusrequests/status"}},
          {.verbs = Read(),
           .api_groups = {kResource},
           .resources = {"resourceslices", "resourceclaims", "devicetaintrules"}}};
}

std::vector<PolicyRule> NodeRules() {
  return {
      {.verbs = {"create"}, .api_groups = {"authentication.k8s.io"}, .resources = {"tokenreviews"}},
      {.verbs = {"create"},
       .api_groups = {"authorization.k8s.io"},
       .resources = {"subjectaccessreviews", "localsubjectaccessreviews"}},
      {.verbs = Read(), .api_groups = {""}, .resources = {"services", "pods"}},
      {.verbs = {"create", "get", "list", "watch"}, .api_groups = {""}, .resources = {"nodes"}},
      {.verbs = {"update", "patch"}, .api_groups = {""}, .resources = {"nodes", "nodes/status"}},
      {.verbs = {"create", "update", "patch"},
       .api_groups = {"", "events.k8s.io"},
       .resources = {"events"}},
      {.verbs = {"create", "delete"}, .api_groups = {""}, .resources = {"pods"}},
      {.verbs = {"update", "patch"}, .api_groups = {""}, .resources = {"pods/status"}},
      {.verbs = {"create"}, .api_groups = {""}, .resources = {"pods/eviction"}},
      {.verbs = Read(), .api_groups = {""}, .resources = {"secrets", "configmaps"}},
      {.verbs = {"get"},
       .api_groups = {""},
       .resources = {"persistentvolumeclaims", "persistentvolumes", "endpoints",
                     "serviceaccounts"}},
      {.verbs = {"create"}, .api_groups = {""}, .resources = {"serviceaccounts/token"}},
      {.verbs = {"get", "create", "update", "patch", "delete"},
       .api_groups = {"coordination.k8s.io"},
       .resources = {"leases"}},
      {.verbs = {"get", "create", "update", "patch", "delete"},
       .api_groups = {"storage.k8s.io"},
       .resources = {"csinodes"}},
      {.verbs = Read(), .api_groups = {"storage.k8s.io"}, .resources = {"csidrivers"}},
      {.verbs = Read(), .api_groups = {"node.k8s.io"}, .resources = {"runtimeclasses"}},
      {.verbs = {"get"}, .api_groups = {"resource.k8s.io"}, .resources = {"resourceclaims"}},
      {.verbs = {"deletecollection"},
       .api_groups = {"resource.k8s.io"},
       .resources = {"resourceslices"}}};
}

// To be bound in namespaces.
std::vector<Object> UserFacingRoles() {
  const Strings objects_of_pods = {
      "configmaps", "events",      "persistentvolumeclaims", "pods",
      "pods/log",   "pods/status", "serviceaccounts",        "services"};
  const Strings of_apps = {"daemonsets", "deployments", "replicasets", "statefulsets"};
  return {
      AggregatedRole("view", "edit"),
      AggregatedRole("edit", "admin"),
      AggregatedRole("admin", ""),
      RoleToAggregate(
          "view",
          {{.verbs = Read(), .api_groups = {""}, .resources = objects_of_pods},
           {.verbs = Read(), .api_groups = {"apps"}, .resources = of_apps},
           {.verbs = Read(), .api_groups = {"batch"}, .resources = {"cronjobs", "jobs"}},
           {.verbs = Read(),
            .api_groups = {"resource.k8s.io"},
            .resources = {"resourceclaims", "resourceclaims/status", "resourceclaimtemplates"}}}),
      RoleToAggregate(
          "edit",
          {{.verbs = Read(), .api_groups = {""}, .resources = {"secrets"}},
           {.verbs = {"impersonate"}, .api_groups = {""}, .resources = {"serviceaccounts"}},
           {.verbs = Write(), .api_groups = {""}, .resources = {"pods"}},
           {.verbs = {"create"}, .api_groups = {""}, .resources = {"pods/eviction"}},
           {.verbs = Write(),
            .api_groups = {""},
            .resources = {"configmaps", "events", "persistentvolumeclaims", "secrets",
                          "serviceaccounts", "services"}},
           {.verbs = {"create"}, .api_groups = {""}, .resources = {"serviceaccounts/token"}},
           {.verbs = Write(), .api_groups = {"apps"}, .resources = of_apps},
           {.verbs = Write(), .api_groups = {"batch"}, .resources = {"cronjobs", "jobs"}},
           {.verbs = Write(),
            .api_groups = {"resource.k8s.io"},
            .resources = {"resourceclaims", "resourceclaimtemplates"}}}),
      RoleToAggregate(
          "admin",
          {{.verbs = {"create"},
            .api_groups = {"authorization.k8s.io"},
            .resources = {"localsubjectaccessreviews"}},
           {.verbs = Read(), .api_groups = {kRbacGroup}, .resources = {"rolebindings", "roles"}},
           {.verbs = Write(),
            .api_groups = {kRbacGroup},
            .resources = {"rolebindings", "roles"}}})};
}

}  // namespace

std::vector<Object> BootstrapPolicy() {
  std::vector<Object> objects = UserFacingRoles();
  // The role of a name, and its binding.
  const auto add = [&](const std::string& name, std::vector<PolicyRule> rules,
                       const std::string& kind, const std::string& subject) {
    objects.push_back(Role(name, std::move(rules)));
    objects.push_back(Binding(name, kind, subject));
  };
  add("cluster-admin",
      {{.verbs = {"*"}, .api_groups = {"*"}, .resources = {"*"}},
       {.verbs = {"*"}, .non_resource_urls = {"*"}}},
      "Group", "system:masters");
  add("system:node", NodeRules(), "Group", "system:nodes");
  add("system:kube-scheduler", SchedulerRules(), "User", "system:kube-scheduler");
  for (auto& [controller, rules] : std::map<std::string, std::vector<PolicyRule>>{
           {"resource-claim-controller", ClaimControllerRules()},
           {"device-taint-eviction-controller", EvictionRules()},
           {"resourcepoolstatusrequest-controller", PoolStatusRules()}}) {
    add("system:controller:" + controller, rules, "User",
        "system:serviceaccount:kube-system:" + controller);
  }
  return objects;
}

std::vector<Object> DriverPolicy(const User& driver, const DriverGrants& grants) {
  const Strings group = {"resource.k8s.io"};
  std::vector<PolicyRule> rules = {
      {.verbs = {"get", "list", "watch", "create", "update", "patch", "delete"},
       .api_groups = group,
       .resources = {"resourceslices"}},
      {.verbs = {"get"}, .api_groups = group, .resources = {"resourceclaims"}},
      {.verbs = {"get"}, .api_groups = {""}, .resources = {"nodes"}}};
  if (grants.binding) {
    rules.push_back(
        {.verbs = {"list", "watch"}, .api_groups = group, .resources = {"resourceclaims"}});
  }
  if (grants.device_status || grants.binding) {
    rules.push_back({.verbs = {"update", "patch"},
                     .api_groups = group,
                     .resources = {"resourceclaims/status"}});
    rules.push_back({.verbs = {"associated-node:update", "associated-node:patch"},
                     .api_groups = group,
                     .resources = {"resourceclaims/driver"}});
  }
  return {Role("dra-driver", std::move(rules)), Binding("dra-driver", "User", driver.name)};
}

}  // namespace assay::controlplane::apiserver
