// The gRPC services that the kubelet calls: registration, DRAPlugin (v1 and v1beta1) and
// DRAResourceHealth (v1 and v1alpha1), over the Preparer and the Monitor.
//
// Thread-safe.
#ifndef ASSAY_DRIVER_REF_KUBELET_SERVICES_H_
#define ASSAY_DRIVER_REF_KUBELET_SERVICES_H_

#include <memory>
#include <string>
#include <vector>

#include "driver-ref/discovery/monitor.h"
#include "driver-ref/metrics.h"
#include "driver-ref/prepare/preparer.h"

namespace grpc {
class Service;
}

namespace assay::driver_ref::kubelet {

class Services {
 public:
  struct Options {
    std::string driver_name;
    std::string pool_name;
    std::string endpoint;  // Of the DRAPlugin services.
  };

  // What is referred to outlives this. Before monitor.Start().
  Services(Options options, prepare::Preparer& preparer, discovery::Monitor& monitor,
           Metrics& metrics);
  ~Services();

  // For the registration socket, and for the endpoint.
  std::vector<grpc::Service*> registration() const;
  std::vector<grpc::Service*> plugin() const;

  // Health streams end, so that their server can.
  void EndStreams();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::driver_ref::kubelet

#endif  // ASSAY_DRIVER_REF_KUBELET_SERVICES_H_
