// Metrics: what the driver counts, in the text format that Prometheus reads.
//
// Thread-safe.
#ifndef ASSAY_DRIVER_REF_METRICS_H_
#define ASSAY_DRIVER_REF_METRICS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "api/resource/types.h"
#include "base/clock.h"
#include "base/result.h"

namespace assay::driver_ref {

class Metrics {
 public:
  // A claim's part of NodePrepareResources or NodeUnprepareResources, which is `operation`.
  void CountClaim(const std::string& operation, const Status& status, Duration took);
  // The kubelet's last word about the registration.
  void SetRegistered(bool registered);
  // What is published.
  void SetDevices(const std::vector<api::resource::Device>& devices);

  bool registered() const;
  std::string Text() const;

 private:
  struct Calls {
    std::uint64_t count = 0;
    double seconds = 0;
  };

  mutable std::mutex mu_;
  // By operation and gRPC code's name. Guarded by mu_.
  std::map<std::pair<std::string, std::string>, Calls> claims_;
  bool registered_ = false;          // Guarded by mu_.
  std::size_t devices_ = 0;          // Guarded by mu_.
  std::size_t tainted_devices_ = 0;  // Guarded by mu_.
};

}  // namespace assay::driver_ref

#endif  // ASSAY_DRIVER_REF_METRICS_H_
