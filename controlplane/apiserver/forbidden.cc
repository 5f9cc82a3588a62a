#include "controlplane/apiserver/forbidden.h"

#include <string>

#include "api/meta/status.h"

namespace assay::controlplane::apiserver {

api::meta::Status Forbidden(const User& user, const RequestInfo& info) {
  std::string who = "User \"" + user.name + "\" cannot " + info.verb;
  if (!info.is_resource) {
    return api::meta::Forbidden({"", ""}, "", who + " path \"" + info.path + "\"");
  }
  std::string resource =
      info.subresource.empty() ? info.resource : info.resource + "/" + info.subresource;
  who += " resource \"" + resource + "\" in API group \"" + info.group + "\"";
  who += info.namespace_.empty() ? " at the cluster scope"
                                 : " in the namespace \"" + info.namespace_ + "\"";
  return api::meta::Forbidden({info.group, info.resource}, info.name, who);
}

}  // namespace assay::controlplane::apiserver
