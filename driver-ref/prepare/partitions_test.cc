// Claims of partitions through the Preparer: what is on the hardware, what is on disk, and what
// becomes of both when the process dies between any two steps.
#include "driver-ref/prepare/partitions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "driver-ref/prepare/testing/machine.h"

namespace assay::driver_ref::prepare {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using discovery::Partition;
using discovery::PartitionPlace;

const PartitionPlace kFirst{.gpu = "GPU-0", .profile = 19, .start = 0, .size = 1};
const PartitionPlace kUpper{.gpu = "GPU-0", .profile = 9, .start = 4, .size = 4};
constexpr char kFirstName[] = "gpu-0-1g10gb-19-0";
constexpr char kUpperName[] = "gpu-0-3g40gb-9-4";

TEST(PartitionsTest, AreMadeForAClaimAndEndWithIt) {
  Machine machine;
  const ClaimReference claim = machine.Allocate("a", {kFirstName, kUpperName});
  ASSERT_THAT(machine.Prepare(claim), IsOk());
  ASSERT_THAT(machine.gpus.partitions, SizeIs(2));
  EXPECT_EQ(machine.gpus.partitions[0].place, kFirst);
  EXPECT_EQ(machine.gpus.partitions[1].place, kUpper);
  const auto record = machine.checkpoint().Load(claim.uid);
  ASSERT_THAT(record, IsOk());
  EXPECT_EQ(record->devices.at(0).partition, machine.gpus.partitions[0]);
  // gpu0/gi7 and its compute instance, and the GPU itself.
  EXPECT_THAT(machine.Spec(claim), HasSubstr("\"/dev/nvidia0\""));
  EXPECT_THAT(machine.Spec(claim), HasSubstr("/dev/nvidia-caps/nvidia-cap66"));
  EXPECT_THAT(machine.Spec(claim), HasSubstr("/dev/nvidia-caps/nvidia-cap67"));
  ASSERT_THAT(machine.driver().Unprepare(claim), IsOk());
  machine.ExpectNothingLeft();
  EXPECT_FALSE(machine.gpus.mode["GPU-0"]);
}

TEST(PartitionsTest, ARepeatedPrepareKeepsThem) {
  Machine machine;
  const ClaimReference claim = machine.Allocate("a", {kFirstName});
  ASSERT_THAT(machine.Prepare(claim), IsOk());
  const std::string spec = machine.Spec(claim);
  machine.Restart();
  ASSERT_THAT(machine.Prepare(claim), IsOk());
  EXPECT_EQ(machine.gpus.made, 1);
  EXPECT_EQ(machine.Spec(claim), spec);
}

TEST(PartitionsTest, ExcludeEachOtherAndTheWholeGpu) {
  Machine machine;
  const ClaimReference first = machine.Allocate("first", {kFirstName});
  const ClaimReference lower = machine.Allocate("lower", {"gpu-0-3g40gb-9-0"});
  const ClaimReference whole = machine.Allocate("whole", {"gpu-0"});
  const ClaimReference upper = machine.Allocate("upper", {kUpperName});
  ASSERT_THAT(machine.Prepare(first), IsOk());
  for (const ClaimReference& other : {lower, whole}) {
    EXPECT_THAT(machine.Prepare(other),
                StatusIs(StatusCode::kFailedPrecondition, HasSubstr("default/first (uid-first)")));
  }
  EXPECT_THAT(machine.Prepare(upper), IsOk());
  EXPECT_THAT(machine.Prepare(machine.Allocate("other", {"gpu-1"})), IsOk());
  ASSERT_THAT(machine.driver().Unprepare(first), IsOk());
  EXPECT_TRUE(machine.gpus.mode["GPU-0"]) << "one is left";
  ASSERT_THAT(machine.driver().Unprepare(upper), IsOk());
  EXPECT_THAT(machine.Prepare(whole), IsOk());
  EXPECT_FALSE(machine.gpus.mode["GPU-0"]);
  EXPECT_THAT(machine.Prepare(first), StatusIs(StatusCode::kFailedPrecondition));
}

TEST(PartitionsTest, ExcludeEachOtherInOneClaimToo) {
  Machine machine;
  EXPECT_THAT(machine.Prepare(machine.Allocate("a", {kFirstName, "gpu-0-3g40gb-9-0"})),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("exclude each other")));
  machine.ExpectNothingLeft();
}

// The process dies at every step of a Prepare, and the next one prepares, or unprepares.
TEST(PartitionsTest, APrepareThatWasKilledGoesOnOrIsUndone) {
  bool killed = true;
  for (int step = 0; killed; ++step) {
    SCOPED_TRACE("killed at step " + std::to_string(step));
    for (const bool prepares : {true, false}) {
      Machine machine;
      const ClaimReference claim = machine.Allocate("a", {kFirstName, kUpperName});
      killed = machine.KilledAt(step, [&] { EXPECT_THAT(machine.Prepare(claim), IsOk()); });
      machine.Restart();
      if (prepares) {
        ASSERT_THAT(machine.Prepare(claim), IsOk());
        ASSERT_THAT(machine.gpus.partitions, SizeIs(2));
        const auto record = machine.checkpoint().Load(claim.uid);
        ASSERT_THAT(record, IsOk());
        EXPECT_EQ(record->devices.at(0).partition, machine.gpus.partitions[0]);
        EXPECT_EQ(record->devices.at(1).partition, machine.gpus.partitions[1]);
      }
      ASSERT_THAT(machine.driver().Unprepare(claim), IsOk());
      machine.ExpectNothingLeft();
    }
    ASSERT_LT(step, 100);
  }
}

TEST(PartitionsTest, AnUnprepareThatWasKilledGoesOn) {
  bool killed = true;
  for (int step = 0; killed; ++step) {
    SCOPED_TRACE("killed at step " + std::to_string(step));
    for (const bool again : {true, false}) {
      Machine machine;
      const ClaimReference claim = machine.Allocate("a", {kFirstName, kUpperName});
      ASSERT_THAT(machine.Prepare(claim), IsOk());
      killed =
          machine.KilledAt(step, [&] { EXPECT_THAT(machine.driver().Unprepare(claim), IsOk()); });
      machine.Restart();
      if (again) {
        ASSERT_THAT(machine.driver().Unprepare(claim), IsOk());
      } else {
        // Nobody asks again: its pod is gone by force.
        machine.claims.clear();
        ASSERT_THAT(machine.driver().RemoveOrphans(), IsOk());
      }
      machine.ExpectNothingLeft();
    }
    ASSERT_LT(step, 100);
  }
}

TEST(PartitionsTest, AreMadeAgainAfterAReboot) {
  Machine machine;
  const ClaimReference claim = machine.Allocate("a", {kFirstName});
  ASSERT_THAT(machine.Prepare(claim), IsOk());
  machine.gpus.partitions.clear();
  machine.Restart("boot-2");
  ASSERT_THAT(machine.Prepare(claim), IsOk());
  ASSERT_THAT(machine.gpus.partitions, SizeIs(1));
  EXPECT_EQ(machine.checkpoint().Load(claim.uid)->devices.at(0).partition,
            machine.gpus.partitions[0]);
}

TEST(PartitionsTest, WhatIsNobodysEnds) {
  Machine machine;
  const ClaimReference claim = machine.Allocate("a", {kUpperName});
  ASSERT_THAT(machine.Prepare(claim), IsOk());
  machine.gpus.Leave(kFirst);
  machine.Restart();
  ASSERT_THAT(machine.driver().RemoveOrphans(), IsOk());
  ASSERT_THAT(machine.gpus.partitions, SizeIs(1));
  EXPECT_EQ(machine.gpus.partitions[0].place, kUpper);
}

TEST(PartitionsTest, WhatADamagedRecordMayHoldStays) {
  Machine machine;
  const ClaimReference claim = machine.Allocate("a", {kUpperName});
  ASSERT_THAT(machine.Prepare(claim), IsOk());
  ASSERT_THAT(WriteFileAtomically(machine.StateFile(claim), "{"), IsOk());
  machine.gpus.Leave(kFirst);
  EXPECT_THAT(machine.Prepare(machine.Allocate("whole", {"gpu-0"})),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("cannot be read")));
  ASSERT_THAT(machine.driver().RemoveOrphans(), IsOk());
  ASSERT_THAT(machine.gpus.partitions, SizeIs(1)) << "its CDI spec names it";
  std::filesystem::remove(machine.SpecFile(claim));
  machine.gpus.Leave(kFirst);
  ASSERT_THAT(machine.driver().RemoveOrphans(), IsOk());
  EXPECT_THAT(machine.gpus.partitions, SizeIs(2)) << "nobody knows";
  ASSERT_THAT(machine.driver().Unprepare(claim), IsOk());
  ASSERT_THAT(machine.driver().RemoveOrphans(), IsOk());
  machine.ExpectNothingLeft();
}

TEST(PartitionsTest, WhatIsNobodysIsNotInTheWay) {
  for (const char* device : {kFirstName, "gpu-0-3g40gb-9-0", "gpu-0"}) {
    SCOPED_TRACE(device);
    Machine machine;
    machine.gpus.Leave(kFirst);
    EXPECT_THAT(machine.Prepare(machine.Allocate("a", {device})), IsOk());
    for (const Partition& partition : machine.gpus.partitions) {
      EXPECT_NE(partition.uuid, "MIG-left");
    }
  }
}

TEST(PartitionsTest, OneThatIsUsedIsEndedLater) {
  Machine machine;
  const ClaimReference claim = machine.Allocate("a", {kFirstName});
  ASSERT_THAT(machine.Prepare(claim), IsOk());
  machine.gpus.failure = FailedPreconditionError("in use");
  EXPECT_THAT(machine.driver().Unprepare(claim),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("in use")));
  EXPECT_THAT(machine.checkpoint().Load(claim.uid), IsOk()) << "still held";
  machine.gpus.failure = OkStatus();
  EXPECT_THAT(machine.driver().Unprepare(claim), IsOk());
  machine.ExpectNothingLeft();
}

TEST(PartitionsTest, AGpuThatIsGoneTakesThemWithIt) {
  for (const Status& failure : {NotFoundError("no such GPU"), DataLossError("GPU is lost"),
                                UnavailableError("driver not loaded")}) {
    Machine machine;
    const ClaimReference claim = machine.Allocate("a", {kFirstName});
    ASSERT_THAT(machine.Prepare(claim), IsOk());
    machine.gpus.failure = failure;
    EXPECT_THAT(machine.driver().Unprepare(claim), IsOk());
  }
}

TEST(PartitionsTest, AFailureLeavesNone) {
  Machine machine;
  const ClaimReference claim = machine.Allocate("a", {kFirstName, kUpperName});
  machine.gpus.no_room = kUpper;
  EXPECT_THAT(machine.Prepare(claim), StatusIs(StatusCode::kResourceExhausted));
  machine.ExpectNothingLeft();
}

TEST(PartitionsTest, AdministratorsGetWhatThereIs) {
  Machine machine;
  const ClaimReference admin = machine.Allocate("admin", {kFirstName}, /*admin_access=*/true);
  EXPECT_THAT(machine.Prepare(admin), IsOk());
  EXPECT_THAT(machine.gpus.partitions, IsEmpty());
  EXPECT_THAT(machine.Spec(admin), Not(HasSubstr("nvidia-cap")));
  const ClaimReference user = machine.Allocate("user", {kFirstName});
  ASSERT_THAT(machine.Prepare(user), IsOk());
  EXPECT_THAT(machine.Prepare(admin), IsOk());
  EXPECT_THAT(machine.Spec(admin), HasSubstr("/dev/nvidia-caps/nvidia-cap66"));
  EXPECT_THAT(machine.Prepare(machine.Allocate("whole", {"gpu-0"}, /*admin_access=*/true)), IsOk());
  EXPECT_TRUE(machine.gpus.mode["GPU-0"]) << "nothing is changed for them";
  ASSERT_THAT(machine.driver().Unprepare(admin), IsOk());
  EXPECT_THAT(machine.gpus.partitions, SizeIs(1));
}

}  // namespace
}  // namespace assay::driver_ref::prepare
