#include "tools/fakegpuctl/live.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/testing/status_matchers.h"
#include "base/yaml/yaml.h"
#include "tools/fakegpuctl/show.h"

namespace assay::tools {
namespace {

using fakegpu::control::GpuInfo;
using fakegpu::control::NodeInfo;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

NodeInfo SmallNode() {
  GpuInfo gpu{.slot = 0, .name = "NVIDIA H100", .uuid = "GPU-1"};
  gpu.mig_enabled = true;
  gpu.mig_memory_slices = 8;
  gpu.gpu_instances = {
      {.id = 9, .profile = "1g.10gb", .start = 2, .size = 1, .compute_instances = {{0, "MIG-1"}}},
      {.id = 2, .profile = "3g.40gb", .start = 4, .size = 4, .compute_instances = {}}};
  return {.name = "small", .driver_version = "580.95.05", .cuda_version = "13.0", .gpus = {gpu}};
}

TEST(LiveTest, DrawsMigSlicesInTheirPlaces) {
  EXPECT_THAT(DrawNode(SmallNode()),
              HasSubstr("   0  MIG  "
                        ".           .           |1g.10gb 9  .           "
                        "|3g.40gb 2 (empty)                              |\n"));
}

TEST(LiveTest, DrawsProcesses) {
  NodeInfo node = SmallNode();
  node.gpus[0].processes = {{.pid = 17, .name = "train", .memory_bytes = 8ULL << 30}};
  EXPECT_THAT(DrawNode(node), HasSubstr("   0  process 17 (train, 8192 MiB)\n"));
}

TEST(LiveTest, TellsWhatChangedAndOnlyThat) {
  const NodeInfo before = SmallNode();
  NodeInfo after = before;
  after.gpus[0].temperature_c = 70;
  EXPECT_THAT(Changes(before, after), IsEmpty());
  after.driver_loaded = false;
  after.gpus[0].faults = {"xid 31"};
  after.gpus[0].gpu_instances.pop_back();
  after.gpus[0].processes = {{.pid = 17, .name = "train", .memory_bytes = 1 << 20}};
  EXPECT_THAT(Changes(before, after),
              ElementsAre("the driver is unloaded", "GPU 0: xid 31",
                          "GPU 0: MIG 3g.40gb at slice 4 (GPU instance 2) is gone",
                          "GPU 0: process 17 (train, 1 MiB) starts"));
  EXPECT_THAT(Changes(after, before),
              ElementsAre("the driver is loaded", "GPU 0: xid 31 is healed",
                          "GPU 0: MIG 3g.40gb at slice 4 (GPU instance 2) is made",
                          "GPU 0: process 17 (train, 1 MiB) ends"));
  after = before;
  after.gpus[0].plugged = false;
  EXPECT_THAT(Changes(before, after), ElementsAre("GPU 0: unplugged"));
  after.gpus.clear();
  EXPECT_THAT(Changes(before, after), ElementsAre("the node is now small, of 0 GPUs"));
}

TEST(ShowTest, YamlSaysWhatJsonSays) {
  NodeInfo node = SmallNode();
  node.gpus[0].faults = {"xid 31", "say \"no\": # 1"};
  ASSAY_ASSERT_OK_AND_ASSIGN(const yaml::Node yaml, yaml::Parse(ShowYaml(node), "show.yaml"));
  EXPECT_EQ(nlohmann::json::parse(yaml::ToJson(yaml)), nlohmann::json::parse(ShowJson(node)));
}

}  // namespace
}  // namespace assay::tools
