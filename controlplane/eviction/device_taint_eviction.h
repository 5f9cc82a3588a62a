// DeviceTaintEviction: Kubernetes' device taint eviction controller. It deletes pods that use a
// device with a NoExecute taint which their claims do not tolerate, or no longer do, and tells in
// the status of DeviceTaintRules how far it has come.
//
// Source: KEP-5055; pkg/controller/devicetainteviction.
//
// Not thread-safe: lives on the client's loop.
#ifndef ASSAY_CONTROLPLANE_EVICTION_DEVICE_TAINT_EVICTION_H_
#define ASSAY_CONTROLPLANE_EVICTION_DEVICE_TAINT_EVICTION_H_

#include <memory>

#include "api/client/client.h"
#include "api/compatibility.h"

namespace assay::controlplane::eviction {

class DeviceTaintEviction {
 public:
  // `client` outlives the controller.
  DeviceTaintEviction(api::client::Client& client, const api::Compatibility& compatibility);
  ~DeviceTaintEviction();

  // Starts its watches; work begins once they have synced. Does nothing where the feature gate
  // DRADeviceTaints is off.
  void Start();
  bool synced() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::controlplane::eviction

#endif  // ASSAY_CONTROLPLANE_EVICTION_DEVICE_TAINT_EVICTION_H_
