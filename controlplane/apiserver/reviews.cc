#include "controlplane/apiserver/reviews.h"

#include "api/authentication/types.h"
#include "api/authorization/types.h"
#include "api/json/json.h"
#include "api/meta/status.h"
#include "controlplane/apiserver/resource_handler.h"

namespace assay::controlplane::apiserver {
namespace {

namespace authentication = api::authentication;
namespace authorization = api::authorization;

authentication::UserInfo InfoOf(const User& user) {
  authentication::UserInfo info{.username = user.name, .uid = user.uid, .groups = user.groups};
  for (const auto& [key, values] : user.extra) {
    info.extra[key].items = values;
  }
  return info;
}

// Decodes the body as T, lets `answer` fill in its status, and writes it.
template <typename T, typename Fill>
Answer Review(const ApiCall& call, const std::string& group, const std::string& kind, Fill&& fill) {
  T review;
  if (ApiError error = DecodeWireMessage(call, api::schema::DescriptorOf<T>(), &review)) {
    return StatusAnswer(*error);
  }
  fill(review);
  return MessageAnswer(call, 201, review, {.api_version = group + "/v1", .kind = kind});
}

template <typename Spec>
RequestInfo Asked(const Spec& spec) {
  RequestInfo info;
  if (spec.resource_attributes) {
    const authorization::ResourceAttributes& attributes = *spec.resource_attributes;
    info = {.is_resource = true,
            .verb = attributes.verb,
            .group = attributes.group,
            .version = attributes.version,
            .resource = attributes.resource,
            .subresource = attributes.subresource,
            .namespace_ = attributes.namespace_,
            .name = attributes.name};
  } else if (spec.non_resource_attributes) {
    info.verb = spec.non_resource_attributes->verb;
    info.path = spec.non_resource_attributes->path;
  }
  return info;
}

User Subject(const authorization::SubjectAccessReviewSpec& spec) {
  User user{.name = spec.user, .uid = spec.uid, .groups = spec.groups};
  for (const auto& [key, values] : spec.extra) {
    user.extra[key] = values.items;
  }
  return user;
}

}  // namespace

std::optional<Answer> AnswerReview(
    const ApiCall& call, const Authorizer& authorizer,
    const std::function<std::optional<User>(const std::string&)>& authenticate) {
  const RequestInfo& info = call.route.info;
  if (info.verb != "create" || info.version != "v1" || !info.subresource.empty()) {
    return std::nullopt;
  }
  if (info.group == "authentication.k8s.io" && info.resource == "tokenreviews") {
    return Review<authentication::TokenReview>(
        call, info.group, "TokenReview", [&](authentication::TokenReview& review) {
          std::optional<User> user = authenticate(review.spec.token);
          review.status.authenticated = user.has_value();
          if (user) {
            review.status.user = InfoOf(*user);
          }
        });
  }
  if (info.group == "authentication.k8s.io" && info.resource == "selfsubjectreviews") {
    return Review<authentication::SelfSubjectReview>(
        call, info.group, "SelfSubjectReview", [&](authentication::SelfSubjectReview& review) {
          review.status.user_info = InfoOf(call.user);
        });
  }
  if (info.group != "authorization.k8s.io") {
    return std::nullopt;
  }
  if (info.resource == "selfsubjectaccessreviews") {
    return Review<authorization::SelfSubjectAccessReview>(
        call, info.group, "SelfSubjectAccessReview",
        [&](authorization::SelfSubjectAccessReview& review) {
          review.status.allowed = authorizer.Allows(call.user, Asked(review.spec));
        });
  }
  if (info.resource == "subjectaccessreviews") {
    return Review<authorization::SubjectAccessReview>(
        call, info.group, "SubjectAccessReview", [&](authorization::SubjectAccessReview& review) {
          review.status.allowed = authorizer.Allows(Subject(review.spec), Asked(review.spec));
        });
  }
  if (info.resource == "localsubjectaccessreviews") {
    return Review<authorization::LocalSubjectAccessReview>(
        call, info.group, "LocalSubjectAccessReview",
        [&](authorization::LocalSubjectAccessReview& review) {
          review.status.allowed = authorizer.Allows(Subject(review.spec), Asked(review.spec));
        });
  }
  if (info.resource == "selfsubjectrulesreviews") {
    return Review<authorization::SelfSubjectRulesReview>(
        call, info.group, "SelfSubjectRulesReview",
        [&](authorization::SelfSubjectRulesReview& review) {
          for (const PolicyRule& rule : authorizer.RulesFor(call.user, review.spec.namespace_)) {
            if (!rule.resources.empty()) {
              review.status.resource_rules.push_back({.verbs = rule.verbs,
                                                      .api_groups = rule.api_groups,
                                                      .resources = rule.resources,
                                                      .resource_names = rule.resource_names});
            }
            if (!rule.non_resource_urls.empty()) {
              review.status.non_resource_rules.push_back(
                  {.verbs = rule.verbs, .non_resource_urls = rule.non_resource_urls});
            }
          }
        });
  }
  return std::nullopt;
}

}  // namespace assay::controlplane::apiserver
