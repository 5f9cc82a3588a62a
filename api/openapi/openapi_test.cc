#include "api/openapi/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "api/registry.h"
#include "api/schema/descriptor.h"

namespace assay::api::openapi {
namespace {

using nlohmann::json;

json Document(std::string_view group, std::string_view version, Level level = Level::k1_36) {
  const std::string* text = DocumentsFor(level).GroupVersion(group, version);
  EXPECT_NE(text, nullptr) << group << "/" << version;
  return text == nullptr ? json() : json::parse(*text);
}

TEST(OpenApiTest, DiscoveryNamesEveryServedGroupVersionOnce) {
  const json paths = json::parse(DocumentsFor(Level::k1_36).discovery())["paths"];
  std::set<std::string> expected;
  for (const GroupVersion& served : ServedGroupVersions(Level::k1_36)) {
    const std::string path = served.group.empty() ? "api/" + served.version
                                                  : "apis/" + served.group + "/" + served.version;
    expected.insert(path);
    ASSERT_TRUE(paths.contains(path)) << path;
    EXPECT_TRUE(paths[path]["serverRelativeURL"].get<std::string>().starts_with("/openapi/v3/" +
                                                                                path + "?hash="));
  }
  EXPECT_EQ(paths.size(), expected.size());
}

TEST(OpenApiTest, UnservedVersionHasNoDocument) {
  EXPECT_EQ(DocumentsFor(Level::k1_36).GroupVersion("resource.k8s.io", "v0"), nullptr);
}

// kubectl resolves every reference within the one document.
TEST(OpenApiTest, EveryReferenceResolves) {
  for (const GroupVersion& served : ServedGroupVersions(Level::k1_37)) {
    const json document = Document(served.group, served.version, Level::k1_37);
    const json& schemas = document["components"]["schemas"];
    const json leaves = document.flatten();
    for (const auto& [path, value] : leaves.items()) {
      if (path.ends_with("/$ref")) {
        ASSERT_TRUE(value.is_string()) << path;
        const auto reference = value.get<std::string>();
        EXPECT_TRUE(schemas.contains(reference.substr(reference.rfind('/') + 1))) << reference;
      }
    }
  }
}

// What `kubectl apply` looks for before it validates and patches.
TEST(OpenApiTest, PatchTakesFieldValidationAndStrategicMerge) {
  const json document = Document("resource.k8s.io", "v1");
  const json& patch =
      document["paths"]["/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims/{name}"]
              ["patch"];
  EXPECT_EQ(patch["x-kubernetes-group-version-kind"],
            (json{{"group", "resource.k8s.io"}, {"kind", "ResourceClaim"}, {"version", "v1"}}));
  std::set<std::string> parameters;
  for (const json& parameter : patch["parameters"]) {
    parameters.insert(parameter["name"].get<std::string>());
  }
  EXPECT_TRUE(parameters.contains("fieldValidation"));
  EXPECT_TRUE(parameters.contains("force"));
  EXPECT_TRUE(patch["requestBody"]["content"].contains("application/strategic-merge-patch+json"));
}

TEST(OpenApiTest, ListsSayHowTheyMerge) {
  const json pod = Document("", "v1")["components"]["schemas"];
  const json& containers = pod["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
  EXPECT_EQ(containers["x-kubernetes-list-type"], "map");
  EXPECT_EQ(containers["x-kubernetes-list-map-keys"], json::array({"name"}));
  EXPECT_EQ(containers["x-kubernetes-patch-strategy"], "merge");
  EXPECT_EQ(containers["x-kubernetes-patch-merge-key"], "name");
  const json& volumes = pod["io.k8s.api.core.v1.PodSpec"]["properties"]["volumes"];
  EXPECT_EQ(volumes["x-kubernetes-patch-strategy"], "merge,retainKeys");
  EXPECT_EQ(pod["io.k8s.api.core.v1.Pod"]["x-kubernetes-group-version-kind"][0]["kind"], "Pod");
}

TEST(OpenApiTest, SwaggerHasEveryKindAndResolves) {
  const json swagger = json::parse(SwaggerFor(Level::k1_36).json);
  EXPECT_EQ(swagger["swagger"], "2.0");
  const json& definitions = swagger["definitions"];
  for (const Kind* kind : AllKinds()) {
    for (const KindVersion& version : kind->versions) {
      if (!version.ServedAt(Level::k1_36)) {
        continue;
      }
      const json& types =
          definitions[std::string(version.message->full_name)]["x-kubernetes-group-version-kind"];
      EXPECT_EQ(
          types,
          json::array(
              {{{"group", kind->group}, {"kind", kind->kind}, {"version", version.version}}}));
    }
  }
  const json leaves = swagger.flatten();
  for (const auto& [path, value] : leaves.items()) {
    EXPECT_EQ(path.find("oneOf"), std::string::npos) << path;
    if (path.ends_with("/$ref")) {
      const auto reference = value.get<std::string>();
      ASSERT_TRUE(reference.starts_with("#/definitions/")) << reference;
      EXPECT_TRUE(definitions.contains(reference.substr(reference.rfind('/') + 1))) << reference;
    }
  }
  const json& patch =
      swagger["paths"]["/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims/{name}"]
             ["patch"];
  EXPECT_THAT(patch["consumes"], ::testing::Contains("application/strategic-merge-patch+json"));
  EXPECT_EQ(patch["parameters"].back()["in"], "body");
  // The protobuf form begins with the field `swagger`; client-go reads the rest in its own test.
  EXPECT_TRUE(SwaggerFor(Level::k1_36)
                  .protobuf.starts_with("\n\x03"
                                        "2.0"));
}

TEST(OpenApiTest, FieldsOfALaterLevelAreAbsent) {
  const auto properties = [](Level level) {
    return Document(
        "resource.k8s.io", "v1",
        level)["components"]["schemas"]["io.k8s.api.resource.v1.ResourceSliceSpec"]["properties"];
  };
  EXPECT_FALSE(properties(Level::k1_36).contains("skipNodeOperations"));
  EXPECT_TRUE(properties(Level::k1_37).contains("skipNodeOperations"));
}

}  // namespace
}  // namespace assay::api::openapi
