// ServedVersions: in which version of a kind to speak with a server.
//
// That is the hub version until the server says that it has no such path (404 without the details
// of an object). Discovery then tells which of the kind's other versions it serves, so that a
// server that knows the hub is asked nothing beforehand.
//
// Not thread-safe: lives on its loop.
#ifndef ASSAY_API_CLIENT_INTERNAL_SERVED_VERSIONS_H_
#define ASSAY_API_CLIENT_INTERNAL_SERVED_VERSIONS_H_

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "api/object.h"

namespace assay::api::client::internal {

class ServedVersions {
 public:
  // Asks the server for `path`; `done` gets the body, or nothing where it answers with an error.
  using Fetch = std::function<void(std::string path, std::function<void(std::string_view)> done)>;

  // `fetch` must not call `done` any more once the ServedVersions is gone.
  explicit ServedVersions(Fetch fetch) : fetch_(std::move(fetch)) {}

  const KindVersion& Of(const Kind& kind) const;

  // For a request in `refused` whose path the server does not know: looks for a version that it
  // serves. `done(true)`: Of(kind) now differs from `refused`, try again.
  void Rediscover(const Kind& kind, const KindVersion& refused, std::function<void(bool)> done);

 private:
  void TryNext(const Kind& kind, const KindVersion& refused, std::size_t index,
               std::function<void(bool)> done);

  Fetch fetch_;
  std::map<const Kind*, const KindVersion*> chosen_;  // Where it is not the hub.
};

// Whether an answer of 404 with this body is about the path, not about an object.
bool IsUnknownPath(int http_code, std::string_view body);

// "/api/v1", "/apis/resource.k8s.io/v1"
std::string GroupVersionPath(const Kind& kind, const KindVersion& version);

}  // namespace assay::api::client::internal

#endif  // ASSAY_API_CLIENT_INTERNAL_SERVED_VERSIONS_H_
