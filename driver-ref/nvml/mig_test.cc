// Dividing GPUs on the fake NVML, whose boards answer as measured ones do.
#include "driver-ref/nvml/mig.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "driver-ref/discovery/devices.h"
#include "driver-ref/nvml/nvml_backend.h"
#include "fakegpu/control/control.h"

namespace assay::driver_ref::nvml {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

using discovery::Gpu;
using discovery::NodeDevice;
using discovery::Partition;
using discovery::PartitionPlace;

class MigTest : public ::testing::Test {
 protected:
  explicit MigTest(const std::string& node_file = "fixtures/nodes/one-h100.yaml")
      : dir_(*TempDir::Create()) {
    node_.emplace(*fakegpu::control::Node::Create(dir_ / "state", node_file));
    ::setenv("ASSAY_FAKEGPU_STATE", (dir_ / "state").c_str(), 1);
    backend_ = *NvmlBackend::Load(ASSAY_NVML_LIBRARY, {.divide = true});
    partitioner_ = backend_->partitioner();
    Look();
  }

  void SetUp() override {
    if (geteuid() != 0) {
      GTEST_SKIP() << "dividing GPUs is root's";
    }
  }
  void Look() {
    const auto inventory = backend_->Discover();
    ASSERT_THAT(inventory, IsOk());
    inventory_ = *inventory;
  }
  // The place of the profile's partition at `start`.
  static PartitionPlace At(const Gpu& gpu, const std::string& profile, std::uint32_t start) {
    for (const NodeDevice& device : discovery::DevicesOf(gpu)) {
      if (device.profile != nullptr && device.profile->name == profile && device.start == start) {
        return device.place();
      }
    }
    ADD_FAILURE() << gpu.model << " has no " << profile << " at " << start;
    return {};
  }
  // As an administrator does it with nvidia-smi.
  void TurnModeOn(const std::string& uuid) {
    void* const library = ::dlopen(ASSAY_NVML_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    Functions f;
    ASSERT_THAT(FindAll(library, f), IsOk());
    nvmlDevice_t device = nullptr;
    nvmlReturn_t activation = NVML_SUCCESS;
    ASSERT_EQ(f.handle_by_uuid(uuid.c_str(), &device), NVML_SUCCESS);
    ASSERT_EQ(f.set_mig_mode(device, NVML_DEVICE_MIG_ENABLE, &activation), NVML_SUCCESS);
    ASSERT_EQ(activation, NVML_SUCCESS);
  }
  // As the node has it.
  fakegpu::control::GpuInfo Shown(const std::string& uuid) {
    const fakegpu::control::NodeInfo node = *node_->Show();
    for (const fakegpu::control::GpuInfo& gpu : node.gpus) {
      if (gpu.uuid == uuid) {
        return gpu;
      }
    }
    ADD_FAILURE() << uuid;
    return {};
  }

  TempDir dir_;
  std::optional<fakegpu::control::Node> node_;
  std::unique_ptr<NvmlBackend> backend_;
  discovery::Partitioner* partitioner_ = nullptr;
  discovery::Inventory inventory_;
};

class MigBoardsTest : public MigTest {
 protected:
  MigBoardsTest() : MigTest("fixtures/nodes/mig-boards.yaml") {}
};

TEST_F(MigTest, APartitionIsMadeAndEnds) {
  const std::string uuid = inventory_.gpus.at(0).uuid;
  const PartitionPlace place = At(inventory_.gpus[0], "2g.20gb", 2);
  EXPECT_FALSE(Shown(uuid).mig_enabled);
  const auto made = partitioner_->Create(place);
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(made->place, place);
  EXPECT_THAT(made->uuid, StartsWith("MIG-"));
  EXPECT_THAT(*partitioner_->List(uuid), ElementsAre(*made));
  ASSERT_THAT(Shown(uuid).gpu_instances, SizeIs(1));
  EXPECT_EQ(Shown(uuid).gpu_instances[0].id, made->gpu_instance);
  EXPECT_EQ(Shown(uuid).gpu_instances[0].compute_instances.at(0).uuid, made->uuid);
  EXPECT_THAT(partitioner_->Create(At(inventory_.gpus[0], "1g.10gb", 3)),
              StatusIs(StatusCode::kResourceExhausted, HasSubstr(uuid)));
  EXPECT_THAT(partitioner_->UseWhole(uuid), StatusIs(StatusCode::kFailedPrecondition));
  ASSERT_THAT(partitioner_->Destroy(place), IsOk());
  EXPECT_THAT(*partitioner_->List(uuid), IsEmpty());
  EXPECT_FALSE(Shown(uuid).mig_enabled);
  EXPECT_THAT(partitioner_->Destroy(place), IsOk()) << "again";
  EXPECT_THAT(partitioner_->UseWhole(uuid), IsOk());
}

TEST_F(MigTest, WhatCannotBeFinishedIsUndone) {
  const std::string uuid = inventory_.gpus.at(0).uuid;
  ASSERT_THAT(node_->Inject(uuid, *fakegpu::control::ParseFault(
                                      "return=nvmlGpuInstanceCreateComputeInstance:999")),
              IsOk());
  EXPECT_THAT(partitioner_->Create(At(inventory_.gpus[0], "1g.10gb", 0)),
              StatusIs(StatusCode::kInternal, HasSubstr("nvmlGpuInstanceCreateComputeInstance")));
  EXPECT_THAT(Shown(uuid).gpu_instances, IsEmpty());
}

TEST_F(MigTest, WhatIsUsedStays) {
  const std::string uuid = inventory_.gpus.at(0).uuid;
  const PartitionPlace place = At(inventory_.gpus[0], "1g.10gb", 0);
  ASSERT_THAT(node_->StartProcess(uuid, {.pid = 7, .name = "whole", .memory_bytes = 1 << 20}, 10),
              IsOk());
  EXPECT_THAT(partitioner_->Create(place),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("something uses the GPU")));
  ASSERT_THAT(node_->EndProcess(uuid, 7), IsOk());
  const auto made = partitioner_->Create(place);
  ASSERT_THAT(made, IsOk());
  ASSERT_THAT(node_->StartProcess(uuid,
                                  {.pid = 8,
                                   .name = "part",
                                   .memory_bytes = 1 << 20,
                                   .gpu_instance = made->gpu_instance,
                                   .compute_instance = made->compute_instance},
                                  10),
              IsOk());
  EXPECT_THAT(partitioner_->Destroy(place), StatusIs(StatusCode::kFailedPrecondition));
  ASSERT_THAT(node_->EndProcess(uuid, 8), IsOk());
  EXPECT_THAT(partitioner_->Destroy(place), IsOk());
}

TEST_F(MigTest, ALostGpuKeepsItsProfiles) {
  const auto profiles = inventory_.gpus.at(0).mig_profiles;
  EXPECT_THAT(profiles, SizeIs(7));
  ASSERT_THAT(node_->Inject("0", fakegpu::control::XidFault{.xid = 79}), IsOk());
  Look();
  EXPECT_EQ(inventory_.gpus.at(0).needs, "lost");
  EXPECT_EQ(inventory_.gpus[0].mig_profiles, profiles);
  EXPECT_THAT(partitioner_->List(inventory_.gpus[0].uuid), StatusIs(StatusCode::kDataLoss));
}

TEST_F(MigBoardsTest, BeforeHopperTheModeIsTheAdministrators) {
  for (const Gpu& gpu : inventory_.gpus) {
    const bool ampere = gpu.architecture == "Ampere";
    EXPECT_EQ(gpu.mig_profiles.empty(), ampere) << gpu.model;
    EXPECT_TRUE(gpu.whole) << gpu.model;
    if (ampere) {
      TurnModeOn(gpu.uuid);
    }
  }
  Look();
  for (const Gpu& gpu : inventory_.gpus) {
    EXPECT_FALSE(gpu.mig_profiles.empty()) << gpu.model;
    EXPECT_EQ(gpu.whole, gpu.architecture != "Ampere") << gpu.model;
    if (!gpu.whole) {
      const PartitionPlace place = discovery::DevicesOf(gpu).at(0).place();
      ASSERT_THAT(partitioner_->Create(place), IsOk());
      ASSERT_THAT(partitioner_->Destroy(place), IsOk());
      EXPECT_TRUE(Shown(gpu.uuid).mig_enabled) << "only a reset turns it off";
    }
  }
}

// Whether what is left of the counters is enough for the device; then it is taken.
bool Take(const api::resource::Device& device,
          std::map<std::string, api::resource::Counter>& left) {
  for (const auto& [name, counter] : device.consumes_counters.at(0).counters) {
    if (left.at(name).value < counter.value) {
      return false;
    }
  }
  for (const auto& [name, counter] : device.consumes_counters[0].counters) {
    left.at(name).value.Sub(counter.value);
  }
  return true;
}

// The scheduler knows counters alone: what they allow in whatever order, every board must make; and
// what they refuse no board would, where its profiles' figures are measured: the multiprocessors of
// the Blackwell boards' largest are stand-ins.
TEST_F(MigBoardsTest, WhatTheCountersAllowIsWhatTheBoardsMake) {
  const unsigned int seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (const Gpu& gpu : inventory_.gpus) {
    if (gpu.mig_profiles.empty()) {
      TurnModeOn(gpu.uuid);
    }
  }
  Look();
  const auto sets = discovery::ToCounterSets(inventory_);
  ASSERT_EQ(sets.size(), inventory_.gpus.size());
  for (std::size_t i = 0; i < inventory_.gpus.size(); ++i) {
    const Gpu& gpu = inventory_.gpus[i];
    SCOPED_TRACE(gpu.model);
    for (int round = 0; round < 20; ++round) {
      std::vector<NodeDevice> order = discovery::DevicesOf(gpu);
      std::erase_if(order, [](const NodeDevice& device) { return device.profile == nullptr; });
      std::ranges::shuffle(order, random);
      auto left = sets[i].counters;
      std::vector<PartitionPlace> made;
      const auto devices = discovery::ToDevices({.gpus = {gpu}}, {.driver_name = "d"});
      for (const NodeDevice& device : order) {
        const auto published =
            std::ranges::find(devices, device.name, &api::resource::Device::name);
        ASSERT_NE(published, devices.end());
        const auto partition = partitioner_->Create(device.place());
        if (Take(*published, left)) {
          ASSERT_THAT(partition, IsOk()) << device.name;
          made.push_back(device.place());
        } else if (gpu.architecture != "Blackwell") {
          ASSERT_THAT(partition, StatusIs(StatusCode::kResourceExhausted)) << device.name;
        } else if (partition.ok()) {
          ASSERT_THAT(partitioner_->Destroy(device.place()), IsOk());
        }
      }
      for (const PartitionPlace& place : made) {
        ASSERT_THAT(partitioner_->Destroy(place), IsOk());
      }
    }
  }
}

}  // namespace
}  // namespace assay::driver_ref::nvml
