// PoolStatusController: Kubernetes' controller that answers ResourcePoolStatusRequests, each once,
// and deletes them an hour after that, or after a day without an answer.
//
// Source: pkg/controller/resourcepoolstatusrequest; KEP-5677. As upstream's in 1.36.3 it gives up
// on a request after five retries, among others where slices of a pool are missing, and takes it up
// again when it changes.
//
// Not thread-safe: lives on the client's loop.
#ifndef ASSAY_CONTROLPLANE_POOLSTATUS_POOL_STATUS_CONTROLLER_H_
#define ASSAY_CONTROLPLANE_POOLSTATUS_POOL_STATUS_CONTROLLER_H_

#include <memory>

#include "api/client/client.h"
#include "api/compatibility.h"

namespace assay::controlplane::poolstatus {

class PoolStatusController {
 public:
  // `client` outlives the controller.
  PoolStatusController(api::client::Client& client, const api::Compatibility& compatibility);
  ~PoolStatusController();

  // Starts its watches; work begins once they have synced. Does nothing where the feature gate
  // DRAResourcePoolStatus is off.
  void Start();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::controlplane::poolstatus

#endif  // ASSAY_CONTROLPLANE_POOLSTATUS_POOL_STATUS_CONTROLLER_H_
