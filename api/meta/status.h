// Kubernetes' Status: the body of every error that an API server answers with: its reasons, HTTP
// codes, causes and texts, and the one translation to and from assay::Status.
//
//   meta::Status status = NotFound({"resource.k8s.io", "resourceclaims"}, "a");
//   status.code == 404;  status.message == `resourceclaims.resource.k8s.io "a" not found`
//
// Source: apimachinery, pkg/api/errors/errors.go. Thread-safe: functions.
#ifndef ASSAY_API_META_STATUS_H_
#define ASSAY_API_META_STATUS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/meta/types.h"
#include "base/result.h"

namespace assay::api::meta {

namespace reason {
inline constexpr std::string_view kUnauthorized = "Unauthorized";
inline constexpr std::string_view kForbidden = "Forbidden";
inline constexpr std::string_view kNotFound = "NotFound";
inline constexpr std::string_view kAlreadyExists = "AlreadyExists";
inline constexpr std::string_view kConflict = "Conflict";
inline constexpr std::string_view kGone = "Gone";
inline constexpr std::string_view kInvalid = "Invalid";
inline constexpr std::string_view kServerTimeout = "ServerTimeout";
inline constexpr std::string_view kTimeout = "Timeout";
inline constexpr std::string_view kTooManyRequests = "TooManyRequests";
inline constexpr std::string_view kBadRequest = "BadRequest";
inline constexpr std::string_view kMethodNotAllowed = "MethodNotAllowed";
inline constexpr std::string_view kNotAcceptable = "NotAcceptable";
inline constexpr std::string_view kRequestEntityTooLarge = "RequestEntityTooLarge";
inline constexpr std::string_view kUnsupportedMediaType = "UnsupportedMediaType";
inline constexpr std::string_view kInternalError = "InternalError";
inline constexpr std::string_view kExpired = "Expired";
inline constexpr std::string_view kServiceUnavailable = "ServiceUnavailable";
}  // namespace reason

// How texts name a resource: "pods", "resourceclaims.resource.k8s.io". Also used with a kind
// ("ResourceClaim.resource.k8s.io").
struct GroupResource {
  std::string group;
  std::string resource;
  std::string ToString() const { return group.empty() ? resource : resource + "." + group; }
};

// The answers, by their names upstream.
Status SuccessStatus();
Status NotFound(const GroupResource& resource, std::string_view name);
Status AlreadyExists(const GroupResource& resource, std::string_view name);
// No free name was found for generateName.
Status GenerateNameConflict(const GroupResource& resource, std::string_view name,
                            std::int32_t retry_after_seconds);
Status Unauthorized(std::string_view message);  // Empty: "not authorized"
Status Forbidden(const GroupResource& resource, std::string_view name, std::string_view why);
Status Conflict(const GroupResource& resource, std::string_view name, std::string_view why);
// Of server-side apply; `causes` name the fields and their managers.
Status ApplyConflict(std::vector<StatusCause> causes, std::string_view message);
Status Gone(std::string_view message);
Status Expired(std::string_view message);
// `causes` and `message` come from validation (api/validation/field_error.h).
Status Invalid(const GroupResource& kind, std::string_view name, std::vector<StatusCause> causes,
               std::string_view message);
Status BadRequest(std::string_view message);
Status TooManyRequests(std::string_view message, std::int32_t retry_after_seconds);
Status ServiceUnavailable(std::string_view message);
Status MethodNotAllowed(const GroupResource& resource, std::string_view action);
Status ServerTimeout(const GroupResource& resource, std::string_view operation,
                     std::int32_t retry_after_seconds);
Status Timeout(std::string_view message, std::int32_t retry_after_seconds);
Status InternalError(std::string_view message);
Status RequestEntityTooLarge(std::string_view message);
Status NotAcceptable(std::string_view message);
Status UnsupportedMediaType(std::string_view message);
// A path that nothing serves: "the server could not find the requested resource".
Status PathNotFound();

// The Status of an answer whose body was none: what client-go makes of the HTTP code.
Status FromHttpCode(int code, std::string_view body);

// The translation. A Status becomes the code that api/client/client.h documents, its message kept;
// and an assay::Status that never was a Kubernetes Status gets the reason nearest to its code.
assay::Status ToAssayStatus(const Status& status);
Status FromAssayStatus(const assay::Status& status);
StatusCode CodeOfReason(std::string_view reason, int http_code);

}  // namespace assay::api::meta

#endif  // ASSAY_API_META_STATUS_H_
