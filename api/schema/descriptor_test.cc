#include "api/schema/descriptor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "api/core/types.h"
#include "api/meta/types.h"
#include "api/registry.h"
#include "api/resource/types.h"
#include "api/testing/random_message.h"
#include "base/random.h"

namespace assay::api::schema {
namespace {

using ::testing::ElementsAre;

TEST(DescriptorTest, FieldsLieWhereTheStructHasThem) {
  const MessageDescriptor& type = DescriptorOf<resource::ResourcePool>();
  resource::ResourcePool pool{.name = "p", .generation = 3, .resource_slice_count = 4};
  const FieldDescriptor* generation = type.Find("generation");
  ASSERT_NE(generation, nullptr);
  EXPECT_EQ(*static_cast<const std::int64_t*>(generation->Get(&pool)), 3);
  EXPECT_EQ(generation, type.FindByNumber(2));
  EXPECT_EQ(type.FindByNumber(99), nullptr);
  EXPECT_EQ(type.Find("nonsense"), nullptr);
}

TEST(DescriptorTest, InlineFieldsAreReachedThroughTheirStruct) {
  const MessageDescriptor& type = DescriptorOf<core::Volume>();
  core::Volume volume;
  void* data = &volume;
  const FieldDescriptor* field = type.FindIn("emptyDir", &data);
  ASSERT_NE(field, nullptr);
  field->Mutable(data);
  EXPECT_TRUE(volume.empty_dir.has_value());
  EXPECT_TRUE(type.Find("volumeSource") == nullptr);  // Only protobuf knows it by name.
  EXPECT_TRUE(type.FindByNumber(2)->is_inline);
}

TEST(DescriptorTest, ContainersAreOperatedWithoutKnowingThem) {
  const MessageDescriptor& type = DescriptorOf<resource::Device>();
  resource::Device device;
  const FieldDescriptor* taints = type.Find("taints");
  const FieldDescriptor* attributes = type.Find("attributes");
  EXPECT_FALSE(taints->Has(&device));
  static_cast<resource::DeviceTaint*>(taints->Append(&device))->key = "a";
  static_cast<resource::DeviceTaint*>(taints->Append(&device))->key = "b";
  taints->list_ops->erase(taints->Raw(&device), 0);
  ASSERT_EQ(device.taints.size(), 1U);
  EXPECT_EQ(device.taints[0].key, "b");
  static_cast<resource::DeviceAttribute*>(attributes->Insert(&device, "x"))->int_ = 1;
  EXPECT_EQ(attributes->Size(&device), 1U);
  EXPECT_NE(attributes->Find(&device, "x"), nullptr);
  EXPECT_EQ(attributes->Find(&device, "y"), nullptr);
  std::string keys;
  attributes->VisitMap(&device, [&](const std::string& key, const void*) { keys += key; });
  EXPECT_EQ(keys, "x");
  attributes->Clear(&device);
  EXPECT_TRUE(device.attributes.empty());
}

TEST(DescriptorTest, KnowsHowFieldsMerge) {
  const FieldDescriptor* ports = DescriptorOf<core::Container>().Find("ports");
  EXPECT_EQ(ports->merge, Merge::kMap);
  EXPECT_THAT(ports->list_map_keys, ElementsAre("containerPort", "protocol"));
  EXPECT_EQ(ports->patch_strategy, kPatchMerge);
  EXPECT_EQ(ports->patch_merge_key, "containerPort");
  EXPECT_EQ(DescriptorOf<core::PodSpec>().Find("volumes")->patch_strategy,
            kPatchMerge | kPatchRetainKeys);
  EXPECT_EQ(DescriptorOf<resource::ResourceSliceSpec>().Find("devices")->merge, Merge::kAtomic);
  EXPECT_EQ(DescriptorOf<meta::LabelSelector>().merge, Merge::kAtomic);
  EXPECT_EQ(DescriptorOf<meta::ObjectMeta>().Find("finalizers")->merge, Merge::kSet);
}

TEST(DescriptorTest, KnowsGatesLevelsEnumsAndDefaults) {
  const MessageDescriptor& spec = DescriptorOf<resource::ResourceSliceSpec>();
  EXPECT_EQ(spec.Find("sharedCounters")->feature_gate, "DRAPartitionableDevices");
  EXPECT_FALSE(spec.Find("skipNodeOperations")->ExistsAt(Level::k1_36));
  const FieldDescriptor* mappings =
      DescriptorOf<resource::Device>().Find("nodeAllocatableResourceMappings");
  EXPECT_TRUE(mappings->ExistsAt(Level::k1_36));
  EXPECT_FALSE(mappings->ExistsAt(Level::k1_37));
  EXPECT_THAT(DescriptorOf<resource::DeviceTaint>().Find("effect")->enum_values,
              ElementsAre("NoExecute", "NoSchedule", "None"));
  EXPECT_EQ(DescriptorOf<core::ContainerPort>().Find("protocol")->default_json, "\"TCP\"");
}

// Compatibility::Enabled may be asked for every gate that a field names.
void CheckGates(const MessageDescriptor& message, const Compatibility& compatibility) {
  for (const FieldDescriptor& field : message.fields) {
    std::string_view gates = field.feature_gate;
    while (!gates.empty()) {
      std::size_t comma = std::min(gates.find(','), gates.size());
      std::string_view gate = gates.substr(0, comma);
      EXPECT_TRUE(compatibility.gates().contains(gate)) << message.full_name << " " << gate;
      gates.remove_prefix(std::min(comma + 1, gates.size()));
    }
    if (field.message != nullptr) {
      CheckGates(*field.message, compatibility);
    }
  }
}

TEST(DescriptorTest, EveryGateIsKnown) {
  const Compatibility compatibility(Level::k1_37);
  for (const Kind* kind : AllKinds()) {
    for (const KindVersion& version : kind->versions) {
      CheckGates(*version.message, compatibility);
    }
  }
}

TEST(DescriptorTest, EqualityIsSemantic) {
  const MessageDescriptor& type = DescriptorOf<resource::DeviceCapacity>();
  resource::DeviceCapacity a{.value = meta::Quantity::Of("1")};
  resource::DeviceCapacity b{.value = meta::Quantity::Of("1000m")};
  EXPECT_TRUE(Equal(type, &a, &b));
  b.request_policy.emplace();
  EXPECT_FALSE(Equal(type, &a, &b));
}

// What a random value has, its copy has; cleared field by field, nothing is left.
TEST(DescriptorTest, CopiesAndClearsEveryKind) {
  for (const Kind* kind : AllKinds()) {
    SCOPED_TRACE(kind->GroupResource());
    Random random(7);
    Object object = api::testing::RandomObject(*kind, random, {});
    std::shared_ptr<void> copy = kind->hub().Copy(object.data());
    EXPECT_TRUE(Equal(kind->hub(), object.data(), copy.get()));
    for (const FieldDescriptor& field : kind->hub().fields) {
      field.Clear(copy.get());
      EXPECT_FALSE(field.Has(copy.get())) << field.name;
    }
    EXPECT_TRUE(IsZero(kind->hub(), copy.get()));
    EXPECT_TRUE(Equal(kind->hub(), copy.get(), kind->hub().New().get()));
  }
}

}  // namespace
}  // namespace assay::api::schema
