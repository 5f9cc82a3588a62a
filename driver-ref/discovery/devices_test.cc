#include "driver-ref/discovery/devices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/temp_dir.h"
#include "driver-ref/discovery/attributes.h"

namespace assay::driver_ref::discovery {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
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

TEST(DevicesTest, GpusOfOneNvlinkDomainHaveOneAttributeInCommon) {
  Inventory inventory = OneGpu();
  EXPECT_FALSE(ToDevices(inventory, Options()).at(0).attributes.contains("nvlinkDomain"));
  inventory.gpus[0].fabric_clique = "0e6d2f4c-61b0-4f4a-9b57-3f2a7c1d8e05.1";
  EXPECT_EQ(ToDevices(inventory, Options()).at(0).attributes.at("nvlinkDomain").string,
            "0e6d2f4c-61b0-4f4a-9b57-3f2a7c1d8e05.1");
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

// Of an H100, cut short: the profiles are NVML's to tell.
Inventory OneDividedGpu() {
  Inventory inventory = OneGpu();
  inventory.gpus[0].mig_profiles = {{.id = 9,
                                     .name = "3g.40gb",
                                     .memory_bytes = 40000,
                                     .multiprocessors = 60,
                                     .copy_engines = 3,
                                     .size = 4,
                                     .starts = {0, 4}},
                                    {.id = 20,
                                     .name = "1g.10gb+me",
                                     .memory_bytes = 10000,
                                     .multiprocessors = 16,
                                     .copy_engines = 1,
                                     .ofa_engines = 1,
                                     .size = 1,
                                     .starts = {0, 6}},
                                    {.id = 0,
                                     .name = "7g.80gb",
                                     .memory_bytes = 80000,
                                     .multiprocessors = 132,
                                     .copy_engines = 8,
                                     .ofa_engines = 1,
                                     .size = 8,
                                     .starts = {0}}};
  return inventory;
}

std::vector<std::string> Names(const std::vector<api::resource::Device>& devices) {
  std::vector<std::string> names;
  for (const api::resource::Device& device : devices) {
    names.push_back(device.name);
  }
  return names;
}

TEST(DevicesTest, EveryPartitionIsADeviceTheSmallestFirst) {
  const auto devices = ToDevices(OneDividedGpu(), Options());
  EXPECT_THAT(Names(devices), ElementsAre("gpu-0a1b-1g10gb-me-20-0", "gpu-0a1b-1g10gb-me-20-6",
                                          "gpu-0a1b-3g40gb-9-0", "gpu-0a1b-3g40gb-9-4",
                                          "gpu-0a1b-7g80gb-0-0", "gpu-0a1b"));
  const auto& attributes = devices[1].attributes;
  EXPECT_EQ(attributes.at("type").string, "mig");
  EXPECT_EQ(attributes.at("profile").string, "1g.10gb+me");
  EXPECT_EQ(attributes.at("parentUUID").string, "GPU-0A1b");
  EXPECT_EQ(attributes.at("productName").string, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(attributes.at("resource.kubernetes.io/pciBusID").string, "0000:1b:00.0");
  EXPECT_EQ(attributes.count("uuid"), 0u) << "the MIG device has none yet";
  EXPECT_EQ(devices[1].capacity.at("memory").value.Value(), 10000);
  EXPECT_EQ(devices[1].capacity.at("multiprocessors").value.Value(), 16);
  EXPECT_EQ(devices.back().attributes.at("type").string, "gpu");
  EXPECT_EQ(devices.back().capacity.at("memory").value.ToString(), "80Gi") << "as without MIG";
  EXPECT_EQ(devices.back().capacity.at("copyEngines").value.Value(), 8);
}

TEST(DevicesTest, PartitionsAndTheWholeGpuConsumeItsCounters) {
  const auto sets = ToCounterSets(OneDividedGpu());
  ASSERT_THAT(sets, SizeIs(1));
  EXPECT_EQ(sets[0].name, "gpu-0a1b-counter-set");
  EXPECT_THAT(sets[0].counters, SizeIs(7 + 8));
  EXPECT_EQ(sets[0].counters.at("memory").value.Value(), 80000);
  EXPECT_EQ(sets[0].counters.at("ofa-engines").value.Value(), 1);
  EXPECT_EQ(sets[0].counters.at("memory-slice-7").value.Value(), 1);
  const auto devices = ToDevices(OneDividedGpu(), Options());
  for (const auto& device : devices) {
    ASSERT_THAT(device.consumes_counters, SizeIs(1)) << device.name;
    EXPECT_EQ(device.consumes_counters[0].counter_set, sets[0].name);
  }
  EXPECT_EQ(devices.back().consumes_counters[0].counters, sets[0].counters) << "all of them";
  const auto& upper_half = devices[3].consumes_counters[0].counters;
  EXPECT_EQ(upper_half.count("memory-slice-3"), 0u);
  EXPECT_EQ(upper_half.at("memory-slice-4").value.Value(), 1);
  EXPECT_EQ(upper_half.at("memory-slice-7").value.Value(), 1);
  EXPECT_EQ(upper_half.at("multiprocessors").value.Value(), 60);
  EXPECT_EQ(upper_half.at("ofa-engines").value.Value(), 0);
}

TEST(DevicesTest, AGpuThatIsNotDividedConsumesNothing) {
  EXPECT_THAT(ToCounterSets(OneGpu()), IsEmpty());
  EXPECT_THAT(ToDevices(OneGpu(), Options()).at(0).consumes_counters, IsEmpty());
  EXPECT_EQ(ToDevices(OneGpu(), Options()).at(0).capacity.count("multiprocessors"), 0u);
}

TEST(DevicesTest, AGpuWhoseModeStaysOnIsNotOfferedWhole) {
  Inventory inventory = OneDividedGpu();
  inventory.gpus[0].whole = false;
  EXPECT_THAT(Names(ToDevices(inventory, Options())), Not(Contains("gpu-0a1b")));
}

TEST(DevicesTest, TaintsAreForEveryPartitionToo) {
  Inventory inventory = OneDividedGpu();
  inventory.gpus[0].needs = "lost";
  for (const auto& device : ToDevices(inventory, Options())) {
    ASSERT_THAT(device.taints, SizeIs(1)) << device.name;
    EXPECT_EQ(device.taints[0].value, "lost");
  }
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

TEST(DevicesTest, GpusOfAFabricAreBoundToItFirst) {
  Inventory inventory = OneGpu();
  DeviceOptions options = Options();
  options.bind_to_fabric = true;
  EXPECT_THAT(ToDevices(inventory, options).at(0).binding_conditions, IsEmpty()) << "no fabric";
  inventory.gpus[0].fabric = Fabric::kPending;
  const auto device = ToDevices(inventory, options).at(0);
  EXPECT_EQ(device.binds_to_node, true);
  EXPECT_THAT(device.binding_conditions, ElementsAre("gpu.example.com/fabric-ready"));
  EXPECT_THAT(device.binding_failure_conditions, ElementsAre("gpu.example.com/fabric-failed"));
  EXPECT_THAT(device.taints, IsEmpty());

  // So that the scheduler does not choose it again.
  inventory.gpus[0].fabric = Fabric::kFailed;
  ASSERT_THAT(ToDevices(inventory, options).at(0).taints, SizeIs(1));
  EXPECT_EQ(ToDevices(inventory, options).at(0).taints[0].value, "fabric");
  inventory.gpus[0].needs = "reset";
  ASSERT_THAT(ToDevices(inventory, options).at(0).taints, SizeIs(1));
  EXPECT_EQ(ToDevices(inventory, options).at(0).taints[0].value, "reset");
  options.bind_to_fabric = false;
  EXPECT_THAT(ToDevices(inventory, options).at(0).binding_conditions, IsEmpty());
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
