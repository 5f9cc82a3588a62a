// DriverRegistry: the kubelet's DRA plugin manager: registers the plugins whose sockets appear,
// keeps connections to them, watches their devices' health, and deletes the node's ResourceSlices
// of a driver that has been gone for 30 s.
//
// Source: Kubernetes 1.36, pluginmanager/operationexecutor/operation_generator.go and
// cm/dra/plugin/dra_plugin_manager.go. Error texts are theirs: plugins see them.
//
// Not thread-safe: lives on its loop.
#ifndef ASSAY_CONTROLPLANE_NODE_DRIVER_REGISTRY_H_
#define ASSAY_CONTROLPLANE_NODE_DRIVER_REGISTRY_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/client/async_client.h"
#include "api/client/task.h"
#include "base/event_loop.h"
#include "base/random.h"
#include "base/result.h"
#include "controlplane/node/driver_connection.h"

namespace assay::controlplane::node {

class DriverRegistry {
 public:
  struct Options {
    std::string node_name;
    // How long a driver may be gone before its slices are deleted.
    Duration wiping_delay = std::chrono::seconds(30);
    // Whether all slices of the node are deleted at the start, as a kubelet does.
    bool wipe_at_start = true;
    // Which health service is asked for, whether the plugin names it or not.
    HealthVersion health_version = HealthVersion::kV1alpha1;
    std::uint64_t seed = 0;  // Of back-offs' jitter; 0: from the system.
  };
  struct Handlers {
    std::function<void(const std::string& driver, const std::vector<DeviceHealth>&)> on_health;
    // The stream ended or the driver is gone: what it said no longer counts.
    std::function<void(const std::string& driver)> on_health_end;
    // Registered, refused, gone: for those who look on. `error` is empty for a registration.
    std::function<void(const std::string& socket_path, const Status& status)> on_registration;
  };

  // All outlive this.
  DriverRegistry(api::client::Client& client, DriverDialer& dialer, Options options,
                 Handlers handlers);
  ~DriverRegistry();
  DriverRegistry(const DriverRegistry&) = delete;
  DriverRegistry& operator=(const DriverRegistry&) = delete;

  void Start();

  // From the PluginWatcher.
  void AddSocket(const std::string& socket_path);
  void RemoveSocket(const std::string& socket_path);

  // A registered driver, as the calls to it need it. It stays usable when the driver goes: its
  // calls end with kCancelled then.
  class Driver {
   public:
    virtual ~Driver() = default;
    virtual const std::string& name() const = 0;
    virtual api::client::Await<Result<PrepareResponse>> Prepare(
        std::vector<ClaimReference> claims) = 0;
    virtual api::client::Await<Result<UnprepareResponse>> Unprepare(
        std::vector<ClaimReference> claims) = 0;
  };
  // The newest connected instance, else the newest.
  // kNotFound: "DRA driver <name> is not registered".
  Result<std::shared_ptr<Driver>> Find(const std::string& driver_name) const;
  // The endpoints of a driver, oldest first.
  std::vector<std::string> Endpoints(const std::string& driver_name) const;

 private:
  class Endpoint;
  struct Socket {
    // What this path registered, if anything.
    std::optional<std::pair<std::string, std::string>> driver_and_endpoint;
    std::unique_ptr<api::client::TaskScope> task;
  };

  api::client::Task<Status> RegisterUntilDone(std::string socket_path);
  api::client::Task<Status> Register(std::string socket_path);
  Status Add(const std::string& driver, const std::string& endpoint, DraVersion version);
  void Remove(const std::string& driver, const std::string& endpoint);
  bool IsUsable(const std::string& driver) const;
  // After every change to a driver: begins or ends the wait before its slices are deleted.
  void SyncWiping(const std::string& driver);
  api::client::Task<Status> Wipe(std::string driver);

  api::client::AsyncClient client_;
  DriverDialer* dialer_;
  Options options_;
  Handlers handlers_;
  Random random_;
  std::map<std::string, Socket> sockets_;  // By path.
  // By driver, oldest first. Shared with calls under way.
  std::map<std::string, std::vector<std::shared_ptr<Endpoint>>> drivers_;
  std::map<std::string, EventLoop::TimerId> wipe_timers_;
  std::map<std::string, std::unique_ptr<api::client::TaskScope>> wipes_;
};

// The first service of the plugin's list that the kubelet knows. kInvalidArgument in its words.
Result<DraVersion> ChooseVersion(const std::vector<std::string>& supported_versions);

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_DRIVER_REGISTRY_H_
