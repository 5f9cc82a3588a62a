#include <cstdint>
#include <set>
#include <utility>

#include "api/json/go_quote.h"
#include "api/json/internal/scan.h"
#include "api/json/internal/values.h"
#include "api/json/json.h"
#include "api/meta/quantity.h"
#include "api/meta/scalars.h"
#include "api/meta/time.h"
#include "base/base64.h"

namespace assay::api::json {
namespace {

using internal::Cursor;
using internal::ParseInteger;
using internal::ValueKind;
using schema::FieldDescriptor;
using schema::MessageDescriptor;
using schema::Shape;
using schema::Type;

// As sigs.k8s.io/json: more complaints than this are not collected.
constexpr std::size_t kMaxStrictErrors = 100;

// The Go type of one value of a field.
std::string GoElementType(const FieldDescriptor& field) {
  if (!field.go_type.empty()) {
    return std::string(field.go_type);
  }
  switch (field.type) {
    case Type::kMessage:
      return std::string(field.message->go_name);
    case Type::kBytes:
      return "[]uint8";
    default:
      return std::string(schema::TypeName(field.type));
  }
}

std::string GoFieldType(const FieldDescriptor& field) {
  switch (field.shape) {
    case Shape::kList:
      return "[]" + GoElementType(field);
    case Shape::kMap:
      return "map[string]" + GoElementType(field);
    default:
      return GoElementType(field);
  }
}

void AppendName(std::string& path, std::string_view name) {
  if (!path.empty()) {
    path += '.';
  }
  path += name;
}

// Decodes one text. Complaints about types are kept and reported at the end, the first only, as Go
// does; those about unknown and duplicate fields count only where there is none of the former.
class Decoder {
 public:
  Decoder(std::string_view text, const DecodeOptions& options) : in_(text), options_(options) {}

  Status Run(const MessageDescriptor& message, void* data, TypeMeta& type_meta) {
    if (in_.Peek() != '{') {
      return InvalidArgumentError("json: cannot unmarshal " + std::string(ValueKind(in_.Peek())) +
                                  " into Go value of type " + std::string(message.go_name));
    }
    type_meta_ = &type_meta;
    ASSAY_RETURN_IF_ERROR(Object(message, data, /*at_top=*/true));
    return type_error_;
  }

  // `unknown field "spec.foo"` and the like.
  std::vector<std::string> TakeStrictErrors() { return std::move(strict_errors_); }

 private:
  // --- Where we are -------------------------------------------------------------------------

  // Adds to both paths for as long as it lives.
  class Scope {
   public:
    explicit Scope(Decoder& decoder)
        : decoder_(decoder),
          strict_size_(decoder.strict_path_.size()),
          go_size_(decoder.go_path_.size()) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() {
      decoder_.strict_path_.resize(strict_size_);
      decoder_.go_path_.resize(go_size_);
    }
    // Go's type errors know only the names of fields; the strict ones also keys and indexes.
    void Field(std::string_view name) {
      Key(name);
      AppendName(decoder_.go_path_, name);
    }
    void Key(std::string_view name) { AppendName(decoder_.strict_path_, name); }
    void Index(std::size_t index) { decoder_.strict_path_ += "[" + std::to_string(index) + "]"; }

   private:
    Decoder& decoder_;
    std::size_t strict_size_;
    std::size_t go_size_;
  };

  void TypeError(std::string_view value, std::string_view go_type) {
    if (type_error_.ok()) {
      type_error_ = InvalidArgumentError("json: cannot unmarshal " + std::string(value) +
                                         " into Go struct field " + std::string(struct_name_) +
                                         "." + go_path_ + " of type " + std::string(go_type));
    }
  }

  void StrictError(std::string_view what, std::string_view name) {
    if (options_.field_validation == FieldValidation::kIgnore ||
        strict_errors_.size() >= kMaxStrictErrors) {
      return;
    }
    std::string path =
        strict_path_.empty() ? std::string(name) : strict_path_ + "." + std::string(name);
    std::string error = std::string(what) + " field " + GoQuote(path);
    if (seen_strict_errors_.insert(error).second) {
      strict_errors_.push_back(std::move(error));
    }
  }

  // --- Values -------------------------------------------------------------------------------

  Status Object(const MessageDescriptor& message, void* data, bool at_top) {
    std::string_view outer_struct = std::exchange(struct_name_, message.name);
    std::set<std::string, std::less<>> seen;
    for (in_.Enter(); in_.Next();) {
      std::string key = in_.Key();
      ASSAY_RETURN_IF_ERROR(Member(message, data, key, at_top, seen));
      struct_name_ = message.name;
    }
    struct_name_ = outer_struct;
    return OkStatus();
  }

  Status Member(const MessageDescriptor& message, void* data, const std::string& key, bool at_top,
                std::set<std::string, std::less<>>& seen) {
    Scope scope(*this);
    const FieldDescriptor* field = FindField(message, key, &data);
    bool is_type_meta = (at_top || message.has_type_meta) && (key == "apiVersion" || key == "kind");
    if (field == nullptr && !is_type_meta) {
      StrictError("unknown", key);
      in_.Raw();
      return OkStatus();
    }
    if (!seen.insert(key).second) {
      StrictError("duplicate", key);
    }
    scope.Field(key);
    if (field == nullptr) {
      TypeMetaMember(key, at_top);
      return OkStatus();
    }
    return FieldValue(*field, data);
  }

  // The field named `key`, within inline structs too: then `*data` becomes theirs, and their names
  // go into the path of type errors.
  const FieldDescriptor* FindField(const MessageDescriptor& message, std::string_view key,
                                   void** data) {
    for (const FieldDescriptor& field : message.fields) {
      if (field.is_inline) {
        const std::size_t go_size = go_path_.size();
        AppendName(go_path_, field.message->name);
        void* inner_data = field.Raw(*data);
        if (const FieldDescriptor* inner = FindField(*field.message, key, &inner_data)) {
          *data = inner_data;
          return inner;
        }
        go_path_.resize(go_size);
      } else if (field.name == key) {
        return field.ExistsAt(options_.level) ? &field : nullptr;
      }
    }
    return nullptr;
  }

  void TypeMetaMember(const std::string& key, bool at_top) {
    char first = in_.Peek();
    if (first == '"') {
      std::string value = in_.String();
      if (at_top) {
        (key == "kind" ? type_meta_->kind : type_meta_->api_version) = std::move(value);
      }
      return;
    }
    in_.Raw();
    if (first != 'n') {
      TypeError(ValueKind(first), "string");
    }
  }

  Status FieldValue(const FieldDescriptor& field, void* data) {
    bool is_null = in_.Peek() == 'n';
    switch (field.shape) {
      case Shape::kValue:
        return Value(field, field.Raw(data));
      case Shape::kOptional:
        if (is_null) {
          in_.Raw();
          field.Clear(data);
          return OkStatus();
        }
        return Value(field, field.Mutable(data));
      case Shape::kList:
        return is_null ? Null(field, data) : List(field, data);
      case Shape::kMap:
        return is_null ? Null(field, data) : Map(field, data);
    }
    return OkStatus();
  }

  Status Null(const FieldDescriptor& field, void* data) {
    in_.Raw();
    field.Clear(data);
    return OkStatus();
  }

  Status List(const FieldDescriptor& field, void* data) {
    if (in_.Peek() != '[') {
      TypeError(ValueKind(in_.Peek()), GoFieldType(field));
      in_.Raw();
      return OkStatus();
    }
    // A repeated field decodes over the items that are there, as in Go.
    std::size_t index = 0;
    for (in_.Enter(); in_.Next(); ++index) {
      Scope scope(*this);
      scope.Index(index);
      void* item = index < field.Size(data) ? field.MutableAt(data, index) : field.Append(data);
      ASSAY_RETURN_IF_ERROR(Value(field, item));
    }
    while (field.Size(data) > index) {
      field.list_ops->erase(field.Raw(data), field.Size(data) - 1);
    }
    if (field.list_ops->specify != nullptr) {
      field.list_ops->specify(field.Raw(data));
    }
    return OkStatus();
  }

  Status Map(const FieldDescriptor& field, void* data) {
    if (in_.Peek() != '{') {
      TypeError(ValueKind(in_.Peek()), GoFieldType(field));
      in_.Raw();
      return OkStatus();
    }
    std::set<std::string, std::less<>> seen;
    for (in_.Enter(); in_.Next();) {
      std::string key = in_.Key();
      if (!seen.insert(key).second) {
        StrictError("duplicate", key);
      }
      Scope scope(*this);
      scope.Key(key);
      field.map_ops->erase(field.Raw(data), key);
      ASSAY_RETURN_IF_ERROR(Value(field, field.Insert(data, key)));
    }
    return OkStatus();
  }

  // One value of the field's type. null leaves what there is, as Go does for what is no pointer.
  Status Value(const FieldDescriptor& field, void* value) {
    char first = in_.Peek();
    switch (field.type) {
      case Type::kMessage:
        return Message(field, value);
      case Type::kQuantity:
        return internal::ReadQuantity(in_, *static_cast<meta::Quantity*>(value));
      case Type::kTime:
        return internal::ReadTime(in_, *static_cast<meta::Time*>(value));
      case Type::kMicroTime:
        return internal::ReadTime(in_, *static_cast<meta::MicroTime*>(value));
      case Type::kDuration:
        return internal::ReadDuration(in_, *static_cast<meta::Duration*>(value));
      case Type::kIntOrString:
        return internal::ReadIntOrString(in_, *static_cast<meta::IntOrString*>(value));
      case Type::kRawExtension:
        return internal::ReadRaw(in_, static_cast<meta::RawExtension*>(value)->json);
      case Type::kFieldsV1:
        return internal::ReadRaw(in_, static_cast<meta::FieldsV1*>(value)->json);
      default:
        break;
    }
    if (first == 'n') {
      in_.Raw();
      return OkStatus();
    }
    switch (field.type) {
      case Type::kString:
        if (first == '"') {
          *static_cast<std::string*>(value) = in_.String();
          return OkStatus();
        }
        break;
      case Type::kBytes:
        if (first == '"') {
          return BytesValue(*static_cast<std::string*>(value));
        }
        break;
      case Type::kBool:
        if (first == 't' || first == 'f') {
          in_.Raw();
          *static_cast<bool*>(value) = first == 't';
          return OkStatus();
        }
        break;
      case Type::kInt32:
        return IntegerValue(field, static_cast<std::int32_t*>(value));
      case Type::kInt64:
        return IntegerValue(field, static_cast<std::int64_t*>(value));
      default:
        break;
    }
    in_.Raw();
    TypeError(ValueKind(first), GoElementType(field));
    return OkStatus();
  }

  Status Message(const FieldDescriptor& field, void* value) {
    char first = in_.Peek();
    if (field.message->is_list_wrapper) {
      return FieldValue(field.message->fields.front(), value);
    }
    if (first == '{') {
      return Object(*field.message, value, /*at_top=*/false);
    }
    in_.Raw();
    if (first != 'n') {
      TypeError(ValueKind(first), GoElementType(field));
    }
    return OkStatus();
  }

  template <typename T>
  Status IntegerValue(const FieldDescriptor& field, T* value) {
    char first = in_.Peek();
    std::string_view text = in_.Raw();
    if (ValueKind(first) != "number") {
      TypeError(ValueKind(first), GoElementType(field));
    } else if (!ParseInteger(text, *value)) {
      TypeError("number " + std::string(text), GoElementType(field));
    }
    return OkStatus();
  }

  Status BytesValue(std::string& value) {
    Result<std::string> bytes = DecodeBase64(in_.String());
    if (!bytes.ok()) {
      if (type_error_.ok()) {
        type_error_ = bytes.status();
      }
      return OkStatus();
    }
    value = *std::move(bytes);
    return OkStatus();
  }

  Cursor in_;
  const DecodeOptions& options_;
  TypeMeta* type_meta_ = nullptr;
  std::string_view struct_name_;  // The innermost struct, as Go's type errors call it.
  std::string go_path_;
  std::string strict_path_;
  Status type_error_;
  std::vector<std::string> strict_errors_;
  std::set<std::string> seen_strict_errors_;
};

Status CheckSize(std::string_view text, std::size_t max_bytes) {
  return text.size() <= max_bytes ? OkStatus()
                                  : ResourceExhaustedError("Request entity too large: limit is " +
                                                           std::to_string(max_bytes));
}

std::string Join(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) {
    joined += joined.empty() ? part : ", " + part;
  }
  return joined;
}

}  // namespace

Result<TypeMeta> PeekTypeMeta(std::string_view text) {
  constexpr std::string_view kContext = "couldn't get version/kind; json parse error";
  DecodeOptions defaults;
  ASSAY_RETURN_IF_ERROR(internal::Validate(text, defaults.max_depth).WithContext(kContext));
  Cursor in(text);
  auto type_error = [&](std::string_view what, std::string_view field) {
    return InvalidArgumentError("json: cannot unmarshal " + std::string(what) + " into Go " +
                                std::string(field))
        .WithContext(kContext);
  };
  if (in.Peek() != '{') {
    return type_error(ValueKind(in.Peek()),
                      "value of type struct { APIVersion string \"json:\\\"apiVersion,omitempty"
                      "\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }");
  }
  TypeMeta type_meta;
  for (in.Enter(); in.Next();) {
    std::string key = in.Key();
    if (key != "apiVersion" && key != "kind") {
      in.Raw();
      continue;
    }
    char first = in.Peek();
    if (first == 'n') {
      in.Raw();
    } else if (first == '"') {
      (key == "kind" ? type_meta.kind : type_meta.api_version) = in.String();
    } else {
      return type_error(ValueKind(first), "struct field ." + key + " of type string");
    }
  }
  return type_meta;
}

Result<std::vector<std::string>> DecodeMessage(const MessageDescriptor& message,
                                               std::string_view text, const DecodeOptions& options,
                                               void* message_data, TypeMeta* type_meta) {
  ASSAY_RETURN_IF_ERROR(CheckSize(text, options.max_bytes));
  ASSAY_RETURN_IF_ERROR(internal::Validate(text, options.max_depth));
  TypeMeta ignored;
  Decoder decoder(text, options);
  ASSAY_RETURN_IF_ERROR(
      decoder.Run(message, message_data, type_meta != nullptr ? *type_meta : ignored));
  std::vector<std::string> errors = decoder.TakeStrictErrors();
  if (options.field_validation == FieldValidation::kStrict && !errors.empty()) {
    return InvalidArgumentError("strict decoding error: " + Join(errors));
  }
  return errors;
}

Result<Decoded> Decode(const Kind& kind, std::string_view text, const DecodeOptions& options) {
  std::shared_ptr<void> value = kind.hub().New();
  TypeMeta type_meta;
  Decoded decoded;
  ASSAY_ASSIGN_OR_RETURN(decoded.warnings,
                         DecodeMessage(kind.hub(), text, options, value.get(), &type_meta));
  GroupVersionKind expected = kind.HubGvk();
  if ((!type_meta.api_version.empty() && type_meta.api_version != expected.ApiVersion()) ||
      (!type_meta.kind.empty() && type_meta.kind != expected.kind)) {
    return InvalidArgumentError("the object provided is of apiVersion " +
                                GoQuote(type_meta.api_version) + " and kind " +
                                GoQuote(type_meta.kind) + ", expected " +
                                GoQuote(expected.ApiVersion()) + " and " + GoQuote(expected.kind));
  }
  decoded.object = Object::Of(kind, std::move(value));
  return decoded;
}

}  // namespace assay::api::json
