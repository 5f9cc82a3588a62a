#include "driver-ref/cdi/mig_capabilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"

namespace assay::driver_ref::cdi {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class MigCapabilitiesTest : public ::testing::Test {
 protected:
  MigCapabilitiesTest() : proc_(*TempDir::Create()) {
    std::filesystem::create_directories(proc_ / "driver/nvidia-caps");
  }
  void Write(const std::string& name, const std::string& text) {
    ASSERT_THAT(WriteFileAtomically(proc_ / name, text), IsOk());
  }

  TempDir proc_;
};

TEST_F(MigCapabilitiesTest, TheKernelTellsTheirNumbers) {
  Write("devices", "Character devices:\n195 nvidia\n508 nvidia-caps\n\nBlock devices:\n  8 sd\n");
  Write("driver/nvidia-caps/mig-minors",
        "config 1\nmonitor 2\ngpu0/gi3/access 30\ngpu0/gi3/ci0/access 31\ngpu1/gi3/access 165\n");
  const auto capabilities =
      CapabilitiesOf({.gpu_minor = 0, .gpu_instance = 3, .compute_instance = 0}, proc_.path());
  ASSERT_THAT(capabilities, IsOk());
  ASSERT_THAT(*capabilities, SizeIs(2));
  EXPECT_EQ((*capabilities)[0].major, 508);
  EXPECT_EQ((*capabilities)[0].minor, 30);
  EXPECT_EQ((*capabilities)[1].major, 508);
  EXPECT_EQ((*capabilities)[1].minor, 31);
  EXPECT_THAT(
      CapabilitiesOf({.gpu_minor = 1, .gpu_instance = 3, .compute_instance = 0}, proc_.path()),
      StatusIs(StatusCode::kNotFound, HasSubstr("mig-minors has no gpu1/gi3/ci0/access")));
}

TEST_F(MigCapabilitiesTest, WithoutThemTheErrorNamesTheFile) {
  const MigInstances instances{.gpu_minor = 0, .gpu_instance = 3, .compute_instance = 0};
  EXPECT_THAT(CapabilitiesOf(instances, proc_.path()),
              StatusIs(StatusCode::kNotFound, HasSubstr("devices has no nvidia-caps")));
  Write("devices", "nvidia-caps\n");
  EXPECT_THAT(CapabilitiesOf(instances, proc_.path()), StatusIs(StatusCode::kNotFound));
}

}  // namespace
}  // namespace assay::driver_ref::cdi
