// PodWorker: one pod's life on the node, as a kubelet's pod worker lives it: claims prepared, then
// containers started, then the end: containers stopped, claims unprepared, status written, and the
// object deleted if it was to be.
//
// Source: Kubernetes 1.36, kubelet.go: SyncPod, SyncTerminatingPod, SyncTerminatedPod.
//
// Not thread-safe: lives on its loop.
#ifndef ASSAY_CONTROLPLANE_NODE_POD_WORKER_H_
#define ASSAY_CONTROLPLANE_NODE_POD_WORKER_H_

#include <functional>
#include <memory>
#include <string>

#include "api/client/async_client.h"
#include "api/client/event_recorder.h"
#include "api/client/task.h"
#include "api/core/types.h"
#include "base/random.h"
#include "controlplane/node/container_runtime.h"
#include "controlplane/node/dra_manager.h"
#include "controlplane/node/pod_status.h"

namespace assay::controlplane::node {

// What the workers of a node share. All outlive them.
struct PodWorkerEnvironment {
  api::client::Client* client;
  api::client::EventRecorder* events;
  DraManager* dra;
  ContainerRuntime* runtime;
  Random* random;
};

class PodWorker {
 public:
  using PodRef = std::shared_ptr<const api::core::Pod>;

  // `on_end` is called once the pod needs nothing of this node any more; not inside of a call.
  PodWorker(PodWorkerEnvironment environment, PodRef pod, std::function<void()> on_end);
  ~PodWorker();
  PodWorker(const PodWorker&) = delete;
  PodWorker& operator=(const PodWorker&) = delete;

  // A newer state of the object.
  void Update(PodRef pod);
  // The object is gone from the API server.
  void Remove();
  // Something that the status shows has changed.
  void Wake();

  const api::core::Pod& pod() const { return *pod_; }
  // Not yet stopped for good: its claims are in use.
  bool active() const { return !ending_; }

 private:
  api::client::Task<Status> Run();
  api::client::Task<Status> RunUntilEnd();
  api::client::Task<Status> Terminate();
  Status StartContainers();
  // True when woken, false after `delay`.
  api::client::Await<bool> Wait(Duration delay);
  Duration WithJitter(Duration delay);
  bool ShouldEnd() const;
  void Fail(const std::string& reason, const std::string& message);
  api::client::Task<Status> WriteStatus();

  PodWorkerEnvironment environment_;
  api::client::AsyncClient client_;
  EventLoop* loop_;
  PodRef pod_;
  std::function<void()> on_end_;
  PodProgress progress_;
  bool removed_ = false;
  bool ending_ = false;
  bool pending_ = false;  // Woken while it worked.
  std::function<void(bool)> wake_;
  EventLoop::TimerId timer_ = EventLoop::kNoTimer;
  api::client::TaskScope task_;  // Last: ends first.
};

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_POD_WORKER_H_
