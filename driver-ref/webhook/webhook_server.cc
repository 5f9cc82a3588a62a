#include "driver-ref/webhook/webhook_server.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "base/file.h"
#include "driver-ref/webhook/review.h"

namespace assay::driver_ref::webhook {
namespace {

http::Response Answer(const http::Request& request, const std::string& driver_name) {
  if (request.path == "/readyz" && request.method == "GET") {
    return {.status = 200, .headers = {}, .body = "ok\n"};
  }
  if (request.path != kPath) {
    return {.status = 404, .headers = {}, .body = ""};
  }
  if (request.method != "POST") {
    return {.status = 405, .headers = {}, .body = ""};
  }
  if (request.body_too_large) {
    return {.status = 413, .headers = {}, .body = ""};
  }
  Result<std::string> review = Review(request.body, driver_name);
  if (!review.ok()) {
    spdlog::warn("a request that is no review: {}", review.status().message());
    return {.status = 400, .headers = {}, .body = review.status().message() + "\n"};
  }
  http::Response response{.status = 200, .headers = {}, .body = *std::move(review)};
  response.headers.Set("Content-Type", "application/json");
  return response;
}

}  // namespace

Result<std::unique_ptr<http::Server>> ServeWebhook(const WebhookOptions& options) {
  http::ServerOptions server;
  server.address = options.address;
  server.port = options.port;
  server.tls.emplace();
  ASSAY_ASSIGN_OR_RETURN(server.tls->certificate_pem, ReadFile(options.certificate));
  ASSAY_ASSIGN_OR_RETURN(server.tls->key_pem, ReadFile(options.private_key));
  return http::Server::Start(
      std::move(server),
      [driver_name = options.driver_name](const http::Request& request,
                                          const std::shared_ptr<http::Responder>& responder) {
        responder->Send(Answer(request, driver_name));
      });
}

}  // namespace assay::driver_ref::webhook
