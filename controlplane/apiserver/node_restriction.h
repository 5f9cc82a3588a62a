// Node restriction: a kubelet may write only what belongs to its node, whichever rules grant it
// more.
//
// Source: plugin/pkg/admission/noderestriction. Thread-safe: pure functions.
#ifndef ASSAY_CONTROLPLANE_APISERVER_NODE_RESTRICTION_H_
#define ASSAY_CONTROLPLANE_APISERVER_NODE_RESTRICTION_H_

#include <string_view>

#include "api/object.h"
#include "controlplane/apiserver/api_result.h"
#include "controlplane/apiserver/user.h"

namespace assay::controlplane::apiserver {

// The Forbidden answer, if the user is a node and the write is not its own.
ApiError RestrictNodeCreate(const User& user, const api::Object& object);
ApiError RestrictNodeUpdate(const User& user, const api::Object& object, const api::Object& old,
                            std::string_view subresource);
ApiError RestrictNodeDelete(const User& user, const api::Object& object);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_NODE_RESTRICTION_H_
