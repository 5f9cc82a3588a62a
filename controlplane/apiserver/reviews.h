// Reviews: the resources that are questions: who am I, may he do that. A body is created, its
// answer comes back, nothing is stored.
//
// Thread-safe: a function.
#ifndef ASSAY_CONTROLPLANE_APISERVER_REVIEWS_H_
#define ASSAY_CONTROLPLANE_APISERVER_REVIEWS_H_

#include <functional>
#include <optional>
#include <string>

#include "controlplane/apiserver/api_call.h"
#include "controlplane/apiserver/authorizer.h"
#include "controlplane/apiserver/user.h"

namespace assay::controlplane::apiserver {

// The answer to TokenReview, SelfSubjectReview, SubjectAccessReview, SelfSubjectAccessReview,
// LocalSubjectAccessReview and SelfSubjectRulesReview; nothing if the call is about something else.
// `authenticate` finds the user of a bearer token.
std::optional<Answer> AnswerReview(
    const ApiCall& call, const Authorizer& authorizer,
    const std::function<std::optional<User>(const std::string&)>& authenticate);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_REVIEWS_H_
