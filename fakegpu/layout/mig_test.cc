#include "fakegpu/layout/mig.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace assay::fakegpu::layout {
namespace {

// The rows of an H100's table that the tests use.
GpuState Board() {
  GpuState gpu{};
  gpu.mig_supported = 1;
  gpu.mig_memory_slices = 8;
  gpu.identity.memory_total_bytes = 81559ULL << 20;
  const auto row = [](std::uint32_t index, std::uint32_t id, std::uint32_t slices,
                      std::uint32_t instances, std::uint64_t memory_mib, std::uint32_t size,
                      std::uint32_t placements) {
    MigProfile profile{};
    profile.valid = 1;
    profile.index = index;
    profile.id = id;
    profile.slices = slices;
    profile.instances = instances;
    profile.memory_mib = memory_mib;
    profile.placement_size = size;
    profile.placements = placements;
    profile.multiprocessors = 16 * slices;
    return profile;
  };
  gpu.mig_profiles[0] = row(0, 19, 1, 7, 9984, 1, 0x7f);
  gpu.mig_profiles[1] = row(1, 14, 2, 3, 20091, 2, 0x15);
  gpu.mig_profiles[2] = row(2, 9, 3, 2, 40448, 4, 0x11);
  gpu.mig_profiles[3] = row(4, 0, 7, 1, 81152, 8, 0x01);
  return gpu;
}

MigError Create(NodeState& node, GpuState& gpu, std::uint32_t id, std::uint32_t start,
                std::uint32_t* place) {
  return CreateGpuInstance(node, gpu, *FindMigProfileById(gpu, id), start, place);
}

TEST(MigTest, NamesProfilesAsGoNvlibDoes) {
  const GpuState gpu = Board();
  std::vector<std::string> names;
  for (const std::uint32_t id : {19U, 14U, 9U, 0U}) {
    char name[64];
    MigProfileName(gpu, *FindMigProfileById(gpu, id), name, sizeof(name));
    names.emplace_back(name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"1g.10gb", "2g.20gb", "3g.40gb", "7g.80gb"}));
}

TEST(MigTest, FillsAGpuWithTheSmallestInstances) {
  NodeState node{};
  GpuState gpu = Board();
  const MigProfile& smallest = *FindMigProfileById(gpu, 19);
  for (std::uint32_t left = 7; left > 0; --left) {
    EXPECT_EQ(RemainingGpuInstances(gpu, smallest), left);
    std::uint32_t place = 0;
    ASSERT_EQ(Create(node, gpu, 19, kAnyPlacement, &place), MigError::kNone);
    EXPECT_EQ(gpu.gpu_instances[place].id, 7 + gpu.gpu_instances[place].start);
  }
  std::uint32_t place = 0;
  EXPECT_EQ(Create(node, gpu, 19, kAnyPlacement, &place), MigError::kNoRoom);
  EXPECT_EQ(RemainingGpuInstances(gpu, *FindMigProfileById(gpu, 9)), 0u);
}

TEST(MigTest, ChoosesThePlacementThatLeavesTheMostOpen) {
  NodeState node{};
  GpuState gpu = Board();
  std::uint32_t place = 0;
  ASSERT_EQ(Create(node, gpu, 19, kAnyPlacement, &place), MigError::kNone);
  EXPECT_EQ(gpu.gpu_instances[place].start, 6u) << "where it blocks the fewest others";
  EXPECT_EQ(RemainingGpuInstances(gpu, *FindMigProfileById(gpu, 14)), 3u);
}

TEST(MigTest, RefusesPlacementsThatOverlapOrDoNotExist) {
  NodeState node{};
  GpuState gpu = Board();
  std::uint32_t place = 0;
  ASSERT_EQ(Create(node, gpu, 9, 0, &place), MigError::kNone);
  EXPECT_EQ(gpu.gpu_instances[place].id, 1u);
  EXPECT_EQ(Create(node, gpu, 9, 0, &place), MigError::kNoRoom);
  EXPECT_EQ(Create(node, gpu, 9, 2, &place), MigError::kBadPlacement);
  EXPECT_EQ(Create(node, gpu, 14, 2, &place), MigError::kNoRoom);
  EXPECT_EQ(Create(node, gpu, 0, kAnyPlacement, &place), MigError::kNoRoom);
  EXPECT_EQ(Create(node, gpu, 14, 4, &place), MigError::kNone);
}

TEST(MigTest, SplitsAGpuInstanceIntoComputeInstances) {
  NodeState node{};
  GpuState gpu = Board();
  std::uint32_t parent = 0;
  ASSERT_EQ(Create(node, gpu, 9, 4, &parent), MigError::kNone);
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  ASSERT_EQ(CreateComputeInstance(node, gpu, parent, 0, kAnyPlacement, &first), MigError::kNone);
  ASSERT_EQ(CreateComputeInstance(node, gpu, parent, 0, kAnyPlacement, &second), MigError::kNone);
  const auto& instances = gpu.gpu_instances[parent].compute_instances;
  EXPECT_EQ(instances[second].start, 1u);
  EXPECT_STRNE(instances[first].uuid, instances[second].uuid);
  EXPECT_EQ(CreateComputeInstance(node, gpu, parent, 2, kAnyPlacement, &first), MigError::kNoRoom);
  EXPECT_EQ(CreateComputeInstance(node, gpu, parent, 4, kAnyPlacement, &first),
            MigError::kBadProfile);
  EXPECT_EQ(DestroyGpuInstance(gpu, parent), MigError::kInUse);
}

TEST(MigTest, AnInstanceInUseIsNotDestroyed) {
  NodeState node{};
  GpuState gpu = Board();
  std::uint32_t parent = 0;
  std::uint32_t compute = 0;
  ASSERT_EQ(Create(node, gpu, 19, 0, &parent), MigError::kNone);
  ASSERT_EQ(CreateComputeInstance(node, gpu, parent, 0, kAnyPlacement, &compute), MigError::kNone);
  const std::string uuid = gpu.gpu_instances[parent].compute_instances[compute].uuid;
  Process* process = gpu.processes.Add();
  process->type = Process::kCompute;
  process->gpu_instance = gpu.gpu_instances[parent].id;
  process->compute_instance = 0;
  EXPECT_EQ(DestroyComputeInstance(gpu, parent, compute), MigError::kInUse);
  gpu.processes.Remove(*process);
  EXPECT_EQ(DestroyComputeInstance(gpu, parent, compute), MigError::kNone);
  ASSERT_EQ(CreateComputeInstance(node, gpu, parent, 0, kAnyPlacement, &compute), MigError::kNone);
  EXPECT_NE(gpu.gpu_instances[parent].compute_instances[compute].uuid, uuid) << "a fresh UUID";
}

}  // namespace
}  // namespace assay::fakegpu::layout
