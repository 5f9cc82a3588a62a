// PluginStatus: what a step of the scheduling cycle says about a pod, or about a pod on a node.
//
// Source: kube-scheduler, framework.Status. Thread-safe: a value.
#ifndef ASSAY_CONTROLPLANE_SCHEDULER_PLUGIN_STATUS_H_
#define ASSAY_CONTROLPLANE_SCHEDULER_PLUGIN_STATUS_H_

#include <string>
#include <utility>
#include <vector>

namespace assay::controlplane::scheduler {

struct PluginStatus {
  enum class Code {
    kSuccess,
    kUnschedulable,  // Taking other pods away could help.
    kUnresolvable,   // It could not: UnschedulableAndUnresolvable.
    kError,          // The attempt is aborted, and made again after a back-off.
  };

  Code code = Code::kSuccess;
  std::string plugin;  // "DynamicResources"
  std::vector<std::string> reasons;

  bool ok() const { return code == Code::kSuccess; }
  bool rejected() const { return code == Code::kUnschedulable || code == Code::kUnresolvable; }
  std::string message() const {
    std::string text;
    for (const std::string& reason : reasons) {
      text += (text.empty() ? "" : ", ") + reason;
    }
    return text;
  }

  static PluginStatus Success() { return {}; }
  static PluginStatus Unresolvable(std::string plugin, std::string reason) {
    return {Code::kUnresolvable, std::move(plugin), {std::move(reason)}};
  }
  static PluginStatus Error(std::string plugin, std::string reason) {
    return {Code::kError, std::move(plugin), {std::move(reason)}};
  }
};

}  // namespace assay::controlplane::scheduler

#endif  // ASSAY_CONTROLPLANE_SCHEDULER_PLUGIN_STATUS_H_
