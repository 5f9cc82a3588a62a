#include "controlplane/node/pod_status.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string_view>
#include <system_error>

namespace assay::controlplane::node {
namespace {

using api::core::Container;
using api::core::ContainerStatus;
using api::core::Pod;
using api::core::PodCondition;
using api::meta::Time;
using Phase = PodProgress::Phase;

constexpr char kNodeAddress[] = "127.0.0.1";

std::optional<std::int64_t> ParseNumber(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                  : std::nullopt;
}

bool IsSidecar(const Container& container) { return container.restart_policy == "Always"; }

void SetCondition(const std::string& type, bool holds, const std::string& reason, Time now,
                  std::vector<PodCondition>& conditions) {
  auto condition = std::ranges::find(conditions, type, &PodCondition::type);
  if (condition == conditions.end()) {
    condition = conditions.insert(conditions.end(), PodCondition());
    condition->type = type;
  }
  const std::string status = holds ? "True" : "False";
  if (condition->status != status) {
    condition->status = status;
    condition->last_transition_time = now;
  }
  condition->reason = holds ? "" : reason;
}

// `plain_init`: an init container that is done before the others start.
ContainerStatus StatusOf(const Container& container, const PodProgress& progress,
                         const std::string& pod_uid, bool plain_init) {
  ContainerStatus status;
  status.name = container.name;
  status.image = container.image;
  if (progress.phase == Phase::kWaiting) {
    status.started = false;
    auto& waiting = status.state.waiting.emplace();
    waiting.reason = progress.reason;
    waiting.message = progress.message;
    return status;
  }
  status.image_id = container.image;
  status.container_id = "assay://" + pod_uid + "/" + container.name;
  const bool exited = plain_init || progress.phase == Phase::kExited;
  if (!exited) {
    status.ready = true;
    status.started = true;
    status.state.running.emplace().started_at = Time::From(progress.started);
    return status;
  }
  const std::int32_t code = plain_init ? 0 : progress.exit_code;
  status.started = false;
  status.ready = plain_init;
  auto& terminated = status.state.terminated.emplace();
  terminated.exit_code = code;
  terminated.reason = code == 0 ? "Completed" : "Error";
  terminated.started_at = Time::From(progress.started);
  terminated.finished_at = Time::From(plain_init ? progress.started : progress.finished);
  terminated.container_id = status.container_id;
  return status;
}

}  // namespace

std::optional<PlannedExit> PlannedExitOf(const Pod& pod) {
  const auto after = pod.metadata.annotations.find(kExitAfterAnnotation);
  if (after == pod.metadata.annotations.end() || pod.spec.restart_policy == "Always" ||
      pod.spec.restart_policy.empty()) {
    return std::nullopt;
  }
  std::string_view text = after->second;
  const bool milliseconds = text.ends_with("ms");
  text.remove_suffix(milliseconds ? 2 : text.ends_with("s") ? 1 : 0);
  const std::optional<std::int64_t> number = ParseNumber(text);
  if (!number || *number < 0) {
    return std::nullopt;
  }
  PlannedExit planned;
  planned.after = milliseconds ? Duration(std::chrono::milliseconds(*number))
                               : Duration(std::chrono::seconds(*number));
  if (const auto code = pod.metadata.annotations.find(kExitCodeAnnotation);
      code != pod.metadata.annotations.end()) {
    planned.code = static_cast<std::int32_t>(ParseNumber(code->second).value_or(0));
  }
  // OnFailure would run it again, without end.
  return pod.spec.restart_policy == "OnFailure" && planned.code != 0 ? std::nullopt
                                                                     : std::optional(planned);
}

void SetStatus(
    const PodProgress& progress, WallTime now,
    const std::function<std::vector<api::core::ResourceStatus>(const Container&)>& resources,
    Pod& pod) {
  api::core::PodStatus& status = pod.status;
  const bool running = progress.phase == Phase::kRunning;
  const bool exited = progress.phase == Phase::kExited;
  status.phase = running   ? "Running"
                 : !exited ? "Pending"
                           : (progress.exit_code == 0 ? "Succeeded" : "Failed");
  status.observed_generation = pod.metadata.generation;
  status.host_ip = kNodeAddress;
  status.host_ips.resize(1);
  status.host_ips[0].ip = kNodeAddress;
  if (!status.start_time) {
    status.start_time = Time::From(now);
  }
  if (running && status.pod_ip.empty()) {
    status.pod_ip = kNodeAddress;
    status.pod_ips.resize(1);
    status.pod_ips[0].ip = kNodeAddress;
  }

  status.init_container_statuses.clear();
  for (const Container& container : pod.spec.init_containers) {
    status.init_container_statuses.push_back(
        StatusOf(container, progress, pod.metadata.uid, !IsSidecar(container)));
  }
  status.container_statuses.clear();
  for (const Container& container : pod.spec.containers) {
    ContainerStatus& added = status.container_statuses.emplace_back(
        StatusOf(container, progress, pod.metadata.uid, /*plain_init=*/false));
    added.allocated_resources_status = resources(container);
  }

  const Time time = Time::From(now);
  const std::string not_ready = exited ? "PodCompleted" : "ContainersNotReady";
  SetCondition("PodReadyToStartContainers", running, "", time, status.conditions);
  SetCondition("Initialized", running || exited || pod.spec.init_containers.empty(),
               "ContainersNotInitialized", time, status.conditions);
  SetCondition("Ready", running, not_ready, time, status.conditions);
  SetCondition("ContainersReady", running, not_ready, time, status.conditions);
  SetCondition("PodScheduled", true, "", time, status.conditions);
}

}  // namespace assay::controlplane::node
