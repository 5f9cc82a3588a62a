#include "fakegpu/host/driver_root.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <optional>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "fakegpu/control/control.h"

namespace assay::fakegpu::host {
namespace {

using assay::testing::IsOk;
using assay::testing::StatusIs;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

class DriverRootTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<TempDir> dir = TempDir::Create("root-test");
    ASSERT_THAT(dir, IsOk());
    dir_.emplace(*std::move(dir));
    ASSERT_THAT(control::Node::Create(state(), "fixtures/nodes/dgx-h100.yaml"), IsOk());
  }
  fs::path state() const { return *dir_ / "state"; }
  fs::path root() const { return *dir_ / "root"; }
  static DriverRootOptions Options() { return {.library = ASSAY_NVML_LIBRARY}; }

 private:
  std::optional<TempDir> dir_;
};

TEST_F(DriverRootTest, HasTheLibraryUnderItsSonameAndTheDriversVersion) {
  DriverRootOptions options = Options();
  options.nvidia_smi = "/bin/true";
  ASSERT_THAT(WriteDriverRoot(state(), root(), options), IsOk());
  EXPECT_EQ(access((root() / "usr/bin/nvidia-smi").c_str(), X_OK), 0);
  const fs::path libraries = root() / "usr/lib64";
  EXPECT_EQ(ReadFile(libraries / "libnvidia-ml.so.580.95.05").value(),
            ReadFile(ASSAY_NVML_LIBRARY).value());
  EXPECT_EQ(fs::read_symlink(libraries / "libnvidia-ml.so.1"), "libnvidia-ml.so.580.95.05");
  EXPECT_EQ(fs::read_symlink(libraries / "libcuda.so"), "libcuda.so.1");
}

// The loader knows a loaded library by its SONAME.
TEST_F(DriverRootTest, EveryLibraryLoadsAndKnowsItsSoname) {
  ASSERT_THAT(WriteDriverRoot(state(), root(), Options()), IsOk());
  int libraries = 0;
  for (const auto& entry : fs::directory_iterator(root() / "usr/lib64")) {
    if (entry.is_symlink()) {
      continue;
    }
    ++libraries;
    void* library = dlopen(entry.path().c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << dlerror();
    std::string soname = entry.path().filename().string();
    for (const char* major : {"1", "4"}) {
      const std::string name = soname.substr(0, soname.find(".so.") + 4) + major;
      if (fs::is_symlink(root() / "usr/lib64" / name)) {
        soname = name;
      }
    }
    void* again = dlopen(soname.c_str(), RTLD_NOW | RTLD_NOLOAD);
    EXPECT_EQ(again, library) << soname;
  }
  EXPECT_GT(libraries, 10);
}

TEST_F(DriverRootTest, HasTheDevicesOrSaysHowManyItMayNotMake) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const DriverRoot made, WriteDriverRoot(state(), root(), Options()));
  struct stat node{};
  if (made.devices_refused != 0) {
    EXPECT_NE(stat((root() / "dev/nvidia3").c_str(), &node), 0);
    return;
  }
  ASSERT_EQ(stat((root() / "dev/nvidia3").c_str(), &node), 0);
  EXPECT_TRUE(S_ISCHR(node.st_mode));
  EXPECT_EQ(node.st_mode & 07777, 0666u);
  EXPECT_EQ(major(node.st_rdev), 195u);
  EXPECT_EQ(minor(node.st_rdev), 3u);
  ASSERT_EQ(stat((root() / "dev/nvidiactl").c_str(), &node), 0);
  EXPECT_EQ(minor(node.st_rdev), 255u);
  EXPECT_TRUE(fs::exists(root() / "dev/nvidia-uvm-tools"));
  EXPECT_TRUE(fs::exists(root() / "dev/nvidia-caps/nvidia-cap3"));
}

TEST_F(DriverRootTest, LeavesOutAGpuThatIsUnplugged) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const control::Node node, control::Node::Open(state()));
  ASSERT_THAT(node.Unplug("2"), IsOk());
  ASSERT_THAT(WriteDriverRoot(state(), root(), Options()), IsOk());
  const fs::path gpus = root() / "proc/driver/nvidia/gpus";
  EXPECT_TRUE(fs::exists(gpus / "0000:43:00.0" / "information"));
  EXPECT_FALSE(fs::exists(gpus / "0000:52:00.0"));
}

TEST_F(DriverRootTest, RefusesWhatItWouldOverwrite) {
  fs::create_directories(root() / "etc");
  EXPECT_THAT(WriteDriverRoot(state(), root(), Options()),
              StatusIs(StatusCode::kAlreadyExists, HasSubstr("empty directory")));
  EXPECT_THAT(WriteDriverRoot(state(), root() / "other", {.library = state()}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("no shared library")));
  EXPECT_FALSE(fs::exists(root() / "other"));
}

}  // namespace
}  // namespace assay::fakegpu::host
