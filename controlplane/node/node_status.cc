#include "controlplane/node/node_status.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "api/coordination/types.h"

namespace assay::controlplane::node {
namespace {

using api::KindOf;
using api::Object;
using api::client::Delay;
using api::client::Task;
using api::coordination::Lease;
using api::core::Node;
using api::meta::Time;

constexpr char kLeaseNamespace[] = "kube-node-lease";
constexpr Duration kLeaseRenewal = std::chrono::seconds(10);
constexpr std::int32_t kLeaseSeconds = 40;
constexpr Duration kStatusPeriod = std::chrono::minutes(5);
constexpr Duration kRetry = std::chrono::seconds(10);

Node NewNode(const std::string& name) {
  Node node;
  node.metadata.name = name;
  node.metadata.labels = {{"kubernetes.io/hostname", name},
                          {"kubernetes.io/os", "linux"},
                          {"kubernetes.io/arch", "amd64"}};
  return node;
}

void SetReady(Time now, Node& node) {
  auto& conditions = node.status.conditions;
  auto ready = std::ranges::find(conditions, "Ready", &api::core::NodeCondition::type);
  if (ready == conditions.end()) {
    ready = conditions.insert(conditions.end(), api::core::NodeCondition());
    ready->type = "Ready";
  }
  if (ready->status != "True") {
    ready->status = "True";
    ready->last_transition_time = now;
  }
  ready->last_heartbeat_time = now;
  ready->reason = "KubeletReady";
  ready->message = "kubelet is posting ready status";
  if (node.status.allocatable.empty()) {
    for (const auto& [resource, amount] :
         {std::pair{"cpu", "32"}, {"memory", "256Gi"}, {"pods", "110"}}) {
      node.status.capacity[resource] = api::meta::Quantity::Of(amount);
      node.status.allocatable[resource] = api::meta::Quantity::Of(amount);
    }
  }
}

}  // namespace

NodeStatus::NodeStatus(api::client::Client& client, std::string node_name,
                       std::vector<std::string> declared_features)
    : client_(client),
      node_name_(std::move(node_name)),
      declared_features_(std::move(declared_features)) {}

void NodeStatus::Start() {
  tasks_.Spawn(KeepNode());
  tasks_.Spawn(KeepLease());
}

Task<Status> NodeStatus::KeepNode() {
  for (;;) {
    const Status status = co_await UpdateNode();
    co_await Delay(client_.loop(), status.ok() ? kStatusPeriod : kRetry);
  }
}

Task<Status> NodeStatus::KeepLease() {
  for (;;) {
    // A Lease that cannot be written is tried again as one that can.
    (void)co_await RenewLease();
    co_await Delay(client_.loop(), kLeaseRenewal);
  }
}

Task<Status> NodeStatus::UpdateNode() {
  const api::client::ObjectKey key{"", node_name_};
  Result<Object> object = co_await client_.Get(KindOf<Node>(), key);
  if (!object.ok() && object.status().code() == StatusCode::kNotFound) {
    const Object created = Object::Of(NewNode(node_name_));
    object = co_await client_.Create(created);
  }
  ASSAY_CO_RETURN_IF_ERROR(object.status());
  Node node = object->As<Node>();
  node_uid_ = node.metadata.uid;
  SetReady(Time::From(client_.loop().clock().Now()), node);
  node.status.declared_features = declared_features_;
  const Object changed = Object::Of(std::move(node));
  const Result<Object> written = co_await client_.UpdateStatus(changed);
  co_return written.status();
}

Task<Status> NodeStatus::RenewLease() {
  const api::client::ObjectKey key{kLeaseNamespace, node_name_};
  const Result<Object> object = co_await client_.Get(KindOf<Lease>(), key);
  const bool missing = !object.ok() && object.status().code() == StatusCode::kNotFound;
  if (!object.ok() && !missing) {
    co_return object.status();
  }
  Lease lease;
  if (!missing) {
    lease = object->As<Lease>();
  }
  lease.metadata.name = node_name_;
  lease.metadata.namespace_ = kLeaseNamespace;
  if (lease.metadata.owner_references.empty() && !node_uid_.empty()) {
    auto& owner = lease.metadata.owner_references.emplace_back();
    owner.api_version = "v1";
    owner.kind = "Node";
    owner.name = node_name_;
    owner.uid = node_uid_;
  }
  lease.spec.holder_identity = node_name_;
  lease.spec.lease_duration_seconds = kLeaseSeconds;
  lease.spec.renew_time = api::meta::MicroTime::From(client_.loop().clock().Now());
  const Object changed = Object::Of(std::move(lease));
  if (missing) {
    const Result<Object> created = co_await client_.Create(changed);
    co_return created.status();
  }
  const Result<Object> updated = co_await client_.Update(changed);
  co_return updated.status();
}

}  // namespace assay::controlplane::node
