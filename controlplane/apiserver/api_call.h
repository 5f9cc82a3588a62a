// ApiCall and Answer: one request on its way through the API server, and what it is answered with.
//
// Not thread-safe: one thread handles a call.
#ifndef ASSAY_CONTROLPLANE_APISERVER_API_CALL_H_
#define ASSAY_CONTROLPLANE_APISERVER_API_CALL_H_

#include <optional>
#include <string>
#include <utility>

#include "api/codec/codec.h"
#include "api/meta/types.h"
#include "base/http/message.h"
#include "base/http/server.h"
#include "controlplane/apiserver/negotiation.h"
#include "controlplane/apiserver/registry.h"
#include "controlplane/apiserver/route.h"
#include "controlplane/apiserver/user.h"

namespace assay::controlplane::apiserver {

struct ApiCall {
  http::Request request;
  Route route;
  User user;
  Output output;
  // Of a write; its warnings go out with the answer.
  RequestContext context;

  const http::Query& query() const { return request.query; }
  const api::Kind& kind() const { return *route.kind; }
  const api::KindVersion& version() const { return *route.version; }
  Key key() const { return {route.kind->namespaced ? route.info.namespace_ : "", route.info.name}; }
};

struct Answer {
  int code = 200;
  std::string body;
  std::string content_type = "application/json";
  http::Headers headers;
  // In place of a body, where it is set: encoded as the client wants it when it goes out.
  std::optional<api::meta::Status> status;
};

// The answer that carries a Kubernetes Status, with Retry-After where the details say so.
Answer StatusAnswer(const api::meta::Status& status);

// The answer that carries a message of no stored kind.
template <typename T>
Answer MessageAnswer(const ApiCall& call, int code, const T& message,
                     const api::json::TypeMeta& type) {
  const api::codec::Format format = call.output.format;
  return {.code = code,
          .body = api::codec::EncodeAs(message, type, format),
          .content_type = std::string(api::codec::MediaTypeOf(format))};
}

// With Cache-Control and the call's warnings.
http::Response ToResponse(const ApiCall& call, Answer answer);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_API_CALL_H_
