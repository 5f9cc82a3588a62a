#include "controlplane/node/grpc_driver.h"

#include <fcntl.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/channel_arguments.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include "api/kubelet/dra_health_v1.pb.h"
#include "api/kubelet/dra_v1.pb.h"
#include "api/kubelet/pluginregistration_v1.pb.h"

namespace assay::controlplane::node {
namespace {

namespace dra = k8s::io::kubelet::pkg::apis::dra::v1;

// How often a connection is tried that is kept, or waited for. The driver is on this machine: what
// a try costs is nothing.
constexpr Duration kReconnectInterval = std::chrono::milliseconds(100);
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

// The connection to a socket. gRPC gets it connected: a channel of gRPC 1.51 that connects by
// itself, and ends between its connect() and the driver's SETTINGS, leaves the descriptor open for
// good (Subchannel::OnConnectingFinishedLocked drops the transport when it has been shut down).
// A channel over a descriptor has no more than that, and closes it when it ends.
//
// Lives on the loop.
class Link {
 public:
  Link(EventLoop& loop, std::string socket_path)
      : loop_(&loop), socket_path_(std::move(socket_path)) {}
  ~Link() {
    loop_->CancelTimer(end_timer_);
    Disconnect();
  }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Runs when the connection that there is ends, later.
  void SetOnEnd(EventLoop::Task on_end) { on_end_ = std::move(on_end); }

  // The channel that there is, or a new one. kUnavailable, in grpc-go's words, where the socket
  // takes no connection.
  Result<std::shared_ptr<grpc::Channel>> Connect() {
    if (channel_ && HasEnded()) {
      End();
    }
    if (channel_) {
      return channel_;
    }
    ASSAY_ASSIGN_OR_RETURN(const int socket, Dial());
    const Status watched = WatchEnd(socket);
    if (!watched.ok()) {
      Disconnect();
      ::close(socket);
      return watched;
    }
    grpc::ChannelArguments arguments;
    arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
    channel_ = grpc::CreateCustomInsecureChannelFromFd(socket_path_, socket, arguments);
    return channel_;
  }

 private:
  Result<int> Dial() const {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    int error = socket_path_.size() < sizeof(address.sun_path) ? 0 : EINVAL;
    socket_path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    // A unix socket connects at once or not at all.
    if (error == 0 && (socket < 0 || ::connect(socket, reinterpret_cast<const sockaddr*>(&address),
                                               sizeof(address)) != 0)) {
      error = errno;
    }
    if (error == 0) {
      return socket;
    }
    ::close(socket);
    return UnavailableError(
        "connection error: desc = \"transport: Error while dialing: dial unix " + socket_path_ +
        ": connect: " + std::generic_category().message(error) + "\"");
  }

  // gRPC closes its descriptor when the peer has, so that the end is seen on a duplicate; and by an
  // epoll of its own, since the loop would also be told of every byte that comes.
  Status WatchEnd(int socket) {
    socket_ = ::fcntl(socket, F_DUPFD_CLOEXEC, 0);
    ended_ = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event = {};
    event.events = EPOLLRDHUP;
    if (socket_ < 0 || ended_ < 0 || ::epoll_ctl(ended_, EPOLL_CTL_ADD, socket_, &event) != 0) {
      return ErrnoError(errno, "watching the connection to " + socket_path_);
    }
    return loop_->WatchReadable(ended_, [this] { End(); });
  }
  bool HasEnded() const {
    epoll_event event = {};
    return ::epoll_wait(ended_, &event, 1, /*timeout=*/0) > 0;
  }
  void End() {
    Disconnect();
    if (on_end_) {
      loop_->CancelTimer(end_timer_);
      end_timer_ = loop_->RunAfter(Duration(0), on_end_);
    }
  }
  void Disconnect() {
    channel_.reset();
    if (ended_ >= 0) {
      loop_->Unwatch(ended_);
    }
    for (int* descriptor : {&ended_, &socket_}) {
      if (*descriptor >= 0) {
        ::close(std::exchange(*descriptor, -1));
      }
    }
  }

  EventLoop* loop_;
  std::string socket_path_;
  std::shared_ptr<grpc::Channel> channel_;  // Shared with calls under way.
  int socket_ = -1;                         // A duplicate of the channel's.
  int ended_ = -1;                          // An epoll: readable when the connection has ended.
  EventLoop::Task on_end_;
  EventLoop::TimerId end_timer_ = EventLoop::kNoTimer;
};

// Tries until there is a connection, or no time left.
class ConnectionWait : public DriverCall {
 public:
  ConnectionWait(EventLoop& loop, std::weak_ptr<Link> link, Duration timeout,
                 std::function<void(Status)> done)
      : loop_(&loop),
        link_(std::move(link)),
        end_(loop.clock().Monotonic() + timeout),
        done_(std::move(done)) {
    TryAfter(Duration(0));
  }
  ~ConnectionWait() override { loop_->CancelTimer(timer_); }

 private:
  void TryAfter(Duration delay) {
    timer_ = loop_->RunAfter(delay, [this] {
      const std::shared_ptr<Link> link = link_.lock();
      if (!link) {
        return;
      }
      const Status connected = link->Connect().status();
      if (!connected.ok() && loop_->clock().Monotonic() < end_) {
        TryAfter(kConnectInterval);
        return;
      }
      // Who is told may destroy this.
      const auto done = std::move(done_);
      done(connected.ok() ? OkStatus() : DeadlineExceededError(connected.message()));
    });
  }

  EventLoop* loop_;
  std::weak_ptr<Link> link_;
  MonotonicTime end_;
  std::function<void(Status)> done_;
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
        link_(std::make_shared<Link>(loop, socket_path)) {
    KeepCallbackQueue();
  }
  ~GrpcDriverConnection() override {
    loop_->CancelTimer(connect_timer_);
    poster_->Stop();
  }

  const std::string& socket_path() const override { return socket_path_; }

  void KeepConnected(std::function<void(bool)> on_change) override {
    on_change_ = std::move(on_change);
    link_->SetOnEnd([this] {
      // Not so: it is being waited for already.
      if (std::exchange(connected_, false)) {
        ConnectAfter(kReconnectInterval);
        on_change_(false);
      }
    });
    ConnectAfter(Duration(0));
  }

  Call WaitUntilConnected(Duration timeout, std::function<void(Status)> done) override {
    return std::make_unique<ConnectionWait>(*loop_, link_, timeout, std::move(done));
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
    if (const Status connected = ConnectFor(*state); !connected.ok()) {
      return Failed(std::move(state), connected, on_end);
    }
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
    if (const Status connected = ConnectFor(*state); !connected.ok()) {
      return Failed(std::move(state), connected,
                    [done = std::move(done)](Status status) { done(std::move(status)); });
    }
    state->request = ToBuffer(request);
    state->context.set_deadline(
        std::chrono::system_clock::now() +
        std::chrono::duration_cast<std::chrono::system_clock::duration>(timeout));
    grpc::GenericStub(state->channel)
        .UnaryCall(&state->context, method, grpc::StubOptions(), &state->request, &state->response,
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

  void ConnectAfter(Duration delay) {
    connect_timer_ = loop_->RunAfter(delay, [this] {
      if (!link_->Connect().ok()) {
        ConnectAfter(kReconnectInterval);
        return;
      }
      connected_ = true;
      on_change_(true);
    });
  }

  Status ConnectFor(CallState& state) {
    ASSAY_ASSIGN_OR_RETURN(state.channel, link_->Connect());
    return OkStatus();
  }
  // A call that could not begin.
  Call Failed(std::shared_ptr<CallState> state, Status status, std::function<void(Status)> done) {
    poster_->Post([state, status = std::move(status), done = std::move(done)] {
      if (!state->cancelled) {
        done(status);
      }
    });
    return std::make_unique<CallHandle>(std::move(state));
  }

  EventLoop* loop_;
  std::string socket_path_;
  std::shared_ptr<Poster> poster_;  // Shared with calls under way.
  std::shared_ptr<Link> link_;      // Shared with nobody: waits look whether it is still there.
  std::function<void(bool)> on_change_;
  bool connected_ = false;  // What on_change_ was told last.
  EventLoop::TimerId connect_timer_ = EventLoop::kNoTimer;
};

}  // namespace

std::unique_ptr<DriverConnection> GrpcDriverDialer::Dial(const std::string& socket_path) {
  return std::make_unique<GrpcDriverConnection>(*loop_, socket_path);
}

}  // namespace assay::controlplane::node
