// DriverConnection: how the node agent, and a suite that plays the kubelet itself, reach a DRA
// driver: the plugin registration, DRAPlugin (v1, v1beta1) and DRAResourceHealth (v1alpha1, v1)
// services behind one unix socket, without gRPC in the signatures.
//
// An error is the call's gRPC status as it came: code and message unchanged, so that a caller can
// judge it. kDeadlineExceeded after `timeout`.
//
// Two implementations: over gRPC (controlplane/node/grpc_driver.h) and FakeDriverConnection
// (controlplane/node/fake_driver.h) for virtual time. For code that waits: BlockingDriver
// (controlplane/node/blocking_driver.h).
//
// Call on the connection's loop only. Callbacks run on that loop, later, once.
#ifndef ASSAY_CONTROLPLANE_NODE_DRIVER_CONNECTION_H_
#define ASSAY_CONTROLPLANE_NODE_DRIVER_CONNECTION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace assay::controlplane::node {

// pluginregistration.PluginInfo
struct PluginInfo {
  std::string type;
  std::string name;
  std::string endpoint;  // Empty: the registration socket.
  std::vector<std::string> supported_versions;

  friend bool operator==(const PluginInfo&, const PluginInfo&) = default;
};

// The services that the kubelet asks for, by the names in PluginInfo::supported_versions.
enum class DraVersion { kV1, kV1beta1 };
enum class HealthVersion { kV1, kV1alpha1 };
std::string_view ServiceName(DraVersion version);     // "v1.DRAPlugin"
std::string_view ServiceName(HealthVersion version);  // "v1.DRAResourceHealth"

// A claim as the kubelet names it to a driver.
struct ClaimReference {
  std::string namespace_;
  std::string name;
  std::string uid;

  friend auto operator<=>(const ClaimReference&, const ClaimReference&) = default;
};

struct PreparedDevice {
  std::vector<std::string> request_names;
  std::string pool_name;
  std::string device_name;
  std::vector<std::string> cdi_device_ids;
  std::optional<std::string> share_id;  // v1 only.

  friend bool operator==(const PreparedDevice&, const PreparedDevice&) = default;
};

struct PreparedClaim {
  std::vector<PreparedDevice> devices;
  std::string error;  // Not empty: this claim failed.

  friend bool operator==(const PreparedClaim&, const PreparedClaim&) = default;
};

// Both by claim UID, as the driver answered.
using PrepareResponse = std::map<std::string, PreparedClaim>;
using UnprepareResponse = std::map<std::string, std::string>;  // UID to error; "" is success.

enum class DeviceHealthState { kUnknown, kHealthy, kUnhealthy };

struct DeviceHealth {
  std::string pool_name;
  std::string device_name;
  // A number that is no state of this version of the API counts as unknown.
  DeviceHealthState health = DeviceHealthState::kUnknown;
  std::int64_t last_updated_time = 0;             // Unix seconds, as the driver says.
  std::int64_t health_check_timeout_seconds = 0;  // 0 or less: the default.
  std::string message;

  friend bool operator==(const DeviceHealth&, const DeviceHealth&) = default;
};

// A call or a stream under way. Destroying it cancels it: its callback does not run any more.
class DriverCall {
 public:
  virtual ~DriverCall() = default;
};

class DriverConnection {
 public:
  template <typename T>
  using Callback = std::function<void(Result<T>)>;
  using Call = std::unique_ptr<DriverCall>;

  // Cancels what is under way.
  virtual ~DriverConnection() = default;

  virtual const std::string& socket_path() const = 0;

  // Connects now and keeps connecting when the peer goes. `on_change` runs when the connection
  // comes up or goes down (after up to 0.1 s), never for the state before the first connection.
  virtual void KeepConnected(std::function<void(bool connected)> on_change) = 0;
  // kDeadlineExceeded where the socket does not accept a connection within `timeout`.
  virtual Call WaitUntilConnected(Duration timeout, std::function<void(Status)> done) = 0;

  // pluginregistration.Registration
  virtual Call GetInfo(Duration timeout, Callback<PluginInfo> done) = 0;
  // An empty `error` says that the plugin is registered.
  virtual Call NotifyRegistrationStatus(std::string error, Duration timeout,
                                        std::function<void(Status)> done) = 0;

  // DRAPlugin
  virtual Call NodePrepareResources(DraVersion version, std::vector<ClaimReference> claims,
                                    Duration timeout, Callback<PrepareResponse> done) = 0;
  virtual Call NodeUnprepareResources(DraVersion version, std::vector<ClaimReference> claims,
                                      Duration timeout, Callback<UnprepareResponse> done) = 0;

  // DRAResourceHealth. `on_end` runs once, when the driver ends the stream or it breaks; a driver
  // without the service ends it with kUnimplemented.
  virtual Call NodeWatchResources(HealthVersion version,
                                  std::function<void(std::vector<DeviceHealth>)> on_message,
                                  std::function<void(Status)> on_end) = 0;

  // Any unary method, "/package.Service/Method", with the bytes as given: for messages that no
  // well-behaved kubelet sends.
  virtual Call CallRaw(std::string method, std::string request, Duration timeout,
                       Callback<std::string> done) = 0;
};

// Makes connections to sockets. The node agent holds one; a test's returns fakes.
class DriverDialer {
 public:
  virtual ~DriverDialer() = default;
  // Does not wait: nothing needs to listen there yet.
  virtual std::unique_ptr<DriverConnection> Dial(const std::string& socket_path) = 0;
};

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_DRIVER_CONNECTION_H_
