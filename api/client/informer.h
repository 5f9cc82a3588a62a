// Informer: a cache of all objects of a kind, kept up to date by list and watch, with handlers for
// what changes and indexes for look-ups.
//
//   Informer<resource::ResourceClaim> claims(client);
//   claims.AddIndex("owner", [](const auto& claim) { ... return std::vector<std::string>{...}; });
//   claims.AddHandlers({.on_update = [&](const auto& before, const auto& now) { ... }});
//   claims.Start([] { /* every object of the first list has been handed to on_add */ });
//
// It lists in pages of 500 and watches from the list's version. A watch that ends is resumed where
// it stopped; a version that has become too old (410) leads to a new list, whose differences reach
// the handlers as adds, updates and deletes. After errors it waits 0.8 s, doubling up to 30 s.
//
// Not thread-safe: lives on the client's loop. Handlers run on the loop and must not destroy the
// informer.
#ifndef ASSAY_API_CLIENT_INFORMER_H_
#define ASSAY_API_CLIENT_INFORMER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/client/client.h"

namespace assay::api::client {

struct InformerOptions {
  std::string namespace_;
  std::string label_selector;
  std::string field_selector;
};

// The untyped half; use Informer<T>.
class ObjectInformer {
 public:
  struct ObjectHandlers {
    std::function<void(const Object&)> on_add;
    std::function<void(const Object& before, const Object& now)> on_update;
    std::function<void(const Object&)> on_delete;
  };
  using IndexFunction = std::function<std::vector<std::string>(const Object&)>;

  ObjectInformer(Client& client, const Kind& kind, InformerOptions options);
  ObjectInformer(const ObjectInformer&) = delete;
  ObjectInformer& operator=(const ObjectInformer&) = delete;
  ~ObjectInformer();

  // Before Start. Handlers run in the order in which they were added.
  void AddObjectHandlers(ObjectHandlers handlers);
  void AddObjectIndex(const std::string& name, IndexFunction function);

  // Lists and watches from now on; `on_synced` runs once, after the first list.
  void Start(std::function<void()> on_synced = nullptr);
  bool synced() const { return synced_; }

  // An empty Object where there is none.
  Object GetObject(const ObjectKey& key) const;
  const std::map<ObjectKey, Object>& objects() const { return objects_; }
  std::vector<Object> ObjectsByIndex(const std::string& name, const std::string& value) const;

 private:
  struct Index {
    IndexFunction function;
    std::map<std::string, std::set<ObjectKey>> keys;
  };

  void List(std::string continue_token);
  void OnListed(Result<ObjectList> list);
  void Replace();
  void Watch();
  void OnEvent(const WatchEvent& event);
  void OnWatchEnd(const Status& status);
  void Retry(std::function<void()> step);
  void Store(const Object& object);
  void Remove(const ObjectKey& key);
  void UpdateIndexes(const ObjectKey& key, const Object* before, const Object* now);

  Client* client_;  // Outlives this.
  const Kind* kind_;
  InformerOptions options_;
  std::vector<ObjectHandlers> handlers_;
  std::map<std::string, Index> indexes_;
  std::map<ObjectKey, Object> objects_;
  std::vector<Object> listed_;  // Pages of the list under way.
  std::string resource_version_;
  std::unique_ptr<WatchHandle> watch_;
  std::function<void()> on_synced_;
  bool synced_ = false;
  Duration delay_{};
  EventLoop::TimerId timer_ = EventLoop::kNoTimer;
  // Callbacks under way look here first: they may come after this is gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

template <typename T>
class Informer {
 public:
  using Ref = std::shared_ptr<const T>;  // Null: there is none.
  struct Handlers {
    std::function<void(const Ref&)> on_add;
    std::function<void(const Ref& before, const Ref& now)> on_update;
    std::function<void(const Ref&)> on_delete;
  };

  explicit Informer(Client& client, InformerOptions options = {})
      : informer_(client, KindOf<T>(), std::move(options)) {}

  void AddHandlers(Handlers handlers) {
    ObjectInformer::ObjectHandlers wrapped;
    if (handlers.on_add) {
      wrapped.on_add = [f = std::move(handlers.on_add)](const Object& o) { f(o.Share<T>()); };
    }
    if (handlers.on_update) {
      wrapped.on_update = [f = std::move(handlers.on_update)](const Object& a, const Object& b) {
        f(a.Share<T>(), b.Share<T>());
      };
    }
    if (handlers.on_delete) {
      wrapped.on_delete = [f = std::move(handlers.on_delete)](const Object& o) { f(o.Share<T>()); };
    }
    informer_.AddObjectHandlers(std::move(wrapped));
  }
  void AddIndex(const std::string& name, std::function<std::vector<std::string>(const T&)> f) {
    informer_.AddObjectIndex(name, [f = std::move(f)](const Object& o) { return f(o.As<T>()); });
  }

  void Start(std::function<void()> on_synced = nullptr) { informer_.Start(std::move(on_synced)); }
  bool synced() const { return informer_.synced(); }

  Ref Get(const ObjectKey& key) const {
    const Object object = informer_.GetObject(key);
    return object ? object.Share<T>() : nullptr;
  }
  Ref Get(const std::string& namespace_name, const std::string& name) const {
    return Get(ObjectKey{namespace_name, name});
  }
  // Sorted by namespace and name.
  std::vector<Ref> List() const {
    std::vector<Ref> result;
    result.reserve(informer_.objects().size());
    for (const auto& [key, object] : informer_.objects()) {
      result.push_back(object.template Share<T>());
    }
    return result;
  }
  std::vector<Ref> ByIndex(const std::string& name, const std::string& value) const {
    std::vector<Ref> result;
    for (const Object& object : informer_.ObjectsByIndex(name, value)) {
      result.push_back(object.template Share<T>());
    }
    return result;
  }

 private:
  ObjectInformer informer_;
};

inline ObjectKey KeyOf(const meta::ObjectMeta& metadata) {
  return {metadata.namespace_, metadata.name};
}

}  // namespace assay::api::client

#endif  // ASSAY_API_CLIENT_INFORMER_H_
