// Workload power profiles: offered by the board, requested and withdrawn, and what of it holds.

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "fakegpu/nvml/testing/nvml_fixture.h"

namespace assay::fakegpu::nvml {
namespace {

using Ids = std::vector<unsigned int>;

nvmlMask255_t Mask(const Ids& ids) {
  nvmlMask255_t mask{};
  for (const unsigned int id : ids) {
    mask.mask[id / 32] |= 1U << id % 32;
  }
  return mask;
}
Ids In(const nvmlMask255_t& mask) {
  Ids ids;
  for (unsigned int id = 0; id < NVML_WORKLOAD_POWER_MAX_PROFILES; ++id) {
    if ((mask.mask[id / 32] >> id % 32 & 1) != 0) {
      ids.push_back(id);
    }
  }
  return ids;
}

class PowerProfilesTest : public NvmlTest {
 protected:
  PowerProfilesTest() : NvmlTest("fixtures/nodes/dgx-b200.yaml") {}
  void SetUp() override {
    if (geteuid() != 0) {
      GTEST_SKIP() << "only root may request profiles";
    }
    NvmlTest::SetUp();
  }

  static nvmlWorkloadPowerProfileCurrentProfiles_t Current() {
    nvmlWorkloadPowerProfileCurrentProfiles_t current{};
    current.version = nvmlWorkloadPowerProfileCurrentProfiles_v1;
    EXPECT_EQ(nvml().nvmlDeviceWorkloadPowerProfileGetCurrentProfiles(Device(0), &current),
              NVML_SUCCESS);
    return current;
  }
  static nvmlReturn_t Update(nvmlPowerProfileOperation_t operation, const Ids& ids) {
    nvmlWorkloadPowerProfileUpdateProfiles_v1_t update{.operation = operation,
                                                       .updateProfilesMask = Mask(ids)};
    return nvml().nvmlDeviceWorkloadPowerProfileUpdateProfiles_v1(Device(0), &update);
  }
};

TEST_F(PowerProfilesTest, TheBoardTellsWhichItOffers) {
  const auto info = std::make_unique<nvmlWorkloadPowerProfileProfilesInfo_t>();
  EXPECT_EQ(nvml().nvmlDeviceWorkloadPowerProfileGetProfilesInfo(Device(0), info.get()),
            NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
  info->version = nvmlWorkloadPowerProfileProfilesInfo_v1;
  ASSERT_EQ(nvml().nvmlDeviceWorkloadPowerProfileGetProfilesInfo(Device(0), info.get()),
            NVML_SUCCESS);
  EXPECT_EQ(In(info->perfProfilesMask), (Ids{0, 1, 2, 3, 6, 7, 13}));
  const nvmlWorkloadPowerProfileInfo_t& inference =
      info->perfProfile[NVML_POWER_PROFILE_LLM_INFERENCE];
  EXPECT_EQ(inference.profileId, unsigned{NVML_POWER_PROFILE_LLM_INFERENCE});
  EXPECT_EQ(inference.priority, 12u);
  EXPECT_EQ(In(inference.conflictingMask), (Ids{2, 3, 7, 13}));
  EXPECT_EQ(info->perfProfile[4].version, 0u) << "not offered";
}

TEST_F(PowerProfilesTest, RequestsAddUpAndAreWithdrawn) {
  EXPECT_EQ(In(Current().requestedProfilesMask), Ids{});
  nvmlWorkloadPowerProfileRequestedProfiles_t requested{
      .version = nvmlWorkloadPowerProfileRequestedProfiles_v1, .requestedProfilesMask = Mask({6})};
  ASSERT_EQ(nvml().nvmlDeviceWorkloadPowerProfileSetRequestedProfiles(Device(0), &requested),
            NVML_SUCCESS);
  ASSERT_EQ(Update(NVML_POWER_PROFILE_OPERATION_SET, {1}), NVML_SUCCESS);
  EXPECT_EQ(In(Current().requestedProfilesMask), (Ids{1, 6}));
  EXPECT_EQ(In(Current().enforcedProfilesMask), (Ids{1, 6}));
  ASSERT_EQ(nvml().nvmlDeviceWorkloadPowerProfileClearRequestedProfiles(Device(0), &requested),
            NVML_SUCCESS);
  EXPECT_EQ(In(Current().requestedProfilesMask), Ids{1});
  ASSERT_EQ(Update(NVML_POWER_PROFILE_OPERATION_SET_AND_OVERWRITE, {0, 13}), NVML_SUCCESS);
  EXPECT_EQ(In(Current().requestedProfilesMask), (Ids{0, 13}));
}

TEST_F(PowerProfilesTest, OfThoseThatConflictTheMostImportantHolds) {
  ASSERT_EQ(Update(NVML_POWER_PROFILE_OPERATION_SET, {0, 1, 6, 7, 13}), NVML_SUCCESS);
  EXPECT_EQ(In(Current().enforcedProfilesMask), (Ids{0, 6}));
  ASSERT_EQ(Update(NVML_POWER_PROFILE_OPERATION_CLEAR, {0, 6}), NVML_SUCCESS);
  EXPECT_EQ(In(Current().enforcedProfilesMask), (Ids{1, 7}));
}

TEST_F(PowerProfilesTest, WhatIsNotOfferedIsRefused) {
  EXPECT_EQ(Update(NVML_POWER_PROFILE_OPERATION_SET, {4}), NVML_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(Update(NVML_POWER_PROFILE_OPERATION_SET, {0, 200}), NVML_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(Update(NVML_POWER_PROFILE_OPERATION_MAX, {0}), NVML_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(In(Current().requestedProfilesMask), Ids{});
}

TEST_F(NvmlTest, BoardsBeforeBlackwellHaveNoPowerProfiles) {
  nvmlWorkloadPowerProfileCurrentProfiles_t current{};
  EXPECT_EQ(nvml().nvmlDeviceWorkloadPowerProfileGetCurrentProfiles(Device(0), &current),
            NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
  current.version = nvmlWorkloadPowerProfileCurrentProfiles_v1;
  EXPECT_EQ(nvml().nvmlDeviceWorkloadPowerProfileGetCurrentProfiles(Device(0), &current),
            NVML_ERROR_NOT_SUPPORTED);
}

}  // namespace
}  // namespace assay::fakegpu::nvml
