#include "driver-ref/publish/claim_status.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "api/meta/time.h"
#include "api/resource/types.h"
#include "driver-ref/mutants.h"
#include "driver-ref/prepare/allocation.h"

namespace assay::driver_ref::publish {
namespace {

using Json = nlohmann::json;
using api::resource::AllocatedDeviceStatus;
using api::resource::ResourceClaim;

// Which one it is, or null: of a partition that is made anew another.
Json DataOf(const prepare::DeviceRecord& device, const discovery::Picture& picture) {
  if (device.partition) {
    return device.partition->uuid.empty() ? Json() : Json{{"uuid", device.partition->uuid}};
  }
  const auto source = picture.Find(device.device);
  return source && source->gpu != nullptr ? Json{{"uuid", source->gpu->uuid}} : Json();
}

// Of a network device how it looks from within the node, else null.
Json NetworkDataOf(const prepare::DeviceRecord& device, const discovery::Picture& picture) {
  const auto source = picture.Find(device.device);
  if (!source || source->parts.size() != 1 || source->parts[0]->interface.empty()) {
    return {};
  }
  Json data = {{"interfaceName", source->parts[0]->interface}};
  if (!source->parts[0]->hardware_address.empty()) {
    data["hardwareAddress"] = source->parts[0]->hardware_address;
  }
  return data;
}

// Whether the claim's status of the device says that it is ready, and this of it.
bool Says(const AllocatedDeviceStatus* status, const Json& data) {
  const api::meta::Condition* const ready = prepare::ConditionOf(status, "Ready");
  return ready != nullptr && ready->status == "True" &&
         data == (status->data ? Json::parse(status->data->json, nullptr, false) : Json());
}

Json StatusOf(const std::string& driver_name, const prepare::DeviceRecord& device,
              const discovery::Picture& picture, const std::string& now) {
  if (mutants::Is("status-without-condition")) {
    return {{"driver", driver_name}, {"pool", device.pool}, {"device", device.device}};
  }
  Json status = {{"driver", driver_name},
                 {"pool", device.pool},
                 {"device", device.device},
                 {"conditions", Json::array({{{"type", "Ready"},
                                              {"status", "True"},
                                              {"reason", "Prepared"},
                                              {"message", "the device is ready for use"},
                                              {"lastTransitionTime", now}}})}};
  if (device.share_id) {
    status["shareID"] = *device.share_id;
  }
  if (Json data = DataOf(device, picture); !data.is_null()) {
    status["data"] = std::move(data);
  }
  if (Json data = NetworkDataOf(device, picture); !data.is_null()) {
    status["networkData"] = std::move(data);
  }
  return status;
}

}  // namespace

void ReportPrepared(api::client::Client& client, const std::string& driver_name,
                    const ResourceClaim& claim, const std::vector<prepare::DeviceRecord>& devices,
                    const discovery::Picture& picture) {
  // A repeated Prepare finds its own words; their time is that of the first.
  if (std::ranges::all_of(devices,
                          [&](const prepare::DeviceRecord& device) {
                            return Says(prepare::StatusOf(claim, {driver_name, device.pool,
                                                                  device.device, device.share_id}),
                                        DataOf(device, picture));
                          }) &&
      !mutants::Is("status-every-time")) {
    return;
  }
  const std::string now = api::meta::Time::From(client.loop().clock().Now()).ToString();
  Json statuses = Json::array();
  for (const prepare::DeviceRecord& device : devices) {
    if (statuses.empty() || !mutants::Is("status-of-one-device")) {
      statuses.push_back(StatusOf(driver_name, device, picture, now));
    }
  }
  // The UID: of a claim of the same name that came later nothing is known.
  Json body = {{"apiVersion", "resource.k8s.io/v1"},
               {"kind", "ResourceClaim"},
               {"metadata",
                {{"namespace", claim.metadata.namespace_},
                 {"name", claim.metadata.name},
                 {"uid", claim.metadata.uid}}},
               {"status", {{"devices", std::move(statuses)}}}};
  api::client::PatchOptions options;
  options.type = api::client::PatchType::kApply;
  options.subresource = "status";
  options.field_manager = driver_name;
  options.force = true;
  if (mutants::Is("status-replaces-others")) {
    options = {.type = api::client::PatchType::kMerge, .subresource = "status"};
  }
  if (mutants::Is("status-by-name")) {
    body["metadata"].erase("uid");
  }
  std::function<void()> again;
  if (mutants::Is("status-by-name")) {
    again = [=, &client] {
      client.loop().RunAfter(std::chrono::milliseconds(200), [=, &client] {
        ReportPrepared(client, driver_name, claim, devices, picture);
      });
    };
  }
  const api::client::ObjectKey key{claim.metadata.namespace_, claim.metadata.name};
  client.Patch(api::KindOf<ResourceClaim>(), key, body.dump(), options,
               [key, again](const Result<api::Object>& written) {
                 if (!written.ok()) {
                   spdlog::warn("status of claim {}: {}", key.ToString(),
                                written.status().ToString());
                   if (mutants::Is("needs-claim-status") &&
                       written.status().code() == StatusCode::kPermissionDenied) {
                     std::abort();
                   }
                   if (again) {
                     again();
                   }
                 }
               });
}

}  // namespace assay::driver_ref::publish
