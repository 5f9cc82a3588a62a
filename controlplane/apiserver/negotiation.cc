#include "controlplane/apiserver/negotiation.h"

#include <map>

namespace assay::controlplane::apiserver {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

// Cuts the part before `separator` off the front of `text`.
std::string_view TakePart(std::string_view& text, char separator) {
  std::string_view part = text.substr(0, text.find(separator));
  text.remove_prefix(part.size() == text.size() ? text.size() : part.size() + 1);
  return Trim(part);
}

struct MediaType {
  std::string_view type;
  std::map<std::string_view, std::string_view> parameters;

  std::string_view Get(std::string_view name) const {
    auto found = parameters.find(name);
    return found == parameters.end() ? std::string_view() : found->second;
  }
};

MediaType ParseMediaType(std::string_view text) {
  MediaType result;
  result.type = TakePart(text, ';');
  while (!text.empty()) {
    std::string_view parameter = TakePart(text, ';');
    std::string_view name = TakePart(parameter, '=');
    result.parameters[name] = Trim(parameter);
  }
  return result;
}

std::optional<OutputForm> FormOf(const MediaType& media, bool discovery) {
  if (media.type != "application/json" && media.type != "*/*" && media.type != "application/*") {
    return std::nullopt;
  }
  std::string_view as = media.Get("as");
  if (as.empty()) {
    return OutputForm::kObject;
  }
  std::string_view group = media.Get("g");
  std::string_view version = media.Get("v");
  if (discovery) {
    return as == "APIGroupDiscoveryList" && group == "apidiscovery.k8s.io" && version == "v2"
               ? std::optional(OutputForm::kAggregatedDiscovery)
               : std::nullopt;
  }
  if (group != "meta.k8s.io" || version != "v1") {
    return std::nullopt;
  }
  if (as == "Table") {
    return OutputForm::kTable;
  }
  if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList") {
    return OutputForm::kPartialMetadata;
  }
  return std::nullopt;
}

}  // namespace

std::optional<OutputForm> NegotiateOutput(std::string_view accept, bool discovery) {
  if (Trim(accept).empty()) {
    return OutputForm::kObject;
  }
  while (!accept.empty()) {
    if (auto form = FormOf(ParseMediaType(TakePart(accept, ',')), discovery)) {
      return form;
    }
  }
  return std::nullopt;
}

BodyFormat FormatOf(std::string_view content_type) {
  static const auto* formats = new std::map<std::string_view, BodyFormat>{
      {"", BodyFormat::kJson},
      {"application/json", BodyFormat::kJson},
      {"application/yaml", BodyFormat::kYaml},
      {"application/vnd.kubernetes.protobuf", BodyFormat::kProtobuf},
      {"application/json-patch+json", BodyFormat::kJsonPatch},
      {"application/merge-patch+json", BodyFormat::kMergePatch},
      {"application/strategic-merge-patch+json", BodyFormat::kStrategicMergePatch},
      {"application/apply-patch+yaml", BodyFormat::kApplyYaml}};
  auto found = formats->find(TakePart(content_type, ';'));
  return found == formats->end() ? BodyFormat::kUnsupported : found->second;
}

}  // namespace assay::controlplane::apiserver
