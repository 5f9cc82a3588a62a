#include "driver-ref/publish/claim_status.h"

#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "api/meta/time.h"
#include "api/resource/types.h"

namespace assay::driver_ref::publish {
namespace {

using Json = nlohmann::json;

Json StatusOf(const std::string& driver_name, const prepare::DeviceRecord& device,
              const discovery::Picture& picture, const std::string& now) {
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
  if (device.partition) {
    if (!device.partition->uuid.empty()) {
      status["data"] = {{"uuid", device.partition->uuid}};
    }
  } else if (const auto source = picture.Find(device.device)) {
    status["data"] = {{"uuid", source->gpu->uuid}};
  }
  return status;
}

}  // namespace

void ReportPrepared(api::client::Client& client, const std::string& driver_name,
                    const prepare::ClaimReference& claim,
                    const std::vector<prepare::DeviceRecord>& devices,
                    const discovery::Picture& picture) {
  const std::string now = api::meta::Time::From(client.loop().clock().Now()).ToString();
  Json statuses = Json::array();
  for (const prepare::DeviceRecord& device : devices) {
    statuses.push_back(StatusOf(driver_name, device, picture, now));
  }
  // The UID: of a claim of the same name that came later nothing is known.
  const Json body = {
      {"apiVersion", "resource.k8s.io/v1"},
      {"kind", "ResourceClaim"},
      {"metadata", {{"namespace", claim.namespace_}, {"name", claim.name}, {"uid", claim.uid}}},
      {"status", {{"devices", std::move(statuses)}}}};
  api::client::PatchOptions options;
  options.type = api::client::PatchType::kApply;
  options.subresource = "status";
  options.field_manager = driver_name;
  options.force = true;
  client.Patch(api::KindOf<api::resource::ResourceClaim>(), {claim.namespace_, claim.name},
               body.dump(), options, [text = claim.ToString()](const Result<api::Object>& written) {
                 if (!written.ok()) {
                   spdlog::warn("status of claim {}: {}", text, written.status().ToString());
                 }
               });
}

}  // namespace assay::driver_ref::publish
