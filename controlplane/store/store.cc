#include "controlplane/store/store.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace assay::controlplane::store {

Version::Version(api::Object object, std::uint64_t resource_version, const Encoder* encoder)
    : object_(std::move(object)),
      resource_version_(resource_version),
      encoder_(encoder),
      encoded_(new Encoded[2 * object_.kind().versions.size()]) {}

const std::string& Version::Encode(const api::KindVersion& version,
                                   api::codec::Format format) const {
  const std::vector<api::KindVersion>& versions = object_.kind().versions;
  auto index = static_cast<std::size_t>(&version - versions.data());
  ASSAY_CHECK(index < versions.size()) << version.version << " is of another kind";
  Encoded& encoded = encoded_[2 * index + (format == api::codec::Format::kJson ? 0 : 1)];
  std::call_once(encoded.once, [&] { encoded.text = (*encoder_)(object_, version, format); });
  return encoded.text;
}

Watch::~Watch() {
  std::lock_guard lock(store_->mu_);
  std::erase(store_->ShelfOf(*kind_).watches, this);
}

Result<Watch::Batch> Watch::Next(std::size_t limit) {
  std::lock_guard lock(store_->mu_);
  Store::Shelf& shelf = store_->ShelfOf(*kind_);
  if (next_ < shelf.first) {
    return Status(StatusCode::kOutOfRange,
                  "too old resource version: " + std::to_string(seen_) + " (" +
                      std::to_string(std::max(shelf.compacted, store_->compacted_)) + ")");
  }
  Batch batch;
  std::uint64_t end = std::min(shelf.end(), next_ + limit);
  batch.events.reserve(end - next_);
  for (; next_ < end; ++next_) {
    batch.events.push_back(shelf.history[next_ - shelf.first]);
  }
  if (next_ == shelf.end()) {
    seen_ = std::max(seen_, store_->resource_version_);
  } else if (!batch.events.empty()) {
    seen_ = batch.events.back().resource_version();
  }
  batch.resource_version = seen_;
  return batch;
}

void Watch::Arm(std::function<void()> notify) {
  {
    std::lock_guard lock(store_->mu_);
    if (next_ == store_->ShelfOf(*kind_).end()) {
      notify_ = std::move(notify);
      return;
    }
    notify_ = nullptr;
  }
  notify();
}

Store::Store(StoreOptions options) : options_(std::move(options)) {
  ASSAY_CHECK(options_.encoder != nullptr) << "a Store needs an encoder";
}

Store::~Store() = default;

std::uint64_t Store::resource_version() const {
  std::lock_guard lock(mu_);
  return resource_version_;
}

// With mu_ held. Never removed, so that references stay good.
Store::Shelf& Store::ShelfOf(const api::Kind& kind) const { return shelves_[&kind]; }

// With mu_ held.
Status Store::CheckCompaction(const Shelf& shelf, std::uint64_t version) const {
  std::uint64_t compacted = std::max(shelf.compacted, compacted_);
  if (version >= compacted) {
    return OkStatus();
  }
  return Status(StatusCode::kOutOfRange, "too old resource version: " + std::to_string(version) +
                                             " (" + std::to_string(compacted) + ")");
}

VersionPtr Store::Get(const api::Kind& kind, const Key& key) const {
  std::lock_guard lock(mu_);
  const Shelf& shelf = ShelfOf(kind);
  auto found = shelf.objects.find(key.ToString());
  return found == shelf.objects.end() ? nullptr : found->second;
}

Result<Store::Snapshot> Store::List(const api::Kind& kind, const ListOptions& options) const {
  std::lock_guard lock(mu_);
  const Shelf& shelf = ShelfOf(kind);
  const std::uint64_t at = options.at.value_or(resource_version_);
  if (at > resource_version_) {
    return FailedPreconditionError("resource version " + std::to_string(at) +
                                   " is in the future; now is " +
                                   std::to_string(resource_version_));
  }
  ASSAY_RETURN_IF_ERROR(CheckCompaction(shelf, at));
  const std::string prefix = options.namespace_.empty() ? "" : options.namespace_ + "/";
  auto selected = [&](const std::string& key) {
    return key.starts_with(prefix) && (options.after.empty() || key > options.after);
  };

  Snapshot snapshot{.items = {}, .resource_version = at};
  auto from = options.after.empty() ? shelf.objects.lower_bound(prefix)
                                    : shelf.objects.upper_bound(options.after);
  if (at == resource_version_ || shelf.history.empty() ||
      shelf.history.back().resource_version() <= at) {
    for (; from != shelf.objects.end() && from->first.starts_with(prefix); ++from) {
      snapshot.items.push_back(from->second);
    }
    return snapshot;
  }

  // Take back what happened since.
  std::map<std::string, VersionPtr> past;
  for (; from != shelf.objects.end() && from->first.starts_with(prefix); ++from) {
    past.insert(*from);
  }
  for (auto event = shelf.history.rbegin();
       event != shelf.history.rend() && event->resource_version() > at; ++event) {
    const api::Object& object = event->object->object();
    std::string key = Key{object.namespace_(), object.name()}.ToString();
    if (!selected(key)) {
      continue;
    }
    if (event->previous != nullptr) {
      past[key] = event->previous;
    } else {
      past.erase(key);
    }
  }
  for (auto& [key, version] : past) {
    snapshot.items.push_back(std::move(version));
  }
  return snapshot;
}

// With mu_ held.
VersionPtr Store::Seal(Draft draft) {
  ++resource_version_;
  draft.metadata().resource_version = std::to_string(resource_version_);
  return std::make_shared<const Version>(std::move(draft).Freeze(), resource_version_,
                                         &options_.encoder);
}

// With mu_ held.
std::vector<std::function<void()>> Store::Record(Shelf& shelf, Event event) {
  shelf.history.push_back(std::move(event));
  while (shelf.history.size() > options_.history_limit) {
    shelf.compacted = shelf.history.front().resource_version();
    shelf.history.pop_front();
    ++shelf.first;
  }
  std::vector<std::function<void()>> notify;
  for (Watch* watch : shelf.watches) {
    if (watch->notify_ != nullptr) {
      notify.push_back(std::exchange(watch->notify_, nullptr));
    }
  }
  return notify;
}

Result<VersionPtr> Store::Create(Draft draft) {
  const api::Kind& kind = draft.kind();
  std::vector<std::function<void()>> notify;
  VersionPtr created;
  {
    std::lock_guard lock(mu_);
    Shelf& shelf = ShelfOf(kind);
    std::string key = Key{draft.metadata().namespace_, draft.metadata().name}.ToString();
    if (shelf.objects.contains(key)) {
      return AlreadyExistsError(kind.GroupResource() + " \"" + draft.metadata().name +
                                "\" already exists");
    }
    created = Seal(std::move(draft));
    shelf.objects.emplace(std::move(key), created);
    notify = Record(shelf, {EventType::kAdded, created, nullptr});
  }
  for (auto& call : notify) {
    call();
  }
  return created;
}

Result<VersionPtr> Store::Update(Draft draft, std::uint64_t expected) {
  const api::Kind& kind = draft.kind();
  std::vector<std::function<void()>> notify;
  VersionPtr updated;
  {
    std::lock_guard lock(mu_);
    Shelf& shelf = ShelfOf(kind);
    const api::meta::ObjectMeta& metadata = draft.metadata();
    auto found = shelf.objects.find(Key{metadata.namespace_, metadata.name}.ToString());
    if (found == shelf.objects.end()) {
      return NotFoundError(kind.GroupResource() + " \"" + metadata.name + "\" not found");
    }
    if (found->second->resource_version() != expected) {
      return AbortedError(kind.GroupResource() + " \"" + metadata.name + "\" has been modified");
    }
    VersionPtr previous = found->second;
    updated = Seal(std::move(draft));
    found->second = updated;
    notify = Record(shelf, {EventType::kModified, updated, std::move(previous)});
  }
  for (auto& call : notify) {
    call();
  }
  return updated;
}

Result<VersionPtr> Store::Delete(const api::Kind& kind, const Key& key, std::uint64_t expected) {
  std::vector<std::function<void()>> notify;
  VersionPtr deleted;
  {
    std::lock_guard lock(mu_);
    Shelf& shelf = ShelfOf(kind);
    auto found = shelf.objects.find(key.ToString());
    if (found == shelf.objects.end()) {
      return NotFoundError(kind.GroupResource() + " \"" + key.name + "\" not found");
    }
    if (found->second->resource_version() != expected) {
      return AbortedError(kind.GroupResource() + " \"" + key.name + "\" has been modified");
    }
    VersionPtr previous = std::move(found->second);
    shelf.objects.erase(found);
    deleted = Seal(Draft::CopyOf(previous->object()));
    notify = Record(shelf, {EventType::kDeleted, deleted, std::move(previous)});
  }
  for (auto& call : notify) {
    call();
  }
  return deleted;
}

Result<std::unique_ptr<Watch>> Store::StartWatch(const WatchOptions& options) {
  std::lock_guard lock(mu_);
  Shelf& shelf = ShelfOf(*options.kind);
  const std::uint64_t after = options.after.value_or(resource_version_);
  ASSAY_RETURN_IF_ERROR(CheckCompaction(shelf, after));
  auto first = std::upper_bound(
      shelf.history.begin(), shelf.history.end(), after,
      [](std::uint64_t version, const Event& event) { return version < event.resource_version(); });
  std::uint64_t next = shelf.first + static_cast<std::uint64_t>(first - shelf.history.begin());
  auto watch = std::unique_ptr<Watch>(new Watch(*this, *options.kind, next, after));
  shelf.watches.push_back(watch.get());
  return watch;
}

Store::Contents Store::All() const {
  std::lock_guard lock(mu_);
  Contents contents{.objects = {}, .resource_version = resource_version_};
  for (const auto& [kind, shelf] : shelves_) {
    for (const auto& [key, version] : shelf.objects) {
      contents.objects.push_back(version->object());
    }
  }
  return contents;
}

void Store::Replace(const Contents& contents) {
  std::vector<std::function<void()>> notify;
  {
    std::lock_guard lock(mu_);
    resource_version_ = contents.resource_version;
    compacted_ = 0;
    for (auto& [kind, shelf] : shelves_) {
      shelf.objects.clear();
      // Also for those that have seen everything, the next event is one that is no longer there.
      shelf.first = shelf.end() + 1;
      shelf.history.clear();
      shelf.compacted = resource_version_;
      for (Watch* watch : shelf.watches) {
        if (watch->notify_ != nullptr) {
          notify.push_back(std::exchange(watch->notify_, nullptr));
        }
      }
    }
    for (const api::Object& object : contents.objects) {
      const api::meta::ObjectMeta& metadata = object.metadata();
      ShelfOf(object.kind())
          .objects.emplace(
              Key{metadata.namespace_, metadata.name}.ToString(),
              std::make_shared<const Version>(
                  object, std::strtoull(metadata.resource_version.c_str(), nullptr, 10),
                  &options_.encoder));
    }
  }
  for (auto& call : notify) {
    call();
  }
}

void Store::Compact() {
  std::lock_guard lock(mu_);
  compacted_ = resource_version_;
  for (auto& [kind, shelf] : shelves_) {
    shelf.first = shelf.end();
    shelf.history.clear();
  }
}

}  // namespace assay::controlplane::store
