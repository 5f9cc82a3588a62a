// BlockingClient: a Client for code that waits: tests, tools, a driver's worker threads.
//
//   BlockingClient cluster(client);                       // borrows; its loop runs elsewhere
//   ASSAY_ASSIGN_OR_RETURN(auto remote, BlockingClient::Connect(config));   // owns loop and client
//   ASSAY_ASSIGN_OR_RETURN(Pod pod, remote->Get<Pod>("default", "a"));
//   ASSAY_RETURN_IF_ERROR(remote->WaitFor<Pod>({"default", "a"}, IsRunning).status());
//
// The waits watch; they neither sleep nor poll. Each call takes at most `timeout` and then fails
// with kDeadlineExceeded.
//
// Thread-safe over a RealEventLoop; not to be called on the loop itself. Over a VirtualEventLoop a
// call runs the loop until it is done (and moves its time): for tests, on one thread.
#ifndef ASSAY_API_CLIENT_BLOCKING_CLIENT_H_
#define ASSAY_API_CLIENT_BLOCKING_CLIENT_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/client/client.h"
#include "api/client/config.h"
#include "base/clock.h"
#include "base/event_loop.h"

namespace assay::api::client {

class BlockingClient {
 public:
  static constexpr Duration kDefaultTimeout = std::chrono::seconds(30);

  // Borrows `client`, whose loop runs on another thread. Destroy this while the loop still runs or
  // after it has stopped for good.
  explicit BlockingClient(Client& client, Duration timeout = kDefaultTimeout);
  // Takes `client` over; it is destroyed on its loop.
  explicit BlockingClient(std::unique_ptr<Client> client, Duration timeout = kDefaultTimeout);
  // For tests: runs `loop`, which must be `client`'s.
  BlockingClient(Client& client, VirtualEventLoop& loop, Duration timeout = kDefaultTimeout);
  // An HttpClient on a loop and thread of its own.
  static Result<std::unique_ptr<BlockingClient>> Connect(const ClientConfig& config,
                                                         Duration timeout = kDefaultTimeout);
  BlockingClient(const BlockingClient&) = delete;
  BlockingClient& operator=(const BlockingClient&) = delete;
  ~BlockingClient();

  Client& client() { return *client_; }
  Duration timeout() const { return timeout_; }

  Result<Object> GetObject(const Kind& kind, const ObjectKey& key);
  // All pages.
  Result<ObjectList> ListObjects(const Kind& kind, const ListOptions& options = {});
  Result<Object> CreateObject(const Object& object, const WriteOptions& options = {});
  Result<Object> UpdateObject(const Object& object, const WriteOptions& options = {});
  Result<Object> PatchObject(const Kind& kind, const ObjectKey& key, const std::string& body,
                             const PatchOptions& options = {});
  Status DeleteObject(const Kind& kind, const ObjectKey& key, const DeleteOptions& options = {});
  Status DeleteCollection(const Kind& kind, const ListOptions& which = {});

  // The first state of the object, now or later, for which `holds`. While it does not exist,
  // `holds` is asked with an empty Object.
  Result<Object> WaitForObject(const Kind& kind, const ObjectKey& key,
                               const std::function<bool(const Object&)>& holds);
  // The first set of objects, now or later, for which `holds`.
  Result<std::vector<Object>> WaitForObjects(
      const Kind& kind, const ListOptions& which,
      const std::function<bool(const std::vector<Object>&)>& holds);

  template <typename T>
  Result<T> Get(const std::string& namespace_name, const std::string& name) {
    return Unwrap<T>(GetObject(KindOf<T>(), {namespace_name, name}));
  }
  template <typename T>
  Result<std::vector<T>> List(const ListOptions& options = {}) {
    ASSAY_ASSIGN_OR_RETURN(const ObjectList list, ListObjects(KindOf<T>(), options));
    return Unwrap<T>(list.items);
  }
  template <typename T>
  Result<T> Create(T value, const WriteOptions& options = {}) {
    return Unwrap<T>(CreateObject(Object::Of(std::move(value)), options));
  }
  template <typename T>
  Result<T> Update(T value, const WriteOptions& options = {}) {
    return Unwrap<T>(UpdateObject(Object::Of(std::move(value)), options));
  }
  template <typename T>
  Result<T> UpdateStatus(T value, WriteOptions options = {}) {
    options.subresource = "status";
    return Update(std::move(value), options);
  }
  template <typename T>
  Result<T> Patch(const ObjectKey& key, const std::string& body, const PatchOptions& options = {}) {
    return Unwrap<T>(PatchObject(KindOf<T>(), key, body, options));
  }
  template <typename T>
  Status Delete(const ObjectKey& key, const DeleteOptions& options = {}) {
    return DeleteObject(KindOf<T>(), key, options);
  }
  // Waits until the object exists and `holds`.
  template <typename T>
  Result<T> WaitFor(const ObjectKey& key, const std::function<bool(const T&)>& holds) {
    return Unwrap<T>(WaitForObject(
        KindOf<T>(), key, [&](const Object& object) { return object && holds(object.As<T>()); }));
  }
  template <typename T>
  Status WaitUntilGone(const ObjectKey& key) {
    return WaitForObject(KindOf<T>(), key, [](const Object& object) { return !object; }).status();
  }
  template <typename T>
  Result<std::vector<T>> WaitForList(const ListOptions& which,
                                     const std::function<bool(const std::vector<T>&)>& holds) {
    auto found = WaitForObjects(KindOf<T>(), which, [&](const std::vector<Object>& objects) {
      return holds(Unwrap<T>(objects));
    });
    if (!found.ok()) {
      return found.status();
    }
    return Unwrap<T>(*found);
  }

 private:
  template <typename T>
  static Result<T> Unwrap(Result<Object> object) {
    if (!object.ok()) {
      return object.status();
    }
    return object->template As<T>();
  }
  template <typename T>
  static std::vector<T> Unwrap(const std::vector<Object>& objects) {
    std::vector<T> values;
    values.reserve(objects.size());
    for (const Object& object : objects) {
      values.push_back(object.As<T>());
    }
    return values;
  }

  // Runs `start` on the loop and waits until it has called its callback, or `timeout_` has passed
  // (then `timed_out` makes the error, on the loop).
  template <typename T>
  Result<T> Call(const std::function<void(std::function<void(Result<T>)>)>& start);
  struct Wait;
  Result<std::vector<Object>> WaitInternal(
      const Kind& kind, const ListOptions& which,
      const std::function<bool(const std::vector<Object>&)>& holds, const std::string& what);

  std::unique_ptr<RealEventLoop> own_loop_;
  std::unique_ptr<Client> own_client_;
  Client* client_;
  VirtualEventLoop* virtual_loop_ = nullptr;
  Duration timeout_;
};

}  // namespace assay::api::client

#endif  // ASSAY_API_CLIENT_BLOCKING_CLIENT_H_
