// Client: the one way in which controllers, the scheduler, the node agent, drivers and suites reach
// a cluster. Two implementations: over HTTPS (api/client/http_client.h) and in process
// (controlplane/apiserver/in_process_client.h); a caller cannot tell them apart.
//
// Every call is asynchronous: its callback runs once, later, on the client's EventLoop, never
// inside the call. An error's code follows from the Kubernetes Status' reason (api/meta/status.h):
// NotFound -> kNotFound, AlreadyExists -> kAlreadyExists, Conflict -> kAborted, Invalid and
// BadRequest -> kInvalidArgument, Forbidden -> kPermissionDenied, Unauthorized -> kUnauthenticated,
// Expired and Gone -> kOutOfRange, TooManyRequests -> kResourceExhausted, ServiceUnavailable,
// ServerTimeout and connection trouble -> kUnavailable, Timeout -> kDeadlineExceeded.
//
// Call on the client's loop only. Callbacks still outstanding when a Client is destroyed do not
// run.
#ifndef ASSAY_API_CLIENT_CLIENT_H_
#define ASSAY_API_CLIENT_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/object.h"
#include "base/event_loop.h"
#include "base/result.h"

namespace assay::api::client {

struct ObjectKey {
  std::string namespace_;  // Empty for cluster-scoped kinds.
  std::string name;

  // "default/claim", or "node-1" without a namespace.
  std::string ToString() const { return namespace_.empty() ? name : namespace_ + "/" + name; }
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};

struct ListOptions {
  std::string namespace_;  // Empty: all namespaces.
  std::string label_selector;
  std::string field_selector;
  std::string resource_version;
  std::int64_t limit = 0;  // 0: all at once.
  std::string continue_;
};

struct ObjectList {
  std::vector<Object> items;
  std::string resource_version;
  std::string continue_;  // Not empty: more is to be had.
};

struct WriteOptions {
  std::string subresource;  // "", "status", "binding", "driver"
  std::string field_manager;
  bool dry_run = false;
};

enum class PatchType { kJson, kMerge, kStrategicMerge, kApply };

struct PatchOptions {
  PatchType type = PatchType::kMerge;
  std::string subresource;
  std::string field_manager;  // kApply needs one.
  bool force = false;         // kApply: take fields over from other managers.
};

struct DeleteOptions {
  std::optional<std::string> uid;               // Precondition.
  std::optional<std::string> resource_version;  // Precondition.
  std::optional<std::int64_t> grace_period_seconds;
  std::optional<std::string> propagation_policy;  // Orphan, Background, Foreground.
};

enum class WatchEventType { kAdded, kModified, kDeleted, kBookmark };

struct WatchEvent {
  WatchEventType type;
  Object object;  // A bookmark's object has only metadata.resourceVersion.
};

struct WatchOptions {
  std::string namespace_;
  std::string label_selector;
  std::string field_selector;
  std::string resource_version;  // Events after this version; empty: synthetic ADDED first.
  bool allow_bookmarks = true;
};

// Ends its watch when destroyed; no callback runs after that.
class WatchHandle {
 public:
  virtual ~WatchHandle() = default;
};

class Client {
 public:
  template <typename T>
  using Callback = std::function<void(Result<T>)>;
  using DoneCallback = std::function<void(Status)>;

  virtual ~Client() = default;

  virtual EventLoop& loop() = 0;

  virtual void Get(const Kind& kind, ObjectKey key, Callback<Object> done) = 0;
  virtual void List(const Kind& kind, ListOptions options, Callback<ObjectList> done) = 0;
  // With the subresource "binding", `object` is a Pod whose spec.nodeName says where to; it is
  // bound there, its metadata.uid, where set, is the precondition, and it comes back as it was
  // given.
  virtual void Create(Object object, WriteOptions options, Callback<Object> done) = 0;
  // metadata.resourceVersion of `object`, where set, is the precondition.
  virtual void Update(Object object, WriteOptions options, Callback<Object> done) = 0;
  // `body` is JSON (kApply: JSON too), in the kind's hub version.
  virtual void Patch(const Kind& kind, ObjectKey key, std::string body, PatchOptions options,
                     Callback<Object> done) = 0;
  virtual void Delete(const Kind& kind, ObjectKey key, DeleteOptions options,
                      DoneCallback done) = 0;
  virtual void DeleteCollection(const Kind& kind, ListOptions which, DoneCallback done) = 0;

  // `on_event` runs for each event; `on_end` once, when the server ends the watch or it breaks
  // (kOutOfRange: the version is too old, list again).
  virtual std::unique_ptr<WatchHandle> Watch(const Kind& kind, WatchOptions options,
                                             std::function<void(WatchEvent)> on_event,
                                             DoneCallback on_end) = 0;
};

}  // namespace assay::api::client

#endif  // ASSAY_API_CLIENT_CLIENT_H_
