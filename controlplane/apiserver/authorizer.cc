#include "controlplane/apiserver/authorizer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "api/meta/status.h"
#include "api/validation/field_error.h"

namespace assay::controlplane::apiserver {
namespace {

namespace meta = api::meta;
namespace rbac = api::rbac;

// The roles system:basic-user, system:discovery and system:public-info-viewer, which every cluster
// binds to the groups of all users.
const std::vector<PolicyRule>& RulesOfEverybody(bool authenticated) {
  static const auto* of_authenticated = new std::vector<PolicyRule>{
      {.verbs = {"create"},
       .api_groups = {"authorization.k8s.io"},
       .resources = {"selfsubjectaccessreviews", "selfsubjectrulesreviews"}},
      {.verbs = {"create"},
       .api_groups = {"authentication.k8s.io"},
       .resources = {"selfsubjectreviews"}},
      {.verbs = {"get"},
       .non_resource_urls = {"/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi",
                             "/openapi/*", "/readyz", "/version", "/version/"}}};
  static const auto* of_anonymous = new std::vector<PolicyRule>{
      {.verbs = {"get"},
       .non_resource_urls = {"/healthz", "/livez", "/readyz", "/version", "/version/"}}};
  return authenticated ? *of_authenticated : *of_anonymous;
}

std::vector<PolicyRule> FullAuthority() {
  return {{.verbs = {"*"}, .api_groups = {"*"}, .resources = {"*"}},
          {.verbs = {"*"}, .non_resource_urls = {"*"}}};
}

// Whether all that changes is what lets the garbage collector go on with its work.
bool ChangesOnlyOwnership(const api::Object& object, const api::Object& old) {
  store::Draft draft = store::Draft::CopyOf(object);
  meta::ObjectMeta& metadata = draft.metadata();
  const meta::ObjectMeta& before = old.metadata();
  metadata.owner_references = before.owner_references;
  metadata.finalizers = before.finalizers;
  metadata.self_link = before.self_link;
  metadata.managed_fields = before.managed_fields;
  const api::Object same = std::move(draft).Freeze();
  return api::schema::Equal(object.kind().hub(), same.data(), old.data());
}

bool IsAggregated(const api::Object& object) {
  if (!object.Is<rbac::ClusterRole>()) {
    return false;
  }
  const auto& rule = object.As<rbac::ClusterRole>().aggregation_rule;
  return rule && !rule->cluster_role_selectors.empty();
}

// The role that a binding refers to; null for roles themselves.
const rbac::RoleRef* RoleOf(const api::Object& object) {
  if (object.Is<rbac::RoleBinding>()) {
    return &object.As<rbac::RoleBinding>().role_ref;
  }
  return object.Is<rbac::ClusterRoleBinding>() ? &object.As<rbac::ClusterRoleBinding>().role_ref
                                               : nullptr;
}

const std::vector<PolicyRule>& RulesIn(const api::Object& role) {
  return role.Is<rbac::Role>() ? role.As<rbac::Role>().rules : role.As<rbac::ClusterRole>().rules;
}

std::string NotHeld(const User& user, const std::vector<std::string>& missing) {
  std::string groups;
  for (const std::string& group : user.groups) {
    groups += (groups.empty() ? "" : " ") + api::validation::GoQuote(group);
  }
  std::string text = "user " + api::validation::GoQuote(user.name) + " (groups=[" + groups +
                     "]) is attempting to grant RBAC permissions not currently held:";
  for (const std::string& line : missing) {
    text += "\n" + line;
  }
  return text;
}

}  // namespace

bool Authorizer::Allows(const User& user, const RequestInfo& info) const {
  bool allowed = user.InGroup("system:masters");
  if (!allowed) {
    VisitRules(user, info.namespace_, [&](const PolicyRule& rule) {
      allowed = RuleAllows(rule, info);
      return !allowed;
    });
  }
  return allowed;
}

std::vector<PolicyRule> Authorizer::RulesFor(const User& user,
                                             const std::string& namespace_) const {
  std::vector<PolicyRule> rules;
  if (user.InGroup("system:masters")) {
    rules = FullAuthority();
  }
  VisitRules(user, namespace_, [&](const PolicyRule& rule) {
    rules.push_back(rule);
    return true;
  });
  return rules;
}

void Authorizer::VisitRules(const User& user, const std::string& namespace_,
                            const Visitor& visit) const {
  const bool authenticated = !user.InGroup("system:unauthenticated");
  if (std::ranges::all_of(RulesOfEverybody(authenticated), visit) &&
      VisitBindings<rbac::ClusterRoleBinding>(user, "", visit) && !namespace_.empty()) {
    VisitBindings<rbac::RoleBinding>(user, namespace_, visit);
  }
}

template <typename Binding>
bool Authorizer::VisitBindings(const User& user, const std::string& namespace_,
                               const Visitor& visit) const {
  const auto bindings = objects_->List(api::KindOf<Binding>(), {.namespace_ = namespace_});
  return std::ranges::all_of(bindings.value().items, [&](const store::VersionPtr& item) {
    const Binding& binding = item->object().template As<Binding>();
    if (!AppliesTo(binding.subjects, user, namespace_)) {
      return true;
    }
    // A binding may be there before its role, which then grants nothing yet.
    const ApiResult<std::vector<PolicyRule>> rules = RulesOf(binding.role_ref, namespace_);
    return !rules.ok() || std::ranges::all_of(*rules, visit);
  });
}

ApiResult<std::vector<PolicyRule>> Authorizer::RulesOf(const rbac::RoleRef& role,
                                                       const std::string& namespace_) const {
  if (role.kind == "Role") {
    if (const auto found = objects_->Get(api::KindOf<rbac::Role>(), {namespace_, role.name})) {
      return found->object().As<rbac::Role>().rules;
    }
    return meta::NotFound({kRbacGroup, "roles"}, role.name);
  }
  if (const auto found = objects_->Get(api::KindOf<rbac::ClusterRole>(), {"", role.name})) {
    return found->object().As<rbac::ClusterRole>().rules;
  }
  return meta::NotFound({kRbacGroup, "clusterroles"}, role.name);
}

ApiError Authorizer::RefuseEscalation(const User& user, const api::Object& object,
                                      const api::Object* old, const std::string& name) const {
  const api::Kind& kind = object.kind();
  if (kind.group != kRbacGroup || user.InGroup("system:masters") ||
      (old != nullptr && ChangesOnlyOwnership(object, *old))) {
    return std::nullopt;
  }
  const rbac::RoleRef* role = RoleOf(object);
  if (Allows(user, RequestInfo{.is_resource = true,
                               .verb = role != nullptr ? "bind" : "escalate",
                               .group = kRbacGroup,
                               .resource = role == nullptr        ? std::string(kind.resource)
                                           : role->kind == "Role" ? "roles"
                                                                  : "clusterroles",
                               .namespace_ = object.namespace_(),
                               .name = role != nullptr ? role->name : name})) {
    return std::nullopt;
  }
  const std::vector<PolicyRule> held = RulesFor(user, object.namespace_());
  ASSAY_API_ASSIGN_OR_RETURN(
      const std::vector<PolicyRule> granted,
      role != nullptr ? RulesOf(*role, object.namespace_()) : ApiResult(RulesIn(object)));
  if (const std::vector<std::string> missing = MissingRights(held, granted); !missing.empty()) {
    return meta::Forbidden({kind.group, kind.resource}, object.name(), NotHeld(user, missing));
  }
  // An aggregated role may come to hold anything.
  if ((IsAggregated(object) || (old != nullptr && IsAggregated(*old))) &&
      !MissingRights(held, FullAuthority()).empty()) {
    return meta::Forbidden({kind.group, kind.resource}, object.name(),
                           "must have cluster-admin privileges to use the aggregationRule");
  }
  return std::nullopt;
}

}  // namespace assay::controlplane::apiserver
