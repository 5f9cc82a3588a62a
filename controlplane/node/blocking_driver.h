// BlockingDriver: a DriverConnection for code that waits, such as a suite that drives a driver
// directly.
//
//   BlockingDriver driver("/var/lib/kubelet/plugins/gpu.example.com/dra.sock");
//   ASSAY_ASSIGN_OR_RETURN(auto prepared, driver.Prepare({{"default", "claim", uid}}));
//   EXPECT_EQ(prepared.at(uid).error, "");
//
// Errors are the gRPC status as it came. Each call may have a time-out of its own; the defaults are
// the kubelet's deadlines.
//
// Thread-safe: calls may run in parallel.
#ifndef ASSAY_CONTROLPLANE_NODE_BLOCKING_DRIVER_H_
#define ASSAY_CONTROLPLANE_NODE_BLOCKING_DRIVER_H_

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/result.h"
#include "controlplane/node/driver_connection.h"

namespace assay::controlplane::node {

class BlockingDriver {
 public:
  // Kubernetes 1.36: pluginmanager/operationexecutor and cm/dra/plugin.
  static constexpr Duration kInfoTimeout = std::chrono::seconds(1);
  static constexpr Duration kNotifyTimeout = std::chrono::seconds(5);
  static constexpr Duration kCallTimeout = std::chrono::seconds(45);

  // What stands between this and its connection, such as an observer.
  using Wrap = std::function<std::unique_ptr<DriverConnection>(std::unique_ptr<DriverConnection>)>;
  // Has a loop and thread of its own.
  explicit BlockingDriver(const std::string& socket_path, const Wrap& wrap = nullptr);
  ~BlockingDriver();
  BlockingDriver(const BlockingDriver&) = delete;
  BlockingDriver& operator=(const BlockingDriver&) = delete;

  Status WaitUntilConnected(Duration timeout = std::chrono::seconds(10));
  Result<PluginInfo> GetInfo(Duration timeout = kInfoTimeout);
  // An empty `error` says that the plugin is registered.
  Status NotifyRegistrationStatus(const std::string& error = "", Duration timeout = kNotifyTimeout);

  Result<PrepareResponse> Prepare(std::vector<ClaimReference> claims,
                                  DraVersion version = DraVersion::kV1,
                                  Duration timeout = kCallTimeout);
  Result<UnprepareResponse> Unprepare(std::vector<ClaimReference> claims,
                                      DraVersion version = DraVersion::kV1,
                                      Duration timeout = kCallTimeout);
  Result<std::string> CallRaw(const std::string& method, const std::string& request,
                              Duration timeout = kCallTimeout);

  // Starts a Prepare and returns at once; `Cancel` ends it as a kubelet that goes away would.
  class Pending {
   public:
    ~Pending();  // Cancels.
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;
    void Cancel();
    // kCancelled after Cancel.
    Result<PrepareResponse> Wait();

   private:
    friend class BlockingDriver;
    explicit Pending(BlockingDriver& driver) : driver_(&driver) {}
    BlockingDriver* driver_;       // Outlives this.
    DriverConnection::Call call_;  // Touched on the loop only.
    std::mutex mu_;
    std::condition_variable done_;
    std::optional<Result<PrepareResponse>> result_;  // Guarded by mu_.
  };
  std::unique_ptr<Pending> StartPrepare(std::vector<ClaimReference> claims,
                                        DraVersion version = DraVersion::kV1,
                                        Duration timeout = kCallTimeout);

  // A health stream whose messages are kept until they are read.
  class HealthStream {
   public:
    ~HealthStream();  // Cancels.
    HealthStream(const HealthStream&) = delete;
    HealthStream& operator=(const HealthStream&) = delete;
    // The next message, the status with which the stream ended, or kDeadlineExceeded.
    Result<std::vector<DeviceHealth>> Next(Duration timeout);

   private:
    friend class BlockingDriver;
    explicit HealthStream(BlockingDriver& driver) : driver_(&driver) {}
    BlockingDriver* driver_;       // Outlives this.
    DriverConnection::Call call_;  // Touched on the loop only.
    std::mutex mu_;
    std::condition_variable changed_;
    std::deque<std::vector<DeviceHealth>> messages_;  // Guarded by mu_.
    std::optional<Status> end_;                       // Guarded by mu_.
  };
  std::unique_ptr<HealthStream> WatchHealth(HealthVersion version = HealthVersion::kV1alpha1);

 private:
  // Runs `task` on the loop and waits for it.
  void RunOnLoop(const std::function<void()>& task);
  template <typename T>
  T Wait(const std::function<DriverConnection::Call(std::function<void(T)>)>& start);

  RealEventLoop loop_;
  std::unique_ptr<DriverConnection> connection_;  // Lives on the loop.
};

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_BLOCKING_DRIVER_H_
