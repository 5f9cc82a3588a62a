// Status and Result<T>: how every library of Assay reports that something did not work.
//
// A Status carries a gRPC canonical code and a message that names the object and field at fault.
// Context is added on the way up with `WithContext`. No exception crosses a library; bad input is a
// Status, a broken invariant is ASSAY_CHECK (base/check.h).
//
// Thread-safe: values, no shared state.
#ifndef ASSAY_BASE_RESULT_H_
#define ASSAY_BASE_RESULT_H_

#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace assay {

// The canonical codes of gRPC (google/rpc/code.proto), with the same numbers.
enum class StatusCode : int {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// The code's name as gRPC spells it: "NOT_FOUND".
std::string_view StatusCodeName(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  // `code` must not be kOk: an error always has a code.
  Status(StatusCode code, std::string message);

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same code, with "context: " before the message. OK stays OK.
  Status WithContext(std::string_view context) const&;
  Status WithContext(std::string_view context) &&;

  // "OK", or "NOT_FOUND: claim default/a does not exist".
  std::string ToString() const;

  friend bool operator==(const Status&, const Status&) = default;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

std::ostream& operator<<(std::ostream& out, const Status& status);

inline Status OkStatus() { return {}; }
Status CancelledError(std::string message);
Status InvalidArgumentError(std::string message);
Status DeadlineExceededError(std::string message);
Status NotFoundError(std::string message);
Status AlreadyExistsError(std::string message);
Status PermissionDeniedError(std::string message);
Status ResourceExhaustedError(std::string message);
Status FailedPreconditionError(std::string message);
Status AbortedError(std::string message);
Status UnimplementedError(std::string message);
Status InternalError(std::string message);
Status UnavailableError(std::string message);
Status DataLossError(std::string message);
Status UnauthenticatedError(std::string message);

// `context`: what failed; the text of `error_number` (errno) follows.
Status ErrnoError(int error_number, std::string_view context);

// A T or the Status that says why there is none.
//
//   Result<Claim> claim = Decode(text);
//   if (!claim.ok()) return claim.status();
//   Use(*claim);
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  // Implicit from a value and from an error, so that `return value;` and `return status;` work.
  Result(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    ASSAY_CHECK(!status_.ok()) << "a Result without a value needs an error";
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  const T& value() const& {
    ASSAY_CHECK(ok()) << status_.ToString();
    return *value_;
  }
  T& value() & {
    ASSAY_CHECK(ok()) << status_.ToString();
    return *value_;
  }
  T&& value() && {
    ASSAY_CHECK(ok()) << status_.ToString();
    return *std::move(value_);
  }
  T value_or(T other) const& { return ok() ? *value_ : std::move(other); }

  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace assay

#define ASSAY_INTERNAL_CONCAT_INNER(a, b) a##b
#define ASSAY_INTERNAL_CONCAT(a, b) ASSAY_INTERNAL_CONCAT_INNER(a, b)

// Returns the Status of `expression` from the enclosing function if it is an error.
#define ASSAY_RETURN_IF_ERROR(expression)                 \
  do {                                                    \
    ::assay::Status assay_internal_status = (expression); \
    if (!assay_internal_status.ok()) {                    \
      return assay_internal_status;                       \
    }                                                     \
  } while (false)

// `ASSAY_ASSIGN_OR_RETURN(auto claim, Decode(text));`
#define ASSAY_ASSIGN_OR_RETURN(declaration, expression)                                        \
  ASSAY_INTERNAL_ASSIGN_OR_RETURN(ASSAY_INTERNAL_CONCAT(assay_result_, __LINE__), declaration, \
                                  expression)
#define ASSAY_INTERNAL_ASSIGN_OR_RETURN(result, declaration, expression) \
  auto result = (expression);                                            \
  if (!result.ok()) {                                                    \
    return result.status();                                              \
  }                                                                      \
  declaration = *std::move(result)

#endif  // ASSAY_BASE_RESULT_H_
