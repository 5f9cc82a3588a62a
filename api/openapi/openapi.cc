#include "api/openapi/openapi.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "api/object.h"
#include "api/openapi/internal/swagger.h"
#include "api/registry.h"
#include "api/schema/descriptor.h"

namespace assay::api::openapi {
namespace {

using nlohmann::json;
using schema::FieldDescriptor;
using schema::Merge;
using schema::MessageDescriptor;
using schema::Shape;
using schema::Type;

struct Described {
  std::string_view type;
  std::string_view text;
};

// What `kubectl explain` says of the kinds that Assay is about; the other schemas carry none.
constexpr std::array<Described, 16> kDescriptions = {{
    {"ResourceSlice", "Devices of one pool that a DRA driver publishes, and where they are."},
    {"ResourceSliceSpec", "The driver, the pool, the nodes and the devices of a slice."},
    {"ResourcePool", "The set of devices that a slice is a part of, and which generation of it."},
    {"Device", "One device: its name, attributes and capacity."},
    {"ResourceClaim", "A request for devices, and what was allocated for it."},
    {"ResourceClaimSpec", "What a claim asks for. It cannot be changed."},
    {"ResourceClaimStatus", "What was allocated, who may use it, and what drivers say of it."},
    {"DeviceClaim", "Requests for devices, constraints among them, and configuration."},
    {"DeviceRequest", "One request: exactly these devices, or the first of several that fit."},
    {"ExactDeviceRequest", "A number of devices of one class that selectors choose."},
    {"AllocationResult", "The devices that a claim has, and the nodes that can reach them."},
    {"ResourceClaimTemplate", "A claim that is made anew for every pod that names it."},
    {"DeviceClass", "Selectors and configuration that claims refer to by a name."},
    {"DeviceTaintRule", "A taint that is put on all devices that it selects."},
    {"DeviceTaint", "A mark that keeps claims off a device which do not tolerate it."},
    {"ResourcePoolStatusRequest", "A question after the state of a driver's pools."},
}};

// The value types, which have no descriptors: their names in OpenAPI and what they look like.
std::string_view ValueTypeName(Type type) {
  switch (type) {
    case Type::kQuantity:
      return "io.k8s.apimachinery.pkg.api.resource.Quantity";
    case Type::kTime:
      return "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
    case Type::kMicroTime:
      return "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";
    case Type::kDuration:
      return "io.k8s.apimachinery.pkg.apis.meta.v1.Duration";
    case Type::kIntOrString:
      return "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
    case Type::kRawExtension:
      return "io.k8s.apimachinery.pkg.runtime.RawExtension";
    case Type::kFieldsV1:
      return "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1";
    default:
      return "";
  }
}

json ValueTypeSchema(Type type) {
  switch (type) {
    case Type::kQuantity:
      return {{"oneOf", {{{"type", "string"}}, {{"type", "number"}}}}};
    case Type::kTime:
    case Type::kMicroTime:
      return {{"type", "string"}, {"format", "date-time"}};
    case Type::kDuration:
      return {{"type", "string"}};
    case Type::kIntOrString:
      return {{"oneOf", {{{"type", "integer"}}, {{"type", "string"}}}},
              {"format", "int-or-string"}};
    default:
      return {{"type", "object"}};
  }
}

json Reference(std::string_view name) {
  return {{"$ref", "#/components/schemas/" + std::string(name)}};
}

// The schemas that a document's kinds reach.
class SchemaBuilder {
 public:
  explicit SchemaBuilder(Level level) : level_(level) {}

  void AddKind(const Kind& kind, const KindVersion& version) {
    Add(*version.message);
    json& schema = schemas_[std::string(version.message->full_name)];
    schema["properties"]["apiVersion"] = {
        {"type", "string"}, {"description", "The group and version of this representation."}};
    schema["properties"]["kind"] = {{"type", "string"}, {"description", "The kind of the object."}};
    schema["x-kubernetes-group-version-kind"] = {
        {{"group", kind.group}, {"kind", kind.kind}, {"version", version.version}}};
  }

  json Take() { return std::move(schemas_); }

 private:
  void Add(const MessageDescriptor& message) {
    const std::string name(message.full_name);
    if (!seen_.insert(name).second) {
      return;
    }
    if (message.is_list_wrapper) {
      schemas_[name] = FieldSchema(message.fields.front());
      return;
    }
    json schema = {{"type", "object"}};
    for (const Described& described : kDescriptions) {
      if (described.type == message.name && name.find(".resource.") != std::string::npos) {
        schema["description"] = described.text;
      }
    }
    if (message.merge == Merge::kAtomic) {
      schema["x-kubernetes-map-type"] = "atomic";
    }
    AddProperties(message, schema);
    schemas_[name] = std::move(schema);
  }

  void AddProperties(const MessageDescriptor& message, json& schema) {
    for (const FieldDescriptor& field : message.fields) {
      if (!field.ExistsAt(level_)) {
        continue;
      }
      if (field.is_inline) {
        AddProperties(*field.message, schema);
        continue;
      }
      schema["properties"][std::string(field.name)] = FieldSchema(field);
      if (field.required) {
        schema["required"].push_back(field.name);
      }
    }
  }

  json FieldSchema(const FieldDescriptor& field) {
    json schema;
    json extra = json::object();
    switch (field.shape) {
      case Shape::kList:
        schema = {{"type", "array"}, {"items", ItemSchema(field)}};
        if (field.merge == Merge::kAtomic || field.merge == Merge::kSet ||
            field.merge == Merge::kMap) {
          schema["x-kubernetes-list-type"] = field.merge == Merge::kAtomic ? "atomic"
                                             : field.merge == Merge::kSet  ? "set"
                                                                           : "map";
        }
        for (const std::string_view key : field.list_map_keys) {
          schema["x-kubernetes-list-map-keys"].push_back(key);
        }
        break;
      case Shape::kMap:
        schema = {{"type", "object"}, {"additionalProperties", ItemSchema(field)}};
        if (field.merge == Merge::kAtomic) {
          schema["x-kubernetes-map-type"] = "atomic";
        }
        break;
      case Shape::kValue:
      case Shape::kOptional:
        schema = ItemSchema(field);
        if (field.merge == Merge::kAtomic) {
          extra["x-kubernetes-map-type"] = "atomic";
        }
        break;
    }
    if (field.patch_strategy != 0) {
      std::string strategies;
      const std::pair<std::uint8_t, const char*> names[] = {
          {schema::kPatchMerge, "merge"},
          {schema::kPatchReplace, "replace"},
          {schema::kPatchRetainKeys, "retainKeys"}};
      for (const auto& [flag, name] : names) {
        if ((field.patch_strategy & flag) != 0) {
          strategies += (strategies.empty() ? "" : ",") + std::string(name);
        }
      }
      extra["x-kubernetes-patch-strategy"] = strategies;
    }
    if (!field.patch_merge_key.empty()) {
      extra["x-kubernetes-patch-merge-key"] = field.patch_merge_key;
    }
    if (!field.default_json.empty()) {
      extra["default"] = json::parse(field.default_json, nullptr, false);
    }
    if (extra.empty()) {
      return schema;
    }
    // Nothing may stand beside a reference.
    if (schema.contains("$ref")) {
      schema = {{"allOf", {std::move(schema)}}};
    }
    schema.update(extra);
    return schema;
  }

  json ItemSchema(const FieldDescriptor& field) {
    switch (field.type) {
      case Type::kBool:
        return {{"type", "boolean"}};
      case Type::kInt32:
        return {{"type", "integer"}, {"format", "int32"}};
      case Type::kInt64:
        return {{"type", "integer"}, {"format", "int64"}};
      case Type::kBytes:
        return {{"type", "string"}, {"format", "byte"}};
      case Type::kString: {
        json schema = {{"type", "string"}};
        for (const std::string_view value : field.enum_values) {
          schema["enum"].push_back(value);
        }
        return schema;
      }
      case Type::kMessage:
        Add(*field.message);
        return Reference(field.message->full_name);
      default: {
        const std::string name(ValueTypeName(field.type));
        schemas_.emplace(name, ValueTypeSchema(field.type));
        return Reference(name);
      }
    }
  }

  Level level_;
  std::set<std::string> seen_;
  json schemas_ = json::object();
};

json Parameter(const char* name, const char* type, const char* description) {
  return {{"name", name},
          {"in", "query"},
          {"description", description},
          {"schema", {{"type", type}, {"uniqueItems", true}}}};
}

json WriteParameters(bool is_patch) {
  json parameters = {
      Parameter("dryRun", "string", "All: the request is judged, and nothing is stored."),
      Parameter("fieldManager", "string", "Who makes the change; an apply must say it."),
      Parameter("fieldValidation", "string",
                "Ignore, Warn or Strict: what to do with fields that are unknown or repeated.")};
  if (is_patch) {
    parameters.push_back(
        Parameter("force", "boolean", "An apply takes fields over from other managers."));
  }
  return parameters;
}

class PathBuilder {
 public:
  PathBuilder(const Kind& kind, const KindVersion& version)
      : kind_(kind), version_(version), body_(Reference(version.message->full_name)) {}

  void AddTo(json& paths) const {
    std::string base = kind_.group.empty() ? "/api/" : "/apis/" + kind_.group + "/";
    base += version_.version + "/";
    const std::string collection =
        base + (kind_.namespaced ? "namespaces/{namespace}/" : "") + kind_.resource;
    const json scope = PathParameters(/*has_name=*/false);
    const json item = PathParameters(/*has_name=*/true);
    paths[collection] = {{"parameters", scope},
                         {"get", Operation("list")},
                         {"post", Write("post", {"*/*"})},
                         {"delete", Operation("deletecollection")}};
    if (kind_.namespaced) {
      paths[base + kind_.resource] = {{"get", Operation("list")}};
    }
    paths[collection + "/{name}"] = {{"parameters", item},
                                     {"get", Operation("get")},
                                     {"put", Write("put", {"*/*"})},
                                     {"patch", Patch()},
                                     {"delete", Operation("delete")}};
    if (kind_.has_status) {
      paths[collection + "/{name}/status"] = {{"parameters", item},
                                              {"get", Operation("get")},
                                              {"put", Write("put", {"*/*"})},
                                              {"patch", Patch()}};
    }
  }

 private:
  json PathParameters(bool has_name) const {
    json parameters = json::array();
    const auto add = [&](const char* name) {
      parameters.push_back({{"name", name},
                            {"in", "path"},
                            {"required", true},
                            {"schema", {{"type", "string"}, {"uniqueItems", true}}}});
    };
    if (kind_.namespaced) {
      add("namespace");
    }
    if (has_name) {
      add("name");
    }
    return parameters;
  }

  json Operation(const char* action) const {
    return {{"x-kubernetes-action", action},
            {"x-kubernetes-group-version-kind",
             {{"group", kind_.group}, {"kind", kind_.kind}, {"version", version_.version}}},
            {"responses",
             {{"200",
               {{"description", "OK"}, {"content", {{"application/json", {{"schema", body_}}}}}}},
              {"401", {{"description", "Unauthorized"}}}}}};
  }

  json Write(const char* action, const std::vector<std::string>& content_types) const {
    json operation = Operation(action);
    operation["parameters"] = WriteParameters(/*is_patch=*/false);
    for (const std::string& content_type : content_types) {
      operation["requestBody"]["content"][content_type] = {{"schema", body_}};
    }
    operation["requestBody"]["required"] = true;
    return operation;
  }

  json Patch() const {
    json operation = Operation("patch");
    operation["parameters"] = WriteParameters(/*is_patch=*/true);
    const json schema = {{"schema", {{"type", "object"}}}};
    for (const char* content_type :
         {"application/apply-patch+yaml", "application/json-patch+json",
          "application/merge-patch+json", "application/strategic-merge-patch+json"}) {
      operation["requestBody"]["content"][content_type] = schema;
    }
    operation["requestBody"]["required"] = true;
    return operation;
  }

  const Kind& kind_;
  const KindVersion& version_;
  json body_;
};

// FNV-1a: it only has to change when the document does.
std::string Hash(const std::string& text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  std::array<char, 17> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%016llX", static_cast<unsigned long long>(hash));
  return buffer.data();
}

json Info(Level level) { return {{"title", "Kubernetes"}, {"version", LevelName(level)}}; }

}  // namespace

Documents::Documents(Level level) {
  json paths = json::object();
  for (const api::GroupVersion& served : ServedGroupVersions(level)) {
    SchemaBuilder schemas(level);
    json document_paths = json::object();
    for (const Kind* kind : AllKinds()) {
      if (kind->group != served.group) {
        continue;
      }
      if (const KindVersion* version = FindVersion(*kind, served.version, level)) {
        schemas.AddKind(*kind, *version);
        PathBuilder(*kind, *version).AddTo(document_paths);
      }
    }
    const json document = {{"openapi", "3.0.0"},
                           {"info", Info(level)},
                           {"paths", std::move(document_paths)},
                           {"components", {{"schemas", schemas.Take()}}}};
    std::string text = document.dump();
    const std::string path = served.group.empty() ? "api/" + served.version
                                                  : "apis/" + served.group + "/" + served.version;
    paths[path] = {{"serverRelativeURL", "/openapi/v3/" + path + "?hash=" + Hash(text)}};
    documents_[{served.group, served.version}] = std::move(text);
  }
  discovery_ = json({{"paths", std::move(paths)}}).dump();
}

const std::string* Documents::GroupVersion(std::string_view group, std::string_view version) const {
  const auto found = documents_.find({std::string(group), std::string(version)});
  return found == documents_.end() ? nullptr : &found->second;
}

Swagger::Swagger(Level level) {
  SchemaBuilder schemas(level);
  nlohmann::json paths = nlohmann::json::object();
  for (const Kind* kind : AllKinds()) {
    for (const KindVersion& version : kind->versions) {
      if (version.ServedAt(level)) {
        schemas.AddKind(*kind, version);
        PathBuilder(*kind, version).AddTo(paths);
      }
    }
  }
  const nlohmann::json document = internal::MakeSwagger(Info(level), schemas.Take(), paths);
  json = document.dump();
  protobuf = internal::EncodeGnostic(document);
}

const Documents& DocumentsFor(Level level) {
  if (level == Level::k1_36) {
    static const Documents documents(Level::k1_36);
    return documents;
  }
  static const Documents documents(Level::k1_37);
  return documents;
}

const Swagger& SwaggerFor(Level level) {
  if (level == Level::k1_36) {
    static const Swagger swagger(Level::k1_36);
    return swagger;
  }
  static const Swagger swagger(Level::k1_37);
  return swagger;
}

}  // namespace assay::api::openapi
