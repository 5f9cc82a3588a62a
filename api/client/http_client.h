// HttpClient: the Client over HTTPS (or plain HTTP) and JSON, for any Kubernetes API server.
//
// Objects are written and read in their kind's hub version (the first of Kind::versions); where the
// server does not serve that, in the first of the others that its discovery lists. Patches, which
// cannot be converted, are kFailedPrecondition then if the two versions have other fields. Names
// that are no segments of a path ("..", "a/b") are refused with client-go's words. Watches stream
// over connections of their own. No call is repeated: that is the caller's choice.
//
// Not thread-safe: lives on its loop.
#ifndef ASSAY_API_CLIENT_HTTP_CLIENT_H_
#define ASSAY_API_CLIENT_HTTP_CLIENT_H_

#include <memory>
#include <string>

#include "api/client/client.h"
#include "api/client/config.h"
#include "base/clock.h"
#include "base/result.h"

namespace assay::api::client {

struct HttpClientOptions {
  // For one call, not for watches, which stay open.
  Duration timeout = std::chrono::seconds(30);
};

class HttpClient : public Client {
 public:
  // `loop` outlives the client. kInvalidArgument: a URL, certificate or key that cannot be read.
  static Result<std::unique_ptr<HttpClient>> Create(EventLoop& loop, const ClientConfig& config,
                                                    const HttpClientOptions& options = {});
  ~HttpClient() override;

  EventLoop& loop() override;
  void Get(const Kind& kind, ObjectKey key, Callback<Object> done) override;
  void List(const Kind& kind, ListOptions options, Callback<ObjectList> done) override;
  void Create(Object object, WriteOptions options, Callback<Object> done) override;
  void Update(Object object, WriteOptions options, Callback<Object> done) override;
  void Patch(const Kind& kind, ObjectKey key, std::string body, PatchOptions options,
             Callback<Object> done) override;
  void Delete(const Kind& kind, ObjectKey key, DeleteOptions options, DoneCallback done) override;
  void DeleteCollection(const Kind& kind, ListOptions which, DoneCallback done) override;
  std::unique_ptr<WatchHandle> Watch(const Kind& kind, WatchOptions options,
                                     std::function<void(WatchEvent)> on_event,
                                     DoneCallback on_end) override;

 private:
  class Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::api::client

#endif  // ASSAY_API_CLIENT_HTTP_CLIENT_H_
