// FieldError and FieldPath: what a validation found, in Kubernetes' words.
//
// The texts are upstream's (apimachinery, util/validation/field/errors.go), so that a client sees
// from Assay's API server what it sees from a real one:
//
//   spec.devices.requests[0].name: Invalid value: "GPU": a lowercase RFC 1123 label must consist
//   ...
//
// Thread-safe: values.
#ifndef ASSAY_API_VALIDATION_FIELD_ERROR_H_
#define ASSAY_API_VALIDATION_FIELD_ERROR_H_

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay::api::validation {

enum class FieldErrorType {
  kRequired,
  kInvalid,
  kDuplicate,
  kNotSupported,
  kForbidden,
  kTooLong,
  kTooMany,
  kNotFound,
  kInternal,
};

// "FieldValueRequired": the reason of a cause in a Kubernetes Status.
std::string_view FieldErrorReason(FieldErrorType type);
// "Required value": how a message calls it.
std::string_view FieldErrorTypeName(FieldErrorType type);

// The path of a field, grown downwards: FieldPath("spec").Child("devices").Index(3).Key("a").
class FieldPath {
 public:
  // The empty path prints as "<nil>", as upstream's nil path does.
  FieldPath() = default;
  explicit FieldPath(std::string_view first) : text_(first) {}

  FieldPath Child(std::string_view name) const;
  FieldPath Index(std::size_t index) const;
  FieldPath Key(std::string_view key) const;

  std::string ToString() const { return text_.empty() ? "<nil>" : text_; }

 private:
  std::string text_;
};

struct FieldError {
  FieldErrorType type;
  std::string field;
  // The refused value as it is printed: Go-quoted for strings, plain for numbers and bools, JSON
  // for everything else. Absent for the types that print none.
  std::optional<std::string> value;
  std::string detail;

  // `<Type string>[: <value>][: <detail>]`, the message of a cause.
  std::string Body() const;
  // `<path>: ` and the body.
  std::string ToString() const;

  friend bool operator==(const FieldError&, const FieldError&) = default;
};

std::ostream& operator<<(std::ostream& out, const FieldError& error);

using FieldErrors = std::vector<FieldError>;

// A string as Go's %q prints it.
std::string GoQuote(std::string_view text);

FieldError Required(const FieldPath& path, std::string_view detail = "");
FieldError Forbidden(const FieldPath& path, std::string_view detail);
FieldError TooLong(const FieldPath& path, std::size_t max_bytes);
FieldError TooMany(const FieldPath& path, std::size_t actual, std::size_t max);
FieldError InternalFieldError(const FieldPath& path, std::string_view detail);

FieldError Invalid(const FieldPath& path, std::string_view value, std::string_view detail);
FieldError Invalid(const FieldPath& path, std::int64_t value, std::string_view detail);
FieldError Invalid(const FieldPath& path, bool value, std::string_view detail);
// For a value that is neither string, number nor bool: `json` is printed as it is.
FieldError InvalidJson(const FieldPath& path, std::string_view json, std::string_view detail);
// A char pointer would become a bool.
FieldError Invalid(const FieldPath& path, const char* value, std::string_view detail);

FieldError Duplicate(const FieldPath& path, std::string_view value);
FieldError DuplicateJson(const FieldPath& path, std::string_view json);
FieldError NotFound(const FieldPath& path, std::string_view value);
// `supported` is printed in the order given.
FieldError NotSupported(const FieldPath& path, std::string_view value,
                        const std::vector<std::string>& supported);

// The message of the 422 answer: `ResourceClaim.resource.k8s.io "a" is invalid: <error>`, or
// `[<error>, <error>]` without repetitions. `qualified_kind` is "Pod" or "Kind.group".
std::string InvalidMessage(std::string_view qualified_kind, std::string_view name,
                           const FieldErrors& errors);

}  // namespace assay::api::validation

#endif  // ASSAY_API_VALIDATION_FIELD_ERROR_H_
