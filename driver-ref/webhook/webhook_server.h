// The validating webhook: an HTTPS server that the API server asks before it takes a claim or a
// template. It needs no GPU and no API server of its own: `dra-driver-ref webhook`.
#ifndef ASSAY_DRIVER_REF_WEBHOOK_WEBHOOK_SERVER_H_
#define ASSAY_DRIVER_REF_WEBHOOK_WEBHOOK_SERVER_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/http/server.h"
#include "base/result.h"

namespace assay::driver_ref::webhook {

// Where other DRA drivers have it too.
inline constexpr char kPath[] = "/validate-resource-claim-parameters";

struct WebhookOptions {
  std::string driver_name = "gpu.assay.dev";
  std::string address = "0.0.0.0";
  std::uint16_t port = 443;  // 0: any free one.
  // PEM files; the certificate may be a chain.
  std::filesystem::path certificate;
  std::filesystem::path private_key;
};

// Also answers /readyz.
Result<std::unique_ptr<http::Server>> ServeWebhook(const WebhookOptions& options);

}  // namespace assay::driver_ref::webhook

#endif  // ASSAY_DRIVER_REF_WEBHOOK_WEBHOOK_SERVER_H_
