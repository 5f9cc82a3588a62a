// Store: the cluster's objects, every version of them immutable and typed, with one resource
// version that counts all writes, and a history from which watches continue without gaps.
//
// What etcd and the watch cache are to kube-apiserver, without the encoding: an Object goes in and
// the same Object comes out, shared by readers and watchers. Its JSON and protobuf are made at most
// once per served version, when the first reader wants them.
//
//   ASSAY_ASSIGN_OR_RETURN(VersionPtr created, store.Create(std::move(draft)));
//   auto watch = store.Watch({.kind = &kind, .after = created->resource_version()});
//   watch->Arm([] { /* post to the reader's thread: watch->Next() has something */ });
//
// Thread-safe.
#ifndef ASSAY_CONTROLPLANE_STORE_STORE_H_
#define ASSAY_CONTROLPLANE_STORE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/codec/codec.h"
#include "api/object.h"
#include "base/result.h"
#include "controlplane/store/draft.h"

namespace assay::controlplane::store {

// Writes an object in one of its kind's versions: as JSON, or as protobuf without an envelope.
using Encoder =
    std::function<std::string(const api::Object&, const api::KindVersion&, api::codec::Format)>;

// One version of an object. Thread-safe: immutable but for the encodings that it keeps once made.
class Version {
 public:
  Version(api::Object object, std::uint64_t resource_version, const Encoder* encoder);

  const api::Object& object() const { return object_; }
  std::uint64_t resource_version() const { return resource_version_; }
  // The object in `version`, which must be one of its kind's: as JSON; as protobuf's bare bytes.
  const std::string& Json(const api::KindVersion& version) const {
    return Encode(version, api::codec::Format::kJson);
  }
  const std::string& Protobuf(const api::KindVersion& version) const {
    return Encode(version, api::codec::Format::kProtobuf);
  }

 private:
  struct Encoded {
    std::once_flag once;
    std::string text;
  };
  const std::string& Encode(const api::KindVersion& version, api::codec::Format format) const;

  const api::Object object_;
  const std::uint64_t resource_version_;
  const Encoder* encoder_;                      // The Store's options hold it.
  mutable std::unique_ptr<Encoded[]> encoded_;  // Two for each version of the kind.
};

// Shared by the store, its history and everybody who reads.
using VersionPtr = std::shared_ptr<const Version>;

struct Key {
  std::string namespace_;  // Empty for cluster-scoped kinds.
  std::string name;
  // "default/claim", or "/node-1": the order of keys is the order of lists, as in etcd.
  std::string ToString() const { return namespace_ + "/" + name; }
};

enum class EventType { kAdded, kModified, kDeleted };

struct Event {
  EventType type;
  // What is there now; kDeleted: what was there last, with the deletion's resource version.
  VersionPtr object;
  VersionPtr previous;  // What was there before; null for kAdded.
  std::uint64_t resource_version() const { return object->resource_version(); }
};

class Store;

// A reader's place in the history of one kind. Costs nothing while nobody reads.
// Not thread-safe, but for Arm's callback; must not outlive its Store.
class Watch {
 public:
  ~Watch();

  struct Batch {
    std::vector<Event> events;
    // All events up to here have been seen.
    std::uint64_t resource_version = 0;
  };
  // The next events, at most `limit`. kOutOfRange: some that were due have been compacted away.
  Result<Batch> Next(std::size_t limit);

  // Calls `notify` once, as soon as Next has something: at once if it has now, else on the thread
  // of the writer, which it must not block. It may still run while, or just after, the Watch is
  // destroyed. Arming again replaces what was armed.
  void Arm(std::function<void()> notify);

 private:
  friend class Store;
  Watch(Store& store, const api::Kind& kind, std::uint64_t next, std::uint64_t seen)
      : store_(&store), kind_(&kind), next_(next), seen_(seen) {}

  Store* const store_;
  const api::Kind* const kind_;
  std::uint64_t next_;  // The number of the next event of the kind. Guarded by the Store's mu_.
  std::uint64_t seen_;  // Guarded by the Store's mu_.
  std::function<void()> notify_;  // Guarded by the Store's mu_.
};

struct StoreOptions {
  Encoder encoder;
  // How many events of one kind are kept; older ones are compacted away.
  std::size_t history_limit = 20'000;
};

class Store {
 public:
  explicit Store(StoreOptions options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  const Encoder& encoder() const { return options_.encoder; }
  // Of the latest write of any kind.
  std::uint64_t resource_version() const;

  // Null if there is none.
  VersionPtr Get(const api::Kind& kind, const Key& key) const;

  struct ListOptions {
    std::string namespace_;           // Empty: all.
    std::string after;                // Only keys (Key::ToString) after this one.
    std::optional<std::uint64_t> at;  // As it was at this version; absent: now.
  };
  struct Snapshot {
    std::vector<VersionPtr> items;  // In the order of their keys.
    std::uint64_t resource_version = 0;
  };
  // kOutOfRange: `at` has been compacted away. kFailedPrecondition: `at` is in the future.
  Result<Snapshot> List(const api::Kind& kind, const ListOptions& options) const;

  // Each write sets metadata.resourceVersion and returns what was stored.
  // kAlreadyExists. The draft's name and namespace are its key.
  Result<VersionPtr> Create(Draft draft);
  // kNotFound, or kAborted if the stored version is not `expected`.
  Result<VersionPtr> Update(Draft draft, std::uint64_t expected);
  // As Update. Returns the last state, with the resource version of the deletion.
  Result<VersionPtr> Delete(const api::Kind& kind, const Key& key, std::uint64_t expected);

  struct WatchOptions {
    const api::Kind* kind = nullptr;       // Not null.
    std::optional<std::uint64_t> after{};  // Events after this version; absent: from now on.
  };
  // kOutOfRange: "too old resource version: 5 (17)".
  Result<std::unique_ptr<Watch>> StartWatch(const WatchOptions& options);

  // What is there, of all kinds, and the version of the latest write.
  struct Contents {
    std::vector<api::Object> objects;
    std::uint64_t resource_version = 1;
  };
  Contents All() const;
  // Has `contents` in the place of everything, as an etcd that was restored from a backup, or that
  // began anew: there is no history any more, and all watches end with kOutOfRange.
  void Replace(const Contents& contents);

  // Forgets all history up to now, as etcd's compaction does: lists and watches of older versions
  // fail from now on; watches that have seen everything go on.
  void Compact();

 private:
  friend class Watch;

  // What is kept of one kind. All guarded by mu_.
  struct Shelf {
    std::map<std::string, VersionPtr, std::less<>> objects;  // By Key::ToString.
    std::deque<Event> history;
    std::uint64_t first = 0;      // The number of history.front(); numbers count the kind's events.
    std::uint64_t compacted = 0;  // Versions before this one cannot be rebuilt any more.
    std::vector<Watch*> watches;

    std::uint64_t end() const { return first + history.size(); }
  };

  Shelf& ShelfOf(const api::Kind& kind) const;
  // kOutOfRange if what happened after `version` is no longer known.
  Status CheckCompaction(const Shelf& shelf, std::uint64_t version) const;
  VersionPtr Seal(Draft draft);
  // Records the event; returns the watchers to be told, once mu_ is free.
  std::vector<std::function<void()>> Record(Shelf& shelf, Event event);

  const StoreOptions options_;
  mutable std::mutex mu_;
  std::uint64_t resource_version_ = 1;  // Guarded by mu_.
  std::uint64_t compacted_ = 0;         // Of all kinds, by Compact(). Guarded by mu_.
  mutable std::unordered_map<const api::Kind*, Shelf> shelves_;  // Guarded by mu_.
};

}  // namespace assay::controlplane::store

#endif  // ASSAY_CONTROLPLANE_STORE_STORE_H_
