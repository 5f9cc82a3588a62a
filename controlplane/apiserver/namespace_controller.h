// NamespaceController: empties a namespace that is being deleted, then takes the finalizer
// "kubernetes" from its spec, upon which it is gone.
//
// Source: pkg/controller/namespace. Not thread-safe: lives on the client's loop.
#ifndef ASSAY_CONTROLPLANE_APISERVER_NAMESPACE_CONTROLLER_H_
#define ASSAY_CONTROLPLANE_APISERVER_NAMESPACE_CONTROLLER_H_

#include <memory>

#include "api/client/client.h"
#include "api/compatibility.h"

namespace assay::controlplane::apiserver {

class NamespaceController {
 public:
  // `client` must outlive it.
  NamespaceController(api::client::Client& client, api::Level level);
  ~NamespaceController();

  void Start();

 private:
  struct Impl;
  // Shared with callbacks, which do nothing once the controller is gone.
  std::shared_ptr<Impl> impl_;
};

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_NAMESPACE_CONTROLLER_H_
