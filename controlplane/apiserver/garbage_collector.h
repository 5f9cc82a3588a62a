// GarbageCollector: deletes what has lost its owners, as kube-controller-manager's does:
// background, foreground (the finalizer "foregroundDeletion": owner last) and orphan (the finalizer
// "orphan": dependents lose the reference).
//
// Reaches the cluster only through a Client, like every controller. Source:
// pkg/controller/garbagecollector.
//
// Not thread-safe: lives on the client's loop.
#ifndef ASSAY_CONTROLPLANE_APISERVER_GARBAGE_COLLECTOR_H_
#define ASSAY_CONTROLPLANE_APISERVER_GARBAGE_COLLECTOR_H_

#include <memory>
#include <vector>

#include "api/client/client.h"
#include "api/object.h"

namespace assay::controlplane::apiserver {

class GarbageCollector {
 public:
  // Watches `kinds` (Events and Leases cost more than they own). `client` must outlive it.
  GarbageCollector(api::client::Client& client, std::vector<const api::Kind*> kinds);
  // All kinds that are served at `level`, but Events.
  static std::vector<const api::Kind*> DefaultKinds(api::Level level);
  ~GarbageCollector();

  void Start();

 private:
  struct Impl;
  // Shared with callbacks, which do nothing once the collector is gone.
  std::shared_ptr<Impl> impl_;
};

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_GARBAGE_COLLECTOR_H_
