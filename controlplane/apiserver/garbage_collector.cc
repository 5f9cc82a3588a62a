#include "controlplane/apiserver/garbage_collector.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "api/json/json.h"
#include "api/registry.h"
#include "controlplane/apiserver/finalizers.h"

namespace assay::controlplane::apiserver {
namespace {

using api::Kind;
using api::Object;
using api::client::Client;
using api::client::ObjectKey;
using api::meta::OwnerReference;

// After a failed write, or a watch that broke.
constexpr Duration kRetry = std::chrono::milliseconds(100);

// One object of the graph: what is known of it, and who names it as owner.
struct Node {
  const Kind* kind = nullptr;
  ObjectKey key;
  std::string uid;
  std::string resource_version;
  std::vector<OwnerReference> owners;
  std::vector<std::string> finalizers;
  bool deleting = false;
  // Only named by others so far: perhaps it never was, perhaps its kind is seen later.
  bool is_virtual = false;
  std::set<std::string> dependents;  // UIDs
};

}  // namespace

struct GarbageCollector::Impl : std::enable_shared_from_this<GarbageCollector::Impl> {
  Impl(Client& the_client, std::vector<const Kind*> the_kinds)
      : client(the_client), kinds(std::move(the_kinds)) {}

  Client& client;
  const std::vector<const Kind*> kinds;
  std::unordered_map<std::string, Node> nodes;  // By UID.
  std::map<const Kind*, std::unique_ptr<api::client::WatchHandle>> watches;
  std::size_t kinds_pending = 0;  // Whose first list has not come yet.
  std::deque<std::string> queue;
  std::set<std::string> queued;
  std::set<std::string> busy;  // A write is under way.
  bool draining = false;

  // A callback that runs only while the collector lives.
  template <typename F>
  auto Guard(F f) {
    return [weak = weak_from_this(), f = std::move(f)](auto&&... args) mutable {
      if (auto self = weak.lock()) {
        f(std::forward<decltype(args)>(args)...);
      }
    };
  }

  void Start() {
    kinds_pending = kinds.size();
    for (const Kind* kind : kinds) {
      ListKind(kind, /*first=*/true);
    }
  }

  void ListKind(const Kind* kind, bool first) {
    client.List(*kind, {}, Guard([this, kind, first](Result<api::client::ObjectList> list) {
      if (!list.ok()) {
        client.loop().RunAfter(kRetry, Guard([this, kind, first] { ListKind(kind, first); }));
        return;
      }
      std::set<std::string> present;
      for (const Object& object : list->items) {
        present.insert(object.metadata().uid);
        Observe(object);
      }
      std::vector<std::string> gone;
      for (const auto& [uid, node] : nodes) {
        if (node.kind == kind && !node.is_virtual && !present.contains(uid)) {
          gone.push_back(uid);
        }
      }
      for (const std::string& uid : gone) {
        Forget(uid);
      }
      WatchKind(kind, list->resource_version);
      if (first && --kinds_pending == 0) {
        // Only now can it be told who has no owner.
        for (const auto& [uid, node] : nodes) {
          Enqueue(uid);
        }
      }
    }));
  }

  void WatchKind(const Kind* kind, const std::string& version) {
    watches[kind] = client.Watch(
        *kind, {.resource_version = version}, Guard([this](const api::client::WatchEvent& event) {
          if (event.type == api::client::WatchEventType::kDeleted) {
            Forget(event.object.metadata().uid);
          } else if (event.type != api::client::WatchEventType::kBookmark) {
            Observe(event.object);
          }
        }),
        Guard([this, kind](const Status&) {
          client.loop().RunAfter(kRetry, Guard([this, kind] { ListKind(kind, false); }));
        }));
  }

  void Observe(const Object& object) {
    const api::meta::ObjectMeta& metadata = object.metadata();
    Node& node = nodes[metadata.uid];
    for (const OwnerReference& owner : node.owners) {
      Unlink(owner.uid, metadata.uid);
      Enqueue(owner.uid);  // It may have waited for just that.
    }
    node.kind = &object.kind();
    node.key = {metadata.namespace_, metadata.name};
    node.uid = metadata.uid;
    node.resource_version = metadata.resource_version;
    node.owners = metadata.owner_references;
    node.finalizers = metadata.finalizers;
    node.deleting = metadata.deletion_timestamp.has_value();
    node.is_virtual = false;
    std::vector<OwnerReference> owners = node.owners;
    for (const OwnerReference& owner : owners) {
      auto [found, added] = nodes.try_emplace(owner.uid);
      if (added) {
        found->second.uid = owner.uid;
        found->second.is_virtual = true;
      }
      found->second.dependents.insert(metadata.uid);
    }
    Enqueue(metadata.uid);
    // An owner that waits for its dependents may care that this one no longer blocks it.
    for (const OwnerReference& owner : owners) {
      Enqueue(owner.uid);
    }
  }

  void Unlink(const std::string& owner, const std::string& dependent) {
    auto found = nodes.find(owner);
    if (found == nodes.end()) {
      return;
    }
    found->second.dependents.erase(dependent);
    if (found->second.is_virtual && found->second.dependents.empty()) {
      nodes.erase(found);
    }
  }

  void Forget(const std::string& uid) {
    auto found = nodes.find(uid);
    if (found == nodes.end()) {
      return;
    }
    std::vector<OwnerReference> owners = std::move(found->second.owners);
    found->second.owners.clear();
    std::set<std::string> dependents = found->second.dependents;
    if (dependents.empty()) {
      nodes.erase(found);
    } else {
      found->second.is_virtual = true;
      found->second.kind = nullptr;
    }
    for (const OwnerReference& owner : owners) {
      Unlink(owner.uid, uid);
      Enqueue(owner.uid);
    }
    for (const std::string& dependent : dependents) {
      Enqueue(dependent);
    }
  }

  void Enqueue(const std::string& uid) {
    if (kinds_pending > 0 || !queued.insert(uid).second) {
      return;
    }
    queue.push_back(uid);
    if (!std::exchange(draining, true)) {
      client.loop().Post(Guard([this] { Drain(); }));
    }
  }

  void Drain() {
    draining = false;
    std::deque<std::string> work = std::exchange(queue, {});
    queued.clear();
    for (const std::string& uid : work) {
      Process(uid);
    }
  }

  // An owner is solid if it exists and does not wait for this dependent.
  enum class OwnerState { kSolid, kAbsent, kWaiting };
  OwnerState StateOf(const OwnerReference& reference, const Node& dependent) const {
    auto found = nodes.find(reference.uid);
    if (found == nodes.end() || found->second.is_virtual) {
      return OwnerState::kAbsent;
    }
    const Node& owner = found->second;
    // Upstream's lookup is by name in the dependent's namespace: a reference into another namespace
    // finds nothing.
    if (owner.kind->namespaced && owner.key.namespace_ != dependent.key.namespace_) {
      return OwnerState::kAbsent;
    }
    return owner.deleting && HasFinalizer(owner.finalizers, kForegroundFinalizer)
               ? OwnerState::kWaiting
               : OwnerState::kSolid;
  }

  void Process(const std::string& uid) {
    auto found = nodes.find(uid);
    if (found == nodes.end() || found->second.is_virtual || busy.contains(uid)) {
      return;
    }
    Node& node = found->second;
    if (node.deleting && HasFinalizer(node.finalizers, kOrphanFinalizer)) {
      Orphan(node);
      return;
    }
    if (node.deleting && HasFinalizer(node.finalizers, kForegroundFinalizer)) {
      DeleteDependents(node);
      return;
    }
    if (!node.deleting) {
      CheckOwners(node);
    }
  }

  // Source: garbagecollector.go, attemptToDeleteItem.
  void CheckOwners(Node& node) {
    if (node.owners.empty()) {
      return;
    }
    bool solid = false;
    bool waiting = false;
    std::vector<std::string> stale;
    for (const OwnerReference& owner : node.owners) {
      switch (StateOf(owner, node)) {
        case OwnerState::kSolid:
          solid = true;
          break;
        case OwnerState::kWaiting:
          waiting = true;
          stale.push_back(owner.uid);
          break;
        case OwnerState::kAbsent:
          stale.push_back(owner.uid);
          break;
      }
    }
    if (solid) {
      if (!stale.empty()) {
        RemoveOwners(node, stale);
      }
      return;
    }
    std::string policy = waiting && !node.dependents.empty() ? "Foreground" : "";
    if (policy.empty()) {
      policy = HasFinalizer(node.finalizers, kOrphanFinalizer)       ? "Orphan"
               : HasFinalizer(node.finalizers, kForegroundFinalizer) ? "Foreground"
                                                                     : "Background";
    }
    DeleteNode(node, policy);
  }

  void DeleteNode(Node& node, const std::string& policy) {
    busy.insert(node.uid);
    client.Delete(*node.kind, node.key, {.uid = node.uid, .propagation_policy = policy},
                  Guard([this, uid = node.uid](const Status& status) { Done(uid, status); }));
  }

  void Done(const std::string& uid, const Status& status) {
    busy.erase(uid);
    if (!status.ok() && status.code() != StatusCode::kNotFound) {
      client.loop().RunAfter(kRetry, Guard([this, uid] { Enqueue(uid); }));
    }
  }

  void Patch(Node& node, std::string body) {
    busy.insert(node.uid);
    client.Patch(*node.kind, node.key, std::move(body), {.type = api::client::PatchType::kMerge},
                 Guard([this, uid = node.uid](const Result<Object>& result) {
                   Done(uid, result.status());
                 }));
  }

  std::string MetadataPatch(const Node& node, const std::string& field,
                            const std::string& value) const {
    // The version is a precondition: the lists below were made from what was seen then.
    return R"({"metadata":{"uid":)" + api::json::Quote(node.uid) + R"(,"resourceVersion":)" +
           api::json::Quote(node.resource_version) + ",\"" + field + "\":" + value + "}}";
  }

  void RemoveOwners(Node& node, const std::vector<std::string>& uids) {
    std::string list;
    for (const OwnerReference& owner : node.owners) {
      if (std::find(uids.begin(), uids.end(), owner.uid) == uids.end()) {
        list += (list.empty() ? "" : ",") + api::json::EncodeAs(owner);
      }
    }
    Patch(node, MetadataPatch(node, "ownerReferences", "[" + list + "]"));
  }

  void RemoveFinalizer(Node& node, std::string_view finalizer) {
    std::string list;
    for (const std::string& kept : node.finalizers) {
      if (kept != finalizer) {
        list += (list.empty() ? "" : ",") + api::json::Quote(kept);
      }
    }
    Patch(node, MetadataPatch(node, "finalizers", "[" + list + "]"));
  }

  void Orphan(Node& node) {
    bool any = false;
    std::set<std::string> dependents = node.dependents;
    for (const std::string& uid : dependents) {
      auto dependent = nodes.find(uid);
      if (dependent == nodes.end() || dependent->second.is_virtual) {
        continue;
      }
      any = true;
      if (!busy.contains(uid)) {
        RemoveOwners(dependent->second, {node.uid});
      }
    }
    if (!any) {
      RemoveFinalizer(node, kOrphanFinalizer);
    }
  }

  // Source: processDeletingDependentsItem: the owner waits for those that block it.
  void DeleteDependents(Node& node) {
    bool blocked = false;
    std::set<std::string> dependents = node.dependents;
    for (const std::string& uid : dependents) {
      auto found = nodes.find(uid);
      if (found == nodes.end() || found->second.is_virtual) {
        continue;
      }
      for (const OwnerReference& owner : found->second.owners) {
        blocked = blocked || (owner.uid == node.uid && owner.block_owner_deletion.value_or(false));
      }
      Enqueue(uid);
    }
    if (!blocked) {
      RemoveFinalizer(node, kForegroundFinalizer);
    }
  }
};

GarbageCollector::GarbageCollector(Client& client, std::vector<const Kind*> kinds)
    : impl_(std::make_shared<Impl>(client, std::move(kinds))) {}

GarbageCollector::~GarbageCollector() = default;

std::vector<const Kind*> GarbageCollector::DefaultKinds(api::Level level) {
  std::vector<const Kind*> kinds;
  for (const Kind* kind : api::AllKinds()) {
    if (kind->resource != "events" && api::PreferredVersion(*kind, level) != nullptr) {
      kinds.push_back(kind);
    }
  }
  return kinds;
}

void GarbageCollector::Start() { impl_->Start(); }

}  // namespace assay::controlplane::apiserver
