#include "controlplane/node/driver_registry.h"

#include <algorithm>
#include <set>
#include <utility>

#include "api/resource/types.h"

namespace assay::controlplane::node {
namespace {

using api::client::Await;
using api::client::Delay;
using api::client::Task;
using api::client::TaskScope;

constexpr Duration kDialTimeout = std::chrono::seconds(10);
constexpr Duration kInfoTimeout = std::chrono::seconds(1);
constexpr Duration kNotifyTimeout = std::chrono::seconds(5);
constexpr Duration kCallTimeout = std::chrono::seconds(45);
// Retries double from the first to the second, and happen when the reconciler, which runs once a
// second, comes by.
constexpr Duration kMinRetry = std::chrono::milliseconds(500);
constexpr Duration kMaxRetry = std::chrono::seconds(122);
constexpr Duration kRegistrationRetryPeriod = std::chrono::seconds(1);
constexpr Duration kHealthRetry = std::chrono::seconds(5);
constexpr Duration kMinWipeRetry = std::chrono::seconds(1);
constexpr Duration kMaxWipeRetry = std::chrono::minutes(5);

// As Go prints a []string with %q.
std::string Quoted(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) {
    text += (text.empty() ? "\"" : " \"") + item + "\"";
  }
  return "[" + text + "]";
}

Duration RoundUp(Duration time, Duration period) {
  return (time + period - Duration(1)) / period * period;
}

}  // namespace

Result<DraVersion> ChooseVersion(const std::vector<std::string>& supported_versions) {
  if (supported_versions.empty()) {
    return InvalidArgumentError("empty list of supported gRPC services (aka supported versions)");
  }
  const std::vector<std::string> known = {std::string(ServiceName(DraVersion::kV1)),
                                          std::string(ServiceName(DraVersion::kV1beta1))};
  // A quirk of the kubelet: the plugin's order decides, not its own.
  for (const std::string& service : supported_versions) {
    if (service == known[0]) {
      return DraVersion::kV1;
    }
    if (service == known[1]) {
      return DraVersion::kV1beta1;
    }
  }
  return InvalidArgumentError("none of services supported by the plugin (" +
                              Quoted(supported_versions) + ") are supported by the kubelet (" +
                              Quoted(known) + ")");
}

// One instance of a driver: its connection, the calls under way, its health stream.
class DriverRegistry::Endpoint : public Driver {
 public:
  Endpoint(DriverRegistry& registry, std::string driver, const std::string& path,
           DraVersion version)
      : registry_(&registry),
        driver_(std::move(driver)),
        version_(version),
        connection_(registry.dialer_->Dial(path)) {}

  void Start() {
    connection_->KeepConnected([this](bool connected) {
      connected_ = connected;
      registry_->SyncWiping(driver_);
    });
    StartHealthStream();
  }

  // Ends everything; calls under way fail.
  void Close() {
    registry_->client_.loop().CancelTimer(health_timer_);
    health_timer_ = EventLoop::kNoTimer;
    health_.reset();
    const auto pending = std::exchange(pending_, {});
    connection_.reset();
    for (const auto& [id, call] : pending) {
      call.fail(CancelledError("grpc: the client connection is closing"));
    }
  }

  const std::string& name() const override { return driver_; }
  const std::string& path() const { return connection_->socket_path(); }
  bool connected() const { return connected_; }

  Await<Result<PrepareResponse>> Prepare(std::vector<ClaimReference> claims) override {
    return Call<PrepareResponse>([this, claims = std::move(claims)](auto done) {
      return connection_->NodePrepareResources(version_, claims, kCallTimeout, std::move(done));
    });
  }
  Await<Result<UnprepareResponse>> Unprepare(std::vector<ClaimReference> claims) override {
    return Call<UnprepareResponse>([this, claims = std::move(claims)](auto done) {
      return connection_->NodeUnprepareResources(version_, claims, kCallTimeout, std::move(done));
    });
  }

 private:
  struct PendingCall {
    DriverConnection::Call call;
    std::function<void(Status)> fail;
  };

  template <typename T, typename Start>
  Await<Result<T>> Call(Start start) {
    return Await<Result<T>>([&](std::function<void(Result<T>)> done) {
      if (!connection_) {
        registry_->client_.loop().Post(
            [done] { done(CancelledError("grpc: the client connection is closing")); });
        return;
      }
      const std::uint64_t id = ++last_call_;
      PendingCall& pending = pending_[id];
      pending.fail = [done](Status status) { done(std::move(status)); };
      pending.call = start([this, id, done](Result<T> result) {
        const auto node = pending_.extract(id);  // Lives until `done` returns.
        done(std::move(result));
      });
    });
  }

  void StartHealthStream() {
    health_ = connection_->NodeWatchResources(
        registry_->options_.health_version,
        [this](const std::vector<DeviceHealth>& devices) {
          registry_->handlers_.on_health(driver_, devices);
        },
        [this](const Status& /*status*/) {
          registry_->handlers_.on_health_end(driver_);
          // Whatever the reason, also where there is no such service.
          health_timer_ = registry_->client_.loop().RunAfter(kHealthRetry, [this] {
            health_timer_ = EventLoop::kNoTimer;
            StartHealthStream();
          });
        });
  }

  DriverRegistry* registry_;
  std::string driver_;
  DraVersion version_;
  std::unique_ptr<DriverConnection> connection_;  // Null once closed.
  bool connected_ = false;
  std::uint64_t last_call_ = 0;
  std::map<std::uint64_t, PendingCall> pending_;
  DriverConnection::Call health_;
  EventLoop::TimerId health_timer_ = EventLoop::kNoTimer;
};

DriverRegistry::DriverRegistry(api::client::Client& client, DriverDialer& dialer, Options options,
                               Handlers handlers)
    : client_(client),
      dialer_(&dialer),
      options_(std::move(options)),
      handlers_(std::move(handlers)),
      random_(options_.seed != 0 ? Random(options_.seed) : Random::FromSystem()) {}

DriverRegistry::~DriverRegistry() {
  for (const auto& [driver, timer] : wipe_timers_) {
    client_.loop().CancelTimer(timer);
  }
  for (const auto& [driver, endpoints] : drivers_) {
    for (const auto& endpoint : endpoints) {
      endpoint->Close();
    }
  }
}

void DriverRegistry::Start() {
  if (!options_.wipe_at_start) {
    return;
  }
  auto& scope = wipes_[""];
  scope = std::make_unique<TaskScope>();
  scope->Spawn(Wipe(""));
}

void DriverRegistry::AddSocket(const std::string& socket_path) {
  Socket& socket = sockets_[socket_path];
  socket.task = std::make_unique<TaskScope>();
  socket.task->Spawn(RegisterUntilDone(socket_path));
}

void DriverRegistry::RemoveSocket(const std::string& socket_path) {
  const auto found = sockets_.find(socket_path);
  if (found == sockets_.end()) {
    return;
  }
  const Socket socket = std::move(found->second);
  sockets_.erase(found);
  if (socket.driver_and_endpoint) {
    Remove(socket.driver_and_endpoint->first, socket.driver_and_endpoint->second);
  }
}

Task<Status> DriverRegistry::RegisterUntilDone(std::string socket_path) {
  for (Duration delay = kMinRetry;; delay = std::min(delay * 2, kMaxRetry)) {
    const Status status = co_await Register(socket_path);
    if (handlers_.on_registration) {
      handlers_.on_registration(socket_path, status);
    }
    if (status.ok()) {
      co_return status;
    }
    co_await Delay(client_.loop(), RoundUp(delay, kRegistrationRetryPeriod));
  }
}

Task<Status> DriverRegistry::Register(std::string socket_path) {
  const std::unique_ptr<DriverConnection> connection = dialer_->Dial(socket_path);
  DriverConnection::Call call;
  const Status dialed = co_await Await<Status>([&](std::function<void(Status)> done) {
    call = connection->WaitUntilConnected(kDialTimeout, std::move(done));
  });
  if (!dialed.ok()) {
    co_return dialed.WithContext("RegisterPlugin error -- dial failed at socket " + socket_path);
  }
  const Result<PluginInfo> info =
      co_await Await<Result<PluginInfo>>([&](std::function<void(Result<PluginInfo>)> done) {
        call = connection->GetInfo(kInfoTimeout, std::move(done));
      });
  if (!info.ok()) {
    co_return info.status().WithContext(
        "RegisterPlugin error -- failed to get plugin info using RPC GetInfo at socket " +
        socket_path);
  }

  const std::string endpoint = info->endpoint.empty() ? socket_path : info->endpoint;
  const std::string invalid = "invalid supported gRPC versions of DRA driver plugin " + info->name +
                              " at endpoint " + endpoint;
  const Result<DraVersion> version = ChooseVersion(info->supported_versions);
  Status failure;
  if (info->type != "DRAPlugin") {
    failure = FailedPreconditionError(
        "RegisterPlugin error -- no handler registered for plugin type: " + info->type +
        " at socket " + socket_path);
  } else if (!version.ok()) {
    failure = FailedPreconditionError(
        "RegisterPlugin error -- plugin validation failed with err: " + invalid + ": " +
        version.status().message());
  } else if (const Status added = Add(info->name, endpoint, *version); !added.ok()) {
    failure = FailedPreconditionError(
        "RegisterPlugin error -- plugin registration failed with err: " + added.message());
  } else {
    // Now, since the socket may go while the plugin is told.
    sockets_.at(socket_path).driver_and_endpoint = {info->name, endpoint};
  }
  const Status notified = co_await Await<Status>([&](std::function<void(Status)> done) {
    call = connection->NotifyRegistrationStatus(failure.message(), kNotifyTimeout, std::move(done));
  });
  if (!failure.ok()) {
    co_return failure;
  }
  if (!notified.ok()) {
    sockets_.at(socket_path).driver_and_endpoint.reset();
    Remove(info->name, endpoint);
    co_return notified.WithContext(
        "RegisterPlugin error -- failed to send registration status at socket " + socket_path);
  }
  co_return OkStatus();
}

Status DriverRegistry::Add(const std::string& driver, const std::string& endpoint,
                           DraVersion version) {
  auto& endpoints = drivers_[driver];
  if (std::ranges::any_of(endpoints, [&](const auto& e) { return e->path() == endpoint; })) {
    return AlreadyExistsError("endpoint " + endpoint +
                              " already registered for DRA driver plugin " + driver);
  }
  endpoints.push_back(std::make_shared<Endpoint>(*this, driver, endpoint, version));
  endpoints.back()->Start();
  SyncWiping(driver);
  return OkStatus();
}

void DriverRegistry::Remove(const std::string& driver, const std::string& endpoint) {
  const auto found = drivers_.find(driver);
  if (found == drivers_.end()) {
    return;
  }
  auto& endpoints = found->second;
  const auto position =
      std::ranges::find_if(endpoints, [&](const auto& e) { return e->path() == endpoint; });
  if (position == endpoints.end()) {
    return;
  }
  const std::shared_ptr<Endpoint> removed = *position;
  endpoints.erase(position);
  if (endpoints.empty()) {
    drivers_.erase(found);
  }
  handlers_.on_health_end(driver);
  SyncWiping(driver);
  removed->Close();
}

bool DriverRegistry::IsUsable(const std::string& driver) const {
  const auto found = drivers_.find(driver);
  return found != drivers_.end() &&
         std::ranges::any_of(found->second, [](const auto& e) { return e->connected(); });
}

void DriverRegistry::SyncWiping(const std::string& driver) {
  if (IsUsable(driver)) {
    if (const auto timer = wipe_timers_.extract(driver)) {
      client_.loop().CancelTimer(timer.mapped());
    }
    wipes_.erase(driver);
    return;
  }
  // One that waits, or is being done, is not begun anew.
  if (wipe_timers_.contains(driver) || wipes_.contains(driver)) {
    return;
  }
  wipe_timers_[driver] = client_.loop().RunAfter(options_.wiping_delay, [this, driver] {
    wipe_timers_.erase(driver);
    auto& scope = wipes_[driver];
    scope = std::make_unique<TaskScope>();
    scope->Spawn<Status>(Wipe(driver), [this, driver](const Status&) {
      // Not from inside of the task that this scope holds.
      client_.loop().Post([this, driver] {
        if (const auto done = wipes_.find(driver);
            done != wipes_.end() && done->second->running() == 0) {
          wipes_.erase(done);
        }
      });
    });
  });
}

Task<Status> DriverRegistry::Wipe(std::string driver) {
  api::client::ListOptions which;
  which.field_selector = "spec.nodeName=" + options_.node_name;
  if (!driver.empty()) {
    which.field_selector = "spec.driver=" + driver + "," + which.field_selector;
  }
  for (Duration delay = kMinWipeRetry;; delay = std::min(delay * 2, kMaxWipeRetry)) {
    const Status status =
        co_await client_.DeleteCollection(api::KindOf<api::resource::ResourceSlice>(), which);
    if (status.ok() || status.code() == StatusCode::kNotFound) {
      co_return OkStatus();
    }
    // Up to a fifth longer.
    const auto jitter = static_cast<std::int64_t>(
        random_.Below(static_cast<std::uint64_t>((delay / 5).count()) + 1));
    co_await Delay(client_.loop(), delay + Duration(jitter));
  }
}

Result<std::shared_ptr<DriverRegistry::Driver>> DriverRegistry::Find(
    const std::string& driver_name) const {
  if (driver_name.empty()) {
    return InvalidArgumentError("DRA driver name is empty");
  }
  const auto found = drivers_.find(driver_name);
  if (found == drivers_.end()) {
    return NotFoundError("DRA driver " + driver_name + " is not registered");
  }
  const auto& endpoints = found->second;
  const auto connected = std::find_if(endpoints.rbegin(), endpoints.rend(),
                                      [](const auto& e) { return e->connected(); });
  return std::shared_ptr<Driver>(connected != endpoints.rend() ? *connected : endpoints.back());
}

std::vector<std::string> DriverRegistry::Endpoints(const std::string& driver_name) const {
  std::vector<std::string> paths;
  if (const auto found = drivers_.find(driver_name); found != drivers_.end()) {
    for (const auto& endpoint : found->second) {
      paths.push_back(endpoint->path());
    }
  }
  return paths;
}

}  // namespace assay::controlplane::node
