// The series that sensors read, number by number: on boards of several kinds, with two seeds, under
// loads, limits and faults. testdata/series.golden.txt holds them, so that a model that computes
// otherwise (quicker, say) still plays the same to a test that was written with the old one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "fakegpu/layout/transaction.h"
#include "fakegpu/nvml/testing/nvml_fixture.h"

namespace assay::fakegpu::nvml {
namespace {

using assay::testing::IsOk;

constexpr char kGolden[] = "fakegpu/nvml/testdata/series.golden.txt";

// From its beginning the node's clock stands still, on a date that never changes.
void HoldClockAtZero(const control::Node& node) {
  layout::Transaction transaction;
  ASSERT_EQ(transaction.Begin(node.state_path().c_str()), layout::OpenError::kNone);
  layout::NodeClock& clock = transaction.node().clock;
  clock.held = 1;
  clock.node_ns = 0;
  clock.epoch_s = 1'700'000'000;
  transaction.Commit();
}

// One number of the last hundred samples.
std::uint64_t HashOfSamples(nvmlDevice_t device, nvmlSamplingType_t type) {
  std::vector<nvmlSample_t> samples(100);
  auto count = static_cast<unsigned int>(samples.size());
  nvmlValueType_t value_type{};
  std::ostringstream text;
  text << NvmlFunctions::Get().nvmlDeviceGetSamples(device, type, 0, &value_type, &count,
                                                    samples.data());
  for (unsigned int i = 0; i < count; ++i) {
    text << ' ' << samples[i].timeStamp << ' ' << samples[i].sampleValue.uiVal;
  }
  return layout::HashName(text.str().c_str());
}

// " name=what get(T*) -> nvmlReturn_t wrote".
template <typename T, typename Get>
std::string Reading(const char* name, Get&& get) {
  T value{};
  const nvmlReturn_t result = get(&value);
  std::ostringstream out;
  out << ' ' << name << '=';
  result == NVML_SUCCESS ? out << value : out << '!' << result;
  return out.str();
}

std::string Readings(nvmlDevice_t device) {
  const NvmlFunctions& nvml = NvmlFunctions::Get();
  using Number = unsigned int;
  using Long = unsigned long long;
  const auto of_device = [device](auto function) {
    return [device, function](auto* value) { return function(device, value); };
  };
  std::string text =
      Reading<Number>("mW", of_device(nvml.nvmlDeviceGetPowerUsage)) +
      Reading<Long>("mJ", of_device(nvml.nvmlDeviceGetTotalEnergyConsumption)) +
      Reading<nvmlPstates_t>("P", of_device(nvml.nvmlDeviceGetPerformanceState)) +
      Reading<Number>("fan%", of_device(nvml.nvmlDeviceGetFanSpeed)) +
      Reading<Long>("reasons", of_device(nvml.nvmlDeviceGetCurrentClocksEventReasons));
  text += Reading<Number>("C", [&](Number* celsius) {
    return nvml.nvmlDeviceGetTemperature(device, NVML_TEMPERATURE_GPU, celsius);
  });
  nvmlUtilization_t utilization{};
  const nvmlReturn_t utilized = nvml.nvmlDeviceGetUtilizationRates(device, &utilization);
  text += " busy=" + std::to_string(utilized) + '/' + std::to_string(utilization.gpu) + '/' +
          std::to_string(utilization.memory);
  for (const auto clock : {NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_CLOCK_VIDEO}) {
    text += Reading<Number>(
        "MHz", [&](Number* mhz) { return nvml.nvmlDeviceGetClockInfo(device, clock, mhz); });
  }
  for (const auto policy :
       {NVML_PERF_POLICY_POWER, NVML_PERF_POLICY_THERMAL, NVML_PERF_POLICY_BOARD_LIMIT}) {
    text += Reading<Long>("ns", [&](Long* value) {
      nvmlViolationTime_t time{};
      const nvmlReturn_t result = nvml.nvmlDeviceGetViolationStatus(device, policy, &time);
      *value = time.violationTime;
      return result;
    });
  }
  for (const auto type :
       {NVML_TOTAL_POWER_SAMPLES, NVML_GPU_UTILIZATION_SAMPLES, NVML_PROCESSOR_CLK_SAMPLES}) {
    text += ' ' + std::to_string(HashOfSamples(device, type));
  }
  return text;
}

void SetLowestPowerLimit(nvmlDevice_t device) {
  const NvmlFunctions& nvml = NvmlFunctions::Get();
  unsigned int low = 0;
  unsigned int high = 0;
  ASSERT_EQ(nvml.nvmlDeviceGetPowerManagementLimitConstraints(device, &low, &high), NVML_SUCCESS);
  ASSERT_EQ(nvml.nvmlDeviceSetPowerManagementLimit(device, low), NVML_SUCCESS);
}

// Something that happens to a GPU, after which time passes.
struct Happening {
  const char* name;
  void (*happen)(const control::Node& node, const std::string& gpu, nvmlDevice_t device);
};

void Inject(const control::Node& node, const std::string& gpu, const char* fault) {
  const Result<control::Fault> parsed = control::ParseFault(fault);
  ASSERT_THAT(parsed, IsOk());
  ASSERT_THAT(node.Inject(gpu, *parsed), IsOk());
}

const Happening kHappenings[] = {
    {"idle", [](const control::Node&, const std::string&, nvmlDevice_t) {}},
    {"37 %",
     [](const control::Node& node, const std::string& gpu, nvmlDevice_t) {
       ASSERT_THAT(node.StartProcess(gpu, {.pid = 1, .name = "a", .memory_bytes = 1 << 30}, 37),
                   IsOk());
     }},
    {"and 80 %",
     [](const control::Node& node, const std::string& gpu, nvmlDevice_t) {
       ASSERT_THAT(node.StartProcess(gpu, {.pid = 2, .name = "b", .memory_bytes = 1 << 20}, 80),
                   IsOk());
     }},
    {"power limit", [](const control::Node&, const std::string&,
                       nvmlDevice_t device) { SetLowestPowerLimit(device); }},
    {"power brake", [](const control::Node& node, const std::string& gpu,
                       nvmlDevice_t) { Inject(node, gpu, "power-brake"); }},
    {"heat", [](const control::Node& node, const std::string& gpu,
                nvmlDevice_t) { Inject(node, gpu, "thermal=97"); }},
    {"locked clocks",
     [](const control::Node& node, const std::string& gpu, nvmlDevice_t device) {
       ASSERT_THAT(node.Heal(gpu), IsOk());
       ASSERT_EQ(NvmlFunctions::Get().nvmlDeviceSetGpuLockedClocks(device, 600, 900), NVML_SUCCESS);
     }},
    {"one ends", [](const control::Node& node, const std::string& gpu,
                    nvmlDevice_t) { ASSERT_THAT(node.EndProcess(gpu, 2), IsOk()); }},
    {"idle again", [](const control::Node& node, const std::string& gpu,
                      nvmlDevice_t) { ASSERT_THAT(node.EndProcess(gpu, 1), IsOk()); }},
};

// T4 and L4 rest in P8; RTX PRO 6000 has fans.
const std::vector<unsigned int> kBoards = {0, 1, 4, 5};

std::string Series(std::uint64_t seed) {
  const NvmlFunctions& nvml = NvmlFunctions::Get();
  const Result<TempDir> dir = TempDir::Create("series-test");
  EXPECT_THAT(dir, IsOk());
  const Result<control::Node> node =
      control::Node::Create(*dir / "state", "fixtures/nodes/mixed.yaml", {.seed = seed});
  EXPECT_THAT(node, IsOk());
  HoldClockAtZero(*node);
  setenv("ASSAY_FAKEGPU_STATE", node->state_path().c_str(), 1);
  unsetenv("ASSAY_FAKEGPU_DEV");
  EXPECT_EQ(nvml.nvmlInit_v2(), NVML_SUCCESS);
  std::ostringstream out;
  for (const Happening& happening : kHappenings) {
    for (const unsigned int board : kBoards) {
      nvmlDevice_t device = nullptr;
      EXPECT_EQ(nvml.nvmlDeviceGetHandleByIndex_v2(board, &device), NVML_SUCCESS);
      happening.happen(*node, std::to_string(board), device);
    }
    // Beyond 600 s nothing is left of the temperature before.
    for (const int milliseconds : {250, 13'750, 650'000}) {
      EXPECT_THAT(node->StepClock(std::chrono::milliseconds(milliseconds)), IsOk());
      for (const unsigned int board : kBoards) {
        nvmlDevice_t device = nullptr;
        EXPECT_EQ(nvml.nvmlDeviceGetHandleByIndex_v2(board, &device), NVML_SUCCESS);
        out << "seed " << seed << ", " << happening.name << " for +" << milliseconds << " ms, GPU "
            << board << ':' << Readings(device) << '\n';
      }
    }
  }
  EXPECT_EQ(nvml.nvmlShutdown(), NVML_SUCCESS);
  return out.str();
}

TEST(SeriesTest, SeedGivesTheSameSeriesForEver) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "setters are root's";
  }
  const std::string found = Series(1) + Series(0xfedcba9876543210);
  if (std::getenv("ASSAY_UPDATE_GOLDENS") != nullptr) {
    std::ofstream(kGolden) << found;
  }
  EXPECT_EQ(found, ReadFile(kGolden).value_or(""))
      << "accept with: ASSAY_UPDATE_GOLDENS=1 ctest -R SeriesTest";
}

}  // namespace
}  // namespace assay::fakegpu::nvml
