#include "fakegpu/capture/capture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <regex>
#include <vector>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "fakegpu/control/control.h"
#include "fakegpu/layout/region.h"

namespace assay::fakegpu::capture {
namespace {

using assay::testing::IsOk;
using assay::testing::StatusIs;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

// The machine's own PCI devices are none of the fake's.
CaptureOptions Options() { return {.library = ASSAY_NVML_LIBRARY, .pci_devices = "/nowhere"}; }

template <typename T>
std::string Bytes(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::vector<layout::GpuState> Gpus(const fs::path& state) {
  layout::Region region;
  EXPECT_EQ(region.Open(state.c_str()), layout::OpenError::kNone);
  return region.Read([](const layout::Copy& copy) {
    std::vector<layout::GpuState> gpus;
    for (std::uint32_t slot = 0; slot < copy.gpu_count(); ++slot) {
      gpus.push_back(copy.gpu(slot));
    }
    return gpus;
  });
}

// What NVML does not tell, so that a capture has stand-ins for it.
void ForgetWhatNvmlDoesNotTell(layout::GpuState& gpu) {
  gpu.limits.temperature_load_c = 0;
  gpu.identity.multiprocessors = 0;
  gpu.identity.encoders = 0;
  gpu.identity.pci_root_bus = 0;
  gpu.identity.pci_switch = 0;
}

std::string WithoutIdlePower(const std::string& yaml) {
  return std::regex_replace(yaml, std::regex("idle_w: [0-9]+"), "idle_w: ?");
}

class CaptureTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    Result<TempDir> dir = TempDir::Create("capture-test");
    ASSERT_THAT(dir, IsOk());
    dir_.emplace(*std::move(dir));
  }
  fs::path dir() const { return dir_->path(); }

  // The node of `file`, which the library then reads; its clock stands still.
  fs::path Create(const char* name, const fs::path& file) {
    const fs::path state = dir() / name;
    const Result<control::Node> node = control::Node::Create(state, file);
    EXPECT_THAT(node, IsOk());
    EXPECT_THAT(node->HoldClock(), IsOk());
    setenv("ASSAY_FAKEGPU_STATE", state.c_str(), 1);
    setenv("ASSAY_FAKEGPU_DEV", "", 1);
    return state;
  }

 private:
  std::optional<TempDir> dir_;
};

TEST_P(CaptureTest, TheNodeOfACaptureIsTheNodeThatWasCaptured) {
  const fs::path original = Create("original", GetParam());
  ASSAY_ASSERT_OK_AND_ASSIGN(const auto files, Capture(Options()));
  for (const auto& [name, text] : files) {
    ASSERT_THAT(WriteFileAtomically(dir() / name, text), IsOk());
  }
  const fs::path copy = Create("copy", dir() / kNodeFile);

  std::vector<layout::GpuState> expected = Gpus(original);
  std::vector<layout::GpuState> found = Gpus(copy);
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t slot = 0; slot < found.size(); ++slot) {
    SCOPED_TRACE(slot);
    ForgetWhatNvmlDoesNotTell(expected[slot]);
    ForgetWhatNvmlDoesNotTell(found[slot]);
    EXPECT_STREQ(found[slot].identity.name, expected[slot].identity.name);
    EXPECT_STREQ(found[slot].identity.uuid, expected[slot].identity.uuid);
    EXPECT_TRUE(Bytes(found[slot].identity) == Bytes(expected[slot].identity));
    // A reading of the moment, to a watt and with the model's noise.
    EXPECT_NEAR(found[slot].limits.power_idle_mw, expected[slot].limits.power_idle_mw,
                0.01 * expected[slot].limits.power_idle_mw + 1000);
    found[slot].limits.power_idle_mw = expected[slot].limits.power_idle_mw;
    EXPECT_TRUE(Bytes(found[slot].limits) == Bytes(expected[slot].limits));
    EXPECT_TRUE(Bytes(found[slot].settings) == Bytes(expected[slot].settings));
    EXPECT_TRUE(Bytes(found[slot].fabric) == Bytes(expected[slot].fabric));
    EXPECT_TRUE(Bytes(found[slot].links) == Bytes(expected[slot].links));
    EXPECT_EQ(found[slot].nvlink_version, expected[slot].nvlink_version);
    EXPECT_EQ(found[slot].nvlink_mbps, expected[slot].nvlink_mbps);
    EXPECT_EQ(found[slot].mig_supported, expected[slot].mig_supported);
    EXPECT_EQ(found[slot].mig_memory_slices, expected[slot].mig_memory_slices);
  }
  // And NVML says the same of it, the MIG table and the places of the GPUs too.
  ASSAY_ASSERT_OK_AND_ASSIGN(const auto again, Capture(Options()));
  ASSERT_EQ(again.size(), files.size());
  for (const auto& [name, text] : files) {
    EXPECT_EQ(WithoutIdlePower(again.at(name)), WithoutIdlePower(text)) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Nodes, CaptureTest,
    ::testing::Values("fixtures/nodes/dgx-h100.yaml", "fixtures/nodes/dgx-a100.yaml",
                      "fixtures/nodes/a30-pairs.yaml", "fixtures/nodes/gb200-nvl72.yaml",
                      "fixtures/nodes/mixed.yaml", "fixtures/nodes/mig-boards.yaml"));

TEST_F(CaptureTest, OnlyReads) {
  const fs::path state = Create("state", "fixtures/nodes/dgx-h100.yaml");
  const std::string before = ReadFile(state).value();
  ASSERT_THAT(Capture(Options()), IsOk());
  EXPECT_TRUE(ReadFile(state).value() == before);
}

TEST_F(CaptureTest, NamesTheGpuThatDoesNotAnswer) {
  const fs::path state = Create("state", "fixtures/nodes/dgx-h100.yaml");
  ASSAY_ASSERT_OK_AND_ASSIGN(const control::Node node, control::Node::Open(state));
  ASSERT_THAT(node.Inject("3", control::LostFault{}), IsOk());
  EXPECT_THAT(Capture(Options()),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("GPU 3: nvmlDevice")));
}

TEST_F(CaptureTest, SaysWhyThereIsNoNvml) {
  EXPECT_THAT(Capture({.library = "/nowhere/libnvidia-ml.so.1", .pci_devices = "/nowhere"}),
              StatusIs(StatusCode::kNotFound, HasSubstr("/nowhere/libnvidia-ml.so.1")));
  EXPECT_THAT(Capture({.library = "libc.so.6", .pci_devices = "/nowhere"}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("this is no NVML")));
  setenv("ASSAY_FAKEGPU_STATE", "/nowhere/state", 1);
  EXPECT_THAT(Capture(Options()),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("Driver Not Loaded")));
}

}  // namespace
}  // namespace assay::fakegpu::capture
