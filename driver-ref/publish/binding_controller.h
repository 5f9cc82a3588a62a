// BindingController: says in the status of claims how the binding of this node's devices goes
// (KEP-5007), for the scheduler, which lets no pod come before it is done: a GPU is bound when it
// is part of its NVLink fabric. It cannot be where its registration with the fabric failed, or the
// GPU is gone: then the scheduler takes another.
//
// It watches claims and is told of the hardware, and asks nobody. All that it knows is in the
// claims: a new process goes on where the last one ended. Once a device was ready for an
// allocation it stays so; what becomes of it later is said by taints and health.
//
// The driver needs to be allowed list and watch of resourceclaims, patch of resourceclaims/status
// and associated-node:patch of resourceclaims/driver.
//
// Not thread-safe: lives on the client's loop.
#ifndef ASSAY_DRIVER_REF_PUBLISH_BINDING_CONTROLLER_H_
#define ASSAY_DRIVER_REF_PUBLISH_BINDING_CONTROLLER_H_

#include <optional>
#include <string>

#include "api/client/async_client.h"
#include "api/client/informer.h"
#include "api/client/task.h"
#include "api/client/work_queue.h"
#include "api/resource/types.h"
#include "driver-ref/discovery/monitor.h"

namespace assay::driver_ref::publish {

class BindingController {
 public:
  struct Options {
    std::string driver_name;
    std::string pool_name;
  };

  // `client` outlives this.
  BindingController(api::client::Client& client, Options options);
  BindingController(const BindingController&) = delete;
  BindingController& operator=(const BindingController&) = delete;

  // From the first call on, claims are watched.
  void SetPicture(discovery::Picture picture);

 private:
  api::client::Task<Status> Reconcile(std::string key);

  api::client::AsyncClient client_;
  Options options_;
  std::optional<discovery::Picture> picture_;
  api::client::Informer<api::resource::ResourceClaim> claims_;
  api::client::WorkQueue queue_;  // Last: its work ends first.
};

}  // namespace assay::driver_ref::publish

#endif  // ASSAY_DRIVER_REF_PUBLISH_BINDING_CONTROLLER_H_
