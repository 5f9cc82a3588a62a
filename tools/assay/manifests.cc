#include "tools/assay/manifests.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "api/codec/codec.h"
#include "api/registry.h"
#include "base/file.h"
#include "base/yaml/yaml.h"

namespace assay::tools {
namespace {

Result<api::Object> ReadObject(const yaml::Node& document) {
  std::string text = yaml::ToJson(document);
  ASSAY_ASSIGN_OR_RETURN(const api::json::TypeMeta type, api::json::PeekTypeMeta(text));
  const api::Kind* kind = api::FindByApiVersion(type.api_version, type.kind);
  if (kind == nullptr) {
    return InvalidArgumentError("no kind \"" + type.kind + "\" of apiVersion \"" +
                                type.api_version + "\" is known");
  }
  const std::size_t slash = type.api_version.rfind('/');
  const api::KindVersion* version = api::FindVersion(
      *kind, std::string_view(type.api_version).substr(slash + 1));  // npos + 1 is 0
  if (kind->namespaced) {
    nlohmann::json object = nlohmann::json::parse(text);
    if (!object["metadata"].contains("namespace")) {
      object["metadata"]["namespace"] = "default";
    }
    text = object.dump();
  }
  ASSAY_ASSIGN_OR_RETURN(api::json::Decoded decoded,
                         api::codec::DecodeJson(*kind, *version, text, {}));
  return std::move(decoded.object);
}

}  // namespace

Result<std::vector<api::Object>> ReadManifests(const std::string& file) {
  ASSAY_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
  ASSAY_ASSIGN_OR_RETURN(const std::vector<yaml::Node> documents, yaml::ParseDocuments(text, file));
  std::vector<api::Object> objects;
  for (const yaml::Node& document : documents) {
    Result<api::Object> object =
        document.IsMapping() ? ReadObject(document)
                             : InvalidArgumentError("expected an object with apiVersion and kind");
    if (!object.ok()) {
      return InvalidArgumentError(file + ":" + std::to_string(document.line()) + ": " +
                                  object.status().message());
    }
    objects.push_back(*std::move(object));
  }
  return objects;
}

}  // namespace assay::tools
