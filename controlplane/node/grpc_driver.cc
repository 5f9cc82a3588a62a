#include "controlplane/node/grpc_driver.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/channel_arguments.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "api/kubelet/dra_health_v1.pb.h"
#include "api/kubelet/dra_v1.pb.h"
#include "api/kubelet/pluginregistration_v1.pb.h"

namespace assay::controlplane::node {
namespace {

namespace dra = k8s::io::kubelet::pkg::apis::dra::v1;

// At least how often a connection is looked at that is kept, or waited for. The longer one is also
// how long the end of the last connection may take.
constexpr Duration kKeepInterval = std::chrono::milliseconds(100);
constexpr Duration kConnectInterval = std::chrono::milliseconds(10);

Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) {
    return OkStatus();
  }
  return Status(static_cast<StatusCode>(status.error_code()), status.error_message());
}

grpc::ByteBuffer ToBuffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string FromBuffer(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (buffer.Valid() && buffer.Dump(&slices).ok()) {
    for (const grpc::Slice& slice : slices) {
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
  }
  return bytes;
}

template <typename Message>
Result<Message> Parse(const std::string& bytes) {
  Message message;
  if (!message.ParseFromString(bytes)) {
    // What grpc-go, and so the kubelet, makes of it.
    return InternalError("grpc: failed to unmarshal the received message: " +
                         message.GetTypeName());
  }
  return message;
}

// The loop as gRPC's threads see it: posting ends when the connection does, for the loop may go
// after that.
class Poster {
 public:
  explicit Poster(EventLoop& loop) : loop_(&loop) {}

  void Post(EventLoop::Task task) {
    const std::lock_guard<std::mutex> lock(mu_);
    if (loop_ != nullptr) {
      loop_->Post(std::move(task));
    }
  }
  void Stop() {
    const std::lock_guard<std::mutex> lock(mu_);
    loop_ = nullptr;
  }

 private:
  std::mutex mu_;
  EventLoop* loop_;  // Guarded by mu_.
};

// What a call needs until gRPC is done with it, which may be after its owner. Shared by the owner's
// handle and gRPC's callback.
struct CallState {
  std::shared_ptr<grpc::Channel> channel;
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;
  bool cancelled = false;  // Touched on the loop only.
};

// gRPC serves the callbacks of all channels from one queue, which ends with the last channel that
// used it. That end races with gRPC 1.51's own threads: they abort the process ("ref_counted.h:
// assertion failed: prior > 0", or a thread joins itself, grpc/grpc#37858). A channel that is never
// destroyed, and that has made a call, keeps the queue.
void KeepCallbackQueue() {
  // Marked as used: a pointer that the compiler leaves out is a leak to LeakSanitizer.
  [[gnu::used]] static const CallState* const kept = [] {
    auto* const state = new CallState;
    state->channel = grpc::CreateChannel("unix:/dev/null", grpc::InsecureChannelCredentials());
    state->request = ToBuffer("");
    state->context.set_deadline(std::chrono::system_clock::now());
    grpc::GenericStub(state->channel)
        .UnaryCall(&state->context, "/assay/Nothing", grpc::StubOptions(), &state->request,
                   &state->response, [](const grpc::Status& /*status*/) {});
    return state;
  }();
}

class CallHandle : public DriverCall {
 public:
  explicit CallHandle(std::shared_ptr<CallState> state) : state_(std::move(state)) {}
  ~CallHandle() override {
    state_->cancelled = true;
    state_->context.TryCancel();
  }

 private:
  std::shared_ptr<CallState> state_;
};

// A server's stream of bytes. Deletes itself when gRPC is done with it.
class StreamReactor : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  StreamReactor(std::shared_ptr<CallState> state, std::shared_ptr<Poster> poster,
                std::function<void(std::string)> on_message, std::function<void(Status)> on_end)
      : state_(std::move(state)),
        poster_(std::move(poster)),
        on_message_(std::move(on_message)),
        on_end_(std::move(on_end)) {}

  void Start(const std::string& method) {
    grpc::GenericStub(state_->channel)
        .PrepareBidiStreamingCall(&state_->context, method, grpc::StubOptions(), this);
    StartWriteLast(&state_->request, grpc::WriteOptions());
    StartRead(&state_->response);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      return;
    }
    poster_->Post(
        [state = state_, on_message = on_message_, bytes = FromBuffer(state_->response)]() mutable {
          if (!state->cancelled) {
            on_message(std::move(bytes));
          }
        });
    StartRead(&state_->response);
  }

  void OnDone(const grpc::Status& status) override {
    poster_->Post([state = state_, on_end = on_end_, result = FromGrpc(status)]() mutable {
      if (!state->cancelled) {
        on_end(std::move(result));
      }
    });
    delete this;
  }

 private:
  std::shared_ptr<CallState> state_;
  std::shared_ptr<Poster> poster_;
  std::function<void(std::string)> on_message_;
  std::function<void(Status)> on_end_;
};

// Watches channels' connectivity. gRPC works on a connection only while somebody polls for it: a
// call under way does, else this thread's queue (else gRPC itself, every 5 s). A watch of that
// queue cannot be cancelled, so each has a short deadline and is made anew.
class ConnectivityPoller {
 public:
  // The process's one, which lives as long as somebody holds it.
  static std::shared_ptr<ConnectivityPoller> Get() {
    static std::mutex mu;
    static std::weak_ptr<ConnectivityPoller> shared;
    const std::lock_guard<std::mutex> lock(mu);
    std::shared_ptr<ConnectivityPoller> poller = shared.lock();
    if (!poller) {
      poller = std::make_shared<ConnectivityPoller>();
      shared = poller;
    }
    return poller;
  }

  ConnectivityPoller() : thread_([this] { Run(); }) {}
  ~ConnectivityPoller() {
    {
      const std::lock_guard<std::mutex> lock(mu_);
      stopping_ = true;
      queue_.Shutdown();
    }
    thread_.join();
  }

  // Calls `on_state` on this thread with the state of now and of whenever it may have changed, at
  // least every `interval`, until `active` is false.
  void Watch(std::shared_ptr<grpc::Channel> channel, Duration interval,
             std::shared_ptr<std::atomic<bool>> active, std::function<void(bool)> on_state) {
    Arm(new Entry{std::move(channel), interval, std::move(active), std::move(on_state)});
  }

 private:
  struct Entry {
    std::shared_ptr<grpc::Channel> channel;
    Duration interval;
    std::shared_ptr<std::atomic<bool>> active;  // Shared with who watches.
    std::function<void(bool)> on_state;
  };

  // Takes `entry` over; the queue holds it as a bare pointer.
  void Arm(Entry* entry) {
    const grpc_connectivity_state state = entry->channel->GetState(/*try_to_connect=*/true);
    if (*entry->active) {
      entry->on_state(state == GRPC_CHANNEL_READY);
    }
    const std::lock_guard<std::mutex> lock(mu_);
    if (stopping_ || !*entry->active) {
      delete entry;
      return;
    }
    entry->channel->NotifyOnStateChange(
        state,
        std::chrono::system_clock::now() +
            std::chrono::duration_cast<std::chrono::system_clock::duration>(entry->interval),
        &queue_, entry);
  }

  void Run() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
      // That gRPC has handed the entry over, ThreadSanitizer sees by this lock alone.
      std::unique_lock<std::mutex>(mu_).unlock();
      Arm(static_cast<Entry*>(tag));
    }
  }

  std::mutex mu_;
  bool stopping_ = false;  // Guarded by mu_.
  grpc::CompletionQueue queue_;
  std::jthread thread_;
};

// A watch, or a wait for a connection. `on_state` runs on the loop.
class ConnectionWatch : public DriverCall {
 public:
  ConnectionWatch(EventLoop& loop, std::shared_ptr<Poster> poster,
                  std::shared_ptr<ConnectivityPoller> poller,
                  std::shared_ptr<grpc::Channel> channel, Duration interval,
                  std::function<void(bool connected)> on_state)
      : loop_(&loop), poller_(std::move(poller)) {
    poller_->Watch(std::move(channel), interval, active_,
                   [poster = std::move(poster), active = active_,
                    on_state = std::move(on_state)](bool connected) {
                     poster->Post([active, on_state, connected] {
                       if (*active) {
                         on_state(connected);
                       }
                     });
                   });
  }
  ~ConnectionWatch() override {
    *active_ = false;
    loop_->CancelTimer(timer_);
  }

  void SetTimeout(Duration timeout, EventLoop::Task task) {
    timer_ = loop_->RunAfter(timeout, std::move(task));
  }

 private:
  EventLoop* loop_;
  std::shared_ptr<ConnectivityPoller> poller_;
  std::shared_ptr<std::atomic<bool>> active_ = std::make_shared<std::atomic<bool>>(true);
  EventLoop::TimerId timer_ = EventLoop::kNoTimer;
};

void SetClaims(const std::vector<ClaimReference>& claims,
               google::protobuf::RepeatedPtrField<dra::Claim>& out) {
  for (const ClaimReference& claim : claims) {
    dra::Claim& added = *out.Add();
    added.set_namespace_(claim.namespace_);
    added.set_name(claim.name);
    added.set_uid(claim.uid);
  }
}

PreparedClaim ToPreparedClaim(const dra::NodePrepareResourceResponse& response,
                              DraVersion version) {
  PreparedClaim claim;
  claim.error = response.error();
  for (const dra::Device& device : response.devices()) {
    PreparedDevice& added = claim.devices.emplace_back();
    added.request_names.assign(device.request_names().begin(), device.request_names().end());
    added.pool_name = device.pool_name();
    added.device_name = device.device_name();
    added.cdi_device_ids.assign(device.cdi_device_ids().begin(), device.cdi_device_ids().end());
    if (device.has_share_id() && version == DraVersion::kV1) {
      added.share_id = device.share_id();
    }
  }
  return claim;
}

std::vector<DeviceHealth> ToDeviceHealth(const v1::NodeWatchResourcesResponse& response) {
  std::vector<DeviceHealth> devices;
  for (const v1::DeviceHealth& device : response.devices()) {
    devices.push_back({.pool_name = device.device().pool_name(),
                       .device_name = device.device().device_name(),
                       .health = device.health() == v1::HEALTHY     ? DeviceHealthState::kHealthy
                                 : device.health() == v1::UNHEALTHY ? DeviceHealthState::kUnhealthy
                                                                    : DeviceHealthState::kUnknown,
                       .last_updated_time = device.last_updated_time(),
                       .health_check_timeout_seconds = device.health_check_timeout_seconds(),
                       .message = device.message()});
  }
  return devices;
}

std::string DraMethod(DraVersion version, std::string_view method) {
  return "/k8s.io.kubelet.pkg.apis.dra." + std::string(ServiceName(version)) + "/" +
         std::string(method);
}

// v1 and v1beta1, and both versions of the health API, have the same messages on the wire, so that
// one set of classes serves them all (api/kubelet/).
class GrpcDriverConnection : public DriverConnection {
 public:
  GrpcDriverConnection(EventLoop& loop, const std::string& socket_path)
      : loop_(&loop),
        socket_path_(socket_path),
        poster_(std::make_shared<Poster>(loop)),
        poller_(ConnectivityPoller::Get()) {
    KeepCallbackQueue();
    grpc::ChannelArguments arguments;
    // A connection of its own, as a restarted kubelet has, even to a socket that others use.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    // The peer is on this machine: it is back as soon as it listens.
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    channel_ = grpc::CreateCustomChannel("unix:" + socket_path, grpc::InsecureChannelCredentials(),
                                         arguments);
  }
  ~GrpcDriverConnection() override { poster_->Stop(); }

  const std::string& socket_path() const override { return socket_path_; }

  void KeepConnected(std::function<void(bool)> on_change) override {
    keep_connected_ = std::make_unique<ConnectionWatch>(
        *loop_, poster_, poller_, channel_, kKeepInterval,
        [before = std::make_shared<bool>(false), on_change = std::move(on_change)](bool connected) {
          if (std::exchange(*before, connected) != connected) {
            on_change(connected);
          }
        });
  }

  Call WaitUntilConnected(Duration timeout, std::function<void(Status)> done) override {
    auto finish = [done = std::move(done),
                   finished = std::make_shared<bool>(false)](Status status) {
      if (!std::exchange(*finished, true)) {
        done(std::move(status));
      }
    };
    auto watch = std::make_unique<ConnectionWatch>(*loop_, poster_, poller_, channel_,
                                                   kConnectInterval, [finish](bool connected) {
                                                     if (connected) {
                                                       finish(OkStatus());
                                                     }
                                                   });
    watch->SetTimeout(timeout, [finish, path = socket_path_] {
      finish(DeadlineExceededError("no connection to " + path));
    });
    return watch;
  }

  Call GetInfo(Duration timeout, Callback<PluginInfo> done) override {
    return CallTyped<pluginregistration::PluginInfo>(
        "/pluginregistration.Registration/GetInfo", pluginregistration::InfoRequest(), timeout,
        [done = std::move(done)](Result<pluginregistration::PluginInfo> info) {
          if (!info.ok()) {
            done(info.status());
            return;
          }
          done(PluginInfo{.type = info->type(),
                          .name = info->name(),
                          .endpoint = info->endpoint(),
                          .supported_versions = {info->supported_versions().begin(),
                                                 info->supported_versions().end()}});
        });
  }

  Call NotifyRegistrationStatus(std::string error, Duration timeout,
                                std::function<void(Status)> done) override {
    pluginregistration::RegistrationStatus request;
    request.set_plugin_registered(error.empty());
    request.set_error(std::move(error));
    return CallTyped<pluginregistration::RegistrationStatusResponse>(
        "/pluginregistration.Registration/NotifyRegistrationStatus", request, timeout,
        [done = std::move(done)](const Result<pluginregistration::RegistrationStatusResponse>& r) {
          done(r.status());
        });
  }

  Call NodePrepareResources(DraVersion version, std::vector<ClaimReference> claims,
                            Duration timeout, Callback<PrepareResponse> done) override {
    dra::NodePrepareResourcesRequest request;
    SetClaims(claims, *request.mutable_claims());
    return CallTyped<dra::NodePrepareResourcesResponse>(
        DraMethod(version, "NodePrepareResources"), request, timeout,
        [version, done = std::move(done)](const Result<dra::NodePrepareResourcesResponse>& r) {
          if (!r.ok()) {
            done(r.status());
            return;
          }
          PrepareResponse response;
          for (const auto& [uid, claim] : r->claims()) {
            response[uid] = ToPreparedClaim(claim, version);
          }
          done(std::move(response));
        });
  }

  Call NodeUnprepareResources(DraVersion version, std::vector<ClaimReference> claims,
                              Duration timeout, Callback<UnprepareResponse> done) override {
    dra::NodeUnprepareResourcesRequest request;
    SetClaims(claims, *request.mutable_claims());
    return CallTyped<dra::NodeUnprepareResourcesResponse>(
        DraMethod(version, "NodeUnprepareResources"), request, timeout,
        [done = std::move(done)](const Result<dra::NodeUnprepareResourcesResponse>& r) {
          if (!r.ok()) {
            done(r.status());
            return;
          }
          UnprepareResponse response;
          for (const auto& [uid, claim] : r->claims()) {
            response[uid] = claim.error();
          }
          done(std::move(response));
        });
  }

  Call NodeWatchResources(HealthVersion version,
                          std::function<void(std::vector<DeviceHealth>)> on_message,
                          std::function<void(Status)> on_end) override {
    auto state = std::make_shared<CallState>();
    state->channel = channel_;
    state->request = ToBuffer("");
    auto* reactor = new StreamReactor(
        state, poster_,
        [state, on_message = std::move(on_message), on_end](const std::string& bytes) {
          const Result<v1::NodeWatchResourcesResponse> response =
              Parse<v1::NodeWatchResourcesResponse>(bytes);
          if (response.ok()) {
            on_message(ToDeviceHealth(*response));
            return;
          }
          // The stream cannot go on: end it, and say why.
          state->cancelled = true;
          state->context.TryCancel();
          on_end(response.status());
        },
        on_end);
    reactor->Start("/" + std::string(ServiceName(version)) + "/NodeWatchResources");
    return std::make_unique<CallHandle>(std::move(state));
  }

  Call CallRaw(std::string method, std::string request, Duration timeout,
               Callback<std::string> done) override {
    auto state = std::make_shared<CallState>();
    state->channel = channel_;
    state->request = ToBuffer(request);
    state->context.set_deadline(
        std::chrono::system_clock::now() +
        std::chrono::duration_cast<std::chrono::system_clock::duration>(timeout));
    grpc::GenericStub(channel_).UnaryCall(
        &state->context, method, grpc::StubOptions(), &state->request, &state->response,
        [state, poster = poster_, done = std::move(done)](const grpc::Status& status) {
          poster->Post([state, done, result = FromGrpc(status)] {
            if (state->cancelled) {
              return;
            }
            if (result.ok()) {
              done(FromBuffer(state->response));
            } else {
              done(result);
            }
          });
        });
    return std::make_unique<CallHandle>(std::move(state));
  }

 private:
  template <typename Response>
  Call CallTyped(std::string method, const google::protobuf::Message& request, Duration timeout,
                 Callback<Response> done) {
    return CallRaw(std::move(method), request.SerializeAsString(), timeout,
                   [done = std::move(done)](const Result<std::string>& bytes) {
                     done(bytes.ok() ? Parse<Response>(*bytes) : Result<Response>(bytes.status()));
                   });
  }

  EventLoop* loop_;
  std::string socket_path_;
  std::shared_ptr<Poster> poster_;              // Shared with calls under way.
  std::shared_ptr<ConnectivityPoller> poller_;  // Shared with all connections.
  std::shared_ptr<grpc::Channel> channel_;      // Shared with calls under way.
  Call keep_connected_;
};

}  // namespace

std::unique_ptr<DriverConnection> GrpcDriverDialer::Dial(const std::string& socket_path) {
  return std::make_unique<GrpcDriverConnection>(*loop_, socket_path);
}

}  // namespace assay::controlplane::node
