#include "controlplane/node/pod_resources_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "api/kubelet/podresources_v1.grpc.pb.h"
#include "controlplane/claims/pod_claims.h"

namespace assay::controlplane::node {
namespace {

using api::core::Container;
using api::core::Pod;

constexpr Duration kStep = std::chrono::milliseconds(50);

// The claims that a container names, and that for extended resources where it has a mapping.
std::vector<std::string> ClaimNames(const Pod& pod, const Container& container) {
  std::vector<std::string> names;
  for (const auto& entry : pod.spec.resource_claims) {
    const bool used = std::ranges::any_of(
        container.resources.claims, [&](const auto& claim) { return claim.name == entry.name; });
    const Result<claims::ClaimName> name = claims::NameOf(pod, entry);
    if (used && name.ok() && name->name) {
      names.push_back(*name->name);
    }
  }
  const auto& extended = pod.status.extended_resource_claim_status;
  if (extended && std::ranges::any_of(extended->request_mappings, [&](const auto& mapping) {
        return mapping.container_name == container.name;
      })) {
    names.push_back(extended->resource_claim_name);
  }
  return names;
}

void AddClaim(const ClaimInfo& claim, v1::ContainerResources& out) {
  v1::DynamicResource& resource = *out.add_dynamic_resources();
  resource.set_claim_name(claim.name);
  resource.set_claim_namespace(claim.namespace_);
  for (const auto& [driver, devices] : claim.devices) {
    // A quirk of the kubelet: a device's list begins with the ids of the devices before it.
    std::vector<std::string> ids;
    for (const PreparedDevice& device : devices) {
      ids.insert(ids.end(), device.cdi_device_ids.begin(), device.cdi_device_ids.end());
      v1::ClaimResource& added = *resource.add_claim_resources();
      for (const std::string& id : ids) {
        added.add_cdi_devices()->set_name(id);
      }
      added.set_driver_name(driver);
      added.set_pool_name(device.pool_name);
      added.set_device_name(device.device_name);
      if (device.share_id) {
        added.set_share_id(*device.share_id);
      }
    }
  }
}

v1::PodResources ToResources(const Pod& pod, const ClaimCache& cache) {
  v1::PodResources resources;
  resources.set_name(pod.metadata.name);
  resources.set_namespace_(pod.metadata.namespace_);
  std::vector<Container> containers;
  std::ranges::copy_if(pod.spec.init_containers, std::back_inserter(containers),
                       [](const Container& c) { return c.restart_policy == "Always"; });
  std::ranges::copy(pod.spec.containers, std::back_inserter(containers));
  for (const Container& container : containers) {
    v1::ContainerResources& added = *resources.add_containers();
    added.set_name(container.name);
    for (const std::string& name : ClaimNames(pod, container)) {
      const auto claim = cache.claims().find({pod.metadata.namespace_, name});
      if (claim != cache.claims().end()) {
        AddClaim(claim->second, added);
      }
    }
  }
  return resources;
}

}  // namespace

struct PodResourcesServer::Impl : public v1::PodResourcesLister::Service {
  Impl(EventLoop& l, std::filesystem::path s, std::function<std::vector<PodRef>()> a,
       const DraManager& d)
      : loop(&l), socket(std::move(s)), active_pods(std::move(a)), dra(&d) {}

  // Every active pod, computed on the loop.
  Result<std::vector<v1::PodResources>> All() {
    struct Answer {
      std::mutex mu;
      std::condition_variable done;
      std::optional<std::vector<v1::PodResources>> pods;
      bool ended = false;
    };
    auto answer = std::make_shared<Answer>();  // The loop may be slower than the time limit.
    loop->Post([this, answer, alive = std::weak_ptr<bool>(alive)] {
      const std::lock_guard<std::mutex> lock(answer->mu);
      if (!alive.expired()) {
        answer->pods.emplace();
        for (const PodRef& pod : active_pods()) {
          answer->pods->push_back(ToResources(*pod, dra->cache()));
        }
      }
      answer->ended = true;
      answer->done.notify_one();
    });
    std::unique_lock<std::mutex> lock(answer->mu);
    // In short steps: the loop may be waiting for this call to end.
    while (!stopping && !answer->done.wait_for(lock, kStep, [&] { return answer->ended; })) {
    }
    if (!answer->pods) {
      return UnavailableError("the node agent ends");
    }
    return *answer->pods;
  }

  grpc::Status List(grpc::ServerContext* /*context*/,
                    const v1::ListPodResourcesRequest* /*request*/,
                    v1::ListPodResourcesResponse* reply) override {
    const Result<std::vector<v1::PodResources>> pods = All();
    if (!pods.ok()) {
      return {grpc::StatusCode::UNAVAILABLE, pods.status().message()};
    }
    for (const v1::PodResources& pod : *pods) {
      *reply->add_pod_resources() = pod;
    }
    return grpc::Status::OK;
  }

  grpc::Status Get(grpc::ServerContext* /*context*/, const v1::GetPodResourcesRequest* request,
                   v1::GetPodResourcesResponse* reply) override {
    const Result<std::vector<v1::PodResources>> pods = All();
    if (!pods.ok()) {
      return {grpc::StatusCode::UNAVAILABLE, pods.status().message()};
    }
    for (const v1::PodResources& pod : *pods) {
      if (pod.name() == request->pod_name() && pod.namespace_() == request->pod_namespace()) {
        *reply->mutable_pod_resources() = pod;
        return grpc::Status::OK;
      }
    }
    return {grpc::StatusCode::UNKNOWN, "pod " + request->pod_name() + " in namespace " +
                                           request->pod_namespace() + " not found"};
  }

  grpc::Status GetAllocatableResources(grpc::ServerContext* /*context*/,
                                       const v1::AllocatableResourcesRequest* /*request*/,
                                       v1::AllocatableResourcesResponse* /*reply*/) override {
    return grpc::Status::OK;  // No device plugins, no exclusive CPUs or memory.
  }

  EventLoop* loop;
  std::filesystem::path socket;
  std::function<std::vector<PodRef>()> active_pods;
  const DraManager* dra;
  std::unique_ptr<grpc::Server> server;
  std::atomic<bool> stopping = false;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

PodResourcesServer::PodResourcesServer(EventLoop& loop, std::filesystem::path socket,
                                       std::function<std::vector<PodRef>()> active_pods,
                                       const DraManager& dra)
    : impl_(std::make_unique<Impl>(loop, std::move(socket), std::move(active_pods), dra)) {}

PodResourcesServer::~PodResourcesServer() {
  impl_->stopping = true;
  if (impl_->server) {
    impl_->server->Shutdown(std::chrono::system_clock::now());
  }
}

Status PodResourcesServer::Start() {
  std::error_code error;
  std::filesystem::create_directories(impl_->socket.parent_path(), error);
  ::unlink(impl_->socket.c_str());
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + impl_->socket.string(), grpc::InsecureServerCredentials());
  builder.RegisterService(impl_.get());
  impl_->server = builder.BuildAndStart();
  return impl_->server ? OkStatus()
                       : UnavailableError("cannot listen on " + impl_->socket.string());
}

}  // namespace assay::controlplane::node
