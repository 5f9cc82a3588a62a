#include "conformance/testee/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/testing/status_matchers.h"

namespace assay::conformance {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAreArray;

constexpr std::string_view kMinimal =
    "name: example\ndriver: gpu.example.com\nstart: {command: [driver]}\n";

Result<Profile> Parse(const std::string& text) {
  return ParseProfile(text, "/profiles/x.yaml", RuleSet::Embedded());
}
Result<Profile> ParseWith(const std::string& text) { return Parse(std::string(kMinimal) + text); }

TEST(ProfileTest, AcceptsTheLeast) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const Profile profile, Parse(std::string(kMinimal)));
  EXPECT_EQ(profile.name, "example");
  EXPECT_THAT(profile.start, ElementsAre("driver"));
  EXPECT_THAT(profile.dra_versions, ElementsAre("v1", "v1beta1"));
  EXPECT_EQ(profile.data_directory, "${PLUGINS_DIR}/${DRIVER_NAME}");
  EXPECT_TRUE(profile.expectations.empty());
  EXPECT_TRUE(profile.parallel);
}

TEST(ProfileTest, ReadsEverything) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const Profile profile, Parse(R"(
name: example
driver: gpu.example.com
start:
  command: [/bin/driver, '--node=${NODE_NAME}']
  env: {TOKEN: '${env:HOME}'}
  directories: ['${PLUGINS_DIR}/gpu.example.com']
  ready: 5s
stop: {timeout: 3s}
parallel: false
draVersions: [v1]
features: [device-health, pci]
files: {data: '${STATE_DIR}', state: ['${STATE_DIR}/checkpoint'], staticCdi: [all.json]}
claims:
  selector: device.driver == "gpu.example.com"
  config: {apiVersion: a/v1, kind: C, count: 3}
  badConfigs: {unknown-kind: {kind: X}}
devices: {key: uuid}
access:
  serviceAccount: gpus/driver
  manifests: [../rbac.yaml]
  clusterRoles: [more]
hooks:
  list: {command: [list]}
  plug: {command: [plug]}
  unplug: {command: [unplug, '${DEVICE}'], timeout: 1s}
  fail: {command: [fail]}
  degrade: {command: [degrade]}
  heal: {command: [heal]}
  stall: {command: [stall]}
expectations: x.expectations
)"));
  EXPECT_EQ(profile.ready_timeout, std::chrono::seconds(5));
  EXPECT_EQ(profile.stop_timeout, std::chrono::seconds(3));
  EXPECT_FALSE(profile.parallel);
  EXPECT_TRUE(profile.Declares("pci"));
  EXPECT_FALSE(profile.Declares("admin-access"));
  EXPECT_EQ(profile.config, R"({"apiVersion":"a/v1","kind":"C","count":3})");
  EXPECT_THAT(profile.bad_configs, ElementsAre(Pair("unknown-kind", R"({"kind":"X"})")));
  EXPECT_EQ(profile.device_key, "uuid");
  EXPECT_EQ(profile.hooks.size(), 7u);
  EXPECT_THAT(profile.hooks.at(Hook::kDegrade).argv, ElementsAre("degrade"));
  EXPECT_THAT(profile.hooks.at(Hook::kUnplug).argv, ElementsAre("unplug", "${DEVICE}"));
  ASSERT_TRUE(profile.access.has_value());
  EXPECT_EQ(profile.access->namespace_, "gpus");
  EXPECT_EQ(profile.access->name, "driver");
  EXPECT_THAT(profile.access->manifests, ElementsAre("/rbac.yaml"));
  EXPECT_THAT(profile.access->cluster_roles, ElementsAre("more"));
  EXPECT_EQ(profile.expectations, "/profiles/x.expectations");
}

TEST(ProfileTest, NamesFileLineAndField) {
  EXPECT_THAT(Parse("name: example\ndriver: GPU\nstart: {command: [d]}\n"),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("/profiles/x.yaml:2: driver: expected a DNS subdomain")));
  EXPECT_THAT(Parse("name: example\ndriver: gpu.example.com\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("start")));
  EXPECT_THAT(
      Parse("name: example\ndriver: a.b\nstart:\n  command: []\n"),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr(":4: start.command: expected the program")));
  EXPECT_THAT(
      Parse("name: example\ndriver: a.b\nstart:\n  command: d\n"),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr(":4: start.command: expected a list")));
  EXPECT_THAT(
      Parse("name: example\ndriver: a.b\nstart:\n  command: [d, '${NODE}']\n"),
      StatusIs(StatusCode::kInvalidArgument,
               AllOf(HasSubstr(":4: start.command[1]: '${NODE}'"), HasSubstr("${NODE_NAME}"))));
  EXPECT_THAT(ParseWith("features: [wings]\n"),
              StatusIs(StatusCode::kInvalidArgument,
                       AllOf(HasSubstr(":4: features[0]: 'wings' is no feature"),
                             HasSubstr("device-health"))));
  EXPECT_THAT(ParseWith("features: [pci, pci]\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("features[1]: is listed twice")));
  EXPECT_THAT(ParseWith("draVersions: [v2]\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("draVersions: expected v1")));
  EXPECT_THAT(ParseWith("stop: {timeout: 0s}\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("stop.timeout: expected a dur")));
  EXPECT_THAT(ParseWith("hooks: {explode: {command: [x]}}\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("explode")));
  EXPECT_THAT(ParseWith("claims: {config: 5}\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("claims.config: expected the par")));
  EXPECT_THAT(ParseWith("access: {serviceAccount: driver}\n"),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("access.serviceAccount: expected the namespace and name")));
  EXPECT_THAT(ParseWith("colour: red\n"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("colour")));
}

TEST(ProfileTest, OnlyHooksKnowADevice) {
  EXPECT_THAT(Parse("name: e\ndriver: a.b\nstart: {command: ['${DEVICE}']}\n"),
              StatusIs(StatusCode::kInvalidArgument));
}

// What editors check is what the parser accepts.
TEST(ProfileSchemaTest, KnowsEveryFeatureAndVariable) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::string text,
                             ReadFile("fixtures/schema/testee.schema.json"));
  const nlohmann::json schema = nlohmann::json::parse(text);
  std::vector<std::string> features;
  for (const Feature& feature : RuleSet::Embedded().features()) {
    features.push_back(feature.name);
  }
  EXPECT_THAT(schema["properties"]["features"]["items"]["enum"].get<std::vector<std::string>>(),
              UnorderedElementsAreArray(features));
  const auto description = schema["description"].get<std::string>();
  for (const auto& [variable, meaning] : kVariables) {
    EXPECT_THAT(description, HasSubstr(std::string(variable)));
  }
}

TEST(ProfileFilesTest, AllAreValid) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("fixtures/testees")) {
    if (entry.path().extension() == ".yaml") {
      EXPECT_THAT(LoadProfile(entry.path(), RuleSet::Embedded()), IsOk());
      ++count;
    }
  }
  EXPECT_GE(count, 2);
}

TEST(ExpandTest, ReplacesVariables) {
  ASSERT_EQ(setenv("ASSAY_EXPAND_TEST", "value", 1), 0);
  const Variables variables = {{"A", "1"}, {"B", "${A}"}};
  EXPECT_EQ(*Expand("x${A}${B}y", variables), "x1${A}y");
  EXPECT_EQ(*Expand("${env:ASSAY_EXPAND_TEST}", variables), "value");
  EXPECT_THAT(Expand("${env:ASSAY_NOT_SET}", variables),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("ASSAY_NOT_SET")));
  EXPECT_THAT(Expand("${C}", variables), StatusIs(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace assay::conformance
