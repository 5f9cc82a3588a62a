#include "driver-ref/discovery/devices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/temp_dir.h"

namespace assay::driver_ref::discovery {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

Inventory OneGpu() {
  return {.driver_version = "580.95.05",
          .cuda_version = "13.0",
          .gpus = {{.uuid = "GPU-0A1b",
                    .minor = 3,
                    .model = "NVIDIA H100 80GB HBM3",
                    .brand = "Nvidia",
                    .architecture = "Hopper",
                    .compute_capability = "9.0",
                    .pci_bus_id = "0000:1b:00.0",
                    .memory_bytes = 85899345920,
                    .needs = ""}}};
}

DeviceOptions Options() {
  return {.driver_name = "gpu.example.com", .taint_effect = "NoExecute", .pcie_root = nullptr};
}

TEST(DevicesTest, PublishesTheStandardAttributes) {
  DeviceOptions options = Options();
  options.pcie_root = [](const std::string& bus_id) { return "pci" + bus_id.substr(0, 7); };
  const auto devices = ToDevices(OneGpu(), options);
  ASSERT_THAT(devices, SizeIs(1));
  const auto& attributes = devices[0].attributes;
  EXPECT_EQ(devices[0].name, "gpu-0a1b");
  EXPECT_EQ(attributes.at("uuid").string, "GPU-0A1b");
  EXPECT_EQ(attributes.at("productName").string, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(attributes.at("architecture").string, "Hopper");
  EXPECT_EQ(attributes.at("driverVersion").version, "580.95.5");
  EXPECT_EQ(attributes.at("cudaDriverVersion").version, "13.0.0");
  EXPECT_EQ(attributes.at("cudaComputeCapability").version, "9.0.0");
  EXPECT_EQ(attributes.at("resource.kubernetes.io/pciBusID").string, "0000:1b:00.0");
  EXPECT_EQ(attributes.at("resource.kubernetes.io/pcieRoot").string, "pci0000:1b");
  EXPECT_EQ(devices[0].capacity.at("memory").value.ToString(), "80Gi");
  EXPECT_THAT(devices[0].taints, IsEmpty());
}

TEST(DevicesTest, SharedGpusGoByTheirMemory) {
  Inventory inventory = OneGpu();
  inventory.gpus[0].memory_bytes += 12345;
  DeviceOptions options = Options();
  EXPECT_FALSE(ToDevices(inventory, options).at(0).allow_multiple_allocations);
  options.share = true;
  const auto device = ToDevices(inventory, options).at(0);
  EXPECT_EQ(device.allow_multiple_allocations, true);
  const auto& policy = device.capacity.at("memory").request_policy;
  ASSERT_TRUE(policy && policy->default_ && policy->valid_range);
  EXPECT_EQ(policy->default_->ToString(), "80Gi");
  EXPECT_EQ(policy->valid_range->min->ToString(), "1Gi");
  EXPECT_EQ(policy->valid_range->step->ToString(), "1Gi");
  inventory.gpus[0].memory_bytes = 1 << 30;
  EXPECT_FALSE(ToDevices(inventory, options).at(0).allow_multiple_allocations);
}

TEST(DevicesTest, TaintsWhatNeedsAttention) {
  Inventory inventory = OneGpu();
  inventory.gpus[0].needs = "reset";
  const auto devices = ToDevices(inventory, Options());
  ASSERT_THAT(devices.at(0).taints, SizeIs(1));
  EXPECT_EQ(devices[0].taints[0].key, "gpu.example.com/unhealthy");
  EXPECT_EQ(devices[0].taints[0].value, "reset");
  EXPECT_EQ(devices[0].taints[0].effect, "NoExecute");
}

TEST(DevicesTest, OddValuesFromTheHardwareSpoilNothing) {
  Inventory inventory = OneGpu();
  inventory.driver_version = "beta";
  inventory.gpus[0].model = std::string(63, 'x') + "\xc3\xa9";  // The last character does not fit.
  inventory.gpus.push_back({.uuid = "not a label"});
  const auto devices = ToDevices(inventory, Options());
  ASSERT_THAT(devices, SizeIs(1));
  EXPECT_EQ(devices[0].attributes.at("productName").string, std::string(63, 'x'));
  EXPECT_EQ(devices[0].attributes.count("driverVersion"), 0u);
}

TEST(SemanticVersionTest, DropsLeadingZerosAndFillsUp) {
  EXPECT_EQ(ToSemanticVersion("580.95.05"), "580.95.5");
  EXPECT_EQ(ToSemanticVersion("13.0"), "13.0.0");
  EXPECT_EQ(ToSemanticVersion("9"), "9.0.0");
  for (const char* text : {"", "a", "1.a", "1.2.3.4", "-1", "1..2"}) {
    EXPECT_EQ(ToSemanticVersion(text), "") << text;
  }
}

TEST(PcieRootTest, IsTheFirstPartOfTheDevicesPath) {
  const TempDir sysfs = *TempDir::Create();
  const auto device = sysfs / "devices/pci0000:17/0000:17:01.0/0000:1b:00.0";
  std::filesystem::create_directories(device);
  std::filesystem::create_directories(sysfs / "bus/pci/devices");
  std::filesystem::create_symlink(device, sysfs / "bus/pci/devices/0000:1b:00.0");
  EXPECT_EQ(PcieRootFromSysfs(sysfs.path(), "0000:1b:00.0"), "pci0000:17");
  EXPECT_EQ(PcieRootFromSysfs(sysfs.path(), "0000:1c:00.0"), "");
  EXPECT_EQ(PcieRootFromSysfs(sysfs.path(), ""), "");
}

}  // namespace
}  // namespace assay::driver_ref::discovery
