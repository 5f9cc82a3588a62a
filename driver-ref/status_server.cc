#include "driver-ref/status_server.h"

#include <chrono>
#include <utility>

namespace assay::driver_ref {
namespace {

http::Response Probe(const Status& status) {
  return {.status = status.ok() ? 200 : 503,
          .headers = {},
          .body = status.ok() ? "ok\n" : status.message() + "\n"};
}

http::Response Answer(const http::Request& request, const StatusSources& sources) {
  if (request.method != "GET" && request.method != "HEAD") {
    return {.status = 405, .headers = {}, .body = ""};
  }
  if (request.path == "/metrics") {
    http::Response response{.status = 200, .headers = {}, .body = sources.metrics()};
    response.headers.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    return response;
  }
  if (request.path == "/healthz") {
    return Probe(sources.healthy());
  }
  if (request.path == "/readyz") {
    return Probe(sources.ready());
  }
  return {.status = 404, .headers = {}, .body = ""};
}

}  // namespace

Result<std::unique_ptr<http::Server>> ServeStatus(std::uint16_t port, StatusSources sources) {
  http::ServerOptions options;
  options.port = port;
  options.threads = 1;
  options.max_body_bytes = 0;
  return http::Server::Start(
      std::move(options),
      [sources = std::move(sources)](const http::Request& request,
                                     const std::shared_ptr<http::Responder>& responder) {
        responder->Send(Answer(request, sources));
      });
}

}  // namespace assay::driver_ref
