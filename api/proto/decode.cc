#include <cstdint>
#include <utility>

#include "api/meta/quantity.h"
#include "api/meta/scalars.h"
#include "api/meta/time.h"
#include "api/proto/internal/wire.h"
#include "api/proto/proto.h"

namespace assay::api::proto {
namespace {

using internal::Tag;
using internal::WireReader;
using internal::WireType;
using schema::FieldDescriptor;
using schema::MessageDescriptor;
using schema::Shape;
using schema::Type;

// The magic bytes, and the message when they are missing: upstream's texts
// (apimachinery, runtime/serializer/protobuf).
constexpr std::string_view kPrefix("k8s\0", 4);

bool IsVarint(Type type) {
  return type == Type::kBool || type == Type::kInt32 || type == Type::kInt64;
}

Status ExpectType(Tag tag, WireType expected) {
  return tag.type == expected ? OkStatus()
                              : InvalidArgumentError("wrong wire type " +
                                                     std::to_string(static_cast<int>(tag.type)));
}

// Calls `visitor(tag, reader)`, which must take the value or skip it, for every field of a message.
template <typename Visitor>
Status ForEachField(std::string_view bytes, Visitor&& visitor) {
  WireReader in(bytes);
  while (!in.AtEnd()) {
    ASSAY_ASSIGN_OR_RETURN(Tag tag, in.ReadTag());
    ASSAY_RETURN_IF_ERROR(visitor(tag, in));
  }
  return OkStatus();
}

// The fields of a small message: numbers into `varints` and byte strings into `strings`, both by
// field number; others are skipped.
template <std::size_t kSize>
struct SmallMessage {
  std::uint64_t varints[kSize] = {};
  std::string_view strings[kSize];

  Status Read(std::string_view bytes) {
    return ForEachField(bytes, [this](Tag tag, WireReader& in) -> Status {
      if (tag.number < kSize && tag.type == WireType::kVarint) {
        ASSAY_ASSIGN_OR_RETURN(varints[tag.number], in.ReadVarint());
        return OkStatus();
      }
      if (tag.number < kSize && tag.type == WireType::kBytes) {
        ASSAY_ASSIGN_OR_RETURN(strings[tag.number], in.ReadBytes());
        return OkStatus();
      }
      return in.Skip(tag);
    });
  }
};

class Decoder {
 public:
  explicit Decoder(const DecodeOptions& options) : options_(options) {}

  Status Message(const MessageDescriptor& message, std::string_view bytes, void* data, int depth) {
    if (depth > options_.max_depth) {
      return ResourceExhaustedError("messages nest too deep");
    }
    return ForEachField(bytes, [&](Tag tag, WireReader& in) -> Status {
      const FieldDescriptor* field = message.FindByNumber(tag.number);
      if (field == nullptr || !field->ExistsAt(options_.level)) {
        return in.Skip(tag).WithContext("field " + std::to_string(tag.number));
      }
      Status status = Field(*field, tag, in, data, depth);
      return status.ok() ? status : AtField(field->name, std::move(status));
    });
  }

 private:
  // "spec" and "pool: bad" -> "spec.pool: bad".
  Status AtField(std::string_view name, Status status) {
    std::string separator = std::exchange(inside_, true) ? "." : ": ";
    return Status(status.code(), std::string(name) + separator + status.message());
  }

  Status Field(const FieldDescriptor& field, Tag tag, WireReader& in, void* data, int depth) {
    switch (field.shape) {
      case Shape::kValue:
      case Shape::kOptional:
        return Value(field, tag, in, field.Mutable(data), depth);
      case Shape::kList:
        if (IsVarint(field.type) && tag.type == WireType::kBytes) {
          return Packed(field, in, data);
        }
        return Value(field, tag, in, field.Append(data), depth);
      case Shape::kMap:
        return MapEntry(field, tag, in, data, depth);
    }
    return OkStatus();
  }

  Status Packed(const FieldDescriptor& field, WireReader& in, void* data) {
    ASSAY_ASSIGN_OR_RETURN(std::string_view bytes, in.ReadBytes());
    WireReader items(bytes);
    while (!items.AtEnd()) {
      ASSAY_ASSIGN_OR_RETURN(std::uint64_t value, items.ReadVarint());
      SetVarint(field.type, value, field.Append(data));
    }
    return OkStatus();
  }

  // An entry is a message of key (1) and value (2); what is absent is zero.
  Status MapEntry(const FieldDescriptor& field, Tag tag, WireReader& in, void* data, int depth) {
    ASSAY_RETURN_IF_ERROR(ExpectType(tag, WireType::kBytes));
    ASSAY_ASSIGN_OR_RETURN(std::string_view entry, in.ReadBytes());
    std::string_view key;
    Status status = ForEachField(entry, [&](Tag part, WireReader& parts) -> Status {
      if (part.number != 1) {
        return parts.Skip(part);
      }
      ASSAY_RETURN_IF_ERROR(ExpectType(part, WireType::kBytes));
      ASSAY_ASSIGN_OR_RETURN(key, parts.ReadBytes());
      return OkStatus();
    });
    ASSAY_RETURN_IF_ERROR(status);
    field.map_ops->erase(field.Raw(data), key);
    void* value = field.Insert(data, key);
    return ForEachField(entry, [&](Tag part, WireReader& parts) -> Status {
      return part.number == 2 ? Value(field, part, parts, value, depth) : parts.Skip(part);
    });
  }

  static void SetVarint(Type type, std::uint64_t number, void* value) {
    switch (type) {
      case Type::kBool:
        *static_cast<bool*>(value) = number != 0;
        return;
      case Type::kInt32:
        *static_cast<std::int32_t*>(value) = static_cast<std::int32_t>(number);
        return;
      default:
        *static_cast<std::int64_t*>(value) = static_cast<std::int64_t>(number);
    }
  }

  Status Value(const FieldDescriptor& field, Tag tag, WireReader& in, void* value, int depth) {
    if (IsVarint(field.type)) {
      ASSAY_RETURN_IF_ERROR(ExpectType(tag, WireType::kVarint));
      ASSAY_ASSIGN_OR_RETURN(std::uint64_t number, in.ReadVarint());
      SetVarint(field.type, number, value);
      return OkStatus();
    }
    ASSAY_RETURN_IF_ERROR(ExpectType(tag, WireType::kBytes));
    ASSAY_ASSIGN_OR_RETURN(std::string_view bytes, in.ReadBytes());
    switch (field.type) {
      case Type::kString:
      case Type::kBytes:
        *static_cast<std::string*>(value) = bytes;
        return OkStatus();
      case Type::kMessage:
        return Message(*field.message, bytes, value, depth + 1);
      case Type::kQuantity:
        return QuantityValue(bytes, *static_cast<meta::Quantity*>(value));
      case Type::kTime:
      case Type::kMicroTime:
        return TimeValue(field.type, bytes, value);
      case Type::kDuration: {
        SmallMessage<2> duration;
        ASSAY_RETURN_IF_ERROR(duration.Read(bytes));
        static_cast<meta::Duration*>(value)->nanoseconds =
            static_cast<std::int64_t>(duration.varints[1]);
        return OkStatus();
      }
      case Type::kIntOrString: {
        SmallMessage<4> either;
        ASSAY_RETURN_IF_ERROR(either.Read(bytes));
        *static_cast<meta::IntOrString*>(value) = {either.varints[1] == 1,
                                                   static_cast<std::int32_t>(either.varints[2]),
                                                   std::string(either.strings[3])};
        return OkStatus();
      }
      case Type::kRawExtension:
        return RawValue(bytes, static_cast<meta::RawExtension*>(value)->json);
      case Type::kFieldsV1:
        return RawValue(bytes, static_cast<meta::FieldsV1*>(value)->json);
      default:
        return InternalError("a scalar without a wire form");
    }
  }

  Status QuantityValue(std::string_view bytes, meta::Quantity& quantity) {
    SmallMessage<2> message;
    ASSAY_RETURN_IF_ERROR(message.Read(bytes));
    if (message.strings[1].data() == nullptr) {
      return OkStatus();
    }
    ASSAY_ASSIGN_OR_RETURN(quantity, meta::Quantity::Parse(message.strings[1]));
    return OkStatus();
  }

  Status TimeValue(Type type, std::string_view bytes, void* value) {
    if (bytes.empty()) {
      return OkStatus();
    }
    SmallMessage<3> timestamp;
    ASSAY_RETURN_IF_ERROR(timestamp.Read(bytes));
    auto seconds = static_cast<std::int64_t>(timestamp.varints[1]);
    auto nanos = static_cast<std::int32_t>(timestamp.varints[2]);
    // What RFC 3339 can say: years 0 to 9999. (Go fails only when it writes such a time as JSON.)
    constexpr std::int64_t kYear0 = -62167219200;
    constexpr std::int64_t kYear10000 = 253402300800;
    if (seconds < kYear0 || seconds >= kYear10000 || nanos < 0 || nanos >= 1'000'000'000) {
      return InvalidArgumentError("time out of range");
    }
    if (type == Type::kTime) {
      *static_cast<meta::Time*>(value) = meta::Time::FromUnix(seconds);
    } else {
      *static_cast<meta::MicroTime*>(value) = meta::MicroTime::FromUnix(seconds, nanos);
    }
    return OkStatus();
  }

  Status RawValue(std::string_view bytes, std::string& json) {
    SmallMessage<2> message;
    ASSAY_RETURN_IF_ERROR(message.Read(bytes));
    json = message.strings[1];
    return OkStatus();
  }

  const DecodeOptions& options_;
  bool inside_ = false;  // The message of the error already begins with a field.
};

}  // namespace

Result<Envelope> DecodeEnvelope(std::string_view bytes) {
  if (bytes.empty()) {
    return InvalidArgumentError("empty data");
  }
  if (!bytes.starts_with(kPrefix)) {
    return InvalidArgumentError(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
  }
  if (bytes.size() == kPrefix.size()) {
    return InvalidArgumentError("empty body");
  }
  SmallMessage<5> unknown;
  ASSAY_RETURN_IF_ERROR(unknown.Read(bytes.substr(kPrefix.size())));
  SmallMessage<3> type_meta;
  ASSAY_RETURN_IF_ERROR(type_meta.Read(unknown.strings[1]).WithContext("typeMeta"));
  Envelope envelope;
  envelope.type_meta = {std::string(type_meta.strings[1]), std::string(type_meta.strings[2])};
  envelope.raw = unknown.strings[2];
  envelope.content_type = unknown.strings[4];
  return envelope;
}

Status DecodeMessage(const MessageDescriptor& message, std::string_view bytes,
                     const DecodeOptions& options, void* message_data) {
  if (bytes.size() > options.max_bytes) {
    return ResourceExhaustedError("Request entity too large: limit is " +
                                  std::to_string(options.max_bytes));
  }
  return Decoder(options).Message(message, bytes, message_data, 1);
}

Result<Object> Decode(const Kind& kind, std::string_view bytes, const DecodeOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(Envelope envelope, DecodeEnvelope(bytes));
  GroupVersionKind expected = kind.HubGvk();
  if (envelope.type_meta.api_version != expected.ApiVersion() ||
      envelope.type_meta.kind != expected.kind) {
    return InvalidArgumentError("the object provided is of apiVersion \"" +
                                envelope.type_meta.api_version + "\" and kind \"" +
                                envelope.type_meta.kind + "\", expected \"" +
                                expected.ApiVersion() + "\" and \"" + expected.kind + "\"");
  }
  std::shared_ptr<void> value = kind.hub().New();
  ASSAY_RETURN_IF_ERROR(DecodeMessage(kind.hub(), envelope.raw, options, value.get()));
  return Object::Of(kind, std::move(value));
}

}  // namespace assay::api::proto
