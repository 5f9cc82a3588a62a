// RoleAggregation: the controller of aggregated ClusterRoles: each gets the rules of all
// ClusterRoles that its selectors choose.
//
// Source: pkg/controller/clusterroleaggregation. Not thread-safe: lives on the client's loop.
#ifndef ASSAY_CONTROLPLANE_APISERVER_ROLE_AGGREGATION_H_
#define ASSAY_CONTROLPLANE_APISERVER_ROLE_AGGREGATION_H_

#include <memory>

#include "api/client/client.h"
#include "api/client/informer.h"
#include "api/rbac/types.h"
#include "base/event_loop.h"

namespace assay::controlplane::apiserver {

class RoleAggregation {
 public:
  // `client` must outlive it.
  explicit RoleAggregation(api::client::Client& client);
  ~RoleAggregation();

  void Start();

 private:
  void SyncAll();
  void Sync(const api::rbac::ClusterRole& role);

  api::client::Client* client_;
  api::client::Informer<api::rbac::ClusterRole> roles_;
  EventLoop::TimerId retry_ = EventLoop::kNoTimer;
  // Callbacks under way look here first: they may come after this is gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_ROLE_AGGREGATION_H_
