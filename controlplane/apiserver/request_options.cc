#include "controlplane/apiserver/request_options.h"

#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "api/meta/status.h"
#include "api/validation/field_error.h"
#include "controlplane/apiserver/resource_handler.h"

namespace assay::controlplane::apiserver {
namespace {

namespace meta = api::meta;
namespace validation = api::validation;
using validation::FieldPath;

meta::Status InvalidOptions(const std::string& kind, const validation::FieldErrors& errors) {
  std::vector<meta::StatusCause> causes;
  for (const validation::FieldError& error : errors) {
    causes.push_back({.reason = std::string(validation::FieldErrorReason(error.type)),
                      .message = error.Body(),
                      .field = error.field});
  }
  return meta::Invalid({"meta.k8s.io", kind}, "", std::move(causes),
                       validation::InvalidMessage(kind + ".meta.k8s.io", "", errors));
}

}  // namespace

ApiError CheckListOptions(const http::Query& query, bool watch) {
  const FieldPath match_path("resourceVersionMatch");
  const FieldPath initial_path("sendInitialEvents");
  std::string_view match = query.Get("resourceVersionMatch");
  std::string_view version = query.Get("resourceVersion");
  const bool continues = !query.Get("continue").empty();
  const bool initial = query.Find("sendInitialEvents") != nullptr;
  const bool newer = match == "NotOlderThan";
  validation::FieldErrors errors;
  if (watch) {
    if (initial && !newer) {
      errors.push_back(validation::Forbidden(
          match_path, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
    }
    if (!match.empty()) {
      if (!initial) {
        errors.push_back(validation::Forbidden(
            match_path,
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
      }
      if (!newer) {
        errors.push_back(validation::NotSupported(match_path, match, {"NotOlderThan"}));
      }
      if (continues) {
        errors.push_back(validation::Forbidden(
            match_path, "resourceVersionMatch is forbidden when continue is provided"));
      }
    }
  } else {
    if (!match.empty()) {
      if (version.empty()) {
        errors.push_back(validation::Forbidden(
            match_path, "resourceVersionMatch is forbidden unless resourceVersion is provided"));
      }
      if (continues) {
        errors.push_back(validation::Forbidden(
            match_path, "resourceVersionMatch is forbidden when continue is provided"));
      }
      if (!newer && match != "Exact") {
        errors.push_back(
            validation::NotSupported(match_path, match, {"Exact", "NotOlderThan", ""}));
      }
      if (match == "Exact" && version == "0") {
        errors.push_back(validation::Forbidden(
            match_path, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
      }
    }
    if (initial) {
      errors.push_back(
          validation::Forbidden(initial_path, "sendInitialEvents is forbidden for list"));
    }
  }
  if (errors.empty()) {
    return std::nullopt;
  }
  return InvalidOptions("ListOptions", errors);
}

ApiResult<std::optional<std::int64_t>> IntegerParameter(const http::Query& query,
                                                        std::string_view name) {
  std::string_view text = query.Get(name);
  if (text.empty()) {
    return std::optional<std::int64_t>();
  }
  std::int64_t value = 0;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) {
    return meta::BadRequest("strconv.ParseInt: parsing \"" + std::string(text) +
                            "\": invalid syntax");
  }
  return std::optional(value);
}

bool BooleanParameter(const http::Query& query, std::string_view name) {
  const std::string* value = query.Find(name);
  return value != nullptr && *value != "false" && *value != "0";
}

ApiError ReadWriteOptions(ApiCall& call) {
  const http::Query& query = call.query();
  RequestContext& context = call.context;
  context.user = call.user;
  context.user_agent = call.request.headers.Get("User-Agent");
  context.field_manager = query.Get("fieldManager");
  if (call.route.version != nullptr) {
    context.version = call.route.version->version;
  }
  for (const auto& [key, value] : query) {
    if (key == "dryRun" && value == "All") {
      context.dry_run = true;
    } else if (key == "dryRun") {
      return InvalidOptions("WriteOptions",
                            {validation::NotSupported(FieldPath("dryRun"), value, {"All"})});
    }
  }
  std::string_view validation_mode = query.Get("fieldValidation");
  if (validation_mode == "Strict") {
    context.field_validation = api::json::FieldValidation::kStrict;
  } else if (validation_mode == "Ignore") {
    context.field_validation = api::json::FieldValidation::kIgnore;
  } else if (validation_mode == "Warn" || validation_mode.empty()) {
    context.field_validation = api::json::FieldValidation::kWarn;
  } else {
    return InvalidOptions("WriteOptions",
                          {validation::NotSupported(FieldPath("fieldValidation"), validation_mode,
                                                    {"Ignore", "Strict", "Warn", ""})});
  }
  return std::nullopt;
}

}  // namespace assay::controlplane::apiserver
