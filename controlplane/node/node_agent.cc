#include "controlplane/node/node_agent.h"

#include <chrono>
#include <map>
#include <set>
#include <utility>

#include "api/client/event_recorder.h"
#include "api/client/informer.h"
#include "api/client/task.h"
#include "api/core/types.h"
#include "base/random.h"
#include "controlplane/node/container_runtime.h"
#include "controlplane/node/dra_manager.h"
#include "controlplane/node/driver_registry.h"
#include "controlplane/node/grpc_driver.h"
#include "controlplane/node/node_status.h"
#include "controlplane/node/plugin_watcher.h"
#include "controlplane/node/pod_resources_server.h"
#include "controlplane/node/pod_worker.h"

namespace assay::controlplane::node {
namespace {

using api::client::Task;
using api::core::Pod;

// How often claims of pods that are gone are looked for.
constexpr Duration kReconcilePeriod = std::chrono::seconds(60);
constexpr char kStateInContainer[] = "/run/assay/fakegpu/state";

ContainerRuntime::Options RuntimeOptions(const NodeAgentOptions& options) {
  ContainerRuntime::Options result{.cdi_directories = options.cdi_directories,
                                   .mounts = options.container_mounts,
                                   .record_directory = options.record_directory,
                                   .runc = options.runc};
  if (!options.fakegpu_state.empty()) {
    result.mounts.push_back({.destination = kStateInContainer,
                             .type = "bind",
                             .source = options.fakegpu_state.string(),
                             .options = {"ro", "bind"}});
  }
  return result;
}

DriverRegistry::Options RegistryOptions(const NodeAgentOptions& options) {
  return {.node_name = options.node_name,
          .wipe_at_start = options.wipe_slices_at_start,
          .health_version = options.health_version,
          .seed = options.seed};
}

// What schedulers must know that a node can do.
std::vector<std::string> DeclaredFeatures(const api::Compatibility& compatibility) {
  const std::string skipping = "DRAOptionalNodeOperations";
  return compatibility.Enabled(skipping) ? std::vector{skipping} : std::vector<std::string>();
}

}  // namespace

struct NodeAgent::Impl {
  Impl(api::client::Client& c, DriverDialer* d, NodeAgentOptions o)
      : options(std::move(o)),
        client(&c),
        loop(&c.loop()),
        grpc_dialer(*loop),
        random(options.seed != 0 ? Random(options.seed) : Random::FromSystem()),
        events(c, "kubelet", options.node_name),
        runtime(loop->clock(), RuntimeOptions(options)),
        drivers(c, d != nullptr ? *d : grpc_dialer, RegistryOptions(options),
                {.on_health = [this](const auto& driver,
                                     const auto& devices) { OnHealth(driver, devices); },
                 .on_health_end = [this](const auto& driver) { dra.ClearHealth(driver); },
                 .on_registration = options.on_registration}),
        dra(c, drivers,
            {.state_dir = options.kubelet_root,
             .compatibility = options.compatibility,
             .seed = options.seed}),
        node_status(c, options.node_name, DeclaredFeatures(options.compatibility)),
        pods(c, {.namespace_ = "",
                 .label_selector = "",
                 .field_selector = "spec.nodeName=" + options.node_name}) {}

  void OnPod(const PodWorker::PodRef& pod);
  void OnPodGone(const std::string& uid);
  void EndWorker(const std::string& uid);
  void OnHealth(const std::string& driver, const std::vector<DeviceHealth>& devices);
  Task<Status> Reconcile();

  NodeAgentOptions options;
  api::client::Client* client;
  EventLoop* loop;
  GrpcDriverDialer grpc_dialer;
  Random random;
  api::client::EventRecorder events;
  ContainerRuntime runtime;
  DriverRegistry drivers;
  DraManager dra;
  NodeStatus node_status;
  std::unique_ptr<PluginWatcher> watcher;
  std::unique_ptr<PodResourcesServer> pod_resources;
  std::map<std::string, std::unique_ptr<PodWorker>> workers;  // By pod UID.
  // Of pods that ended and stay: they are not begun again.
  std::set<std::string> ended;
  api::client::Informer<Pod> pods;
  api::client::TaskScope tasks;  // Last: ends first.
  // Posted calls look here first: they may come after this is gone.
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

void NodeAgent::Impl::OnPod(const PodWorker::PodRef& pod) {
  const std::string uid = pod->metadata.uid;
  if (const auto worker = workers.find(uid); worker != workers.end()) {
    worker->second->Update(pod);
    return;
  }
  if (ended.contains(uid)) {
    return;
  }
  const PodWorkerEnvironment environment{
      .client = client, .events = &events, .dra = &dra, .runtime = &runtime, .random = &random};
  workers[uid] = std::make_unique<PodWorker>(environment, pod,
                                             [this, uid, alive = std::weak_ptr<bool>(alive)] {
                                               if (!alive.expired()) {
                                                 EndWorker(uid);
                                               }
                                             });
}

void NodeAgent::Impl::EndWorker(const std::string& uid) {
  workers.erase(uid);
  ended.insert(uid);
}

void NodeAgent::Impl::OnPodGone(const std::string& uid) {
  ended.erase(uid);
  if (const auto worker = workers.find(uid); worker != workers.end()) {
    worker->second->Remove();
  }
}

void NodeAgent::Impl::OnHealth(const std::string& driver,
                               const std::vector<DeviceHealth>& devices) {
  for (const std::string& uid : dra.UpdateHealth(driver, devices)) {
    if (const auto worker = workers.find(uid); worker != workers.end()) {
      worker->second->Wake();
    }
  }
}

// Unprepares what pods use that are not on the node any more, such as after a restart.
Task<Status> NodeAgent::Impl::Reconcile() {
  for (;;) {
    co_await api::client::Delay(*loop, kReconcilePeriod);
    struct PodClaims {
      std::string namespace_;
      std::vector<std::string> claims;
    };
    std::map<std::string, PodClaims> inactive;
    for (const auto& [key, claim] : dra.cache().claims()) {
      for (const std::string& uid : claim.pod_uids) {
        // A worker that is still unprepared does it itself.
        if (!workers.contains(uid)) {
          inactive[uid].namespace_ = claim.namespace_;
          inactive[uid].claims.push_back(claim.name);
        }
      }
    }
    for (const auto& [uid, pod] : inactive) {
      // What fails is tried again the next time.
      (void)co_await dra.UnprepareClaims(uid, pod.namespace_, pod.claims);
    }
  }
}

NodeAgent::NodeAgent(api::client::Client& client, NodeAgentOptions options)
    : impl_(std::make_unique<Impl>(client, nullptr, std::move(options))) {}

NodeAgent::NodeAgent(api::client::Client& client, DriverDialer& dialer, NodeAgentOptions options)
    : impl_(std::make_unique<Impl>(client, &dialer, std::move(options))) {}

NodeAgent::~NodeAgent() {
  impl_->alive.reset();
  impl_->workers.clear();
}

Status NodeAgent::Start() {
  Impl& agent = *impl_;
  std::error_code error;
  std::filesystem::create_directories(agent.options.kubelet_root, error);
  ASSAY_RETURN_IF_ERROR(agent.dra.Load());
  if (agent.options.manage_node) {
    agent.node_status.Start();
  }
  agent.drivers.Start();
  if (agent.options.watch_plugins) {
    const std::filesystem::path directory = agent.options.registry_directory.empty()
                                                ? agent.options.kubelet_root / "plugins_registry"
                                                : agent.options.registry_directory;
    agent.watcher = std::make_unique<PluginWatcher>(
        *agent.loop, directory,
        PluginWatcher::Handlers{
            .on_add = [&agent](const std::string& path) { agent.drivers.AddSocket(path); },
            .on_remove = [&agent](const std::string& path) { agent.drivers.RemoveSocket(path); }});
    ASSAY_RETURN_IF_ERROR(agent.watcher->Start());
  }
  if (!agent.options.pod_resources_socket.empty()) {
    agent.pod_resources = std::make_unique<PodResourcesServer>(
        *agent.loop, agent.options.pod_resources_socket,
        [&agent] {
          std::vector<PodResourcesServer::PodRef> pods;
          for (const auto& [uid, worker] : agent.workers) {
            if (worker->active()) {
              pods.push_back(std::make_shared<const Pod>(worker->pod()));
            }
          }
          return pods;
        },
        agent.dra);
    ASSAY_RETURN_IF_ERROR(agent.pod_resources->Start());
  }
  agent.pods.AddHandlers(
      {.on_add = [&agent](const auto& pod) { agent.OnPod(pod); },
       .on_update =
           [&agent](const auto& before, const auto& now) {
             // The same name, but another pod.
             if (before->metadata.uid != now->metadata.uid) {
               agent.OnPodGone(before->metadata.uid);
             }
             agent.OnPod(now);
           },
       .on_delete = [&agent](const auto& pod) { agent.OnPodGone(pod->metadata.uid); }});
  agent.pods.Start();
  agent.tasks.Spawn(agent.Reconcile());
  return OkStatus();
}

DriverRegistry& NodeAgent::drivers() { return impl_->drivers; }
DraManager& NodeAgent::dra() { return impl_->dra; }

std::optional<cdi::OciSpec> NodeAgent::ContainerSpec(const std::string& pod_uid,
                                                     const std::string& container) const {
  const auto* running = impl_->runtime.Find(pod_uid, container);
  return running == nullptr ? std::nullopt : std::optional(running->spec);
}

}  // namespace assay::controlplane::node
