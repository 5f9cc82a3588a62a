// The webhook as the API server meets it.
#include "driver-ref/webhook/webhook_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "api/admissionregistration/types.h"
#include "api/core/types.h"
#include "api/resource/types.h"
#include "api/validation/defaulting.h"
#include "base/file.h"
#include "base/http/certificate.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "base/yaml/yaml.h"
#include "controlplane/apiserver/registry.h"

namespace assay::driver_ref::webhook {
namespace {

using api::Object;
using api::admissionregistration::ValidatingWebhookConfiguration;
using api::resource::ResourceClaim;
using api::resource::ResourceClaimTemplate;
using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using controlplane::apiserver::ApiResult;
using controlplane::apiserver::Registry;
using controlplane::apiserver::RequestContext;
using ::testing::HasSubstr;

class WebhookServerTest : public ::testing::Test {
 protected:
  WebhookServerTest() : authority_(*http::CertificateAuthority::Create("webhook")) {
    const http::KeyPair pair = *authority_.IssueServer();
    options_ = {.address = "127.0.0.1",
                .port = 0,
                .certificate = dir_ / "tls.crt",
                .private_key = dir_ / "tls.key"};
    EXPECT_THAT(WriteFileAtomically(options_.certificate, pair.certificate_pem), IsOk());
    EXPECT_THAT(WriteFileAtomically(options_.private_key, pair.key_pem), IsOk());
  }

  RequestContext Context() { return {.user = {.name = "jane", .groups = {"system:masters"}}}; }
  // The driver's own manifest, which names a service: the test has an address in its place.
  Object Manifest(const std::string& url) {
    const std::string file = "driver-ref/webhook/webhook.yaml";
    const std::string json = yaml::ToJson(*yaml::Parse(*ReadFile(file), file));
    RequestContext context = Context();
    const ApiResult<Object> object =
        registry_.Decode(api::KindOf<ValidatingWebhookConfiguration>(), "v1", json, context);
    EXPECT_TRUE(object.ok());
    auto configuration = object->As<ValidatingWebhookConfiguration>();
    EXPECT_EQ(configuration.webhooks.size(), 1u);
    auto& client = configuration.webhooks[0].client_config;
    EXPECT_EQ(client.service->path, kPath);
    client.service.reset();
    client.url = url + kPath;
    client.ca_bundle = authority_.certificate_pem();
    return Object::Of(std::move(configuration));
  }
  template <typename T>
  std::string Create(T value) {
    RequestContext context = Context();
    const ApiResult<Object> object =
        api::validation::ApplyDefaults(Object::Of(std::move(value)), registry_.clock().Now());
    const auto created = registry_.Create(*object, context);
    return created.ok() ? "" : created.error().message;
  }
  static void Fill(api::resource::ResourceClaimSpec& spec, const std::string& mode) {
    auto& request = spec.devices.requests.emplace_back();
    request.name = "gpu";
    request.exactly.emplace().device_class_name = "gpu";
    auto& config = spec.devices.config.emplace_back();
    config.opaque.emplace().driver = "gpu.assay.dev";
    config.opaque->parameters.json =
        R"({"apiVersion": "gpu.assay.dev/v1", "kind": "GpuConfig", "computeMode": ")" + mode +
        "\"}";
  }

  TempDir dir_ = *TempDir::Create();
  http::CertificateAuthority authority_;
  WebhookOptions options_;
  Registry registry_{{.webhooks = true}};
};

TEST_F(WebhookServerTest, ClaimsAndTemplatesAreRefusedWhenTheyAreMade) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const auto server, ServeWebhook(options_));
  api::core::Namespace ns;
  ns.metadata.name = "default";
  ASSERT_EQ(Create(ns), "");
  RequestContext context = Context();
  ASSERT_TRUE(registry_.Create(Manifest(server->url()), context).ok());

  ResourceClaim claim;
  claim.metadata.namespace_ = "default";
  claim.metadata.name = "good";
  Fill(claim.spec, "ExclusiveProcess");
  EXPECT_EQ(Create(claim), "");
  claim.metadata.name = "bad";
  claim.spec = {};
  Fill(claim.spec, "Prohibited");
  EXPECT_THAT(Create(claim), HasSubstr("denied the request: spec.devices.config[0].opaque."
                                       "parameters: computeMode: expected"));
  ResourceClaimTemplate claim_template;
  claim_template.metadata.namespace_ = "default";
  claim_template.metadata.name = "bad";
  Fill(claim_template.spec.spec, "Prohibited");
  EXPECT_THAT(Create(claim_template), HasSubstr("spec.spec.devices.config[0].opaque.parameters"));
}

TEST_F(WebhookServerTest, WithoutACertificateItDoesNotStart) {
  options_.private_key = dir_ / "nothing";
  EXPECT_THAT(ServeWebhook(options_), StatusIs(StatusCode::kNotFound, HasSubstr("nothing")));
  options_.private_key = options_.certificate;
  EXPECT_FALSE(ServeWebhook(options_).ok());
}

}  // namespace
}  // namespace assay::driver_ref::webhook
