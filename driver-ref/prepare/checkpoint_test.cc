#include "driver-ref/prepare/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"

namespace assay::driver_ref::prepare {
namespace {

using namespace std::chrono_literals;
using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

ClaimRecord Example(const std::string& uid) {
  return {
      .uid = uid,
      .namespace_ = "default",
      .name = "claim",
      .state = ClaimRecord::State::kPrepared,
      .boot_id = "boot",
      .devices = {
          {.pool = "node-1",
           .device = "gpu-1",
           .requests = {"a", "b"},
           .share_id = "share",
           .admin_access = true},
          {.pool = "node-1",
           .device = "gpu-2",
           .requests = {"a"},
           .settings =
               SettingsRecord{.gpu = "GPU-2",
                              .wanted = {.power_limit_mw = 350000,
                                         .compute_mode = discovery::ComputeMode::kExclusiveProcess},
                              .before = {.power_limit_mw = 700000,
                                         .compute_mode = discovery::ComputeMode::kDefault}}},
          {.pool = "node-1",
           .device = "gpu-3-1g10gb-19-2",
           .requests = {"a"},
           .partition =
               discovery::Partition{.place = {.gpu = "GPU-3", .profile = 19, .start = 2, .size = 1},
                                    .uuid = "MIG-1",
                                    .gpu_instance = 9,
                                    .compute_instance = 0}}}};
}

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() : dir_(*TempDir::Create()), checkpoint_(dir_ / "state") {
    EXPECT_THAT(checkpoint_.Open(), IsOk());
  }
  std::filesystem::path File(const std::string& uid) const {
    return dir_.path() / "state/claims" / (uid + ".json");
  }

  TempDir dir_;
  Checkpoint checkpoint_;
};

TEST_F(CheckpointTest, KeepsRecords) {
  ASSERT_THAT(checkpoint_.Save(Example("1")), IsOk());
  ASSERT_THAT(checkpoint_.Save(Example("2")), IsOk());
  Checkpoint later(dir_ / "state");
  ASSERT_THAT(later.Open(), IsOk());
  EXPECT_THAT(later.Load()->claims,
              UnorderedElementsAre(Pair("1", Example("1")), Pair("2", Example("2"))));
  ASSERT_THAT(later.Remove("1"), IsOk());
  EXPECT_THAT(later.Remove("1"), IsOk());
  EXPECT_THAT(later.Load()->claims, UnorderedElementsAre(Pair("2", Example("2"))));
}

TEST_F(CheckpointTest, OnlyRootReadsThem) {
  ASSERT_THAT(checkpoint_.Save(Example("1")), IsOk());
  const auto permissions = std::filesystem::status(File("1")).permissions();
  EXPECT_EQ(static_cast<unsigned>(permissions), 0600u);
}

TEST_F(CheckpointTest, ADamagedFileTakesNoOtherWithIt) {
  ASSERT_THAT(checkpoint_.Save(Example("good")), IsOk());
  std::string changed = FormatRecord(Example("changed"));
  changed.replace(changed.find("gpu-1"), 5, "gpu-3");
  ASSERT_THAT(WriteFileAtomically(File("changed"), changed), IsOk());
  ASSERT_THAT(WriteFileAtomically(File("empty"), ""), IsOk());
  ASSERT_THAT(WriteFileAtomically(File("half"), FormatRecord(Example("half")).substr(0, 50)),
              IsOk());
  ASSERT_THAT(WriteFileAtomically(File("other"), FormatRecord(Example("good"))), IsOk());
  const auto contents = *checkpoint_.Load();
  EXPECT_THAT(contents.claims, UnorderedElementsAre(Pair("good", Example("good"))));
  EXPECT_THAT(contents.damaged,
              UnorderedElementsAre(
                  Pair("changed", StatusIs(StatusCode::kDataLoss, HasSubstr("checksum"))),
                  Pair("empty", StatusIs(StatusCode::kDataLoss)),
                  Pair("half", StatusIs(StatusCode::kDataLoss)),
                  Pair("other", StatusIs(StatusCode::kDataLoss, HasSubstr("is of claim good")))));
}

TEST_F(CheckpointTest, ReadsWhatANewerDriverAdded) {
  // It may add fields beside the record, and raise the version.
  ClaimRecord record = Example("1");
  std::string formatted = FormatRecord(record);
  formatted.replace(formatted.find("\"version\": 1"), 12, "\"version\": 2, \"new\": 1");
  EXPECT_EQ(*ParseRecord(formatted), record);
}

TEST_F(CheckpointTest, RemovesWhatACrashLeft) {
  ASSERT_THAT(WriteFileAtomically(dir_.path() / "state/claims/.abc.tmp", "half"), IsOk());
  ASSERT_THAT(checkpoint_.Open(), IsOk());
  EXPECT_FALSE(std::filesystem::exists(dir_.path() / "state/claims/.abc.tmp"));
}

TEST_F(CheckpointTest, TheLockExcludesOtherThreadsAndProcesses) {
  Checkpoint other(dir_ / "state");  // As another process would open it.
  {
    const auto lock = checkpoint_.Acquire(1s);
    ASSERT_THAT(lock, IsOk());
    EXPECT_THAT(other.Acquire(5ms), StatusIs(StatusCode::kDeadlineExceeded));
  }
  EXPECT_THAT(other.Acquire(1s), IsOk());
}

TEST(CheckpointUidTest, OnlyNamesThatStayInTheDirectory) {
  EXPECT_TRUE(Checkpoint::IsUid("0b5b6c1e-8f3d-4c58-9f0a-1d2e3f405162"));
  for (const char* uid : {"", ".", "..", "../x", "a/b", "a.b", "a b"}) {
    EXPECT_FALSE(Checkpoint::IsUid(uid)) << uid;
  }
  EXPECT_FALSE(Checkpoint::IsUid(std::string(65, 'a')));
}

}  // namespace
}  // namespace assay::driver_ref::prepare
