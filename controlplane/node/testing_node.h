// What tests of the node agent share: an API server's registry, an agent and fake drivers on one
// virtual loop, and objects made short.
#ifndef ASSAY_CONTROLPLANE_NODE_TESTING_NODE_H_
#define ASSAY_CONTROLPLANE_NODE_TESTING_NODE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/client/blocking_client.h"
#include "api/compatibility.h"
#include "api/core/types.h"
#include "api/resource/types.h"
#include "base/event_loop.h"
#include "base/temp_dir.h"
#include "controlplane/apiserver/in_process_client.h"
#include "controlplane/apiserver/registry.h"
#include "controlplane/apiserver/user.h"
#include "controlplane/node/fake_driver.h"
#include "controlplane/node/node_agent.h"

namespace assay::controlplane::node {

inline constexpr char kTestNode[] = "node-1";

class TestingNode {
 public:
  explicit TestingNode(api::Compatibility compatibility = {})
      : dir(*TempDir::Create()),
        registry({.compatibility = std::move(compatibility), .clock = &loop.clock(), .seed = 1}),
        client(apiserver::MakeInProcessClient(registry, loop, apiserver::User::Controller("test"))),
        api(*client, loop),
        dialer(loop) {
    api::core::Namespace object;
    object.metadata.name = "default";
    Must(api.Create(object));
    api::core::Node node;
    node.metadata.name = kTestNode;
    Must(api.Create(node));
  }

  // A new agent, as after a kubelet's (re)start.
  Status StartAgent() {
    agent.reset();
    NodeAgentOptions options{.node_name = kTestNode,
                             .kubelet_root = dir / "kubelet",
                             .watch_plugins = false,
                             .cdi_directories = {dir / "cdi"},
                             .fakegpu_state = "/host/state",
                             .manage_node = false,
                             .compatibility = registry.compatibility(),
                             .seed = 1};
    agent = std::make_unique<NodeAgent>(*client, dialer, std::move(options));
    return agent->Start();
  }

  // A claim with one allocated device of `driver`, reserved for the pod with this UID.
  api::resource::ResourceClaim MakeClaim(const std::string& name, const std::string& driver,
                                         const std::string& pod_name, const std::string& pod_uid,
                                         std::vector<std::string> skipped_operations = {}) {
    api::resource::ResourceClaim claim;
    claim.metadata.name = name;
    claim.metadata.namespace_ = "default";
    auto& request = claim.spec.devices.requests.emplace_back();
    request.name = "gpu";
    request.exactly.emplace().device_class_name = "gpu";
    claim = Must(api.Create(claim));
    auto& result = claim.status.allocation.emplace().devices.results.emplace_back();
    result.request = "gpu";
    result.driver = driver;
    result.pool = "pool";
    result.device = "device";
    result.skip_node_operations = std::move(skipped_operations);
    auto& consumer = claim.status.reserved_for.emplace_back();
    consumer.resource = "pods";
    consumer.name = pod_name;
    consumer.uid = pod_uid;
    return Must(api.UpdateStatus(claim));
  }

  // A pod whose only container uses the claims of the same names. It is not bound yet.
  api::core::Pod NewPod(const std::string& name, const std::vector<std::string>& claims) {
    api::core::Pod pod;
    pod.metadata.name = name;
    pod.metadata.namespace_ = "default";
    auto& container = pod.spec.containers.emplace_back();
    container.name = "main";
    container.image = "busybox";
    for (const std::string& claim : claims) {
      auto& entry = pod.spec.resource_claims.emplace_back();
      entry.name = claim;
      entry.resource_claim_name = claim;
      container.resources.claims.emplace_back().name = claim;
    }
    return pod;
  }

  // To the node, as a scheduler does it once the claims are there.
  void Bind(const api::core::Pod& pod) {
    api::core::Pod binding;
    binding.metadata.name = pod.metadata.name;
    binding.metadata.namespace_ = pod.metadata.namespace_;
    binding.metadata.uid = pod.metadata.uid;
    binding.spec.node_name = kTestNode;
    Must(api.Create(binding, {.subresource = "binding"}));
  }

  api::core::Pod GetPod(const std::string& name) {
    return Must(api.Get<api::core::Pod>("default", name));
  }

  template <typename T>
  static T Must(Result<T> result) {
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *std::move(result) : T();
  }

  TempDir dir;
  VirtualEventLoop loop;
  apiserver::Registry registry;
  std::unique_ptr<api::client::Client> client;
  api::client::BlockingClient api;
  FakeDriverDialer dialer;
  std::unique_ptr<NodeAgent> agent;
};

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_TESTING_NODE_H_
