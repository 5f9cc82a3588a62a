// The answer to a request that the authoriser refuses.
//
// Source: apiserver, pkg/endpoints/handlers/responsewriters/errors.go. Thread-safe: a function.
#ifndef ASSAY_CONTROLPLANE_APISERVER_FORBIDDEN_H_
#define ASSAY_CONTROLPLANE_APISERVER_FORBIDDEN_H_

#include "api/meta/types.h"
#include "controlplane/apiserver/request_info.h"
#include "controlplane/apiserver/user.h"

namespace assay::controlplane::apiserver {

api::meta::Status Forbidden(const User& user, const RequestInfo& info);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_FORBIDDEN_H_
