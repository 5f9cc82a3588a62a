// The protobuf messages that every environment knows: google.protobuf's wrappers, Duration,
// Timestamp, Struct, Value, ListValue, Any and Empty. Most become values of CEL as they are made.
//
// Source: cel-go's common/types/provider.go, object.go, pb/type.go and each ConvertToNative.
//
// Thread-safe: immutable tables and pure functions.
#ifndef ASSAY_CEL_MESSAGES_H_
#define ASSAY_CEL_MESSAGES_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "cel/function.h"
#include "cel/type.h"
#include "cel/value.h"

namespace assay::cel {

// What a field holds; kJson*: a google.protobuf.Value, Struct or ListValue.
enum class FieldKind : std::uint8_t {
  kBool,
  kBytes,
  kDouble,
  kFloat,
  kInt32,
  kInt64,
  kUint32,
  kUint64,
  kString,
  kEnum,
  kJsonValue,
  kJsonStruct,
  kJsonList,
};

struct MessageField {
  enum class Shape : std::uint8_t { kSingle, kRepeated, kMap };

  std::string_view name;
  std::uint32_t number;
  FieldKind kind;  // of each element, if it is repeated; of each value, if it is a map
  Shape shape = Shape::kSingle;

  // As the checker has it.
  const Type* type() const;
};

struct MessageType {
  // What a message becomes.
  enum class Form : std::uint8_t {
    kScalar,  // its one field, or that one's default
    kDuration,
    kTimestamp,
    kStruct,
    kList,
    kValue,  // a oneof: the field that is set; of several, any
    kAny,
    kMessage,
  };

  std::string_view name;
  const Type* type;  // what an expression that makes one has
  Form form;
  std::span<const MessageField> fields;

  const MessageField* FindField(std::string_view field) const;
};

std::span<const MessageType> MessageTypes();
const MessageType* FindMessageType(std::string_view name);

// A value for a field, in the order of the type's fields.
struct FieldValue {
  bool is_set = false;
  Value value;
};

// The value as a field of the kind holds it, or an error in cel-go's words.
Value ConvertTo(const CallContext& context, FieldKind kind, const Value& value);

// The message with these fields, converted to what they hold: a value or an error in cel-go's
// words.
Value MakeMessage(const CallContext& context, const MessageType& type,
                  std::span<const FieldValue> fields);

// The message with fields that hold what the type says already.
Value ToValue(const CallContext& context, const MessageType& type,
              std::span<const FieldValue> fields);

}  // namespace assay::cel

#endif  // ASSAY_CEL_MESSAGES_H_
