// Claims and templates on their way past a webhook, which is a real HTTPS server.
#include "controlplane/apiserver/webhook_admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "api/admissionregistration/types.h"
#include "api/core/types.h"
#include "api/resource/types.h"
#include "api/validation/defaulting.h"
#include "base/http/certificate.h"
#include "base/http/server.h"
#include "base/testing/status_matchers.h"
#include "controlplane/apiserver/registry.h"

namespace assay::controlplane::apiserver {
namespace {

using api::Object;
using api::admissionregistration::ValidatingWebhookConfiguration;
using api::core::Namespace;
using api::resource::ResourceClaim;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Json = nlohmann::json;

class WebhookAdmissionTest : public ::testing::Test {
 protected:
  WebhookAdmissionTest() : authority_(*http::CertificateAuthority::Create("webhook")) {
    http::ServerOptions options;
    options.tls = *authority_.IssueServer();
    server_ = *http::Server::Start(
        std::move(options),
        [this](const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
          const std::lock_guard<std::mutex> lock(mu_);
          targets_.push_back(request.target);
          requests_.push_back(Json::parse(request.body).at("request"));
          if (silent_) {
            held_.push_back(responder);
            return;
          }
          Json response = response_;
          response["uid"] = requests_.back().at("uid");
          http::Response answer{.status = 200, .headers = {}, .body = ""};
          answer.body = raw_.empty() ? Json{{"kind", "AdmissionReview"},
                                            {"apiVersion", "admission.k8s.io/v1"},
                                            {"response", response}}
                                           .dump()
                                     : raw_;
          responder->Send(std::move(answer));
        });
    for (const char* name : {"default", "other"}) {
      Namespace ns;
      ns.metadata.name = name;
      ns.metadata.labels["kind"] = name;
      EXPECT_TRUE(Create(std::move(ns)).ok());
    }
  }
  ~WebhookAdmissionTest() override {
    held_.clear();
    server_->Stop();
  }

  ValidatingWebhookConfiguration Configuration() {
    ValidatingWebhookConfiguration configuration;
    configuration.metadata.name = "parameters";
    auto& hook = configuration.webhooks.emplace_back();
    hook.name = "claims.example.com";
    hook.client_config.url = server_->url() + "/validate";
    hook.client_config.ca_bundle = authority_.certificate_pem();
    auto& rule = hook.rules.emplace_back();
    rule.operations = {"CREATE", "UPDATE"};
    rule.api_groups = {"resource.k8s.io"};
    rule.api_versions = {"v1"};
    rule.resources = {"resourceclaims"};
    hook.side_effects = "None";
    hook.admission_review_versions = {"v1"};
    return configuration;
  }
  template <typename T>
  ApiResult<VersionPtr> Create(T value, bool dry_run = false, const std::string& version = "") {
    RequestContext context{.user = {.name = "jane", .groups = {"system:masters"}}};
    context.dry_run = dry_run;
    context.version = version;
    const ApiResult<Object> object =
        api::validation::ApplyDefaults(Object::Of(std::move(value)), registry_.clock().Now());
    ApiResult<VersionPtr> created = registry_.Create(*object, context);
    warnings_ = context.warnings;
    return created;
  }
  static ResourceClaim Claim(const std::string& name, const std::string& namespace_ = "default") {
    ResourceClaim claim;
    claim.metadata.name = name;
    claim.metadata.namespace_ = namespace_;
    auto& request = claim.spec.devices.requests.emplace_back();
    request.name = "gpu";
    request.exactly.emplace().device_class_name = "gpu";
    return claim;
  }
  void Deny(const Json& status) {
    const std::lock_guard<std::mutex> lock(mu_);
    response_ = {{"allowed", false}, {"status", status}};
  }
  std::size_t Asked() {
    const std::lock_guard<std::mutex> lock(mu_);
    return requests_.size();
  }

  std::mutex mu_;
  Json response_ = {{"allowed", true}};  // Guarded by mu_, as what follows.
  std::string raw_;                      // In its place, if not empty.
  std::atomic<bool> silent_ = false;
  std::vector<std::shared_ptr<http::Responder>> held_;
  std::vector<std::string> targets_;
  std::vector<Json> requests_;

  http::CertificateAuthority authority_;
  std::unique_ptr<http::Server> server_;
  Registry registry_{{.webhooks = true}};
  std::vector<std::string> warnings_;  // Of the last call.
};

TEST_F(WebhookAdmissionTest, IsToldWhatIsCreated) {
  ASSERT_TRUE(Create(Configuration()).ok());
  ASSERT_TRUE(Create(Claim("a")).ok());
  ASSERT_THAT(requests_, SizeIs(1));
  const Json& request = requests_[0];
  EXPECT_EQ(request["operation"], "CREATE");
  EXPECT_EQ(request["name"], "a");
  EXPECT_EQ(request["namespace"], "default");
  EXPECT_EQ(request["userInfo"]["username"], "jane");
  EXPECT_EQ(request["dryRun"], false);
  EXPECT_EQ(request["oldObject"], Json());
  EXPECT_EQ(
      request["resource"],
      (Json{{"group", "resource.k8s.io"}, {"version", "v1"}, {"resource", "resourceclaims"}}));
  EXPECT_EQ(request["object"]["apiVersion"], "resource.k8s.io/v1");
  EXPECT_EQ(request["object"]["spec"]["devices"]["requests"][0]["name"], "gpu");
  EXPECT_THAT(targets_, ElementsAre("/validate?timeout=10s"));
}

TEST_F(WebhookAdmissionTest, ItsRefusalIsTheClients) {
  ASSERT_TRUE(Create(Configuration()).ok());
  Deny({{"message", "powerLimitWatts: too much"}, {"reason", "Invalid"}, {"code", 422}});
  ApiResult<VersionPtr> created = Create(Claim("a"));
  ASSERT_FALSE(created.ok());
  EXPECT_EQ(created.error().code, 422);
  EXPECT_EQ(created.error().reason, "Invalid");
  EXPECT_EQ(created.error().message,
            "admission webhook \"claims.example.com\" denied the request: powerLimitWatts: too "
            "much");
  EXPECT_FALSE(registry_.Get(api::KindOf<ResourceClaim>(), {"default", "a"}).ok());
  Deny({{"code", 7}, {"reason", 5}});
  created = Create(Claim("a"));
  EXPECT_EQ(created.error().code, 400);
  EXPECT_THAT(created.error().message, HasSubstr("without explanation"));
}

TEST_F(WebhookAdmissionTest, UpdatesAreAskedForWithWhatWasBefore) {
  ASSERT_TRUE(Create(Claim("a")).ok());
  ASSERT_TRUE(Create(Configuration()).ok());
  ResourceClaim claim = registry_.Get(api::KindOf<ResourceClaim>(), {"default", "a"})
                            .value()
                            ->object()
                            .As<ResourceClaim>();
  claim.metadata.labels["x"] = "y";
  RequestContext context{.user = {.name = "jane", .groups = {"system:masters"}}};
  ASSERT_TRUE(registry_.Update(Object::Of(claim), "", context).ok());
  ASSERT_THAT(requests_, SizeIs(1));
  EXPECT_EQ(requests_[0]["operation"], "UPDATE");
  EXPECT_EQ(requests_[0]["object"]["metadata"]["labels"]["x"], "y");
  EXPECT_FALSE(requests_[0]["oldObject"]["metadata"].contains("labels"));
  // A status is another resource.
  claim.metadata.resource_version.clear();
  ASSERT_TRUE(registry_.Update(Object::Of(claim), "status", context).ok());
  EXPECT_THAT(requests_, SizeIs(1));
}

TEST_F(WebhookAdmissionTest, OnlyWhatRulesAndSelectorsWantIsAsked) {
  ValidatingWebhookConfiguration configuration = Configuration();
  configuration.webhooks[0].namespace_selector.emplace().match_labels["kind"] = "default";
  configuration.webhooks[0].object_selector.emplace().match_labels["watched"] = "yes";
  ASSERT_TRUE(Create(configuration).ok());
  ASSERT_TRUE(Create(Claim("unlabelled")).ok());
  ResourceClaim elsewhere = Claim("a", "other");
  elsewhere.metadata.labels["watched"] = "yes";
  ASSERT_TRUE(Create(elsewhere).ok());
  api::resource::DeviceClass device_class;
  device_class.metadata.name = "gpu";
  device_class.metadata.labels["watched"] = "yes";
  ASSERT_TRUE(Create(device_class).ok());
  EXPECT_EQ(Asked(), 0u);
  ResourceClaim watched = Claim("a");
  watched.metadata.labels["watched"] = "yes";
  ASSERT_TRUE(Create(watched).ok());
  EXPECT_EQ(Asked(), 1u);
}

TEST_F(WebhookAdmissionTest, AnotherVersionOfTheRequestIsConvertedUnlessTheRuleIsExact) {
  ValidatingWebhookConfiguration configuration = Configuration();
  configuration.webhooks[0].rules[0].api_versions = {"v1beta1"};
  ASSERT_TRUE(Create(configuration).ok());
  ASSERT_TRUE(Create(Claim("a")).ok());
  ASSERT_THAT(requests_, SizeIs(1));
  EXPECT_EQ(requests_[0]["object"]["apiVersion"], "resource.k8s.io/v1beta1");
  EXPECT_EQ(requests_[0]["resource"]["version"], "v1beta1");
  EXPECT_EQ(requests_[0]["requestResource"]["version"], "v1");
  configuration.metadata.name = "exact";
  configuration.webhooks[0].match_policy = "Exact";
  ASSERT_TRUE(Create(configuration).ok());
  ASSERT_TRUE(Create(Claim("b")).ok());
  EXPECT_THAT(requests_, SizeIs(2)) << "the first alone";
  ASSERT_TRUE(Create(Claim("c"), false, "v1beta1").ok());
  EXPECT_THAT(requests_, SizeIs(4));
}

TEST_F(WebhookAdmissionTest, AFailedCallIsForFailurePolicyToJudge) {
  ValidatingWebhookConfiguration configuration = Configuration();
  ASSERT_TRUE(Create(configuration).ok());
  for (const char* answer :
       {"no JSON", "{}", R"({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"})",
        R"({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
            "response": {"uid": "another", "allowed": true}})"}) {
    raw_ = answer;
    const ApiResult<VersionPtr> created = Create(Claim("a"));
    ASSERT_FALSE(created.ok()) << answer;
    EXPECT_EQ(created.error().code, 500);
    EXPECT_THAT(created.error().message,
                HasSubstr("failed calling webhook \"claims.example.com\": "));
  }
  RequestContext context{.user = {.name = "jane", .groups = {"system:masters"}}};
  configuration.webhooks[0].failure_policy = "Ignore";
  ASSERT_TRUE(registry_.Update(Object::Of(configuration), "", context).ok());
  EXPECT_TRUE(Create(Claim("a")).ok());
}

TEST_F(WebhookAdmissionTest, ASlowOneAndAnUntrustedOneFail) {
  ValidatingWebhookConfiguration configuration = Configuration();
  configuration.webhooks[0].timeout_seconds = 1;
  ASSERT_TRUE(Create(configuration).ok());
  silent_ = true;
  EXPECT_THAT(Create(Claim("a")).error().message, HasSubstr("failed calling webhook"));
  silent_ = false;
  configuration.webhooks[0].client_config.ca_bundle =
      http::CertificateAuthority::Create("another")->certificate_pem();
  RequestContext context{.user = {.name = "jane", .groups = {"system:masters"}}};
  ASSERT_TRUE(registry_.Update(Object::Of(configuration), "", context).ok());
  EXPECT_THAT(Create(Claim("a")).error().message, HasSubstr("failed calling webhook"));
}

TEST_F(WebhookAdmissionTest, DryRunsAskOnlyWhatHasNoSideEffects) {
  ValidatingWebhookConfiguration configuration = Configuration();
  ASSERT_TRUE(Create(configuration).ok());
  ASSERT_TRUE(Create(Claim("a"), /*dry_run=*/true).ok());
  ASSERT_THAT(requests_, SizeIs(1));
  EXPECT_EQ(requests_[0]["dryRun"], true);
  configuration.webhooks[0].side_effects = "Some";
  RequestContext context{.user = {.name = "jane", .groups = {"system:masters"}}};
  ASSERT_TRUE(registry_.Update(Object::Of(configuration), "", context).ok());
  const ApiResult<VersionPtr> created = Create(Claim("a"), /*dry_run=*/true);
  ASSERT_FALSE(created.ok());
  EXPECT_EQ(created.error().message,
            "admission webhook \"claims.example.com\" does not support dry run");
  EXPECT_THAT(requests_, SizeIs(1));
}

TEST_F(WebhookAdmissionTest, WarningsReachTheClient) {
  ASSERT_TRUE(Create(Configuration()).ok());
  response_["warnings"] = {"mind the gap", 5};
  ASSERT_TRUE(Create(Claim("a")).ok());
  EXPECT_THAT(warnings_, ElementsAre("mind the gap"));
}

}  // namespace
}  // namespace assay::controlplane::apiserver
