// NodeAgent: plays the kubelet of one node: registers drivers, prepares and unprepares the claims
// of the pods that are bound to the node, "runs" their containers (the OCI spec is made and kept,
// nothing is executed), reports their status, and keeps the Node's status and Lease fresh.
//
//   NodeAgent agent(loop, client, {.node_name = "node-1", .kubelet_root = dir / "kubelet"});
//   ASSAY_RETURN_IF_ERROR(agent.Start());
//
// It reaches the cluster only through `client` and drivers only through a DriverDialer, so that it
// works in process, against a real API server, and under a virtual clock.
//
// Not thread-safe: everything, construction and destruction too, happens on the loop.
#ifndef ASSAY_CONTROLPLANE_NODE_NODE_AGENT_H_
#define ASSAY_CONTROLPLANE_NODE_NODE_AGENT_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/client/client.h"
#include "api/compatibility.h"
#include "base/event_loop.h"
#include "base/result.h"
#include "controlplane/node/cdi/oci.h"
#include "controlplane/node/driver_connection.h"

namespace assay::controlplane::node {

class DraManager;
class DriverRegistry;

class Runc;

struct NodeAgentOptions {
  std::string node_name;
  // Holds the plugin registry directory and the checkpoint files.
  std::filesystem::path kubelet_root = "/var/lib/kubelet";
  std::filesystem::path registry_directory;  // Empty: <kubelet_root>/plugins_registry.
  // Off where sockets are handed to drivers() by hand: a virtual loop cannot watch directories.
  bool watch_plugins = true;
  // Where CDI specs are read; later ones take precedence.
  std::vector<std::filesystem::path> cdi_directories = {"/etc/cdi", "/var/run/cdi"};
  // The fake GPUs' state file on the host, which the node binds read-only into every container as
  // the kernel would be there; empty: not bound.
  std::filesystem::path fakegpu_state;
  // Bound into every container besides.
  std::vector<cdi::OciMount> container_mounts;
  // Where containers' OCI specs are written; empty: nowhere. See ContainerRuntime.
  std::filesystem::path record_directory;
  // Runs the containers (controlplane/node/runc.h); null: nothing does, and the specs say what
  // would be. Outlives the agent.
  Runc* runc = nullptr;
  // The socket of the podresources API; empty: not served.
  std::filesystem::path pod_resources_socket;

  // Whether all slices of the node are deleted at the start, as a kubelet does.
  bool wipe_slices_at_start = true;
  // Whether the Node is created where it is missing, and kept Ready with its Lease.
  bool manage_node = true;
  // Which health service drivers are asked for.
  HealthVersion health_version = HealthVersion::kV1alpha1;
  api::Compatibility compatibility;
  std::uint64_t seed = 0;  // Of jitter and of the order of drivers; 0: from the system.
  // Called for every registration and refusal, for those who look on.
  std::function<void(const std::string& socket_path, const Status& status)> on_registration;
};

class NodeAgent {
 public:
  // `client` acts as the node's kubelet; its loop is the agent's. Reaches drivers over gRPC.
  NodeAgent(api::client::Client& client, NodeAgentOptions options);
  // With another way to reach drivers. Both outlive the agent.
  NodeAgent(api::client::Client& client, DriverDialer& dialer, NodeAgentOptions options);
  // Stops as a kubelet that is killed: nothing is unprepared, nothing deleted.
  ~NodeAgent();
  NodeAgent(const NodeAgent&) = delete;
  NodeAgent& operator=(const NodeAgent&) = delete;

  // kDataLoss: the checkpoint is damaged, and a kubelet would not start.
  Status Start();

  DriverRegistry& drivers();
  DraManager& dra();
  // What a running container of the pod would see.
  std::optional<cdi::OciSpec> ContainerSpec(const std::string& pod_uid,
                                            const std::string& container) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_NODE_AGENT_H_
