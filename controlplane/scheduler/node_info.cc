#include "controlplane/scheduler/node_info.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "controlplane/scheduler/node_affinity.h"

namespace assay::controlplane::scheduler {
namespace {

using api::core::Container;
using api::core::Pod;
using api::core::Taint;
using api::core::Toleration;
using api::meta::Quantity;

// What a container gets in scores where it asks for none, as upstream.
constexpr std::int64_t kDefaultMilliCpu = 100;
constexpr std::int64_t kDefaultMemoryBytes = 200 * 1024 * 1024;

std::int64_t AmountOf(const std::string& resource, const Quantity& quantity) {
  return resource == "cpu" ? quantity.MilliValue() : quantity.Value();
}

ResourceAmounts AmountsOf(const std::map<std::string, Quantity>& quantities) {
  ResourceAmounts amounts;
  for (const auto& [resource, quantity] : quantities) {
    amounts[resource] = AmountOf(resource, quantity);
  }
  return amounts;
}

void AddTo(ResourceAmounts& sum, const ResourceAmounts& more) {
  for (const auto& [resource, amount] : more) {
    sum[resource] += amount;
  }
}

void RaiseTo(ResourceAmounts& least, const ResourceAmounts& other) {
  for (const auto& [resource, amount] : other) {
    least[resource] = std::max(least[resource], amount);
  }
}

bool IsSidecar(const Container& container) {
  return container.restart_policy.value_or("") == "Always";
}

bool TolerationsAccept(const Pod& pod, const Taint& taint) {
  return std::any_of(pod.spec.tolerations.begin(), pod.spec.tolerations.end(),
                     [&](const Toleration& toleration) { return Tolerates(toleration, taint); });
}

using HostPort = std::tuple<std::string, std::string, std::int32_t>;  // IP, protocol, port

std::vector<HostPort> HostPorts(const Pod& pod) {
  std::vector<HostPort> ports;
  for (const Container& container : pod.spec.containers) {
    for (const auto& port : container.ports) {
      if (port.host_port != 0) {
        ports.emplace_back(port.host_ip.empty() ? "0.0.0.0" : port.host_ip,
                           port.protocol.empty() ? "TCP" : port.protocol, port.host_port);
      }
    }
  }
  return ports;
}

bool Conflict(const HostPort& a, const HostPort& b) {
  const bool same_address = std::get<0>(a) == std::get<0>(b) || std::get<0>(a) == "0.0.0.0" ||
                            std::get<0>(b) == "0.0.0.0";
  return same_address && std::get<1>(a) == std::get<1>(b) && std::get<2>(a) == std::get<2>(b);
}

PluginStatus Unresolvable(const char* plugin, const char* reason) {
  return PluginStatus::Unresolvable(plugin, reason);
}

}  // namespace

ResourceAmounts RequestsOf(const Pod& pod) {
  ResourceAmounts running;
  for (const Container& container : pod.spec.containers) {
    AddTo(running, AmountsOf(container.resources.requests));
  }
  // Init containers run one after the other, each beside the sidecars started before it.
  ResourceAmounts sidecars;
  ResourceAmounts starting;
  for (const Container& container : pod.spec.init_containers) {
    ResourceAmounts needed = AmountsOf(container.resources.requests);
    AddTo(needed, sidecars);
    if (IsSidecar(container)) {
      sidecars = needed;
    }
    RaiseTo(starting, needed);
  }
  AddTo(running, sidecars);
  RaiseTo(running, starting);
  for (const auto& taken : pod.status.node_allocatable_resource_claim_statuses) {
    AddTo(running, AmountsOf(taken.resources));
  }
  if (pod.spec.resources) {
    // Pod-level resources replace the sum.
    for (const auto& [resource, amount] : AmountsOf(pod.spec.resources->requests)) {
      running[resource] = amount;
    }
  }
  AddTo(running, AmountsOf(pod.spec.overhead));
  return running;
}

bool Tolerates(const Toleration& toleration, const Taint& taint) {
  if (!toleration.effect.empty() && toleration.effect != taint.effect) {
    return false;
  }
  if (!toleration.key.empty() && toleration.key != taint.key) {
    return false;
  }
  if (toleration.operator_ == "Exists") {
    return true;
  }
  return (toleration.operator_.empty() || toleration.operator_ == "Equal") &&
         toleration.value == taint.value;
}

void NodeInfo::AddPod(std::shared_ptr<const Pod> pod) {
  const std::string uid = pod->metadata.uid;
  RemovePod(uid);
  Entry entry{.pod = std::move(pod), .requests = {}};
  entry.requests = RequestsOf(*entry.pod);
  AddTo(requested_, entry.requests);
  pods_.emplace(uid, std::move(entry));
}

void NodeInfo::RemovePod(const std::string& uid) {
  const auto found = pods_.find(uid);
  if (found == pods_.end()) {
    return;
  }
  for (const auto& [resource, amount] : found->second.requests) {
    requested_[resource] -= amount;
  }
  pods_.erase(found);
}

PluginStatus NodeInfo::Fit(const Pod& pod, const ResourceAmounts& requests,
                           const FitOptions& options) const {
  if (node->spec.unschedulable) {
    Taint taint;
    taint.key = "node.kubernetes.io/unschedulable";
    taint.effect = "NoSchedule";
    if (!TolerationsAccept(pod, taint)) {
      return Unresolvable("NodeUnschedulable", "node(s) were unschedulable");
    }
  }
  if (!pod.spec.node_name.empty() && pod.spec.node_name != node->metadata.name) {
    return Unresolvable("NodeName", "node(s) didn't match the requested node name");
  }
  for (const Taint& taint : node->spec.taints) {
    if ((taint.effect == "NoSchedule" || taint.effect == "NoExecute") &&
        !TolerationsAccept(pod, taint)) {
      return Unresolvable("TaintToleration", "node(s) had untolerated taint(s)");
    }
  }
  if (!MatchesRequiredAffinity(pod, *node)) {
    return Unresolvable("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
  }
  if (!PortsAreFree(pod)) {
    return {PluginStatus::Code::kUnschedulable,
            "NodePorts",
            {"node(s) didn't have free ports for the requested pod ports"}};
  }
  return FitResources(requests, options);
}

std::set<std::string> NodeInfo::PodsTakingWith(const std::string& namespace_name,
                                               const std::string& claim_name) const {
  std::set<std::string> uids;
  for (const auto& [uid, entry] : pods_) {
    const auto& taken = entry.pod->status.node_allocatable_resource_claim_statuses;
    if (entry.pod->metadata.namespace_ == namespace_name &&
        std::any_of(taken.begin(), taken.end(),
                    [&](const auto& status) { return status.resource_claim_name == claim_name; })) {
      uids.insert(uid);
    }
  }
  return uids;
}

bool NodeInfo::PortsAreFree(const Pod& pod) const {
  const std::vector<HostPort> wanted = HostPorts(pod);
  if (wanted.empty()) {
    return true;
  }
  return std::none_of(pods_.begin(), pods_.end(), [&](const auto& entry) {
    const std::vector<HostPort> taken = HostPorts(*entry.second.pod);
    return std::any_of(taken.begin(), taken.end(), [&](const HostPort& port) {
      return std::any_of(wanted.begin(), wanted.end(),
                         [&](const HostPort& want) { return Conflict(port, want); });
    });
  });
}

PluginStatus NodeInfo::FitResources(const ResourceAmounts& requests,
                                    const FitOptions& options) const {
  PluginStatus status{PluginStatus::Code::kSuccess, "NodeResourcesFit", {}};
  const auto refuse = [&](std::string reason, bool unresolvable) {
    status.reasons.push_back(std::move(reason));
    // One resource of which the node never has enough is sufficient.
    if (unresolvable) {
      status.code = PluginStatus::Code::kUnresolvable;
    } else if (status.ok()) {
      status.code = PluginStatus::Code::kUnschedulable;
    }
  };
  if (static_cast<std::int64_t>(pods_.size()) + 1 > Allocatable("pods")) {
    refuse("Too many pods", false);
  }
  for (const auto& [resource, amount] : requests) {
    if (amount == 0 || (options.delegated && options.delegated(resource))) {
      continue;
    }
    if (amount > Allocatable(resource) - Requested(resource)) {
      refuse("Insufficient " + resource, amount > Allocatable(resource));
    }
  }
  return status;
}

std::int64_t NodeInfo::Allocatable(const std::string& resource) const {
  const auto found = node->status.allocatable.find(resource);
  return found == node->status.allocatable.end() ? 0 : AmountOf(resource, found->second);
}

std::int64_t NodeInfo::Requested(const std::string& resource) const {
  const auto found = requested_.find(resource);
  return found == requested_.end() ? 0 : found->second;
}

std::int64_t NodeInfo::LeastAllocatedScore(const ResourceAmounts& requests) const {
  std::int64_t sum = 0;
  std::int64_t count = 0;
  for (const auto& [resource, fallback] :
       {std::pair<std::string, std::int64_t>{"cpu", kDefaultMilliCpu},
        std::pair<std::string, std::int64_t>{"memory", kDefaultMemoryBytes}}) {
    const std::int64_t capacity = Allocatable(resource);
    if (capacity == 0) {
      continue;
    }
    const auto asked = requests.find(resource);
    const std::int64_t wanted =
        Requested(resource) + (asked == requests.end() ? fallback : asked->second);
    sum += wanted > capacity ? 0 : (capacity - wanted) * 100 / capacity;
    ++count;
  }
  return count == 0 ? 0 : sum / count;
}

}  // namespace assay::controlplane::scheduler
