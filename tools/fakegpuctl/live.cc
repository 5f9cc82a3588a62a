#include "tools/fakegpuctl/live.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "tools/fakegpuctl/show.h"

namespace assay::tools {
namespace {

using fakegpu::control::GpuInfo;
using fakegpu::control::GpuInstanceInfo;
using fakegpu::control::NodeInfo;
using fakegpu::control::ProcessInfo;

constexpr std::size_t kSliceWidth = 12;
// "|1g.10gb 7  .           |": each memory slice is as wide as any other.
std::string DrawSlices(const GpuInfo& gpu) {
  std::string slices(gpu.mig_memory_slices * kSliceWidth, ' ');
  for (std::size_t i = 0; i < gpu.mig_memory_slices; ++i) {
    slices[i * kSliceWidth] = '.';
  }
  for (const GpuInstanceInfo& instance : gpu.gpu_instances) {
    const std::size_t begin = instance.start * kSliceWidth;
    const std::size_t width = std::min(instance.size * kSliceWidth, slices.size() - begin);
    std::string label = "|" + instance.profile + " " + std::to_string(instance.id);
    if (instance.compute_instances.empty()) {
      label += " (empty)";
    }
    label.resize(width, ' ');
    slices.replace(begin, width, label);
  }
  return slices + "|";
}

std::string Name(const GpuInfo& gpu) { return "GPU " + std::to_string(gpu.slot); }

std::set<std::string> Instances(const GpuInfo& gpu) {
  std::set<std::string> instances;
  for (const GpuInstanceInfo& instance : gpu.gpu_instances) {
    const std::string name = "MIG " + instance.profile + " at slice " +
                             std::to_string(instance.start) + " (GPU instance " +
                             std::to_string(instance.id);
    instances.insert(name + ")");
    for (const auto& compute : instance.compute_instances) {
      instances.insert(name + ", compute instance " + std::to_string(compute.id) + ", " +
                       compute.uuid + ")");
    }
  }
  return instances;
}

std::set<std::string> Processes(const GpuInfo& gpu) {
  std::set<std::string> processes;
  for (const ProcessInfo& process : gpu.processes) {
    processes.insert("process " + std::to_string(process.pid) + " (" + process.name + ", " +
                     std::to_string(process.memory_bytes / kMebibyte) + " MiB)");
  }
  return processes;
}

std::set<std::string> Faults(const GpuInfo& gpu) { return {gpu.faults.begin(), gpu.faults.end()}; }

void AddDifferences(const GpuInfo& gpu, const std::set<std::string>& before,
                    const std::set<std::string>& after, const char* came, const char* went,
                    std::vector<std::string>& lines) {
  for (const std::string& thing : before) {
    if (!after.contains(thing)) {
      lines.push_back(Name(gpu) + ": " + thing + went);
    }
  }
  for (const std::string& thing : after) {
    if (!before.contains(thing)) {
      lines.push_back(Name(gpu) + ": " + thing + came);
    }
  }
}

void AddChanges(const GpuInfo& before, const GpuInfo& after, std::vector<std::string>& lines) {
  if (before.plugged != after.plugged) {
    lines.push_back(Name(after) + (after.plugged ? ": plugged in" : ": unplugged"));
  }
  if (before.mig_enabled != after.mig_enabled) {
    lines.push_back(Name(after) + ": MIG mode " + (after.mig_enabled ? "on" : "off"));
  }
  AddDifferences(after, Faults(before), Faults(after), "", " is healed", lines);
  AddDifferences(after, Instances(before), Instances(after), " is made", " is gone", lines);
  AddDifferences(after, Processes(before), Processes(after), " starts", " ends", lines);
}

}  // namespace

std::string DrawNode(const NodeInfo& node) {
  std::string text = ShowText(node);
  for (const GpuInfo& gpu : node.gpus) {
    if (gpu.plugged && gpu.mig_enabled) {
      char line[16];
      std::snprintf(line, sizeof(line), "%4u  MIG  ", gpu.slot);
      text += line + DrawSlices(gpu) + "\n";
    }
  }
  for (const GpuInfo& gpu : node.gpus) {
    for (const std::string& process : Processes(gpu)) {
      char line[16];
      std::snprintf(line, sizeof(line), "%4u  ", gpu.slot);
      text += line + process + "\n";
    }
  }
  return text;
}

std::vector<std::string> Changes(const NodeInfo& before, const NodeInfo& after) {
  std::vector<std::string> lines;
  if (before.name != after.name || before.gpus.size() != after.gpus.size()) {
    return {"the node is now " + after.name + ", of " + std::to_string(after.gpus.size()) +
            " GPUs"};
  }
  if (before.driver_loaded != after.driver_loaded) {
    lines.push_back(after.driver_loaded ? "the driver is loaded" : "the driver is unloaded");
  }
  for (std::size_t slot = 0; slot < after.gpus.size(); ++slot) {
    AddChanges(before.gpus[slot], after.gpus[slot], lines);
  }
  return lines;
}

}  // namespace assay::tools
