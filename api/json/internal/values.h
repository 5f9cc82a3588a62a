// The values that have an UnmarshalJSON of their own in Go: quantities, times, durations, numbers
// or strings, raw JSON. Their errors end the decoding, with Go's words.
//
// Thread-safe: functions.
#ifndef ASSAY_API_JSON_INTERNAL_VALUES_H_
#define ASSAY_API_JSON_INTERNAL_VALUES_H_

#include <charconv>
#include <string>
#include <string_view>

#include "api/json/internal/scan.h"
#include "api/meta/quantity.h"
#include "api/meta/scalars.h"
#include "api/meta/time.h"
#include "base/result.h"

namespace assay::api::json::internal {

// What Go's errors call a value that starts with this character: "object", "number".
std::string_view ValueKind(char first);

// A JSON number that must be an integer of T.
template <typename T>
bool ParseInteger(std::string_view text, T& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// Each takes the next value; null is the zero value, but leaves raw JSON as it is.
Status ReadQuantity(Cursor& in, meta::Quantity& quantity);
Status ReadTime(Cursor& in, meta::Time& time);
Status ReadTime(Cursor& in, meta::MicroTime& time);
Status ReadDuration(Cursor& in, meta::Duration& duration);
Status ReadIntOrString(Cursor& in, meta::IntOrString& value);
Status ReadRaw(Cursor& in, std::string& json);

}  // namespace assay::api::json::internal

#endif  // ASSAY_API_JSON_INTERNAL_VALUES_H_
