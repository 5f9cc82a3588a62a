#include "driver-ref/publish/slice_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace assay::driver_ref::publish {
namespace {

using api::resource::Device;
using api::resource::ResourceSlice;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

const PoolIdentity kPool{.driver_name = "gpu.example.com", .node_name = "node-1", .node_uid = "u"};

std::vector<Device> Devices(int count) {
  std::vector<Device> devices(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    devices[static_cast<std::size_t>(i)].name = "gpu-" + std::to_string(i);
  }
  return devices;
}

SliceContent Content(const std::vector<Device>& devices) {
  return {.counter_sets = {}, .devices = devices};
}

// What the API server has once the plan is carried out.
std::vector<ResourceSlice> Apply(const SlicePlan& plan, std::vector<ResourceSlice> slices) {
  const auto erase = [&](const std::string& name) {
    std::erase_if(slices, [&](const auto& slice) { return slice.metadata.name == name; });
  };
  for (const ResourceSlice& slice : plan.remove) {
    erase(slice.metadata.name);
  }
  for (const ResourceSlice& slice : plan.update) {
    erase(slice.metadata.name);
    slices.push_back(slice);
  }
  for (ResourceSlice slice : plan.create) {
    slice.metadata.name = slice.metadata.generate_name + "abcde";
    slices.push_back(slice);
  }
  return slices;
}

std::vector<ResourceSlice> Publish(const std::vector<Device>& devices) {
  return Apply(PlanSlices(kPool, Content(devices), {}), {});
}

TEST(SlicePlanTest, PublishesANewPool) {
  const SlicePlan plan = PlanSlices(kPool, Content(Devices(8)), {});
  ASSERT_THAT(plan.create, SizeIs(1));
  const ResourceSlice& slice = plan.create[0];
  EXPECT_EQ(slice.metadata.generate_name, "00000-gpu.example.com-node-1-");
  EXPECT_EQ(slice.spec.driver, "gpu.example.com");
  EXPECT_EQ(slice.spec.node_name, "node-1");
  EXPECT_EQ(slice.spec.pool.name, "node-1");
  EXPECT_EQ(slice.spec.pool.generation, 1);
  EXPECT_EQ(slice.spec.pool.resource_slice_count, 1);
  EXPECT_THAT(slice.spec.devices, SizeIs(8));
  ASSERT_THAT(slice.metadata.owner_references, SizeIs(1));
  const auto& owner = slice.metadata.owner_references[0];
  EXPECT_EQ(owner.kind, "Node");
  EXPECT_EQ(owner.uid, "u");
  EXPECT_EQ(owner.controller, true);
  EXPECT_FALSE(owner.block_owner_deletion);
}

TEST(SlicePlanTest, PublishesAPoolWithoutDevices) {
  const auto slices = Publish({});
  ASSERT_THAT(slices, SizeIs(1));
  EXPECT_THAT(slices[0].spec.devices, IsEmpty());
}

TEST(SlicePlanTest, LeavesAloneWhatIsAsItShouldBe) {
  EXPECT_TRUE(PlanSlices(kPool, Content(Devices(300)), Publish(Devices(300))).empty());
}

TEST(SlicePlanTest, OneChangedSliceKeepsItsGeneration) {
  const auto before = Publish(Devices(2));
  const SlicePlan plan = PlanSlices(kPool, Content(Devices(1)), before);
  ASSERT_THAT(plan.update, SizeIs(1));
  EXPECT_EQ(plan.update[0].metadata.name, before[0].metadata.name);
  EXPECT_EQ(plan.update[0].spec.pool.generation, 1);
  EXPECT_THAT(plan.create, IsEmpty());
  EXPECT_THAT(plan.remove, IsEmpty());
}

TEST(SlicePlanTest, SplitsBy128AndBy64OnceThereAreTaints) {
  std::vector<Device> devices = Devices(129);
  const auto untainted = Publish(devices);
  ASSERT_THAT(untainted, SizeIs(2));
  EXPECT_THAT(untainted[0].spec.devices, SizeIs(128));
  devices[0].taints.emplace_back().key = "a/b";
  const auto slices = Apply(PlanSlices(kPool, Content(devices), untainted), untainted);
  ASSERT_THAT(slices, SizeIs(3));
  for (const ResourceSlice& slice : slices) {
    EXPECT_LE(slice.spec.devices.size(), 64u);
    EXPECT_EQ(slice.spec.pool.generation, 2);
    EXPECT_EQ(slice.spec.pool.resource_slice_count, 3);
  }
  EXPECT_TRUE(PlanSlices(kPool, Content(devices), slices).empty());
}

// `gpus` of 26 devices each, as an H100 has them.
SliceContent DividedGpus(int gpus) {
  SliceContent content;
  for (int gpu = 0; gpu < gpus; ++gpu) {
    const std::string name = "gpu-" + std::to_string(gpu);
    content.counter_sets.emplace_back().name = name;
    for (int i = 0; i < 26; ++i) {
      Device& device = content.devices.emplace_back();
      device.name = name + "-" + std::to_string(i);
      device.consumes_counters.emplace_back().counter_set = name;
    }
  }
  return content;
}

TEST(SlicePlanTest, CounterSetsHaveSlicesOfTheirOwn) {
  const auto slices = Apply(PlanSlices(kPool, DividedGpus(9), {}), {});
  ASSERT_THAT(slices, SizeIs(2 + 5));
  EXPECT_THAT(slices[0].spec.shared_counters, SizeIs(8));
  EXPECT_THAT(slices[1].spec.shared_counters, SizeIs(1));
  std::size_t devices = 0;
  for (const ResourceSlice& slice : slices) {
    EXPECT_TRUE(slice.spec.shared_counters.empty() || slice.spec.devices.empty());
    EXPECT_LE(slice.spec.devices.size(), 64u);
    EXPECT_EQ(slice.spec.pool.resource_slice_count, 7);
    devices += slice.spec.devices.size();
  }
  EXPECT_EQ(devices, 9u * 26u);
  EXPECT_TRUE(PlanSlices(kPool, DividedGpus(9), slices).empty());
}

TEST(SlicePlanTest, WhatHappensToOneGpuChangesOneSlice) {
  SliceContent content = DividedGpus(8);
  const auto slices = Apply(PlanSlices(kPool, content, {}), {});
  for (Device& device : content.devices) {
    if (device.name.starts_with("gpu-2-")) {
      device.taints.emplace_back().key = "a/b";
    }
  }
  const SlicePlan plan = PlanSlices(kPool, content, slices);
  EXPECT_THAT(plan.update, SizeIs(1));
  EXPECT_THAT(plan.create, IsEmpty());
}

TEST(SlicePlanTest, AGpuWithMoreDevicesThanASliceHoldsIsSpread) {
  SliceContent content;
  content.devices = Devices(130);
  for (Device& device : content.devices) {
    device.consumes_counters.emplace_back().counter_set = "one";
  }
  const auto slices = Apply(PlanSlices(kPool, content, {}), {});
  ASSERT_THAT(slices, SizeIs(3));
  EXPECT_THAT(slices[0].spec.devices, SizeIs(64));
  EXPECT_THAT(slices[2].spec.devices, SizeIs(2));
}

TEST(SlicePlanTest, AMissingSliceComesBackWithANewGeneration) {
  auto slices = Publish(Devices(200));
  slices.pop_back();
  const SlicePlan plan = PlanSlices(kPool, Content(Devices(200)), slices);
  EXPECT_THAT(plan.create, SizeIs(1));
  EXPECT_THAT(plan.update, SizeIs(1));
  for (const ResourceSlice& slice : Apply(plan, slices)) {
    EXPECT_EQ(slice.spec.pool.generation, 2);
  }
}

TEST(SlicePlanTest, RemovesWhatAFormerRunLeft) {
  auto slices = Publish(Devices(1));
  ResourceSlice old = slices[0];
  old.metadata.name = "00000-gpu.example.com-node-1-older";
  old.spec.pool.generation = 0;
  ResourceSlice foreign_name = slices[0];
  foreign_name.metadata.name = "some-name";
  ResourceSlice other_pool = slices[0];
  other_pool.metadata.name = "00000-gpu.example.com-node-1-pool";
  other_pool.spec.pool.name = "other";
  other_pool.spec.pool.generation = 7;
  slices.insert(slices.end(), {old, foreign_name, other_pool});
  const SlicePlan plan = PlanSlices(kPool, Content(Devices(1)), slices);
  EXPECT_THAT(plan.remove, SizeIs(3));
  EXPECT_THAT(plan.update, IsEmpty());
  EXPECT_THAT(plan.create, IsEmpty());
}

TEST(SlicePlanTest, RevertsForeignChanges) {
  auto slices = Publish(Devices(1));
  slices[0].spec.devices[0].name = "edited";
  slices[0].metadata.owner_references.clear();
  const SlicePlan plan = PlanSlices(kPool, Content(Devices(1)), slices);
  ASSERT_THAT(plan.update, SizeIs(1));
  EXPECT_EQ(plan.update[0].spec.devices[0].name, "gpu-0");
  EXPECT_THAT(plan.update[0].metadata.owner_references, SizeIs(1));
}

TEST(SlicePlanTest, ATaintKeepsItsTime) {
  std::vector<Device> devices = Devices(2);
  auto& taint = devices[0].taints.emplace_back();
  taint.key = "a/b";
  taint.effect = "NoSchedule";
  auto slices = Publish(devices);
  slices[0].spec.devices[0].taints[0].time_added = api::meta::Time::FromUnix(1000);
  EXPECT_TRUE(PlanSlices(kPool, Content(devices), slices).empty());
  devices[1].taints.push_back(taint);
  const SlicePlan plan = PlanSlices(kPool, Content(devices), slices);
  ASSERT_THAT(plan.update, SizeIs(1));
  EXPECT_EQ(plan.update[0].spec.devices[0].taints[0].time_added, api::meta::Time::FromUnix(1000));
  EXPECT_FALSE(plan.update[0].spec.devices[1].taints[0].time_added);
}

TEST(SlicePlanTest, LongNamesStayNames) {
  const PoolIdentity pool{
      .driver_name = std::string(63, 'd'), .node_name = std::string(253, 'n'), .node_uid = "u"};
  const auto name = PlanSlices(pool, Content({}), {}).create.at(0).metadata.generate_name;
  EXPECT_LE(name.size(), 248u);
  EXPECT_THAT(name, StartsWith("00000-ddd"));
}

}  // namespace
}  // namespace assay::driver_ref::publish
