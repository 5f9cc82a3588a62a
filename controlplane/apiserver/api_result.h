// ApiResult<T>: what a request to the API server comes to: a T, or the Kubernetes Status that says
// why there is none. Inside the API server errors are Kubernetes' own, with reason, code, details
// and causes; the edge to everything else translates them (api/meta/status.h).
//
// Thread-safe: values.
#ifndef ASSAY_CONTROLPLANE_APISERVER_API_RESULT_H_
#define ASSAY_CONTROLPLANE_APISERVER_API_RESULT_H_

#include <optional>
#include <utility>
#include <variant>

#include "api/meta/types.h"
#include "base/check.h"

namespace assay::controlplane::apiserver {

template <typename T>
class [[nodiscard]] ApiResult {
 public:
  ApiResult(T value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  ApiResult(api::meta::Status error)                // NOLINT(google-explicit-constructor)
      : error_(std::move(error)) {}

  bool ok() const { return value_.has_value(); }
  const api::meta::Status& error() const { return error_; }
  T& value() {
    ASSAY_CHECK(ok()) << error_.message;
    return *value_;
  }
  const T& value() const {
    ASSAY_CHECK(ok()) << error_.message;
    return *value_;
  }
  const T& operator*() const { return value(); }
  T& operator*() { return value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

 private:
  std::optional<T> value_;
  api::meta::Status error_;
};

// The outcome of a step that yields nothing: the error, if any.
using ApiError = std::optional<api::meta::Status>;

}  // namespace assay::controlplane::apiserver

// `ASSAY_API_ASSIGN_OR_RETURN(VersionPtr claim, registry.Get(...));`
#define ASSAY_API_ASSIGN_OR_RETURN(declaration, expression)                               \
  ASSAY_INTERNAL_API_ASSIGN_OR_RETURN(ASSAY_INTERNAL_CONCAT(assay_api_result_, __LINE__), \
                                      declaration, expression)
#define ASSAY_INTERNAL_API_ASSIGN_OR_RETURN(result, declaration, expression) \
  auto result = (expression);                                                \
  if (!result.ok()) {                                                        \
    return result.error();                                                   \
  }                                                                          \
  declaration = std::move(result.value())
#define ASSAY_API_RETURN_IF_ERROR(expression)     \
  do {                                            \
    ApiError assay_internal_error = (expression); \
    if (assay_internal_error) {                   \
      return *std::move(assay_internal_error);    \
    }                                             \
  } while (false)

#endif  // ASSAY_CONTROLPLANE_APISERVER_API_RESULT_H_
