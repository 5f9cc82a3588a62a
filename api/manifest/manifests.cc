#include "api/manifest/manifests.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "api/codec/codec.h"
#include "api/registry.h"
#include "base/file.h"

namespace assay::api::manifest {
namespace {

constexpr int kMaxListDepth = 8;

// "spec.devices.requests[0].exactly.count": the line of what of it is there. Go's decoder leaves
// indexes out: that of an only item is meant.
int LineOf(const Place& place, std::string_view field) {
  const yaml::Node* node = place.yaml;
  if (node == nullptr) {
    return place.line;
  }
  while (!field.empty()) {
    const std::size_t end = field.find_first_of(".[");
    const yaml::Node* next = nullptr;
    if (end == 0 && field[0] == '[') {
      const std::size_t close = field.find(']');
      if (close == std::string_view::npos) {
        break;
      }
      const std::string key(field.substr(1, close - 1));
      if (node->IsSequence() && key.find_first_not_of("0123456789") == std::string::npos) {
        const std::size_t index = std::stoul("0" + key);
        next = index < node->items().size() ? &node->items()[index] : nullptr;
      } else {
        next = node->Find(key);
      }
      field.remove_prefix(close + 1);
    } else {
      if (node->IsSequence() && node->items().size() == 1) {
        node = &node->items()[0];
      }
      next = node->IsMapping() ? node->Find(field.substr(0, end)) : nullptr;
      field.remove_prefix(end == std::string_view::npos ? field.size() : end);
    }
    if (field.starts_with(".")) {
      field.remove_prefix(1);
    }
    if (next == nullptr) {
      break;
    }
    node = next;
  }
  return node->line();
}

class Visitor {
 public:
  explicit Visitor(const ManifestVisitor& visit) : visit_(visit) {}

  Status Read(const std::string& argument) {
    namespace fs = std::filesystem;
    if (argument == "-") {
      const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
      return ReadText(text, "standard input");
    }
    std::error_code error;
    if (!fs::is_directory(argument, error)) {
      ASSAY_ASSIGN_OR_RETURN(const std::string text, ReadFile(argument));
      return ReadText(text, argument);
    }
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(argument, error)) {
      static const std::set<std::string> kExtensions = {".yaml", ".yml", ".json", ".jsonl"};
      if (kExtensions.contains(entry.path().extension().string())) {
        paths.push_back(entry.path());
      }
    }
    if (error) {
      return InvalidArgumentError(argument + ": " + error.message());
    }
    if (paths.empty()) {
      return InvalidArgumentError(argument + ": no .yaml, .yml, .json or .jsonl file in it");
    }
    std::ranges::sort(paths);
    for (const fs::path& path : paths) {
      ASSAY_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
      ASSAY_RETURN_IF_ERROR(ReadText(text, path.string()));
    }
    return OkStatus();
  }

 private:
  Status ReadText(const std::string& text, const std::string& file) {
    if (file.ends_with(".jsonl")) {
      int line = 0;
      for (std::size_t from = 0; from < text.size();) {
        const std::size_t end = std::min(text.find('\n', from), text.size());
        const std::string_view object(text.data() + from, end - from);
        ++line;
        if (object.find_first_not_of(" \t\r") != std::string_view::npos) {
          ASSAY_RETURN_IF_ERROR(visit_(std::string(object), {file, line, nullptr}));
        }
        from = end + 1;
      }
      return OkStatus();
    }
    ASSAY_ASSIGN_OR_RETURN(const std::vector<yaml::Node> documents,
                           yaml::ParseDocuments(text, file));
    for (const yaml::Node& document : documents) {
      ASSAY_RETURN_IF_ERROR(ReadDocument(document, 0));
    }
    return OkStatus();
  }

  Status ReadDocument(const yaml::Node& document, int depth) {
    const Place place{document.file(), document.line(), &document};
    if (!document.IsMapping()) {
      return ErrorAt(place, "", "expected an object with apiVersion and kind");
    }
    const yaml::Node* kind = document.Find("kind");
    const yaml::Node* items = document.Find("items");
    if (kind == nullptr || !kind->IsScalar() || !kind->scalar().ends_with("List") ||
        items == nullptr) {
      return visit_(yaml::ToJson(document), place);
    }
    if (!items->IsSequence() || depth > kMaxListDepth) {
      return ErrorAt(place, "items", "items: expected a list of objects");
    }
    for (const yaml::Node& item : items->items()) {
      ASSAY_RETURN_IF_ERROR(ReadDocument(item, depth + 1));
    }
    return OkStatus();
  }

  const ManifestVisitor& visit_;
};

// The field that a decoder's message names: `unknown field "spec.foo"`, `... into Go struct field
// ResourceClaim.spec.foo of type int64`.
std::string FieldOf(const std::string& message) {
  if (const std::size_t first = message.find("field \""); first != std::string::npos) {
    const std::size_t from = first + 7;
    return message.substr(from, message.find('"', from) - from);
  }
  const std::size_t first = message.find("Go struct field ");
  const std::size_t from = first == std::string::npos ? first : message.find('.', first);
  return from == std::string::npos ? ""
                                   : message.substr(from + 1, message.find(' ', from) - from - 1);
}

Result<Object> ReadAnyKind(const std::string& text, const Place& place) {
  const Result<json::TypeMeta> type = json::PeekTypeMeta(text);
  if (!type.ok()) {
    return ErrorAt(place, "", type.status().message());
  }
  const Kind* kind = FindByApiVersion(type->api_version, type->kind);
  if (kind == nullptr) {
    return ErrorAt(
        place, "apiVersion",
        "no kind \"" + type->kind + "\" of apiVersion \"" + type->api_version + "\" is known");
  }
  const std::size_t slash = type->api_version.rfind('/');
  const KindVersion* version =
      FindVersion(*kind, std::string_view(type->api_version).substr(slash + 1));  // npos + 1 is 0
  std::string json = text;
  if (kind->namespaced) {
    nlohmann::json object = nlohmann::json::parse(text);
    if (!object["metadata"].contains("namespace")) {
      object["metadata"]["namespace"] = "default";
    }
    json = object.dump();
  }
  return DecodeManifest(*kind, *version, json, place);
}

}  // namespace

Status ErrorAt(const Place& place, std::string_view field, const std::string& text) {
  std::string line = text;
  std::ranges::replace(line, '\n', ' ');
  return InvalidArgumentError(place.file + ":" + std::to_string(LineOf(place, field)) + ": " +
                              line);
}

Status VisitManifests(const std::string& argument, const ManifestVisitor& visit) {
  return Visitor(visit).Read(argument);
}

Result<Object> DecodeManifest(const Kind& kind, const KindVersion& version, const std::string& json,
                              const Place& place) {
  Result<json::Decoded> decoded = codec::DecodeJson(kind, version, json, {});
  if (!decoded.ok()) {
    return ErrorAt(place, FieldOf(decoded.status().message()), decoded.status().message());
  }
  return std::move(decoded->object);
}

Result<std::vector<Object>> ReadManifests(const std::string& argument) {
  std::vector<Object> objects;
  ASSAY_RETURN_IF_ERROR(
      VisitManifests(argument, [&](const std::string& json, const Place& place) -> Status {
        ASSAY_ASSIGN_OR_RETURN(objects.emplace_back(), ReadAnyKind(json, place));
        return OkStatus();
      }));
  return objects;
}

}  // namespace assay::api::manifest
