// Cluster: a Kubernetes control plane in this process, for a test, a certification or `assay lab`:
// store, API server (TLS on 127.0.0.1, bearer tokens), garbage collector, ResourceClaim controller,
// scheduler, device taint eviction and pool status, on one event loop with a thread of its own.
// What it is not: there are no kubelets; a node agent (controlplane/node/node_agent.h) joins
// through a Client.
//
//   ASSAY_ASSIGN_OR_RETURN(auto cluster, Cluster::Start({.directory = dir.path()}));
//   ASSAY_RETURN_IF_ERROR(cluster->AddNode({.name = "node-1"}).status());
//   cluster->admin().Create(pod);
//   // kubectl --kubeconfig <cluster->kubeconfig()> get pods -A
//
// Thread-safe, except where said; not to be called on its own loop unless said so.
#ifndef ASSAY_CONTROLPLANE_CLUSTER_H_
#define ASSAY_CONTROLPLANE_CLUSTER_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/client/blocking_client.h"
#include "api/client/client.h"
#include "api/client/config.h"
#include "api/compatibility.h"
#include "api/core/types.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "base/result.h"
#include "controlplane/apiserver/server.h"
#include "controlplane/apiserver/user.h"

namespace assay::controlplane {

struct ClusterOptions {
  // For the kubeconfig and certificates; must exist. Kept when the cluster stops.
  std::filesystem::path directory;
  api::Compatibility compatibility;
  std::vector<std::string> namespaces = {"default", "kube-system"};
  std::uint64_t seed = 0;  // Of names' and UIDs' randomness; 0: from the system.

  // What runs besides the API server.
  bool garbage_collector = true;
  bool claim_controller = true;
  bool scheduler = true;
  bool eviction_controller = true;
};

// A Node as a kubelet would register it, Ready.
struct NodeOptions {
  std::string name;
  std::map<std::string, std::string> labels;  // kubernetes.io/hostname is added.
  std::string cpu = "32";
  std::string memory = "256Gi";
  std::string pods = "110";
};

class Cluster {
 public:
  static Result<std::unique_ptr<Cluster>> Start(const ClusterOptions& options);
  // Stops everything and joins the thread. Clients from NewClient must be gone by then.
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // "https://127.0.0.1:<port>"
  const std::string& server() const;
  // The administrator's kubeconfig: <directory>/kubeconfig.
  const std::filesystem::path& kubeconfig() const;
  // A new token for `user`, and how to use it from any process. What the user may do is for roles
  // and their bindings to say; for a driver, apiserver::DriverPolicy has them.
  api::client::ClientConfig ConnectionFor(const apiserver::User& user);
  // The same, written to <directory>/<file_name>; returns its path.
  Result<std::filesystem::path> WriteKubeconfig(const std::string& file_name,
                                                const apiserver::User& user);

  // The administrator, in process. Lives as long as the cluster.
  api::client::BlockingClient& admin();

  // The loop on which everything runs. A node agent may live there too.
  EventLoop& loop();
  // Runs `task` on the loop and waits for it. Also callable on the loop.
  void RunOnLoop(const std::function<void()>& task);
  // An in-process client of `user`, to be used and destroyed on loop().
  std::unique_ptr<api::client::Client> NewClient(const apiserver::User& user);

  // Creates the Node and returns it.
  Result<api::core::Node> AddNode(const NodeOptions& options);

  // The API server's wall clock is `offset` ahead of the machine's from now on.
  void SkewClock(Duration offset);
  // What the API server has stored, in a file, and what is in a file in the place of everything
  // that it has: a backup of etcd, made and restored. All watches end with the latter.
  Status SaveStore(const std::filesystem::path& path);
  Status LoadStore(const std::filesystem::path& path);

  // Its request log, fault injector and watches are for suites to use.
  apiserver::Server& api_server();

 private:
  struct Impl;
  explicit Cluster(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::controlplane

#endif  // ASSAY_CONTROLPLANE_CLUSTER_H_
