// The status server: tells Prometheus and the kubelet's probes how the driver fares, on 127.0.0.1:
// /metrics, /healthz (restart the driver where it says no) and /readyz.
//
// Thread-safe; what is asked is asked on the server's threads.
#ifndef ASSAY_DRIVER_REF_STATUS_SERVER_H_
#define ASSAY_DRIVER_REF_STATUS_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/http/server.h"
#include "base/result.h"

namespace assay::driver_ref {

struct StatusSources {
  std::function<std::string()> metrics;
  // An error is what is in the way.
  std::function<Status()> healthy;
  std::function<Status()> ready;
};

// `port` 0: any free one.
Result<std::unique_ptr<http::Server>> ServeStatus(std::uint16_t port, StatusSources sources);

}  // namespace assay::driver_ref

#endif  // ASSAY_DRIVER_REF_STATUS_SERVER_H_
