#include "conformance/lab/transcript.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace assay::conformance {
namespace {

using controlplane::node::ClaimReference;
using controlplane::node::DeviceHealth;
using controlplane::node::DeviceHealthState;
using controlplane::node::DraVersion;
using controlplane::node::DriverConnection;
using controlplane::node::HealthVersion;
using controlplane::node::PluginInfo;
using controlplane::node::PreparedClaim;
using controlplane::node::PreparedDevice;
using controlplane::node::PrepareResponse;
using controlplane::node::UnprepareResponse;
using Json = nlohmann::ordered_json;

// A driver's strings may be any bytes.
std::string Text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

// The messages, with the field names of their protos.

std::string ToText(const std::vector<ClaimReference>& claims) {
  Json list = Json::array();
  for (const ClaimReference& claim : claims) {
    list.push_back({{"namespace", claim.namespace_}, {"name", claim.name}, {"uid", claim.uid}});
  }
  return Text({{"claims", std::move(list)}});
}

std::string ToText(const PluginInfo& info) {
  return Text({{"type", info.type},
               {"name", info.name},
               {"endpoint", info.endpoint},
               {"supported_versions", info.supported_versions}});
}

Json ToJson(const PreparedDevice& device) {
  Json json = {{"request_names", device.request_names},
               {"pool_name", device.pool_name},
               {"device_name", device.device_name},
               {"cdi_device_ids", device.cdi_device_ids}};
  if (device.share_id) {
    json["share_id"] = *device.share_id;
  }
  return json;
}

std::string ToText(const PrepareResponse& response) {
  Json claims = Json::object();
  for (const auto& [uid, claim] : response) {
    Json& entry = claims[uid] = Json::object();
    for (const PreparedDevice& device : claim.devices) {
      entry["devices"].push_back(ToJson(device));
    }
    if (!claim.error.empty()) {
      entry["error"] = claim.error;
    }
  }
  return Text({{"claims", std::move(claims)}});
}

std::string ToText(const UnprepareResponse& response) {
  Json claims = Json::object();
  for (const auto& [uid, error] : response) {
    claims[uid] = error.empty() ? Json::object() : Json{{"error", error}};
  }
  return Text({{"claims", std::move(claims)}});
}

std::string ToText(const std::vector<DeviceHealth>& devices) {
  Json list = Json::array();
  for (const DeviceHealth& device : devices) {
    list.push_back({{"pool_name", device.pool_name},
                    {"device_name", device.device_name},
                    {"health", device.health == DeviceHealthState::kHealthy     ? "HEALTHY"
                               : device.health == DeviceHealthState::kUnhealthy ? "UNHEALTHY"
                                                                                : "UNKNOWN"},
                    {"last_updated_time", device.last_updated_time},
                    {"message", device.message}});
  }
  return Text({{"devices", std::move(list)}});
}

std::string ToText(const std::string& bytes) { return std::to_string(bytes.size()) + " bytes"; }

// One call: notes that it begins, and how it ended.
class CallNote {
 public:
  CallNote(Transcript& transcript, std::string name, const std::string& request)
      : transcript_(&transcript), name_(std::move(name)), begin_(Clock::Real().Monotonic()) {
    transcript_->Add("kubelet", name_, request);
  }

  template <typename T>
  void End(const Result<T>& answer) const {
    if (answer.ok()) {
      transcript_->Add("driver", name_ + " answered" + After(), ToText(*answer));
    } else {
      End(answer.status());
    }
  }
  void End(const Status& status) const {
    transcript_->Add("driver", name_ + (status.ok() ? " answered" : " failed") + After() +
                                   (status.ok() ? "" : ": " + status.ToString()));
  }

 private:
  std::string After() const {
    const Duration took = Clock::Real().Monotonic() - begin_;
    return " after " +
           std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()) +
           " ms";
  }

  Transcript* transcript_;
  std::string name_;
  MonotonicTime begin_;
};

class TranscribedConnection : public DriverConnection {
 public:
  TranscribedConnection(std::unique_ptr<DriverConnection> connection, Transcript& transcript)
      : connection_(std::move(connection)), transcript_(transcript) {}

  const std::string& socket_path() const override { return connection_->socket_path(); }

  void KeepConnected(std::function<void(bool connected)> on_change) override {
    connection_->KeepConnected(std::move(on_change));
  }

  Call WaitUntilConnected(Duration timeout, std::function<void(Status)> done) override {
    return connection_->WaitUntilConnected(timeout, std::move(done));
  }

  Call GetInfo(Duration timeout, Callback<PluginInfo> done) override {
    return connection_->GetInfo(timeout, Noting("GetInfo", "", std::move(done)));
  }

  Call NotifyRegistrationStatus(std::string error, Duration timeout,
                                std::function<void(Status)> done) override {
    const CallNote note(transcript_, "NotifyRegistrationStatus",
                        error.empty() ? "registered" : error);
    return connection_->NotifyRegistrationStatus(std::move(error), timeout,
                                                 [note, done = std::move(done)](Status status) {
                                                   note.End(status);
                                                   done(std::move(status));
                                                 });
  }

  Call NodePrepareResources(DraVersion version, std::vector<ClaimReference> claims,
                            Duration timeout, Callback<PrepareResponse> done) override {
    auto noting = Noting(Name("NodePrepareResources", version), ToText(claims), std::move(done));
    return connection_->NodePrepareResources(version, std::move(claims), timeout,
                                             std::move(noting));
  }

  Call NodeUnprepareResources(DraVersion version, std::vector<ClaimReference> claims,
                              Duration timeout, Callback<UnprepareResponse> done) override {
    auto noting = Noting(Name("NodeUnprepareResources", version), ToText(claims), std::move(done));
    return connection_->NodeUnprepareResources(version, std::move(claims), timeout,
                                               std::move(noting));
  }

  Call NodeWatchResources(HealthVersion version,
                          std::function<void(std::vector<DeviceHealth>)> on_message,
                          std::function<void(Status)> on_end) override {
    const std::string name = "NodeWatchResources (" + std::string(ServiceName(version)) + ")";
    transcript_.Add("kubelet", name);
    return connection_->NodeWatchResources(
        version,
        [this, name, on_message = std::move(on_message)](std::vector<DeviceHealth> devices) {
          transcript_.Add("driver", name + " sent", ToText(devices));
          on_message(std::move(devices));
        },
        [this, name, on_end = std::move(on_end)](Status status) {
          transcript_.Add("driver", name + " ended: " + status.ToString());
          on_end(std::move(status));
        });
  }

  Call CallRaw(std::string method, std::string request, Duration timeout,
               Callback<std::string> done) override {
    auto noting = Noting(method, ToText(request), std::move(done));
    return connection_->CallRaw(std::move(method), std::move(request), timeout, std::move(noting));
  }

 private:
  static std::string Name(const std::string& method, DraVersion version) {
    return method + " (" + std::string(ServiceName(version)) + ")";
  }

  template <typename T>
  Callback<T> Noting(std::string name, const std::string& request, Callback<T> done) {
    return [note = CallNote(transcript_, std::move(name), request),
            done = std::move(done)](Result<T> answer) {
      note.End(answer);
      done(std::move(answer));
    };
  }

  std::unique_ptr<DriverConnection> connection_;
  Transcript& transcript_;
};

class TranscribedHooks : public DeviceHooks {
 public:
  TranscribedHooks(std::unique_ptr<DeviceHooks> hooks, Transcript& transcript)
      : hooks_(std::move(hooks)), transcript_(transcript) {}

  bool Has(Hook hook) const override { return hooks_->Has(hook); }

  Status Run(Hook hook, const std::string& device) override {
    Status status = hooks_->Run(hook, device);
    transcript_.Add("harness", "hook " + std::string(HookName(hook)) + " of " + device + ": " +
                                   status.ToString());
    return status;
  }

 private:
  std::unique_ptr<DeviceHooks> hooks_;
  Transcript& transcript_;
};

}  // namespace

void Transcript::Add(std::string from, std::string what, std::string detail) {
  const std::lock_guard lock(mu_);
  entries_.push_back({.time = Clock::Real().Now(),
                      .from = std::move(from),
                      .what = std::move(what),
                      .detail = std::move(detail)});
  if (entries_.size() > kMaxEntries) {
    entries_.pop_front();
  }
}

std::vector<TranscriptEntry> Transcript::Since(WallTime time) const {
  const std::lock_guard lock(mu_);
  std::vector<TranscriptEntry> entries;
  for (const TranscriptEntry& entry : entries_) {
    if (entry.time >= time) {
      entries.push_back(entry);
    }
  }
  return entries;
}

std::unique_ptr<DriverConnection> Transcribed(std::unique_ptr<DriverConnection> connection,
                                              Transcript& transcript) {
  return std::make_unique<TranscribedConnection>(std::move(connection), transcript);
}

std::unique_ptr<DeviceHooks> Transcribed(std::unique_ptr<DeviceHooks> hooks,
                                         Transcript& transcript) {
  return std::make_unique<TranscribedHooks>(std::move(hooks), transcript);
}

}  // namespace assay::conformance
