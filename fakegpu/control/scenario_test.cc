#include "fakegpu/control/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"

namespace assay::fakegpu::control {
namespace {

using assay::testing::IsOk;
using assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ScenarioTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<TempDir> dir = TempDir::Create("scenario-test");
    ASSERT_THAT(dir, IsOk());
    dir_.emplace(*std::move(dir));
    Result<Node> node = Node::Create(*dir_ / "state", "fixtures/nodes/dgx-h100.yaml");
    ASSERT_THAT(node, IsOk());
    node_.emplace(*std::move(node));
  }
  const Node& node() const { return *node_; }
  GpuInfo Gpu(std::uint32_t slot) const {
    Result<NodeInfo> info = node().Show();
    EXPECT_THAT(info, IsOk());
    return info->gpus[slot];
  }
  Result<Scenario> Load(const std::string& steps) const {
    const std::filesystem::path path = *dir_ / "scenario.yaml";
    EXPECT_THAT(WriteFileAtomically(path, "name: test\nsteps:\n" + steps), IsOk());
    return LoadScenario(path);
  }

 private:
  std::optional<TempDir> dir_;
  std::optional<Node> node_;
};

TEST_F(ScenarioTest, PlaysEachStepAtItsTime) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const Scenario scenario,
                             LoadScenario("fixtures/scenarios/gpu/falls-off-the-bus.yaml"));
  std::vector<std::string> played;
  ASSAY_ASSERT_OK_AND_ASSIGN(const ClockInfo start, node().Clock());
  const auto on_step = [&](Duration at, const ScenarioStep& step) {
    played.push_back(step.text);
    EXPECT_GE(node().Clock()->time - start.time, at);
    EXPECT_EQ(Gpu(3).lost, at >= std::chrono::seconds(45) && at < std::chrono::minutes(2));
    EXPECT_EQ(Gpu(3).processes.empty(), at >= std::chrono::seconds(46));
    // It has worked for as long as the clock has gone on.
    if (at == std::chrono::seconds(30)) {
      EXPECT_EQ(Gpu(3).temperature_c, 93u);
    }
  };
  ASSERT_THAT(Play(node(), scenario, {.at_once = true, .on_step = on_step}), IsOk());
  EXPECT_THAT(played, ElementsAre("GPU 3: process 4242 starts", "GPU 3: thermal=93",
                                  "GPU 3: xid=79", "GPU 3: process 4242 ends", "GPU 3: heal"));
}

// Nothing happens while the clock stands; whoever moves it on plays the scenario.
TEST_F(ScenarioTest, FollowsAClockThatIsHeld) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const Scenario scenario, Load("  - {at: 1h, gpu: 1, do: unplug}\n"
                                                           "  - {at: 2h, do: unload-driver}\n"));
  ASSERT_THAT(node().HoldClock(), IsOk());
  const std::jthread player([&] { EXPECT_THAT(Play(node(), scenario, {}), IsOk()); });
  // However long it takes the player to begin, it ends after three hours of its own.
  while (node().Show()->driver_loaded) {
    ASSERT_THAT(node().StepClock(std::chrono::minutes(10)), IsOk());
  }
  EXPECT_FALSE(Gpu(1).plugged);
}

TEST_F(ScenarioTest, FollowsAClockThatRuns) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const Scenario scenario,
                             Load("  - {at: 0s, gpu: 1, inject: [xid=31, xid=43]}\n"
                                  "  - {at: 20ms, gpu: all, inject: power-brake}\n"));
  ASSAY_ASSERT_OK_AND_ASSIGN(const ClockInfo start, node().Clock());
  ASSERT_THAT(Play(node(), scenario, {}), IsOk());
  EXPECT_GE(node().Clock()->time - start.time, std::chrono::milliseconds(20));
  EXPECT_EQ(Gpu(1).last_xid, 43u);
  EXPECT_FALSE(Gpu(7).faults.empty());
}

TEST_F(ScenarioTest, AStepThatFailsNamesItsPlace) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const Scenario scenario, Load("  - {at: 0s, gpu: 8, do: heal}\n"));
  EXPECT_THAT(Play(node(), scenario, {}),
              StatusIs(StatusCode::kNotFound, HasSubstr("scenario.yaml:3")));
}

TEST_F(ScenarioTest, RefusesWhatItDoesNotUnderstand) {
  for (const auto& [steps, problem] : std::vector<std::pair<std::string, std::string>>{
           {"  - {at: 1s, gpu: 0}", ":3: steps[0]: expected one of inject"},
           {"  - {at: 1s, gpu: 0, do: heal, end: 1}", "expected one of inject"},
           {"  - {gpu: 0, do: heal}", "\"at\" is required"},
           {"  - {at: soon, gpu: 0, do: heal}", ":3: steps[0].at: "},
           {"  - {at: 1s, inject: lost}", "gpu: required for inject"},
           {"  - {at: 1s, do: heal}", "expected a gpu beside it"},
           {"  - {at: 1s, gpu: 0, do: load-driver}", "expected no gpu beside it"},
           {"  - {at: 1s, gpu: 0, do: dance}", "expected heal, unplug"},
           {"  - {at: 1s, gpu: 0, inject: [lost, fire]}", "steps[0].inject[1]"},
           {"  - {at: 1s, gpu: 0, start: {pid: 0}}", "expected a process id"},
           {"  - {at: 1s, gpu: 0, start: {pid: 1, utilization: 101}}", "from 0 to 100"},
           {"  - {at: 1s, gpu: 0, cool: true}", "cool"},
           {"  - {at: 2s, gpu: 0, do: heal}\n  - {at: 1s, gpu: 0, do: heal}", ":4: steps[1]: at"},
           {"  none", "expected a sequence"}}) {
    EXPECT_THAT(Load(steps), StatusIs(StatusCode::kInvalidArgument, HasSubstr(problem))) << steps;
  }
}

}  // namespace
}  // namespace assay::fakegpu::control
