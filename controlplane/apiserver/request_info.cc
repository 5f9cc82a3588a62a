#include "controlplane/apiserver/request_info.h"

namespace assay::controlplane::apiserver {

bool RequestMatch::Matches(const RequestInfo& info, std::string_view user_name,
                           std::string_view user_agent) const {
  if ((!user.empty() && user != user_name) ||
      (!namespace_.empty() && namespace_ != info.namespace_) ||
      (!name.empty() && name != info.name) || (!verbs.empty() && !verbs.contains(info.verb))) {
    return false;
  }
  if (!user_agent_contains.empty() &&
      user_agent.find(user_agent_contains) == std::string_view::npos) {
    return false;
  }
  if (resources.empty()) {
    return true;
  }
  return resources.contains(info.subresource.empty() ? info.resource
                                                     : info.resource + "/" + info.subresource);
}

}  // namespace assay::controlplane::apiserver
