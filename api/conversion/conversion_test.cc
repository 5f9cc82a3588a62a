#include "api/conversion/conversion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "api/json/json.h"
#include "api/registry.h"
#include "api/resource/types.h"
#include "api/resource/v1beta1/types.h"
#include "api/scheduling/types.h"
#include "api/testing/random_message.h"
#include "base/random.h"

namespace assay::api::conversion {
namespace {

const KindVersion& VersionOf(const Kind& kind, const char* name) {
  const KindVersion* version = FindVersion(kind, name);
  EXPECT_NE(version, nullptr) << kind.kind << " has no version " << name;
  return *version;
}

std::string Encoded(const KindVersion& version, const void* value) {
  return json::EncodeMessage(*version.message, value);
}

// A value of `version` out of JSON text.
std::shared_ptr<void> Decoded(const KindVersion& version, const std::string& text) {
  std::shared_ptr<void> value = version.message->New();
  EXPECT_TRUE(json::DecodeMessage(*version.message, text, {}, value.get()).ok());
  return value;
}

TEST(ConversionTest, FlattensAnExactRequestForV1beta1) {
  resource::ResourceClaim claim;
  claim.spec.devices.requests.resize(2);
  claim.spec.devices.requests[0].name = "a";
  claim.spec.devices.requests[0].exactly.emplace().device_class_name = "gpu";
  claim.spec.devices.requests[0].exactly->count = 2;
  claim.spec.devices.requests[1].name = "b";
  claim.spec.devices.requests[1].first_available.resize(1);
  claim.spec.devices.requests[1].first_available[0].name = "s";
  const Object object = Object::Of(claim);
  const KindVersion& v1beta1 = VersionOf(object.kind(), "v1beta1");

  const std::shared_ptr<const void> value = FromHub(object, v1beta1);

  const auto& old = *static_cast<const resource::v1beta1::ResourceClaim*>(value.get());
  EXPECT_EQ(old.spec.devices.requests[0].device_class_name, "gpu");
  EXPECT_EQ(old.spec.devices.requests[0].count, 2);
  EXPECT_EQ(old.spec.devices.requests[1].device_class_name, "");
  EXPECT_EQ(old.spec.devices.requests[1].first_available[0].name, "s");
  EXPECT_EQ(json::Encode(ToHub(object.kind(), v1beta1, &old)), json::Encode(object));
}

TEST(ConversionTest, NestsADeviceWithinBasicEvenIfItHasNoFields) {
  resource::ResourceSlice slice;
  slice.spec.devices.resize(1);
  slice.spec.devices[0].name = "gpu-0";
  const Object object = Object::Of(slice);

  const std::shared_ptr<const void> value = FromHub(object, VersionOf(object.kind(), "v1beta1"));

  const auto& old = *static_cast<const resource::v1beta1::ResourceSlice*>(value.get());
  EXPECT_EQ(old.spec.devices[0].name, "gpu-0");
  EXPECT_TRUE(old.spec.devices[0].basic.has_value());
}

TEST(ConversionTest, EmptyNodeNameAndFalseAllNodesOfV1beta1AreUnset) {
  const Kind& kind = KindOf<resource::ResourceSlice>();
  const KindVersion& v1beta1 = VersionOf(kind, "v1beta1");
  const std::shared_ptr<void> value =
      Decoded(v1beta1, R"({"spec":{"driver":"d","nodeName":"","allNodes":false,
                           "pool":{"name":"p","generation":0,"resourceSliceCount":1}}})");

  const Object object = ToHub(kind, v1beta1, value.get());

  EXPECT_FALSE(object.As<resource::ResourceSlice>().spec.node_name.has_value());
  EXPECT_FALSE(object.As<resource::ResourceSlice>().spec.all_nodes.has_value());
}

TEST(ConversionTest, HubVersionIsTheObjectItself) {
  const Object object = Object::Of(resource::DeviceClass());
  EXPECT_EQ(FromHub(object, object.kind().versions.front()).get(), object.data());
}

// What an older version can say survives the way to the hub and back.
TEST(ConversionTest, EveryVersionSurvivesTheWayThroughTheHub) {
  constexpr std::uint64_t kSeed = 20261121;
  Random random(kSeed);
  for (const Kind* kind : AllKinds()) {
    for (const KindVersion& version : kind->versions) {
      for (int i = 0; i < 20; ++i) {
        SCOPED_TRACE(kind->kind + " " + version.version + ", seed " + std::to_string(kSeed) +
                     ", round " + std::to_string(i));
        const std::shared_ptr<void> value = version.message->New();
        testing::FillMessage(*version.message, random, {}, value.get());
        // The first way may lose what is no difference in Go: a pointer to an empty struct.
        const Object object = ToHub(*kind, version, value.get());
        const std::shared_ptr<const void> once = FromHub(object, version);
        const Object again = ToHub(*kind, version, once.get());
        EXPECT_EQ(json::Encode(again), json::Encode(object));
        EXPECT_EQ(Encoded(version, FromHub(again, version).get()), Encoded(version, once.get()));
      }
    }
  }
}

// A hub object that v1beta1 can express comes back as it was.
TEST(ConversionTest, HubSurvivesTheWayThroughV1beta2) {
  Random random(7);
  const Kind& kind = KindOf<resource::ResourceClaim>();
  const KindVersion& v1beta2 = VersionOf(kind, "v1beta2");
  for (int i = 0; i < 100; ++i) {
    const Object object = testing::RandomObject(kind, random, {});
    const Object back = ToHub(kind, v1beta2, FromHub(object, v1beta2).get());
    EXPECT_EQ(json::Encode(back), json::Encode(object)) << "seed 7, round " << i;
  }
}

// What 1.36 says in v1alpha2 is another struct in 1.37.
TEST(ConversionTest, PodGroupsOfBothLevelsMeanTheSame) {
  const Kind& kind = KindOf<scheduling::PodGroup>();
  const KindVersion& v1alpha2 = VersionOf(kind, "v1alpha2");
  for (const auto& [old_spec, spec] : std::map<std::string, std::string>{
           {R"({"podGroupTemplateRef":{"workload":{"workloadName":"w",)"
            R"("podGroupTemplateName":"t"}},"schedulingPolicy":{"gang":{"minCount":2}},)"
            R"("disruptionMode":"PodGroup","priority":5})",
            R"({"workloadRef":{"workloadName":"w","templateName":"t"},)"
            R"("schedulingPolicy":{"gang":{"minCount":2}},"disruptionMode":{"all":{}},)"
            R"("priority":5})"},
           {R"({"podGroupTemplateRef":null,"schedulingPolicy":{"basic":{}},)"
            R"("disruptionMode":"Pod"})",
            R"({"schedulingPolicy":{"basic":{}},"disruptionMode":{"single":{}}})"}}) {
    scheduling::PodGroup group;
    ASSERT_TRUE(json::DecodeMessage(kind.hub(), R"({"spec":)" + spec + "}", {}, &group).ok());
    const Object object = Object::Of(std::move(group));
    const std::shared_ptr<const void> old = FromHub(object, v1alpha2);
    EXPECT_NE(json::EncodeMessage(*v1alpha2.message, old.get()).find(old_spec), std::string::npos)
        << json::EncodeMessage(*v1alpha2.message, old.get());
    EXPECT_EQ(json::Encode(ToHub(kind, v1alpha2, old.get())), json::Encode(object));
  }
}

}  // namespace
}  // namespace assay::api::conversion
