#include "api/openapi/internal/swagger.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "api/proto/proto.h"

namespace assay::api::openapi::internal {
namespace {

using nlohmann::json;

constexpr std::string_view kV3Prefix = "#/components/schemas/";

// A v3 schema in v2's words.
json Schema(const json& v3) {
  json schema = json::object();
  for (const auto& [key, value] : v3.items()) {
    if (key == "$ref") {
      schema[key] = "#/definitions/" + value.get<std::string>().substr(kV3Prefix.size());
    } else if (key == "allOf") {
      // v3 wraps a reference that has something beside it.
      schema.update(Schema(value.at(0)));
    } else if (key == "oneOf") {
      // v2 has no unions: quantities and int-or-strings are strings.
      schema["type"] = "string";
    } else if (key == "properties") {
      for (const auto& [name, property] : value.items()) {
        schema[key][name] = Schema(property);
      }
    } else if (key == "items" || key == "additionalProperties") {
      schema[key] = Schema(value);
    } else {
      schema[key] = value;
    }
  }
  return schema;
}

json Parameters(const json& v3) {
  json parameters = json::array();
  for (json parameter : v3) {
    parameter.update(parameter.at("schema"));
    parameter.erase("schema");
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

json Operation(const json& v3) {
  json operation = v3;
  operation["parameters"] = Parameters(v3.value("parameters", json::array()));
  operation["produces"] = {"application/json"};
  if (const auto body = v3.find("requestBody"); body != v3.end()) {
    operation.erase("requestBody");
    json consumes = json::array();
    for (const auto& [type, content] : body->at("content").items()) {
      consumes.push_back(type);
    }
    const json& content = body->at("content").front();
    operation["parameters"].push_back({{"in", "body"},
                                       {"name", "body"},
                                       {"required", true},
                                       {"schema", Schema(content.at("schema"))}});
    operation["consumes"] = std::move(consumes);
  }
  for (auto& [code, response] : operation["responses"].items()) {
    if (const auto content = response.find("content"); content != response.end()) {
      response["schema"] = Schema(content->front().at("schema"));
      response.erase("content");
    }
  }
  return operation;
}

// One field of a message under construction.
void Add(std::string& message, std::uint32_t number, std::string_view bytes) {
  proto::AppendField(number, bytes, &message);
}

// The string at `key`, where there is one.
void AddString(std::string& message, std::uint32_t number, const json& object, const char* key) {
  if (const auto found = object.find(key); found != object.end()) {
    Add(message, number, found->get<std::string>());
  }
}

// gnostic's Any: YAML text.
std::string EncodeAny(const json& value) {
  std::string any;
  Add(any, 2, value.dump());
  return any;
}

// NamedSchema, NamedAny and their like.
std::string Named(std::string_view name, std::string_view value) {
  std::string named;
  Add(named, 1, name);
  Add(named, 2, value);
  return named;
}

void AddExtensions(std::string& message, std::uint32_t number, const json& object) {
  for (const auto& [key, value] : object.items()) {
    if (key.starts_with("x-")) {
      Add(message, number, Named(key, EncodeAny(value)));
    }
  }
}

std::string EncodeSchema(const json& schema);

// A message that has the schema as its first field: ItemsItem, AdditionalPropertiesItem.
std::string Wrapped(const json& schema) {
  std::string wrapper;
  Add(wrapper, 1, EncodeSchema(schema));
  return wrapper;
}

std::string NamedSchemas(const json& schemas) {
  std::string message;
  for (const auto& [name, schema] : schemas.items()) {
    Add(message, 1, Named(name, EncodeSchema(schema)));
  }
  return message;
}

std::string EncodeSchema(const json& schema) {
  std::string message;
  AddString(message, 1, schema, "$ref");
  AddString(message, 2, schema, "format");
  AddString(message, 4, schema, "description");
  if (const auto value = schema.find("default"); value != schema.end()) {
    Add(message, 5, EncodeAny(*value));
  }
  for (const json& name : schema.value("required", json::array())) {
    Add(message, 19, name.get<std::string>());
  }
  for (const json& value : schema.value("enum", json::array())) {
    Add(message, 20, EncodeAny(value));
  }
  if (const auto values = schema.find("additionalProperties"); values != schema.end()) {
    Add(message, 21, Wrapped(*values));
  }
  if (schema.contains("type")) {
    std::string type;
    AddString(type, 1, schema, "type");
    Add(message, 22, type);
  }
  if (const auto items = schema.find("items"); items != schema.end()) {
    Add(message, 23, Wrapped(*items));
  }
  if (const auto properties = schema.find("properties"); properties != schema.end()) {
    Add(message, 25, NamedSchemas(*properties));
  }
  AddExtensions(message, 31, schema);
  return message;
}

// A ParametersItem: a Parameter that is a body, or else of the query or the path.
std::string EncodeParameter(const json& parameter) {
  const std::string in = parameter.at("in");
  const bool is_body = in == "body";
  const bool is_query = in == "query";
  constexpr std::string_view kTrue = "\1";
  std::string inner;
  if (is_body) {
    AddString(inner, 2, parameter, "name");
    Add(inner, 3, in);
    inner.append("\x20").append(kTrue);  // required = 4
    Add(inner, 5, EncodeSchema(parameter.at("schema")));
  } else {
    if (parameter.value("required", false)) {
      inner.append("\x08").append(kTrue);  // required = 1
    }
    Add(inner, 2, in);
    AddString(inner, 3, parameter, "description");
    AddString(inner, 4, parameter, "name");
    AddString(inner, is_query ? 6 : 5, parameter, "type");
    std::string non_body;
    Add(non_body, is_query ? 3 : 4, inner);
    inner = std::move(non_body);
  }
  std::string one_of;
  Add(one_of, is_body ? 1 : 2, inner);
  std::string item;
  Add(item, 1, one_of);
  return item;
}

void AddParameters(std::string& message, std::uint32_t number, const json& owner) {
  for (const json& parameter : owner.value("parameters", json::array())) {
    Add(message, number, EncodeParameter(parameter));
  }
}

std::string EncodePathItem(const json& path) {
  std::string message;
  const std::pair<const char*, std::uint32_t> methods[] = {
      {"get", 2}, {"put", 3}, {"post", 4}, {"delete", 5}, {"patch", 8}};
  for (const auto& [method, number] : methods) {
    const auto operation = path.find(method);
    if (operation == path.end()) {
      continue;
    }
    std::string encoded;
    for (const json& type : operation->value("consumes", json::array())) {
      Add(encoded, 7, type.get<std::string>());
    }
    AddParameters(encoded, 8, *operation);
    AddExtensions(encoded, 13, *operation);
    Add(message, number, encoded);
  }
  AddParameters(message, 9, path);
  return message;
}

}  // namespace

json MakeSwagger(const json& info, const json& v3_schemas, const json& v3_paths) {
  json definitions = json::object();
  for (const auto& [name, schema] : v3_schemas.items()) {
    definitions[name] = Schema(schema);
  }
  json paths = json::object();
  for (const auto& [path, v3] : v3_paths.items()) {
    for (const auto& [key, value] : v3.items()) {
      paths[path][key] = key == "parameters" ? Parameters(value) : Operation(value);
    }
  }
  return {{"swagger", "2.0"},
          {"info", info},
          {"paths", std::move(paths)},
          {"definitions", std::move(definitions)}};
}

std::string EncodeGnostic(const json& swagger) {
  std::string info;
  AddString(info, 1, swagger.at("info"), "title");
  AddString(info, 2, swagger.at("info"), "version");
  std::string paths;
  for (const auto& [path, item] : swagger.at("paths").items()) {
    Add(paths, 2, Named(path, EncodePathItem(item)));
  }
  std::string document;
  AddString(document, 1, swagger, "swagger");
  Add(document, 2, info);
  Add(document, 8, paths);
  Add(document, 9, NamedSchemas(swagger.at("definitions")));
  return document;
}

}  // namespace assay::api::openapi::internal
