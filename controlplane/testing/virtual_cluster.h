// VirtualCluster: store and registry on a loop without real time, for tests of controllers: minutes
// pass in milliseconds, and every run is the same.
//
//   VirtualCluster cluster;
//   ClaimController controller(cluster.client(), cluster.compatibility());
//   controller.Start();
//   ASSAY_ASSERT_OK_AND_ASSIGN(Pod pod, cluster->Create(MakePod("a")));
//   cluster.RunFor(std::chrono::seconds(1));
//
// Not thread-safe.
#ifndef ASSAY_CONTROLPLANE_TESTING_VIRTUAL_CLUSTER_H_
#define ASSAY_CONTROLPLANE_TESTING_VIRTUAL_CLUSTER_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/client/blocking_client.h"
#include "api/compatibility.h"
#include "api/core/types.h"
#include "api/resource/types.h"
#include "base/event_loop.h"
#include "controlplane/apiserver/in_process_client.h"
#include "controlplane/apiserver/registry.h"

namespace assay::controlplane::testing {

class VirtualCluster {
 public:
  explicit VirtualCluster(api::Compatibility compatibility = {})
      : registry_({.compatibility = std::move(compatibility), .clock = &loop_.clock(), .seed = 1}),
        client_(NewClient(apiserver::User::Controller("test"))),
        blocking_(*client_, loop_) {
    api::core::Namespace object;
    object.metadata.name = "default";
    ASSAY_CHECK(blocking_.Create(object).ok()) << "cannot create a namespace";
  }

  VirtualEventLoop& loop() { return loop_; }
  apiserver::Registry& registry() { return registry_; }
  const api::Compatibility& compatibility() const { return registry_.compatibility(); }
  api::client::Client& client() { return *client_; }
  // The administrator's calls; each runs the loop until it is answered.
  api::client::BlockingClient* operator->() { return &blocking_; }

  std::unique_ptr<api::client::Client> NewClient(const apiserver::User& user) {
    return apiserver::MakeInProcessClient(registry_, loop_, user);
  }
  // Everything that can happen without time passing happens.
  void Settle() { loop_.RunReady(); }
  void RunFor(Duration span) { loop_.RunFor(span); }

  // The messages of all events about the object of this name, "<reason>: <message>", oldest first.
  std::vector<std::string> EventsAbout(const std::string& name) {
    std::vector<std::string> texts;
    const auto events = blocking_.List<api::core::Event>();
    ASSAY_CHECK(events.ok()) << events.status().ToString();
    for (const api::core::Event& event : *events) {
      if (event.involved_object.name == name) {
        texts.push_back(event.reason + ": " + event.message);
      }
    }
    return texts;
  }

 private:
  VirtualEventLoop loop_;
  apiserver::Registry registry_;
  std::unique_ptr<api::client::Client> client_;
  api::client::BlockingClient blocking_;
};

// A pod with one container and one generated claim "gpu" for each template.
inline api::core::Pod MakePod(const std::string& name,
                              const std::vector<std::string>& template_names = {}) {
  api::core::Pod pod;
  pod.metadata.namespace_ = "default";
  pod.metadata.name = name;
  pod.spec.containers.resize(1);
  pod.spec.containers[0].name = "main";
  pod.spec.containers[0].image = "registry.invalid/pause:1";
  for (std::size_t i = 0; i < template_names.size(); ++i) {
    api::core::PodResourceClaim entry;
    entry.name = i == 0 ? "gpu" : "gpu-" + std::to_string(i);
    entry.resource_claim_template_name = template_names[i];
    pod.spec.resource_claims.push_back(entry);
    api::core::ResourceClaim use;
    use.name = entry.name;
    pod.spec.containers[0].resources.claims.push_back(use);
  }
  return pod;
}

// Makes the pod's entry refer to an existing claim.
inline void UseClaim(api::core::Pod& pod, const std::string& claim_name) {
  api::core::PodResourceClaim entry;
  entry.name = claim_name;
  entry.resource_claim_name = claim_name;
  pod.spec.resource_claims.push_back(entry);
  api::core::ResourceClaim use;
  use.name = claim_name;
  pod.spec.containers[0].resources.claims.push_back(use);
}

inline api::resource::ResourceClaimSpec MakeClaimSpec(std::int64_t count = 1,
                                                      const std::string& class_name = "gpu") {
  api::resource::ResourceClaimSpec spec;
  spec.devices.requests.resize(1);
  spec.devices.requests[0].name = "req";
  spec.devices.requests[0].exactly.emplace();
  spec.devices.requests[0].exactly->device_class_name = class_name;
  spec.devices.requests[0].exactly->allocation_mode = "ExactCount";
  spec.devices.requests[0].exactly->count = count;
  return spec;
}

inline api::resource::ResourceClaim MakeClaim(const std::string& name, std::int64_t count = 1) {
  api::resource::ResourceClaim claim;
  claim.metadata.namespace_ = "default";
  claim.metadata.name = name;
  claim.spec = MakeClaimSpec(count);
  return claim;
}

inline api::resource::ResourceClaimTemplate MakeTemplate(const std::string& name,
                                                         std::int64_t count = 1) {
  api::resource::ResourceClaimTemplate result;
  result.metadata.namespace_ = "default";
  result.metadata.name = name;
  result.spec.spec = MakeClaimSpec(count);
  return result;
}

inline api::resource::DeviceClass MakeClass(const std::string& name = "gpu") {
  api::resource::DeviceClass result;
  result.metadata.name = name;
  return result;
}

// A complete pool of one slice on the node: devices dev-0, dev-1, ... of the driver
// "gpu.example.com".
inline api::resource::ResourceSlice MakeSlice(const std::string& node, int devices) {
  api::resource::ResourceSlice slice;
  slice.metadata.name = node + "-slice";
  slice.spec.driver = "gpu.example.com";
  slice.spec.node_name = node;
  slice.spec.pool.name = node;
  slice.spec.pool.generation = 1;
  slice.spec.pool.resource_slice_count = 1;
  for (int i = 0; i < devices; ++i) {
    api::resource::Device device;
    device.name = "dev-" + std::to_string(i);
    slice.spec.devices.push_back(device);
  }
  return slice;
}

inline api::core::Node MakeNode(const std::string& name) {
  api::core::Node node;
  node.metadata.name = name;
  node.metadata.labels["kubernetes.io/hostname"] = name;
  for (const auto& [resource, amount] :
       {std::pair{"cpu", "8"}, std::pair{"memory", "32Gi"}, std::pair{"pods", "110"}}) {
    node.status.capacity[resource] = api::meta::Quantity::Of(amount);
    node.status.allocatable[resource] = api::meta::Quantity::Of(amount);
  }
  return node;
}

// An allocation of one device of MakeSlice(node, ...), as the scheduler would write it.
inline api::resource::AllocationResult MakeAllocation(const std::string& node,
                                                      const std::string& device = "dev-0") {
  api::resource::AllocationResult allocation;
  allocation.devices.results.resize(1);
  allocation.devices.results[0].request = "req";
  allocation.devices.results[0].driver = "gpu.example.com";
  allocation.devices.results[0].pool = node;
  allocation.devices.results[0].device = device;
  allocation.node_selector.emplace();
  allocation.node_selector->node_selector_terms.resize(1);
  auto& fields = allocation.node_selector->node_selector_terms[0].match_fields;
  fields.resize(1);
  fields[0].key = "metadata.name";
  fields[0].operator_ = "In";
  fields[0].values = {node};
  return allocation;
}

}  // namespace assay::controlplane::testing

#endif  // ASSAY_CONTROLPLANE_TESTING_VIRTUAL_CLUSTER_H_
