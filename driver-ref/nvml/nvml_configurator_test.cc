// Setting GPUs on the fake NVML.
#include "driver-ref/nvml/nvml_configurator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "driver-ref/nvml/nvml_backend.h"
#include "fakegpu/control/control.h"

namespace assay::driver_ref::nvml {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::HasSubstr;

using discovery::ComputeMode;
using discovery::GpuSettings;

TEST(NvmlConfiguratorTest, ReadsAndWritesWhatTheGpuTakes) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "setting GPUs is root's";
  }
  const TempDir dir = *TempDir::Create();
  const auto node = *fakegpu::control::Node::Create(dir / "state", "fixtures/nodes/one-h100.yaml");
  ::setenv("ASSAY_FAKEGPU_STATE", (dir / "state").c_str(), 1);
  const auto backend = *NvmlBackend::Load(ASSAY_NVML_LIBRARY, {.divide = false});
  discovery::Configurator& configurator = *backend->configurator();
  const std::string gpu = backend->Discover()->gpus.at(0).uuid;

  EXPECT_EQ(*configurator.Read(gpu),
            (GpuSettings{.power_limit_mw = 700'000, .compute_mode = ComputeMode::kDefault}));
  ASSERT_THAT(configurator.Write(gpu, {.power_limit_mw = 350'000}), IsOk());
  ASSERT_THAT(configurator.Write(gpu, {.compute_mode = ComputeMode::kExclusiveProcess}), IsOk());
  EXPECT_EQ(*configurator.Read(gpu), (GpuSettings{.power_limit_mw = 350'000,
                                                  .compute_mode = ComputeMode::kExclusiveProcess}));
  EXPECT_THAT(configurator.Write(gpu, {.power_limit_mw = 701'000}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("701 W is not between")));
  EXPECT_THAT(configurator.Read("GPU-none"), StatusIs(StatusCode::kNotFound));
  ASSERT_THAT(node.Inject("0", fakegpu::control::XidFault{.xid = 79}), IsOk());
  EXPECT_THAT(configurator.Write(gpu, {.power_limit_mw = 350'000}),
              StatusIs(StatusCode::kDataLoss));
}

// A stand-in for nvidia-smi, which notes what it is asked.
class NvidiaSmiTest : public ::testing::Test {
 protected:
  std::filesystem::path Program(const std::string& body) {
    const std::filesystem::path path = dir_ / "nvidia-smi";
    EXPECT_THAT(WriteFileAtomically(path, "#!/bin/sh\n" + body + "\n"), IsOk());
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }

  TempDir dir_ = *TempDir::Create();
};

TEST_F(NvidiaSmiTest, SetsTimeSlicesAsNvidiasDriverDoes) {
  const std::filesystem::path asked = dir_ / "asked";
  const NvidiaSmi smi(Program("echo \"$*\" >" + asked.string()));
  ASSERT_THAT(smi.SetTimeSlice("GPU-1", discovery::TimeSlice::kMedium), IsOk());
  EXPECT_EQ(*ReadFile(asked), "compute-policy -i GPU-1 --set-timeslice 2\n");
}

TEST_F(NvidiaSmiTest, ItsFailureIsOurs) {
  EXPECT_THAT(NvidiaSmi(Program("exit 6")).SetTimeSlice("GPU-1", discovery::TimeSlice::kLong),
              StatusIs(StatusCode::kInternal, HasSubstr("GPU-1: ")));
  EXPECT_THAT(NvidiaSmi(dir_ / "nothing").SetTimeSlice("GPU-1", discovery::TimeSlice::kLong),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(RunProgram({Program("exec sleep 600").string()}, std::chrono::milliseconds(10)),
              StatusIs(StatusCode::kDeadlineExceeded));
}

TEST(NvmlConfiguratorTest, TimeSlicesAreKnownWhereTheyCanBeSet) {
  const TempDir dir = *TempDir::Create();
  const auto node = *fakegpu::control::Node::Create(dir / "state", "fixtures/nodes/one-h100.yaml");
  ::setenv("ASSAY_FAKEGPU_STATE", (dir / "state").c_str(), 1);
  for (const char* nvidia_smi : {"", "/bin/true"}) {
    const auto backend = *NvmlBackend::Load(ASSAY_NVML_LIBRARY, {.nvidia_smi = nvidia_smi});
    const std::string gpu = backend->Discover()->gpus.at(0).uuid;
    EXPECT_EQ(backend->configurator()->Read(gpu)->time_slice.has_value(), *nvidia_smi != '\0');
  }
}

}  // namespace
}  // namespace assay::driver_ref::nvml
