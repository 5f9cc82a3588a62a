#include "controlplane/apiserver/api_call.h"

#include <utility>

namespace assay::controlplane::apiserver {

Answer StatusAnswer(const api::meta::Status& status) {
  Answer answer{.code = status.code == 0 ? 200 : status.code, .status = status};
  if (status.details && status.details->retry_after_seconds > 0) {
    answer.headers.Add("Retry-After", std::to_string(status.details->retry_after_seconds));
  }
  return answer;
}

http::Response ToResponse(const ApiCall& call, Answer answer) {
  if (answer.status) {
    Answer encoded =
        MessageAnswer(call, answer.code, *answer.status, {.api_version = "v1", .kind = "Status"});
    answer.body = std::move(encoded.body);
    answer.content_type = std::move(encoded.content_type);
  }
  http::Response response{
      .status = answer.code, .headers = std::move(answer.headers), .body = std::move(answer.body)};
  response.headers.Add("Content-Type", std::move(answer.content_type));
  response.headers.Add("Cache-Control", "no-cache, private");
  for (const std::string& warning : call.context.warnings) {
    // RFC 7234: code, agent, quoted text.
    std::string quoted;
    for (char c : warning) {
      if (c == '"' || c == '\\') {
        quoted += '\\';
      }
      quoted += c == '\n' || c == '\r' ? ' ' : c;
    }
    response.headers.Add("Warning", "299 - \"" + quoted + "\"");
  }
  return response;
}

}  // namespace assay::controlplane::apiserver
