// NodeStatus: keeps the Node object and its Lease alive, as a kubelet does: the Lease is renewed
// every 10 s, the Node's conditions are written every 5 min (kubelet_node_status.go, nodelease).
//
// Not thread-safe: lives on the client's loop.
#ifndef ASSAY_CONTROLPLANE_NODE_NODE_STATUS_H_
#define ASSAY_CONTROLPLANE_NODE_NODE_STATUS_H_

#include <string>
#include <vector>

#include "api/client/async_client.h"
#include "api/client/task.h"
#include "api/core/types.h"

namespace assay::controlplane::node {

class NodeStatus {
 public:
  // `client` outlives this. `declared_features` is status.declaredFeatures.
  NodeStatus(api::client::Client& client, std::string node_name,
             std::vector<std::string> declared_features);

  void Start();

 private:
  api::client::Task<Status> KeepNode();
  api::client::Task<Status> KeepLease();
  api::client::Task<Status> UpdateNode();
  api::client::Task<Status> RenewLease();

  api::client::AsyncClient client_;
  std::string node_name_;
  std::vector<std::string> declared_features_;
  std::string node_uid_;
  api::client::TaskScope tasks_;  // Last: ends first.
};

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_NODE_STATUS_H_
