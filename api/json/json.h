// JSON: strict decode of text into generated structs, and canonical encode, for every kind from its
// descriptor. Neither builds a tree of values in between.
//
// Decoding follows sigs.k8s.io/json and Go's encoding/json: names are case-sensitive, null leaves a
// value at its zero, integers keep all 64 bits, and errors have Go's words. Encoding writes what
// Go's marshaller would: fields in the order of the schema, maps sorted, "<", ">" and "&" escaped.
//
//   ASSAY_ASSIGN_OR_RETURN(Decoded decoded, Decode(KindOf<Pod>(), "v1", text, {}));
//   std::string text = Encode(decoded.object);
//
// Thread-safe: functions.
#ifndef ASSAY_API_JSON_JSON_H_
#define ASSAY_API_JSON_JSON_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "api/compatibility.h"
#include "api/object.h"
#include "api/schema/descriptor.h"
#include "base/result.h"

namespace assay::api::json {

// The query parameter fieldValidation.
enum class FieldValidation {
  kIgnore,  // Unknown and duplicate fields are dropped in silence (of duplicates the last counts).
  kWarn,    // As kIgnore, with one warning each.
  kStrict,  // Refused: `strict decoding error: unknown field "spec.foo", …`.
};

struct DecodeOptions {
  FieldValidation field_validation = FieldValidation::kStrict;
  Level level = Level::k1_37;  // Fields that this level does not have are unknown.
  std::size_t max_bytes = std::size_t{3} << 20;  // As the API server limits a request.
  int max_depth = 1000;
};

// What the top of every object says of its type; either may be empty.
struct TypeMeta {
  std::string api_version;
  std::string kind;
};

// Reads only apiVersion and kind, and that the text is one JSON object.
Result<TypeMeta> PeekTypeMeta(std::string_view text);

// Decodes `text` into `*message_data`, a value of `message` that is fresh (all zero). `apiVersion`
// and `kind` are allowed at the top, and returned through `type_meta` if that is not null.
// Returns the warnings (kWarn). kInvalidArgument otherwise, with Go's text, such as
// `json: cannot unmarshal string into Go struct field ResourceSlice.spec.pool.generation of type
// int64`; kResourceExhausted for text past a limit.
Result<std::vector<std::string>> DecodeMessage(const schema::MessageDescriptor& message,
                                               std::string_view text, const DecodeOptions& options,
                                               void* message_data, TypeMeta* type_meta = nullptr);

struct Decoded {
  Object object;
  std::vector<std::string> warnings;
};

// Decodes text that is of the hub version of `kind` (other versions: api/codec/codec.h). An
// apiVersion or kind in the text that differs is kInvalidArgument.
Result<Decoded> Decode(const Kind& kind, std::string_view text, const DecodeOptions& options);

template <typename T>
Result<T> DecodeAs(std::string_view text, const DecodeOptions& options = {}) {
  T value;
  Result<std::vector<std::string>> warnings =
      DecodeMessage(schema::DescriptorOf<T>(), text, options, &value);
  if (!warnings.ok()) {
    return warnings.status();
  }
  return value;
}

struct EncodeOptions {
  Level level = Level::k1_37;  // Fields that this level does not have are left out.
};

// The struct as compact JSON; with `kind` and `apiVersion` first where `type_meta` has them.
std::string EncodeMessage(const schema::MessageDescriptor& message, const void* message_data,
                          const TypeMeta& type_meta = {}, const EncodeOptions& options = {});
// Appends to `*out`.
void EncodeMessageTo(const schema::MessageDescriptor& message, const void* message_data,
                     const TypeMeta& type_meta, const EncodeOptions& options, std::string* out);

// The object in its hub version.
std::string Encode(const Object& object, const EncodeOptions& options = {});

template <typename T>
std::string EncodeAs(const T& value, const TypeMeta& type_meta = {}) {
  return EncodeMessage(schema::DescriptorOf<T>(), &value, type_meta);
}

// `text` in quotes, escaped as Go does.
std::string Quote(std::string_view text);

}  // namespace assay::api::json

#endif  // ASSAY_API_JSON_JSON_H_
