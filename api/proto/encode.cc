#include <cstdint>

#include "api/meta/quantity.h"
#include "api/meta/scalars.h"
#include "api/meta/time.h"
#include "api/proto/internal/wire.h"
#include "api/proto/proto.h"

namespace assay::api::proto {
namespace {

using internal::AppendBytesField;
using internal::AppendVarint;
using internal::AppendVarintField;
using internal::LengthPrefix;
using schema::FieldDescriptor;
using schema::MessageDescriptor;
using schema::Shape;
using schema::Type;

class Encoder {
 public:
  Encoder(Level level, std::string& out) : level_(level), out_(out) {}

  void Message(const MessageDescriptor& message, const void* data) {
    for (std::uint16_t index : message.by_number) {
      const FieldDescriptor& field = message.fields[index];
      if (field.ExistsAt(level_)) {
        Field(field, data);
      }
    }
  }

 private:
  void Field(const FieldDescriptor& field, const void* data) {
    switch (field.shape) {
      case Shape::kValue:
        // Byte strings are slices in Go, where an empty one is nil.
        if (field.type != Type::kBytes || field.Has(data)) {
          Value(field, field.number, field.Raw(data));
        }
        return;
      case Shape::kOptional:
        if (const void* value = field.Get(data)) {
          Value(field, field.number, value);
        }
        return;
      case Shape::kList:
        for (std::size_t i = 0; i < field.Size(data); ++i) {
          Value(field, field.number, field.At(data, i));
        }
        return;
      case Shape::kMap:
        field.VisitMap(data, [&](const std::string& key, const void* value) {
          LengthPrefix entry(field.number, out_);
          AppendBytesField(1, key, out_);
          Value(field, 2, value);
        });
        return;
    }
  }

  void Value(const FieldDescriptor& field, std::uint32_t number, const void* value) {
    switch (field.type) {
      case Type::kBool:
        return AppendVarintField(number, *static_cast<const bool*>(value) ? 1 : 0, out_);
      case Type::kInt32:
        return Integer(number, *static_cast<const std::int32_t*>(value));
      case Type::kInt64:
        return Integer(number, *static_cast<const std::int64_t*>(value));
      case Type::kString:
      case Type::kBytes:
        return AppendBytesField(number, *static_cast<const std::string*>(value), out_);
      default:
        break;
    }
    // The others are messages.
    LengthPrefix prefix(number, out_);
    switch (field.type) {
      case Type::kMessage:
        return Message(*field.message, value);
      case Type::kQuantity:
        return AppendBytesField(1, static_cast<const meta::Quantity*>(value)->ToString(), out_);
      case Type::kTime:
        // Whole seconds, as upstream.
        return Timestamp(*static_cast<const meta::Time*>(value), 0);
      case Type::kMicroTime: {
        const auto& time = *static_cast<const meta::MicroTime*>(value);
        return Timestamp(time, time.nanos() / 1000 * 1000);
      }
      case Type::kDuration:
        return Integer(1, static_cast<const meta::Duration*>(value)->nanoseconds);
      case Type::kIntOrString: {
        const auto& either = *static_cast<const meta::IntOrString*>(value);
        Integer(1, either.is_string ? 1 : 0);
        Integer(2, either.int_value);
        return AppendBytesField(3, either.string_value, out_);
      }
      case Type::kRawExtension:
        return Raw(static_cast<const meta::RawExtension*>(value)->json);
      case Type::kFieldsV1:
        return Raw(static_cast<const meta::FieldsV1*>(value)->json);
      default:
        return;
    }
  }

  void Integer(std::uint32_t number, std::int64_t value) {
    AppendVarintField(number, static_cast<std::uint64_t>(value), out_);
  }

  void Timestamp(const meta::Time& time, std::int32_t nanos) {
    if (!time.empty()) {
      Integer(1, time.unix_seconds());
      Integer(2, nanos);
    }
  }

  void Raw(const std::string& json) {
    if (!json.empty()) {
      AppendBytesField(1, json, out_);
    }
  }

  Level level_;
  std::string& out_;
};

}  // namespace

std::string EncodeMessage(const MessageDescriptor& message, const void* message_data, Level level) {
  std::string out;
  Encoder(level, out).Message(message, message_data);
  return out;
}

void AppendField(std::uint32_t number, std::string_view bytes, std::string* out) {
  AppendBytesField(number, bytes, *out);
}

std::string EncodeEnvelope(const json::TypeMeta& type_meta, std::string_view raw) {
  std::string out("k8s\0", 4);
  {
    LengthPrefix prefix(1, out);
    AppendBytesField(1, type_meta.api_version, out);
    AppendBytesField(2, type_meta.kind, out);
  }
  AppendBytesField(2, raw, out);
  AppendBytesField(3, "", out);  // contentEncoding
  AppendBytesField(4, "", out);  // contentType
  return out;
}

std::string Encode(const Object& object, Level level) {
  GroupVersionKind gvk = object.kind().HubGvk();
  return EncodeEnvelope({gvk.ApiVersion(), gvk.kind},
                        EncodeMessage(object.kind().hub(), object.data(), level));
}

}  // namespace assay::api::proto
