#include "controlplane/apiserver/authorizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "api/core/types.h"
#include "api/rbac/types.h"
#include "controlplane/apiserver/bootstrap_policy.h"
#include "controlplane/apiserver/registry.h"

namespace assay::controlplane::apiserver {
namespace {

using api::Object;
using api::rbac::ClusterRole;
using api::rbac::ClusterRoleBinding;
using api::rbac::Role;
using api::rbac::RoleBinding;
using api::rbac::Subject;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// How RBAC reads roles and bindings is held to Kubernetes' own by rbac_differential.cc; this is
// what the API server makes of it.
class AuthorizerTest : public ::testing::Test {
 protected:
  AuthorizerTest() : registry_({.seed = 1}) {
    for (const char* name : {"x", "y"}) {
      api::core::Namespace object;
      object.metadata.name = name;
      Create(std::move(object));
    }
  }

  template <typename T>
  ApiResult<VersionPtr> CreateAs(const User& user, T object) {
    RequestContext context{.user = user};
    return registry_.Create(Object::Of(std::move(object)), context);
  }
  template <typename T>
  void Create(T object) {
    const auto created = CreateAs(User::Controller("test"), std::move(object));
    ASSERT_TRUE(created.ok()) << created.error().message;
  }
  ApiResult<UpdateAnswer> UpdateAs(const User& user, const Object& object) {
    RequestContext context{.user = user};
    return registry_.Update(object, "", context);
  }

  static ClusterRole MakeClusterRole(const std::string& name, std::vector<PolicyRule> rules) {
    ClusterRole role;
    role.metadata.name = name;
    role.rules = std::move(rules);
    return role;
  }
  static RoleBinding Bind(const std::string& name, const std::string& role, const User& user) {
    RoleBinding binding;
    binding.metadata.name = name;
    binding.metadata.namespace_ = "x";
    binding.role_ref = {.api_group = kRbacGroup, .kind = "ClusterRole", .name = role};
    binding.subjects.push_back({.kind = "User", .api_group = kRbacGroup, .name = user.name});
    return binding;
  }
  static ClusterRoleBinding BindEverywhere(const std::string& name, const std::string& role,
                                           const User& user) {
    ClusterRoleBinding binding;
    binding.metadata.name = name;
    binding.role_ref = {.api_group = kRbacGroup, .kind = "ClusterRole", .name = role};
    binding.subjects.push_back({.kind = "User", .api_group = kRbacGroup, .name = user.name});
    return binding;
  }
  bool Allows(const User& user, const std::string& verb, const std::string& resource,
              const std::string& namespace_ = "") {
    return registry_.authorizer().Allows(
        user, {.is_resource = true, .verb = verb, .resource = resource, .namespace_ = namespace_});
  }

  // The rules to write roles and bindings, and to read pods.
  static std::vector<PolicyRule> RulesOfAuthors() {
    return {{.verbs = {"create", "update"},
             .api_groups = {kRbacGroup},
             .resources = {"roles", "clusterroles", "rolebindings", "clusterrolebindings"}},
            {.verbs = {"get"}, .api_groups = {""}, .resources = {"pods"}}};
  }
  static std::vector<PolicyRule> RulesOfReaders() {
    return {{.verbs = {"get", "list"}, .api_groups = {""}, .resources = {"pods", "secrets"}}};
  }

  const User kAuthor{.name = "author", .groups = {"authors", "system:authenticated"}};
  const User kReader{.name = "reader", .groups = {"system:authenticated"}};
  Registry registry_;
};

TEST_F(AuthorizerTest, ABindingGrantsFromTheMomentThatItsRoleIsThere) {
  Create(Bind("readers", "reader", kReader));
  EXPECT_FALSE(Allows(kReader, "get", "secrets", "x"));
  Create(MakeClusterRole("reader", RulesOfReaders()));
  EXPECT_TRUE(Allows(kReader, "get", "secrets", "x"));
  EXPECT_FALSE(Allows(kReader, "get", "secrets", "y"));
  EXPECT_FALSE(Allows(kReader, "get", "secrets"));
  RequestContext context{.user = User::Controller("test")};
  ASSERT_TRUE(registry_.Delete(api::KindOf<RoleBinding>(), {"x", "readers"}, {}, context).ok());
  EXPECT_FALSE(Allows(kReader, "get", "secrets", "x"));
}

TEST_F(AuthorizerTest, NobodyMakesARoleOfMoreThanHeHolds) {
  Create(MakeClusterRole("author", RulesOfAuthors()));
  Create(BindEverywhere("authors", "author", kAuthor));
  const auto refused = CreateAs(kAuthor, MakeClusterRole("reader", RulesOfReaders()));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, 403);
  EXPECT_EQ(refused.error().message,
            "clusterroles.rbac.authorization.k8s.io \"reader\" is forbidden: user \"author\" "
            "(groups=[\"authors\" \"system:authenticated\"]) is attempting to grant RBAC "
            "permissions not currently held:\n"
            "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"list\"]}\n"
            "{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\"]}");
  const auto held = CreateAs(
      kAuthor,
      MakeClusterRole("less", {{.verbs = {"get"}, .api_groups = {""}, .resources = {"pods"}}}));
  ASSERT_TRUE(held.ok()) << held.error().message;

  ClusterRole more = (*held)->object().As<ClusterRole>();
  more.rules = RulesOfReaders();
  EXPECT_EQ(UpdateAs(kAuthor, Object::Of(more)).error().code, 403);
  // Of an object that holds more already he may change what the garbage collector needs.
  Create(MakeClusterRole("reader", RulesOfReaders()));
  ClusterRole owned =
      (*registry_.Get(api::KindOf<ClusterRole>(), {"", "reader"}))->object().As<ClusterRole>();
  owned.metadata.finalizers = {"example.com/wait"};
  const auto updated = UpdateAs(kAuthor, Object::Of(owned));
  EXPECT_TRUE(updated.ok()) << updated.error().message;
}

TEST_F(AuthorizerTest, NobodyBindsToARoleOfMoreThanHeHolds) {
  Create(MakeClusterRole("author", RulesOfAuthors()));
  Create(MakeClusterRole("reader", RulesOfReaders()));
  Create(BindEverywhere("authors", "author", kAuthor));
  EXPECT_THAT(CreateAs(kAuthor, Bind("readers", "reader", kReader)).error().message,
              HasSubstr("is attempting to grant RBAC permissions not currently held"));
  EXPECT_EQ(CreateAs(kAuthor, Bind("readers", "absent", kReader)).error().message,
            "clusterroles.rbac.authorization.k8s.io \"absent\" not found");
  // Who holds it where the binding is, may.
  Create(Bind("author-reads", "reader", kAuthor));
  EXPECT_TRUE(CreateAs(kAuthor, Bind("readers", "reader", kReader)).ok());
  EXPECT_EQ(CreateAs(kAuthor, BindEverywhere("readers", "reader", kReader)).error().code, 403);
}

TEST_F(AuthorizerTest, TheVerbsBindAndEscalateAreExceptions) {
  std::vector<PolicyRule> rules = RulesOfAuthors();
  rules.push_back(
      {.verbs = {"escalate"}, .api_groups = {kRbacGroup}, .resources = {"clusterroles"}});
  rules.push_back({.verbs = {"bind"},
                   .api_groups = {kRbacGroup},
                   .resources = {"clusterroles"},
                   .resource_names = {"reader"}});
  Create(MakeClusterRole("author", std::move(rules)));
  Create(BindEverywhere("authors", "author", kAuthor));
  EXPECT_TRUE(CreateAs(kAuthor, MakeClusterRole("reader", RulesOfReaders())).ok());
  EXPECT_TRUE(CreateAs(kAuthor, MakeClusterRole("other", RulesOfReaders())).ok());
  EXPECT_TRUE(CreateAs(kAuthor, BindEverywhere("readers", "reader", kReader)).ok());
  EXPECT_EQ(CreateAs(kAuthor, BindEverywhere("others", "other", kReader)).error().code, 403);
  // Of namespaced roles nothing was said.
  Role role;
  role.metadata.name = "reader";
  role.metadata.namespace_ = "x";
  role.rules = RulesOfReaders();
  EXPECT_EQ(CreateAs(kAuthor, std::move(role)).error().code, 403);
}

TEST_F(AuthorizerTest, OnlyWhoMayDoEverythingAggregates) {
  Create(MakeClusterRole("author", RulesOfAuthors()));
  Create(BindEverywhere("authors", "author", kAuthor));
  ClusterRole role = MakeClusterRole("all", {});
  role.aggregation_rule.emplace().cluster_role_selectors.emplace_back().match_labels["a"] = "b";
  EXPECT_THAT(CreateAs(kAuthor, role).error().message,
              HasSubstr("must have cluster-admin privileges to use the aggregationRule"));
  for (const Object& object : BootstrapPolicy()) {
    RequestContext context{.user = User::Controller("test")};
    const auto created = registry_.Create(object, context);
    EXPECT_TRUE(created.ok()) << created.error().message;
  }
  Create(BindEverywhere("author-is-admin", "cluster-admin", kAuthor));
  const auto created = CreateAs(kAuthor, role);
  EXPECT_TRUE(created.ok()) << created.error().message;
}

TEST_F(AuthorizerTest, ANodeMayWhatAKubeletNeeds) {
  const User node = User::Node("node-1");
  EXPECT_FALSE(Allows(node, "update", "pods/status"));
  for (const Object& object : BootstrapPolicy()) {
    RequestContext context{.user = User::Controller("test")};
    ASSERT_TRUE(registry_.Create(object, context).ok());
  }
  EXPECT_TRUE(registry_.authorizer().Allows(node, {.is_resource = true,
                                                   .verb = "update",
                                                   .resource = "pods",
                                                   .subresource = "status",
                                                   .namespace_ = "x"}));
  EXPECT_FALSE(Allows(node, "delete", "secrets", "x"));
  EXPECT_FALSE(Allows(kReader, "list", "nodes"));
}

TEST_F(AuthorizerTest, AnonymousUsersSeeThatTheServerIsThere) {
  const User nobody{.name = "system:anonymous", .groups = {"system:unauthenticated"}};
  const Authorizer& authorizer = registry_.authorizer();
  EXPECT_TRUE(authorizer.Allows(nobody, {.verb = "get", .path = "/version"}));
  EXPECT_FALSE(authorizer.Allows(nobody, {.verb = "get", .path = "/api"}));
  EXPECT_TRUE(authorizer.Allows(kReader, {.verb = "get", .path = "/api"}));
  EXPECT_FALSE(authorizer.Allows(kReader, {.verb = "get", .path = "/metrics"}));
  // They can be given more, as anybody.
  Create(MakeClusterRole("metrics", {{.verbs = {"get"}, .non_resource_urls = {"/metrics"}}}));
  ClusterRoleBinding binding = BindEverywhere("metrics", "metrics", nobody);
  binding.subjects = {{.kind = "Group", .api_group = kRbacGroup, .name = "system:unauthenticated"}};
  Create(std::move(binding));
  EXPECT_TRUE(authorizer.Allows(nobody, {.verb = "get", .path = "/metrics"}));
}

}  // namespace
}  // namespace assay::controlplane::apiserver
