#include "controlplane/scheduler/fit_error.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace assay::controlplane::scheduler {
namespace {

std::string Histogram(const std::map<std::string, int>& reasons) {
  std::vector<std::string> parts;
  for (const auto& [reason, count] : reasons) {
    parts.push_back(std::to_string(count) + " " + reason);
  }
  // By text, numbers and all, as upstream.
  std::sort(parts.begin(), parts.end());
  std::string text;
  for (const std::string& part : parts) {
    text += (text.empty() ? "" : ", ") + part;
  }
  return text;
}

std::string Prefix(std::size_t nodes) {
  return "0/" + std::to_string(nodes) + " nodes are available:";
}

}  // namespace

std::string FitError::ToString() const {
  std::string text = Prefix(nodes);
  if (!prefilter.empty()) {
    text += " " + prefilter + ".";
  } else {
    std::map<std::string, int> reasons;
    for (const auto& [node, status] : by_node) {
      for (const std::string& reason : status.reasons) {
        ++reasons[reason];
      }
    }
    if (!reasons.empty()) {
      text += " " + Histogram(reasons) + ".";
    }
  }
  if (!postfilter.empty()) {
    text += " " + postfilter;
  }
  return text;
}

std::string PreemptionMessage(const FitError& error) {
  int helpless = static_cast<int>(error.nodes);
  int hopeful = 0;
  if (error.prefilter.empty()) {
    for (const auto& [node, status] : error.by_node) {
      if (status.code == PluginStatus::Code::kUnschedulable) {
        ++hopeful;
        --helpless;
      }
    }
  }
  std::map<std::string, int> reasons;
  if (helpless > 0) {
    reasons["Preemption is not helpful for scheduling"] = helpless;
  }
  if (hopeful > 0) {
    reasons["No preemption victims found for incoming pod"] = hopeful;
  }
  std::string text = "preemption: " + Prefix(error.nodes);
  return reasons.empty() ? text : text + " " + Histogram(reasons) + ".";
}

}  // namespace assay::controlplane::scheduler
