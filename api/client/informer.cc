#include "api/client/informer.h"

#include <algorithm>
#include <utility>

namespace assay::api::client {
namespace {

constexpr std::int64_t kPageSize = 500;
// As client-go's reflector waits, but without jitter: one process is no crowd.
constexpr Duration kFirstDelay = std::chrono::milliseconds(800);
constexpr Duration kMaxDelay = std::chrono::seconds(30);

}  // namespace

ObjectInformer::ObjectInformer(Client& client, const Kind& kind, InformerOptions options)
    : client_(&client), kind_(&kind), options_(std::move(options)) {}

ObjectInformer::~ObjectInformer() {
  *alive_ = false;
  watch_ = nullptr;
  if (timer_ != EventLoop::kNoTimer) {
    client_->loop().CancelTimer(timer_);
  }
}

void ObjectInformer::AddObjectHandlers(ObjectHandlers handlers) {
  handlers_.push_back(std::move(handlers));
}

void ObjectInformer::AddObjectIndex(const std::string& name, IndexFunction function) {
  ASSAY_CHECK(objects_.empty()) << "index " << name << " added after the start";
  indexes_[name].function = std::move(function);
}

void ObjectInformer::Start(std::function<void()> on_synced) {
  on_synced_ = std::move(on_synced);
  List("");
}

Object ObjectInformer::GetObject(const ObjectKey& key) const {
  const auto found = objects_.find(key);
  return found == objects_.end() ? Object() : found->second;
}

std::vector<Object> ObjectInformer::ObjectsByIndex(const std::string& name,
                                                   const std::string& value) const {
  std::vector<Object> result;
  const auto index = indexes_.find(name);
  ASSAY_CHECK(index != indexes_.end()) << "no index " << name;
  if (const auto keys = index->second.keys.find(value); keys != index->second.keys.end()) {
    for (const ObjectKey& key : keys->second) {
      result.push_back(objects_.at(key));
    }
  }
  return result;
}

void ObjectInformer::List(std::string continue_token) {
  if (continue_token.empty()) {
    listed_.clear();
  }
  ListOptions list{.namespace_ = options_.namespace_,
                   .label_selector = options_.label_selector,
                   .field_selector = options_.field_selector,
                   .limit = kPageSize,
                   .continue_ = std::move(continue_token)};
  client_->List(*kind_, std::move(list), [this, alive = alive_](Result<ObjectList> result) {
    if (*alive) {
      OnListed(std::move(result));
    }
  });
}

void ObjectInformer::OnListed(Result<ObjectList> list) {
  if (!list.ok()) {
    Retry([this] { List(""); });
    return;
  }
  std::move(list->items.begin(), list->items.end(), std::back_inserter(listed_));
  if (!list->continue_.empty()) {
    List(list->continue_);
    return;
  }
  resource_version_ = list->resource_version;
  Replace();
  if (!synced_) {
    synced_ = true;
    if (const auto on_synced = std::exchange(on_synced_, nullptr)) {
      on_synced();
    }
  }
  Watch();
}

void ObjectInformer::Replace() {
  std::set<ObjectKey> listed;
  for (const Object& object : listed_) {
    listed.insert(KeyOf(object.metadata()));
  }
  std::vector<ObjectKey> gone;
  for (const auto& [key, object] : objects_) {
    if (!listed.contains(key)) {
      gone.push_back(key);
    }
  }
  for (const ObjectKey& key : gone) {
    Remove(key);
  }
  for (const Object& object : std::exchange(listed_, {})) {
    Store(object);
  }
}

void ObjectInformer::Watch() {
  WatchOptions watch{.namespace_ = options_.namespace_,
                     .label_selector = options_.label_selector,
                     .field_selector = options_.field_selector,
                     .resource_version = resource_version_};
  watch_ = client_->Watch(
      *kind_, std::move(watch), [this](const WatchEvent& event) { OnEvent(event); },
      [this](const Status& status) { OnWatchEnd(status); });
}

void ObjectInformer::OnEvent(const WatchEvent& event) {
  delay_ = Duration::zero();
  resource_version_ = event.object.metadata().resource_version;
  switch (event.type) {
    case WatchEventType::kAdded:
    case WatchEventType::kModified:
      Store(event.object);
      break;
    case WatchEventType::kDeleted:
      Remove(KeyOf(event.object.metadata()));
      break;
    case WatchEventType::kBookmark:
      break;
  }
}

void ObjectInformer::OnWatchEnd(const Status& status) {
  if (status.code() == StatusCode::kOutOfRange) {
    // The version has been compacted: only a new list tells what happened since.
    Retry([this] { List(""); });
    return;
  }
  Retry([this] { Watch(); });
}

void ObjectInformer::Retry(std::function<void()> step) {
  // The handle may not be destroyed inside its own callback.
  delay_ = delay_ == Duration::zero() ? kFirstDelay : std::min(kMaxDelay, 2 * delay_);
  timer_ = client_->loop().RunAfter(delay_, [this, step = std::move(step)] {
    timer_ = EventLoop::kNoTimer;
    watch_ = nullptr;
    step();
  });
}

void ObjectInformer::Store(const Object& object) {
  const ObjectKey key = KeyOf(object.metadata());
  const auto [place, added] = objects_.try_emplace(key, object);
  if (added) {
    UpdateIndexes(key, nullptr, &object);
    for (const ObjectHandlers& handlers : handlers_) {
      if (handlers.on_add) {
        handlers.on_add(object);
      }
    }
    return;
  }
  const Object before = std::exchange(place->second, object);
  if (before.metadata().resource_version == object.metadata().resource_version) {
    return;  // Listed again, and nothing has happened to it.
  }
  if (before.metadata().uid != object.metadata().uid) {
    // Deleted and created anew between two lists: two objects, not one that changed.
    UpdateIndexes(key, &before, &object);
    for (const ObjectHandlers& handlers : handlers_) {
      if (handlers.on_delete) {
        handlers.on_delete(before);
      }
      if (handlers.on_add) {
        handlers.on_add(object);
      }
    }
    return;
  }
  UpdateIndexes(key, &before, &object);
  for (const ObjectHandlers& handlers : handlers_) {
    if (handlers.on_update) {
      handlers.on_update(before, object);
    }
  }
}

void ObjectInformer::Remove(const ObjectKey& key) {
  const auto found = objects_.find(key);
  if (found == objects_.end()) {
    return;
  }
  const Object before = found->second;
  objects_.erase(found);
  UpdateIndexes(key, &before, nullptr);
  for (const ObjectHandlers& handlers : handlers_) {
    if (handlers.on_delete) {
      handlers.on_delete(before);
    }
  }
}

void ObjectInformer::UpdateIndexes(const ObjectKey& key, const Object* before, const Object* now) {
  for (auto& [name, index] : indexes_) {
    if (before != nullptr) {
      for (const std::string& value : index.function(*before)) {
        const auto keys = index.keys.find(value);
        if (keys != index.keys.end() && keys->second.erase(key) != 0 && keys->second.empty()) {
          index.keys.erase(keys);
        }
      }
    }
    if (now != nullptr) {
      for (const std::string& value : index.function(*now)) {
        index.keys[value].insert(key);
      }
    }
  }
}

}  // namespace assay::api::client
