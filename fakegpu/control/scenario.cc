#include "fakegpu/control/scenario.h"

#include <errno.h>
#include <poll.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/yaml/yaml.h"
#include "fakegpu/model/state_watch.h"

namespace assay::fakegpu::control {
namespace {

using Yaml = yaml::Node;

constexpr std::uint64_t kMebibyte = 1024 * 1024;
constexpr std::uint64_t kMaxMemoryMib = 1ULL << 32;

Status ReadFaults(const Yaml& value, const std::string& gpu, ScenarioStep& step) {
  std::vector<Fault> faults;
  const auto add = [&](const Yaml& node) -> Status {
    ASSAY_ASSIGN_OR_RETURN(const std::string text, node.AsString());
    Result<Fault> fault = ParseFault(text);
    if (!fault.ok()) {
      return node.Error(fault.status().message());
    }
    faults.push_back(*std::move(fault));
    step.text += (faults.size() == 1 ? " " : ", ") + text;
    return OkStatus();
  };
  if (!value.IsSequence()) {
    ASSAY_RETURN_IF_ERROR(add(value));
  } else {
    for (const Yaml& item : value.items()) {
      ASSAY_RETURN_IF_ERROR(add(item));
    }
  }
  step.run = [gpu, faults](const Node& node) -> Status {
    for (const Fault& fault : faults) {
      ASSAY_RETURN_IF_ERROR(node.Inject(gpu, fault));
    }
    return OkStatus();
  };
  return OkStatus();
}

Result<std::uint32_t> Pid(const Yaml& value) {
  ASSAY_ASSIGN_OR_RETURN(const std::uint64_t pid, value.AsUint64());
  if (pid == 0 || pid > std::numeric_limits<std::uint32_t>::max()) {
    return value.Error("expected a process id");
  }
  return static_cast<std::uint32_t>(pid);
}

// Of an engine; 0 where there is no `key`.
Result<std::uint32_t> Percent(const Yaml& value, const char* key) {
  ASSAY_ASSIGN_OR_RETURN(const std::uint64_t percent, value.GetUint64Or(key, 0));
  if (percent > 100) {
    return value.Error(std::string(key) + ": expected 0 to 100 percent");
  }
  return static_cast<std::uint32_t>(percent);
}

Status ReadStart(const Yaml& value, const std::string& gpu, ScenarioStep& step) {
  ASSAY_RETURN_IF_ERROR(value.CheckKeys(
      {"pid", "name", "memory_mib", "utilization", "type", "encoder", "decoder", "jpeg", "ofa"}));
  ProcessInfo process;
  ASSAY_ASSIGN_OR_RETURN(const Yaml* pid, value.Require("pid"));
  ASSAY_ASSIGN_OR_RETURN(process.pid, Pid(*pid));
  ASSAY_ASSIGN_OR_RETURN(process.name, value.GetStringOr("name", "train"));
  ASSAY_ASSIGN_OR_RETURN(const std::uint64_t memory, value.GetUint64Or("memory_mib", 1024));
  ASSAY_ASSIGN_OR_RETURN(const std::uint64_t utilization, value.GetUint64Or("utilization", 50));
  if (memory > kMaxMemoryMib || utilization > 100) {
    return value.Error("expected a utilization from 0 to 100, and memory that a GPU may have");
  }
  ASSAY_ASSIGN_OR_RETURN(const std::string type, value.GetStringOr("type", "compute"));
  Result<ProcessType> parsed = ParseProcessType(type);
  if (!parsed.ok()) {
    return value.Error(parsed.status().message());
  }
  process.type = *parsed;
  ASSAY_ASSIGN_OR_RETURN(process.encoder_percent, Percent(value, "encoder"));
  ASSAY_ASSIGN_OR_RETURN(process.decoder_percent, Percent(value, "decoder"));
  ASSAY_ASSIGN_OR_RETURN(process.jpeg_percent, Percent(value, "jpeg"));
  ASSAY_ASSIGN_OR_RETURN(process.ofa_percent, Percent(value, "ofa"));
  process.memory_bytes = memory * kMebibyte;
  step.text += " process " + std::to_string(process.pid) + " starts";
  step.run = [gpu, process, utilization](const Node& node) {
    return node.StartProcess(gpu, process, static_cast<std::uint32_t>(utilization));
  };
  return OkStatus();
}

Status ReadEnd(const Yaml& value, const std::string& gpu, ScenarioStep& step) {
  ASSAY_ASSIGN_OR_RETURN(const std::uint32_t pid, Pid(value));
  step.text += " process " + std::to_string(pid) + " ends";
  step.run = [gpu, pid](const Node& node) { return node.EndProcess(gpu, pid); };
  return OkStatus();
}

Status ReadDo(const Yaml& value, const std::string& gpu, ScenarioStep& step) {
  struct OnGpu {
    const char* word;
    Status (Node::*change)(std::string_view) const;
  };
  struct OnNode {
    const char* word;
    Status (Node::*change)() const;
  };
  constexpr OnGpu kOnGpu[] = {
      {"heal", &Node::Heal}, {"unplug", &Node::Unplug}, {"replug", &Node::Replug}};
  constexpr OnNode kOnNode[] = {{"load-driver", &Node::LoadDriver},
                                {"unload-driver", &Node::UnloadDriver}};
  ASSAY_ASSIGN_OR_RETURN(const std::string word, value.AsString());
  step.text += " " + word;
  for (const OnGpu& action : kOnGpu) {
    if (word == action.word) {
      step.run = [gpu, action](const Node& node) { return (node.*action.change)(gpu); };
      return gpu.empty() ? value.Error("expected a gpu beside it") : OkStatus();
    }
  }
  for (const OnNode& action : kOnNode) {
    if (word == action.word) {
      step.run = [action](const Node& node) { return (node.*action.change)(); };
      return gpu.empty() ? OkStatus() : value.Error("expected no gpu beside it");
    }
  }
  return value.Error("expected heal, unplug, replug, load-driver or unload-driver, found \"" +
                     word + "\"");
}

Result<ScenarioStep> ReadStep(const Yaml& node) {
  ASSAY_RETURN_IF_ERROR(node.CheckKeys({"at", "gpu", "inject", "start", "end", "do"}));
  ScenarioStep step;
  step.where = node.file() + ":" + std::to_string(node.line());
  ASSAY_ASSIGN_OR_RETURN(const Yaml* at, node.Require("at"));
  ASSAY_ASSIGN_OR_RETURN(step.at, at->AsDuration());
  std::string gpu;
  if (const Yaml* name = node.Find("gpu"); name != nullptr) {
    gpu = name->scalar();
    step.text = gpu == "all" ? "all GPUs:" : "GPU " + gpu + ":";
  } else {
    step.text = "the node:";
  }
  struct Action {
    const char* key;
    Status (*read)(const Yaml&, const std::string&, ScenarioStep&);
  };
  constexpr Action kActions[] = {
      {"inject", ReadFaults}, {"start", ReadStart}, {"end", ReadEnd}, {"do", ReadDo}};
  int actions = 0;
  for (const Action& action : kActions) {
    const Yaml* value = node.Find(action.key);
    if (value == nullptr) {
      continue;
    }
    ++actions;
    if (gpu.empty() && action.read != ReadDo) {
      return node.Error(std::string("gpu: required for ") + action.key);
    }
    ASSAY_RETURN_IF_ERROR(action.read(*value, gpu, step));
  }
  return actions == 1 ? Result<ScenarioStep>(std::move(step))
                      : node.Error("expected one of inject, start, end and do");
}

// Waits until the node's clock shows `target`, or the clock itself is changed.
Status WaitUntil(const Node& node, Duration target) {
  ASSAY_ASSIGN_OR_RETURN(model::StateWatch watch, model::StateWatch::Open(node.state_path()));
  for (;;) {
    ASSAY_ASSIGN_OR_RETURN(const ClockInfo clock, node.Clock());
    if (clock.time >= target) {
      return OkStatus();
    }
    int timeout_ms = -1;
    if (!clock.held && clock.rate > 0) {
      const double left_ms =
          std::chrono::duration<double, std::milli>(target - clock.time).count() / clock.rate;
      timeout_ms = static_cast<int>(std::min(std::ceil(left_ms), 1e9));
    }
    pollfd wait{.fd = watch.fd(), .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, timeout_ms) < 0 && errno != EINTR) {
      return ErrnoError(errno, "poll");
    }
    watch.Drain();
  }
}

Status StepTo(const Node& node, Duration target) {
  ASSAY_ASSIGN_OR_RETURN(const ClockInfo clock, node.Clock());
  return clock.time < target ? node.StepClock(target - clock.time) : OkStatus();
}

}  // namespace

Result<Scenario> LoadScenario(const std::filesystem::path& path) {
  ASSAY_ASSIGN_OR_RETURN(const Yaml root, yaml::ParseFile(path));
  ASSAY_RETURN_IF_ERROR(root.CheckKeys({"name", "steps"}));
  Scenario scenario;
  ASSAY_ASSIGN_OR_RETURN(scenario.name, root.GetString("name"));
  ASSAY_ASSIGN_OR_RETURN(const Yaml* steps, root.Require("steps"));
  if (!steps->IsSequence()) {
    return steps->Error("expected a sequence");
  }
  for (const Yaml& node : steps->items()) {
    ASSAY_ASSIGN_OR_RETURN(ScenarioStep step, ReadStep(node));
    if (step.at < Duration::zero() ||
        (!scenario.steps.empty() && step.at < scenario.steps.back().at)) {
      return node.Error("at: expected a time that is not before the step above");
    }
    scenario.steps.push_back(std::move(step));
  }
  return scenario;
}

Status Play(const Node& node, const Scenario& scenario, const PlayOptions& options) {
  if (options.at_once) {
    ASSAY_RETURN_IF_ERROR(node.HoldClock());
  }
  ASSAY_ASSIGN_OR_RETURN(const ClockInfo start, node.Clock());
  for (const ScenarioStep& step : scenario.steps) {
    const Duration target = start.time + step.at;
    ASSAY_RETURN_IF_ERROR(options.at_once ? StepTo(node, target) : WaitUntil(node, target));
    ASSAY_RETURN_IF_ERROR(step.run(node).WithContext(step.where));
    if (options.on_step) {
      options.on_step(step.at, step);
    }
  }
  return OkStatus();
}

}  // namespace assay::fakegpu::control
