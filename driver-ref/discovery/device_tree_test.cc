// What a tree of files tells of devices, and how they are published.
#include "driver-ref/discovery/device_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "driver-ref/discovery/devices.h"

namespace assay::driver_ref::discovery {
namespace {

using api::resource::Device;
using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class DeviceTreeTest : public ::testing::Test {
 protected:
  void Write(const std::string& file, const std::string& text) {
    std::filesystem::create_directories((dir_ / file).parent_path());
    std::ofstream(dir_ / file) << text;
  }
  Inventory Discover() {
    const Result<Inventory> inventory = tree_.Discover();
    EXPECT_THAT(inventory, IsOk());
    return inventory.value_or({});
  }
  Device Published(const std::string& name) {
    const Inventory inventory = Discover();
    for (const NodeDevice& device : DevicesOf(inventory)) {
      if (device.name == name) {
        return ToDevice(device, inventory, options_);
      }
    }
    ADD_FAILURE() << name << " is not there";
    return {};
  }

  TempDir dir_ = *TempDir::Create();
  DeviceTree tree_{dir_.path()};
  DeviceOptions options_{.driver_name = "nic.example.com"};
};

TEST_F(DeviceTreeTest, AnAttributeAFile) {
  Write("nic-0/kind", "nic\n");
  Write("nic-0/vendor", "Example");
  Write("nic-0/model", "E-400G\n");
  Write("nic-0/serial", "S1\n");
  Write("nic-0/address", "0000:3b:00.0\n");
  Write("nic-0/pcie_root", "pci0000:3a\n");
  Write("nic-0/numa_node", "1\n");
  Write("nic-0/link_domain", "rack-7\n");
  Write("nic-0/clique", "3\n");
  Write("nic-0/interface", "eth3\n");
  Write("nic-0/nodes", "infiniband/uverbs0 231:192\ninfiniband/rdma_cm 10:58\n");
  Write("nic-0/capacity/bandwidth/total", "40G\n");
  Write("nic-0/capacity/bandwidth/step", "10G\n");
  Write("nic-0/health", "ok\n");
  const Device device = Published("nic-0");
  const auto& attributes = device.attributes;
  EXPECT_EQ(attributes.at("type").string, "nic");
  EXPECT_EQ(attributes.at("vendor").string, "Example");
  EXPECT_EQ(attributes.at("model").string, "E-400G");
  EXPECT_EQ(attributes.at("serial").string, "S1");
  EXPECT_EQ(attributes.at("resource.kubernetes.io/pciBusID").string, "0000:3b:00.0");
  EXPECT_EQ(attributes.at("resource.kubernetes.io/pcieRoot").string, "pci0000:3a");
  EXPECT_EQ(attributes.at("resource.kubernetes.io/numaNode").int_, 1);
  EXPECT_EQ(attributes.at("linkDomain").string, "rack-7");
  EXPECT_EQ(attributes.at("clique").string, "3");
  EXPECT_EQ(attributes.at("interface").string, "eth3");
  EXPECT_EQ(device.allow_multiple_allocations, true);
  const auto& bandwidth = device.capacity.at("bandwidth");
  EXPECT_EQ(bandwidth.value.ToString(), "40G");
  EXPECT_EQ(bandwidth.request_policy->default_->ToString(), "40G");
  EXPECT_EQ(bandwidth.request_policy->valid_range->step->ToString(), "10G");
  EXPECT_THAT(device.taints, IsEmpty());
  EXPECT_THAT(device.consumes_counters, IsEmpty());
  EXPECT_THAT(Discover().devices.at(0).nodes,
              ElementsAre(DeviceNode{.path = "infiniband/uverbs0", .major = 231, .minor = 192},
                          DeviceNode{.path = "infiniband/rdma_cm", .major = 10, .minor = 58}));
}

TEST_F(DeviceTreeTest, TheRootOfTheAddressIsLookedUpWhereNoFileTellsIt) {
  Write("nic-0/kind", "nic");
  Write("nic-0/address", "0000:3b:00.0");
  options_.pcie_root = [](const std::string& id) { return "pci" + id.substr(0, 7); };
  EXPECT_EQ(Published("nic-0").attributes.at("resource.kubernetes.io/pcieRoot").string,
            "pci0000:3b");
}

TEST_F(DeviceTreeTest, WhatHasNoValueOfItsKindIsLeftOutAndNamed) {
  Write("nic-0/kind", "nic");
  Write("nic-0/numa_node", "one");
  Write("nic-0/position", "1,2");
  Write("nic-0/nodes", "../sda 8:0\n/dev/sda 8:0\neth 1\ntap0 10:200\n");
  Write("nic-0/capacity/bandwidth/total", "much");
  Write("nic-0/capacity/queues/total", "10");
  Write("nic-0/capacity/queues/step", "3");
  Write("nic-0/model", std::string(5000, 'x'));
  std::vector<std::string> problems;
  const auto device = ReadDevice(dir_ / "nic-0", problems);
  ASSERT_TRUE(device);
  EXPECT_FALSE(device->numa_node);
  EXPECT_FALSE(device->position);
  EXPECT_EQ(device->model, "");
  EXPECT_THAT(device->nodes, ElementsAre(DeviceNode{.path = "tap0", .major = 10, .minor = 200}));
  ASSERT_THAT(device->capacity, SizeIs(1));
  EXPECT_FALSE(device->capacity.at("queues").step);
  EXPECT_THAT(problems, ::testing::IsSupersetOf(
                            {HasSubstr("nic-0/numa_node: \"one\" is no number"),
                             HasSubstr("nic-0/position: \"1,2\" is no position"),
                             HasSubstr("nic-0/nodes: \"../sda 8:0\" is no device node"),
                             HasSubstr("nic-0/nodes: \"/dev/sda 8:0\" is no device node"),
                             HasSubstr("nic-0/nodes: \"eth 1\" is no device node"),
                             HasSubstr("nic-0/capacity/bandwidth/total: \"much\" is no amount"),
                             HasSubstr("nic-0/capacity/queues/step: the total is no multiple"),
                             HasSubstr("nic-0/model: is no file of at most 4096 bytes")}));
}

TEST_F(DeviceTreeTest, WhatIsNoDeviceDoesNotTakeTheOthersWithIt) {
  Write("nic-0/kind", "nic");
  Write("NIC_1/kind", "nic");
  Write("nic-2/kind", "Network card");
  Write("nic-3/model", "x");
  Write(".nic-4/kind", "nic");
  Write("README", "text");
  const Inventory inventory = Discover();
  ASSERT_THAT(inventory.devices, SizeIs(1));
  EXPECT_EQ(inventory.devices[0].name, "nic-0");
}

TEST_F(DeviceTreeTest, ATreeThatIsGoneIsNoEmptyTree) {
  DeviceTree gone(dir_ / "nothing");
  EXPECT_THAT(gone.Discover(), StatusIs(StatusCode::kUnavailable, HasSubstr("nothing: ")));
}

TEST_F(DeviceTreeTest, ASubSliceIsTheSumOfItsChipsAndAsWellAsTheWorst) {
  for (int i = 0; i < 2; ++i) {
    const std::string chip = "tpu-" + std::to_string(i);
    Write(chip + "/kind", "tpu");
    Write(chip + "/model", "v5");
    Write(chip + "/serial", "S" + std::to_string(i));
    Write(chip + "/index", std::to_string(i));
    Write(chip + "/position", std::to_string(i) + ",0,0");
    Write(chip + "/numa_node", "0");
    Write(chip + "/capacity/memory/total", "16Gi");
  }
  const Device one = Published("tpu-1");
  EXPECT_EQ(one.attributes.at("topology").string, "1x1x1");
  EXPECT_EQ(one.attributes.at("x").int_, 1);
  ASSERT_THAT(one.consumes_counters, SizeIs(1));
  const Device both = Published("tpu-2x1x1-0-0-0");
  EXPECT_EQ(both.attributes.at("topology").string, "2x1x1");
  EXPECT_EQ(both.attributes.at("chips").int_, 2);
  EXPECT_EQ(both.attributes.at("model").string, "v5");
  EXPECT_EQ(both.attributes.at("resource.kubernetes.io/numaNode").int_, 0);
  EXPECT_FALSE(both.attributes.contains("serial")) << "they differ";
  EXPECT_EQ(both.capacity.at("memory").value.ToString(), "32Gi");
  EXPECT_THAT(both.consumes_counters.at(0).counters, SizeIs(2));
  EXPECT_THAT(both.taints, IsEmpty());
  Write("tpu-1/health", "reset");
  ASSERT_THAT(Published("tpu-2x1x1-0-0-0").taints, SizeIs(1));
  EXPECT_EQ(Published("tpu-2x1x1-0-0-0").taints[0].value, "reset");
  EXPECT_THAT(Published("tpu-0").taints, IsEmpty());
}

}  // namespace
}  // namespace assay::driver_ref::discovery
