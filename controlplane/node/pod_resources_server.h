// PodResourcesServer: the kubelet's podresources v1 API on a unix socket, as far as dynamic
// resources go (Kubernetes 1.36, apis/podresources/server_v1.go; KEP-3695).
//
// Not thread-safe: lives on its loop; gRPC's threads ask the loop.
#ifndef ASSAY_CONTROLPLANE_NODE_POD_RESOURCES_SERVER_H_
#define ASSAY_CONTROLPLANE_NODE_POD_RESOURCES_SERVER_H_

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "api/core/types.h"
#include "base/event_loop.h"
#include "base/result.h"
#include "controlplane/node/dra_manager.h"

namespace assay::controlplane::node {

class PodResourcesServer {
 public:
  using PodRef = std::shared_ptr<const api::core::Pod>;

  // `active_pods` and `dra` are asked on the loop.
  PodResourcesServer(EventLoop& loop, std::filesystem::path socket,
                     std::function<std::vector<PodRef>()> active_pods, const DraManager& dra);
  ~PodResourcesServer();
  PodResourcesServer(const PodResourcesServer&) = delete;
  PodResourcesServer& operator=(const PodResourcesServer&) = delete;

  Status Start();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_POD_RESOURCES_SERVER_H_
