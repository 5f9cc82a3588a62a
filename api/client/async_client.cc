#include "api/client/async_client.h"

#include "api/client/informer.h"
#include "api/json/json.h"

namespace assay::api::client {

Await<Result<Object>> AsyncClient::PatchStatus(const Kind& kind, const meta::ObjectMeta& object,
                                               const std::string& status) {
  return Await<Result<Object>>([&](auto done) {
    PatchOptions options;
    options.type = PatchType::kStrategicMerge;
    options.subresource = "status";
    std::string body = R"({"metadata":{"uid":)" + json::Quote(object.uid) + R"(},"status":)";
    body.append(status).append("}");
    client_->Patch(kind, KeyOf(object), std::move(body), std::move(options), std::move(done));
  });
}

}  // namespace assay::api::client
