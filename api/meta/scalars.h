// The small value types of Kubernetes' API machinery: IntOrString, RawExtension, FieldsV1, Bool.
//
// Thread-safe: values.
#ifndef ASSAY_API_META_SCALARS_H_
#define ASSAY_API_META_SCALARS_H_

#include <cstdint>
#include <string>
#include <utility>

namespace assay::api::meta {

// A number or a string: a port by number or by name, a count or a percentage.
struct IntOrString {
  bool is_string = false;
  std::int32_t int_value = 0;
  std::string string_value;

  static IntOrString Of(std::int32_t value) { return {false, value, {}}; }
  static IntOrString Of(std::string value) { return {true, 0, std::move(value)}; }
  // The string, or the number in decimal.
  std::string ToString() const { return is_string ? string_value : std::to_string(int_value); }
  friend bool operator==(const IntOrString&, const IntOrString&) = default;
};

// Any JSON value, kept as the text that came in; empty: absent (null in JSON).
struct RawExtension {
  std::string json;
  friend bool operator==(const RawExtension&, const RawExtension&) = default;
};

// The set of fields that a manager owns, as JSON text; empty: absent.
struct FieldsV1 {
  std::string json;
  friend bool operator==(const FieldsV1&, const FieldsV1&) = default;
};

// A bool that can be the item of a vector: std::vector<bool> has no addressable items.
struct Bool {
  bool value = false;

  Bool() = default;
  Bool(bool v) : value(v) {}               // NOLINT(google-explicit-constructor)
  operator bool() const { return value; }  // NOLINT(google-explicit-constructor)
  friend bool operator==(const Bool&, const Bool&) = default;
};

}  // namespace assay::api::meta

#endif  // ASSAY_API_META_SCALARS_H_
