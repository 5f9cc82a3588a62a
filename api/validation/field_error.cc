#include "api/validation/field_error.h"

#include <ostream>
#include <set>

#include "api/json/go_quote.h"

namespace assay::api::validation {
namespace {

FieldError Make(FieldErrorType type, const FieldPath& path, std::optional<std::string> value,
                std::string_view detail) {
  return {type, path.ToString(), std::move(value), std::string(detail)};
}

}  // namespace

std::string_view FieldErrorReason(FieldErrorType type) {
  switch (type) {
    case FieldErrorType::kRequired:
      return "FieldValueRequired";
    case FieldErrorType::kInvalid:
      return "FieldValueInvalid";
    case FieldErrorType::kDuplicate:
      return "FieldValueDuplicate";
    case FieldErrorType::kNotSupported:
      return "FieldValueNotSupported";
    case FieldErrorType::kForbidden:
      return "FieldValueForbidden";
    case FieldErrorType::kTooLong:
      return "FieldValueTooLong";
    case FieldErrorType::kTooMany:
      return "FieldValueTooMany";
    case FieldErrorType::kNotFound:
      return "FieldValueNotFound";
    case FieldErrorType::kInternal:
      return "InternalError";
  }
  return "InternalError";
}

std::string_view FieldErrorTypeName(FieldErrorType type) {
  switch (type) {
    case FieldErrorType::kRequired:
      return "Required value";
    case FieldErrorType::kInvalid:
      return "Invalid value";
    case FieldErrorType::kDuplicate:
      return "Duplicate value";
    case FieldErrorType::kNotSupported:
      return "Unsupported value";
    case FieldErrorType::kForbidden:
      return "Forbidden";
    case FieldErrorType::kTooLong:
      return "Too long";
    case FieldErrorType::kTooMany:
      return "Too many";
    case FieldErrorType::kNotFound:
      return "Not found";
    case FieldErrorType::kInternal:
      return "Internal error";
  }
  return "Internal error";
}

FieldPath FieldPath::Child(std::string_view name) const {
  FieldPath child = *this;
  if (!child.text_.empty()) {
    child.text_ += '.';
  }
  child.text_ += name;
  return child;
}

FieldPath FieldPath::Index(std::size_t index) const { return Key(std::to_string(index)); }

FieldPath FieldPath::Key(std::string_view key) const {
  FieldPath child = *this;
  child.text_ += '[';
  child.text_ += key;
  child.text_ += ']';
  return child;
}

std::string FieldError::Body() const {
  std::string body(FieldErrorTypeName(type));
  if (value.has_value()) {
    body += ": " + *value;
  }
  if (!detail.empty()) {
    body += ": " + detail;
  }
  return body;
}

std::string FieldError::ToString() const { return field + ": " + Body(); }

std::ostream& operator<<(std::ostream& out, const FieldError& error) {
  return out << error.ToString();
}

std::string GoQuote(std::string_view text) { return json::GoQuote(text); }

FieldError Required(const FieldPath& path, std::string_view detail) {
  return Make(FieldErrorType::kRequired, path, std::nullopt, detail);
}

FieldError Forbidden(const FieldPath& path, std::string_view detail) {
  return Make(FieldErrorType::kForbidden, path, std::nullopt, detail);
}

FieldError TooLong(const FieldPath& path, std::size_t max_bytes) {
  return Make(
      FieldErrorType::kTooLong, path, std::nullopt,
      "may not be more than " + std::to_string(max_bytes) + (max_bytes == 1 ? " byte" : " bytes"));
}

FieldError TooMany(const FieldPath& path, std::size_t actual, std::size_t max) {
  return Make(FieldErrorType::kTooMany, path, std::to_string(actual),
              "must have at most " + std::to_string(max) + (max == 1 ? " item" : " items"));
}

FieldError InternalFieldError(const FieldPath& path, std::string_view detail) {
  return Make(FieldErrorType::kInternal, path, std::nullopt, detail);
}

FieldError Invalid(const FieldPath& path, std::string_view value, std::string_view detail) {
  return Make(FieldErrorType::kInvalid, path, GoQuote(value), detail);
}

FieldError Invalid(const FieldPath& path, const char* value, std::string_view detail) {
  return Invalid(path, std::string_view(value), detail);
}

FieldError Invalid(const FieldPath& path, std::int64_t value, std::string_view detail) {
  return Make(FieldErrorType::kInvalid, path, std::to_string(value), detail);
}

FieldError Invalid(const FieldPath& path, bool value, std::string_view detail) {
  return Make(FieldErrorType::kInvalid, path, value ? "true" : "false", detail);
}

FieldError InvalidJson(const FieldPath& path, std::string_view json, std::string_view detail) {
  return Make(FieldErrorType::kInvalid, path, std::string(json), detail);
}

FieldError Duplicate(const FieldPath& path, std::string_view value) {
  return Make(FieldErrorType::kDuplicate, path, GoQuote(value), "");
}

FieldError DuplicateJson(const FieldPath& path, std::string_view json) {
  return Make(FieldErrorType::kDuplicate, path, std::string(json), "");
}

FieldError NotFound(const FieldPath& path, std::string_view value) {
  return Make(FieldErrorType::kNotFound, path, GoQuote(value), "");
}

FieldError NotSupported(const FieldPath& path, std::string_view value,
                        const std::vector<std::string>& supported) {
  std::string detail;
  for (const std::string& choice : supported) {
    detail += (detail.empty() ? "supported values: " : ", ") + GoQuote(choice);
  }
  return Make(FieldErrorType::kNotSupported, path, GoQuote(value), detail);
}

std::string InvalidMessage(std::string_view qualified_kind, std::string_view name,
                           const FieldErrors& errors) {
  std::string message = std::string(qualified_kind) + " " + GoQuote(name) + " is invalid";
  if (errors.empty()) {
    return message;
  }
  std::vector<std::string> texts;
  std::set<std::string> seen;
  for (const FieldError& error : errors) {
    std::string text = error.ToString();
    if (seen.insert(text).second) {
      texts.push_back(std::move(text));
    }
  }
  message += ": ";
  if (texts.size() == 1) {
    return message + texts.front();
  }
  message += '[';
  for (std::size_t i = 0; i < texts.size(); ++i) {
    message += (i == 0 ? "" : ", ") + texts[i];
  }
  return message + ']';
}

}  // namespace assay::api::validation
