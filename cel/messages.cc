#include "cel/messages.h"

#include <array>
#include <limits>
#include <optional>
#include <string>

#include "base/base64.h"
#include "cel/library/opaque_values.h"
#include "cel/library/text.h"
#include "cel/library/times.h"
#include "cel/message_decoder.h"

namespace assay::cel {
namespace {

using Form = MessageType::Form;
using Shape = MessageField::Shape;

constexpr MessageField kBoolField[] = {{"value", 1, FieldKind::kBool}};
constexpr MessageField kBytesField[] = {{"value", 1, FieldKind::kBytes}};
constexpr MessageField kDoubleField[] = {{"value", 1, FieldKind::kDouble}};
constexpr MessageField kFloatField[] = {{"value", 1, FieldKind::kFloat}};
constexpr MessageField kInt32Field[] = {{"value", 1, FieldKind::kInt32}};
constexpr MessageField kInt64Field[] = {{"value", 1, FieldKind::kInt64}};
constexpr MessageField kStringField[] = {{"value", 1, FieldKind::kString}};
constexpr MessageField kUint32Field[] = {{"value", 1, FieldKind::kUint32}};
constexpr MessageField kUint64Field[] = {{"value", 1, FieldKind::kUint64}};
constexpr MessageField kTimeFields[] = {{"seconds", 1, FieldKind::kInt64},
                                        {"nanos", 2, FieldKind::kInt32}};
constexpr MessageField kStructFields[] = {{"fields", 1, FieldKind::kJsonValue, Shape::kMap}};
constexpr MessageField kEntryFields[] = {{"key", 1, FieldKind::kString},
                                         {"value", 2, FieldKind::kJsonValue}};
constexpr MessageField kListFields[] = {{"values", 1, FieldKind::kJsonValue, Shape::kRepeated}};
constexpr MessageField kValueFields[] = {
    {"null_value", 1, FieldKind::kEnum},         {"number_value", 2, FieldKind::kDouble},
    {"string_value", 3, FieldKind::kString},     {"bool_value", 4, FieldKind::kBool},
    {"struct_value", 5, FieldKind::kJsonStruct}, {"list_value", 6, FieldKind::kJsonList}};
constexpr MessageField kAnyFields[] = {{"type_url", 1, FieldKind::kString},
                                       {"value", 2, FieldKind::kBytes}};

const Type* ListOfDyn() {
  static Arena* const arena = new Arena;
  static const Type* const type = Type::List(*arena, Type::Dyn());
  return type;
}

const Type* MapOfDyn() {
  static Arena* const arena = new Arena;
  static const Type* const type = Type::Map(*arena, Type::String(), Type::Dyn());
  return type;
}

// The Go type of a field, as cel-go's messages name it.
std::string_view GoTypeOf(FieldKind kind) {
  switch (kind) {
    case FieldKind::kBool:
      return "bool";
    case FieldKind::kBytes:
      return "[]uint8";
    case FieldKind::kDouble:
      return "float64";
    case FieldKind::kFloat:
      return "float32";
    case FieldKind::kInt32:
      return "int32";
    case FieldKind::kInt64:
      return "int64";
    case FieldKind::kUint32:
      return "uint32";
    case FieldKind::kUint64:
      return "uint64";
    case FieldKind::kString:
      return "string";
    case FieldKind::kEnum:
      return "protoreflect.EnumNumber";
    case FieldKind::kJsonValue:
      return "*structpb.Value";
    case FieldKind::kJsonStruct:
      return "*structpb.Struct";
    case FieldKind::kJsonList:
      return "*structpb.ListValue";
  }
  return {};
}

// As Go's %v prints the value's type.
std::string TypeText(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kList:
      return "list(dyn)";
    case ValueKind::kMap:
      return "map(dyn, dyn)";
    default:
      return std::string(TypeName(value));
  }
}

// The fields of a Struct. Unlike other maps it can be asked for keys of any type.
class StructMap final : public Map {
 public:
  explicit StructMap(const EntryMap& entries) : entries_(entries) {}
  std::size_t size() const override { return entries_.size(); }
  Entry At(std::size_t i) const override { return entries_.At(i); }
  bool Find(const Value& key, Value* value) const override {
    return key.Is(ValueKind::kString) && entries_.Find(key, value);
  }

 private:
  const EntryMap& entries_;
};

Value OfEntries(const CallContext& context, const EntryMap& entries) {
  return Value::Of(static_cast<const Map*>(context.arena.New<StructMap>(entries)));
}

// Makes of values what fields hold.
class Converter {
 public:
  explicit Converter(const CallContext& context) : context_(context) {}

  Value To(FieldKind kind, const Value& value) const {
    switch (value.kind()) {
      case ValueKind::kBool:
        return kind == FieldKind::kBool || kind == FieldKind::kJsonValue
                   ? value
                   : Quoted("type conversion error from bool to", kind);
      case ValueKind::kInt:
        return OfInt(kind, value);
      case ValueKind::kUint:
        return OfUint(kind, value);
      case ValueKind::kDouble:
        return OfDouble(kind, value);
      case ValueKind::kString:
        return kind == FieldKind::kString || kind == FieldKind::kJsonValue
                   ? value
                   : Quoted("unsupported native conversion from string to", kind);
      case ValueKind::kBytes:
        if (kind == FieldKind::kJsonValue) {
          return context_.String(EncodeBase64(value.text()));
        }
        return kind == FieldKind::kBytes ? value
                                         : Quoted("type conversion error from Bytes to", kind);
      case ValueKind::kNull:
        return kind == FieldKind::kJsonValue
                   ? value
                   : Quoted("type conversion error from 'null_type' to", kind);
      case ValueKind::kDuration:
        return kind == FieldKind::kJsonValue
                   ? context_.String(library::FormatDuration(value.duration()))
                   : Quoted("type conversion error from 'Duration' to", kind);
      case ValueKind::kTimestamp:
        return kind == FieldKind::kJsonValue
                   ? context_.String(library::FormatTimestamp(
                         {value.seconds(), value.nanoseconds(), value.zone_minutes()}))
                   : Quoted("type conversion error from 'Timestamp' to", kind);
      case ValueKind::kType:
        return Value::Error("type conversion not supported for 'type'");
      case ValueKind::kOptional:
        return value.optional() == nullptr ? Value::Error("optional.none() dereference")
                                           : To(kind, *value.optional());
      case ValueKind::kList:
        return OfList(kind, value.list());
      case ValueKind::kMap:
        return OfMap(kind, value.map());
      case ValueKind::kMessage:
        return OfMessage(kind, value.message());
      case ValueKind::kOpaque:
        return OfOpaque(kind, value);
      case ValueKind::kError:
        return value;
    }
    return value;
  }

  Value ToList(const List& list) const {
    auto* result = context_.arena.New<MutableList>(context_.arena);
    for (std::size_t i = 0; i < list.size(); ++i) {
      const Value element = To(FieldKind::kJsonValue, list.At(i));
      if (element.IsError()) {
        return element;
      }
      result->Append(element);
    }
    return Value::Of(static_cast<const List*>(result));
  }

  Value ToStruct(const Map& map) const {
    auto* result = context_.arena.New<EntryMap>(context_.arena);
    for (std::size_t i = 0; i < map.size(); ++i) {
      const Map::Entry entry = map.At(i);
      const Value key = To(FieldKind::kString, entry.key);
      const Value value = key.IsError() ? key : To(FieldKind::kJsonValue, entry.value);
      if (value.IsError()) {
        return value;
      }
      result->Set(key, value);
    }
    return OfEntries(context_, *result);
  }

 private:
  Value Quoted(std::string_view what, FieldKind kind) const {
    return context_.Error({what, " '", GoTypeOf(kind), "'"});
  }

  // Integers that a double does not hold exactly become texts.
  static constexpr std::int64_t kMaxJsonInteger = (std::int64_t{1} << 53) - 1;

  Value OfInt(FieldKind kind, const Value& value) const {
    const std::int64_t number = value.int_value();
    switch (kind) {
      case FieldKind::kInt64:
        return value;
      case FieldKind::kInt32:
      case FieldKind::kEnum:
        return number < std::numeric_limits<std::int32_t>::min() ||
                       number > std::numeric_limits<std::int32_t>::max()
                   ? Value::Error("integer overflow")
                   : value;
      case FieldKind::kJsonValue:
        return number >= -kMaxJsonInteger && number <= kMaxJsonInteger
                   ? Value::Double(static_cast<double>(number))
                   : context_.String(std::to_string(number));
      default:
        return context_.Error({"unsupported type conversion from 'int' to ", GoTypeOf(kind)});
    }
  }

  Value OfUint(FieldKind kind, const Value& value) const {
    const std::uint64_t number = value.uint_value();
    switch (kind) {
      case FieldKind::kUint64:
        return value;
      case FieldKind::kUint32:
        return number > std::numeric_limits<std::uint32_t>::max()
                   ? Value::Error("unsigned integer overflow")
                   : value;
      case FieldKind::kJsonValue:
        return number <= static_cast<std::uint64_t>(kMaxJsonInteger)
                   ? Value::Double(static_cast<double>(number))
                   : context_.String(std::to_string(number));
      default:
        return context_.Error({"unsupported type conversion from 'uint' to ", GoTypeOf(kind)});
    }
  }

  Value OfDouble(FieldKind kind, const Value& value) const {
    switch (kind) {
      case FieldKind::kDouble:
      case FieldKind::kJsonValue:
        return value;
      case FieldKind::kFloat:
        return Value::Double(static_cast<double>(static_cast<float>(value.double_value())));
      default:
        return Quoted("type conversion error from Double to", kind);
    }
  }

  Value OfList(FieldKind kind, const List& list) const {
    switch (kind) {
      case FieldKind::kJsonValue:
      case FieldKind::kJsonList:
        return ToList(list);
      case FieldKind::kBytes:
        return ToBytes(list);
      default:
        return Quoted("type conversion error from list to", kind);
    }
  }

  // A list of uint, each a byte.
  Value ToBytes(const List& list) const {
    std::string bytes;
    for (std::size_t i = 0; i < list.size(); ++i) {
      Value element = list.At(i);
      while (element.Is(ValueKind::kOptional) && element.optional() != nullptr) {
        element = *element.optional();
      }
      if (!element.Is(ValueKind::kUint)) {
        return NoByte(element);
      }
      if (element.uint_value() > std::numeric_limits<std::uint8_t>::max()) {
        return Value::Error("unsigned integer overflow");
      }
      bytes += static_cast<char>(element.uint_value());
    }
    return Value::Bytes(context_.arena.Copy(bytes));
  }

  // The error of the conversion to a byte: that to another type that does not fit, but for its
  // name.
  Value NoByte(const Value& value) const {
    const FieldKind other = value.Is(ValueKind::kBool) ? FieldKind::kString : FieldKind::kBool;
    const Value error = To(other, value);
    std::string text(error.text());
    const std::string_view name = GoTypeOf(other);
    if (const std::size_t at = text.rfind(name); at != std::string::npos) {
      text.replace(at, name.size(), "uint8");
    }
    return context_.Error({text});
  }

  Value OfMap(FieldKind kind, const Map& map) const {
    switch (kind) {
      case FieldKind::kJsonValue:
      case FieldKind::kJsonStruct:
        return ToStruct(map);
      case FieldKind::kJsonList:
        return ToListValue(map);
      default:
        return Quoted("type conversion error from map to", kind);
    }
  }

  // cel-go takes a map for a Go struct of which it sets the fields.
  Value ToListValue(const Map& map) const {
    Value list = Value::Of(
        static_cast<const List*>(context_.arena.New<ArrayList>(std::span<const Value>())));
    for (std::size_t i = 0; i < map.size(); ++i) {
      const Map::Entry entry = map.At(i);
      std::string field = DebugString(entry.key);
      if (!field.empty() && field[0] >= 'a' && field[0] <= 'z') {
        field[0] = static_cast<char>(field[0] - 'a' + 'A');
      }
      if (field != "Values") {
        return context_.Error(
            {"type conversion error, no such field '", field, "' in type 'structpb.ListValue'"});
      }
      list = To(FieldKind::kJsonList, entry.value);
      if (list.IsError()) {
        return list;
      }
    }
    return list;
  }

  Value OfMessage(FieldKind kind, const Message& message) const {
    switch (kind) {
      case FieldKind::kJsonValue:
        return ToJson(message);
      case FieldKind::kJsonStruct:
      case FieldKind::kJsonList:
        return context_.Error(
            {"type conversion error: pb.Merge() arguments must be the same type. got: ",
             kind == FieldKind::kJsonStruct ? "google.protobuf.Struct"
                                            : "google.protobuf.ListValue",
             ", ", message.type()->name()});
      default:
        return Quoted("type conversion error from '*dynamicpb.Message' to", kind);
    }
  }

  Value ToJson(const Message& message) const {
    auto* result = context_.arena.New<EntryMap>(context_.arena);
    for (const MessageField& field : FindMessageType(message.type()->name())->fields) {
      Message::Field value;
      if (message.Find(field.name, &value) && value.is_set) {
        result->Set(Value::String(field.name), value.value);
      }
    }
    return OfEntries(context_, *result);
  }

  Value OfOpaque(FieldKind kind, const Value& value) const {
    if (kind == FieldKind::kString) {
      if (const std::optional<std::string> text = library::OpaqueText(value.opaque());
          text.has_value()) {
        return context_.String(*text);
      }
    }
    std::string_view name = GoTypeName(value);
    name.remove_prefix(name.rfind('.') + 1);
    return context_.Error({"type conversion error from '", name, "' to '", GoTypeOf(kind), "'"});
  }

  const CallContext& context_;
};

Value DefaultOf(FieldKind kind) {
  switch (kind) {
    case FieldKind::kBool:
      return Value::Bool(false);
    case FieldKind::kBytes:
      return Value::Bytes({});
    case FieldKind::kDouble:
    case FieldKind::kFloat:
      return Value::Double(0);
    case FieldKind::kInt32:
    case FieldKind::kInt64:
    case FieldKind::kEnum:
      return Value::Int(0);
    case FieldKind::kUint32:
    case FieldKind::kUint64:
      return Value::Uint(0);
    case FieldKind::kString:
      return Value::String({});
    default:
      return Value::Null();
  }
}

Value GetField(const MessageType& type, std::span<const FieldValue> fields, std::size_t i) {
  return fields[i].is_set ? fields[i].value : DefaultOf(type.fields[i].kind);
}

class MessageValue final : public Message {
 public:
  MessageValue(const MessageType& type, std::span<const FieldValue> fields)
      : type_(type), fields_(fields) {}

  const Type* type() const override { return type_.type; }
  bool Find(std::string_view name, Field* field) const override {
    const MessageField* found = type_.FindField(name);
    if (found == nullptr) {
      return false;
    }
    const auto i = static_cast<std::size_t>(found - type_.fields.data());
    *field = {GetField(type_, fields_, i), IsSet(i)};
    return true;
  }
  bool Equals(const Message& other) const override {
    if (type()->name() != other.type()->name()) {
      return false;
    }
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      Field field;
      if (!other.Find(type_.fields[i].name, &field) || field.is_set != IsSet(i) ||
          !Equal(field.value, GetField(type_, fields_, i))) {
        return false;
      }
    }
    return true;
  }
  bool IsEmpty() const override {
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      if (IsSet(i)) {
        return false;
      }
    }
    return true;
  }

 private:
  // A scalar that has its default counts as not set.
  bool IsSet(std::size_t i) const {
    return fields_[i].is_set &&
           (type_.fields[i].kind == FieldKind::kJsonValue || !IsZero(fields_[i].value));
  }

  const MessageType& type_;
  std::span<const FieldValue> fields_;
};

// What does not fit becomes the longest or the shortest one, as Go's AsDuration has it.
Value ToDuration(std::int64_t seconds, std::int64_t nanoseconds) {
  std::int64_t duration = 0;
  if (__builtin_mul_overflow(seconds, std::int64_t{1'000'000'000}, &duration) ||
      __builtin_add_overflow(duration, nanoseconds, &duration)) {
    return Value::Duration(seconds < 0 ? std::numeric_limits<std::int64_t>::min()
                                       : std::numeric_limits<std::int64_t>::max());
  }
  return Value::Duration(duration);
}

// Seconds wrap around, as in Go.
Value ToTimestamp(std::int64_t seconds, std::int64_t nanoseconds) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  std::int64_t carry = nanoseconds / kSecond;
  std::int64_t rest = nanoseconds % kSecond;
  if (rest < 0) {
    rest += kSecond;
    --carry;
  }
  return Value::Timestamp(static_cast<std::int64_t>(static_cast<std::uint64_t>(seconds) +
                                                    static_cast<std::uint64_t>(carry)),
                          static_cast<std::uint32_t>(rest));
}

Value OfAny(const CallContext& context, const Value& type_url, const Value& bytes) {
  const std::optional<Value> value = DecodeAny(context, type_url.text(), bytes.text());
  if (value.has_value()) {
    return *value;
  }
  std::string text;
  if (!type_url.text().empty()) {
    text = "type_url:" + library::Quote(type_url.text());
  }
  if (!bytes.text().empty()) {
    text += (text.empty() ? "value:" : " value:") + library::Quote(bytes.text());
  }
  return context.Error({"unsupported conversion to ref.Val: (*dynamicpb.Message)", text});
}

Value ConvertField(const CallContext& context, const MessageType& type, const MessageField& field,
                   const Value& value) {
  const Converter converter(context);
  const ValueKind wanted = field.shape == Shape::kRepeated ? ValueKind::kList : ValueKind::kMap;
  if (field.shape != Shape::kSingle && !value.Is(wanted)) {
    return context.Error(
        {"unsupported field type for ", type.name, ".", field.name, ": ", TypeText(value)});
  }
  const Value converted = field.shape == Shape::kRepeated ? converter.ToList(value.list())
                          : field.shape == Shape::kMap    ? converter.ToStruct(value.map())
                                                          : converter.To(field.kind, value);
  if (converted.IsError()) {
    return context.Error({"field type conversion error for ", type.name, ".", field.name,
                          " value type: ", converted.text()});
  }
  return converted;
}

}  // namespace

const Type* MessageField::type() const {
  if (shape != Shape::kSingle) {
    return shape == Shape::kRepeated ? ListOfDyn() : MapOfDyn();
  }
  switch (kind) {
    case FieldKind::kBool:
      return Type::Bool();
    case FieldKind::kBytes:
      return Type::Bytes();
    case FieldKind::kDouble:
    case FieldKind::kFloat:
      return Type::Double();
    case FieldKind::kInt32:
    case FieldKind::kInt64:
    case FieldKind::kEnum:
      return Type::Int();
    case FieldKind::kUint32:
    case FieldKind::kUint64:
      return Type::Uint();
    case FieldKind::kString:
      return Type::String();
    case FieldKind::kJsonValue:
      return Type::Dyn();
    case FieldKind::kJsonStruct:
      return MapOfDyn();
    case FieldKind::kJsonList:
      return ListOfDyn();
  }
  return Type::Error();
}

const MessageField* MessageType::FindField(std::string_view field) const {
  for (const MessageField& candidate : fields) {
    if (candidate.name == field) {
      return &candidate;
    }
  }
  return nullptr;
}

std::span<const MessageType> MessageTypes() {
  static constexpr Type kEmpty(TypeKind::kStruct, "google.protobuf.Empty");
  static constexpr Type kEntry(TypeKind::kStruct, "google.protobuf.Struct.FieldsEntry");
  static const std::array<MessageType, 17> kTypes = {{
      {"google.protobuf.Any", Type::Any(), Form::kAny, kAnyFields},
      {"google.protobuf.BoolValue", Type::Wrapper(TypeKind::kBool), Form::kScalar, kBoolField},
      {"google.protobuf.BytesValue", Type::Wrapper(TypeKind::kBytes), Form::kScalar, kBytesField},
      {"google.protobuf.DoubleValue", Type::Wrapper(TypeKind::kDouble), Form::kScalar,
       kDoubleField},
      {"google.protobuf.Duration", Type::Duration(), Form::kDuration, kTimeFields},
      {"google.protobuf.Empty", &kEmpty, Form::kMessage, {}},
      {"google.protobuf.FloatValue", Type::Wrapper(TypeKind::kDouble), Form::kScalar, kFloatField},
      {"google.protobuf.Int32Value", Type::Wrapper(TypeKind::kInt), Form::kScalar, kInt32Field},
      {"google.protobuf.Int64Value", Type::Wrapper(TypeKind::kInt), Form::kScalar, kInt64Field},
      {"google.protobuf.ListValue", ListOfDyn(), Form::kList, kListFields},
      {"google.protobuf.StringValue", Type::Wrapper(TypeKind::kString), Form::kScalar,
       kStringField},
      {"google.protobuf.Struct", MapOfDyn(), Form::kStruct, kStructFields},
      {"google.protobuf.Struct.FieldsEntry", &kEntry, Form::kMessage, kEntryFields},
      {"google.protobuf.Timestamp", Type::Timestamp(), Form::kTimestamp, kTimeFields},
      {"google.protobuf.UInt32Value", Type::Wrapper(TypeKind::kUint), Form::kScalar, kUint32Field},
      {"google.protobuf.UInt64Value", Type::Wrapper(TypeKind::kUint), Form::kScalar, kUint64Field},
      {"google.protobuf.Value", Type::Dyn(), Form::kValue, kValueFields},
  }};
  return kTypes;
}

const MessageType* FindMessageType(std::string_view name) {
  if (!name.starts_with("google.protobuf.")) {
    return nullptr;
  }
  for (const MessageType& type : MessageTypes()) {
    if (type.name == name) {
      return &type;
    }
  }
  return nullptr;
}

Value ConvertTo(const CallContext& context, FieldKind kind, const Value& value) {
  return Converter(context).To(kind, value);
}

Value MakeMessage(const CallContext& context, const MessageType& type,
                  std::span<const FieldValue> fields) {
  std::span<FieldValue> converted = context.arena.NewArray<FieldValue>(fields.size());
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (!fields[i].is_set) {
      continue;
    }
    converted[i] = {true, ConvertField(context, type, type.fields[i], fields[i].value)};
    if (converted[i].value.IsError()) {
      return converted[i].value;
    }
  }
  return ToValue(context, type, converted);
}

Value ToValue(const CallContext& context, const MessageType& type,
              std::span<const FieldValue> fields) {
  switch (type.form) {
    case Form::kScalar:
      return GetField(type, fields, 0);
    case Form::kDuration:
      return ToDuration(GetField(type, fields, 0).int_value(),
                        GetField(type, fields, 1).int_value());
    case Form::kTimestamp:
      return ToTimestamp(GetField(type, fields, 0).int_value(),
                         GetField(type, fields, 1).int_value());
    case Form::kStruct:
      return fields[0].is_set
                 ? fields[0].value
                 : Value::Of(static_cast<const Map*>(context.arena.New<EntryMap>(context.arena)));
    case Form::kList:
      return fields[0].is_set ? fields[0].value
                              : Value::Of(static_cast<const List*>(
                                    context.arena.New<ArrayList>(std::span<const Value>())));
    case Form::kValue:
      for (std::size_t i = 1; i < fields.size(); ++i) {
        if (fields[i].is_set) {
          return fields[i].value;
        }
      }
      return Value::Null();
    case Form::kAny:
      return OfAny(context, GetField(type, fields, 0), GetField(type, fields, 1));
    case Form::kMessage:
      return Value::Of(static_cast<const Message*>(context.arena.New<MessageValue>(type, fields)));
  }
  return Value::Null();
}

}  // namespace assay::cel
