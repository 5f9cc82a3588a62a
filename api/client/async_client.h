// AsyncClient: a Client's calls as something to co_await (api/client/task.h).
//
//   AsyncClient cluster(client);
//   Result<Object> pod = co_await cluster.Get(KindOf<core::Pod>(), key);
//
// Build options and keys before the co_await expression, as named values: g++ 12 destroys some
// temporaries of aggregate types twice there.
//
// Not thread-safe: lives on the client's loop.
#ifndef ASSAY_API_CLIENT_ASYNC_CLIENT_H_
#define ASSAY_API_CLIENT_ASYNC_CLIENT_H_

#include <string>
#include <utility>

#include "api/client/client.h"
#include "api/client/task.h"

namespace assay::api::client {

class AsyncClient {
 public:
  // `client` outlives this.
  explicit AsyncClient(Client& client) : client_(&client) {}

  EventLoop& loop() { return client_->loop(); }
  Client& client() { return *client_; }

  Await<Result<Object>> Get(const Kind& kind, const ObjectKey& key) {
    return Await<Result<Object>>([&](auto done) { client_->Get(kind, key, std::move(done)); });
  }
  Await<Result<ObjectList>> List(const Kind& kind, const ListOptions& options) {
    return Await<Result<ObjectList>>(
        [&](auto done) { client_->List(kind, options, std::move(done)); });
  }
  Await<Result<Object>> Create(const Object& object, const WriteOptions& options) {
    return Await<Result<Object>>(
        [&](auto done) { client_->Create(object, options, std::move(done)); });
  }
  Await<Result<Object>> Create(const Object& object) { return Create(object, WriteOptions()); }
  Await<Result<Object>> Update(const Object& object) {
    return Await<Result<Object>>(
        [&](auto done) { client_->Update(object, WriteOptions(), std::move(done)); });
  }
  Await<Result<Object>> UpdateStatus(const Object& object) {
    return Await<Result<Object>>([&](auto done) {
      WriteOptions options;
      options.subresource = "status";
      client_->Update(object, std::move(options), std::move(done));
    });
  }
  Await<Result<Object>> Patch(const Kind& kind, const ObjectKey& key, const std::string& body,
                              const PatchOptions& options) {
    return Await<Result<Object>>(
        [&](auto done) { client_->Patch(kind, key, body, options, std::move(done)); });
  }
  // A strategic merge of `status`, JSON, into the status of that very object: kAborted if another
  // of its name is there by now.
  Await<Result<Object>> PatchStatus(const Kind& kind, const meta::ObjectMeta& object,
                                    const std::string& status);
  Await<Status> Delete(const Kind& kind, const ObjectKey& key, const DeleteOptions& options) {
    return Await<Status>([&](auto done) { client_->Delete(kind, key, options, std::move(done)); });
  }
  Await<Status> DeleteCollection(const Kind& kind, const ListOptions& which) {
    return Await<Status>(
        [&](auto done) { client_->DeleteCollection(kind, which, std::move(done)); });
  }

 private:
  Client* client_;
};

}  // namespace assay::api::client

#endif  // ASSAY_API_CLIENT_ASYNC_CLIENT_H_
