// A machine for tests of claims: GPUs in memory, the driver's directories, and driver processes on
// it that can be killed between any two steps.
//
// Not thread-safe; one per test.
#ifndef ASSAY_DRIVER_REF_PREPARE_TESTING_MACHINE_H_
#define ASSAY_DRIVER_REF_PREPARE_TESTING_MACHINE_H_

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

inline constexpr char kDriver[] = "gpu.example.com";
inline constexpr char kPool[] = "node-1";

// The end of the process: nothing that comes after it happens.
struct Killed {};

// GPUs in memory, that outlive what is killed. Create and Destroy are the steps that NVML has.
class FakeGpus : public discovery::Backend,
                 public discovery::Partitioner,
                 public discovery::Configurator {
 public:
  FakeGpus() {
    for (std::uint32_t i = 0; i < 2; ++i) {
      discovery::Gpu& gpu = inventory_.gpus.emplace_back();
      gpu.uuid = "GPU-" + std::to_string(i);
      gpu.minor = i;
      gpu.mig_profiles = {{.id = 19, .name = "1g.10gb", .size = 1, .starts = {0, 1, 2, 3}},
                          {.id = 9, .name = "3g.40gb", .size = 4, .starts = {0, 4}}};
      settings[gpu.uuid] = {.power_limit_mw = 650'000,
                            .compute_mode = discovery::ComputeMode::kDefault};
    }
  }

  Result<discovery::Inventory> Discover() override { return inventory_; }
  Result<std::optional<discovery::XidEvent>> WaitForXid(Duration /*timeout*/) override {
    return UnavailableError("no events");
  }
  Partitioner* partitioner() override { return this; }
  Configurator* configurator() override { return this; }

  Result<std::vector<discovery::Partition>> List(const std::string& gpu) override {
    Step();
    ASSAY_RETURN_IF_ERROR(failure);
    std::vector<discovery::Partition> found;
    for (const discovery::Partition& partition : partitions) {
      if (partition.place.gpu == gpu) {
        found.push_back(partition);
      }
    }
    return found;
  }
  Result<discovery::Partition> Create(const discovery::PartitionPlace& place) override {
    Step();
    if (place == no_room) {
      return ResourceExhaustedError("no room");
    }
    for (const discovery::Partition& other : partitions) {
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
  Status Destroy(const discovery::PartitionPlace& place) override {
    Step();
    ASSAY_RETURN_IF_ERROR(failure);
    for (discovery::Partition& partition : partitions) {
      if (partition.place == place) {
        partition.uuid = "";
      }
    }
    Step();
    std::erase_if(partitions,
                  [&](const discovery::Partition& other) { return other.place == place; });
    Step();
    mode[place.gpu] = std::ranges::any_of(partitions, [&](const discovery::Partition& other) {
      return other.place.gpu == place.gpu;
    });
    Step();
    return OkStatus();
  }
  Status UseWhole(const std::string& gpu) override {
    Step();
    for (const discovery::Partition& other : partitions) {
      EXPECT_NE(other.place.gpu, gpu) << "is used whole beside " << other.place.ToString();
    }
    mode[gpu] = false;
    return OkStatus();
  }

  Result<discovery::GpuSettings> Read(const std::string& gpu) override {
    Step();
    ASSAY_RETURN_IF_ERROR(failure);
    return settings[gpu];
  }
  Status Write(const std::string& gpu, const discovery::GpuSettings& wanted) override {
    Step();
    ASSAY_RETURN_IF_ERROR(failure);
    if (wanted.power_limit_mw) {
      if (*wanted.power_limit_mw > 700'000) {
        return InvalidArgumentError("too much power");
      }
      settings[gpu].power_limit_mw = wanted.power_limit_mw;
    }
    Step();
    if (wanted.compute_mode) {
      settings[gpu].compute_mode = wanted.compute_mode;
    }
    if (wanted.time_slice) {
      settings[gpu].time_slice = wanted.time_slice;
    }
    Step();
    return OkStatus();
  }

  // Made by hand, or left by a crash.
  void Leave(const discovery::PartitionPlace& place) {
    mode[place.gpu] = true;
    partitions.push_back({.place = place, .uuid = "MIG-left", .gpu_instance = 1});
  }
  // The steps until the process is killed; negative: never.
  int steps_left = -1;
  std::vector<discovery::Partition> partitions;
  std::map<std::string, bool> mode;                        // MIG mode, by GPU.
  std::map<std::string, discovery::GpuSettings> settings;  // By GPU.
  discovery::PartitionPlace no_room;
  Status failure;  // Of List, Destroy, Read and Write.
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
    EXPECT_THAT(WriteFileAtomically(dir_ / "proc/devices", "508 nvidia-caps\n"),
                assay::testing::IsOk());
    EXPECT_THAT(WriteFileAtomically(dir_ / "proc/driver/nvidia-caps/mig-minors", minors),
                assay::testing::IsOk());
    Restart();
  }

  void Restart(const std::string& boot_id = "boot-1") {
    gpus.steps_left = -1;
    preparer_.reset();
    monitor_ = std::make_unique<discovery::Monitor>(gpus);
    monitor_->Start();
    checkpoint_ = std::make_unique<Checkpoint>(dir_ / "state");
    EXPECT_THAT(checkpoint_->Open(), assay::testing::IsOk());
    preparer_ = std::make_unique<Preparer>(
        Preparer::Options{.driver_name = kDriver,
                          .pool_name = kPool,
                          .boot_id = boot_id,
                          .partitioner = gpus.partitioner(),
                          .configurator = gpus.configurator()},
        *checkpoint_, specs_, metadata_, *monitor_,
        [this](const std::string& /*namespace_name*/, const std::string& name) {
          const auto found = claims.find(name);
          return found == claims.end() ? Result<api::resource::ResourceClaim>(NotFoundError(name))
                                       : found->second;
        });
  }
  Preparer& driver() { return *preparer_; }
  Checkpoint& checkpoint() { return *checkpoint_; }

  ClaimReference Allocate(const std::string& name, const std::vector<std::string>& devices,
                          bool admin_access = false) {
    api::resource::ResourceClaim& claim = claims[name];
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
    EXPECT_THAT(gpus.partitions, ::testing::IsEmpty());
    EXPECT_THAT(checkpoint_->Load()->claims, ::testing::IsEmpty());
    EXPECT_TRUE(!std::filesystem::exists(dir_ / "cdi") || std::filesystem::is_empty(dir_ / "cdi"));
  }

  FakeGpus gpus;
  std::map<std::string, api::resource::ResourceClaim> claims;  // By name.

 private:
  TempDir dir_;
  cdi::ClaimSpecs specs_{{.driver_name = kDriver,
                          .cdi_root = dir_ / "cdi",
                          .dev_root = dir_ / "dev",
                          .proc_root = dir_ / "proc",
                          .nvml_library = ""}};
  cdi::MetadataFiles metadata_{{.driver_name = kDriver,
                                .cdi_root = dir_ / "cdi",
                                .directory = dir_ / "state/device-metadata"}};
  std::unique_ptr<discovery::Monitor> monitor_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::unique_ptr<Preparer> preparer_;
};

}  // namespace assay::driver_ref::prepare

#endif  // ASSAY_DRIVER_REF_PREPARE_TESTING_MACHINE_H_
