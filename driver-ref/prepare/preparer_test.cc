#include "driver-ref/prepare/preparer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"

namespace assay::driver_ref::prepare {
namespace {

using namespace std::chrono_literals;
using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

using Json = nlohmann::ordered_json;
using api::resource::ResourceClaim;

constexpr char kDriver[] = "gpu.example.com";
constexpr char kPool[] = "node-1";

class FakeBackend : public discovery::Backend {
 public:
  Result<discovery::Inventory> Discover() override {
    const std::lock_guard<std::mutex> lock(mu_);
    return inventory_;
  }
  Result<std::optional<discovery::XidEvent>> WaitForXid(Duration timeout) override {
    std::unique_lock<std::mutex> lock(mu_);
    event_.wait_for(lock, timeout);
    return std::optional<discovery::XidEvent>();
  }
  void Plug(const std::string& uuid, std::uint32_t minor) {
    const std::lock_guard<std::mutex> lock(mu_);
    inventory_.gpus.push_back({.uuid = uuid, .minor = minor});
  }
  void Unplug(const std::string& uuid) {
    const std::lock_guard<std::mutex> lock(mu_);
    std::erase_if(inventory_.gpus, [&](const auto& gpu) { return gpu.uuid == uuid; });
    std::erase_if(inventory_.devices, [&](const auto& device) { return device.name == uuid; });
  }
  void Plug(discovery::PlainDevice device) {
    const std::lock_guard<std::mutex> lock(mu_);
    inventory_.devices.push_back(std::move(device));
  }
  void SetClique(const std::string& clique) {
    const std::lock_guard<std::mutex> lock(mu_);
    inventory_.gpus.at(0).fabric_clique = clique;
  }

 private:
  std::mutex mu_;
  std::condition_variable event_;
  discovery::Inventory inventory_;  // Guarded by mu_.
};

class PreparerTest : public ::testing::Test {
 protected:
  PreparerTest() : dir_(*TempDir::Create()), monitor_(backend_), checkpoint_(dir_ / "state") {
    for (std::uint32_t i = 0; i < 4; ++i) {
      backend_.Plug("GPU-" + std::to_string(i), i);
    }
    EXPECT_THAT(checkpoint_.Open(), IsOk());
    monitor_.Start();
    Restart();
  }

  // As a new process on the same directories.
  void Restart(const std::string& boot_id = "boot-1", bool device_metadata = false) {
    Preparer::Options options{
        .driver_name = kDriver, .pool_name = kPool, .boot_id = boot_id, .attributes = {}};
    if (device_metadata) {
      options.attributes = [](const discovery::Picture& picture, const std::string& device) {
        std::map<std::string, api::resource::DeviceAttribute> attributes;
        attributes["uuid"].string = picture.Find(device)->gpu->uuid;
        return attributes;
      };
    }
    preparer_.emplace(std::move(options), checkpoint_, specs_, metadata_, monitor_,
                      [this](const std::string& namespace_name, const std::string& name) {
                        return GetClaim(namespace_name + "/" + name);
                      });
  }
  Result<ResourceClaim> GetClaim(const std::string& key) {
    if (on_get_) {
      on_get_();
    }
    const std::lock_guard<std::mutex> lock(mu_);
    const auto found = claims_.find(key);
    return found == claims_.end() ? Result<ResourceClaim>(NotFoundError("claim " + key))
                                  : found->second;
  }

  ClaimReference Allocate(const std::string& name, const std::vector<std::string>& devices,
                          bool admin_access = false) {
    const std::lock_guard<std::mutex> lock(mu_);
    ResourceClaim& claim = claims_["default/" + name];
    claim.metadata.uid = "uid-" + name;
    auto& allocation = claim.status.allocation.emplace();
    for (const std::string& device : devices) {
      auto& result = allocation.devices.results.emplace_back();
      result.request = "gpu/large";
      result.driver = kDriver;
      result.pool = kPool;
      result.device = device;
      if (admin_access) {
        result.admin_access = true;
      }
    }
    return {"default", name, "uid-" + name};
  }
  Result<std::vector<PreparedDevice>> Prepare(const ClaimReference& claim) {
    return preparer_->Prepare(claim, [] { return false; });
  }
  std::vector<std::string> Files(const std::string& directory) {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator it(dir_ / directory, error), end; it != end; ++it) {
      names.push_back(it->path().filename().string());
    }
    return names;
  }
  std::string SpecFile(const ClaimReference& claim) const {
    return std::string(kDriver) + "-claim_" + claim.uid + ".json";
  }

  TempDir dir_;
  FakeBackend backend_;
  discovery::Monitor monitor_;
  Checkpoint checkpoint_;
  cdi::ClaimSpecs specs_{{.driver_name = kDriver,
                          .cdi_root = dir_ / "cdi",
                          .dev_root = dir_ / "dev",
                          .nvml_library = ""}};
  cdi::MetadataFiles metadata_{{.driver_name = kDriver,
                                .cdi_root = dir_ / "cdi",
                                .directory = dir_ / "state/device-metadata"}};
  std::mutex mu_;
  std::map<std::string, ResourceClaim> claims_;  // Guarded by mu_.
  std::function<void()> on_get_;
  std::optional<Preparer> preparer_;
};

TEST_F(PreparerTest, ContainersAreToldAboutTheirDevices) {
  Restart("boot-1", /*device_metadata=*/true);
  const ClaimReference claim = Allocate("a", {"gpu-0", "gpu-2"});
  for (int i = 0; i < 2; ++i) {
    const auto devices = Prepare(claim);
    ASSERT_THAT(devices, IsOk());
    ASSERT_THAT(*devices, SizeIs(2));
    EXPECT_THAT((*devices)[0].cdi_device_ids, ElementsAre("gpu.example.com/claim=uid-a-gpu-0",
                                                          "gpu.example.com/metadata=uid-a_gpu"));
    EXPECT_THAT((*devices)[1].cdi_device_ids, ElementsAre("gpu.example.com/claim=uid-a-gpu-2"));
    const auto text = ReadFile(dir_ / "state/device-metadata/uid-a/gpu/metadata.json");
    ASSERT_THAT(text, IsOk());
    EXPECT_THAT(*text, AllOf(HasSubstr("GPU-0"), HasSubstr("GPU-2"), HasSubstr("gpu/large")));
    // A file that is gone is there again after the next call.
    std::filesystem::remove_all(dir_ / "state/device-metadata/uid-a");
  }
  ASSERT_THAT(preparer_->Unprepare(claim), IsOk());
  EXPECT_THAT(Files("cdi"), IsEmpty());
  EXPECT_THAT(Files("state/device-metadata"), IsEmpty());
}

TEST_F(PreparerTest, MetadataGoesWithItsClaimWhoeverLeftIt) {
  Restart("boot-1", /*device_metadata=*/true);
  const ClaimReference claim = Allocate("a", {"gpu-0"});
  const ClaimReference crashed = Allocate("b", {"gpu-1"});
  ASSERT_THAT(Prepare(claim), IsOk());
  ASSERT_THAT(Prepare(crashed), IsOk());
  // As after an end between the checkpoint's file and the others.
  std::filesystem::remove(dir_ / "state/claims/uid-b.json");
  Restart("boot-1", /*device_metadata=*/false);
  ASSERT_THAT(preparer_->RemoveOrphans(), IsOk());
  EXPECT_THAT(Files("state/device-metadata"), ElementsAre("uid-a"));
  EXPECT_THAT(Files("cdi"), SizeIs(2));
  ASSERT_THAT(preparer_->Unprepare(claim), IsOk());
  EXPECT_THAT(Files("state/device-metadata"), IsEmpty());
  EXPECT_THAT(Files("cdi"), IsEmpty());
}

TEST_F(PreparerTest, WhatIsNotBoundYetIsNotPrepared) {
  const ClaimReference claim = Allocate("a", {"gpu-0", "gpu-1"});
  const auto set = [&](const std::string& device, const std::string& value) {
    const std::lock_guard<std::mutex> lock(mu_);
    auto& status = claims_["default/a"].status.devices.emplace_back();
    status.driver = kDriver;
    status.pool = kPool;
    status.device = device;
    auto& condition = status.conditions.emplace_back();
    condition.type = "gpu.example.com/fabric-ready";
    condition.status = value;
  };
  {
    const std::lock_guard<std::mutex> lock(mu_);
    for (auto& result : claims_["default/a"].status.allocation->devices.results) {
      result.binding_conditions = {"gpu.example.com/fabric-ready"};
    }
  }
  set("gpu-0", "True");
  set("gpu-1", "False");
  EXPECT_THAT(Prepare(claim), StatusIs(StatusCode::kFailedPrecondition,
                                       HasSubstr("device node-1/gpu-1: its binding condition "
                                                 "gpu.example.com/fabric-ready is not True")));
  EXPECT_THAT(Files("state/claims"), IsEmpty());
  {
    const std::lock_guard<std::mutex> lock(mu_);
    claims_["default/a"].status.devices.back().conditions[0].status = "True";
  }
  EXPECT_THAT(Prepare(claim), IsOk());
}

TEST_F(PreparerTest, PreparesAndUnprepares) {
  const ClaimReference claim = Allocate("a", {"gpu-0", "gpu-2"});
  const auto devices = Prepare(claim);
  ASSERT_THAT(devices, IsOk());
  ASSERT_THAT(*devices, SizeIs(2));
  EXPECT_THAT((*devices)[0].allocation.requests, ElementsAre("gpu"));
  EXPECT_THAT((*devices)[0].cdi_device_ids, ElementsAre("gpu.example.com/claim=uid-a-gpu-0"));
  EXPECT_THAT(Files("cdi"), ElementsAre(SpecFile(claim)));
  const std::string spec = *ReadFile(dir_.path() / "cdi" / SpecFile(claim));
  EXPECT_THAT(spec, HasSubstr("/dev/nvidia0"));
  EXPECT_THAT(spec, HasSubstr("/dev/nvidia2"));
  EXPECT_THAT(spec, ::testing::Not(HasSubstr("/dev/nvidia1")));

  EXPECT_THAT(preparer_->Unprepare(claim), IsOk());
  EXPECT_THAT(Files("cdi"), IsEmpty());
  EXPECT_THAT(Files("state/claims"), IsEmpty());
  EXPECT_THAT(preparer_->Unprepare(claim), IsOk());
}

TEST_F(PreparerTest, ARepeatedPrepareChangesNothing) {
  const ClaimReference claim = Allocate("a", {"gpu-0"});
  ASSERT_THAT(Prepare(claim), IsOk());
  const auto before = std::filesystem::last_write_time(dir_.path() / "cdi" / SpecFile(claim));
  ASSERT_THAT(Prepare(claim), IsOk());
  EXPECT_EQ(std::filesystem::last_write_time(dir_.path() / "cdi" / SpecFile(claim)), before);
  EXPECT_THAT(checkpoint_.Load()->claims, SizeIs(1));
}

TEST_F(PreparerTest, BringsBackASpecThatIsGone) {
  const ClaimReference claim = Allocate("a", {"gpu-0"});
  ASSERT_THAT(Prepare(claim), IsOk());
  std::filesystem::remove_all(dir_ / "cdi");
  Restart("boot-2");
  ASSERT_THAT(Prepare(claim), IsOk());
  EXPECT_THAT(Files("cdi"), ElementsAre(SpecFile(claim)));
  EXPECT_EQ(checkpoint_.Load()->claims.at(claim.uid).boot_id, "boot-2");
}

TEST_F(PreparerTest, RefusesWhatIsNotItsToPrepare) {
  Allocate("a", {"gpu-0"});
  EXPECT_THAT(Prepare({"default", "missing", "uid"}), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(Prepare({"default", "a", "other-uid"}),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("UID")));
  EXPECT_THAT(Prepare({"default", "a", "../../x"}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Prepare(Allocate("b", {"gpu-9"})),
              StatusIs(StatusCode::kNotFound, HasSubstr("node-1/gpu-9")));
  claims_["default/a"].status.allocation.reset();
  EXPECT_THAT(Prepare({"default", "a", "uid-a"}),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("not allocated")));
  EXPECT_THAT(Files("cdi"), IsEmpty());
  EXPECT_THAT(Files("state/claims"), IsEmpty());
}

TEST_F(PreparerTest, OtherDriversResultsAreNotItsOwn) {
  const ClaimReference claim = Allocate("a", {"gpu-0"});
  claims_["default/a"].status.allocation->devices.results[0].driver = "other";
  EXPECT_THAT(*Prepare(claim), IsEmpty());
  EXPECT_THAT(Files("cdi"), IsEmpty());
  EXPECT_THAT(preparer_->Unprepare(claim), IsOk());
}

TEST_F(PreparerTest, RefusesAConfigurationOfItsOwnOnly) {
  const ClaimReference claim = Allocate("a", {"gpu-0"});
  auto& config = claims_["default/a"].status.allocation->devices.config.emplace_back();
  config.opaque.emplace().driver = "other";
  EXPECT_THAT(Prepare(claim), IsOk());
  config.opaque->driver = kDriver;
  config.requests = {"unused"};
  EXPECT_THAT(Prepare(claim), IsOk());
  config.requests = {"gpu"};
  EXPECT_THAT(Prepare(claim), StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(PreparerTest, ADeviceHasOneHolder) {
  const ClaimReference first = Allocate("first", {"gpu-0"});
  const ClaimReference second = Allocate("second", {"gpu-0"});
  ASSERT_THAT(Prepare(first), IsOk());
  EXPECT_THAT(Prepare(second),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("default/first (uid-first)")));
  EXPECT_THAT(Prepare(Allocate("admin", {"gpu-0"}, /*admin_access=*/true)), IsOk());
  ASSERT_THAT(preparer_->Unprepare(first), IsOk());
  EXPECT_THAT(Prepare(second), IsOk());
}

TEST_F(PreparerTest, OnlyContainersOfAdministratorsAreToldSo) {
  const ClaimReference user = Allocate("user", {"gpu-0"});
  const ClaimReference admin = Allocate("admin", {"gpu-0"}, /*admin_access=*/true);
  ASSERT_THAT(Prepare(user), IsOk());
  ASSERT_THAT(Prepare(admin), IsOk());
  EXPECT_THAT(*ReadFile(dir_.path() / "cdi" / SpecFile(admin)), HasSubstr("DRA_ADMIN_ACCESS=true"));
  EXPECT_THAT(*ReadFile(dir_.path() / "cdi" / SpecFile(user)), Not(HasSubstr("DRA_ADMIN_ACCESS")));
}

TEST_F(PreparerTest, ADeviceThatIsAwayFailsUntilItIsBack) {
  const ClaimReference claim = Allocate("a", {"gpu-1"});
  backend_.Unplug("GPU-1");
  EXPECT_THAT(Prepare(claim), StatusIs(StatusCode::kNotFound));
  backend_.Plug("GPU-1", 1);
  EXPECT_THAT(Prepare(claim), IsOk());
  backend_.Unplug("GPU-1");
  EXPECT_THAT(preparer_->Unprepare(claim), IsOk());
}

TEST_F(PreparerTest, AFailureLeavesNothing) {
  const ClaimReference claim = Allocate("a", {"gpu-0"});
  // Where the CDI directory should be there is a file.
  ASSERT_THAT(WriteFileAtomically(dir_ / "cdi", ""), IsOk());
  EXPECT_FALSE(Prepare(claim).ok());
  EXPECT_THAT(Files("state/claims"), IsEmpty());
  std::filesystem::remove(dir_ / "cdi");
  EXPECT_THAT(Prepare(claim), IsOk());
}

TEST_F(PreparerTest, WhatACrashLeftHalfDoneIsFinishedOrUndone) {
  const ClaimReference claim = Allocate("a", {"gpu-0"});
  const ClaimReference other = Allocate("b", {"gpu-0"});
  ASSERT_THAT(checkpoint_.Save({.uid = claim.uid,
                                .namespace_ = "default",
                                .name = "a",
                                .state = ClaimRecord::State::kStarted,
                                .devices = {{.pool = kPool, .device = "gpu-0"}}}),
              IsOk());
  EXPECT_THAT(Prepare(other), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(Prepare(claim), IsOk());
  EXPECT_THAT(preparer_->Unprepare(claim), IsOk());
  EXPECT_THAT(Prepare(other), IsOk());
}

TEST_F(PreparerTest, DamagedStateKeepsItsDevices) {
  const ClaimReference claim = Allocate("a", {"gpu-0"});
  ASSERT_THAT(Prepare(claim), IsOk());
  ASSERT_THAT(WriteFileAtomically(dir_.path() / "state/claims/uid-a.json", "{"), IsOk());
  Restart();
  EXPECT_THAT(Prepare(Allocate("b", {"gpu-0"})),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("cannot be read")));
  EXPECT_THAT(Prepare(Allocate("c", {"gpu-1"})), IsOk());
  // Its own claim repairs it.
  EXPECT_THAT(Prepare(claim), IsOk());
  EXPECT_THAT(checkpoint_.Load()->damaged, IsEmpty());
}

TEST_F(PreparerTest, NothingIsHandedOutWhereNobodyKnowsWhatIsHeld) {
  const ClaimReference claim = Allocate("a", {"gpu-0"});
  ASSERT_THAT(Prepare(claim), IsOk());
  ASSERT_THAT(WriteFileAtomically(dir_.path() / "state/claims/uid-a.json", ""), IsOk());
  std::filesystem::remove_all(dir_ / "cdi");
  EXPECT_THAT(Prepare(Allocate("b", {"gpu-1"})), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(preparer_->Unprepare(claim), IsOk());
  EXPECT_THAT(Prepare(Allocate("b", {"gpu-1"})), IsOk());
}

TEST_F(PreparerTest, RemovesOrphansAndNothingElse) {
  const ClaimReference live = Allocate("live", {"gpu-0"});
  const ClaimReference gone = Allocate("gone", {"gpu-1"});
  const ClaimReference reborn = Allocate("reborn", {"gpu-2"});
  for (const ClaimReference& claim : {live, gone, reborn}) {
    ASSERT_THAT(Prepare(claim), IsOk());
  }
  claims_.erase("default/gone");
  claims_["default/reborn"].metadata.uid = "another";
  ASSERT_THAT(WriteFileAtomically(dir_.path() / "cdi/gpu.example.com-claim_stray.json", "{}"),
              IsOk());
  ASSERT_THAT(WriteFileAtomically(dir_.path() / "cdi/other.com-claim_x.json", "{}"), IsOk());
  EXPECT_THAT(preparer_->RemoveOrphans(), IsOk());
  EXPECT_THAT(Files("cdi"), UnorderedElementsAre(SpecFile(live), "other.com-claim_x.json"));
  EXPECT_THAT(checkpoint_.Load()->claims, SizeIs(1));
}

TEST_F(PreparerTest, ACancelledCallLeavesNothing) {
  const ClaimReference claim = Allocate("a", {"gpu-0"});
  EXPECT_THAT(preparer_->Prepare(claim, [] { return true; }), StatusIs(StatusCode::kCancelled));
  EXPECT_THAT(Files("state/claims"), IsEmpty());
}

TEST_F(PreparerTest, AnUnprepareOvertakesNothingAndIsNotUndone) {
  const ClaimReference claim = Allocate("a", {"gpu-0"});
  std::promise<void> reading;
  std::promise<void> go_on;
  std::atomic<bool> first = true;
  on_get_ = [&] {
    if (first.exchange(false)) {
      reading.set_value();
      go_on.get_future().wait();
    }
  };
  auto prepare = std::async(std::launch::async, [&] { return Prepare(claim); });
  reading.get_future().wait();
  // The claim is being prepared: what comes now waits for its turn.
  auto unprepare = std::async(std::launch::async, [&] { return preparer_->Unprepare(claim); });
  EXPECT_EQ(unprepare.wait_for(20ms), std::future_status::timeout);
  go_on.set_value();
  EXPECT_THAT(prepare.get(), IsOk());
  EXPECT_THAT(unprepare.get(), IsOk());
  EXPECT_THAT(Files("cdi"), IsEmpty());
  EXPECT_THAT(Files("state/claims"), IsEmpty());
}

TEST_F(PreparerTest, ClaimsDoNotWaitForEachOther) {
  const ClaimReference slow = Allocate("slow", {"gpu-0"});
  const ClaimReference quick = Allocate("quick", {"gpu-1"});
  std::promise<void> reading;
  std::promise<void> go_on;
  std::atomic<bool> first = true;
  on_get_ = [&] {
    if (first.exchange(false)) {
      reading.set_value();
      go_on.get_future().wait();
    }
  };
  auto prepare = std::async(std::launch::async, [&] { return Prepare(slow); });
  reading.get_future().wait();
  EXPECT_THAT(Prepare(quick), IsOk());
  go_on.set_value();
  EXPECT_THAT(prepare.get(), IsOk());
}

TEST_F(PreparerTest, ManyCallsAtOnceKeepTheStateWhole) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    const ClaimReference claim =
        Allocate("c" + std::to_string(t), {"gpu-" + std::to_string(t % 4)}, /*admin_access=*/true);
    threads.emplace_back([this, claim] {
      for (int i = 0; i < 20; ++i) {
        EXPECT_THAT(Prepare(claim), IsOk());
        EXPECT_THAT(preparer_->Unprepare(claim), IsOk());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_THAT(Files("cdi"), IsEmpty());
  EXPECT_THAT(Files("state/claims"), IsEmpty());
}

// A torus of 2x2x1 chips.
class PlainDevicesTest : public PreparerTest {
 protected:
  PlainDevicesTest() {
    for (std::uint32_t i = 0; i < 4; ++i) {
      discovery::PlainDevice chip;
      chip.name = "tpu-" + std::to_string(i);
      chip.kind = "tpu";
      chip.serial = "S" + std::to_string(i);
      chip.index = i;
      chip.position = {i % 2, i / 2, 0};
      chip.nodes = {{.path = "accel" + std::to_string(i), .major = 120, .minor = i}};
      backend_.Plug(std::move(chip));
    }
  }
  Json Spec(const ClaimReference& claim) {
    return Json::parse(ReadFile(dir_ / "cdi" / SpecFile(claim)).value_or("{}"), nullptr, false);
  }
};

TEST_F(PlainDevicesTest, AContainerGetsAllOfASubSliceAndNothingOfNvidias) {
  const ClaimReference claim = Allocate("half", {"tpu-2x1x1-0-1-0"});
  ASSERT_THAT(Prepare(claim), IsOk());
  const Json spec = Spec(claim);
  EXPECT_FALSE(spec.contains("containerEdits")) << spec;
  const Json& edits = spec.at("devices").at(0).at("containerEdits");
  std::vector<std::string> nodes;
  for (const Json& node : edits.at("deviceNodes")) {
    nodes.push_back(node.at("path").get<std::string>() + " " + node.at("major").dump() + ":" +
                    node.at("minor").dump());
  }
  EXPECT_THAT(nodes, ElementsAre("/dev/accel2 120:2", "/dev/accel3 120:3"));
  EXPECT_EQ(edits.at("env"), (Json{"DRA_DEVICE_TPU_2=S2", "DRA_DEVICE_TPU_3=S3",
                                   "TPU_2X1X1_0_1_0_TOPOLOGY=2x1x1", "TPU_2X1X1_0_1_0_CHIPS=2,3"}));
}

TEST_F(PlainDevicesTest, WhatHasAChipInCommonIsNotPreparedTwice) {
  const ClaimReference row = Allocate("row", {"tpu-2x1x1-0-1-0"});
  ASSERT_THAT(Prepare(row), IsOk());
  const ClaimReference column = Allocate("column", {"tpu-1x2x1-1-0-0"});
  const ClaimReference chip = Allocate("chip", {"tpu-3"});
  EXPECT_THAT(Prepare(column), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("uid-row")));
  EXPECT_THAT(Prepare(chip), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("uid-row")));
  EXPECT_THAT(Prepare(Allocate("both", {"tpu-1", "tpu-1x2x1-1-0-0"})),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("exclude each other")));
  EXPECT_THAT(Prepare(Allocate("free", {"tpu-2x1x1-0-0-0"})), IsOk());
  // Also after its chip is gone, and the sub-slice with it, and over a restart of the driver.
  backend_.Unplug("tpu-2");
  Restart();
  EXPECT_THAT(Prepare(chip), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("uid-row")));
  ASSERT_THAT(preparer_->Unprepare(row), IsOk());
  EXPECT_THAT(Prepare(chip), IsOk());
}

TEST_F(PlainDevicesTest, AClaimWhoseStateIsDamagedKeepsItsChips) {
  const ClaimReference row = Allocate("row", {"tpu-2x1x1-0-1-0"});
  ASSERT_THAT(Prepare(row), IsOk());
  ASSERT_THAT(WriteFileAtomically(dir_ / "state/claims" / (row.uid + ".json"), "{"), IsOk());
  EXPECT_THAT(Prepare(Allocate("chip", {"tpu-3"})), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(Prepare(Allocate("other", {"tpu-0"})), IsOk());
}

TEST_F(PlainDevicesTest, AnNvlinkDomainIsForTheNodesThatAreInIt) {
  const ClaimReference claim = Allocate("domain", {"nvlink-0e6d-1"});
  claims_.at("default/domain").status.allocation->devices.results[0].pool = "nvlink-domains";
  EXPECT_THAT(Prepare(claim), StatusIs(StatusCode::kNotFound, HasSubstr("no GPU of this node")));
  backend_.SetClique("0e6d.1");
  ASSERT_THAT(Prepare(claim), IsOk());
  EXPECT_EQ(Spec(claim).at("devices").at(0).at("containerEdits"),
            (Json{{"env", {"NVLINK_DOMAIN=nvlink-0e6d-1"}}}));
}

}  // namespace
}  // namespace assay::driver_ref::prepare
