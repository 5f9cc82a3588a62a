#include "api/json/internal/values.h"

#include <cstdint>

namespace assay::api::json::internal {
namespace {

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  std::size_t first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos
             ? ""
             : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// A string for a type that Go decodes through a local string variable.
Result<std::string> ReadString(Cursor& in) {
  char first = in.Peek();
  if (first == '"') {
    return in.String();
  }
  in.Raw();
  return InvalidArgumentError("json: cannot unmarshal " + std::string(ValueKind(first)) +
                              " into Go value of type string");
}

template <typename T>
Status ReadAnyTime(Cursor& in, T& time) {
  if (in.Peek() == 'n') {
    in.Raw();
    time = T();
    return OkStatus();
  }
  ASSAY_ASSIGN_OR_RETURN(std::string text, ReadString(in));
  ASSAY_ASSIGN_OR_RETURN(time, T::Parse(text));
  return OkStatus();
}

}  // namespace

std::string_view ValueKind(char first) {
  switch (first) {
    case '{':
      return "object";
    case '[':
      return "array";
    case '"':
      return "string";
    case 't':
    case 'f':
      return "bool";
    default:
      return "number";
  }
}

Status ReadQuantity(Cursor& in, meta::Quantity& quantity) {
  std::string_view raw = in.Raw();
  if (raw == "null") {
    quantity = meta::Quantity();
    return OkStatus();
  }
  // Also numbers: 1.5 is the quantity "1.5". Escapes are not looked at, as upstream.
  if (raw.size() >= 2 && raw.front() == '"') {
    raw = raw.substr(1, raw.size() - 2);
  }
  ASSAY_ASSIGN_OR_RETURN(quantity, meta::Quantity::Parse(Trim(raw)));
  return OkStatus();
}

Status ReadTime(Cursor& in, meta::Time& time) { return ReadAnyTime(in, time); }
Status ReadTime(Cursor& in, meta::MicroTime& time) { return ReadAnyTime(in, time); }

Status ReadDuration(Cursor& in, meta::Duration& duration) {
  std::string text;
  if (in.Peek() == 'n') {
    in.Raw();
  } else {
    ASSAY_ASSIGN_OR_RETURN(text, ReadString(in));
  }
  ASSAY_ASSIGN_OR_RETURN(duration, meta::Duration::Parse(text));
  return OkStatus();
}

Status ReadIntOrString(Cursor& in, meta::IntOrString& value) {
  char first = in.Peek();
  if (first == '"') {
    value = meta::IntOrString::Of(in.String());
    return OkStatus();
  }
  std::string_view raw = in.Raw();
  value = meta::IntOrString();
  if (first == 'n') {
    return OkStatus();
  }
  bool is_number = ValueKind(first) == "number";
  if (!is_number || !ParseInteger(raw, value.int_value)) {
    return InvalidArgumentError("json: cannot unmarshal " + std::string(ValueKind(first)) +
                                (is_number ? " " + std::string(raw) : "") +
                                " into Go value of type int32");
  }
  return OkStatus();
}

Status ReadRaw(Cursor& in, std::string& json) {
  std::string_view raw = in.Raw();
  if (raw != "null") {
    json = raw;
  }
  return OkStatus();
}

}  // namespace assay::api::json::internal
