// Claims of partitions through the Preparer: what is on the hardware, what is on disk, and what
// becomes of both when the process dies between any two steps.
#include "driver-ref/prepare/partitions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "driver-ref/prepare/preparer.h"

namespace assay::driver_ref::prepare {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using api::resource::ResourceClaim;
using discovery::Partition;
using discovery::PartitionPlace;

constexpr char kDriver[] = "gpu.example.com";
constexpr char kPool[] = "node-1";

// The end of the process: nothing that comes after it happens.
struct Killed {};

// GPUs in memory, that outlive what is killed. Create and Destroy are the steps that NVML has.
class FakeGpus : public discovery::Backend, public discovery::Partitioner {
 public:
  FakeGpus() {
    for (std::uint32_t i = 0; i < 2; ++i) {
      discovery::Gpu& gpu = inventory_.gpus.emplace_back();
      gpu.uuid = "GPU-" + std::to_string(i);
      gpu.minor = i;
      gpu.mig_profiles = {{.id = 19, .name = "1g.10gb", .size = 1, .starts = {0, 1, 2, 3}},
                          {.id = 9, .name = "3g.40gb", .size = 4, .starts = {0, 4}}};
    }
  }

  Result<discovery::Inventory> Discover() override { return inventory_; }
  Result<std::optional<discovery::XidEvent>> WaitForXid(Duration /*timeout*/) override {
    return UnavailableError("no events");
  }
  Partitioner* partitioner() override { return this; }

  Result<std::vector<Partition>> List(const std::string& gpu) override {
    Step();
    ASSAY_RETURN_IF_ERROR(failure);
    std::vector<Partition> found;
    for (const Partition& partition : partitions) {
      if (partition.place.gpu == gpu) {
        found.push_back(partition);
      }
    }
    return found;
  }
  Result<Partition> Create(const PartitionPlace& place) override {
    Step();
    if (place == no_room) {
      return ResourceExhaustedError("no room");
    }
    for (const Partition& other : partitions) {
      if (other.place.Overlaps(place)) {
        ADD_FAILURE() << place.ToString() << " is made over " << other.place.ToString();
        return ResourceExhaustedError("taken");
      }
    }
    mode[place.gpu] = true;
    Step();
    partitions.push_back({.place = place, .uuid = "", .gpu_instance = place.start + 7});
    Step();
    partitions.back().uuid = "MIG-" + std::to_string(++made);
    Step();
    return partitions.back();
  }
  Status Destroy(const PartitionPlace& place) override {
    Step();
    ASSAY_RETURN_IF_ERROR(failure);
    for (Partition& partition : partitions) {
      if (partition.place == place) {
        partition.uuid = "";
      }
    }
    Step();
    std::erase_if(partitions, [&](const Partition& other) { return other.place == place; });
    Step();
    mode[place.gpu] = std::ranges::any_of(
        partitions, [&](const Partition& other) { return other.place.gpu == place.gpu; });
    Step();
    return OkStatus();
  }
  Status UseWhole(const std::string& gpu) override {
    Step();
    for (const Partition& other : partitions) {
      EXPECT_NE(other.place.gpu, gpu) << "is used whole beside " << other.place.ToString();
    }
    mode[gpu] = false;
    return OkStatus();
  }

  // Made by hand, or left by a crash.
  void Leave(const PartitionPlace& place) {
    mode[place.gpu] = true;
    partitions.push_back({.place = place, .uuid = "MIG-left", .gpu_instance = 1});
  }
  // The steps until the process is killed; negative: never.
  int steps_left = -1;
  std::vector<Partition> partitions;
  std::map<std::string, bool> mode;  // MIG mode, by GPU.
  PartitionPlace no_room;
  Status failure;  // Of List and Destroy.
  int made = 0;

 private:
  void Step() {
    if (steps_left == 0) {
      throw Killed();
    }
    --steps_left;
  }
  discovery::Inventory inventory_;
};

// A node that outlives its driver's processes.
class Machine {
 public:
  Machine() : dir_(*TempDir::Create()) {
    std::filesystem::create_directories(dir_ / "proc/driver/nvidia-caps");
    std::string minors;
    for (int gpu = 0; gpu < 2; ++gpu) {
      for (int instance = 0; instance < 15; ++instance) {
        const std::string name = "gpu" + std::to_string(gpu) + "/gi" + std::to_string(instance);
        const int minor = 3 + 135 * gpu + 9 * instance;
        minors += name + "/access " + std::to_string(minor) + "\n" + name + "/ci0/access " +
                  std::to_string(minor + 1) + "\n";
      }
    }
    EXPECT_THAT(WriteFileAtomically(dir_ / "proc/devices", "508 nvidia-caps\n"), IsOk());
    EXPECT_THAT(WriteFileAtomically(dir_ / "proc/driver/nvidia-caps/mig-minors", minors), IsOk());
    Restart();
  }

  void Restart(const std::string& boot_id = "boot-1") {
    gpus.steps_left = -1;
    preparer_.reset();
    monitor_ = std::make_unique<discovery::Monitor>(gpus);
    monitor_->Start();
    checkpoint_ = std::make_unique<Checkpoint>(dir_ / "state");
    EXPECT_THAT(checkpoint_->Open(), IsOk());
    preparer_ = std::make_unique<Preparer>(
        Preparer::Options{.driver_name = kDriver,
                          .pool_name = kPool,
                          .boot_id = boot_id,
                          .partitioner = gpus.partitioner()},
        *checkpoint_, specs_, *monitor_,
        [this](const std::string& /*namespace_name*/, const std::string& name) {
          const auto found = claims.find(name);
          return found == claims.end() ? Result<ResourceClaim>(NotFoundError(name)) : found->second;
        });
  }
  Preparer& driver() { return *preparer_; }
  Checkpoint& checkpoint() { return *checkpoint_; }

  ClaimReference Allocate(const std::string& name, const std::vector<std::string>& devices,
                          bool admin_access = false) {
    ResourceClaim& claim = claims[name];
    claim.metadata.uid = "uid-" + name;
    auto& allocation = claim.status.allocation.emplace();
    for (const std::string& device : devices) {
      auto& result = allocation.devices.results.emplace_back();
      result.request = "gpu";
      result.driver = kDriver;
      result.pool = kPool;
      result.device = device;
      result.admin_access = admin_access;
    }
    return {"default", name, claim.metadata.uid};
  }
  Status Prepare(const ClaimReference& claim) {
    return preparer_->Prepare(claim, [] { return false; }).status();
  }
  std::filesystem::path SpecFile(const ClaimReference& claim) const {
    return dir_.path() / "cdi" / (std::string(kDriver) + "-claim_" + claim.uid + ".json");
  }
  std::filesystem::path StateFile(const ClaimReference& claim) const {
    return dir_.path() / "state/claims" / (claim.uid + ".json");
  }
  std::string Spec(const ClaimReference& claim) const {
    return ReadFile(SpecFile(claim)).value_or("");
  }
  // Runs `call` until the process is killed at the given step; false if it came to its end before.
  bool KilledAt(int step, const std::function<void()>& call) {
    gpus.steps_left = step;
    try {
      call();
    } catch (const Killed&) {
      return true;
    }
    return false;
  }
  void ExpectNothingLeft() {
    EXPECT_THAT(gpus.partitions, IsEmpty());
    EXPECT_THAT(checkpoint_->Load()->claims, IsEmpty());
    EXPECT_TRUE(!std::filesystem::exists(dir_ / "cdi") || std::filesystem::is_empty(dir_ / "cdi"));
  }

  FakeGpus gpus;
  std::map<std::string, ResourceClaim> claims;  // By name.

 private:
  TempDir dir_;
  cdi::ClaimSpecs specs_{{.driver_name = kDriver,
                          .cdi_root = dir_ / "cdi",
                          .dev_root = dir_ / "dev",
                          .proc_root = dir_ / "proc",
                          .nvml_library = ""}};
  std::unique_ptr<discovery::Monitor> monitor_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::unique_ptr<Preparer> preparer_;
};

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
