#include "driver-ref/kubelet/services.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>

#include "api/kubelet/dra_health_v1.grpc.pb.h"
#include "api/kubelet/dra_health_v1alpha1.grpc.pb.h"
#include "api/kubelet/dra_v1.grpc.pb.h"
#include "api/kubelet/dra_v1beta1.grpc.pb.h"
#include "api/kubelet/pluginregistration_v1.grpc.pb.h"
#include "driver-ref/discovery/devices.h"
#include "driver-ref/kubelet/grpc_status.h"
#include "driver-ref/mutants.h"

namespace assay::driver_ref::kubelet {
namespace {

namespace dra_v1 = k8s::io::kubelet::pkg::apis::dra::v1;
namespace dra_v1beta1 = k8s::io::kubelet::pkg::apis::dra::v1beta1;

// Claims of one call that are worked on at the same time.
constexpr std::size_t kMaxParallel = 16;
// A device whose health the kubelet has not heard of for this long counts as unknown (its default).
constexpr std::int64_t kHealthTimeoutSeconds = 30;
constexpr Duration kHealthResend = std::chrono::seconds(10);
// How soon a stream notices that its reader went.
constexpr Duration kStreamWait = std::chrono::milliseconds(200);

// Calls `work` for every claim of the request, several at a time.
template <typename Claims, typename Work>
void ForEachClaim(const Claims& claims, const Work& work) {
  std::vector<std::jthread> workers;
  for (int i = 1; i < claims.size(); ++i) {
    if (workers.size() == kMaxParallel) {
      workers.clear();  // Joins.
    }
    workers.emplace_back([&work, &claim = claims[i]] { work(claim); });
  }
  if (!claims.empty()) {
    work(claims[0]);
  }
}

template <typename Claim>
prepare::ClaimReference ToReference(const Claim& claim) {
  return {.namespace_ = claim.namespace_(), .name = claim.name(), .uid = claim.uid()};
}

// v1beta1 has no share IDs.
void SetShareId(const std::string& id, dra_v1::Device& device) { device.set_share_id(id); }
void SetShareId(const std::string& /*id*/, dra_v1beta1::Device& /*device*/) {}

template <typename Base, typename PrepareRequest, typename PrepareReply, typename UnprepareRequest,
          typename UnprepareReply>
class PluginService : public Base {
 public:
  PluginService(prepare::Preparer& preparer, Metrics& metrics)
      : preparer_(&preparer), metrics_(&metrics) {}

  grpc::Status NodePrepareResources(grpc::ServerContext* context, const PrepareRequest* request,
                                    PrepareReply* reply) override {
    std::mutex mu;
    ForEachClaim(request->claims(), [&](const auto& claim) {
      const prepare::ClaimReference reference = ToReference(claim);
      const MonotonicTime start = Clock::Real().Monotonic();
      const Result<std::vector<prepare::PreparedDevice>> devices =
          preparer_->Prepare(reference, [context] { return context->IsCancelled(); });
      metrics_->CountClaim("prepare", devices.status(), Clock::Real().Monotonic() - start);
      if (devices.ok()) {
        spdlog::info("claim {}: prepared, {} devices", reference.ToString(), devices->size());
      } else {
        spdlog::error("claim {}: preparing: {}",
                      mutants::Is("anonymous-errors") ? "" : reference.ToString(),
                      devices.status().ToString());
      }
      const std::lock_guard<std::mutex> lock(mu);
      auto& entry = (*reply->mutable_claims())[claim.uid()];
      entry.Clear();  // The claim may be in the request twice.
      if (!devices.ok()) {
        entry.set_error(ToClaimError(devices.status()));
        return;
      }
      for (const prepare::PreparedDevice& device : *devices) {
        auto& added = *entry.add_devices();
        added.set_pool_name(device.allocation.pool);
        added.set_device_name(device.allocation.device);
        for (const std::string& name : device.allocation.requests) {
          added.add_request_names(name);
        }
        for (const std::string& id : device.cdi_device_ids) {
          added.add_cdi_device_ids(id);
        }
        if (device.allocation.share_id && !mutants::Is("forgets-shares")) {
          SetShareId(*device.allocation.share_id, added);
        }
      }
    });
    return grpc::Status::OK;
  }

  grpc::Status NodeUnprepareResources(grpc::ServerContext* /*context*/,
                                      const UnprepareRequest* request,
                                      UnprepareReply* reply) override {
    std::mutex mu;
    ForEachClaim(request->claims(), [&](const auto& claim) {
      const prepare::ClaimReference reference = ToReference(claim);
      const MonotonicTime start = Clock::Real().Monotonic();
      const Status status = preparer_->Unprepare(reference);
      metrics_->CountClaim("unprepare", status, Clock::Real().Monotonic() - start);
      if (status.ok()) {
        spdlog::info("claim {}: unprepared", reference.ToString());
      } else {
        spdlog::error("claim {}: unpreparing: {}", reference.ToString(), status.ToString());
      }
      const std::lock_guard<std::mutex> lock(mu);
      (*reply->mutable_claims())[claim.uid()].set_error(ToClaimError(status));
    });
    if (mutants::Is("batch-fails-together")) {
      for (const auto& [uid, entry] : reply->claims()) {
        if (!entry.error().empty()) {
          return ToGrpc(InternalError(entry.error()));
        }
      }
    }
    return grpc::Status::OK;
  }

 private:
  prepare::Preparer* preparer_;
  Metrics* metrics_;
};

using PluginV1 =
    PluginService<dra_v1::DRAPlugin::Service, dra_v1::NodePrepareResourcesRequest,
                  dra_v1::NodePrepareResourcesResponse, dra_v1::NodeUnprepareResourcesRequest,
                  dra_v1::NodeUnprepareResourcesResponse>;
using PluginV1beta1 =
    PluginService<dra_v1beta1::DRAPlugin::Service, dra_v1beta1::NodePrepareResourcesRequest,
                  dra_v1beta1::NodePrepareResourcesResponse,
                  dra_v1beta1::NodeUnprepareResourcesRequest,
                  dra_v1beta1::NodeUnprepareResourcesResponse>;

class RegistrationService : public pluginregistration::Registration::Service {
 public:
  RegistrationService(const Services::Options& options, Metrics& metrics) : metrics_(&metrics) {
    info_.set_type(mutants::Is("wrong-plugin-type") ? "DevicePlugin" : "DRAPlugin");
    info_.set_name(options.driver_name);
    info_.set_endpoint(options.endpoint);
    // The kubelet takes the first that it knows.
    std::vector<std::string> versions = {"v1.DRAPlugin", "v1beta1.DRAPlugin",
                                         "v1.DRAResourceHealth", "v1alpha1.DRAResourceHealth"};
    if (mutants::Is("oldest-version-first")) {
      std::swap(versions[0], versions[1]);
    }
    for (const std::string& version : versions) {
      info_.add_supported_versions(version);
    }
  }

  grpc::Status GetInfo(grpc::ServerContext* /*context*/,
                       const pluginregistration::InfoRequest* /*request*/,
                       pluginregistration::PluginInfo* reply) override {
    *reply = info_;
    return grpc::Status::OK;
  }

  grpc::Status NotifyRegistrationStatus(
      grpc::ServerContext* /*context*/, const pluginregistration::RegistrationStatus* request,
      pluginregistration::RegistrationStatusResponse* /*reply*/) override {
    metrics_->SetRegistered(request->plugin_registered());
    if (request->plugin_registered()) {
      spdlog::info("registered with the kubelet");
    } else {
      spdlog::error("the kubelet refuses the registration: {}", request->error());
    }
    return mutants::Is("refuses-notification") ? ToGrpc(InternalError("refused"))
                                               : ToGrpc(OkStatus());
  }

 private:
  pluginregistration::PluginInfo info_;
  Metrics* metrics_;
};

// Tells health streams that there is something new.
class HealthSignal {
 public:
  void Notify() {
    const std::lock_guard<std::mutex> lock(mu_);
    ++changes_;
    changed_.notify_all();
  }
  void End() {
    const std::lock_guard<std::mutex> lock(mu_);
    ended_ = true;
    changed_.notify_all();
  }
  // Waits for a change after `seen`, and moves it on; false at the end of all streams.
  bool Wait(std::uint64_t& seen, Duration timeout) {
    std::unique_lock<std::mutex> lock(mu_);
    changed_.wait_for(lock, timeout, [&] { return ended_ || changes_ != seen; });
    seen = changes_;
    return !ended_;
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  std::uint64_t changes_ = 0;  // Guarded by mu_.
  bool ended_ = false;         // Guarded by mu_.
};

// Empty of a device that is well.
std::string HealthMessage(const discovery::Picture& picture, const discovery::NodeDevice& device) {
  const std::string& needs = device.needs();
  if (needs.empty()) {
    return "";
  }
  const std::string what = device.gpu != nullptr ? "the GPU" : "the device";
  std::string message =
      needs == "lost" ? what + " does not answer any more" : what + " needs: " + needs;
  if (device.gpu == nullptr) {
    return message;
  }
  if (const auto xid = picture.xids.find(device.gpu->uuid); xid != picture.xids.end()) {
    message += "; XID " + std::to_string(xid->second);
  }
  return message;
}

template <typename Base, typename Request, typename Reply>
class HealthService : public Base {
 public:
  HealthService(const Services::Options& options, discovery::Monitor& monitor, HealthSignal& signal)
      : pool_(options.pool_name), monitor_(&monitor), signal_(&signal) {}

  grpc::Status NodeWatchResources(grpc::ServerContext* context, const Request* /*request*/,
                                  grpc::ServerWriter<Reply>* writer) override {
    const Clock& clock = Clock::Real();
    std::uint64_t seen = 0;
    std::uint64_t sent_change = 0;
    WallTime sent_picture{};
    MonotonicTime sent_at{};
    bool first = true;
    while (!context->IsCancelled()) {
      const std::optional<discovery::Picture> picture = monitor_->Last();
      const bool old = clock.Monotonic() - sent_at > kHealthResend && !mutants::Is("health-once");
      const bool due = first || seen != sent_change || old;
      // A picture that is no longer renewed is not sent again: the kubelet shall notice.
      if (picture && due && picture->time != sent_picture) {
        if (!writer->Write(ToReply(*picture))) {
          return grpc::Status::OK;
        }
        first = false;
        sent_change = seen;
        sent_picture = picture->time;
        sent_at = clock.Monotonic();
      }
      if (!signal_->Wait(seen, kStreamWait)) {
        return ToGrpc(UnavailableError("the driver ends"));
      }
    }
    return grpc::Status::CANCELLED;
  }

 private:
  Reply ToReply(const discovery::Picture& picture) const {
    Reply reply;
    const auto checked =
        std::chrono::duration_cast<std::chrono::seconds>(picture.time.time_since_epoch());
    for (const discovery::NodeDevice& source : discovery::DevicesOf(picture.inventory)) {
      const std::string message = HealthMessage(picture, source);
      auto& device = *reply.add_devices();
      device.mutable_device()->set_pool_name(pool_);
      device.mutable_device()->set_device_name(source.name);
      using Device = std::remove_reference_t<decltype(device)>;
      // HEALTHY and UNHEALTHY, which both versions number alike.
      device.set_health(
          static_cast<decltype(std::declval<Device>().health())>(message.empty() ? 1 : 2));
      device.set_last_updated_time(checked.count());
      device.set_health_check_timeout_seconds(kHealthTimeoutSeconds);
      device.set_message(message);
      if (mutants::Is("reports-one-device")) {
        return reply;
      }
    }
    return reply;
  }

  std::string pool_;
  discovery::Monitor* monitor_;
  HealthSignal* signal_;
};

using HealthV1 = HealthService<v1::DRAResourceHealth::Service, v1::NodeWatchResourcesRequest,
                               v1::NodeWatchResourcesResponse>;
using HealthV1alpha1 =
    HealthService<v1alpha1::DRAResourceHealth::Service, v1alpha1::NodeWatchResourcesRequest,
                  v1alpha1::NodeWatchResourcesResponse>;

}  // namespace

struct Services::Impl {
  Impl(const Options& options, prepare::Preparer& preparer, discovery::Monitor& monitor,
       Metrics& metrics)
      : registration(options, metrics),
        plugin_v1(preparer, metrics),
        plugin_v1beta1(preparer, metrics),
        health_v1(options, monitor, signal),
        health_v1alpha1(options, monitor, signal) {}

  HealthSignal signal;
  RegistrationService registration;
  PluginV1 plugin_v1;
  PluginV1beta1 plugin_v1beta1;
  HealthV1 health_v1;
  HealthV1alpha1 health_v1alpha1;
};

Services::Services(Options options, prepare::Preparer& preparer, discovery::Monitor& monitor,
                   Metrics& metrics)
    : impl_(std::make_unique<Impl>(options, preparer, monitor, metrics)) {
  monitor.AddListener([this] { impl_->signal.Notify(); });
}

Services::~Services() = default;

std::vector<grpc::Service*> Services::registration() const { return {&impl_->registration}; }

std::vector<grpc::Service*> Services::plugin() const {
  return {&impl_->plugin_v1, &impl_->plugin_v1beta1, &impl_->health_v1, &impl_->health_v1alpha1};
}

void Services::EndStreams() { impl_->signal.End(); }

}  // namespace assay::driver_ref::kubelet
