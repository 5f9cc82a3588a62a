#include "api/meta/status.h"

#include <algorithm>
#include <array>
#include <utility>

namespace assay::api::meta {
namespace {

Status Failure(int code, std::string_view reason, std::string message) {
  Status status;
  status.status = "Failure";
  status.code = code;
  status.reason = reason;
  status.message = std::move(message);
  return status;
}

Status FailureOf(int code, std::string_view reason, const GroupResource& resource,
                 std::string_view name, std::string message) {
  Status status = Failure(code, reason, std::move(message));
  status.details =
      StatusDetails{.name = std::string(name), .group = resource.group, .kind = resource.resource};
  return status;
}

std::string Quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

// What a reason means in HTTP and as an assay::Status. Several reasons share a code: the first is
// what FromAssayStatus takes.
struct Translation {
  std::string_view reason;
  int http_code;
  StatusCode code;
};
constexpr std::array kTranslations = {
    Translation{reason::kBadRequest, 400, StatusCode::kInvalidArgument},
    Translation{reason::kInvalid, 422, StatusCode::kInvalidArgument},
    Translation{reason::kMethodNotAllowed, 405, StatusCode::kUnimplemented},
    Translation{reason::kNotAcceptable, 406, StatusCode::kUnimplemented},
    Translation{reason::kUnsupportedMediaType, 415, StatusCode::kUnimplemented},
    Translation{reason::kUnauthorized, 401, StatusCode::kUnauthenticated},
    Translation{reason::kForbidden, 403, StatusCode::kPermissionDenied},
    Translation{reason::kNotFound, 404, StatusCode::kNotFound},
    Translation{reason::kAlreadyExists, 409, StatusCode::kAlreadyExists},
    Translation{reason::kConflict, 409, StatusCode::kAborted},
    Translation{reason::kExpired, 410, StatusCode::kOutOfRange},
    Translation{reason::kGone, 410, StatusCode::kOutOfRange},
    Translation{reason::kTooManyRequests, 429, StatusCode::kResourceExhausted},
    Translation{reason::kRequestEntityTooLarge, 413, StatusCode::kResourceExhausted},
    Translation{reason::kServiceUnavailable, 503, StatusCode::kUnavailable},
    Translation{reason::kServerTimeout, 500, StatusCode::kUnavailable},
    Translation{reason::kTimeout, 504, StatusCode::kDeadlineExceeded},
    Translation{reason::kInternalError, 500, StatusCode::kInternal},
};

}  // namespace

Status SuccessStatus() {
  Status status;
  status.status = "Success";
  status.code = 200;
  return status;
}

Status NotFound(const GroupResource& resource, std::string_view name) {
  return FailureOf(404, reason::kNotFound, resource, name,
                   resource.ToString() + " " + Quoted(name) + " not found");
}

Status AlreadyExists(const GroupResource& resource, std::string_view name) {
  return FailureOf(409, reason::kAlreadyExists, resource, name,
                   resource.ToString() + " " + Quoted(name) + " already exists");
}

Status GenerateNameConflict(const GroupResource& resource, std::string_view name,
                            std::int32_t retry_after_seconds) {
  Status status = FailureOf(
      409, reason::kAlreadyExists, resource, name,
      resource.ToString() + " " + Quoted(name) +
          " already exists, the server was not able to generate a unique name for the object");
  status.details->retry_after_seconds = retry_after_seconds;
  return status;
}

Status Unauthorized(std::string_view message) {
  return Failure(401, reason::kUnauthorized,
                 message.empty() ? "not authorized" : std::string(message));
}

Status Forbidden(const GroupResource& resource, std::string_view name, std::string_view why) {
  std::string subject = resource.ToString();
  if (!subject.empty()) {
    subject += (name.empty() ? "" : " " + Quoted(name)) + " is ";
  }
  return FailureOf(403, reason::kForbidden, resource, name,
                   subject + "forbidden: " + std::string(why));
}

Status Conflict(const GroupResource& resource, std::string_view name, std::string_view why) {
  return FailureOf(409, reason::kConflict, resource, name,
                   "Operation cannot be fulfilled on " + resource.ToString() + " " + Quoted(name) +
                       ": " + std::string(why));
}

Status ApplyConflict(std::vector<StatusCause> causes, std::string_view message) {
  Status status = Failure(409, reason::kConflict, std::string(message));
  status.details = StatusDetails{.causes = std::move(causes)};
  return status;
}

Status Gone(std::string_view message) { return Failure(410, reason::kGone, std::string(message)); }

Status Expired(std::string_view message) {
  return Failure(410, reason::kExpired, std::string(message));
}

Status Invalid(const GroupResource& kind, std::string_view name, std::vector<StatusCause> causes,
               std::string_view message) {
  Status status = FailureOf(422, reason::kInvalid, kind, name, std::string(message));
  status.details->causes = std::move(causes);
  return status;
}

Status BadRequest(std::string_view message) {
  return Failure(400, reason::kBadRequest, std::string(message));
}

Status TooManyRequests(std::string_view message, std::int32_t retry_after_seconds) {
  Status status = Failure(429, reason::kTooManyRequests, std::string(message));
  status.details = StatusDetails{.retry_after_seconds = retry_after_seconds};
  return status;
}

Status ServiceUnavailable(std::string_view message) {
  return Failure(503, reason::kServiceUnavailable, std::string(message));
}

Status MethodNotAllowed(const GroupResource& resource, std::string_view action) {
  return FailureOf(405, reason::kMethodNotAllowed, resource, "",
                   std::string(action) + " is not supported on resources of kind " +
                       Quoted(resource.ToString()));
}

Status ServerTimeout(const GroupResource& resource, std::string_view operation,
                     std::int32_t retry_after_seconds) {
  Status status =
      FailureOf(500, reason::kServerTimeout, resource, operation,
                "The " + std::string(operation) + " operation against " + resource.ToString() +
                    " could not be completed at this time, please try again.");
  status.details->retry_after_seconds = retry_after_seconds;
  return status;
}

Status Timeout(std::string_view message, std::int32_t retry_after_seconds) {
  Status status = Failure(504, reason::kTimeout, "Timeout: " + std::string(message));
  status.details = StatusDetails{.retry_after_seconds = retry_after_seconds};
  return status;
}

Status InternalError(std::string_view message) {
  Status status =
      Failure(500, reason::kInternalError, "Internal error occurred: " + std::string(message));
  status.details = StatusDetails{.causes = {StatusCause{.message = std::string(message)}}};
  return status;
}

Status RequestEntityTooLarge(std::string_view message) {
  return Failure(413, reason::kRequestEntityTooLarge,
                 "Request entity too large: " + std::string(message));
}

Status NotAcceptable(std::string_view message) {
  return Failure(406, reason::kNotAcceptable, std::string(message));
}

Status UnsupportedMediaType(std::string_view message) {
  return Failure(415, reason::kUnsupportedMediaType, std::string(message));
}

Status PathNotFound() {
  Status status =
      Failure(404, reason::kNotFound, "the server could not find the requested resource");
  status.details = StatusDetails{};
  return status;
}

Status FromHttpCode(int code, std::string_view body) {
  struct Known {
    int code;
    std::string_view reason;
    std::string_view message;  // Empty: the body.
  };
  constexpr std::array kKnown = {
      Known{409, reason::kConflict, "the server reported a conflict"},
      Known{404, reason::kNotFound, "the server could not find the requested resource"},
      Known{400, reason::kBadRequest, "the server rejected our request for an unknown reason"},
      Known{401, reason::kUnauthorized,
            "the server has asked for the client to provide credentials"},
      Known{403, reason::kForbidden, ""},
      Known{406, reason::kNotAcceptable, ""},
      Known{415, reason::kUnsupportedMediaType, ""},
      Known{405, reason::kMethodNotAllowed,
            "the server does not allow this method on the requested resource"},
      Known{422, reason::kInvalid,
            "the server rejected our request due to an error in our request"},
      Known{503, reason::kServiceUnavailable,
            "the server is currently unable to handle the request"},
      Known{504, reason::kTimeout,
            "the server was unable to return a response in the time allotted, but may still be "
            "processing the request"},
      Known{429, reason::kTooManyRequests,
            "the server has received too many requests and has asked us to try again later"},
  };
  for (const Known& known : kKnown) {
    if (known.code == code) {
      return Failure(code, known.reason, std::string(known.message.empty() ? body : known.message));
    }
  }
  if (code >= 500) {
    return Failure(
        code, reason::kInternalError,
        "an error on the server (" + Quoted(body) + ") has prevented the request from succeeding");
  }
  return Failure(code, "",
                 "the server responded with the status code " + std::to_string(code) +
                     " but did not return more information");
}

StatusCode CodeOfReason(std::string_view reason, int http_code) {
  auto by_reason = std::find_if(kTranslations.begin(), kTranslations.end(),
                                [&](const Translation& t) { return t.reason == reason; });
  if (by_reason != kTranslations.end()) {
    return by_reason->code;
  }
  // As client-go: an unknown reason leaves the word to the HTTP code.
  auto by_code = std::find_if(kTranslations.begin(), kTranslations.end(),
                              [&](const Translation& t) { return t.http_code == http_code; });
  return by_code == kTranslations.end() ? StatusCode::kUnknown : by_code->code;
}

assay::Status ToAssayStatus(const Status& status) {
  if (status.status == "Success") {
    return OkStatus();
  }
  return assay::Status(CodeOfReason(status.reason, status.code), status.message);
}

Status FromAssayStatus(const assay::Status& status) {
  if (status.ok()) {
    return SuccessStatus();
  }
  auto found = std::find_if(kTranslations.begin(), kTranslations.end(),
                            [&](const Translation& t) { return t.code == status.code(); });
  return found == kTranslations.end() || status.code() == StatusCode::kInternal
             ? InternalError(status.message())
             : Failure(found->http_code, found->reason, status.message());
}

}  // namespace assay::api::meta
