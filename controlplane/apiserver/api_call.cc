#include "controlplane/apiserver/api_call.h"

#include "api/json/json.h"

namespace assay::controlplane::apiserver {

Answer StatusAnswer(const api::meta::Status& status) {
  Answer answer{.code = status.code == 0 ? 200 : status.code,
                .body = api::json::EncodeAs(status, {.api_version = "v1", .kind = "Status"})};
  if (status.details && status.details->retry_after_seconds > 0) {
    answer.headers.Add("Retry-After", std::to_string(status.details->retry_after_seconds));
  }
  return answer;
}

http::Response ToResponse(Answer answer, const std::vector<std::string>& warnings) {
  http::Response response{
      .status = answer.code, .headers = std::move(answer.headers), .body = std::move(answer.body)};
  response.headers.Add("Content-Type", std::move(answer.content_type));
  response.headers.Add("Cache-Control", "no-cache, private");
  for (const std::string& warning : warnings) {
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
