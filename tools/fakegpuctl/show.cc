#include "tools/fakegpuctl/show.h"

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace assay::tools {
namespace {

using fakegpu::control::GpuInfo;
using fakegpu::control::NodeInfo;

std::string Join(const std::vector<std::string>& words) {
  std::string joined;
  for (const std::string& word : words) {
    joined += (joined.empty() ? "" : ", ") + word;
  }
  return joined;
}

}  // namespace

std::string Health(const GpuInfo& gpu) {
  if (!gpu.plugged) {
    return "unplugged";
  }
  return gpu.faults.empty() ? "ok" : Join(gpu.faults);
}

std::string ShowText(const NodeInfo& node) {
  std::string text = node.name + ": driver " + node.driver_version + " (CUDA " + node.cuda_version +
                     ")" + (node.driver_loaded ? "" : ", not loaded") + "\n";
  char line[256];
  std::snprintf(line, sizeof(line), "%4s  %-26s %-13s %5s %8s %5s %18s  %s\n", "GPU", "NAME", "PCI",
                "TEMP", "POWER", "UTIL", "MEMORY", "HEALTH");
  text += line;
  for (const GpuInfo& gpu : node.gpus) {
    char memory[64];
    std::snprintf(memory, sizeof(memory), "%llu/%llu MiB",
                  static_cast<unsigned long long>(gpu.memory_used_bytes / kMebibyte),
                  static_cast<unsigned long long>(gpu.memory_total_bytes / kMebibyte));
    std::snprintf(line, sizeof(line), "%4u  %-26.26s %-13s %3u C %6u W %3u %% %18s  ", gpu.slot,
                  gpu.name.c_str(), gpu.pci_bus_id.c_str(), gpu.temperature_c, gpu.power_mw / 1000,
                  gpu.utilization_percent, memory);
    text += line + Health(gpu) + "\n";
  }
  return text;
}

namespace {

nlohmann::ordered_json InstancesAsJson(const GpuInfo& gpu) {
  nlohmann::ordered_json instances = nlohmann::ordered_json::array();
  for (const auto& instance : gpu.gpu_instances) {
    nlohmann::ordered_json computes = nlohmann::ordered_json::array();
    for (const auto& compute : instance.compute_instances) {
      computes.push_back({{"id", compute.id}, {"uuid", compute.uuid}});
    }
    instances.push_back({{"id", instance.id},
                         {"profile", instance.profile},
                         {"start", instance.start},
                         {"size", instance.size},
                         {"computeInstances", std::move(computes)}});
  }
  return instances;
}

nlohmann::ordered_json AsJson(const NodeInfo& node) {
  nlohmann::ordered_json gpus = nlohmann::ordered_json::array();
  for (const GpuInfo& gpu : node.gpus) {
    nlohmann::ordered_json processes = nlohmann::ordered_json::array();
    for (const auto& process : gpu.processes) {
      nlohmann::ordered_json entry = {{"pid", process.pid},
                                      {"name", process.name},
                                      {"type", ToString(process.type)},
                                      {"memoryBytes", process.memory_bytes},
                                      {"encoderPercent", process.encoder_percent},
                                      {"decoderPercent", process.decoder_percent},
                                      {"jpegPercent", process.jpeg_percent},
                                      {"ofaPercent", process.ofa_percent}};
      if (process.gpu_instance.has_value() && process.compute_instance.has_value()) {
        entry["gpuInstance"] = *process.gpu_instance;
        entry["computeInstance"] = *process.compute_instance;
      }
      processes.push_back(std::move(entry));
    }
    gpus.push_back({{"slot", gpu.slot},
                    {"minor", gpu.minor},
                    {"name", gpu.name},
                    {"uuid", gpu.uuid},
                    {"pciBusId", gpu.pci_bus_id},
                    {"architecture", gpu.architecture},
                    {"memoryTotalBytes", gpu.memory_total_bytes},
                    {"memoryUsedBytes", gpu.memory_used_bytes},
                    {"numaNode", gpu.numa_node},
                    {"plugged", gpu.plugged},
                    {"lost", gpu.lost},
                    {"migEnabled", gpu.mig_enabled},
                    {"gpuInstances", InstancesAsJson(gpu)},
                    {"temperatureC", gpu.temperature_c},
                    {"powerMilliwatts", gpu.power_mw},
                    {"utilizationPercent", gpu.utilization_percent},
                    {"smClockMhz", gpu.sm_clock_mhz},
                    {"eccCorrected", gpu.ecc_corrected},
                    {"eccUncorrected", gpu.ecc_uncorrected},
                    {"lastXid", gpu.last_xid},
                    {"recoveryAction", gpu.recovery_action},
                    {"faults", gpu.faults},
                    {"processes", std::move(processes)}});
  }
  return {{"name", node.name},
          {"driverVersion", node.driver_version},
          {"cudaVersion", node.cuda_version},
          {"driverLoaded", node.driver_loaded},
          {"timeSeconds", std::chrono::duration<double>(node.time).count()},
          {"gpus", std::move(gpus)}};
}

// Block style; scalars as JSON writes them, which YAML reads.
void AddYaml(const nlohmann::ordered_json& value, const std::string& indent, std::string& text) {
  for (auto it = value.begin(); it != value.end(); ++it) {
    const bool nested = it->is_structured() && !it->empty();
    if (value.is_object()) {
      text += indent + it.key() + ":" + (nested ? "\n" : " " + it->dump() + "\n");
      if (nested) {
        AddYaml(*it, indent + (it->is_object() ? "  " : ""), text);
      }
    } else if (nested) {
      std::string item;
      AddYaml(*it, indent + "  ", item);
      item[indent.size()] = '-';
      text += item;
    } else {
      text += indent + "- " + it->dump() + "\n";
    }
  }
}

}  // namespace

std::string ShowJson(const NodeInfo& node) { return AsJson(node).dump(2) + "\n"; }

std::string ShowYaml(const NodeInfo& node) {
  std::string text;
  AddYaml(AsJson(node), "", text);
  return text;
}

}  // namespace assay::tools
