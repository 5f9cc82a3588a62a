#include "tools/assay/cluster_files.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "api/codec/codec.h"
#include "api/manifest/manifests.h"
#include "api/registry.h"
#include "api/validation/cel_selector.h"
#include "api/validation/defaulting.h"
#include "api/validation/strategy.h"
#include "base/clock.h"

namespace assay::tools {
namespace {

using api::Object;
using api::core::Node;
using api::manifest::DecodeManifest;
using api::manifest::ErrorAt;
using api::manifest::Place;
using api::manifest::VisitManifests;
using api::resource::DeviceClass;
using api::resource::DeviceTaintRule;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;

class Reader {
 public:
  explicit Reader(const api::Compatibility& compatibility)
      : compatibility_(compatibility),
        selector_checker_(api::validation::CelSelectorChecker(compatibility)) {}

  Status Read(const std::string& argument) {
    return VisitManifests(argument, [this](const std::string& json, const Place& place) {
      return ReadObject(json, place);
    });
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
    ASSAY_ASSIGN_OR_RETURN(const Object object, DecodeManifest(*kind, *version, text, place));
    return Add(api::validation::ApplyDefaults(object, WallTime()), place);
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
