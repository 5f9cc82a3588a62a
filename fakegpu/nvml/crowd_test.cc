// Thousands of short-lived processes on one node, of which half die at any moment: no change of
// theirs is lost, no lock stays, and what they leave can be cleared away.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/time.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <new>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "fakegpu/nvml/testing/nvml_fixture.h"

namespace assay::fakegpu::nvml {
namespace {

using control::EccFault;

constexpr int kAtOnce = 12;
constexpr std::uint64_t kSeed = 1;
constexpr unsigned int kSmallestProfile = 19;  // Of an H100: 1g.10gb.
constexpr unsigned int kSmallestProfiles = 7;  // How many of it there can be.

// The GPUs, by what is done to them.
enum Gpu : unsigned int { kOfSurvivors, kOfTheDoomed, kOfProcesses, kDivided, kSet };

// ASSAY_CROWD: how many processes there are, for a longer run.
int ProcessCount() {
  const char* count = std::getenv("ASSAY_CROWD");
  return count != nullptr ? std::atoi(count) : 2'000;
}

// What the processes count, where all of them see it.
struct Tally {
  std::atomic<std::uint64_t> of_survivors = 0;  // Changes made.
  std::atomic<std::uint64_t> begun = 0;         // By the doomed, and
  std::atomic<std::uint64_t> made = 0;          // of these, known to have been made.
  std::atomic<std::uint64_t> surprises = 0;     // Answers that none of this explains.
};

// One process of the crowd.
class Member {
 public:
  Member(const NvmlFunctions& nvml, const control::Node& node, Tally& tally, std::uint64_t number)
      : nvml_(nvml),
        node_(node),
        tally_(tally),
        random_(kSeed * 1'000'003 + number),
        pid_(static_cast<std::uint32_t>(number) + 1),
        doomed_(random_.Below(2) == 0) {}

  void Live() {
    if (doomed_) {
      // Its signal ends the process wherever it is, as SIGKILL does.
      itimerval when{};
      when.it_value.tv_usec = static_cast<suseconds_t>(1 + random_.Below(3'000));
      setitimer(ITIMER_REAL, &when, nullptr);
    }
    // One that makes no headway is ended by SIGPROF, after a thousand times what it needs.
    itimerval most{};
    most.it_value.tv_sec = 2;
    setitimer(ITIMER_PROF, &most, nullptr);
    Expect(nvml_.nvmlInit_v2(), {NVML_SUCCESS});
    for (std::uint64_t i = 0, count = 1 + random_.Below(6); i < count; ++i) {
      Act();
    }
    Expect(nvml_.nvmlShutdown(), {NVML_SUCCESS});
  }

 private:
  void Act() {
    switch (random_.Below(5)) {
      case 0:
        return Count();
      case 1:
        return RunOnGpu();
      case 2:
        return Divide();
      case 3:
        return ClearDivision();
      default:
        return Expect(
            nvml_.nvmlDeviceSetPersistenceMode(
                Device(kSet), random_.Below(2) == 0 ? NVML_FEATURE_DISABLED : NVML_FEATURE_ENABLED),
            {NVML_SUCCESS});
    }
  }

  void Count() {
    if (doomed_) {
      tally_.begun.fetch_add(1);
      Expect(node_.Inject(std::to_string(kOfTheDoomed), EccFault{}).ok());
      tally_.made.fetch_add(1);
    } else {
      Expect(node_.Inject(std::to_string(kOfSurvivors), EccFault{}).ok());
      tally_.of_survivors.fetch_add(1);
    }
  }

  void RunOnGpu() {
    const std::string gpu = std::to_string(kOfProcesses);
    const Status started =
        node_.StartProcess(gpu, {.pid = pid_, .name = "member", .memory_bytes = 1 << 20}, 1);
    // What the dead have left may have filled it.
    Expect(started.ok() || started.code() == StatusCode::kResourceExhausted);
    if (started.ok()) {
      Expect(node_.EndProcess(gpu, pid_).ok());
    }
  }

  void Divide() {
    nvmlGpuInstance_t instance = nullptr;
    const nvmlReturn_t made =
        nvml_.nvmlDeviceCreateGpuInstance(Device(kDivided), kSmallestProfile, &instance);
    Expect(made, {NVML_SUCCESS, NVML_ERROR_INSUFFICIENT_RESOURCES});
    if (made != NVML_SUCCESS) {
      return;
    }
    // Another may clear away the instance meanwhile, or what is in it.
    nvmlComputeInstance_t compute = nullptr;
    const nvmlReturn_t inside = nvml_.nvmlGpuInstanceCreateComputeInstance(
        instance, NVML_COMPUTE_INSTANCE_PROFILE_1_SLICE, &compute);
    Expect(inside, {NVML_SUCCESS, NVML_ERROR_INVALID_ARGUMENT});
    if (inside == NVML_SUCCESS) {
      Expect(nvml_.nvmlComputeInstanceDestroy(compute),
             {NVML_SUCCESS, NVML_ERROR_INVALID_ARGUMENT});
    }
    Expect(nvml_.nvmlGpuInstanceDestroy(instance), {NVML_SUCCESS, NVML_ERROR_INVALID_ARGUMENT});
  }

  void ClearDivision() {
    nvmlGpuInstance_t instances[kSmallestProfiles] = {};
    unsigned int count = 0;
    Expect(nvml_.nvmlDeviceGetGpuInstances(Device(kDivided), kSmallestProfile, instances, &count),
           {NVML_SUCCESS});
    for (unsigned int i = 0; i < count; ++i) {
      nvmlComputeInstance_t compute = nullptr;
      unsigned int computes = 0;
      if (nvml_.nvmlGpuInstanceGetComputeInstances(instances[i],
                                                   NVML_COMPUTE_INSTANCE_PROFILE_1_SLICE, &compute,
                                                   &computes) == NVML_SUCCESS &&
          computes == 1) {
        (void)nvml_.nvmlComputeInstanceDestroy(compute);
      }
      Expect(nvml_.nvmlGpuInstanceDestroy(instances[i]),
             {NVML_SUCCESS, NVML_ERROR_INVALID_ARGUMENT, NVML_ERROR_IN_USE});
    }
  }

  nvmlDevice_t Device(unsigned int index) {
    nvmlDevice_t device = nullptr;
    Expect(nvml_.nvmlDeviceGetHandleByIndex_v2(index, &device), {NVML_SUCCESS});
    return device;
  }

  void Expect(bool as_expected) { tally_.surprises.fetch_add(as_expected ? 0 : 1); }
  void Expect(nvmlReturn_t result, std::initializer_list<nvmlReturn_t> expected) {
    Expect(std::find(expected.begin(), expected.end(), result) != expected.end());
  }

  const NvmlFunctions& nvml_;
  const control::Node& node_;
  Tally& tally_;
  Random random_;
  std::uint32_t pid_;
  bool doomed_;
};

class CrowdTest : public NvmlTest {
 protected:
  void SetUp() override {
    NvmlTest::SetUp();
    if (geteuid() != 0) {
      GTEST_SKIP() << "setters are root's";
    }
    void* const memory =
        mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    tally_ = new (memory) Tally;
    nvmlReturn_t activated = NVML_ERROR_UNKNOWN;
    ASSERT_EQ(nvml().nvmlDeviceSetMigMode(Device(kDivided), NVML_DEVICE_MIG_ENABLE, &activated),
              NVML_SUCCESS);
  }
  void TearDown() override {
    NvmlTest::TearDown();
    if (tally_ != nullptr) {
      munmap(tally_, sizeof(Tally));
    }
  }

  const Tally& tally() const { return *tally_; }

  // How many of them died before their end.
  int RunCrowd() {
    int died = 0;
    int running = 0;
    const auto await_one = [&] {
      int status = 0;
      EXPECT_GT(wait(&status), 0);
      --running;
      EXPECT_TRUE(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)) << status;
      died += WIFSIGNALED(status) ? 1 : 0;
    };
    for (int number = 0; number < ProcessCount() && !HasFailure(); ++number) {
      if (running == kAtOnce) {
        await_one();
      }
      if (fork() == 0) {
        Member(nvml(), node(), *tally_, static_cast<std::uint64_t>(number)).Live();
        _exit(0);
      }
      ++running;
    }
    while (running > 0) {
      await_one();
    }
    return died;
  }

  static std::uint64_t Corrected(unsigned int gpu) {
    unsigned long long count = 0;
    EXPECT_EQ(nvml().nvmlDeviceGetTotalEccErrors(Device(gpu), NVML_MEMORY_ERROR_TYPE_CORRECTED,
                                                 NVML_VOLATILE_ECC, &count),
              NVML_SUCCESS);
    return count;
  }

  // Ends what the dead have left on the GPUs.
  void ClearAway() {
    ASSAY_ASSERT_OK_AND_ASSIGN(const control::NodeInfo info, node().Show());
    for (const control::ProcessInfo& process : info.gpus[kOfProcesses].processes) {
      EXPECT_THAT(node().EndProcess(std::to_string(kOfProcesses), process.pid),
                  assay::testing::IsOk());
    }
    for (const control::GpuInstanceInfo& instance : info.gpus[kDivided].gpu_instances) {
      nvmlGpuInstance_t handle = nullptr;
      ASSERT_EQ(nvml().nvmlDeviceGetGpuInstanceById(Device(kDivided), instance.id, &handle),
                NVML_SUCCESS);
      for (const control::ComputeInstanceInfo& compute : instance.compute_instances) {
        nvmlComputeInstance_t inside = nullptr;
        ASSERT_EQ(nvml().nvmlGpuInstanceGetComputeInstanceById(handle, compute.id, &inside),
                  NVML_SUCCESS);
        ASSERT_EQ(nvml().nvmlComputeInstanceDestroy(inside), NVML_SUCCESS);
      }
      ASSERT_EQ(nvml().nvmlGpuInstanceDestroy(handle), NVML_SUCCESS);
    }
  }

 private:
  Tally* tally_ = nullptr;
};

// Whether a writer could have the state's lock at once.
bool LockIsFree(const std::filesystem::path& state) {
  const int fd = open(state.c_str(), O_RDWR | O_CLOEXEC);
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_len = 1;
  const bool is_free = fcntl(fd, F_OFD_SETLK, &lock) == 0;
  close(fd);
  return is_free;
}

TEST_F(CrowdTest, NothingIsLostAndNothingStays) {
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  const auto files = [this] {
    std::set<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(dir())) {
      found.insert(entry.path());
    }
    return found;
  };
  const auto size = std::filesystem::file_size(state_path());
  const std::set<std::filesystem::path> before = files();
  // The members open the node themselves.
  ASSERT_EQ(nvml().nvmlShutdown(), NVML_SUCCESS);
  const int died = RunCrowd();
  ASSERT_EQ(nvml().nvmlInit_v2(), NVML_SUCCESS);
  EXPECT_GT(died, ProcessCount() / 20);
  EXPECT_EQ(tally().surprises, 0U);
  EXPECT_TRUE(LockIsFree(state_path()));

  EXPECT_GT(tally().of_survivors, static_cast<std::uint64_t>(ProcessCount() / 10));
  EXPECT_EQ(Corrected(kOfSurvivors), tally().of_survivors);
  EXPECT_GE(Corrected(kOfTheDoomed), tally().made);
  EXPECT_LE(Corrected(kOfTheDoomed), tally().begun);

  EXPECT_EQ(std::filesystem::file_size(state_path()), size);
  EXPECT_EQ(files(), before) << "beside the state lies what the dead have left";

  ClearAway();
  ASSAY_ASSERT_OK_AND_ASSIGN(const control::NodeInfo info, node().Show());
  EXPECT_TRUE(info.gpus[kOfProcesses].processes.empty());
  EXPECT_EQ(info.gpus[kOfProcesses].memory_used_bytes, 0U);
  unsigned int room = 0;
  ASSERT_EQ(
      nvml().nvmlDeviceGetGpuInstanceRemainingCapacity(Device(kDivided), kSmallestProfile, &room),
      NVML_SUCCESS);
  EXPECT_EQ(room, kSmallestProfiles);
}

std::ptrdiff_t EntriesOf(const char* directory) {
  return std::distance(std::filesystem::directory_iterator(directory), {});
}

// Of a process that lives long: neither its files nor its mappings add up.
TEST_F(CrowdTest, AClientThatChangesAndReopensHoldsNoMore) {
  const auto use = [this] {
    for (int i = 0; i < 200; ++i) {
      ASSERT_EQ(nvml().nvmlDeviceSetPersistenceMode(Device(kSet), NVML_FEATURE_ENABLED),
                NVML_SUCCESS);
      nvmlEventSet_t set = nullptr;
      ASSERT_EQ(nvml().nvmlEventSetCreate(&set), NVML_SUCCESS);
      ASSERT_EQ(nvml().nvmlShutdown(), NVML_SUCCESS);
      ASSERT_EQ(nvml().nvmlInit_v2(), NVML_SUCCESS);
    }
  };
  use();
  const std::ptrdiff_t files = EntriesOf("/proc/self/fd");
  const std::ptrdiff_t mappings = EntriesOf("/proc/self/map_files");
  use();
  EXPECT_EQ(EntriesOf("/proc/self/fd"), files);
  EXPECT_EQ(EntriesOf("/proc/self/map_files"), mappings);
}

}  // namespace
}  // namespace assay::fakegpu::nvml
