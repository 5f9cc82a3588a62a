// Scenarios: what happens to a node's GPUs, at times on the node's clock.
//
//   name: a GPU falls off the bus and is reset
//   steps:
//     - {at: 0s, gpu: 3, start: {pid: 17, name: train, memory_mib: 4096, utilization: 80}}
//     - {at: 5s, gpu: 3, inject: [xid=79]}
//     - {at: 6s, gpu: 3, end: 17}
//     - {at: 20s, gpu: 3, do: heal}          # or unplug, replug
//     - {at: 30s, do: unload-driver}         # or load-driver
//
// Times count from when the scenario starts. While the clock is held nothing happens until someone
// moves it on.
//
// Thread-safe: values, and functions of them.
#ifndef ASSAY_FAKEGPU_CONTROL_SCENARIO_H_
#define ASSAY_FAKEGPU_CONTROL_SCENARIO_H_

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "fakegpu/control/control.h"

namespace assay::fakegpu::control {

struct ScenarioStep {
  Duration at{};
  std::string text;   // What happens, as it is reported: "GPU 3: xid=79".
  std::string where;  // "file:line", for errors.
  std::function<Status(const Node&)> run;
};
struct Scenario {
  std::string name;
  std::vector<ScenarioStep> steps;  // In order of time.
};

// Everything is understood before anything happens: kInvalidArgument "file:line: field: ...".
Result<Scenario> LoadScenario(const std::filesystem::path& path);

struct PlayOptions {
  // Holds the clock and moves it on from step to step: the scenario passes at once, and metrics are
  // as if its time had.
  bool at_once = false;
  // Called after each step, with the time since the scenario's start.
  std::function<void(Duration, const ScenarioStep&)> on_step;
};
// Returns after the last step; an error of a step names its place in the file.
Status Play(const Node& node, const Scenario& scenario, const PlayOptions& options);

}  // namespace assay::fakegpu::control

#endif  // ASSAY_FAKEGPU_CONTROL_SCENARIO_H_
