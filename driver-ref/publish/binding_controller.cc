#include "driver-ref/publish/binding_controller.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "api/meta/time.h"
#include "api/resource/types.h"
#include "driver-ref/discovery/devices.h"
#include "driver-ref/mutants.h"
#include "driver-ref/prepare/allocation.h"

namespace assay::driver_ref::publish {
namespace {

using Json = nlohmann::json;
using api::client::ObjectKey;
using api::client::Task;
using api::meta::Condition;
using api::resource::AllocatedDeviceStatus;
using api::resource::DeviceRequestAllocationResult;
using api::resource::ResourceClaim;
using ClaimRef = std::shared_ptr<const ResourceClaim>;

// Index of the claims that have a device to bind here.
constexpr char kToBind[] = "to-bind";

// How the binding of a device goes.
struct Progress {
  enum class State { kPending, kReady, kFailed };
  State state = State::kPending;
  std::string reason;
  std::string message;
};

Progress ProgressOf(const discovery::Gpu* gpu) {
  using State = Progress::State;
  if (gpu == nullptr) {
    return {State::kFailed, "DeviceGone", "the GPU is not on its node any more"};
  }
  if (gpu->needs == "lost") {
    return {State::kFailed, "DeviceLost", "the GPU does not answer any more"};
  }
  switch (gpu->fabric) {
    case discovery::Fabric::kPending:
      return {State::kPending, "FabricPending", "the GPU registers with its NVLink fabric"};
    case discovery::Fabric::kFailed:
      return {State::kFailed, "FabricFailed",
              "the GPU could not register with its NVLink fabric: " + gpu->fabric_error};
    case discovery::Fabric::kReady:
      return {State::kReady, "FabricReady", "the GPU is part of its NVLink fabric"};
    case discovery::Fabric::kNone:
      break;
  }
  return {State::kReady, "NoFabric", "the GPU belongs to no NVLink fabric"};
}

bool Has(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::count(names, name) != 0;
}

bool IsToBind(const DeviceRequestAllocationResult& result,
              const BindingController::Options& options) {
  return result.driver == options.driver_name && result.pool == options.pool_name &&
         Has(result.binding_conditions, discovery::FabricReadyCondition(options.driver_name));
}

// What the conditions of one claim's devices should be, and whether they are that already.
class Plan {
 public:
  Plan(const ResourceClaim& claim, const BindingController::Options& options, api::meta::Time now)
      : claim_(claim),
        ready_(discovery::FabricReadyCondition(options.driver_name)),
        failed_(discovery::FabricFailedCondition(options.driver_name)),
        now_(now) {}

  void Add(const DeviceRequestAllocationResult& result, const Progress& progress) {
    const AllocatedDeviceStatus* const before = prepare::StatusOf(claim_, prepare::KeyOf(result));
    Json conditions = Json::array();
    if (const Condition* ready = prepare::ConditionOf(before, ready_);
        ready && ready->status == "True") {
      conditions.push_back(ToJson(*ready));
    } else {
      const bool is_ready =
          progress.state == Progress::State::kReady && !mutants::Is("never-bound");
      const bool is_failed = progress.state == Progress::State::kFailed &&
                             Has(result.binding_failure_conditions, failed_) &&
                             !mutants::Is("never-fails");
      conditions.push_back(Set(before, ready_, is_ready ? "True" : "False", progress));
      if (is_failed) {
        conditions.push_back(Set(before, failed_, "True", progress));
      } else if (prepare::ConditionOf(before, failed_) != nullptr) {
        changed_ = true;  // It recovered: what is not applied again goes.
      }
    }
    summary_ += " " + result.device + " " + progress.reason;
    Json device = {{"driver", result.driver},
                   {"pool", result.pool},
                   {"device", result.device},
                   {"conditions", std::move(conditions)}};
    if (result.share_id) {
      device["shareID"] = *result.share_id;
    }
    devices_.push_back(std::move(device));
  }

  bool changed() const { return changed_; }
  // " gpu-1 FabricReady gpu-2 FabricPending", for logs.
  const std::string& summary() const { return summary_; }
  // The claim as it was looked at, and no other: neither a later one of its name, nor one that was
  // deallocated meanwhile.
  std::string Body() const {
    return Json{{"apiVersion", "resource.k8s.io/v1"},
                {"kind", "ResourceClaim"},
                {"metadata",
                 {{"namespace", claim_.metadata.namespace_},
                  {"name", claim_.metadata.name},
                  {"uid", claim_.metadata.uid},
                  {"resourceVersion", claim_.metadata.resource_version}}},
                {"status", {{"devices", devices_}}}}
        .dump();
  }

 private:
  static Json ToJson(const Condition& condition) {
    return {{"type", condition.type},
            {"status", condition.status},
            {"reason", condition.reason},
            {"message", condition.message},
            {"lastTransitionTime", condition.last_transition_time.ToString()}};
  }

  Json Set(const AllocatedDeviceStatus* before, const std::string& type, const std::string& status,
           const Progress& progress) {
    Condition wanted;
    wanted.type = type;
    wanted.status = status;
    wanted.reason = progress.reason;
    wanted.message = progress.message;
    const Condition* const present = prepare::ConditionOf(before, type);
    wanted.last_transition_time =
        present && present->status == status ? present->last_transition_time : now_;
    changed_ = changed_ || present == nullptr || !(*present == wanted);
    return ToJson(wanted);
  }

  const ResourceClaim& claim_;
  std::string ready_;
  std::string failed_;
  api::meta::Time now_;
  Json devices_ = Json::array();
  std::string summary_;
  bool changed_ = false;
};

}  // namespace

BindingController::BindingController(api::client::Client& client, Options options)
    : client_(client),
      options_(std::move(options)),
      claims_(client),
      queue_(client.loop(), {}, [this](std::string key) { return Reconcile(std::move(key)); }) {
  const auto is_to_bind = [this](const ResourceClaim& claim) {
    return claim.status.allocation &&
           std::ranges::any_of(claim.status.allocation->devices.results,
                               [&](const auto& result) { return IsToBind(result, options_); });
  };
  claims_.AddIndex(kToBind, [is_to_bind](const ResourceClaim& claim) {
    return is_to_bind(claim) ? std::vector<std::string>{""} : std::vector<std::string>();
  });
  const auto look = [this, is_to_bind](const ClaimRef& claim) {
    if (is_to_bind(*claim)) {
      queue_.Add(api::client::KeyOf(claim->metadata).ToString());
    }
  };
  claims_.AddHandlers({.on_add = look,
                       .on_update = [look](const ClaimRef&, const ClaimRef& now) { look(now); },
                       .on_delete = nullptr});
}

void BindingController::SetPicture(discovery::Picture picture) {
  const bool first = !picture_;
  picture_ = std::move(picture);
  if (first) {
    claims_.Start();
  }
  for (const ClaimRef& claim : claims_.ByIndex(kToBind, "")) {
    queue_.Add(api::client::KeyOf(claim->metadata).ToString());
  }
}

Task<Status> BindingController::Reconcile(std::string key) {
  const std::size_t slash = key.find('/');
  const ObjectKey name{key.substr(0, slash), key.substr(slash + 1)};
  const ClaimRef claim = claims_.Get(name);
  if (!claim || !claim->status.allocation) {
    co_return OkStatus();
  }
  Plan plan(*claim, options_, api::meta::Time::From(client_.loop().clock().Now()));
  for (const DeviceRequestAllocationResult& result : claim->status.allocation->devices.results) {
    if (IsToBind(result, options_)) {
      const auto source = picture_->Find(result.device);
      plan.Add(result, ProgressOf(source ? source->gpu : nullptr));
    }
  }
  if (!plan.changed()) {
    co_return OkStatus();
  }
  const std::string body = plan.Body();
  api::client::PatchOptions options;
  options.type = api::client::PatchType::kApply;
  options.subresource = "status";
  // Not the manager of what is said of prepared devices (claim_status.h): what a manager does not
  // apply again goes.
  options.field_manager = options_.driver_name + "/binding";
  options.force = true;
  const Result<api::Object> written =
      co_await client_.Patch(api::KindOf<ResourceClaim>(), name, body, options);
  switch (written.status().code()) {
    case StatusCode::kOk:
      spdlog::info("claim {}: binding of its devices:{}", key, plan.summary());
      co_return OkStatus();
    case StatusCode::kNotFound:
      co_return OkStatus();
    case StatusCode::kAborted:  // It changed meanwhile: from what it is now, soon.
      co_return written.status();
    default:
      spdlog::warn("claim {}: telling how the binding of its devices goes: {}", key,
                   written.status().ToString());
      co_return written.status();
  }
}

}  // namespace assay::driver_ref::publish
