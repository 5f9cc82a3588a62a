#include "controlplane/node/fake_driver.h"

#include <algorithm>
#include <utility>

namespace assay::controlplane::node {
namespace {

struct FakeCall : DriverCall {
  ~FakeCall() override { *alive = false; }
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

}  // namespace

class FakeDriverConnection : public DriverConnection {
 public:
  FakeDriverConnection(FakeDriverDialer& dialer, std::string path)
      : dialer_(&dialer), path_(std::move(path)) {
    dialer_->connections_.insert(this);
  }
  ~FakeDriverConnection() override {
    *alive_ = false;
    dialer_->connections_.erase(this);
  }

  const std::string& socket_path() const override { return path_; }

  void KeepConnected(std::function<void(bool)> on_change) override {
    on_change_ = std::move(on_change);
    Report();
  }
  // Tells whoever keeps the connection that somebody listens, or nobody does.
  void Report() {
    Post({}, [this] {
      if (const bool now = Driver() != nullptr; on_change_ && now != connected_) {
        connected_ = now;
        on_change_(now);
      }
    });
  }

  Call WaitUntilConnected(Duration timeout, std::function<void(Status)> done) override {
    return Start<Status>(timeout, std::move(done), [this]() -> std::optional<Status> {
      return Driver() != nullptr ? std::optional(OkStatus()) : std::nullopt;
    });
  }
  Call GetInfo(Duration timeout, Callback<PluginInfo> done) override {
    return Start<Result<PluginInfo>>(timeout, std::move(done), [this] {
      FakeDriver* driver = Driver();
      return driver->get_info ? driver->get_info()
                              : std::optional<Result<PluginInfo>>(driver->info);
    });
  }
  Call NotifyRegistrationStatus(std::string error, Duration timeout,
                                std::function<void(Status)> done) override {
    return Start<Status>(timeout, std::move(done),
                         [this, error = std::move(error)]() -> std::optional<Status> {
                           FakeDriver* driver = Driver();
                           driver->notifications.push_back(error);
                           return driver->notify ? driver->notify(error) : OkStatus();
                         });
  }
  Call NodePrepareResources(DraVersion version, std::vector<ClaimReference> claims,
                            Duration timeout, Callback<PrepareResponse> done) override {
    return Start<Result<PrepareResponse>>(
        timeout, std::move(done),
        [this, version, claims = std::move(claims)]() -> std::optional<Result<PrepareResponse>> {
          FakeDriver* driver = Driver();
          driver->versions.push_back(version);
          driver->prepared.push_back(claims);
          return driver->prepare ? driver->prepare(claims) : std::nullopt;
        });
  }
  Call NodeUnprepareResources(DraVersion version, std::vector<ClaimReference> claims,
                              Duration timeout, Callback<UnprepareResponse> done) override {
    return Start<Result<UnprepareResponse>>(
        timeout, std::move(done),
        [this, version, claims = std::move(claims)]() -> std::optional<Result<UnprepareResponse>> {
          FakeDriver* driver = Driver();
          driver->versions.push_back(version);
          driver->unprepared.push_back(claims);
          return driver->unprepare ? driver->unprepare(claims) : std::nullopt;
        });
  }
  Call NodeWatchResources(HealthVersion /*version*/,
                          std::function<void(std::vector<DeviceHealth>)> on_message,
                          std::function<void(Status)> on_end) override {
    auto call = std::make_unique<FakeCall>();
    health_alive_ = call->alive;
    on_health_ = std::move(on_message);
    on_health_end_ = std::move(on_end);
    if (FakeDriver* driver = Driver(); driver != nullptr) {
      ++driver->health_streams;
      if (!driver->has_health) {
        EndHealth(UnimplementedError("unknown service"));
      }
    } else {
      EndHealth(UnavailableError("nobody listens at " + path_));
    }
    return call;
  }
  Call CallRaw(std::string /*method*/, std::string /*request*/, Duration timeout,
               Callback<std::string> done) override {
    return Start<Result<std::string>>(timeout, std::move(done), [] {
      return std::optional<Result<std::string>>(UnimplementedError("no raw calls"));
    });
  }

  void SendHealth(const std::vector<DeviceHealth>& devices) {
    Post(health_alive_, [this, devices] { on_health_(devices); });
  }
  void EndHealth(const Status& status) {
    Post(health_alive_, [this, status] {
      const auto end = std::exchange(on_health_end_, nullptr);
      on_health_ = [](const auto&) {};
      if (end) {
        end(status);
      }
    });
  }

 private:
  FakeDriver* Driver() const {
    const auto found = dialer_->listeners_.find(path_);
    return found == dialer_->listeners_.end() ? nullptr : found->second.get();
  }

  void Post(const std::shared_ptr<bool>& call, std::function<void()> task) {
    dialer_->loop_->Post([call, connection = alive_, task = std::move(task)] {
      if (*connection && (!call || *call)) {
        task();
      }
    });
  }

  // Runs `answer` after the driver's latency; nothing, nobody there or too late: the deadline.
  template <typename T>
  Call Start(Duration timeout, std::function<void(T)> done,
             std::function<std::optional<T>()> answer) {
    auto call = std::make_unique<FakeCall>();
    const Duration latency = Driver() != nullptr ? Driver()->latency : timeout;
    dialer_->loop_->RunAfter(std::min(latency, timeout),
                             [this, call = call->alive, connection = alive_, done = std::move(done),
                              answer = std::move(answer), timeout, latency] {
                               if (!*call || !*connection) {
                                 return;
                               }
                               std::optional<T> value;
                               if (latency < timeout && Driver() != nullptr) {
                                 value = answer();
                               }
                               if (value) {
                                 done(*std::move(value));
                                 return;
                               }
                               dialer_->loop_->RunAfter(
                                   timeout - std::min(latency, timeout), [call, connection, done] {
                                     if (*call && *connection) {
                                       done(DeadlineExceededError("no answer in time"));
                                     }
                                   });
                             });
    return call;
  }

  FakeDriverDialer* dialer_;
  std::string path_;
  std::function<void(bool)> on_change_;
  bool connected_ = false;
  std::shared_ptr<bool> health_alive_;
  std::function<void(std::vector<DeviceHealth>)> on_health_;
  std::function<void(Status)> on_health_end_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

FakeDriver FakeDriver::WithDevices(const std::string& name, const std::string& endpoint) {
  FakeDriver driver;
  driver.info = {.type = "DRAPlugin",
                 .name = name,
                 .endpoint = endpoint,
                 .supported_versions = {"v1.DRAPlugin", "v1beta1.DRAPlugin"}};
  driver.prepare = [name](const std::vector<ClaimReference>& claims) {
    PrepareResponse response;
    for (const ClaimReference& claim : claims) {
      response[claim.uid].devices = {{.request_names = {},
                                      .pool_name = "pool",
                                      .device_name = "device",
                                      .cdi_device_ids = {name + "/claim=" + claim.uid},
                                      .share_id = std::nullopt}};
    }
    return std::optional<Result<PrepareResponse>>(std::move(response));
  };
  driver.unprepare = [](const std::vector<ClaimReference>& claims) {
    UnprepareResponse response;
    for (const ClaimReference& claim : claims) {
      response[claim.uid];
    }
    return std::optional<Result<UnprepareResponse>>(std::move(response));
  };
  return driver;
}

std::unique_ptr<DriverConnection> FakeDriverDialer::Dial(const std::string& socket_path) {
  return std::make_unique<FakeDriverConnection>(*this, socket_path);
}

void FakeDriverDialer::Listen(const std::string& socket_path, std::shared_ptr<FakeDriver> driver) {
  if (driver) {
    listeners_[socket_path] = std::move(driver);
  } else {
    listeners_.erase(socket_path);
  }
  for (FakeDriverConnection* connection : connections_) {
    if (connection->socket_path() == socket_path) {
      connection->Report();
    }
  }
}

void FakeDriverDialer::SendHealth(const std::string& socket_path,
                                  const std::vector<DeviceHealth>& devices) {
  for (FakeDriverConnection* connection : connections_) {
    if (connection->socket_path() == socket_path) {
      connection->SendHealth(devices);
    }
  }
}

void FakeDriverDialer::EndHealth(const std::string& socket_path, const Status& status) {
  for (FakeDriverConnection* connection : connections_) {
    if (connection->socket_path() == socket_path) {
      connection->EndHealth(status);
    }
  }
}

}  // namespace assay::controlplane::node
