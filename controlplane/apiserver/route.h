// Route: the path of a request, taken apart: a resource in one of its versions, or a fixed path.
//
// Source: apiserver, pkg/endpoints/request/requestinfo.go. Thread-safe: a pure function.
#ifndef ASSAY_CONTROLPLANE_APISERVER_ROUTE_H_
#define ASSAY_CONTROLPLANE_APISERVER_ROUTE_H_

#include <string_view>

#include "api/compatibility.h"
#include "api/object.h"
#include "base/http/message.h"
#include "controlplane/apiserver/request_info.h"

namespace assay::controlplane::apiserver {

struct Route {
  RequestInfo info;
  // The resource's kind and version; null if nothing of that name is stored (or at all): then
  // `info` alone tells what was asked for.
  const api::Kind* kind = nullptr;
  const api::KindVersion* version = nullptr;
};

Route ParseRoute(std::string_view method, std::string_view path, const http::Query& query,
                 api::Level level);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_ROUTE_H_
