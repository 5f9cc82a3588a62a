// RequestInfo: what a request asks for, as Kubernetes' authorisation and audit see it.
//
// Thread-safe: values.
#ifndef ASSAY_CONTROLPLANE_APISERVER_REQUEST_INFO_H_
#define ASSAY_CONTROLPLANE_APISERVER_REQUEST_INFO_H_

#include <set>
#include <string>
#include <string_view>

namespace assay::controlplane::apiserver {

struct RequestInfo {
  bool is_resource = false;  // Else a path like /version or /api.
  // get, list, watch, create, update, patch, delete, deletecollection; for paths that are no
  // resources the HTTP method in lower case.
  std::string verb;
  std::string path;
  std::string group;  // "" is the core group.
  std::string version;
  std::string resource;     // "resourceslices"
  std::string subresource;  // "status"
  std::string namespace_;
  std::string name;
};

// Selects requests; an empty member accepts everything.
struct RequestMatch {
  std::string user;  // The whole user name.
  std::string user_agent_contains;
  std::set<std::string> verbs;
  std::set<std::string> resources;  // "resourceslices"; "resourceclaims/status" with subresource.
  std::string namespace_;
  std::string name;

  bool Matches(const RequestInfo& info, std::string_view user_name,
               std::string_view user_agent) const;
};

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_REQUEST_INFO_H_
