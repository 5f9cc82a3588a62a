#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "allocator/allocator.h"
#include "api/core/types.h"
#include "api/json/json.h"
#include "api/registry.h"
#include "api/resource/types.h"
#include "base/file.h"
#include "base/yaml/yaml.h"
#include "tools/assay/commands.h"

namespace assay::tools {
namespace {

using api::core::Node;
using api::resource::AllocationResult;
using api::resource::DeviceClass;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;

constexpr const char* kFooter = R"help(
Examples:
  assay allocate slices.yaml classes.yaml claims.yaml
  kubectl get resourceslices,deviceclasses -o yaml > cluster.yaml
  assay allocate cluster.yaml my-claim.yaml --node gpu-7 --output json

The files hold ResourceSlices, DeviceClasses, ResourceClaims and Nodes of resource.k8s.io/v1 and v1,
as YAML or JSON, also in Lists. Claims that are allocated already keep their devices; the others are
allocated in the order of the files, each on its own, on the first node where it fits.

Exit codes: 0 every claim fits, 1 some do not (and why), 2 wrong use or files.)help";

struct Options {
  std::vector<std::string> files;
  std::string node;
  std::string output = "text";
};

struct Objects {
  std::vector<ResourceSlice> slices;
  std::vector<DeviceClass> classes;
  std::vector<ResourceClaim> claims;
  std::vector<Node> nodes;
};

Status AddObject(const yaml::Node& document, Objects& objects) {
  const std::string text = yaml::ToJson(document);
  const auto at = [&](const Status& status) {
    return InvalidArgumentError(document.file() + ":" + std::to_string(document.line()) + ": " +
                                status.message());
  };
  Result<api::json::TypeMeta> type = api::json::PeekTypeMeta(text);
  if (!type.ok()) {
    return at(type.status());
  }
  if (type->kind.ends_with("List") || type->kind == "List") {
    if (const yaml::Node* items = document.Find("items"); items != nullptr) {
      for (const yaml::Node& item : items->items()) {
        ASSAY_RETURN_IF_ERROR(AddObject(item, objects));
      }
    }
    return OkStatus();
  }
  const api::Kind* kind = api::FindByApiVersion(type->api_version, type->kind);
  if (kind == nullptr || kind->HubGvk().ApiVersion() != type->api_version) {
    return at(
        InvalidArgumentError("expected ResourceSlice, DeviceClass or ResourceClaim of "
                             "resource.k8s.io/v1, or Node of v1; found '" +
                             type->api_version + "' '" + type->kind + "'"));
  }
  // kubectl's own output has fields of the server, all of them known.
  Result<api::json::Decoded> decoded = api::json::Decode(*kind, text, {});
  if (!decoded.ok()) {
    return at(decoded.status());
  }
  const api::Object& object = decoded->object;
  if (object.Is<ResourceSlice>()) {
    objects.slices.push_back(object.As<ResourceSlice>());
  } else if (object.Is<DeviceClass>()) {
    objects.classes.push_back(object.As<DeviceClass>());
  } else if (object.Is<ResourceClaim>()) {
    objects.claims.push_back(object.As<ResourceClaim>());
  } else if (object.Is<Node>()) {
    objects.nodes.push_back(object.As<Node>());
  }
  return OkStatus();
}

Result<Objects> ReadObjects(const std::vector<std::string>& files) {
  Objects objects;
  for (const std::string& file : files) {
    ASSAY_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
    ASSAY_ASSIGN_OR_RETURN(const std::vector<yaml::Node> documents,
                           yaml::ParseDocuments(text, file));
    for (const yaml::Node& document : documents) {
      ASSAY_RETURN_IF_ERROR(AddObject(document, objects));
    }
  }
  return objects;
}

// The nodes to try: those of the files, else those that slices name; only `only` where it is given.
std::vector<Node> NodesToTry(const Objects& objects, const std::string& only) {
  std::vector<Node> nodes = objects.nodes;
  const auto has = [&](const std::string& name) {
    return std::ranges::any_of(nodes, [&](const Node& node) { return node.metadata.name == name; });
  };
  const auto add = [&](const std::string& name) {
    if (!name.empty() && !has(name)) {
      nodes.emplace_back().metadata.name = name;
    }
  };
  for (const ResourceSlice& slice : objects.slices) {
    add(slice.spec.node_name.value_or(""));
  }
  add(only);
  if (nodes.empty()) {
    add("node");
  }
  if (!only.empty()) {
    std::erase_if(nodes, [&](const Node& node) { return node.metadata.name != only; });
  }
  return nodes;
}

struct Answer {
  std::string node;
  std::optional<AllocationResult> allocation;
  std::string why;  // Where it does not fit.
};

Result<Answer> AllocateOne(const allocator::Snapshot& snapshot, const ResourceClaim& claim,
                           const std::vector<Node>& nodes) {
  Answer answer;
  const ResourceClaim* const claims[] = {&claim};
  for (const Node& node : nodes) {
    auto allocated = snapshot.Allocate(claims, node);
    if (!allocated.ok() && allocated.status().code() == StatusCode::kInvalidArgument) {
      return allocated.status();
    }
    if (allocated.ok() && allocated->has_value()) {
      answer.node = node.metadata.name;
      answer.allocation = (*allocated)->front();
      return answer;
    }
    answer.why += "  on " + node.metadata.name + ": " +
                  (allocated.ok() ? snapshot.Explain(claims, node).ToString()
                                  : allocated.status().message()) +
                  "\n";
  }
  return answer;
}

void PrintText(const std::string& name, const Answer& answer) {
  if (!answer.allocation) {
    std::cout << name << ": does not fit\n" << answer.why;
    return;
  }
  std::cout << name << ": on " << answer.node << "\n";
  for (const auto& result : answer.allocation->devices.results) {
    std::cout << "  " << result.request << ": " << result.driver << "/" << result.pool << "/"
              << result.device << "\n";
  }
}

Result<int> Allocate(const Options& options) {
  ASSAY_ASSIGN_OR_RETURN(Objects objects, ReadObjects(options.files));
  if (objects.claims.empty()) {
    return InvalidArgumentError("the files hold no ResourceClaim");
  }
  allocator::Inventory inventory;
  for (const ResourceSlice& slice : objects.slices) {
    inventory.SetSlice(slice);
  }
  for (const DeviceClass& device_class : objects.classes) {
    inventory.SetClass(device_class);
  }
  for (const ResourceClaim& claim : objects.claims) {
    inventory.SetClaim(claim);
  }
  const std::vector<Node> nodes = NodesToTry(objects, options.node);
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  bool all_fit = true;
  for (ResourceClaim& claim : objects.claims) {
    if (claim.status.allocation) {
      continue;
    }
    const std::string name =
        (claim.metadata.namespace_.empty() ? std::string("default") : claim.metadata.namespace_) +
        "/" + claim.metadata.name;
    Result<Answer> answer = AllocateOne(*inventory.TakeSnapshot(), claim, nodes);
    if (!answer.ok()) {
      return answer.status().WithContext(name);
    }
    all_fit = all_fit && answer->allocation.has_value();
    if (options.output == "json") {
      nlohmann::ordered_json entry = {{"claim", name}, {"fits", answer->allocation.has_value()}};
      if (answer->allocation) {
        entry["node"] = answer->node;
        entry["allocation"] =
            nlohmann::ordered_json::parse(api::json::EncodeAs(*answer->allocation));
      } else {
        entry["why"] = answer->why;
      }
      json.push_back(std::move(entry));
    } else {
      PrintText(name, *answer);
    }
    claim.status.allocation = answer->allocation;
    inventory.SetClaim(claim);
  }
  if (options.output == "json") {
    std::cout << json.dump(2) << "\n";
  }
  return all_fit ? 0 : 1;
}

}  // namespace

Command AddAllocate(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("allocate", "Allocate claims from files");
  command->footer(kFooter);
  command->add_option("file", options->files, "Manifests")->required();
  command->add_option("--node", options->node, "Try only this node");
  command->add_option("--output", options->output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  return [options] { return Allocate(*options); };
}

}  // namespace assay::tools
