#include "fakegpu/control/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"

namespace assay::fakegpu::control {
namespace {

using assay::testing::IsOk;
using assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ControlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<TempDir> dir = TempDir::Create("control-test");
    ASSERT_THAT(dir, IsOk());
    dir_.emplace(*std::move(dir));
    Result<Node> node = Node::Create(state(), "fixtures/nodes/dgx-h100.yaml");
    ASSERT_THAT(node, IsOk());
    node_.emplace(*std::move(node));
  }
  std::filesystem::path state() const { return *dir_ / "run" / "state"; }
  const std::filesystem::path& dir() const { return dir_->path(); }
  const Node& node() const { return *node_; }
  GpuInfo Gpu(std::uint32_t slot) const {
    Result<NodeInfo> info = node().Show();
    EXPECT_THAT(info, IsOk());
    return info->gpus[slot];
  }

 private:
  std::optional<TempDir> dir_;
  std::optional<Node> node_;
};

TEST_F(ControlTest, ShowsTheNode) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const NodeInfo info, node().Show());
  EXPECT_EQ(info.name, "dgx-h100");
  EXPECT_EQ(info.cuda_version, "13.0");
  ASSERT_EQ(info.gpus.size(), 8u);
  EXPECT_EQ(info.gpus[1].pci_bus_id, "0000:43:00.0");
  EXPECT_EQ(info.gpus[1].architecture, "Hopper");
  EXPECT_THAT(info.gpus[1].faults, IsEmpty());
}

TEST_F(ControlTest, DoesNotTakeThePlaceOfANodeUnlessTold) {
  EXPECT_THAT(Node::Create(state(), "fixtures/nodes/dgx-a100.yaml"),
              StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(Node::Create(state(), "fixtures/nodes/dgx-a100.yaml", {.seed = 0, .replace = true}),
              IsOk());
  ASSAY_ASSERT_OK_AND_ASSIGN(const NodeInfo info, node().Show());
  EXPECT_EQ(info.name, "dgx-a100");
}

TEST_F(ControlTest, AWrongNodeFileLeavesNothingBehind) {
  ASSERT_THAT(WriteFileAtomically(dir() / "node.yaml", "name: n\nspeed: 1\n"), IsOk());
  EXPECT_THAT(Node::Create(dir() / "other" / "state", dir() / "node.yaml"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("node.yaml:2")));
  EXPECT_FALSE(std::filesystem::exists(dir() / "other"));
}

TEST_F(ControlTest, FindsAGpuByEachOfItsNames) {
  const GpuInfo gpu = Gpu(2);
  for (const std::string& name : {std::string("2"), gpu.uuid, gpu.pci_bus_id}) {
    EXPECT_THAT(node().Inject(name, XidFault{.xid = 31}), IsOk());
    EXPECT_EQ(Gpu(2).last_xid, 31u);
    EXPECT_EQ(Gpu(1).last_xid, 0u);
    EXPECT_THAT(node().Heal(name), IsOk());
    EXPECT_EQ(Gpu(2).last_xid, 0u);
  }
  EXPECT_THAT(node().Inject("8", LostFault{}),
              StatusIs(StatusCode::kNotFound, HasSubstr("from 0 to 7")));
}

TEST_F(ControlTest, FaultsHaveTheirConsequencesAndHealingEndsThem) {
  ASSERT_THAT(node().Inject("0", XidFault{.xid = 79}), IsOk());
  EXPECT_TRUE(Gpu(0).lost);
  EXPECT_EQ(Gpu(0).recovery_action, "reboot");
  ASSERT_THAT(node().Inject("1", XidFault{.xid = 48}), IsOk());
  EXPECT_EQ(Gpu(1).ecc_uncorrected, 1u);
  EXPECT_EQ(Gpu(1).recovery_action, "reset");
  ASSERT_THAT(node().Inject("2", ThermalFault{.celsius = 93}), IsOk());
  EXPECT_EQ(Gpu(2).temperature_c, 93u);
  ASSERT_THAT(node().Inject("3", NvLinkFault{.link = 4}), IsOk());
  EXPECT_THAT(Gpu(3).faults, ElementsAre("xid 74", "nvlink 4 down"));
  EXPECT_THAT(node().Inject("3", NvLinkFault{.link = 18}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("NVLink 18")));
  ASSERT_THAT(node().Inject("5", FabricFault{FabricFault::State::kInProgress}), IsOk());
  EXPECT_THAT(Gpu(5).faults, ElementsAre("fabric in progress"));
  ASSERT_THAT(node().Inject("6", FabricFault{FabricFault::State::kFailed}), IsOk());
  EXPECT_THAT(Gpu(6).faults, ElementsAre("fabric failed"));
  ASSERT_THAT(node().Inject("4", XidFault{.xid = 31}), IsOk());
  EXPECT_EQ(Gpu(4).recovery_action, "none") << "an application's own error";
  ASSERT_THAT(node().Heal("all"), IsOk());
  for (std::uint32_t slot = 0; slot < 8; ++slot) {
    EXPECT_THAT(Gpu(slot).faults, IsEmpty());
    EXPECT_FALSE(Gpu(slot).lost);
    EXPECT_EQ(Gpu(slot).ecc_uncorrected, 0u);
  }
}

// Half of a change to several GPUs is never seen: it fails as a whole.
TEST_F(ControlTest, AChangeOfAllGpusIsOneChange) {
  ASSERT_THAT(node().Unplug("7"), IsOk());
  EXPECT_THAT(node().Inject("all", XidFault{.xid = 31}),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("GPU 7")));
  EXPECT_EQ(Gpu(0).last_xid, 0u);
}

TEST_F(ControlTest, UnpluggingTwiceIsAnError) {
  ASSERT_THAT(node().Unplug("1"), IsOk());
  EXPECT_FALSE(Gpu(1).plugged);
  EXPECT_THAT(node().Unplug("1"), StatusIs(StatusCode::kFailedPrecondition));
  ASSERT_THAT(node().Replug("1"), IsOk());
  EXPECT_TRUE(Gpu(1).plugged);
  EXPECT_THAT(node().Replug("1"), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_F(ControlTest, ProcessesComeAndGo) {
  const ProcessInfo process{.pid = 17, .name = "train", .memory_bytes = 8ULL << 30};
  ASSERT_THAT(node().StartProcess("0", process, 40), IsOk());
  EXPECT_THAT(node().StartProcess("0", process, 40), StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(node().StartProcess("0", {.pid = 18, .name = "big", .memory_bytes = 80ULL << 30}, 40),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_EQ(Gpu(0).memory_used_bytes, 8ULL << 30);
  EXPECT_NEAR(Gpu(0).utilization_percent, 40, 2);
  EXPECT_THAT(node().EndProcess("0", 17), IsOk());
  EXPECT_EQ(Gpu(0).memory_used_bytes, 0u);
  EXPECT_THAT(node().EndProcess("0", 17), StatusIs(StatusCode::kNotFound));
}

TEST_F(ControlTest, ProcessesUseEngines) {
  ProcessInfo process{.pid = 17,
                      .name = "transcode",
                      .memory_bytes = 1,
                      .type = ProcessType::kGraphics,
                      .decoder_percent = 30,
                      .jpeg_percent = 20,
                      .ofa_percent = 10};
  ASSERT_THAT(node().StartProcess("0", process, 40), IsOk());
  const std::vector<ProcessInfo> shown = Gpu(0).processes;
  ASSERT_EQ(shown.size(), 1U);
  EXPECT_EQ(shown[0].type, ProcessType::kGraphics);
  EXPECT_EQ(shown[0].decoder_percent, 30U);
  EXPECT_EQ(shown[0].jpeg_percent, 20U);
  EXPECT_EQ(shown[0].ofa_percent, 10U);
  process.pid = 18;
  process.ofa_percent = 101;
  EXPECT_THAT(node().StartProcess("0", process, 40), StatusIs(StatusCode::kInvalidArgument));
  process.ofa_percent = 0;
  process.encoder_percent = 1;
  EXPECT_THAT(node().StartProcess("0", process, 40),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("encoder")))
      << "an H100 has none";
}

TEST_F(ControlTest, AHeldClockStandsStill) {
  EXPECT_THAT(node().StepClock(std::chrono::seconds(1)), StatusIs(StatusCode::kFailedPrecondition));
  ASSERT_THAT(node().HoldClock(), IsOk());
  ASSERT_THAT(node().StartProcess("0", {.pid = 1, .name = "p", .memory_bytes = 1}, 100), IsOk());
  const std::uint32_t power = Gpu(0).power_mw;
  EXPECT_EQ(Gpu(0).power_mw, power);
  EXPECT_EQ(Gpu(0).temperature_c, 30u);
  ASSERT_THAT(node().StepClock(std::chrono::hours(1)), IsOk());
  EXPECT_GT(Gpu(0).temperature_c, 60u);
  ASSERT_THAT(node().RunClock(), IsOk());
}

TEST_F(ControlTest, OpensOnlyStateFiles) {
  EXPECT_THAT(Node::Open(dir() / "none"), StatusIs(StatusCode::kNotFound, HasSubstr("none")));
  ASSERT_THAT(WriteFileAtomically(dir() / "text", std::string(10'000, 'x')), IsOk());
  EXPECT_THAT(Node::Open(dir() / "text"), StatusIs(StatusCode::kDataLoss));
}

TEST(FaultTextTest, ReadsWhatItWrites) {
  for (const char* text :
       {"xid=79", "xid=43,gi=1,ci=0", "ecc=corrected", "ecc=uncorrected,count=4", "lost",
        "thermal=95", "power-brake", "nvlink=3", "ecc=corrected,memory=sram",
        "nvlink-errors=2,counter=replay", "nvlink-errors=2,counter=ecc-data,count=9",
        "pcie-replays=5", "fabric=not-started", "fabric=in-progress", "fabric=failed",
        "return=nvmlDeviceGetName:15", "delay=*:20,pid=7",
        "return=nvmlDeviceGetUUID:999,delay-ms=5,pid=1,gi=1,ci=0,skip=2,times=3,percent=50"}) {
    Result<Fault> fault = ParseFault(text);
    ASSERT_THAT(fault, IsOk()) << text;
    EXPECT_EQ(FaultToString(*fault), text);
  }
}

TEST(FaultTextTest, RefusesWhatItDoesNotKnow) {
  for (const char* text : {"",
                           "xid",
                           "xid=",
                           "xid=x",
                           "xid=79,g=1",
                           "xid=-1",
                           "xid=79x",
                           "ecc=soft",
                           "lost=1",
                           "thermal",
                           "nvlink=a",
                           "ecc=corrected,memory=l2",
                           "nvlink-errors=2",
                           "pcie-replays",
                           "nvlink-errors=2,counter=crc",
                           "fabric",
                           "fabric=completed",
                           "return=nvmlInit",
                           "return=foo:1",
                           "return=nvmlInit:1000",
                           "delay=nvmlInit",
                           "delay=nvmlInit:1,percent=0",
                           "fire",
                           "xid=79,gi=z"}) {
    EXPECT_THAT(ParseFault(text), StatusIs(StatusCode::kInvalidArgument, HasSubstr("expected")))
        << text;
  }
}

}  // namespace
}  // namespace assay::fakegpu::control
