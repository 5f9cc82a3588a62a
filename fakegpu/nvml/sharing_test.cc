// Several processes on one node: what one changes, the others see at their next call.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <new>
#include <thread>
#include <tuple>
#include <vector>

#include "fakegpu/nvml/testing/nvml_fixture.h"

namespace assay::fakegpu::nvml {
namespace {

class SharingTest : public NvmlTest {
 protected:
  void SetUp() override {
    NvmlTest::SetUp();
    if (geteuid() != 0) {
      GTEST_SKIP() << "setters are root's";
    }
  }
};

TEST_F(SharingTest, ASetterInOneProcessIsReadInAnother) {
  nvmlEnableState_t mode = NVML_FEATURE_DISABLED;
  ASSERT_EQ(nvml().nvmlDeviceGetPersistenceMode(Device(0), &mode), NVML_SUCCESS);
  ASSERT_EQ(mode, NVML_FEATURE_ENABLED);
  EXPECT_TRUE(InChild([] {
    return nvml().nvmlDeviceSetPersistenceMode(Device(0), NVML_FEATURE_DISABLED) == NVML_SUCCESS &&
           nvml().nvmlDeviceSetComputeMode(Device(0), NVML_COMPUTEMODE_EXCLUSIVE_PROCESS) ==
               NVML_SUCCESS;
  }));
  ASSERT_EQ(nvml().nvmlDeviceGetPersistenceMode(Device(0), &mode), NVML_SUCCESS);
  EXPECT_EQ(mode, NVML_FEATURE_DISABLED);
  nvmlComputeMode_t compute_mode = NVML_COMPUTEMODE_DEFAULT;
  ASSERT_EQ(nvml().nvmlDeviceGetComputeMode(Device(0), &compute_mode), NVML_SUCCESS);
  EXPECT_EQ(compute_mode, NVML_COMPUTEMODE_EXCLUSIVE_PROCESS);
}

TEST_F(SharingTest, OnlyRootMaySet) {
  EXPECT_TRUE(InChild([] {
    return setuid(65534) == 0 && nvml().nvmlDeviceSetPersistenceMode(
                                     Device(0), NVML_FEATURE_DISABLED) == NVML_ERROR_NO_PERMISSION;
  }));
}

TEST_F(SharingTest, NoUpdateOfManyProcessesIsLost) {
  constexpr int kProcesses = 4;
  constexpr int kChanges = 100;
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    const pid_t child = fork();
    if (child == 0) {
      bool ok = true;
      for (int i = 0; i < kChanges; ++i) {
        ok = ok && node().Inject("0", control::EccFault{}).ok();
      }
      _exit(ok ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  unsigned long long count = 0;
  ASSERT_EQ(nvml().nvmlDeviceGetTotalEccErrors(Device(0), NVML_MEMORY_ERROR_TYPE_CORRECTED,
                                               NVML_VOLATILE_ECC, &count),
            NVML_SUCCESS);
  EXPECT_EQ(count, static_cast<unsigned long long>(kProcesses * kChanges));
}

// What readers see is of one commit, however fast it changes: used and free add up to the whole.
TEST_F(SharingTest, ReadersNeverSeeHalfAChange) {
  std::atomic<bool> stop = false;
  std::jthread writer([&] {
    const control::ProcessInfo process{.pid = 9, .name = "p", .memory_bytes = 50ULL << 30};
    while (!stop) {
      (void)node().StartProcess("0", process, 50);
      (void)node().EndProcess("0", 9);
    }
  });
  for (int i = 0; i < 20'000; ++i) {
    nvmlMemory_t memory{};
    ASSERT_EQ(nvml().nvmlDeviceGetMemoryInfo(Device(0), &memory), NVML_SUCCESS);
    ASSERT_EQ(memory.free + memory.used, memory.total);
  }
  stop = true;
}

class EventsTest : public NvmlTest {
 protected:
  static nvmlEventSet_t MakeSet(unsigned int index, unsigned long long types) {
    nvmlEventSet_t set = nullptr;
    EXPECT_EQ(nvml().nvmlEventSetCreate(&set), NVML_SUCCESS);
    EXPECT_EQ(nvml().nvmlDeviceRegisterEvents(Device(index), types, set), NVML_SUCCESS);
    return set;
  }
};

TEST_F(EventsTest, ASetGetsOnlyWhatItRegistered) {
  nvmlEventSet_t set = MakeSet(1, nvmlEventTypeXidCriticalError);
  ASSERT_THAT(node().Inject("0", control::XidFault{.xid = 31}), assay::testing::IsOk());
  ASSERT_THAT(node().Inject("1", control::EccFault{}), assay::testing::IsOk());
  nvmlEventData_t data{};
  EXPECT_EQ(nvml().nvmlEventSetWait_v2(set, &data, 0), NVML_ERROR_TIMEOUT);
  ASSERT_THAT(node().Inject("1", control::XidFault{.xid = 43, .gpu_instance = 2}),
              assay::testing::IsOk());
  ASSERT_EQ(nvml().nvmlEventSetWait_v2(set, &data, 0), NVML_SUCCESS);
  EXPECT_EQ(data.device, Device(1));
  EXPECT_EQ(data.eventType, static_cast<unsigned long long>(nvmlEventTypeXidCriticalError));
  EXPECT_EQ(data.eventData, 43u);
  EXPECT_EQ(data.gpuInstanceId, 2u);
  EXPECT_EQ(data.computeInstanceId, 0xffffffffU);
  EXPECT_EQ(nvml().nvmlEventSetWait_v2(set, &data, 0), NVML_ERROR_TIMEOUT) << "once each";
  EXPECT_EQ(nvml().nvmlEventSetFree(set), NVML_SUCCESS);
}

TEST_F(EventsTest, EventsBeforeRegistrationAreNotSeen) {
  nvmlEventSet_t set = nullptr;
  ASSERT_EQ(nvml().nvmlEventSetCreate(&set), NVML_SUCCESS);
  ASSERT_THAT(node().Inject("1", control::XidFault{.xid = 43}), assay::testing::IsOk());
  ASSERT_EQ(nvml().nvmlDeviceRegisterEvents(Device(1), nvmlEventTypeXidCriticalError, set),
            NVML_SUCCESS);
  nvmlEventData_t data{};
  EXPECT_EQ(nvml().nvmlEventSetWait_v2(set, &data, 0), NVML_ERROR_TIMEOUT);
}

TEST_F(EventsTest, BogusSetsAndMasksAreRefused) {
  nvmlEventSet_t set = MakeSet(0, nvmlEventTypeXidCriticalError);
  nvmlEventData_t data{};
  int local = 0;
  const auto bogus = reinterpret_cast<nvmlEventSet_t>(&local);
  EXPECT_EQ(nvml().nvmlEventSetWait_v2(bogus, &data, 0), NVML_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(nvml().nvmlEventSetFree(bogus), NVML_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(nvml().nvmlDeviceRegisterEvents(Device(0), 1ULL << 60, set),
            NVML_ERROR_INVALID_ARGUMENT);
  ASSERT_EQ(nvml().nvmlEventSetFree(set), NVML_SUCCESS);
  EXPECT_EQ(nvml().nvmlEventSetWait_v2(set, &data, 0), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(EventsTest, NoSetOutlivesTheLastShutdown) {
  nvmlEventSet_t set = MakeSet(0, nvmlEventTypeXidCriticalError);
  ASSERT_EQ(nvml().nvmlShutdown(), NVML_SUCCESS);
  nvmlEventData_t data{};
  EXPECT_EQ(nvml().nvmlEventSetWait_v2(set, &data, 0), NVML_ERROR_UNINITIALIZED);
  ASSERT_EQ(nvml().nvmlInit_v2(), NVML_SUCCESS);
  EXPECT_EQ(nvml().nvmlEventSetWait_v2(set, &data, 0), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(EventsTest, EverySetOfEveryProcessGetsEachEvent) {
  constexpr int kProcesses = 3;
  // How many sets are ready, where all processes see it.
  void* memory = mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* ready = new (memory) std::atomic<int>(0);
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      nvmlEventSet_t first = MakeSet(3, nvmlEventTypeXidCriticalError);
      nvmlEventSet_t second = MakeSet(3, nvmlEventTypeXidCriticalError);
      ready->fetch_add(1);
      bool ok = true;
      for (nvmlEventSet_t set : {first, second}) {
        nvmlEventData_t data{};
        ok = ok && nvml().nvmlEventSetWait_v2(set, &data, 20'000) == NVML_SUCCESS &&
             data.eventData == 62;
      }
      _exit(ok ? 0 : 1);
    }
    children.push_back(child);
  }
  while (ready->load() < kProcesses) {
    std::this_thread::yield();
  }
  const auto start = std::chrono::steady_clock::now();
  ASSERT_THAT(node().Inject("3", control::XidFault{.xid = 62}), assay::testing::IsOk());
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10))
      << "woken, not timed out";
  munmap(memory, sizeof(std::atomic<int>));
}

// What a set has waiting, in order.
std::vector<unsigned long long> TakeAll(const NvmlFunctions& nvml, nvmlEventSet_t set) {
  std::vector<unsigned long long> types;
  nvmlEventData_t data{};
  while (nvml.nvmlEventSetWait_v2(set, &data, 0) == NVML_SUCCESS) {
    types.push_back(data.eventType);
  }
  return types;
}

using ::testing::ElementsAre;
using ::testing::IsEmpty;
constexpr unsigned long long kClock = nvmlEventTypeClock;
constexpr unsigned long long kPState = nvmlEventTypePState;

TEST_F(EventsTest, ClocksThatChangeAreEvents) {
  nvmlEventSet_t set = MakeSet(1, kClock | kPState);
  ASSERT_THAT(node().StartProcess("1", {.pid = 7, .name = "train", .memory_bytes = 1}, 80),
              assay::testing::IsOk());
  EXPECT_THAT(TakeAll(nvml(), set), ElementsAre(kClock)) << "an H100 rests in P0";
  ASSERT_THAT(node().StartProcess("2", {.pid = 7, .name = "other", .memory_bytes = 1}, 80),
              assay::testing::IsOk());
  EXPECT_THAT(TakeAll(nvml(), set), IsEmpty()) << "of another GPU";
  ASSERT_THAT(node().Inject("1", control::PowerBrakeFault{}), assay::testing::IsOk());
  EXPECT_THAT(TakeAll(nvml(), set), ElementsAre(kClock)) << "the brake slows it";
  ASSERT_THAT(node().Inject("1", control::PowerBrakeFault{}), assay::testing::IsOk());
  EXPECT_THAT(TakeAll(nvml(), set), IsEmpty()) << "as before";
  ASSERT_THAT(node().Heal("1"), assay::testing::IsOk());
  EXPECT_THAT(TakeAll(nvml(), set), ElementsAre(kClock));
  ASSERT_THAT(node().EndProcess("1", 7), assay::testing::IsOk());
  EXPECT_THAT(TakeAll(nvml(), set), ElementsAre(kClock));
  if (geteuid() == 0) {
    ASSERT_EQ(nvml().nvmlDeviceSetGpuLockedClocks(Device(1), 990, 990), NVML_SUCCESS);
    EXPECT_THAT(TakeAll(nvml(), set), ElementsAre(kClock)) << "a setter";
    ASSERT_EQ(nvml().nvmlDeviceSetPersistenceMode(Device(1), NVML_FEATURE_DISABLED), NVML_SUCCESS);
    EXPECT_THAT(TakeAll(nvml(), set), IsEmpty()) << "a setter of something else";
  }
}

class RestingBoardTest : public NvmlTest {
 protected:
  RestingBoardTest() : NvmlTest("fixtures/nodes/l4-64.yaml") {}
  static nvmlPstates_t State() {
    nvmlPstates_t state = NVML_PSTATE_UNKNOWN;
    EXPECT_EQ(nvml().nvmlDeviceGetPerformanceState(Device(0), &state), NVML_SUCCESS);
    return state;
  }
};

TEST_F(RestingBoardTest, PerformanceStatesFollowTheLoadAndAreEvents) {
  nvmlEventSet_t set = nullptr;
  ASSERT_EQ(nvml().nvmlEventSetCreate(&set), NVML_SUCCESS);
  ASSERT_EQ(nvml().nvmlDeviceRegisterEvents(Device(0), kPState | kClock, set), NVML_SUCCESS);
  unsigned int memory_mhz = 0;
  ASSERT_EQ(nvml().nvmlDeviceGetClockInfo(Device(0), NVML_CLOCK_MEM, &memory_mhz), NVML_SUCCESS);
  EXPECT_EQ(std::tuple(State(), memory_mhz), std::tuple(NVML_PSTATE_8, 405U));
  ASSERT_THAT(node().StartProcess("0", {.pid = 7, .name = "serve", .memory_bytes = 1}, 50),
              assay::testing::IsOk());
  ASSERT_EQ(nvml().nvmlDeviceGetClockInfo(Device(0), NVML_CLOCK_MEM, &memory_mhz), NVML_SUCCESS);
  EXPECT_EQ(std::tuple(State(), memory_mhz), std::tuple(NVML_PSTATE_0, 6251U));
  EXPECT_THAT(TakeAll(nvml(), set), ElementsAre(kPState, kClock));
  ASSERT_THAT(node().EndProcess("0", 7), assay::testing::IsOk());
  EXPECT_THAT(TakeAll(nvml(), set), ElementsAre(kPState, kClock));
  nvmlPstates_t states[3] = {};
  ASSERT_EQ(nvml().nvmlDeviceGetSupportedPerformanceStates(Device(0), states, sizeof(states)),
            NVML_SUCCESS);
  EXPECT_THAT(states, ElementsAre(NVML_PSTATE_0, NVML_PSTATE_8, NVML_PSTATE_UNKNOWN));
  unsigned int low = 0;
  unsigned int high = 0;
  ASSERT_EQ(nvml().nvmlDeviceGetMinMaxClockOfPState(Device(0), NVML_CLOCK_MEM, NVML_PSTATE_8, &low,
                                                    &high),
            NVML_SUCCESS);
  EXPECT_EQ(std::tuple(low, high), std::tuple(405U, 405U));
  EXPECT_EQ(nvml().nvmlDeviceGetMinMaxClockOfPState(Device(0), NVML_CLOCK_MEM, NVML_PSTATE_5, &low,
                                                    &high),
            NVML_ERROR_INVALID_ARGUMENT);
}

// Batteries are laptops': no data-centre board has the event.
TEST_F(EventsTest, NoBoardTellsOfPowerSources) {
  nvmlEventSet_t set = nullptr;
  ASSERT_EQ(nvml().nvmlEventSetCreate(&set), NVML_SUCCESS);
  unsigned long long supported = ~0ULL;
  ASSERT_EQ(nvml().nvmlDeviceGetSupportedEventTypes(Device(0), &supported), NVML_SUCCESS);
  EXPECT_EQ(supported & nvmlEventTypePowerSourceChange, 0U);
  EXPECT_EQ(nvml().nvmlDeviceRegisterEvents(Device(0), nvmlEventTypePowerSourceChange, set),
            NVML_ERROR_NOT_SUPPORTED);
}

TEST_F(EventsTest, AWaitSleepsUntilTheEventComes) {
  nvmlEventSet_t set = MakeSet(5, nvmlEventTypeDoubleBitEccError);
  std::jthread injector([&] {
    ASSERT_THAT(node().Inject("5", control::EccFault{control::EccFault::Type::kUncorrected, 2}),
                assay::testing::IsOk());
  });
  nvmlEventData_t data{};
  ASSERT_EQ(nvml().nvmlEventSetWait_v2(set, &data, 20'000), NVML_SUCCESS);
  EXPECT_EQ(data.eventType, static_cast<unsigned long long>(nvmlEventTypeDoubleBitEccError));
}

}  // namespace
}  // namespace assay::fakegpu::nvml
