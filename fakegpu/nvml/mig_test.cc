// MIG through the C interface, over every board that can do it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/random.h"
#include "fakegpu/layout/transaction.h"
#include "fakegpu/nvml/testing/nvml_fixture.h"

namespace assay::fakegpu::nvml {
namespace {

constexpr unsigned int kBoards = 9;  // fixtures/nodes/mig-boards.yaml

class MigBoardTest : public NvmlTest, public ::testing::WithParamInterface<unsigned int> {
 protected:
  MigBoardTest() : NvmlTest("fixtures/nodes/mig-boards.yaml") {}

  void SetUp() override {
    NvmlTest::SetUp();
    device_ = Device(GetParam());
    nvmlReturn_t activation = NVML_ERROR_UNKNOWN;
    ASSERT_EQ(nvml().nvmlDeviceSetMigMode(device_, NVML_DEVICE_MIG_ENABLE, &activation),
              NVML_SUCCESS);
    ASSERT_EQ(activation, NVML_SUCCESS);
    for (unsigned int i = 0; i < NVML_GPU_INSTANCE_PROFILE_COUNT; ++i) {
      nvmlGpuInstanceProfileInfo_t info{};
      if (nvml().nvmlDeviceGetGpuInstanceProfileInfo(device_, i, &info) == NVML_SUCCESS) {
        profiles_[i] = info;
      }
    }
    ASSERT_GE(profiles_.size(), 5u);
  }

  nvmlDevice_t device() const { return device_; }
  // By NVML_GPU_INSTANCE_PROFILE_*.
  const std::map<unsigned int, nvmlGpuInstanceProfileInfo_t>& profiles() const { return profiles_; }

  unsigned int Remaining(unsigned int profile_id) const {
    unsigned int count = 99;
    EXPECT_EQ(nvml().nvmlDeviceGetGpuInstanceRemainingCapacity(device_, profile_id, &count),
              NVML_SUCCESS);
    return count;
  }

  std::vector<nvmlGpuInstancePlacement_t> Placements(unsigned int profile_id) const {
    unsigned int count = 0;
    EXPECT_EQ(
        nvml().nvmlDeviceGetGpuInstancePossiblePlacements_v2(device_, profile_id, nullptr, &count),
        NVML_SUCCESS);
    std::vector<nvmlGpuInstancePlacement_t> placements(count);
    EXPECT_EQ(nvml().nvmlDeviceGetGpuInstancePossiblePlacements_v2(device_, profile_id,
                                                                   placements.data(), &count),
              NVML_SUCCESS);
    return placements;
  }

  nvmlReturn_t Create(unsigned int profile_id, nvmlGpuInstance_t* created) const {
    return nvml().nvmlDeviceCreateGpuInstance(device_, profile_id, created);
  }

  static nvmlGpuInstanceInfo_t Info(nvmlGpuInstance_t instance) {
    nvmlGpuInstanceInfo_t info{};
    EXPECT_EQ(nvml().nvmlGpuInstanceGetInfo(instance, &info), NVML_SUCCESS);
    return info;
  }

  // The UUIDs of the board's MIG devices, in their order.
  std::vector<std::string> MigUuids() const {
    std::vector<std::string> uuids;
    unsigned int most = 0;
    EXPECT_EQ(nvml().nvmlDeviceGetMaxMigDeviceCount(device_, &most), NVML_SUCCESS);
    for (unsigned int i = 0; i < most; ++i) {
      nvmlDevice_t mig = nullptr;
      const nvmlReturn_t result = nvml().nvmlDeviceGetMigDeviceHandleByIndex(device_, i, &mig);
      if (result == NVML_ERROR_NOT_FOUND) {
        continue;
      }
      EXPECT_EQ(result, NVML_SUCCESS);
      char uuid[NVML_DEVICE_UUID_V2_BUFFER_SIZE] = "";
      EXPECT_EQ(nvml().nvmlDeviceGetUUID(mig, uuid, sizeof(uuid)), NVML_SUCCESS);
      uuids.emplace_back(uuid);
    }
    return uuids;
  }

 private:
  nvmlDevice_t device_ = nullptr;
  std::map<unsigned int, nvmlGpuInstanceProfileInfo_t> profiles_;
};

INSTANTIATE_TEST_SUITE_P(, MigBoardTest, ::testing::Range(0U, kBoards));

TEST_P(MigBoardTest, EveryVersionOfAProfileSaysTheSame) {
  for (unsigned int i = 0; i < NVML_GPU_INSTANCE_PROFILE_COUNT; ++i) {
    nvmlGpuInstanceProfileInfo_v3_t third{};
    third.version = nvmlGpuInstanceProfileInfo_v3;
    auto* second_pointer = reinterpret_cast<nvmlGpuInstanceProfileInfo_v2_t*>(&third);
    const nvmlReturn_t result =
        nvml().nvmlDeviceGetGpuInstanceProfileInfoV(device(), i, second_pointer);
    if (!profiles().contains(i)) {
      EXPECT_EQ(result, NVML_ERROR_NOT_SUPPORTED);
      continue;
    }
    ASSERT_EQ(result, NVML_SUCCESS);
    const nvmlGpuInstanceProfileInfo_t& first = profiles().at(i);
    EXPECT_EQ(third.id, first.id);
    EXPECT_EQ(third.memorySizeMB, first.memorySizeMB);
    EXPECT_EQ(third.multiprocessorCount, first.multiprocessorCount);
    nvmlGpuInstanceProfileInfo_v2_t second{};
    second.version = nvmlGpuInstanceProfileInfo_v2;
    ASSERT_EQ(nvml().nvmlDeviceGetGpuInstanceProfileInfoByIdV(device(), first.id, &second),
              NVML_SUCCESS);
    EXPECT_STREQ(second.name, third.name);
    EXPECT_EQ(second.instanceCount, first.instanceCount);
    EXPECT_EQ((third.capabilities & NVML_GPU_INSTANCE_PROFILE_CAPS_GFX) != 0,
              std::string(third.name).ends_with("+gfx"));
    second.version = 0;
    EXPECT_EQ(nvml().nvmlDeviceGetGpuInstanceProfileInfoV(device(), i, &second),
              NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
  }
  nvmlGpuInstanceProfileInfo_t info{};
  EXPECT_EQ(
      nvml().nvmlDeviceGetGpuInstanceProfileInfo(device(), NVML_GPU_INSTANCE_PROFILE_COUNT, &info),
      NVML_ERROR_INVALID_ARGUMENT);
}

// As many instances of a profile fit as it says, each at a placement of its own.
TEST_P(MigBoardTest, AProfileFillsTheBoardAndNoMore) {
  for (const auto& [index, profile] : profiles()) {
    SCOPED_TRACE("profile " + std::to_string(profile.id));
    const auto placements = Placements(profile.id);
    ASSERT_GE(placements.size(), profile.instanceCount);
    std::vector<nvmlGpuInstance_t> instances;
    std::set<unsigned int> taken;
    for (unsigned int i = 0; i < profile.instanceCount; ++i) {
      ASSERT_EQ(Remaining(profile.id), profile.instanceCount - i);
      nvmlGpuInstance_t instance = nullptr;
      ASSERT_EQ(Create(profile.id, &instance), NVML_SUCCESS);
      const nvmlGpuInstanceInfo_t info = Info(instance);
      EXPECT_EQ(info.device, device());
      EXPECT_EQ(info.profileId, profile.id);
      EXPECT_TRUE(std::any_of(placements.begin(), placements.end(), [&](const auto& placement) {
        return placement.start == info.placement.start && placement.size == info.placement.size;
      }));
      for (unsigned int slice = 0; slice < info.placement.size; ++slice) {
        EXPECT_TRUE(taken.insert(info.placement.start + slice).second) << "overlaps";
      }
      nvmlGpuInstance_t by_id = nullptr;
      EXPECT_EQ(nvml().nvmlDeviceGetGpuInstanceById(device(), info.id, &by_id), NVML_SUCCESS);
      EXPECT_EQ(by_id, instance);
      instances.push_back(instance);
    }
    nvmlGpuInstance_t one_more = nullptr;
    EXPECT_EQ(Remaining(profile.id), 0u);
    EXPECT_EQ(Create(profile.id, &one_more), NVML_ERROR_INSUFFICIENT_RESOURCES);
    std::vector<nvmlGpuInstance_t> listed(profile.instanceCount);
    unsigned int count = profile.instanceCount;
    ASSERT_EQ(nvml().nvmlDeviceGetGpuInstances(device(), profile.id, listed.data(), &count),
              NVML_SUCCESS);
    EXPECT_EQ(count, profile.instanceCount);
    EXPECT_THAT(listed, ::testing::UnorderedElementsAreArray(instances));
    for (nvmlGpuInstance_t instance : instances) {
      EXPECT_EQ(nvml().nvmlGpuInstanceDestroy(instance), NVML_SUCCESS);
      EXPECT_EQ(nvml().nvmlGpuInstanceDestroy(instance), NVML_ERROR_INVALID_ARGUMENT)
          << "a stale handle";
    }
  }
}

TEST_P(MigBoardTest, EveryPlacementCanBeAskedForOnce) {
  for (const auto& [index, profile] : profiles()) {
    std::set<unsigned int> starts;
    std::set<unsigned int> ids;
    for (const nvmlGpuInstancePlacement_t& placement : Placements(profile.id)) {
      SCOPED_TRACE(std::to_string(profile.id) + " at " + std::to_string(placement.start));
      starts.insert(placement.start);
      nvmlGpuInstance_t instance = nullptr;
      ASSERT_EQ(nvml().nvmlDeviceCreateGpuInstanceWithPlacement(device(), profile.id, &placement,
                                                                &instance),
                NVML_SUCCESS);
      EXPECT_TRUE(ids.insert(Info(instance).id).second);
      nvmlGpuInstance_t again = nullptr;
      EXPECT_EQ(
          nvml().nvmlDeviceCreateGpuInstanceWithPlacement(device(), profile.id, &placement, &again),
          NVML_ERROR_INSUFFICIENT_RESOURCES);
      EXPECT_EQ(nvml().nvmlGpuInstanceDestroy(instance), NVML_SUCCESS);
    }
    for (unsigned int start = 0; start < 10; ++start) {
      const auto& placements = Placements(profile.id);
      nvmlGpuInstancePlacement_t placement{.start = start, .size = placements[0].size};
      if (starts.contains(start)) {
        placement.size += 1;
      }
      nvmlGpuInstance_t instance = nullptr;
      EXPECT_EQ(nvml().nvmlDeviceCreateGpuInstanceWithPlacement(device(), profile.id, &placement,
                                                                &instance),
                NVML_ERROR_INVALID_ARGUMENT)
          << profile.id << " at " << start << " of size " << placement.size;
    }
  }
}

// Instances of many profiles, made and ended at random: capacity says what a creation would answer,
// nothing overlaps, and no more compute slices are given out than the board has.
TEST_P(MigBoardTest, CapacityTellsTheTruthOverARandomLife) {
  constexpr std::uint64_t kSeed = 7;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  Random random(kSeed);
  std::vector<nvmlGpuInstanceProfileInfo_t> rows;
  unsigned int board_slices = 0;
  for (const auto& [index, profile] : profiles()) {
    rows.push_back(profile);
    board_slices = std::max(board_slices, profile.sliceCount);
  }
  std::vector<nvmlGpuInstance_t> instances;
  for (int step = 0; step < 300; ++step) {
    if (!instances.empty() && random.Below(3) == 0) {
      const std::size_t at = random.Below(instances.size());
      ASSERT_EQ(nvml().nvmlGpuInstanceDestroy(instances[at]), NVML_SUCCESS);
      instances.erase(instances.begin() + static_cast<std::ptrdiff_t>(at));
      continue;
    }
    const auto& profile = rows[random.Below(rows.size())];
    const unsigned int remaining = Remaining(profile.id);
    nvmlGpuInstance_t instance = nullptr;
    ASSERT_EQ(Create(profile.id, &instance),
              remaining > 0 ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_RESOURCES)
        << "profile " << profile.id << " in step " << step;
    if (instance != nullptr) {
      instances.push_back(instance);
    }
    unsigned int slices = 0;
    std::set<unsigned int> taken;
    for (nvmlGpuInstance_t live : instances) {
      const nvmlGpuInstanceInfo_t info = Info(live);
      for (const auto& row : rows) {
        slices += row.id == info.profileId ? row.sliceCount : 0;
      }
      for (unsigned int i = 0; i < info.placement.size; ++i) {
        ASSERT_TRUE(taken.insert(info.placement.start + i).second);
      }
    }
    ASSERT_LE(slices, board_slices);
  }
}

// A row of what a compute instance looks like from its device handle.
TEST_P(MigBoardTest, ComputeInstancesAreDevicesWithTheirShare) {
  std::set<std::string> uuids;
  for (const auto& [index, profile] : profiles()) {
    nvmlGpuInstance_t parent = nullptr;
    ASSERT_EQ(Create(profile.id, &parent), NVML_SUCCESS);
    for (unsigned int ci = 0; ci < NVML_COMPUTE_INSTANCE_PROFILE_COUNT; ++ci) {
      SCOPED_TRACE(std::to_string(profile.id) + ", compute profile " + std::to_string(ci));
      nvmlComputeInstanceProfileInfo_t info{};
      const nvmlReturn_t has = nvml().nvmlGpuInstanceGetComputeInstanceProfileInfo(
          parent, ci, NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED, &info);
      nvmlComputeInstance_t instance = nullptr;
      if (has != NVML_SUCCESS) {
        EXPECT_EQ(has, NVML_ERROR_NOT_SUPPORTED);
        EXPECT_EQ(nvml().nvmlGpuInstanceCreateComputeInstance(parent, ci, &instance),
                  NVML_ERROR_INVALID_ARGUMENT);
        continue;
      }
      EXPECT_EQ(info.id, ci);
      unsigned int remaining = 0;
      ASSERT_EQ(
          nvml().nvmlGpuInstanceGetComputeInstanceRemainingCapacity(parent, info.id, &remaining),
          NVML_SUCCESS);
      EXPECT_EQ(remaining, info.instanceCount);
      ASSERT_EQ(nvml().nvmlGpuInstanceCreateComputeInstance(parent, info.id, &instance),
                NVML_SUCCESS);
      nvmlComputeInstanceInfo_t made{};
      ASSERT_EQ(nvml().nvmlComputeInstanceGetInfo_v2(instance, &made), NVML_SUCCESS);
      EXPECT_EQ(made.profileId, ci);
      EXPECT_EQ(made.gpuInstance, parent);
      EXPECT_EQ(made.placement.size, info.sliceCount);
      EXPECT_EQ(nvml().nvmlGpuInstanceDestroy(parent), NVML_ERROR_IN_USE);

      nvmlDevice_t mig = nullptr;
      ASSERT_EQ(nvml().nvmlDeviceGetMigDeviceHandleByIndex(device(), 0, &mig), NVML_SUCCESS);
      nvmlDeviceAttributes_t attributes{};
      ASSERT_EQ(nvml().nvmlDeviceGetAttributes_v2(mig, &attributes), NVML_SUCCESS);
      EXPECT_EQ(attributes.multiprocessorCount, info.multiprocessorCount);
      EXPECT_EQ(attributes.gpuInstanceSliceCount, profile.sliceCount);
      EXPECT_EQ(attributes.computeInstanceSliceCount, info.sliceCount);
      EXPECT_EQ(attributes.memorySizeMB, profile.memorySizeMB);
      EXPECT_EQ(attributes.sharedJpegCount, profile.jpegCount);
      nvmlMemory_t memory{};
      ASSERT_EQ(nvml().nvmlDeviceGetMemoryInfo(mig, &memory), NVML_SUCCESS);
      EXPECT_EQ(memory.total >> 20, profile.memorySizeMB);
      unsigned int gpu_instance = 0;
      unsigned int compute_instance = 99;
      ASSERT_EQ(nvml().nvmlDeviceGetGpuInstanceId(mig, &gpu_instance), NVML_SUCCESS);
      ASSERT_EQ(nvml().nvmlDeviceGetComputeInstanceId(mig, &compute_instance), NVML_SUCCESS);
      EXPECT_EQ(gpu_instance, Info(parent).id);
      EXPECT_EQ(compute_instance, made.id);
      nvmlDevice_t whole = nullptr;
      ASSERT_EQ(nvml().nvmlDeviceGetDeviceHandleFromMigDeviceHandle(mig, &whole), NVML_SUCCESS);
      EXPECT_EQ(whole, device());
      const auto listed = MigUuids();
      ASSERT_EQ(listed.size(), 1u);
      EXPECT_TRUE(uuids.insert(listed[0]).second) << listed[0] << " is not fresh";
      nvmlDevice_t by_uuid = nullptr;
      ASSERT_EQ(nvml().nvmlDeviceGetHandleByUUID(listed[0].c_str(), &by_uuid), NVML_SUCCESS);
      EXPECT_EQ(by_uuid, mig);

      ASSERT_EQ(nvml().nvmlComputeInstanceDestroy(instance), NVML_SUCCESS);
      EXPECT_EQ(nvml().nvmlDeviceGetHandleByUUID(listed[0].c_str(), &by_uuid),
                NVML_ERROR_NOT_FOUND);
    }
    ASSERT_EQ(nvml().nvmlGpuInstanceDestroy(parent), NVML_SUCCESS);
  }
}

TEST_P(MigBoardTest, AGpuInstanceFillsWithComputeInstancesOfOneSlice) {
  const auto& [index, profile] =
      *std::max_element(profiles().begin(), profiles().end(), [](const auto& a, const auto& b) {
        return std::tuple(a.second.sliceCount, b.second.id) <
               std::tuple(b.second.sliceCount, a.second.id);
      });
  nvmlGpuInstance_t parent = nullptr;
  ASSERT_EQ(Create(profile.id, &parent), NVML_SUCCESS);
  std::vector<nvmlComputeInstance_t> instances(profile.sliceCount);
  for (nvmlComputeInstance_t& instance : instances) {
    ASSERT_EQ(nvml().nvmlGpuInstanceCreateComputeInstance(parent, 0, &instance), NVML_SUCCESS);
  }
  nvmlComputeInstance_t one_more = nullptr;
  EXPECT_EQ(nvml().nvmlGpuInstanceCreateComputeInstance(parent, 0, &one_more),
            NVML_ERROR_INSUFFICIENT_RESOURCES);
  const auto uuids = MigUuids();
  EXPECT_EQ(std::set<std::string>(uuids.begin(), uuids.end()).size(), profile.sliceCount);
}

TEST_P(MigBoardTest, AReturnFaultMayBeOfOneInstance) {
  nvmlGpuInstance_t instances[2] = {};
  for (nvmlGpuInstance_t& instance : instances) {
    ASSERT_EQ(Create(profiles().at(NVML_GPU_INSTANCE_PROFILE_1_SLICE).id, &instance), NVML_SUCCESS);
  }
  control::ReturnFault fault{"nvmlGpuInstanceGetInfo", NVML_ERROR_TIMEOUT};
  fault.gpu_instance = Info(instances[1]).id;
  ASSERT_THAT(node().Inject(std::to_string(GetParam()), fault), assay::testing::IsOk());
  nvmlGpuInstanceInfo_t info{};
  EXPECT_EQ(nvml().nvmlGpuInstanceGetInfo(instances[0], &info), NVML_SUCCESS);
  EXPECT_EQ(nvml().nvmlGpuInstanceGetInfo(instances[1], &info), NVML_ERROR_TIMEOUT);
}

TEST_P(MigBoardTest, WhatIsInUseIsKept) {
  const auto& profile = profiles().at(NVML_GPU_INSTANCE_PROFILE_1_SLICE);
  nvmlGpuInstance_t parent = nullptr;
  nvmlComputeInstance_t instance = nullptr;
  ASSERT_EQ(Create(profile.id, &parent), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlGpuInstanceCreateComputeInstance(parent, 0, &instance), NVML_SUCCESS);
  const auto change = [&](auto&& body) {
    layout::Transaction transaction;
    ASSERT_EQ(transaction.Begin(state_path().c_str()), layout::OpenError::kNone);
    body(transaction.gpu(GetParam()));
    transaction.Commit();
  };
  change([&](layout::GpuState& gpu) {
    layout::Process* process = gpu.processes.Add();
    process->type = layout::Process::kCompute;
    process->pid = 4711;
    process->gpu_instance = Info(parent).id;
    process->memory_bytes = 1 << 20;
  });
  nvmlReturn_t activation = NVML_SUCCESS;
  EXPECT_EQ(nvml().nvmlComputeInstanceDestroy(instance), NVML_ERROR_IN_USE);
  EXPECT_EQ(nvml().nvmlDeviceSetMigMode(device(), NVML_DEVICE_MIG_DISABLE, &activation),
            NVML_ERROR_IN_USE);
  nvmlProcessInfo_t info{};
  unsigned int count = 1;
  ASSERT_EQ(nvml().nvmlDeviceGetComputeRunningProcesses_v3(device(), &count, &info), NVML_SUCCESS);
  EXPECT_EQ(std::tuple(count, info.pid, info.gpuInstanceId, info.computeInstanceId),
            std::tuple(1u, 4711u, Info(parent).id, 0u));
  change([](layout::GpuState& gpu) { gpu.processes.Remove(gpu.processes.entries[0]); });
  EXPECT_EQ(nvml().nvmlComputeInstanceDestroy(instance), NVML_SUCCESS);
  EXPECT_EQ(nvml().nvmlGpuInstanceDestroy(parent), NVML_SUCCESS);
  EXPECT_EQ(nvml().nvmlDeviceSetMigMode(device(), NVML_DEVICE_MIG_DISABLE, &activation),
            NVML_SUCCESS);
}

TEST_P(MigBoardTest, AProcessRunsInTheInstanceThatItNames) {
  const auto& profile = profiles().at(NVML_GPU_INSTANCE_PROFILE_1_SLICE);
  const std::string gpu = std::to_string(GetParam());
  control::ProcessInfo process{.pid = 4711, .name = "serve", .memory_bytes = 1 << 20};
  EXPECT_THAT(node().StartProcess(gpu, process, 10),
              assay::testing::StatusIs(StatusCode::kFailedPrecondition));
  nvmlGpuInstance_t parents[2] = {};
  for (nvmlGpuInstance_t& parent : parents) {
    nvmlComputeInstance_t instance = nullptr;
    ASSERT_EQ(Create(profile.id, &parent), NVML_SUCCESS);
    ASSERT_EQ(nvml().nvmlGpuInstanceCreateComputeInstance(parent, 0, &instance), NVML_SUCCESS);
  }
  process.gpu_instance = Info(parents[1]).id;
  process.compute_instance = 6;
  EXPECT_THAT(node().StartProcess(gpu, process, 10),
              assay::testing::StatusIs(StatusCode::kNotFound));
  process.compute_instance = 0;
  process.memory_bytes = profile.memorySizeMB * 1024 * 1024 + 1;
  EXPECT_THAT(node().StartProcess(gpu, process, 10),
              assay::testing::StatusIs(StatusCode::kResourceExhausted));
  process.memory_bytes = 1 << 20;
  ASSERT_THAT(node().StartProcess(gpu, process, 10), assay::testing::IsOk());
  unsigned int seen = 0;
  for (unsigned int i = 0; i < 2; ++i) {
    nvmlDevice_t mig = nullptr;
    ASSERT_EQ(nvml().nvmlDeviceGetMigDeviceHandleByIndex(device(), i, &mig), NVML_SUCCESS);
    unsigned int id = 0;
    ASSERT_EQ(nvml().nvmlDeviceGetGpuInstanceId(mig, &id), NVML_SUCCESS);
    nvmlProcessInfo_t info{};
    unsigned int count = 1;
    ASSERT_EQ(nvml().nvmlDeviceGetComputeRunningProcesses_v3(mig, &count, &info), NVML_SUCCESS);
    ASSERT_EQ(count, id == process.gpu_instance ? 1U : 0U);
    if (count == 1) {
      ++seen;
      EXPECT_EQ(std::tuple(info.pid, info.gpuInstanceId, info.computeInstanceId),
                std::tuple(4711U, id, 0U));
    }
  }
  EXPECT_EQ(seen, 1U);
  const Result<control::NodeInfo> shown = node().Show();
  ASSERT_THAT(shown, assay::testing::IsOk());
  EXPECT_EQ(shown->gpus[GetParam()].processes.at(0).gpu_instance, process.gpu_instance);
  ASSERT_THAT(node().EndProcess(gpu, 4711), assay::testing::IsOk());
}

TEST_P(MigBoardTest, InstancesOutliveTheProcessThatMadeThem) {
  const auto& profile = profiles().at(NVML_GPU_INSTANCE_PROFILE_1_SLICE);
  ASSERT_TRUE(InChild([&] {
    nvmlGpuInstance_t parent = nullptr;
    nvmlComputeInstance_t instance = nullptr;
    return Create(profile.id, &parent) == NVML_SUCCESS &&
           nvml().nvmlGpuInstanceCreateComputeInstance(parent, 0, &instance) == NVML_SUCCESS;
  }));
  const auto uuids = MigUuids();
  ASSERT_EQ(uuids.size(), 1u);
  ASSERT_EQ(nvml().nvmlShutdown(), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlInit_v2(), NVML_SUCCESS);
  EXPECT_EQ(MigUuids(), uuids);
}

TEST_P(MigBoardTest, WithMigOffAProcessHasNoInstance) {
  nvmlReturn_t activation = NVML_ERROR_UNKNOWN;
  ASSERT_EQ(nvml().nvmlDeviceSetMigMode(device(), NVML_DEVICE_MIG_DISABLE, &activation),
            NVML_SUCCESS);
  const control::ProcessInfo process{
      .pid = 1, .name = "p", .memory_bytes = 1, .gpu_instance = 1, .compute_instance = 0};
  EXPECT_THAT(node().StartProcess(std::to_string(GetParam()), process, 10),
              assay::testing::StatusIs(StatusCode::kFailedPrecondition));
}

TEST_P(MigBoardTest, WithMigOffNothingIsMade) {
  nvmlReturn_t activation = NVML_ERROR_UNKNOWN;
  ASSERT_EQ(nvml().nvmlDeviceSetMigMode(device(), NVML_DEVICE_MIG_DISABLE, &activation),
            NVML_SUCCESS);
  nvmlGpuInstance_t instance = nullptr;
  EXPECT_EQ(Create(profiles().begin()->second.id, &instance), NVML_ERROR_NOT_SUPPORTED);
  unsigned int most = 99;
  EXPECT_EQ(nvml().nvmlDeviceGetMaxMigDeviceCount(device(), &most), NVML_SUCCESS);
  EXPECT_EQ(most, 0u);
}

class NoMigTest : public NvmlTest {
 protected:
  NoMigTest() : NvmlTest("fixtures/nodes/mixed.yaml") {}
};

TEST_F(NoMigTest, BoardsWithoutMigRefuseIt) {
  for (const unsigned int index : {0U, 1U, 2U}) {
    unsigned int current = 0;
    unsigned int pending = 0;
    EXPECT_EQ(nvml().nvmlDeviceGetMigMode(Device(index), &current, &pending),
              NVML_ERROR_NOT_SUPPORTED);
    nvmlReturn_t activation = NVML_SUCCESS;
    EXPECT_EQ(nvml().nvmlDeviceSetMigMode(Device(index), NVML_DEVICE_MIG_ENABLE, &activation),
              NVML_ERROR_NOT_SUPPORTED);
    unsigned int most = 99;
    EXPECT_EQ(nvml().nvmlDeviceGetMaxMigDeviceCount(Device(index), &most), NVML_SUCCESS);
    EXPECT_EQ(most, 0u);
  }
}

}  // namespace
}  // namespace assay::fakegpu::nvml
