// Impersonation: a request may say as whom it wants to be seen (kubectl --as, --as-group), if its
// user may "impersonate" all that it says.
//
// Source: apiserver, pkg/endpoints/filters/impersonation. Thread-safe: a function.
#ifndef ASSAY_CONTROLPLANE_APISERVER_IMPERSONATION_H_
#define ASSAY_CONTROLPLANE_APISERVER_IMPERSONATION_H_

#include "base/http/message.h"
#include "controlplane/apiserver/api_result.h"
#include "controlplane/apiserver/authorizer.h"
#include "controlplane/apiserver/user.h"

namespace assay::controlplane::apiserver {

// Whom the request of `user` counts as: himself, where the headers Impersonate-* are not there.
// Forbidden; BadRequest for groups and the like of nobody.
ApiResult<User> ActingUser(const User& user, const http::Headers& headers,
                           const Authorizer& authorizer);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_IMPERSONATION_H_
