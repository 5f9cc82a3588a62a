// SocketServer: gRPC services on a unix socket that only its owner may open, and that comes back
// when somebody removes it.
//
// The socket is bound under a hidden name and then renamed: nobody sees it before it is served, and
// what gRPC removes at its end is not the socket of a successor.
//
// Not thread-safe; the services' calls run on gRPC's threads.
#ifndef ASSAY_DRIVER_REF_KUBELET_SOCKET_SERVER_H_
#define ASSAY_DRIVER_REF_KUBELET_SOCKET_SERVER_H_

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace assay::driver_ref::kubelet {

class SocketServer {
 public:
  // The services outlive this.
  SocketServer(std::filesystem::path path, std::vector<grpc::Service*> services);
  ~SocketServer();
  SocketServer(const SocketServer&) = delete;
  SocketServer& operator=(const SocketServer&) = delete;

  const std::filesystem::path& path() const { return path_; }

  // Serves; what is at the path is replaced. The directory must exist.
  Status Start();
  // Whether the path still leads here.
  bool IsReachable() const;
  // Removes the socket, lets calls under way end for up to `grace` and cancels them then.
  void Stop(Duration grace);

 private:
  std::filesystem::path path_;
  std::vector<grpc::Service*> services_;
  std::unique_ptr<grpc::Server> server_;
  ino_t inode_ = 0;
  dev_t device_ = 0;
};

// The longest path that a socket can have.
inline constexpr std::size_t kMaxSocketPath = 107;

}  // namespace assay::driver_ref::kubelet

#endif  // ASSAY_DRIVER_REF_KUBELET_SOCKET_SERVER_H_
