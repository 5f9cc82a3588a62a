// FakeDriverDialer: drivers without sockets, for tests under a virtual clock. A test puts a
// FakeDriver at a path; connections to the path reach it, calls are remembered and answered on the
// loop after `latency`.
//
// Not thread-safe: lives on its loop.
#ifndef ASSAY_CONTROLPLANE_NODE_FAKE_DRIVER_H_
#define ASSAY_CONTROLPLANE_NODE_FAKE_DRIVER_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "controlplane/node/driver_connection.h"

namespace assay::controlplane::node {

class FakeDriverConnection;

// One plugin process: its registration and its driver, at the same or at different paths.
struct FakeDriver {
  PluginInfo info;
  Duration latency{};
  // Not set: the call is never answered, and its deadline passes.
  std::function<std::optional<Result<PluginInfo>>()> get_info;
  std::function<Status(const std::string& error)> notify;
  std::function<std::optional<Result<PrepareResponse>>(const std::vector<ClaimReference>&)> prepare;
  std::function<std::optional<Result<UnprepareResponse>>(const std::vector<ClaimReference>&)>
      unprepare;
  bool has_health = false;

  // What was called.
  std::vector<std::string> notifications;  // The error texts; "" is success.
  std::vector<std::vector<ClaimReference>> prepared;
  std::vector<std::vector<ClaimReference>> unprepared;
  std::vector<DraVersion> versions;
  int health_streams = 0;  // How many were opened.

  // Answers every claim with one device "<driver>/claim=<uid>".
  static FakeDriver WithDevices(const std::string& name, const std::string& endpoint);
};

class FakeDriverDialer : public DriverDialer {
 public:
  explicit FakeDriverDialer(EventLoop& loop) : loop_(&loop) {}

  std::unique_ptr<DriverConnection> Dial(const std::string& socket_path) override;

  // `driver` listens at `socket_path` from now on; null: nobody does.
  void Listen(const std::string& socket_path, std::shared_ptr<FakeDriver> driver);
  // To every open health stream of the path.
  void SendHealth(const std::string& socket_path, const std::vector<DeviceHealth>& devices);
  void EndHealth(const std::string& socket_path, const Status& status);

 private:
  friend class FakeDriverConnection;
  EventLoop* loop_;
  // Shared by the test and the connections.
  std::map<std::string, std::shared_ptr<FakeDriver>> listeners_;
  std::set<FakeDriverConnection*> connections_;
};

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_FAKE_DRIVER_H_
