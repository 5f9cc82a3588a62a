#include "api/client/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"

namespace assay::api::client {
namespace {

using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

constexpr char kKubeconfig[] = R"(apiVersion: v1
kind: Config
clusters:
- name: one
  cluster:
    server: https://10.0.0.1:6443/
    certificate-authority: ca.pem
- name: two
  cluster:
    server: https://10.0.0.2:6443
    insecure-skip-tls-verify: true
    tls-server-name: kubernetes
users:
- name: token
  user:
    token: secret
- name: certificate
  user:
    client-certificate-data: Y2VydA==
    client-key: key.pem
- name: file
  user:
    token: old
    tokenFile: token.txt
- name: plugin
  user:
    exec:
      command: login
contexts:
- name: first
  context: {cluster: one, user: token, namespace: apps}
- name: second
  context: {cluster: two, user: certificate}
- name: third
  context: {cluster: two, user: file}
- name: plugin
  context: {cluster: two, user: plugin}
- name: lost
  context: {cluster: nowhere, user: token}
current-context: first
)";

class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_THAT(WriteFileAtomically(dir_ / "config", kKubeconfig), IsOk());
    ASSERT_THAT(WriteFileAtomically(dir_ / "ca.pem", "authority"), IsOk());
    ASSERT_THAT(WriteFileAtomically(dir_ / "key.pem", "key"), IsOk());
    ASSERT_THAT(WriteFileAtomically(dir_ / "token.txt", "fresh\n"), IsOk());
  }
  Result<ClientConfig> Load(const std::string& context) {
    return LoadKubeconfig(dir_ / "config", {.context = context});
  }

  TempDir dir_ = *TempDir::Create("config");
};

TEST_F(ConfigTest, CurrentContextWithFilesBesideIt) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const ClientConfig config, Load(""));
  EXPECT_EQ(config.server, "https://10.0.0.1:6443");
  EXPECT_EQ(config.certificate_authority_pem, "authority");
  EXPECT_EQ(config.token, "secret");
  EXPECT_EQ(config.namespace_, "apps");
  EXPECT_FALSE(config.insecure_skip_tls_verify);
}

TEST_F(ConfigTest, NamedContextWithInlineCertificate) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const ClientConfig config, Load("second"));
  EXPECT_EQ(config.client_certificate_pem, "cert");
  EXPECT_EQ(config.client_key_pem, "key");
  EXPECT_EQ(config.tls_server_name, "kubernetes");
  EXPECT_EQ(config.namespace_, "default");
  EXPECT_TRUE(config.insecure_skip_tls_verify);
}

TEST_F(ConfigTest, TokenFileCountsMoreThanTheToken) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const ClientConfig config, Load("third"));
  EXPECT_EQ(config.token, "fresh");
}

TEST_F(ConfigTest, RefusesPluginsAndNamesWhatIsMissing) {
  EXPECT_THAT(Load("plugin"),
              StatusIs(StatusCode::kUnimplemented, HasSubstr("users[3].user.exec")));
  EXPECT_THAT(Load("lost"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("\"nowhere\"")));
  EXPECT_THAT(Load("none"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("\"none\"")));
  EXPECT_THAT(LoadKubeconfig(dir_ / "absent"), StatusIs(StatusCode::kNotFound));
}

TEST_F(ConfigTest, BadBase64NamesItsLine) {
  std::string text = kKubeconfig;
  text.replace(text.find("Y2VydA=="), 8, "Y2V*dA==");
  ASSERT_THAT(WriteFileAtomically(dir_ / "config", text), IsOk());
  EXPECT_THAT(Load("second"), StatusIs(StatusCode::kInvalidArgument,
                                       AllOf(HasSubstr("config:19:"), HasSubstr("base64"))));
}

TEST_F(ConfigTest, WhatIsFormattedIsReadBack) {
  ClientConfig config;
  config.server = "https://127.0.0.1:1234";
  config.certificate_authority_pem = "-----BEGIN CERTIFICATE-----\nabc\n";
  config.token = "t";
  config.client_certificate_pem = "cert";
  config.client_key_pem = "longer key";
  config.namespace_ = "apps";
  ASSERT_THAT(WriteFileAtomically(dir_ / "made", FormatKubeconfig(config)), IsOk());
  ASSAY_ASSERT_OK_AND_ASSIGN(const ClientConfig read, LoadKubeconfig(dir_ / "made"));
  EXPECT_EQ(read.server, config.server);
  EXPECT_EQ(read.certificate_authority_pem, config.certificate_authority_pem);
  EXPECT_EQ(read.token, config.token);
  EXPECT_EQ(read.client_certificate_pem, config.client_certificate_pem);
  EXPECT_EQ(read.client_key_pem, config.client_key_pem);
  EXPECT_EQ(read.namespace_, config.namespace_);
}

}  // namespace
}  // namespace assay::api::client
