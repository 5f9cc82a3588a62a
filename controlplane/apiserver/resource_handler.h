// ResourceHandler: carries out the requests for resources, all but watches: reads the body, calls
// the Registry, writes the answer.
//
// Source: apiserver, pkg/endpoints/handlers. Thread-safe.
#ifndef ASSAY_CONTROLPLANE_APISERVER_RESOURCE_HANDLER_H_
#define ASSAY_CONTROLPLANE_APISERVER_RESOURCE_HANDLER_H_

#include <functional>
#include <string>

#include "controlplane/apiserver/api_call.h"
#include "controlplane/apiserver/object_writer.h"
#include "controlplane/apiserver/registry.h"
#include "controlplane/apiserver/user.h"
#include "controlplane/apiserver/watch_cursor.h"

namespace assay::controlplane::apiserver {

class ResourceHandler {
 public:
  // Makes a bearer token (serviceaccounts/token).
  using TokenIssuer = std::function<std::string(User user, Duration lifetime)>;

  // `registry` must outlive it.
  ResourceHandler(Registry& registry, TokenIssuer issue_token)
      : registry_(registry), issue_token_(std::move(issue_token)) {}

  // `call.route` has a kind, and its verb is not "watch".
  Answer Handle(ApiCall& call);

  struct WatchPlan {
    WatchQuery query;
    bool bookmarks = false;
    std::optional<std::int64_t> timeout_seconds;
  };
  // What a watch asks for.
  ApiResult<WatchPlan> PlanWatch(const ApiCall& call) const;
  WriteForm FormOf(const ApiCall& call) const;

 private:
  Answer Get(ApiCall& call);
  Answer List(ApiCall& call);
  Answer Create(ApiCall& call);
  Answer Update(ApiCall& call);
  Answer Patch(ApiCall& call);
  Answer Delete(ApiCall& call);
  Answer DeleteCollection(ApiCall& call);
  Answer Bind(ApiCall& call);
  Answer Evict(ApiCall& call);
  Answer RequestToken(ApiCall& call);

  ApiResult<api::Object> DecodeBody(ApiCall& call) const;
  ApiResult<ListQuery> ListQueryOf(const ApiCall& call) const;
  ApiResult<DeleteQuery> DeleteQueryOf(ApiCall& call) const;
  Answer ObjectAnswer(const ApiCall& call, int code, const VersionPtr& object) const;
  Answer ListAnswerOf(const ApiCall& call, const ListAnswer& list) const;

  Registry& registry_;
  const TokenIssuer issue_token_;
};

// Reads the parameters of a write (dryRun, fieldManager, fieldValidation) into `call.context`.
ApiError ReadWriteOptions(ApiCall& call);

// A body as JSON text or protobuf, decoded into `message_data`, a fresh value of `message`: wire
// messages such as DeleteOptions or Eviction.
ApiError DecodeWireMessage(const ApiCall& call, const api::MessageDescriptor& message,
                           void* message_data);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_RESOURCE_HANDLER_H_
