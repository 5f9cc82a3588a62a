// Thousands of pods live and die with their claims on one node, several at a time, while the driver
// and the agent are killed, the driver's requests fail, and GPUs break and heal. Every pod must run
// and end, no GPU may be in two pods at once, and at the end nothing may be left: no claims,
// records, CDI files or descriptors, and no memory that grows with the number of pods.
//
// ASSAY_SOAK_PODS says how many (default: 150), ASSAY_SEED chooses the run.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "controlplane/node/end_to_end_test.h"
#include "fakegpu/host/driver_root.h"

namespace assay::controlplane::node {
namespace {

using namespace std::chrono_literals;
using ::assay::testing::IsOk;
using ::testing::IsEmpty;

using api::core::Pod;
using api::resource::ResourceClaim;
using apiserver::Fault;

int NumberFrom(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atoi(text);
}

std::size_t DescriptorsOf(pid_t pid) {
  std::error_code error;
  return static_cast<std::size_t>(std::distance(
      std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", error), {}));
}

// Of these, the unix sockets: connections to drivers.
std::size_t OwnUnixSockets() {
  std::set<std::string> inodes;
  std::ifstream table("/proc/net/unix");
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < 7; ++i) {
      words >> word;
    }
    inodes.insert("socket:[" + word + "]");
  }
  std::error_code error;
  return static_cast<std::size_t>(std::ranges::count_if(
      std::filesystem::directory_iterator("/proc/self/fd", error), [&](const auto& entry) {
        return inodes.contains(std::filesystem::read_symlink(entry.path(), error).string());
      }));
}

// Private and dirty: what the process alone keeps in memory, in KiB.
std::size_t PrivateKilobytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::size_t kilobytes = 0;
  for (std::string word; file >> word;) {
    if (word == "Private_Dirty:") {
      file >> kilobytes;
    }
  }
  return kilobytes;
}

class SoakTest : public DriverOnNodeTest {
 protected:
  static constexpr int kWorkers = 5;

  void SetUp() override {
    DriverOnNodeTest::SetUp();
    api::resource::DeviceClass device_class;
    device_class.metadata.name = "extended";
    device_class.spec.extended_resource_name = "assay.dev/gpu";
    device_class.spec.selectors.emplace_back().cel.emplace().expression =
        std::string("device.driver == \"") + kDriver + "\"";
    ASSERT_THAT(cluster_->admin().Create(device_class), IsOk());
    for (int count : {1, 2}) {
      api::resource::ResourceClaimTemplate claim_template;
      claim_template.metadata.name = "gpus-" + std::to_string(count);
      claim_template.metadata.namespace_ = "default";
      auto& request = claim_template.spec.spec.devices.requests.emplace_back();
      request.name = "gpu";
      request.exactly.emplace().device_class_name = "gpu";
      request.exactly->count = count;
      ASSERT_THAT(cluster_->admin().Create(claim_template), IsOk());
    }
  }

  Pod NewPod(const std::string& name) {
    Pod pod;
    pod.metadata.name = name;
    pod.metadata.namespace_ = "default";
    auto& container = pod.spec.containers.emplace_back();
    container.name = "main";
    container.image = "busybox";
    return pod;
  }
  Pod WithTemplate(Pod pod, int count) {
    auto& entry = pod.spec.resource_claims.emplace_back();
    entry.name = "gpus";
    entry.resource_claim_template_name = "gpus-" + std::to_string(count);
    pod.spec.containers[0].resources.claims.emplace_back().name = "gpus";
    return pod;
  }
  Pod WithExtendedResource(Pod pod) {
    auto& resources = pod.spec.containers[0].resources;
    resources.limits["assay.dev/gpu"] = api::meta::Quantity::Of("1");
    resources.requests = resources.limits;
    return pod;
  }

  // The devices are `pod`'s alone while it runs. A restarted agent knows no container yet.
  void Occupy(const Pod& pod, const std::string& owner) {
    std::set<std::string> devices = DevicesIn(pod);
    // Parts of a GPU are told apart by their capabilities, beside the GPU's own device.
    const auto is_part = [](const std::string& path) {
      return path.find("nvidia-caps/") != std::string::npos;
    };
    if (std::ranges::any_of(devices, is_part)) {
      std::erase_if(devices, [&](const std::string& path) { return !is_part(path); });
    }
    const std::lock_guard<std::mutex> lock(mu_);
    for (const std::string& device : devices) {
      const auto [at, is_new] = occupied_.emplace(device, owner);
      EXPECT_TRUE(is_new || at->second == owner)
          << device << " is in " << owner << " and in " << at->second;
    }
  }
  void Vacate(const std::string& owner) {
    const std::lock_guard<std::mutex> lock(mu_);
    std::erase_if(occupied_, [&](const auto& entry) { return entry.second == owner; });
  }

  // A pod whose claims could not be prepared is tried again at the kubelet's next resync, in a
  // minute or more, or when somebody changes it: this does.
  Status WaitUntilRuns(const std::string& name) {
    constexpr int kNudges = 20;
    api::client::BlockingClient waiter(cluster_->admin().client(), 3s);
    Status status;
    for (int i = 0; i < kNudges; ++i) {
      status = waiter
                   .WaitFor<Pod>({"default", name},
                                 [](const Pod& pod) { return pod.status.phase == "Running"; })
                   .status();
      if (status.ok()) {
        return status;
      }
      ++nudges_;
      (void)cluster_->admin()
          .Patch<Pod>({"default", name},
                      R"({"metadata":{"annotations":{"nudge":")" + std::to_string(i) + R"("}}})",
                      {.type = api::client::PatchType::kMerge})
          .ok();
    }
    return status;
  }

  // Pods that share one life: created, running, gone. `owner` is whose GPUs theirs are.
  void Live(const std::vector<Pod>& pods, const std::string& owner) {
    std::vector<Pod> created;
    for (const Pod& pod : pods) {
      auto result = cluster_->admin().Create(pod);
      ASSERT_THAT(result, IsOk());
      created.push_back(*std::move(result));
    }
    for (const Pod& pod : created) {
      ASSERT_THAT(WaitUntilRuns(pod.metadata.name), IsOk()) << pod.metadata.name;
      Occupy(pod, owner);
    }
    // Before the first of them lets go of what the others do not hold.
    Vacate(owner);
    for (const Pod& pod : created) {
      ASSERT_THAT(cluster_->admin().Delete<Pod>({"default", pod.metadata.name}), IsOk());
    }
    for (const Pod& pod : created) {
      ASSERT_THAT(cluster_->admin().WaitUntilGone<Pod>({"default", pod.metadata.name}), IsOk());
    }
  }

  // One of the kinds of life; returns how many pods it took.
  int LiveOnce(int number, Random& random) {
    const std::string name = "pod-" + std::to_string(number);
    switch (random.Below(4)) {
      case 0:
        Live({WithTemplate(NewPod(name), 1)}, name);
        return 1;
      case 1:
        Live({WithTemplate(NewPod(name), 2)}, name);
        return 1;
      case 2:
        Live({WithExtendedResource(NewPod(name))}, name);
        return 1;
      default: {
        CreateClaim(name, 1);
        std::vector<Pod> pods;
        for (const char* suffix : {"-a", "-b"}) {
          Pod& pod = pods.emplace_back(NewPod(name + suffix));
          auto& entry = pod.spec.resource_claims.emplace_back();
          entry.name = "gpus";
          entry.resource_claim_name = name;
          pod.spec.containers[0].resources.claims.emplace_back().name = "gpus";
        }
        Live(pods, name);
        EXPECT_THAT(cluster_->admin().Delete<ResourceClaim>({"default", name}), IsOk());
        return 2;
      }
    }
  }

  void Disturb(Random& random) {
    switch (random.Below(4)) {
      case 0:
        ++disturbed_["driver killed"];
        driver_->Signal(SIGKILL);
        StartDriver(flags_);
        break;
      case 1:
        ++disturbed_["agent killed"];
        StopAgent();
        StartAgent();
        break;
      case 2: {
        ++disturbed_["GPU broken and healed"];
        const std::string gpu = std::to_string(random.Below(gpus_->Show()->gpus.size()));
        EXPECT_THAT(gpus_->Inject(gpu, fakegpu::control::XidFault{.xid = 79}), IsOk());
        EXPECT_THAT(WaitForTaints(true), IsOk());
        EXPECT_THAT(gpus_->Heal(gpu), IsOk());
        EXPECT_THAT(WaitForTaints(false), IsOk());
        break;
      }
      default: {
        ++disturbed_["API requests failed"];
        const std::vector<Fault::Action> actions = {
            Fault::Conflict(),           Fault::TooManyRequests(1), Fault::InternalError(),
            Fault::ServiceUnavailable(), Fault::DropConnection(),   Fault::LoseAnswer()};
        cluster_->api_server().faults().Add({.match = {.user = kUser.name},
                                             .action = actions[random.Below(actions.size())],
                                             .times = 1 + static_cast<int>(random.Below(4))});
      }
    }
  }
  // Until a device has a taint, or until all devices are there and none has.
  Status WaitForTaints(bool some) {
    return cluster_->admin()
        .WaitForList<api::resource::ResourceSlice>(
            {},
            [&](const auto& slices) {
              const auto devices = DevicesOf(slices);
              const bool tainted = std::ranges::any_of(
                  devices, [](const auto& device) { return !device.taints.empty(); });
              return tainted == some && devices.size() == devices_;
            })
        .status();
  }

  void Soak();
  std::size_t PartitionsLeft();

  std::vector<std::string> flags_;  // Of the driver.
  std::mutex mu_;
  std::map<std::string, std::string> occupied_;  // Guarded by mu_: device to owner.
  std::map<std::string, int> disturbed_;
  std::atomic<int> nudges_ = 0;
};

// MIG instances, once the driver has had the time that it takes: those of a GPU that was lost when
// their claim ended go with its next look for what is left, once a minute.
std::size_t SoakTest::PartitionsLeft() {
  const auto count = [this] {
    std::size_t instances = 0;
    const auto node = gpus_->Show();
    EXPECT_THAT(node, IsOk());
    if (node.ok()) {
      for (const auto& gpu : node->gpus) {
        instances += gpu.gpu_instances.size();
      }
    }
    return instances;
  };
  // Nobody tells when they go.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(70);
  std::size_t left = count();
  while (left > 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    left = count();
  }
  return left;
}

void SoakTest::Soak() {
  const int pods = NumberFrom("ASSAY_SOAK_PODS", 150);
  const std::uint64_t seed = std::getenv("ASSAY_SEED") != nullptr
                                 ? static_cast<std::uint64_t>(NumberFrom("ASSAY_SEED", 1))
                                 : Random::FromSystem().Next();
  SCOPED_TRACE("ASSAY_SEED=" + std::to_string(seed));
  StartAgent();
  StartDriver(flags_);
  WaitForDriver();
  const std::size_t own_descriptors = DescriptorsOf(::getpid());
  const std::size_t own_unix_sockets = OwnUnixSockets();

  // The driver is left alone in the last fifth: what it holds then must not grow.
  const int calm_from = pods * 4 / 5;
  std::atomic<int> lived = 0;
  std::atomic<int> next = 0;
  std::mutex disturbing;
  Random disturber(seed);
  int next_disturbance = 15;
  std::size_t descriptors = 0;
  std::size_t kilobytes = 0;
  const auto work = [&](std::uint64_t worker) {
    Random random(seed + worker + 1);
    while (lived < pods && !HasFailure()) {
      lived += LiveOnce(next++, random);
      const std::lock_guard<std::mutex> lock(disturbing);
      if (lived >= next_disturbance && lived < calm_from) {
        next_disturbance = lived + 10 + static_cast<int>(disturber.Below(30));
        Disturb(disturber);
      } else if (lived >= calm_from + pods / 20 && kilobytes == 0) {
        descriptors = DescriptorsOf(driver_->pid());
        kilobytes = PrivateKilobytes(driver_->pid());
      }
    }
  };
  std::vector<std::thread> workers;
  for (std::uint64_t i = 0; i < kWorkers; ++i) {
    workers.emplace_back(work, i);
  }
  for (std::thread& worker : workers) {
    worker.join();
  }
  ASSERT_FALSE(HasFailure());
  const std::size_t kilobytes_at_end = PrivateKilobytes(driver_->pid());
  const std::size_t descriptors_at_end = DescriptorsOf(driver_->pid());
  cluster_->api_server().faults().Clear();

  EXPECT_THAT(cluster_->admin().WaitForList<ResourceClaim>(
                  {}, [](const auto& claims) { return claims.empty(); }),
              IsOk());
  EXPECT_THAT(*cluster_->admin().List<Pod>(), IsEmpty());
  EXPECT_EQ(CdiFiles(), 0u);
  EXPECT_EQ(PartitionsLeft(), 0u);
  EXPECT_TRUE(std::filesystem::is_empty(DriverSocket().parent_path() / "claims"));
  // Calls that end at this moment may hold one.
  EXPECT_LE(descriptors_at_end, descriptors + kWorkers);
  const std::size_t own_descriptors_at_end = DescriptorsOf(::getpid());
  EXPECT_LE(OwnUnixSockets(), own_unix_sockets);
  // Both ends of the connections of the agent that work at the same time.
  EXPECT_LE(own_descriptors_at_end, own_descriptors + 4 * kWorkers);
#ifndef __SANITIZE_ADDRESS__  // It keeps what was freed for a while.
  EXPECT_LE(kilobytes_at_end, kilobytes + 2048);
#endif
  std::printf(
      "%d pods, %d nudges; driver: %zu -> %zu KiB private, %zu -> %zu descriptors; own: %zu -> "
      "%zu;",
      lived.load(), nudges_.load(), kilobytes, kilobytes_at_end, descriptors, descriptors_at_end,
      own_descriptors, own_descriptors_at_end);
  for (const auto& [what, times] : disturbed_) {
    std::printf(" %s: %d;", what.c_str(), times);
  }
  std::printf("\n");
}

TEST_F(SoakTest, NothingIsLostAndNothingIsLeft) { Soak(); }

// The same with GPUs that are divided for each claim, and whole again after it.
class DividedSoakTest : public SoakTest {
 protected:
  void SetUp() override {
    if (geteuid() != 0) {
      GTEST_SKIP() << "dividing GPUs is root's";
    }
    SoakTest::SetUp();
    ASSERT_THAT(fakegpu::host::WriteDevices(dir_ / "state", dir_ / "host"), IsOk());
    flags_ = {"--mig", "--proc-root=" + (dir_.path() / "host/proc").string()};
    // The whole GPU, and 7 + 7 + 4 + 3 + 2 + 1 + 1 placements of profiles.
    devices_ = kGpus * 26;
  }
};

TEST_F(DividedSoakTest, NothingIsLostAndNothingIsLeft) { Soak(); }

}  // namespace
}  // namespace assay::controlplane::node
