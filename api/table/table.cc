#include "api/table/table.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "api/conversion/conversion.h"
#include "api/coordination/types.h"
#include "api/core/types.h"
#include "api/json/json.h"
#include "api/registry.h"
#include "api/resource/types.h"

namespace assay::api::table {
namespace {

using nlohmann::json;

struct Column {
  std::string name;
  std::string description;
  int priority = 0;  // 1: only with `-o wide`
  std::string format;
  std::string type = "string";
};

// What a cell says of now.
struct Clock {
  WallTime now;

  std::string Since(const meta::Time& time) const {
    if (time.empty()) {
      return "<unknown>";
    }
    return HumanDuration(now - time.ToWallTime());
  }
  std::string Since(const std::optional<meta::Time>& time) const {
    return Since(time.value_or(meta::Time()));
  }
};

using Cells = std::vector<json>;

Column NameColumn() {
  return {.name = "Name",
          .description = "The object's name, unique within its namespace.",
          .format = "name"};
}
Column AgeColumn() {
  return {.name = "Age", .description = "The time since the object was created."};
}
Column Wide(std::string name, std::string description) {
  return {.name = std::move(name), .description = std::move(description), .priority = 1};
}

std::string OrNone(const std::string& text) { return text.empty() ? "<none>" : text; }
std::string OrUnknown(const std::string& text) { return text.empty() ? "<unknown>" : text; }

std::string Join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) {
    text += (text.empty() ? "" : ",") + part;
  }
  return text;
}

bool HasTrueCondition(const core::Pod& pod, std::string_view type) {
  return std::any_of(pod.status.conditions.begin(), pod.status.conditions.end(),
                     [&](const core::PodCondition& condition) {
                       return condition.type == type && condition.status == "True";
                     });
}

// The READY, STATUS and RESTARTS of a pod.
class PodSummary {
 public:
  PodSummary(const core::Pod& pod, const Clock& clock) : pod_(pod) {
    total_ = static_cast<int>(pod.spec.containers.size());
    reason_ = pod.status.reason.empty() ? pod.status.phase : pod.status.reason;
    for (const core::PodCondition& condition : pod.status.conditions) {
      if (condition.type == "PodScheduled" && condition.reason == "SchedulingGated") {
        reason_ = condition.reason;
      }
    }
    for (const core::Container& container : pod.spec.init_containers) {
      if (IsSidecar(container.name)) {
        ++total_;
      }
    }
    const bool initializing = CountInitContainers();
    if (!initializing || HasTrueCondition(pod, "Initialized")) {
      CountContainers();
    }
    if (pod.metadata.deletion_timestamp.has_value()) {
      if (pod.status.reason == "NodeLost") {
        reason_ = "Unknown";
      } else if (pod.status.phase != "Succeeded" && pod.status.phase != "Failed") {
        reason_ = "Terminating";
      }
    }
    restarts_text_ = std::to_string(restarts_);
    if (restarts_ != 0 && !last_restart_.empty()) {
      restarts_text_ += " (" + clock.Since(last_restart_) + " ago)";
    }
  }

  std::string Ready() const { return std::to_string(ready_) + "/" + std::to_string(total_); }
  const std::string& reason() const { return reason_; }
  const std::string& restarts() const { return restarts_text_; }

 private:
  // An init container that is restarted always runs beside the others.
  bool IsSidecar(const std::string& name) const {
    return std::any_of(pod_.spec.init_containers.begin(), pod_.spec.init_containers.end(),
                       [&](const core::Container& container) {
                         return container.name == name && container.restart_policy == "Always";
                       });
  }

  static void Latest(const core::ContainerStatus& status, meta::Time& last) {
    if (status.last_state.terminated.has_value()) {
      last = std::max(last, status.last_state.terminated->finished_at);
    }
  }

  static std::string ExitReason(const core::ContainerStateTerminated& terminated) {
    if (!terminated.reason.empty()) {
      return terminated.reason;
    }
    return terminated.signal != 0 ? "Signal:" + std::to_string(terminated.signal)
                                  : "ExitCode:" + std::to_string(terminated.exit_code);
  }

  // True while one of them has not done its work.
  bool CountInitContainers() {
    const auto& statuses = pod_.status.init_container_statuses;
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      const core::ContainerStatus& status = statuses[i];
      const bool sidecar = IsSidecar(status.name);
      restarts_ += status.restart_count;
      Latest(status, last_restart_);
      if (sidecar) {
        sidecar_restarts_ += status.restart_count;
        Latest(status, last_sidecar_restart_);
      }
      const auto& terminated = status.state.terminated;
      const auto& waiting = status.state.waiting;
      if (terminated.has_value() && terminated->exit_code == 0) {
        continue;
      }
      if (sidecar && status.started.value_or(false)) {
        ready_ += status.ready ? 1 : 0;
        continue;
      }
      if (terminated.has_value()) {
        reason_ = "Init:" + ExitReason(*terminated);
      } else if (waiting.has_value() && !waiting->reason.empty() &&
                 waiting->reason != "PodInitializing") {
        reason_ = "Init:" + waiting->reason;
      } else {
        reason_ =
            "Init:" + std::to_string(i) + "/" + std::to_string(pod_.spec.init_containers.size());
      }
      return true;
    }
    return false;
  }

  void CountContainers() {
    restarts_ = sidecar_restarts_;
    last_restart_ = last_sidecar_restart_;
    bool has_running = false;
    std::string error_reason;
    const auto& statuses = pod_.status.container_statuses;
    for (auto status = statuses.rbegin(); status != statuses.rend(); ++status) {
      restarts_ += status->restart_count;
      Latest(*status, last_restart_);
      const auto& terminated = status->state.terminated;
      if (status->state.waiting.has_value() && !status->state.waiting->reason.empty()) {
        reason_ = status->state.waiting->reason;
      } else if (terminated.has_value()) {
        reason_ = ExitReason(*terminated);
        if (terminated->exit_code != 0) {
          error_reason = reason_;
        }
      } else if (status->ready && status->state.running.has_value()) {
        has_running = true;
        ++ready_;
      }
    }
    if (reason_ != "Completed") {
      return;
    }
    if (has_running && HasTrueCondition(pod_, "Ready")) {
      reason_ = "Running";
    } else if (!error_reason.empty()) {
      reason_ = error_reason;
    } else if (has_running) {
      reason_ = "NotReady";
    }
  }

  const core::Pod& pod_;
  int total_ = 0;
  int ready_ = 0;
  int restarts_ = 0;
  int sidecar_restarts_ = 0;
  meta::Time last_restart_;
  meta::Time last_sidecar_restart_;
  std::string reason_;
  std::string restarts_text_;
};

std::vector<Column> PodColumns() {
  return {NameColumn(),
          {.name = "Ready", .description = "How many of the pod's containers accept traffic."},
          {.name = "Status", .description = "What the pod's containers do, in one word."},
          {.name = "Restarts",
           .description = "How often containers were restarted, and when the last one was."},
          AgeColumn(),
          Wide("IP", "The pod's address."),
          Wide("Node", "The node that the pod is bound to."),
          Wide("Nominated Node", "The node that preemption makes room on."),
          Wide("Readiness Gates", "How many of the pod's readiness gates are true.")};
}

Cells PodCells(const core::Pod& pod, const Clock& clock) {
  const PodSummary summary(pod, clock);
  std::string gates = "<none>";
  if (!pod.spec.readiness_gates.empty()) {
    const auto met = std::count_if(
        pod.spec.readiness_gates.begin(), pod.spec.readiness_gates.end(),
        [&](const core::PodReadinessGate& gate) {
          const auto first = std::find_if(
              pod.status.conditions.begin(), pod.status.conditions.end(),
              [&](const auto& condition) { return condition.type == gate.condition_type; });
          return first != pod.status.conditions.end() && first->status == "True";
        });
    gates = std::to_string(met) + "/" + std::to_string(pod.spec.readiness_gates.size());
  }
  return {pod.metadata.name,
          summary.Ready(),
          summary.reason(),
          summary.restarts(),
          clock.Since(pod.metadata.creation_timestamp),
          OrNone(pod.status.pod_ips.empty() ? "" : pod.status.pod_ips.front().ip),
          OrNone(pod.spec.node_name),
          OrNone(pod.status.nominated_node_name),
          gates};
}

std::vector<Column> NodeColumns() {
  return {NameColumn(),
          {.name = "Status", .description = "Whether the node is ready."},
          {.name = "Roles", .description = "The node's roles, by its labels."},
          AgeColumn(),
          {.name = "Version", .description = "The kubelet's version."},
          Wide("Internal-IP", "The node's address within the cluster."),
          Wide("External-IP", "The node's address outside of the cluster."),
          Wide("OS-Image", "The node's operating system."),
          Wide("Kernel-Version", "The node's kernel."),
          Wide("Container-Runtime", "The node's container runtime.")};
}

Cells NodeCells(const core::Node& node, const Clock& clock) {
  std::vector<std::string> status;
  for (const core::NodeCondition& condition : node.status.conditions) {
    if (condition.type == "Ready") {
      // Of several, the last one counts.
      status = {condition.status == "True" ? "Ready" : "NotReady"};
    }
  }
  if (status.empty()) {
    status = {"Unknown"};
  }
  if (node.spec.unschedulable) {
    status.emplace_back("SchedulingDisabled");
  }
  constexpr std::string_view kRolePrefix = "node-role.kubernetes.io/";
  std::set<std::string> roles;
  for (const auto& [key, value] : node.metadata.labels) {
    if (key.starts_with(kRolePrefix) && key.size() > kRolePrefix.size()) {
      roles.insert(key.substr(kRolePrefix.size()));
    } else if (key == "kubernetes.io/role" && !value.empty()) {
      roles.insert(value);
    }
  }
  const auto address = [&](std::string_view type) -> std::string {
    for (const core::NodeAddress& candidate : node.status.addresses) {
      if (candidate.type == type) {
        return candidate.address;
      }
    }
    return "<none>";
  };
  const core::NodeSystemInfo& info = node.status.node_info;
  std::string kernel = OrUnknown(info.kernel_version);
  if (!info.architecture.empty()) {
    kernel += " (" + info.architecture + ")";
  }
  return {node.metadata.name,
          Join(status),
          OrNone(Join({roles.begin(), roles.end()})),
          clock.Since(node.metadata.creation_timestamp),
          info.kubelet_version,
          address("InternalIP"),
          address("ExternalIP"),
          OrUnknown(info.os_image),
          kernel,
          OrUnknown(info.container_runtime_version)};
}

std::vector<Column> EventColumns() {
  return {{.name = "Last Seen", .description = "When the event was observed last."},
          {.name = "Type", .description = "Normal or Warning."},
          {.name = "Reason", .description = "Why it happened, in one word."},
          {.name = "Object", .description = "What it happened to."},
          Wide("Subobject", "The part of the object that it happened to."),
          Wide("Source", "Who reports it."),
          {.name = "Message", .description = "What happened."},
          Wide("First Seen", "When the event was observed first."),
          Wide("Count", "How often it was observed."),
          {.name = "Name", .description = "The event's name.", .priority = 1, .format = "name"}};
}

Cells EventCells(const core::Event& event, const Clock& clock) {
  const std::string first = event.first_timestamp.empty() ? clock.Since(event.event_time)
                                                          : clock.Since(event.first_timestamp);
  std::string last = event.last_timestamp.empty() ? first : clock.Since(event.last_timestamp);
  std::int64_t count = event.count;
  if (event.series.has_value()) {
    last = clock.Since(event.series->last_observed_time);
    count = event.series->count;
  } else if (count == 0) {
    count = 1;
  }
  std::string target = event.involved_object.kind;
  for (char& c : target) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (!event.involved_object.name.empty()) {
    target += "/" + event.involved_object.name;
  }
  const auto first_of = [](const std::string& a, const std::string& b) {
    return a.empty() ? b : a;
  };
  std::string source = first_of(event.source.component, event.reporting_component);
  if (const std::string host = first_of(event.source.host, event.reporting_instance);
      !host.empty()) {
    source += ", " + host;
  }
  std::string message = event.message;
  constexpr const char* kSpace = " \t\r\n\v\f";
  message.erase(0, message.find_first_not_of(kSpace));
  message.erase(message.find_last_not_of(kSpace) + 1);
  return {last,   event.type, event.reason, target, event.involved_object.field_path,
          source, message,    first,        count,  event.metadata.name};
}

Cells ResourceClaimCells(const resource::ResourceClaim& claim, const Clock& clock) {
  std::vector<std::string> states;
  const bool deleted = claim.metadata.deletion_timestamp.has_value();
  if (deleted) {
    states.emplace_back("deleted");
  }
  if (claim.status.allocation.has_value()) {
    states.emplace_back("allocated");
    if (!claim.status.reserved_for.empty()) {
      states.emplace_back("reserved");
    }
  } else if (!deleted) {
    states.emplace_back("pending");
  }
  return {claim.metadata.name, Join(states), clock.Since(claim.metadata.creation_timestamp)};
}

Cells ResourceSliceCells(const resource::ResourceSlice& slice, const Clock& clock) {
  return {slice.metadata.name, slice.spec.node_name.value_or(""), slice.spec.driver,
          slice.spec.pool.name, clock.Since(slice.metadata.creation_timestamp)};
}

Cells DeviceTaintRuleCells(const resource::DeviceTaintRule& rule, const Clock& clock) {
  const resource::DeviceTaint& taint = rule.spec.taint;
  return {rule.metadata.name,
          taint.key,
          taint.value,
          taint.effect,
          taint.time_added.has_value() ? clock.Since(*taint.time_added) : "",
          clock.Since(rule.metadata.creation_timestamp)};
}

Cells ResourcePoolStatusRequestCells(const resource::ResourcePoolStatusRequest& request,
                                     const Clock& clock) {
  std::string status = "Pending";
  std::string completed = "<none>";
  std::int32_t pool_count = 0;
  std::vector<std::string> sums(5, "-");
  if (request.status.has_value()) {
    for (const meta::Condition& condition : request.status->conditions) {
      if (condition.status == "True" &&
          (condition.type == "Complete" || condition.type == "Failed")) {
        status = condition.type;
        if (status == "Complete") {
          completed = clock.Since(condition.last_transition_time);
        }
        break;
      }
    }
    const auto& pools = request.status->pools;
    pool_count = request.status->pool_count.value_or(0);
    const bool failed = status == "Failed";
    if (status == "Complete" && pool_count > static_cast<std::int32_t>(pools.size())) {
      status += " (" + std::to_string(pools.size()) + "/" + std::to_string(pool_count) + " pools)";
    }
    if (!failed) {
      std::int32_t totals[5] = {};
      for (const resource::PoolStatus& pool : pools) {
        totals[0] += pool.total_devices.value_or(0);
        totals[1] += pool.available_devices.value_or(0);
        totals[2] += pool.allocated_devices.value_or(0);
        totals[3] += pool.unavailable_devices.value_or(0);
        totals[4] += pool.validation_error.has_value() ? 1 : 0;
      }
      for (std::size_t i = 0; i < sums.size(); ++i) {
        sums[i] = std::to_string(totals[i]);
      }
    }
  }
  Cells cells = {request.metadata.name, request.spec.driver};
  cells.insert(cells.end(), sums.begin(), sums.end());
  cells.insert(cells.end(), {pool_count, status, completed});
  return cells;
}

// How one kind is printed.
struct Printer {
  std::vector<Column> columns;
  Cells (*cells)(const Object& object, const Clock& clock);
};

template <typename T, Cells (*Function)(const T&, const Clock&)>
Cells CellsOf(const Object& object, const Clock& clock) {
  return Function(object.As<T>(), clock);
}

Cells NameAndAge(const Object& object, const Clock& clock) {
  return {object.name(), clock.Since(object.metadata().creation_timestamp)};
}

Cells NamespaceCells(const core::Namespace& object, const Clock& clock) {
  return {object.metadata.name, object.status.phase,
          clock.Since(object.metadata.creation_timestamp)};
}

Cells LeaseCells(const coordination::Lease& lease, const Clock& clock) {
  return {lease.metadata.name, lease.spec.holder_identity.value_or(""),
          clock.Since(lease.metadata.creation_timestamp)};
}

const Printer& PrinterFor(const Kind& kind) {
  static const std::map<const Kind*, Printer> printers = {
      {&KindOf<core::Pod>(), {PodColumns(), CellsOf<core::Pod, PodCells>}},
      {&KindOf<core::Node>(), {NodeColumns(), CellsOf<core::Node, NodeCells>}},
      {&KindOf<core::Event>(), {EventColumns(), CellsOf<core::Event, EventCells>}},
      {&KindOf<core::Namespace>(),
       {{NameColumn(), {.name = "Status", .description = "Active or Terminating."}, AgeColumn()},
        CellsOf<core::Namespace, NamespaceCells>}},
      {&KindOf<coordination::Lease>(),
       {{NameColumn(), {.name = "Holder", .description = "Who holds the lease."}, AgeColumn()},
        CellsOf<coordination::Lease, LeaseCells>}},
      {&KindOf<resource::ResourceClaim>(),
       {{NameColumn(),
         {.name = "State", .description = "Pending, allocated, reserved or deleted."},
         AgeColumn()},
        CellsOf<resource::ResourceClaim, ResourceClaimCells>}},
      {&KindOf<resource::ResourceSlice>(),
       {{NameColumn(),
         {.name = "Node", .description = "The node that the devices are on."},
         {.name = "Driver", .description = "The driver that publishes the devices."},
         {.name = "Pool", .description = "The pool that the slice is a part of."},
         AgeColumn()},
        CellsOf<resource::ResourceSlice, ResourceSliceCells>}},
      {&KindOf<resource::ResourceClaimTemplate>(), {{NameColumn(), AgeColumn()}, NameAndAge}},
      {&KindOf<resource::DeviceClass>(), {{NameColumn(), AgeColumn()}, NameAndAge}},
      {&KindOf<resource::DeviceTaintRule>(),
       {{NameColumn(),
         {.name = "Key", .description = "The taint's key."},
         {.name = "Value", .description = "The taint's value."},
         {.name = "Effect", .description = "The taint's effect."},
         {.name = "TimeAdded", .description = "The time since the taint has this effect."},
         AgeColumn()},
        CellsOf<resource::DeviceTaintRule, DeviceTaintRuleCells>}},
      {&KindOf<resource::ResourcePoolStatusRequest>(),
       {{NameColumn(),
         {.name = "Driver", .description = "The driver whose pools are asked for."},
         {.name = "Total", .description = "Devices of all pools."},
         {.name = "Available", .description = "Devices that are free."},
         {.name = "Allocated", .description = "Devices that are allocated."},
         {.name = "Unavailable", .description = "Devices that cannot be used."},
         {.name = "Errors", .description = "Pools that are not valid."},
         {.name = "Pools", .description = "Pools that match.", .type = "integer"},
         {.name = "Status", .description = "How far the request is."},
         {.name = "Completed", .description = "The time since the answer."}},
        CellsOf<resource::ResourcePoolStatusRequest, ResourcePoolStatusRequestCells>}},
  };
  static const Printer generic = {{NameColumn(), AgeColumn()}, NameAndAge};
  const auto found = printers.find(&kind);
  return found == printers.end() ? generic : found->second;
}

json Included(const Object& object, const TableOptions& options) {
  if (options.include_object == IncludeObject::kMetadata) {
    const std::string metadata =
        api::json::EncodeMessage(schema::DescriptorOf<meta::ObjectMeta>(), &object.metadata());
    return {{"kind", "PartialObjectMetadata"},
            {"apiVersion", "meta.k8s.io/v1"},
            {"metadata", json::parse(metadata)}};
  }
  const Kind& kind = object.kind();
  const KindVersion* version = FindVersion(kind, options.version);
  ASSAY_CHECK(version != nullptr) << kind.kind << " has no version " << options.version;
  const std::shared_ptr<const void> value = conversion::FromHub(object, *version);
  return json::parse(api::json::EncodeMessage(
      *version->message, value.get(),
      {GroupVersionKind{kind.group, version->version, kind.kind}.ApiVersion(), kind.kind}));
}

}  // namespace

std::string HumanDuration(Duration duration) {
  using std::chrono::duration_cast;
  const std::int64_t seconds = duration_cast<std::chrono::seconds>(duration).count();
  const auto two = [](std::int64_t big, char big_unit, std::int64_t small, char small_unit) {
    std::string text = std::to_string(big) + big_unit;
    return small == 0 ? text : text + std::to_string(small) + small_unit;
  };
  // Clocks may disagree by two seconds.
  if (seconds < -1) {
    return "<invalid>";
  }
  if (seconds < 0) {
    return "0s";
  }
  if (seconds < 120) {
    return std::to_string(seconds) + "s";
  }
  const std::int64_t minutes = seconds / 60;
  if (minutes < 10) {
    return two(minutes, 'm', seconds % 60, 's');
  }
  if (minutes < 180) {
    return std::to_string(minutes) + "m";
  }
  const std::int64_t hours = minutes / 60;
  if (hours < 8) {
    return two(hours, 'h', minutes % 60, 'm');
  }
  if (hours < 48) {
    return std::to_string(hours) + "h";
  }
  const std::int64_t days = hours / 24;
  if (days < 8) {
    return two(days, 'd', hours % 24, 'h');
  }
  if (days < 365 * 2) {
    return std::to_string(days) + "d";
  }
  if (days < 365 * 8) {
    return two(days / 365, 'y', days % 365, 'd');
  }
  return std::to_string(days / 365) + "y";
}

std::string EncodeTable(const Kind& kind, const std::vector<Object>& objects, WallTime now,
                        const TableOptions& options) {
  const Printer& printer = PrinterFor(kind);
  json table = {{"kind", "Table"}, {"apiVersion", "meta.k8s.io/v1"}};
  json& metadata = table["metadata"] = json::object();
  const std::string& version = options.resource_version;
  if (!version.empty()) {
    metadata["resourceVersion"] = version;
  } else if (objects.size() == 1) {
    metadata["resourceVersion"] = objects.front().metadata().resource_version;
  }
  if (!options.continue_.empty()) {
    metadata["continue"] = options.continue_;
  }
  json& columns = table["columnDefinitions"] = json::array();
  if (!options.no_headers) {
    for (const Column& column : printer.columns) {
      columns.push_back({{"name", column.name},
                         {"type", column.type},
                         {"format", column.format},
                         {"description", column.description},
                         {"priority", column.priority}});
    }
  }
  json& rows = table["rows"] = json::array();
  for (const Object& object : objects) {
    json row = {{"cells", printer.cells(object, {now})}};
    if (object.Is<core::Pod>()) {
      const std::string& phase = object.As<core::Pod>().status.phase;
      if (phase == "Succeeded" || phase == "Failed") {
        row["conditions"] = {
            {{"type", "Completed"},
             {"status", "True"},
             {"reason", phase},
             {"message",
              phase == "Succeeded" ? "The pod has completed successfully." : "The pod failed."}}};
      }
    }
    if (options.include_object != IncludeObject::kNone) {
      row["object"] = Included(object, options);
    }
    rows.push_back(std::move(row));
  }
  return table.dump();
}

}  // namespace assay::api::table
