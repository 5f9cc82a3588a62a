#include "controlplane/node/blocking_driver.h"

#include <future>
#include <utility>

#include "controlplane/node/grpc_driver.h"

namespace assay::controlplane::node {

BlockingDriver::BlockingDriver(const std::string& socket_path, const Wrap& wrap) {
  loop_.Start();
  RunOnLoop([&] {
    connection_ = GrpcDriverDialer(loop_).Dial(socket_path);
    if (wrap) {
      connection_ = wrap(std::move(connection_));
    }
  });
}

BlockingDriver::~BlockingDriver() {
  RunOnLoop([&] { connection_.reset(); });
  loop_.StopAndJoin();
}

void BlockingDriver::RunOnLoop(const std::function<void()>& task) {
  std::promise<void> done;
  loop_.Post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

// Every call has a deadline of its own, so that this waits without one.
template <typename T>
T BlockingDriver::Wait(const std::function<DriverConnection::Call(std::function<void(T)>)>& start) {
  std::promise<T> done;
  DriverConnection::Call call;
  RunOnLoop([&] { call = start([&](T value) { done.set_value(std::move(value)); }); });
  T value = done.get_future().get();
  RunOnLoop([&] { call.reset(); });
  return value;
}

Status BlockingDriver::WaitUntilConnected(Duration timeout) {
  return Wait<Status>(
      [&](auto done) { return connection_->WaitUntilConnected(timeout, std::move(done)); });
}

Result<PluginInfo> BlockingDriver::GetInfo(Duration timeout) {
  return Wait<Result<PluginInfo>>(
      [&](auto done) { return connection_->GetInfo(timeout, std::move(done)); });
}

Status BlockingDriver::NotifyRegistrationStatus(const std::string& error, Duration timeout) {
  return Wait<Status>([&](auto done) {
    return connection_->NotifyRegistrationStatus(error, timeout, std::move(done));
  });
}

Result<PrepareResponse> BlockingDriver::Prepare(std::vector<ClaimReference> claims,
                                                DraVersion version, Duration timeout) {
  return Wait<Result<PrepareResponse>>([&](auto done) {
    return connection_->NodePrepareResources(version, claims, timeout, std::move(done));
  });
}

Result<UnprepareResponse> BlockingDriver::Unprepare(std::vector<ClaimReference> claims,
                                                    DraVersion version, Duration timeout) {
  return Wait<Result<UnprepareResponse>>([&](auto done) {
    return connection_->NodeUnprepareResources(version, claims, timeout, std::move(done));
  });
}

Result<std::string> BlockingDriver::CallRaw(const std::string& method, const std::string& request,
                                            Duration timeout) {
  return Wait<Result<std::string>>(
      [&](auto done) { return connection_->CallRaw(method, request, timeout, std::move(done)); });
}

std::unique_ptr<BlockingDriver::Pending> BlockingDriver::StartPrepare(
    std::vector<ClaimReference> claims, DraVersion version, Duration timeout) {
  auto pending = std::unique_ptr<Pending>(new Pending(*this));
  RunOnLoop([&] {
    pending->call_ = connection_->NodePrepareResources(
        version, std::move(claims), timeout,
        [pending = pending.get()](Result<PrepareResponse> response) {
          const std::lock_guard<std::mutex> lock(pending->mu_);
          pending->result_ = std::move(response);
          pending->done_.notify_all();
        });
  });
  return pending;
}

BlockingDriver::Pending::~Pending() { Cancel(); }

void BlockingDriver::Pending::Cancel() {
  driver_->RunOnLoop([&] { call_.reset(); });
  const std::lock_guard<std::mutex> lock(mu_);
  if (!result_) {
    result_ = CancelledError("cancelled by the caller");
    done_.notify_all();
  }
}

Result<PrepareResponse> BlockingDriver::Pending::Wait() {
  std::unique_lock<std::mutex> lock(mu_);
  done_.wait(lock, [&] { return result_.has_value(); });
  return *result_;
}

std::unique_ptr<BlockingDriver::HealthStream> BlockingDriver::WatchHealth(HealthVersion version) {
  auto stream = std::unique_ptr<HealthStream>(new HealthStream(*this));
  RunOnLoop([&] {
    stream->call_ = connection_->NodeWatchResources(
        version,
        [stream = stream.get()](std::vector<DeviceHealth> devices) {
          const std::lock_guard<std::mutex> lock(stream->mu_);
          stream->messages_.push_back(std::move(devices));
          stream->changed_.notify_all();
        },
        [stream = stream.get()](Status status) {
          const std::lock_guard<std::mutex> lock(stream->mu_);
          stream->end_ = std::move(status);
          stream->changed_.notify_all();
        });
  });
  return stream;
}

BlockingDriver::HealthStream::~HealthStream() {
  driver_->RunOnLoop([&] { call_.reset(); });
}

Result<std::vector<DeviceHealth>> BlockingDriver::HealthStream::Next(Duration timeout) {
  std::unique_lock<std::mutex> lock(mu_);
  changed_.wait_for(lock, timeout, [&] { return !messages_.empty() || end_.has_value(); });
  if (!messages_.empty()) {
    std::vector<DeviceHealth> devices = std::move(messages_.front());
    messages_.pop_front();
    return devices;
  }
  if (!end_) {
    return DeadlineExceededError("no health message came");
  }
  return end_->ok() ? UnavailableError("the driver ended the health stream") : *end_;
}

}  // namespace assay::controlplane::node
