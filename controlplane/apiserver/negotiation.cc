#include "controlplane/apiserver/negotiation.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>
#include <vector>

namespace assay::controlplane::apiserver {
namespace {

using api::codec::Format;

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

// The clauses of an Accept header as munnerz/goautoneg sorts them: by quality, then those without
// wildcards first.
std::vector<MediaType> ParseAccept(std::string_view accept) {
  std::vector<MediaType> clauses;
  while (!accept.empty()) {
    clauses.push_back(ParseMediaType(TakePart(accept, ',')));
  }
  const auto rank = [](const MediaType& media) {
    const std::string_view q = media.Get("q");
    double quality = 1;
    // What is no number counts in full.
    std::from_chars(q.data(), q.data() + q.size(), quality);
    return std::tuple(-quality, media.type.starts_with('*'), media.type.ends_with('*'));
  };
  std::stable_sort(clauses.begin(), clauses.end(),
                   [&](const MediaType& a, const MediaType& b) { return rank(a) < rank(b); });
  return clauses;
}

std::optional<Format> FormatOf(const MediaType& media) {
  if (media.type == "application/json" || media.type == "*/*" || media.type == "application/*") {
    return Format::kJson;
  }
  return media.type == api::codec::MediaTypeOf(Format::kProtobuf) ? std::optional(Format::kProtobuf)
                                                                  : std::nullopt;
}

std::optional<OutputForm> FormOf(const MediaType& media, Format format, bool discovery) {
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
  if (as == "Table" && format == Format::kJson) {
    return OutputForm::kTable;
  }
  if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList") {
    return OutputForm::kPartialMetadata;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Output> NegotiateOutput(std::string_view accept, bool discovery) {
  if (Trim(accept).empty()) {
    return Output();
  }
  for (const MediaType& media : ParseAccept(accept)) {
    const std::optional<Format> format = FormatOf(media);
    if (!format) {
      continue;
    }
    if (const std::optional<OutputForm> form = FormOf(media, *format, discovery)) {
      return Output{*form, *format};
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
