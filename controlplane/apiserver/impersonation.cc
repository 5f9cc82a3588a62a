#include "controlplane/apiserver/impersonation.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/meta/status.h"
#include "api/validation/names.h"
#include "controlplane/apiserver/forbidden.h"
#include "controlplane/apiserver/request_info.h"

namespace assay::controlplane::apiserver {
namespace {

using api::validation::ToLower;

constexpr std::string_view kServiceAccounts = "system:serviceaccount:";
constexpr std::string_view kExtra = "impersonate-extra-";
constexpr char kAuthentication[] = "authentication.k8s.io";

// What the headers ask for.
struct Wanted {
  User user;
  bool somebody = false;  // A user is named.
  bool something = false;
  std::vector<RequestInfo> needed;  // What it takes to be all of that.
};

RequestInfo Impersonate(const std::string& group, const std::string& resource,
                        const std::string& name, const std::string& subresource = "") {
  return {.is_resource = true,
          .verb = "impersonate",
          .group = group,
          .resource = resource,
          .subresource = subresource,
          .name = name};
}

void WantUser(const std::string& name, Wanted& wanted) {
  wanted.somebody = true;
  wanted.user.name = name;
  const std::size_t colon = name.find(':', kServiceAccounts.size());
  if (!name.starts_with(kServiceAccounts) || colon == std::string::npos) {
    wanted.needed.push_back(Impersonate("", "users", name));
    return;
  }
  RequestInfo account = Impersonate("", "serviceaccounts", name.substr(colon + 1));
  account.namespace_ = name.substr(kServiceAccounts.size(), colon - kServiceAccounts.size());
  wanted.needed.push_back(std::move(account));
}

Wanted ReadHeaders(const http::Headers& headers) {
  Wanted wanted;
  for (const auto& [header, value] : headers) {
    const std::string name = ToLower(header);
    if (name == "impersonate-user" && !value.empty()) {
      WantUser(value, wanted);
    } else if (name == "impersonate-group") {
      wanted.something = true;
      wanted.user.groups.push_back(value);
      wanted.needed.push_back(Impersonate("", "groups", value));
    } else if (name == "impersonate-uid" && !value.empty()) {
      wanted.something = true;
      wanted.user.uid = value;
      wanted.needed.push_back(Impersonate(kAuthentication, "uids", value));
    } else if (name.starts_with(kExtra)) {
      wanted.something = true;
      const std::string key = http::PercentDecode(name.substr(kExtra.size()));
      wanted.user.extra[key].push_back(value);
      wanted.needed.push_back(Impersonate(kAuthentication, "userextras", value, key));
    }
  }
  return wanted;
}

// Everybody is in one of two groups.
void CompleteGroups(User& user) {
  const bool is_account = user.name.starts_with(kServiceAccounts);
  if (user.groups.empty() && is_account) {
    const std::size_t begin = kServiceAccounts.size();
    const std::string its_namespace = user.name.substr(begin, user.name.find(':', begin) - begin);
    user.groups = {"system:serviceaccounts", "system:serviceaccounts:" + its_namespace};
  }
  const bool anonymous = user.name == "system:anonymous";
  if (!user.InGroup("system:unauthenticated") &&
      (anonymous || !user.InGroup("system:authenticated"))) {
    user.groups.emplace_back(anonymous ? "system:unauthenticated" : "system:authenticated");
  }
}

}  // namespace

ApiResult<User> ActingUser(const User& user, const http::Headers& headers,
                           const Authorizer& authorizer) {
  Wanted wanted = ReadHeaders(headers);
  if (!wanted.somebody) {
    if (wanted.something) {
      return api::meta::BadRequest(
          "requested groups, a UID or extras without impersonating a user");
    }
    return user;
  }
  for (const RequestInfo& needed : wanted.needed) {
    if (!authorizer.Allows(user, needed)) {
      return Forbidden(user, needed);
    }
  }
  CompleteGroups(wanted.user);
  return std::move(wanted.user);
}

}  // namespace assay::controlplane::apiserver
