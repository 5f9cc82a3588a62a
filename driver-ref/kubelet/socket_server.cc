#include "driver-ref/kubelet/socket_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>

#include "base/random.h"
#include "driver-ref/mutants.h"

namespace assay::driver_ref::kubelet {

SocketServer::SocketServer(std::filesystem::path path, std::vector<grpc::Service*> services)
    : path_(std::move(path)), services_(std::move(services)) {}

SocketServer::~SocketServer() { Stop(std::chrono::seconds(1)); }

Status SocketServer::Start() {
  if (path_.native().size() > kMaxSocketPath) {
    return InvalidArgumentError("socket path " + path_.string() + " is longer than " +
                                std::to_string(kMaxSocketPath) + " bytes");
  }
  const std::filesystem::path hidden =
      path_.parent_path() / ("." + Random::FromSystem().NameSuffix(6));
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + hidden.string(), grpc::InsecureServerCredentials());
  for (grpc::Service* service : services_) {
    builder.RegisterService(service);
  }
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) {
    return UnavailableError("cannot listen on " + path_.string());
  }
  struct stat info = {};
  if (::chmod(hidden.c_str(), 0600) != 0 || ::stat(hidden.c_str(), &info) != 0 ||
      ::rename(hidden.c_str(), path_.c_str()) != 0) {
    const Status status = ErrnoError(errno, "placing the socket " + path_.string());
    ::unlink(hidden.c_str());
    return status;
  }
  inode_ = info.st_ino;
  device_ = info.st_dev;
  server_ = std::move(server);
  return OkStatus();
}

bool SocketServer::IsReachable() const {
  struct stat info = {};
  return server_ && ::stat(path_.c_str(), &info) == 0 && info.st_ino == inode_ &&
         info.st_dev == device_;
}

void SocketServer::Stop(Duration grace) {
  if (!server_) {
    return;
  }
  if (IsReachable() && !mutants::Is("keeps-sockets")) {
    ::unlink(path_.c_str());
  }
  server_->Shutdown(std::chrono::system_clock::now() +
                    std::chrono::duration_cast<std::chrono::system_clock::duration>(grace));
  server_.reset();
}

}  // namespace assay::driver_ref::kubelet
