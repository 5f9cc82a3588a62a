#include "controlplane/apiserver/authorizer.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace assay::controlplane::apiserver {
namespace {

bool Has(const std::vector<std::string>& values, std::string_view value) {
  return std::any_of(values.begin(), values.end(), [&](const std::string& candidate) {
    return candidate == "*" || candidate == value;
  });
}

// Source: pkg/apis/rbac/v1/evaluation_helpers.go.
bool ResourceMatches(const PolicyRule& rule, const RequestInfo& info) {
  std::string combined =
      info.subresource.empty() ? info.resource : info.resource + "/" + info.subresource;
  return std::any_of(rule.resources.begin(), rule.resources.end(), [&](const std::string& named) {
    return named == "*" || named == combined ||
           (!info.subresource.empty() && named == "*/" + info.subresource);
  });
}

bool PathMatches(const PolicyRule& rule, const std::string& path) {
  return std::any_of(
      rule.non_resource_urls.begin(), rule.non_resource_urls.end(), [&](const std::string& url) {
        return url == "*" || url == path ||
               (url.ends_with('*') && path.starts_with(url.substr(0, url.size() - 1)));
      });
}

bool RuleAllows(const PolicyRule& rule, const RequestInfo& info) {
  if (!Has(rule.verbs, info.verb)) {
    return false;
  }
  if (!info.is_resource) {
    return PathMatches(rule, info.path);
  }
  return (rule.namespace_.empty() || rule.namespace_ == info.namespace_) &&
         Has(rule.groups, info.group) && ResourceMatches(rule, info) &&
         (rule.names.empty() ||
          std::find(rule.names.begin(), rule.names.end(), info.name) != rule.names.end());
}

// What the bootstrap roles system:discovery, system:basic-user and system:public-info-viewer grant.
bool IsOpenToAll(const RequestInfo& info) {
  if (info.is_resource) {
    return info.verb == "create" &&
           ((info.group == "authorization.k8s.io" &&
             (info.resource == "selfsubjectaccessreviews" ||
              info.resource == "selfsubjectrulesreviews")) ||
            (info.group == "authentication.k8s.io" && info.resource == "selfsubjectreviews"));
  }
  static const PolicyRule* rule = new PolicyRule{
      .verbs = {"get"},
      .non_resource_urls = {"/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/readyz",
                            "/openapi", "/openapi/*", "/version", "/version/"}};
  return RuleAllows(*rule, info);
}

}  // namespace

void Authorizer::Grant(const std::string& subject, std::vector<PolicyRule> rules) {
  std::unique_lock lock(mu_);
  std::vector<PolicyRule>& granted = rules_[subject];
  std::move(rules.begin(), rules.end(), std::back_inserter(granted));
}

void Authorizer::Revoke(const std::string& subject) {
  std::unique_lock lock(mu_);
  rules_.erase(subject);
}

bool Authorizer::Allows(const User& user, const RequestInfo& info) const {
  if (user.InGroup("system:masters") || IsOpenToAll(info)) {
    return true;
  }
  std::shared_lock lock(mu_);
  auto allowed = [&](const std::string& subject) {
    auto found = rules_.find(subject);
    return found != rules_.end() &&
           std::any_of(found->second.begin(), found->second.end(),
                       [&](const PolicyRule& rule) { return RuleAllows(rule, info); });
  };
  return allowed(user.name) || std::any_of(user.groups.begin(), user.groups.end(), allowed);
}

std::vector<PolicyRule> Authorizer::RulesFor(const User& user,
                                             const std::string& namespace_) const {
  std::vector<PolicyRule> result;
  if (user.InGroup("system:masters")) {
    result.push_back({.verbs = {"*"}, .groups = {"*"}, .resources = {"*"}});
    result.push_back({.verbs = {"*"}, .non_resource_urls = {"*"}});
  }
  std::shared_lock lock(mu_);
  auto collect = [&](const std::string& subject) {
    auto found = rules_.find(subject);
    if (found == rules_.end()) {
      return;
    }
    for (const PolicyRule& rule : found->second) {
      if (rule.namespace_.empty() || rule.namespace_ == namespace_) {
        result.push_back(rule);
      }
    }
  };
  collect(user.name);
  for (const std::string& group : user.groups) {
    collect(group);
  }
  return result;
}

// Source: plugin/pkg/auth/authorizer/rbac/bootstrappolicy, NodeRules.
void Authorizer::GrantNodes() {
  Grant("system:nodes",
        {{.verbs = {"create", "get", "list", "watch"}, .groups = {""}, .resources = {"nodes"}},
         {.verbs = {"update", "patch"}, .groups = {""}, .resources = {"nodes", "nodes/status"}},
         {.verbs = {"create", "update", "patch"},
          .groups = {"", "events.k8s.io"},
          .resources = {"events"}},
         {.verbs = {"get", "list", "watch"},
          .groups = {""},
          .resources = {"pods", "services", "configmaps", "secrets", "persistentvolumeclaims",
                        "persistentvolumes"}},
         {.verbs = {"create", "delete"}, .groups = {""}, .resources = {"pods"}},
         {.verbs = {"update", "patch"}, .groups = {""}, .resources = {"pods/status"}},
         {.verbs = {"create"}, .groups = {""}, .resources = {"pods/eviction"}},
         {.verbs = {"get", "create", "update", "patch", "delete"},
          .groups = {"coordination.k8s.io"},
          .resources = {"leases"}},
         {.verbs = {"get"}, .groups = {"resource.k8s.io"}, .resources = {"resourceclaims"}},
         {.verbs = {"get", "list", "watch", "create", "update", "patch", "delete",
                    "deletecollection"},
          .groups = {"resource.k8s.io"},
          .resources = {"resourceslices"}},
         {.verbs = {"get", "list", "watch"},
          .groups = {"storage.k8s.io", "node.k8s.io"},
          .resources = {"csidrivers", "csinodes", "runtimeclasses"}}});
}

void Authorizer::GrantDriver(const std::string& subject, const DriverGrants& grants) {
  std::vector<PolicyRule> rules = {
      {.verbs = {"get", "list", "watch", "create", "update", "patch", "delete"},
       .groups = {"resource.k8s.io"},
       .resources = {"resourceslices"}},
      {.verbs = {"get"}, .groups = {"resource.k8s.io"}, .resources = {"resourceclaims"}},
      {.verbs = {"get"}, .groups = {""}, .resources = {"nodes"}}};
  if (grants.binding) {
    rules.push_back({.verbs = {"list", "watch"},
                     .groups = {"resource.k8s.io"},
                     .resources = {"resourceclaims"}});
  }
  if (grants.device_status || grants.binding) {
    rules.push_back({.verbs = {"update", "patch"},
                     .groups = {"resource.k8s.io"},
                     .resources = {"resourceclaims/status"}});
    rules.push_back({.verbs = {"associated-node:update", "associated-node:patch"},
                     .groups = {"resource.k8s.io"},
                     .resources = {"resourceclaims/driver"}});
  }
  Grant(subject, std::move(rules));
}

}  // namespace assay::controlplane::apiserver
