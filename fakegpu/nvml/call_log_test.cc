// What the call log has of real clients: processes that load the shared library, seen from another.

#include "fakegpu/layout/call_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "fakegpu/control/call_log.h"
#include "fakegpu/nvml/testing/nvml_fixture.h"

namespace assay::fakegpu::nvml {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// function and code to count.
using Counts = std::map<std::pair<std::string, int>, std::uint64_t>;

class CallLogTest : public NvmlTest {
 protected:
  void SetUp() override {
    NvmlTest::SetUp();
    ASSERT_THAT(control::StartCallLog(node()), assay::testing::IsOk());
  }
  control::CallReport Read() const {
    Result<control::CallReport> report = control::ReadCallLog(node());
    EXPECT_THAT(report, assay::testing::IsOk());
    return report.ok() ? *std::move(report) : control::CallReport{};
  }
  Counts CountsOf(pid_t pid) const {
    Counts counts;
    for (const control::ProcessCalls& process : Read().processes) {
      if (process.pid == static_cast<std::uint32_t>(pid)) {
        for (const control::CallCount& count : process.counts) {
          counts[{count.function, count.code}] += count.count;
        }
      }
    }
    return counts;
  }
  // Forks a client; its exit is waited for by the caller.
  template <typename Body>
  static pid_t Client(Body&& body) {
    const pid_t child = fork();
    if (child == 0) {
      body();
      _exit(0);
    }
    return child;
  }
  static void WaitFor(pid_t child) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
  }
};

TEST_F(CallLogTest, TwoProcessesAreToldApart) {
  const pid_t one = Client([] {
    unsigned int minor = 0;
    const nvmlDevice_t device = Device(2);
    for (int i = 0; i < 5; ++i) {
      (void)nvml().nvmlDeviceGetMinorNumber(device, &minor);
    }
    (void)nvml().nvmlDeviceGetMinorNumber(device, nullptr);
  });
  WaitFor(one);
  const pid_t two = Client([] {
    char version[80];
    (void)nvml().nvmlSystemGetDriverVersion(version, sizeof(version));
    (void)nvml().nvmlSystemGetDriverVersion(version, 1);
    (void)nvml().nvmlInit_v2();
    (void)nvml().nvmlErrorString(NVML_SUCCESS);
  });
  WaitFor(two);
  EXPECT_THAT(
      CountsOf(one),
      UnorderedElementsAre(Pair(Pair("nvmlDeviceGetHandleByIndex_v2", NVML_SUCCESS), 1),
                           Pair(Pair("nvmlDeviceGetMinorNumber", NVML_SUCCESS), 5),
                           Pair(Pair("nvmlDeviceGetMinorNumber", NVML_ERROR_INVALID_ARGUMENT), 1)));
  EXPECT_THAT(CountsOf(two),
              UnorderedElementsAre(
                  Pair(Pair("nvmlSystemGetDriverVersion", NVML_SUCCESS), 1),
                  Pair(Pair("nvmlSystemGetDriverVersion", NVML_ERROR_INSUFFICIENT_SIZE), 1),
                  Pair(Pair("nvmlInit_v2", NVML_SUCCESS), 1),
                  Pair(Pair("nvmlErrorString", NVML_SUCCESS), 1)));
  const control::CallReport report = Read();
  EXPECT_TRUE(report.on);
  EXPECT_THAT(report.processes, SizeIs(2));
  ASSERT_THAT(report.last, SizeIs(11));
  EXPECT_THAT(report.last[6],
              AllOf(Field(&control::RecordedCall::pid, static_cast<std::uint32_t>(one)),
                    Field(&control::RecordedCall::function, "nvmlDeviceGetMinorNumber"),
                    Field(&control::RecordedCall::gpu, 2u),
                    Field(&control::RecordedCall::code, NVML_ERROR_INVALID_ARGUMENT)));
  EXPECT_EQ(report.last[7].gpu, std::nullopt);
  EXPECT_TRUE(std::is_sorted(report.last.begin(), report.last.end(),
                             [](const auto& a, const auto& b) { return a.time < b.time; }));
}

// All of them, and each once, though some of them use others.
TEST_F(CallLogTest, EveryFunctionIsLoggedWithItsCode) {
  const pid_t client = Client([] {
    for (const char* name : layout::kFunctionNames) {
      // They are called with zeros for however many arguments they have, but for nvmlShutdown,
      // after which the others would answer nothing else.
      auto* function = reinterpret_cast<int (*)(void*, void*, void*, void*, void*, void*)>(
          dlsym(nvml().handle, name));
      if (function == nullptr) {
        _exit(1);
      }
      if (std::string_view(name) != "nvmlShutdown") {
        (void)function(nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
      }
    }
    (void)nvml().nvmlShutdown();
  });
  WaitFor(client);
  std::set<std::string> expected(std::begin(layout::kFunctionNames),
                                 std::end(layout::kFunctionNames));
  EXPECT_EQ(expected.size(), 431u);
  for (const auto& [key, count] : CountsOf(client)) {
    EXPECT_EQ(count, 1u) << key.first << " answered " << key.second;
    EXPECT_EQ(expected.erase(key.first), 1u) << key.first << " answered " << key.second;
  }
  EXPECT_THAT(expected, IsEmpty()) << "were not logged";
}

TEST_F(CallLogTest, AClientThatWasThereBeforeIsLoggedWhileItIsOn) {
  ASSERT_THAT(control::StopCallLog(node()), assay::testing::IsOk());
  unsigned int count = 0;
  (void)nvml().nvmlDeviceGetCount_v2(&count);
  EXPECT_THAT(Read().last, IsEmpty());
  ASSERT_THAT(control::StartCallLog(node()), assay::testing::IsOk());
  (void)nvml().nvmlDeviceGetCount_v2(&count);
  (void)nvml().nvmlDeviceGetCount_v2(&count);
  ASSERT_THAT(control::StopCallLog(node()), assay::testing::IsOk());
  (void)nvml().nvmlDeviceGetCount_v2(&count);
  EXPECT_THAT(CountsOf(getpid()),
              UnorderedElementsAre(Pair(Pair("nvmlDeviceGetCount_v2", NVML_SUCCESS), 2)));
  // Begun anew, the process gets a place anew.
  ASSERT_THAT(control::StartCallLog(node()), assay::testing::IsOk());
  EXPECT_THAT(Read().processes, IsEmpty());
  (void)nvml().nvmlDeviceGetCount_v2(&count);
  EXPECT_THAT(CountsOf(getpid()),
              UnorderedElementsAre(Pair(Pair("nvmlDeviceGetCount_v2", NVML_SUCCESS), 1)));
}

TEST_F(CallLogTest, AnInjectedCodeAndAFailedInitAreLogged) {
  ASSERT_THAT(node().Inject("all", control::ReturnFault{.function = "nvmlDeviceGetIndex",
                                                        .code = NVML_ERROR_TIMEOUT}),
              assay::testing::IsOk());
  const pid_t client = Client([this] {
    unsigned int index = 0;
    (void)nvml().nvmlDeviceGetIndex(Device(0), &index);
    (void)nvml().nvmlShutdown();
    (void)nvml().nvmlDeviceGetIndex(nullptr, &index);
    (void)node().UnloadDriver();
    (void)nvml().nvmlInit_v2();
  });
  WaitFor(client);
  EXPECT_THAT(CountsOf(client),
              AllOf(Contains(Pair(Pair("nvmlDeviceGetIndex", NVML_ERROR_TIMEOUT), 1)),
                    Contains(Pair(Pair("nvmlDeviceGetIndex", NVML_ERROR_UNINITIALIZED), 1)),
                    Contains(Pair(Pair("nvmlInit_v2", NVML_ERROR_DRIVER_NOT_LOADED), 1))));
}

TEST_F(CallLogTest, ThreadsOfAProcessLoseNoCall) {
  constexpr int kThreads = 4;
  constexpr int kCalls = 20'000;
  const nvmlDevice_t device = Device(0);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([device] {
        unsigned int minor = 0;
        for (int call = 0; call < kCalls; ++call) {
          (void)nvml().nvmlDeviceGetMinorNumber(device, &minor);
        }
      });
    }
  }
  EXPECT_EQ((CountsOf(getpid())[{"nvmlDeviceGetMinorNumber", NVML_SUCCESS}]),
            static_cast<std::uint64_t>(kThreads * kCalls));
  const control::CallReport report = Read();
  EXPECT_THAT(report.processes, SizeIs(1));
  EXPECT_THAT(report.last, SizeIs(layout::kLoggedCalls));  // The ring went round.
}

TEST_F(CallLogTest, AProcessThatIsKilledLeavesTheLogUsable) {
  constexpr int kKilled = 8;
  for (int i = 0; i < kKilled; ++i) {
    const pid_t client = Client([] {
      unsigned int count = 0;
      for (;;) {
        (void)nvml().nvmlDeviceGetCount_v2(&count);
      }
    });
    while (CountsOf(client).empty()) {
    }
    ASSERT_EQ(kill(client, SIGKILL), 0);
    WaitFor(client);
  }
  const pid_t after = Client([] { (void)Device(1); });
  WaitFor(after);
  EXPECT_THAT(CountsOf(after), SizeIs(1));
  EXPECT_THAT(Read().processes, SizeIs(kKilled + 1));
  EXPECT_EQ(Read().last.back().pid, static_cast<std::uint32_t>(after));
}

TEST_F(CallLogTest, ProcessesBeyondTheTableAreCountedTogether) {
  constexpr std::uint32_t kClients = layout::kLoggedProcesses + 4;
  for (std::uint32_t i = 0; i < kClients; ++i) {
    WaitFor(Client([] { (void)Device(0); }));
  }
  const control::CallReport report = Read();
  ASSERT_THAT(report.processes, SizeIs(layout::kLoggedProcesses));
  EXPECT_EQ(report.processes.back().pid, 0u);
  ASSERT_THAT(report.processes.back().counts, SizeIs(1));
  EXPECT_EQ(report.processes.back().counts[0].count, kClients - (layout::kLoggedProcesses - 1));
  EXPECT_THAT(report.last, SizeIs(kClients));
}

// Only who may write the log can cut it short under the others.
TEST_F(CallLogTest, OtherUsersAreLoggedWhereThatIsAskedFor) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "another user takes root";
  }
  using std::filesystem::perms;
  std::filesystem::permissions(dir(), perms::owner_all | perms::group_exec | perms::others_exec);
  // Until it opens the log anew a child has its parent's.
  const auto start_as_nobody = [] {
    (void)nvml().nvmlShutdown();
    return setuid(65534) == 0 && nvml().nvmlInit_v2() == NVML_SUCCESS;
  };
  const auto is_start = [](const control::RecordedCall& call) {
    return call.function == "nvmlInit_v2";
  };
  const auto logged_starts = [&] {
    const control::CallReport report = Read();
    return std::count_if(report.last.begin(), report.last.end(), is_start);
  };
  EXPECT_TRUE(InChild(start_as_nobody));
  EXPECT_EQ(logged_starts(), 0);
  ASSERT_THAT(control::StartCallLog(node(), {.of_everyone = true}), assay::testing::IsOk());
  EXPECT_TRUE(InChild(start_as_nobody));
  EXPECT_EQ(logged_starts(), 1);
  ASSERT_THAT(control::StartCallLog(node()), assay::testing::IsOk());
  EXPECT_TRUE(InChild(start_as_nobody));
  EXPECT_EQ(logged_starts(), 0);
}

// A container has the state, and not, or not to write, the log.
TEST_F(CallLogTest, WithoutALogThatItMayWriteAClientWorks) {
  const std::filesystem::path log = state_path().string() + layout::kCallLogSuffix;
  const auto works = [] {
    (void)nvml().nvmlShutdown();
    unsigned int count = 0;
    return nvml().nvmlInit_v2() == NVML_SUCCESS &&
           nvml().nvmlDeviceGetCount_v2(&count) == NVML_SUCCESS && count == 8;
  };
  using std::filesystem::perms;
  std::filesystem::permissions(dir(), perms::owner_all | perms::group_exec | perms::others_exec);
  std::filesystem::permissions(log, perms::owner_read | perms::group_read | perms::others_read);
  EXPECT_TRUE(InChild([&] { return (geteuid() != 0 || setuid(65534) == 0) && works(); }));
  std::filesystem::resize_file(log, 10);
  EXPECT_TRUE(InChild(works));
  EXPECT_EQ(control::ReadCallLog(node()).status().code(), StatusCode::kDataLoss);
  std::filesystem::remove(log);
  EXPECT_TRUE(InChild(works));
  EXPECT_EQ(control::StartCallLog(node()).code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace assay::fakegpu::nvml
