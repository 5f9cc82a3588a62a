// The DriverDialer over gRPC and unix sockets.
//
// Thread rule: as DriverConnection; gRPC's own threads only post to the loop.
#ifndef ASSAY_CONTROLPLANE_NODE_GRPC_DRIVER_H_
#define ASSAY_CONTROLPLANE_NODE_GRPC_DRIVER_H_

#include <memory>
#include <string>

#include "base/event_loop.h"
#include "controlplane/node/driver_connection.h"

namespace assay::controlplane::node {

class GrpcDriverDialer : public DriverDialer {
 public:
  // `loop` outlives the dialer and its connections. Deadlines are in real time.
  explicit GrpcDriverDialer(EventLoop& loop) : loop_(&loop) {}
  std::unique_ptr<DriverConnection> Dial(const std::string& socket_path) override;

 private:
  EventLoop* loop_;
};

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_GRPC_DRIVER_H_
