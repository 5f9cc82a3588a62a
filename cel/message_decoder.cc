#include "cel/message_decoder.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

#include "cel/library/text.h"
#include "cel/messages.h"

namespace assay::cel {
namespace {

// How deep messages may lie in each other: far more than an expression can spell, far less than the
// stack holds.
constexpr int kMaxDepth = 500;

enum WireType : std::uint32_t {
  kVarint = 0,
  kFixed64 = 1,
  kLengthDelimited = 2,
  kStartGroup = 3,
  kEndGroup = 4,
  kFixed32 = 5,
};

WireType WireTypeOf(FieldKind kind) {
  switch (kind) {
    case FieldKind::kDouble:
      return kFixed64;
    case FieldKind::kFloat:
      return kFixed32;
    case FieldKind::kBytes:
    case FieldKind::kString:
    case FieldKind::kJsonValue:
    case FieldKind::kJsonStruct:
    case FieldKind::kJsonList:
      return kLengthDelimited;
    default:
      return kVarint;
  }
}

// Each Read returns false where the bytes end too soon or are malformed.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool AtEnd() const { return bytes_.empty(); }

  bool ReadVarint(std::uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      if (shift == 63 && byte > 1) {
        return false;
      }
      *value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) {
        return true;
      }
    }
    return false;
  }

  template <typename T>
  bool ReadFixed(T* value) {
    if (bytes_.size() < sizeof(T)) {
      return false;
    }
    static_assert(std::endian::native == std::endian::little, "the wire's order of bytes");
    std::memcpy(value, bytes_.data(), sizeof(T));
    bytes_.remove_prefix(sizeof(T));
    return true;
  }

  bool ReadBytes(std::string_view* bytes) {
    std::uint64_t size = 0;
    if (!ReadVarint(&size) || size > bytes_.size()) {
      return false;
    }
    *bytes = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return true;
  }

  bool ReadTag(std::uint32_t* number, std::uint32_t* wire_type) {
    constexpr std::uint64_t kMaxNumber = (std::uint64_t{1} << 29) - 1;
    std::uint64_t tag = 0;
    if (!ReadVarint(&tag) || tag >> 3 == 0 || tag >> 3 > kMaxNumber) {
      return false;
    }
    *number = static_cast<std::uint32_t>(tag >> 3);
    *wire_type = static_cast<std::uint32_t>(tag & 7);
    return true;
  }

  bool Skip(std::uint32_t number, std::uint32_t wire_type, int depth) {
    std::uint64_t number64 = 0;
    std::uint32_t number32 = 0;
    std::string_view bytes;
    switch (wire_type) {
      case kVarint:
        return ReadVarint(&number64);
      case kFixed64:
        return ReadFixed(&number64);
      case kFixed32:
        return ReadFixed(&number32);
      case kLengthDelimited:
        return ReadBytes(&bytes);
      case kStartGroup:
        return SkipGroup(number, depth + 1);
      default:
        return false;
    }
  }

 private:
  bool SkipGroup(std::uint32_t group, int depth) {
    std::uint32_t number = 0;
    std::uint32_t wire_type = 0;
    while (depth < kMaxDepth && ReadTag(&number, &wire_type)) {
      if (wire_type == kEndGroup) {
        return number == group;
      }
      if (!Skip(number, wire_type, depth)) {
        return false;
      }
    }
    return false;
  }

  std::string_view bytes_;
};

// A message as far as it has been read. No type has more than one field that is repeated.
struct Partial {
  std::span<FieldValue> fields;
  MutableList* list = nullptr;
  EntryMap* map = nullptr;
};

class Decoder {
 public:
  explicit Decoder(const CallContext& context) : context_(context) {}

  std::optional<Value> Any(std::string_view type_url, std::string_view bytes, int depth) {
    const std::size_t slash = type_url.rfind('/');
    const MessageType* type =
        FindMessageType(slash == std::string_view::npos ? type_url : type_url.substr(slash + 1));
    // The entries of a Struct have no type that an Any could name.
    if (type == nullptr || type->name == "google.protobuf.Struct.FieldsEntry") {
      return std::nullopt;
    }
    return Message(*type, bytes, depth);
  }

 private:
  std::optional<Value> Message(const MessageType& type, std::string_view bytes, int depth) {
    Partial message{context_.arena.NewArray<FieldValue>(type.fields.size())};
    if (depth >= kMaxDepth || !ReadFields(type, bytes, depth, &message)) {
      return std::nullopt;
    }
    if (type.form == MessageType::Form::kAny) {
      return Any(TextOf(message.fields[0]), TextOf(message.fields[1]), depth + 1);
    }
    return ToValue(context_, type, message.fields);
  }

  static std::string_view TextOf(const FieldValue& field) {
    return field.is_set ? field.value.text() : std::string_view();
  }

  bool ReadFields(const MessageType& type, std::string_view bytes, int depth, Partial* message) {
    Reader reader(bytes);
    while (!reader.AtEnd()) {
      std::uint32_t number = 0;
      std::uint32_t wire_type = 0;
      if (!reader.ReadTag(&number, &wire_type)) {
        return false;
      }
      const MessageField* field = FindField(type, number, wire_type);
      if (field == nullptr ? !reader.Skip(number, wire_type, depth)
                           : !ReadField(reader, type, *field, depth, message)) {
        return false;
      }
    }
    return true;
  }

  // A field of another wire type is as good as unknown.
  static const MessageField* FindField(const MessageType& type, std::uint32_t number,
                                       std::uint32_t wire_type) {
    for (const MessageField& field : type.fields) {
      if (field.number == number) {
        const WireType expected =
            field.shape == MessageField::Shape::kSingle ? WireTypeOf(field.kind) : kLengthDelimited;
        return expected == wire_type ? &field : nullptr;
      }
    }
    return nullptr;
  }

  bool ReadField(Reader& reader, const MessageType& type, const MessageField& field, int depth,
                 Partial* message) {
    FieldValue& target = message->fields[static_cast<std::size_t>(&field - type.fields.data())];
    if (field.shape == MessageField::Shape::kMap) {
      if (message->map == nullptr) {
        message->map = context_.arena.New<EntryMap>(context_.arena);
        target = {true, Value::Of(static_cast<const Map*>(message->map))};
      }
      return ReadEntry(reader, depth, message->map);
    }
    Value value;
    if (!ReadValue(reader, field.kind, depth, &value)) {
      return false;
    }
    if (field.shape == MessageField::Shape::kRepeated) {
      if (message->list == nullptr) {
        message->list = context_.arena.New<MutableList>(context_.arena);
        target = {true, Value::Of(static_cast<const List*>(message->list))};
      }
      message->list->Append(value);
      return true;
    }
    if (type.form == MessageType::Form::kValue) {
      std::fill(message->fields.begin(), message->fields.end(), FieldValue());
    }
    target = {true, value};
    return true;
  }

  bool ReadEntry(Reader& reader, int depth, EntryMap* map) {
    const MessageType& type = *FindMessageType("google.protobuf.Struct.FieldsEntry");
    Partial entry{context_.arena.NewArray<FieldValue>(type.fields.size())};
    std::string_view bytes;
    if (depth + 1 >= kMaxDepth || !reader.ReadBytes(&bytes) ||
        !ReadFields(type, bytes, depth + 1, &entry)) {
      return false;
    }
    map->Set(Value::String(TextOf(entry.fields[0])), entry.fields[1].value);
    return true;
  }

  bool ReadValue(Reader& reader, FieldKind kind, int depth, Value* value) {
    switch (WireTypeOf(kind)) {
      case kFixed64: {
        double number = 0;
        const bool read = reader.ReadFixed(&number);
        *value = Value::Double(number);
        return read;
      }
      case kFixed32: {
        float number = 0;
        const bool read = reader.ReadFixed(&number);
        *value = Value::Double(static_cast<double>(number));
        return read;
      }
      case kLengthDelimited: {
        std::string_view bytes;
        return reader.ReadBytes(&bytes) && OfBytes(kind, bytes, depth, value);
      }
      default: {
        std::uint64_t number = 0;
        const bool read = reader.ReadVarint(&number);
        *value = OfVarint(kind, number);
        return read;
      }
    }
  }

  bool OfBytes(FieldKind kind, std::string_view bytes, int depth, Value* value) {
    if (kind == FieldKind::kBytes) {
      *value = Value::Bytes(bytes);
      return true;
    }
    if (kind == FieldKind::kString) {
      *value = Value::String(bytes);
      return library::IsValidUtf8(bytes);
    }
    const MessageType* type =
        FindMessageType(kind == FieldKind::kJsonValue    ? "google.protobuf.Value"
                        : kind == FieldKind::kJsonStruct ? "google.protobuf.Struct"
                                                         : "google.protobuf.ListValue");
    const std::optional<Value> message = Message(*type, bytes, depth + 1);
    *value = message.value_or(Value());
    return message.has_value();
  }

  static Value OfVarint(FieldKind kind, std::uint64_t number) {
    switch (kind) {
      case FieldKind::kBool:
        return Value::Bool(number != 0);
      case FieldKind::kInt32:
      case FieldKind::kEnum:
        return Value::Int(static_cast<std::int32_t>(static_cast<std::uint32_t>(number)));
      case FieldKind::kUint32:
        return Value::Uint(static_cast<std::uint32_t>(number));
      case FieldKind::kUint64:
        return Value::Uint(number);
      default:
        return Value::Int(static_cast<std::int64_t>(number));
    }
  }

  const CallContext& context_;
};

}  // namespace

std::optional<Value> DecodeAny(const CallContext& context, std::string_view type_url,
                               std::string_view bytes) {
  return Decoder(context).Any(type_url, bytes, 0);
}

}  // namespace assay::cel
