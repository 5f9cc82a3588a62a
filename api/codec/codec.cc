#include "api/codec/codec.h"

#include <memory>
#include <utility>
#include <vector>

#include "api/conversion/conversion.h"
#include "api/proto/proto.h"

namespace assay::api::codec {
namespace {

Object ToHub(const Kind& kind, const KindVersion& version, std::shared_ptr<void> value) {
  const bool is_hub = &version == &kind.versions.front();
  return is_hub ? Object::Of(kind, std::move(value))
                : conversion::ToHub(kind, version, value.get());
}

// What the text says of its type, where it says it, must be what the request is about.
Status CheckType(const Kind& kind, const KindVersion& version, const json::TypeMeta& type) {
  std::string expected = ApiVersionOf(kind, version);
  if ((type.api_version.empty() || type.api_version == expected) &&
      (type.kind.empty() || type.kind == kind.kind)) {
    return OkStatus();
  }
  return InvalidArgumentError("expected " + expected + ", Kind=" + kind.kind + ", got " +
                              type.api_version + ", Kind=" + type.kind);
}

}  // namespace

std::string_view MediaTypeOf(Format format) {
  return format == Format::kJson ? "application/json" : proto::kContentType;
}

std::string EncodeMessage(const schema::MessageDescriptor& message, const void* message_data,
                          const json::TypeMeta& type_meta, Format format) {
  return format == Format::kJson
             ? json::EncodeMessage(message, message_data, type_meta)
             : proto::EncodeEnvelope(type_meta, proto::EncodeMessage(message, message_data));
}

std::string ApiVersionOf(const Kind& kind, const KindVersion& version) {
  return GroupVersionKind{kind.group, version.version, kind.kind}.ApiVersion();
}

std::string Encode(const Object& object, const KindVersion& version, Format format, Level level) {
  const Kind& kind = object.kind();
  const std::shared_ptr<const void> value = conversion::FromHub(object, version);
  if (format == Format::kProtobuf) {
    return proto::EncodeMessage(*version.message, value.get(), level);
  }
  return json::EncodeMessage(*version.message, value.get(),
                             {.api_version = ApiVersionOf(kind, version), .kind = kind.kind},
                             {.level = level});
}

Result<json::Decoded> DecodeJson(const Kind& kind, const KindVersion& version,
                                 std::string_view text, const json::DecodeOptions& options) {
  std::shared_ptr<void> value = version.message->New();
  json::TypeMeta type;
  ASSAY_ASSIGN_OR_RETURN(std::vector<std::string> warnings,
                         json::DecodeMessage(*version.message, text, options, value.get(), &type));
  ASSAY_RETURN_IF_ERROR(CheckType(kind, version, type));
  return json::Decoded{.object = ToHub(kind, version, std::move(value)),
                       .warnings = std::move(warnings)};
}

Result<Object> DecodeProto(const Kind& kind, const KindVersion& version, std::string_view bytes,
                           Level level) {
  std::shared_ptr<void> value = version.message->New();
  ASSAY_RETURN_IF_ERROR(
      proto::DecodeMessage(*version.message, bytes, {.level = level}, value.get()));
  return ToHub(kind, version, std::move(value));
}

}  // namespace assay::api::codec
