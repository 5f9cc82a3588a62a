#include "controlplane/cluster.h"

#include <future>
#include <utility>

#include "api/validation/cel_selector.h"
#include "base/file.h"
#include "controlplane/apiserver/bootstrap_policy.h"
#include "controlplane/apiserver/garbage_collector.h"
#include "controlplane/apiserver/in_process_client.h"
#include "controlplane/apiserver/namespace_controller.h"
#include "controlplane/apiserver/registry.h"
#include "controlplane/apiserver/role_aggregation.h"
#include "controlplane/apiserver/skewed_clock.h"
#include "controlplane/apiserver/snapshot.h"
#include "controlplane/claims/claim_controller.h"
#include "controlplane/eviction/device_taint_eviction.h"
#include "controlplane/poolstatus/pool_status_controller.h"
#include "controlplane/scheduler/scheduler.h"

namespace assay::controlplane {
namespace {

using api::client::BlockingClient;
using api::client::Client;
using api::client::ClientConfig;
using apiserver::User;

constexpr char kKubeletVersion[] = "v1.36.3";

// Kubeconfigs hold tokens: for their owner alone.
Status WriteSecret(const std::filesystem::path& path, const std::string& text) {
  return WriteFileAtomically(path, text, {.mode = 0600});
}

api::core::NodeCondition MakeCondition(const char* type, const char* status, const char* reason,
                                       const char* message, api::meta::Time now) {
  api::core::NodeCondition condition;
  condition.type = type;
  condition.status = status;
  condition.reason = reason;
  condition.message = message;
  condition.last_heartbeat_time = now;
  condition.last_transition_time = now;
  return condition;
}

Result<api::core::Node> MakeNode(const NodeOptions& options, api::meta::Time now) {
  api::core::Node node;
  node.metadata.name = options.name;
  node.metadata.labels = options.labels;
  node.metadata.labels.emplace("kubernetes.io/hostname", options.name);
  node.metadata.labels.emplace("kubernetes.io/os", "linux");
  node.metadata.labels.emplace("kubernetes.io/arch", "amd64");
  for (const auto& [resource, amount] :
       {std::pair{"cpu", &options.cpu}, std::pair{"memory", &options.memory},
        std::pair{"pods", &options.pods}}) {
    Result<api::meta::Quantity> quantity = api::meta::Quantity::Parse(*amount);
    if (!quantity.ok()) {
      return quantity.status().WithContext("node " + options.name + ": " + resource);
    }
    node.status.capacity[resource] = *quantity;
    node.status.allocatable[resource] = *quantity;
  }
  node.status.conditions = {
      MakeCondition("MemoryPressure", "False", "KubeletHasSufficientMemory",
                    "kubelet has sufficient memory available", now),
      MakeCondition("DiskPressure", "False", "KubeletHasNoDiskPressure",
                    "kubelet has no disk pressure", now),
      MakeCondition("PIDPressure", "False", "KubeletHasSufficientPID",
                    "kubelet has sufficient PID available", now),
      MakeCondition("Ready", "True", "KubeletReady", "kubelet is posting ready status", now)};
  node.status.addresses.resize(2);
  node.status.addresses[0].type = "InternalIP";
  node.status.addresses[0].address = "127.0.0.1";
  node.status.addresses[1].type = "Hostname";
  node.status.addresses[1].address = options.name;
  node.status.node_info.kubelet_version = kKubeletVersion;
  node.status.node_info.operating_system = "linux";
  node.status.node_info.architecture = "amd64";
  return node;
}

}  // namespace

// Members end in the reverse order: first what lives on the loop (in ~Cluster), then the loop, the
// server, and the registry that both use.
struct Cluster::Impl {
  explicit Impl(const ClusterOptions& cluster_options)
      : options(cluster_options),
        registry({.compatibility = options.compatibility,
                  .clock = &clock,
                  .seed = options.seed,
                  .webhooks = true,
                  .selector_checker = api::validation::CelSelectorChecker(options.compatibility)}) {
  }

  std::unique_ptr<Client> NewClient(const User& user) {
    return apiserver::MakeInProcessClient(registry, loop, user);
  }
  // Who may do everything, and who may do what the bootstrap policy says.
  Client& ControllerClient(const std::string& name) { return ClientOf(User::Controller(name)); }
  Client& ServiceAccountClient(const std::string& name) {
    return ClientOf(User::ServiceAccount("kube-system", name));
  }
  Client& ClientOf(const User& user) {
    clients.push_back(NewClient(user));
    return *clients.back();
  }
  void StartControllers();
  void StopControllers();

  ClusterOptions options;
  apiserver::SkewedClock clock;
  apiserver::Registry registry;
  std::unique_ptr<apiserver::Server> server;
  std::string url;
  std::filesystem::path kubeconfig;
  RealEventLoop loop;

  // Live on the loop.
  std::vector<std::unique_ptr<Client>> clients;
  std::unique_ptr<apiserver::GarbageCollector> garbage_collector;
  std::unique_ptr<apiserver::NamespaceController> namespace_controller;
  std::unique_ptr<apiserver::RoleAggregation> role_aggregation;
  std::unique_ptr<claims::ClaimController> claim_controller;
  std::unique_ptr<scheduler::Scheduler> scheduler;
  std::unique_ptr<eviction::DeviceTaintEviction> eviction;
  std::unique_ptr<poolstatus::PoolStatusController> pool_status;

  std::unique_ptr<BlockingClient> admin;
};

void Cluster::Impl::StartControllers() {
  const api::Compatibility& compatibility = options.compatibility;
  if (options.garbage_collector) {
    garbage_collector = std::make_unique<apiserver::GarbageCollector>(
        ControllerClient("system:serviceaccount:kube-system:generic-garbage-collector"),
        apiserver::GarbageCollector::DefaultKinds(compatibility.level()));
    garbage_collector->Start();
    namespace_controller = std::make_unique<apiserver::NamespaceController>(
        ControllerClient("system:serviceaccount:kube-system:namespace-controller"),
        compatibility.level());
    namespace_controller->Start();
  }
  role_aggregation = std::make_unique<apiserver::RoleAggregation>(
      ControllerClient("system:serviceaccount:kube-system:clusterrole-aggregation-controller"));
  role_aggregation->Start();
  if (options.claim_controller) {
    claim_controller = std::make_unique<claims::ClaimController>(
        ServiceAccountClient("resource-claim-controller"), compatibility);
    claim_controller->Start();
  }
  if (options.scheduler) {
    scheduler = std::make_unique<scheduler::Scheduler>(
        ClientOf({.name = "system:kube-scheduler", .groups = {"system:authenticated"}}),
        compatibility, scheduler::SchedulerOptions{.seed = options.seed});
    scheduler->Start();
  }
  if (options.eviction_controller) {
    eviction = std::make_unique<eviction::DeviceTaintEviction>(
        ServiceAccountClient("device-taint-eviction-controller"), compatibility);
    eviction->Start();
  }
  pool_status = std::make_unique<poolstatus::PoolStatusController>(
      ServiceAccountClient("resourcepoolstatusrequest-controller"), compatibility);
  pool_status->Start();
}

void Cluster::Impl::StopControllers() {
  pool_status = nullptr;
  eviction = nullptr;
  scheduler = nullptr;
  claim_controller = nullptr;
  role_aggregation = nullptr;
  namespace_controller = nullptr;
  garbage_collector = nullptr;
  clients.clear();
}

Cluster::Cluster(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Cluster>> Cluster::Start(const ClusterOptions& options) {
  auto impl = std::make_unique<Impl>(options);
  ASSAY_ASSIGN_OR_RETURN(impl->server, apiserver::Server::Start(impl->registry, {}));
  impl->url = impl->server->url();
  impl->kubeconfig = options.directory / "kubeconfig";
  impl->loop.Start();
  impl->admin = std::make_unique<BlockingClient>(impl->NewClient(User::Controller("admin")));
  std::unique_ptr<Cluster> cluster(new Cluster(std::move(impl)));

  for (const std::string& name : options.namespaces) {
    api::core::Namespace object;
    object.metadata.name = name;
    ASSAY_RETURN_IF_ERROR(
        cluster->admin().Create(std::move(object)).status().WithContext("namespace " + name));
  }
  for (api::Object& object : apiserver::BootstrapPolicy()) {
    const std::string name = object.name();
    ASSAY_RETURN_IF_ERROR(
        cluster->admin().CreateObject(std::move(object)).status().WithContext("role " + name));
  }
  Impl* started = cluster->impl_.get();
  cluster->RunOnLoop([started] { started->StartControllers(); });
  // Last: who waits for the file finds everything running.
  ASSAY_RETURN_IF_ERROR(WriteSecret(started->kubeconfig,
                                    started->server->Kubeconfig(started->server->admin_token())));
  return cluster;
}

void Cluster::SkewClock(Duration offset) { impl_->clock.Skew(offset); }

Status Cluster::SaveStore(const std::filesystem::path& path) {
  return apiserver::WriteSnapshot(impl_->registry.objects(), path);
}

Status Cluster::LoadStore(const std::filesystem::path& path) {
  ASSAY_ASSIGN_OR_RETURN(const store::Store::Contents contents, apiserver::ReadSnapshot(path));
  impl_->registry.objects().Replace(contents);
  return OkStatus();
}

Cluster::~Cluster() {
  impl_->admin = nullptr;
  RunOnLoop([this] { impl_->StopControllers(); });
  impl_->loop.StopAndJoin();
  impl_->server->Stop();
}

const std::string& Cluster::server() const { return impl_->url; }

const std::filesystem::path& Cluster::kubeconfig() const { return impl_->kubeconfig; }

ClientConfig Cluster::ConnectionFor(const User& user) {
  ClientConfig config;
  config.server = impl_->url;
  config.certificate_authority_pem = impl_->server->ca_pem();
  config.token = impl_->server->AddToken(user);
  return config;
}

Result<std::filesystem::path> Cluster::WriteKubeconfig(const std::string& file_name,
                                                       const User& user) {
  std::filesystem::path path = impl_->options.directory / file_name;
  ASSAY_RETURN_IF_ERROR(WriteSecret(path, api::client::FormatKubeconfig(ConnectionFor(user))));
  return path;
}

BlockingClient& Cluster::admin() { return *impl_->admin; }

EventLoop& Cluster::loop() { return impl_->loop; }

void Cluster::RunOnLoop(const std::function<void()>& task) {
  if (impl_->loop.InLoop()) {
    task();
    return;
  }
  std::promise<void> promise;
  impl_->loop.Post([&] {
    task();
    promise.set_value();
  });
  promise.get_future().wait();
}

std::unique_ptr<Client> Cluster::NewClient(const User& user) { return impl_->NewClient(user); }

Result<api::core::Node> Cluster::AddNode(const NodeOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(api::core::Node node,
                         MakeNode(options, api::meta::Time::From(impl_->loop.clock().Now())));
  return admin().Create(std::move(node));
}

apiserver::Server& Cluster::api_server() { return *impl_->server; }

}  // namespace assay::controlplane
