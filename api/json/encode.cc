#include <charconv>
#include <cstdint>

#include "api/json/internal/scan.h"
#include "api/json/json.h"
#include "api/meta/quantity.h"
#include "api/meta/scalars.h"
#include "api/meta/time.h"
#include "base/base64.h"

namespace assay::api::json {
namespace {

using schema::FieldDescriptor;
using schema::MessageDescriptor;
using schema::Omit;
using schema::Shape;
using schema::Type;

constexpr char kHex[] = "0123456789abcdef";

void AppendUnicodeEscape(unsigned code, std::string& out) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) {
    out += kHex[code >> shift & 15];
  }
}

// U+2028 and U+2029 (E2 80 A8 and A9) end lines in JavaScript: Go escapes them.
bool IsLineSeparator(std::string_view text, std::size_t at) {
  return text.substr(at).starts_with("\xe2\x80\xa8") || text.substr(at).starts_with("\xe2\x80\xa9");
}

void AppendQuoted(std::string_view text, std::string& out) {
  out += '"';
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    switch (c) {
      case '"':
      case '\\':
        out += '\\';
        out += c;
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '<':
      case '>':
      case '&':
        AppendUnicodeEscape(static_cast<unsigned char>(c), out);
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          AppendUnicodeEscape(static_cast<unsigned char>(c), out);
        } else if (static_cast<unsigned char>(c) < 0x80) {
          out += c;
        } else if (IsLineSeparator(text, i)) {
          AppendUnicodeEscape(text[i + 2] == '\xa8' ? 0x2028 : 0x2029, out);
          i += 2;
        } else if (std::size_t size = internal::RuneSize(text, i); size > 0) {
          out += text.substr(i, size);
          i += size - 1;
        } else {
          AppendUnicodeEscape(0xfffd, out);
        }
    }
  }
  out += '"';
}

// Raw JSON without blanks, escaped as Go's compact does.
void AppendCompact(std::string_view json, std::string& out) {
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    char c = json[i];
    if (in_string && c == '\\' && i + 1 < json.size()) {
      out += c;
      out += json[++i];
      continue;
    }
    in_string = in_string != (c == '"');
    if (c == '<' || c == '>' || c == '&') {
      AppendUnicodeEscape(static_cast<unsigned char>(c), out);
    } else if (c == '\xe2' && IsLineSeparator(json, i)) {
      AppendUnicodeEscape(json[i + 2] == '\xa8' ? 0x2028 : 0x2029, out);
      i += 2;
    } else if (in_string || (c != ' ' && c != '\t' && c != '\r' && c != '\n')) {
      out += c;
    }
  }
}

template <typename T>
void AppendInteger(T value, std::string& out) {
  char digits[24];
  auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end);
}

class Encoder {
 public:
  Encoder(Level level, std::string& out) : level_(level), out_(out) {}

  void Object(const MessageDescriptor& message, const void* data, const TypeMeta& type_meta) {
    out_ += '{';
    bool first = true;
    if (!type_meta.kind.empty()) {
      out_ += "\"kind\":";
      AppendQuoted(type_meta.kind, out_);
      first = false;
    }
    if (!type_meta.api_version.empty()) {
      out_ += first ? "\"apiVersion\":" : ",\"apiVersion\":";
      AppendQuoted(type_meta.api_version, out_);
      first = false;
    }
    Fields(message, data, first);
    out_ += '}';
  }

 private:
  void Fields(const MessageDescriptor& message, const void* data, bool& first) {
    for (const FieldDescriptor& field : message.fields) {
      if (field.is_inline) {
        Fields(*field.message, field.Raw(data), first);
      } else if (field.ExistsAt(level_) && !IsOmitted(field, data)) {
        if (!first) {
          out_ += ',';
        }
        first = false;
        out_ += '"';
        out_ += field.name;
        out_ += "\":";
        Field(field, data);
      }
    }
  }

  static bool IsOmitted(const FieldDescriptor& field, const void* data) {
    if (field.omit == Omit::kNever) {
      return false;
    }
    if (field.shape == Shape::kValue && field.omit == Omit::kEmpty) {
      // Go's omitempty never leaves out a struct, and these types are structs there.
      switch (field.type) {
        case Type::kMessage:
          return field.message->is_list_wrapper && !field.Has(data);
        case Type::kQuantity:
        case Type::kTime:
        case Type::kMicroTime:
        case Type::kDuration:
        case Type::kIntOrString:
        case Type::kRawExtension:
        case Type::kFieldsV1:
          return false;
        default:
          break;
      }
    }
    return !field.Has(data);
  }

  void Field(const FieldDescriptor& field, const void* data) {
    switch (field.shape) {
      case Shape::kValue:
      case Shape::kOptional:
        // Like an empty list, an empty string of bytes is Go's nil slice.
        if (const void* value = field.Get(data);
            value != nullptr && (field.type != Type::kBytes || field.Has(data))) {
          Value(field, value);
        } else {
          out_ += "null";
        }
        return;
      case Shape::kList:
        return List(field, data);
      case Shape::kMap:
        return Map(field, data);
    }
  }

  // An empty list is Go's nil slice: what is stored went through protobuf, which knows no other.
  void List(const FieldDescriptor& field, const void* data) {
    std::size_t size = field.Size(data);
    if (size == 0) {
      out_ += "null";
      return;
    }
    for (std::size_t i = 0; i < size; ++i) {
      out_ += i == 0 ? '[' : ',';
      Value(field, field.At(data, i));
    }
    out_ += ']';
  }

  void Map(const FieldDescriptor& field, const void* data) {
    if (field.Size(data) == 0) {
      out_ += "null";
      return;
    }
    char separator = '{';
    field.VisitMap(data, [&](const std::string& key, const void* value) {
      out_ += separator;
      separator = ',';
      AppendQuoted(key, out_);
      out_ += ':';
      Value(field, value);
    });
    out_ += '}';
  }

  void Value(const FieldDescriptor& field, const void* value) {
    switch (field.type) {
      case Type::kBool:
        out_ += *static_cast<const bool*>(value) ? "true" : "false";
        return;
      case Type::kInt32:
        return AppendInteger(*static_cast<const std::int32_t*>(value), out_);
      case Type::kInt64:
        return AppendInteger(*static_cast<const std::int64_t*>(value), out_);
      case Type::kString:
        return AppendQuoted(*static_cast<const std::string*>(value), out_);
      case Type::kBytes:
        return AppendQuoted(EncodeBase64(*static_cast<const std::string*>(value)), out_);
      case Type::kQuantity:
        return AppendQuoted(static_cast<const meta::Quantity*>(value)->ToString(), out_);
      case Type::kTime:
        return Time(static_cast<const meta::Time*>(value)->ToString());
      case Type::kMicroTime:
        return Time(static_cast<const meta::MicroTime*>(value)->ToString());
      case Type::kDuration:
        return AppendQuoted(static_cast<const meta::Duration*>(value)->ToString(), out_);
      case Type::kIntOrString: {
        const auto& either = *static_cast<const meta::IntOrString*>(value);
        return either.is_string ? AppendQuoted(either.string_value, out_)
                                : AppendInteger(either.int_value, out_);
      }
      case Type::kRawExtension:
        return Raw(static_cast<const meta::RawExtension*>(value)->json);
      case Type::kFieldsV1:
        return Raw(static_cast<const meta::FieldsV1*>(value)->json);
      case Type::kMessage:
        if (field.message->is_list_wrapper) {
          return List(field.message->fields.front(), value);
        }
        return Object(*field.message, value, {});
    }
  }

  void Time(const std::string& text) {
    if (text.empty()) {
      out_ += "null";
    } else {
      AppendQuoted(text, out_);
    }
  }

  void Raw(std::string_view json) {
    if (json.empty()) {
      out_ += "null";
    } else {
      AppendCompact(json, out_);
    }
  }

  Level level_;
  std::string& out_;
};

}  // namespace

void EncodeMessageTo(const MessageDescriptor& message, const void* message_data,
                     const TypeMeta& type_meta, const EncodeOptions& options, std::string* out) {
  Encoder(options.level, *out).Object(message, message_data, type_meta);
}

std::string EncodeMessage(const MessageDescriptor& message, const void* message_data,
                          const TypeMeta& type_meta, const EncodeOptions& options) {
  std::string out;
  EncodeMessageTo(message, message_data, type_meta, options, &out);
  return out;
}

std::string Encode(const Object& object, const EncodeOptions& options) {
  GroupVersionKind gvk = object.kind().HubGvk();
  return EncodeMessage(object.kind().hub(), object.data(), {gvk.ApiVersion(), gvk.kind}, options);
}

std::string Quote(std::string_view text) {
  std::string out;
  AppendQuoted(text, out);
  return out;
}

}  // namespace assay::api::json
