#include "controlplane/apiserver/version_codec.h"

#include <memory>
#include <utility>

#include "api/conversion/conversion.h"
#include "api/proto/proto.h"

namespace assay::controlplane::apiserver {
namespace {

bool IsHub(const api::Kind& kind, const api::KindVersion& version) {
  return &version == &kind.versions.front();
}

std::string ApiVersionOf(const api::Kind& kind, const api::KindVersion& version) {
  return api::GroupVersionKind{kind.group, version.version, kind.kind}.ApiVersion();
}

api::Object ToHub(const api::Kind& kind, const api::KindVersion& version,
                  std::shared_ptr<void> value) {
  return IsHub(kind, version) ? api::Object::Of(kind, std::move(value))
                              : api::conversion::ToHub(kind, version, value.get());
}

// What the text says of its type, where it says it, must be what the request is about.
Status CheckType(const api::Kind& kind, const api::KindVersion& version,
                 const api::json::TypeMeta& type) {
  std::string expected = ApiVersionOf(kind, version);
  if ((type.api_version.empty() || type.api_version == expected) &&
      (type.kind.empty() || type.kind == kind.kind)) {
    return OkStatus();
  }
  return InvalidArgumentError("expected " + expected + ", Kind=" + kind.kind + ", got " +
                              type.api_version + ", Kind=" + type.kind);
}

}  // namespace

std::string EncodeVersion(const api::Object& object, const api::KindVersion& version,
                          api::Level level) {
  const api::Kind& kind = object.kind();
  std::shared_ptr<const void> value = api::conversion::FromHub(object, version);
  return api::json::EncodeMessage(*version.message, value.get(),
                                  {.api_version = ApiVersionOf(kind, version), .kind = kind.kind},
                                  {.level = level});
}

Result<api::json::Decoded> DecodeVersion(const api::Kind& kind, const api::KindVersion& version,
                                         std::string_view text,
                                         const api::json::DecodeOptions& options) {
  std::shared_ptr<void> value = version.message->New();
  api::json::TypeMeta type;
  ASSAY_ASSIGN_OR_RETURN(
      std::vector<std::string> warnings,
      api::json::DecodeMessage(*version.message, text, options, value.get(), &type));
  ASSAY_RETURN_IF_ERROR(CheckType(kind, version, type));
  return api::json::Decoded{.object = ToHub(kind, version, std::move(value)),
                            .warnings = std::move(warnings)};
}

Result<api::Object> DecodeProtoVersion(const api::Kind& kind, const api::KindVersion& version,
                                       std::string_view bytes, api::Level level) {
  std::shared_ptr<void> value = version.message->New();
  ASSAY_RETURN_IF_ERROR(
      api::proto::DecodeMessage(*version.message, bytes, {.level = level}, value.get()));
  return ToHub(kind, version, std::move(value));
}

}  // namespace assay::controlplane::apiserver
