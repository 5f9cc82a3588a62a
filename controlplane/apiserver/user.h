// User: who makes a request, as authentication found out.
//
// Thread-safe: a value.
#ifndef ASSAY_CONTROLPLANE_APISERVER_USER_H_
#define ASSAY_CONTROLPLANE_APISERVER_USER_H_

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace assay::controlplane::apiserver {

struct User {
  std::string name;  // "system:serviceaccount:default:driver", "system:node:node-1"
  std::string uid;
  std::vector<std::string> groups;  // "system:masters" may do everything.
  // "authentication.kubernetes.io/node-name" of a service account's token, and the like.
  std::map<std::string, std::vector<std::string>> extra;

  bool InGroup(std::string_view group) const {
    return std::find(groups.begin(), groups.end(), group) != groups.end();
  }

  // What Assay's own controllers act as: may do everything.
  static User Controller(std::string name) {
    return {.name = std::move(name), .groups = {"system:masters", "system:authenticated"}};
  }
  // What a driver's node plugin acts as.
  static User ServiceAccount(const std::string& namespace_, const std::string& name,
                             const std::string& node_name = "") {
    User user{.name = "system:serviceaccount:" + namespace_ + ":" + name,
              .groups = {"system:serviceaccounts", "system:serviceaccounts:" + namespace_,
                         "system:authenticated"}};
    if (!node_name.empty()) {
      user.extra["authentication.kubernetes.io/node-name"] = {node_name};
    }
    return user;
  }
  // What a kubelet acts as.
  static User Node(const std::string& node_name) {
    return {.name = "system:node:" + node_name, .groups = {"system:nodes", "system:authenticated"}};
  }
};

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_USER_H_
