#include "api/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "api/core/types.h"
#include "api/meta/types.h"
#include "api/resource/types.h"
#include "api/schema/descriptor.h"

namespace assay::api {
namespace {

TEST(RegistryTest, EveryKindIsFoundByEachOfItsNames) {
  std::set<std::string> seen;
  for (const Kind* kind : AllKinds()) {
    SCOPED_TRACE(kind->GroupResource());
    EXPECT_TRUE(seen.insert(kind->GroupResource()).second) << "twice";
    EXPECT_EQ(FindByResource(kind->group, kind->resource), kind);
    EXPECT_EQ(FindByKind(kind->group, kind->kind), kind);
    EXPECT_EQ(FindByAnyName(kind->GroupResource()), kind);
    for (const KindVersion& version : kind->versions) {
      GroupVersionKind gvk{kind->group, version.version, kind->kind};
      EXPECT_EQ(FindByApiVersion(gvk.ApiVersion(), kind->kind), kind);
      EXPECT_NE(version.message->Find("metadata"), nullptr);
      EXPECT_EQ(version.message->name, kind->kind);
    }
    EXPECT_EQ(kind->has_status, kind->hub().Find("status") != nullptr &&
                                    !std::set<std::string>{"Workload"}.contains(kind->kind));
  }
  EXPECT_EQ(FindByResource("", "nonsense"), nullptr);
  EXPECT_EQ(FindByApiVersion("v2", "Pod"), nullptr);
}

TEST(RegistryTest, ResolvesNamesAsKubectlDoes) {
  EXPECT_EQ(FindByAnyName("po"), &KindOf<core::Pod>());
  EXPECT_EQ(FindByAnyName("pod"), &KindOf<core::Pod>());
  EXPECT_EQ(FindByAnyName("events"), &KindOf<core::Event>());  // Before events.k8s.io.
  EXPECT_EQ(FindByAnyName("resourceclaim.resource.k8s.io"), &KindOf<resource::ResourceClaim>());
  EXPECT_EQ(FindByAnyName("nonsense"), nullptr);
}

TEST(RegistryTest, KindsOfALaterLevelAreNotServedBefore) {
  const Kind& rule = KindOf<resource::DeviceTaintRule>();
  EXPECT_EQ(PreferredVersion(rule, Level::k1_36)->version, "v1beta2");
  EXPECT_EQ(PreferredVersion(rule, Level::k1_37)->version, "v1");
  EXPECT_EQ(FindVersion(rule, "v1", Level::k1_36), nullptr);
  EXPECT_NE(FindVersion(rule, "v1alpha3", Level::k1_36), nullptr);
}

TEST(RegistryTest, GroupsComeAsDiscoveryListsThem) {
  std::vector<std::string> names;
  for (const GroupVersion& served : ServedGroupVersions(Level::k1_36)) {
    names.push_back(served.group + "/" + served.version);
  }
  EXPECT_EQ(names.front(), "/v1");
  EXPECT_EQ(names[1], "apps/v1");
  EXPECT_THAT(names, ::testing::IsSupersetOf({"resource.k8s.io/v1", "scheduling.k8s.io/v1alpha2"}));
  auto resource = std::find(names.begin(), names.end(), "resource.k8s.io/v1");
  ASSERT_LE(resource + 4, names.end());
  EXPECT_THAT(std::vector<std::string>(resource, resource + 4),
              ::testing::ElementsAre("resource.k8s.io/v1", "resource.k8s.io/v1beta2",
                                     "resource.k8s.io/v1beta1", "resource.k8s.io/v1alpha3"));
}

TEST(RegistryTest, WireMessagesAreFound) {
  EXPECT_EQ(FindWireMessage("v1", "Status"), &schema::DescriptorOf<meta::Status>());
  // client-go sends DeleteOptions under the object's own group and version.
  EXPECT_EQ(FindWireMessage("resource.k8s.io/v1", "DeleteOptions"),
            &schema::DescriptorOf<meta::DeleteOptions>());
  EXPECT_NE(FindWireMessage("policy/v1", "Eviction"), nullptr);
  EXPECT_NE(FindWireMessage("authentication.k8s.io/v1", "TokenReview"), nullptr);
  EXPECT_EQ(FindWireMessage("v1", "Eviction"), nullptr);
}

TEST(RegistryTest, ObjectsKnowTheirMetadata) {
  Object object = Object::Of(resource::ResourceClaim{.metadata = {.name = "a", .namespace_ = "n"}});
  EXPECT_EQ(object.name(), "a");
  EXPECT_EQ(object.namespace_(), "n");
  EXPECT_TRUE(object.Is<resource::ResourceClaim>());
  Object copy = Object::Of(object.kind(), object.kind().hub().Copy(object.data()));
  EXPECT_EQ(copy.name(), "a");
  EXPECT_EQ(copy.As<resource::ResourceClaim>(), object.As<resource::ResourceClaim>());
}

}  // namespace
}  // namespace assay::api
