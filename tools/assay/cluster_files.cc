#include "tools/assay/cluster_files.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "api/codec/codec.h"
#include "api/registry.h"
#include "api/validation/cel_selector.h"
#include "api/validation/defaulting.h"
#include "api/validation/strategy.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/yaml/yaml.h"

namespace assay::tools {
namespace {

using api::Object;
using api::core::Node;
using api::resource::DeviceClass;
using api::resource::DeviceTaintRule;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;

constexpr int kMaxListDepth = 8;

// Where an object is, and its YAML, if it is YAML.
struct Place {
  std::string file;
  int line = 1;
  const yaml::Node* yaml = nullptr;
};

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

Status ErrorAt(const Place& place, std::string_view field, const std::string& text) {
  std::string line = text;
  std::ranges::replace(line, '\n', ' ');
  return InvalidArgumentError(place.file + ":" + std::to_string(LineOf(place, field)) + ": " +
                              line);
}

class Reader {
 public:
  explicit Reader(const api::Compatibility& compatibility)
      : compatibility_(compatibility),
        selector_checker_(api::validation::CelSelectorChecker(compatibility)) {}

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

  ClusterFiles Finish() {
    for (const auto& [kind, count] : ignored_) {
      files_.notes.push_back("left out: " + std::to_string(count) + " " + kind);
    }
    if (files_.nodes.empty()) {
      TakeNodesFromSlices();
    }
    return std::move(files_);
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
          ASSAY_RETURN_IF_ERROR(ReadObject(std::string(object), {file, line, nullptr}));
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
      return ReadObject(yaml::ToJson(document), place);
    }
    if (!items->IsSequence() || depth > kMaxListDepth) {
      return ErrorAt(place, "items", "items: expected a list of objects");
    }
    for (const yaml::Node& item : items->items()) {
      ASSAY_RETURN_IF_ERROR(ReadDocument(item, depth + 1));
    }
    return OkStatus();
  }

  Status ReadObject(const std::string& text, const Place& place) {
    const Result<api::json::TypeMeta> type = api::json::PeekTypeMeta(text);
    if (!type.ok()) {
      return ErrorAt(place, "", type.status().message());
    }
    if (type->kind.empty()) {
      return ErrorAt(place, "", "kind: expected the kind of an object");
    }
    const api::Kind* kind = api::FindByApiVersion(type->api_version, type->kind);
    const std::size_t slash = type->api_version.rfind('/');
    if (kind == nullptr && IsUnknownVersion(*type)) {
      return ErrorAt(place, "apiVersion",
                     "apiVersion: Invalid value: \"" + type->api_version + "\": no version of " +
                         type->kind + " that is known");
    }
    if (kind == nullptr || !IsWanted(*kind)) {
      ++ignored_[type->kind];
      return OkStatus();
    }
    const api::KindVersion* version = api::FindVersion(
        *kind, std::string_view(type->api_version).substr(slash + 1));  // npos + 1 is 0
    // What kubectl reads has fields of newer servers, too; a misspelt field is an error.
    Result<api::json::Decoded> decoded = api::codec::DecodeJson(*kind, *version, text, {});
    if (!decoded.ok()) {
      return ErrorAt(place, FieldOf(decoded.status().message()), decoded.status().message());
    }
    return Add(api::validation::ApplyDefaults(decoded->object, WallTime()), place);
  }

  // The field that a decoder's message names: `unknown field "spec.foo"`, `... into Go struct field
  // ResourceClaim.spec.foo of type int64`.
  static std::string FieldOf(const std::string& message) {
    if (const std::size_t first = message.find("field \""); first != std::string::npos) {
      const std::size_t from = first + 7;
      return message.substr(from, message.find('"', from) - from);
    }
    const std::size_t first = message.find("Go struct field ");
    const std::size_t from = first == std::string::npos ? first : message.find('.', first);
    return from == std::string::npos ? ""
                                     : message.substr(from + 1, message.find(' ', from) - from - 1);
  }

  // Whether it is of a kind that is looked at, in a version that is not known or not given.
  static bool IsUnknownVersion(const api::json::TypeMeta& type) {
    const std::size_t slash = type.api_version.find('/');
    const bool has_group = slash != std::string::npos;
    if (type.kind == "Node") {
      return !has_group;
    }
    static const std::set<std::string> kKinds = {"DeviceClass", "DeviceTaintRule", "ResourceClaim",
                                                 "ResourceSlice"};
    return kKinds.contains(type.kind) &&
           (!has_group || type.api_version.substr(0, slash) == "resource.k8s.io");
  }

  static bool IsWanted(const api::Kind& kind) {
    return (kind.group == "resource.k8s.io" &&
            (kind.kind == "ResourceSlice" || kind.kind == "DeviceClass" ||
             kind.kind == "ResourceClaim" || kind.kind == "DeviceTaintRule")) ||
           (kind.group.empty() && kind.kind == "Node");
  }

  Status Add(const Object& object, const Place& place) {
    if (object.metadata().name.empty()) {
      return ErrorAt(place, "metadata", "metadata.name: Required value");
    }
    if (!object.Is<Node>()) {
      ASSAY_RETURN_IF_ERROR(Check(object, place));
    }
    if (object.Is<ResourceSlice>()) {
      return AddTo(files_.slices, object.As<ResourceSlice>(), place);
    }
    if (object.Is<DeviceClass>()) {
      return AddTo(files_.classes, object.As<DeviceClass>(), place);
    }
    if (object.Is<DeviceTaintRule>()) {
      return AddTo(files_.taint_rules, object.As<DeviceTaintRule>(), place);
    }
    if (object.Is<Node>()) {
      return AddTo(files_.nodes, object.As<Node>(), place);
    }
    ResourceClaim claim = object.As<ResourceClaim>();
    if (claim.metadata.namespace_.empty()) {
      claim.metadata.namespace_ = "default";
    }
    return AddTo(files_.claims, std::move(claim), place);
  }

  template <typename T>
  Status AddTo(std::vector<T>& objects, T object, const Place& place) {
    const std::string name =
        std::string(api::KindOf<T>().kind) + " " +
        (object.metadata.namespace_.empty() ? "" : object.metadata.namespace_ + "/") +
        object.metadata.name;
    const auto [known, added] = seen_.emplace(name, place.file + ":" + std::to_string(place.line));
    if (!added) {
      return ErrorAt(place, "metadata.name",
                     "metadata.name: " + name + " is in " + known->second + " already");
    }
    objects.push_back(std::move(object));
    return OkStatus();
  }

  // The first thing that the API server would refuse.
  Status Check(const Object& object, const Place& place) {
    api::validation::Context context;
    context.compatibility = &compatibility_;
    context.selector_checker = selector_checker_;
    const api::validation::FieldErrors errors =
        api::validation::StrategyFor(object.kind()).ValidateCreate(object, context);
    for (const api::validation::FieldError& error : errors) {
      // What a client need not write, or what only the server knows.
      if (!error.field.starts_with("metadata")) {
        return ErrorAt(place, error.field, error.ToString());
      }
    }
    return OkStatus();
  }

  void TakeNodesFromSlices() {
    std::set<std::string> names;
    const auto add = [&](const std::optional<std::string>& name) {
      if (!name.value_or("").empty() && names.insert(*name).second) {
        Node& node = files_.nodes.emplace_back();
        node.metadata.name = *name;
        node.metadata.labels["kubernetes.io/hostname"] = *name;
      }
    };
    for (const ResourceSlice& slice : files_.slices) {
      add(slice.spec.node_name);
      for (const auto& device : slice.spec.devices) {
        add(device.node_name);
      }
    }
    if (names.empty()) {
      files_.nodes.emplace_back().metadata.name = "node";
      files_.notes.emplace_back("no Node in the files and none named by a slice: took one, 'node'");
    } else {
      files_.notes.push_back("no Node in the files: took " + std::to_string(names.size()) +
                             " from the slices, with no label but kubernetes.io/hostname");
    }
  }

  const api::Compatibility& compatibility_;
  api::validation::SelectorChecker selector_checker_;
  ClusterFiles files_;
  std::map<std::string, std::string> seen_;  // where each object was, by kind and name
  std::map<std::string, int> ignored_;       // by kind
};

}  // namespace

Result<ClusterFiles> ReadClusterFiles(const std::vector<std::string>& files,
                                      const api::Compatibility& compatibility) {
  Reader reader(compatibility);
  for (const std::string& file : files) {
    ASSAY_RETURN_IF_ERROR(reader.Read(file));
  }
  return reader.Finish();
}

}  // namespace assay::tools
