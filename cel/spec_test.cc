// Holds the language to the official conformance tests, with what Kubernetes 1.36 answers to each:
// value or error, type and cost.
//
// The tests lie beside the repository; where they do not, these are skipped.
#include <gtest/gtest.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/base64.h"
#include "cel/environment.h"
#include "cel/library/times.h"
#include "cel/messages.h"
#include "cel/program.h"

namespace assay::cel {
namespace {

using nlohmann::json;

constexpr char kTests[] = "../shared/reference/cel-spec";

// cel.expr's type, as proto-JSON, to a Type; null if it is none that these tests have.
const Type* ToType(const json& type, Arena& arena) {
  static const std::map<std::string, const Type*> kPrimitives = {
      {"BOOL", Type::Bool()},     {"INT64", Type::Int()},     {"UINT64", Type::Uint()},
      {"DOUBLE", Type::Double()}, {"STRING", Type::String()}, {"BYTES", Type::Bytes()}};
  if (type.contains("primitive")) {
    return kPrimitives.at(type["primitive"]);
  }
  if (type.contains("wrapper")) {
    return Type::Wrapper(kPrimitives.at(type["wrapper"])->kind());
  }
  if (type.contains("messageType")) {
    const std::string name = type["messageType"];
    const MessageType* message = FindMessageType(name);
    return message != nullptr ? message->type : Type::Struct(arena, arena.Copy(name));
  }
  if (type.contains("null")) {
    return Type::Null();
  }
  if (type.contains("mapType")) {
    const Type* key = ToType(type["mapType"]["keyType"], arena);
    const Type* value = ToType(type["mapType"]["valueType"], arena);
    return key == nullptr || value == nullptr ? nullptr : Type::Map(arena, key, value);
  }
  if (type.contains("listType")) {
    const Type* element = ToType(type["listType"]["elemType"], arena);
    return element == nullptr ? nullptr : Type::List(arena, element);
  }
  if (type.contains("dyn")) {
    return Type::Dyn();
  }
  if (type.contains("wellKnown")) {
    return type["wellKnown"] == "DURATION"    ? Type::Duration()
           : type["wellKnown"] == "TIMESTAMP" ? Type::Timestamp()
                                              : Type::Any();
  }
  if (type.contains("type")) {
    return Type::TypeType();
  }
  return nullptr;
}

std::int64_t ToInt(const json& value) {
  return value.is_string() ? std::stoll(value.get<std::string>()) : value.get<std::int64_t>();
}

// A JSON value as google.protobuf.Value becomes one of CEL.
Value OfJson(const json& value, Arena& arena) {
  switch (value.type()) {
    case json::value_t::boolean:
      return Value::Bool(value.get<bool>());
    case json::value_t::string:
      return Value::String(arena.Copy(value.get<std::string>()));
    case json::value_t::array: {
      auto* list = arena.New<MutableList>(arena);
      for (const json& element : value) {
        list->Append(OfJson(element, arena));
      }
      return Value::Of(static_cast<const List*>(list));
    }
    case json::value_t::object: {
      auto* map = arena.New<EntryMap>(arena);
      for (const auto& [key, element] : value.items()) {
        map->Insert(Value::String(arena.Copy(key)), OfJson(element, arena));
      }
      return Value::Of(static_cast<const Map*>(map));
    }
    default:
      return value.is_null() ? Value::Null() : Value::Double(value.get<double>());
  }
}

// google.protobuf.Any in proto-JSON.
Value OfMessage(const json& message, Arena& arena) {
  const std::string url = message["@type"];
  const std::string name = url.substr(url.rfind('/') + 1);
  const json value = message.value("value", json());
  if (name == "google.protobuf.Any") {
    return OfMessage(value, arena);
  }
  if (name == "google.protobuf.Duration") {
    return Value::Duration(library::ParseDuration(value.get<std::string>()).value());
  }
  if (name == "google.protobuf.Timestamp") {
    const library::Instant instant = library::ParseTimestamp(value.get<std::string>()).value();
    return Value::Timestamp(instant.seconds, instant.nanoseconds, instant.zone_minutes);
  }
  if (name.find("Int64Value") != std::string::npos ||
      name.find("Int32Value") != std::string::npos) {
    const std::string digits = value.is_string() ? value.get<std::string>() : value.dump();
    return name.find(".U") != std::string::npos ? Value::Uint(std::stoull(digits))
                                                : Value::Int(std::stoll(digits));
  }
  if (name == "google.protobuf.BytesValue") {
    return Value::Bytes(arena.Copy(*DecodeBase64(value.get<std::string>())));
  }
  return OfJson(value, arena);
}

// cel.expr's value, as proto-JSON.
Value ToValue(const json& value, Arena& arena) {
  if (value.contains("int64Value")) {
    return Value::Int(ToInt(value["int64Value"]));
  }
  if (value.contains("uint64Value")) {
    return Value::Uint(std::stoull(value["uint64Value"].get<std::string>()));
  }
  if (value.contains("doubleValue")) {
    return Value::Double(value["doubleValue"].get<double>());
  }
  if (value.contains("stringValue")) {
    return Value::String(arena.Copy(value["stringValue"].get<std::string>()));
  }
  if (value.contains("bytesValue")) {
    return Value::Bytes(arena.Copy(*DecodeBase64(value["bytesValue"].get<std::string>())));
  }
  if (value.contains("boolValue")) {
    return Value::Bool(value["boolValue"]);
  }
  if (value.contains("objectValue")) {
    return OfMessage(value["objectValue"], arena);
  }
  if (value.contains("listValue")) {
    auto* list = arena.New<MutableList>(arena);
    for (const json& element : value["listValue"].value("values", json::array())) {
      list->Append(ToValue(element, arena));
    }
    return Value::Of(static_cast<const List*>(list));
  }
  if (value.contains("mapValue")) {
    auto* map = arena.New<EntryMap>(arena);
    for (const json& entry : value["mapValue"].value("entries", json::array())) {
      map->Insert(ToValue(entry["key"], arena), ToValue(entry["value"], arena));
    }
    return Value::Of(static_cast<const Map*>(map));
  }
  return Value::Null();
}

// A value as the tests write it; entries of maps in the order of their text.
json ToJson(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kNull:
      return {{"nullValue", nullptr}};
    case ValueKind::kBool:
      return {{"boolValue", value.bool_value()}};
    case ValueKind::kInt:
      return {{"int64Value", std::to_string(value.int_value())}};
    case ValueKind::kUint:
      return {{"uint64Value", std::to_string(value.uint_value())}};
    case ValueKind::kDouble:
      if (std::isnan(value.double_value())) {
        return {{"doubleValue", "NaN"}};
      }
      if (std::isinf(value.double_value())) {
        return {{"doubleValue", value.double_value() > 0 ? "Infinity" : "-Infinity"}};
      }
      return {{"doubleValue", value.double_value()}};
    case ValueKind::kString:
      return {{"stringValue", std::string(value.text())}};
    case ValueKind::kBytes:
      return {{"bytesValue", EncodeBase64(value.text())}};
    case ValueKind::kType:
      return {{"typeValue", std::string(value.type()->name())}};
    case ValueKind::kDuration:
      return {{"objectValue",
               {{"@type", "type.googleapis.com/google.protobuf.Duration"},
                {"value", library::FormatDuration(value.duration())}}}};
    case ValueKind::kTimestamp:
      return {{"objectValue",
               {{"@type", "type.googleapis.com/google.protobuf.Timestamp"},
                {"value", library::FormatTimestamp(
                              {value.seconds(), value.nanoseconds(), value.zone_minutes()})}}}};
    case ValueKind::kList: {
      json values = json::array();
      for (std::size_t i = 0; i < value.list().size(); ++i) {
        values.push_back(ToJson(value.list().At(i)));
      }
      return {{"listValue", values.empty() ? json::object() : json{{"values", values}}}};
    }
    case ValueKind::kMap: {
      std::multimap<std::string, json> sorted;
      for (std::size_t i = 0; i < value.map().size(); ++i) {
        const Map::Entry entry = value.map().At(i);
        json item = {{"key", ToJson(entry.key)}, {"value", ToJson(entry.value)}};
        std::string text = item.dump();
        sorted.emplace(std::move(text), std::move(item));
      }
      json entries = json::array();
      for (const auto& [text, item] : sorted) {
        entries.push_back(item);
      }
      return {{"mapValue", entries.empty() ? json::object() : json{{"entries", entries}}}};
    }
    default:
      return {{"other", std::string(TypeName(value))}};
  }
}

// Sorts the entries of maps in an expected value.
json Sorted(json value) {
  if (value.contains("mapValue") && value["mapValue"].contains("entries")) {
    json& entries = value["mapValue"]["entries"];
    for (json& entry : entries) {
      entry["key"] = Sorted(entry["key"]);
      entry["value"] = Sorted(entry["value"]);
    }
    std::sort(entries.begin(), entries.end(),
              [](const json& a, const json& b) { return a.dump() < b.dump(); });
  }
  if (value.contains("listValue") && value["listValue"].contains("values")) {
    for (json& element : value["listValue"]["values"]) {
      element = Sorted(element);
    }
  }
  return value;
}

// What we answered, in the form of a test's k8s136 block.
json Answer(const json& test) {
  Environment environment;
  environment.set_container(test.value("container", ""));
  Arena arena;
  std::vector<Value> variables;
  const json bindings = test.value("bindings", json::object());
  for (const json& declaration : test.value("typeEnv", json::array())) {
    if (!declaration.contains("ident")) {
      continue;
    }
    const Type* type = ToType(declaration["ident"]["type"], environment.arena());
    if (type == nullptr) {
      return {{"phase", "unsupported"}};
    }
    const std::string name = declaration["name"];
    environment.AddVariable(name, type);
    variables.push_back(bindings.contains(name) ? ToValue(bindings[name]["value"], arena)
                                                : Value::Error("no such attribute"));
  }
  for (const auto& [name, binding] : bindings.items()) {
    if (environment.FindVariable(name) == nullptr) {
      environment.AddVariable(name, Type::Dyn());
      variables.push_back(ToValue(binding["value"], arena));
    }
  }
  CompileOptions options;
  options.check = !test.value("disableCheck", false);
  const Compilation compilation = Compile(environment, test["expr"].get<std::string>(), options);
  if (!compilation.ok()) {
    static constexpr const char* kPhases[] = {"parse", "check", "check", "program"};
    return {{"phase", kPhases[static_cast<int>(compilation.failure->phase)]},
            {"error", compilation.failure->message}};
  }
  json answer;
  if (!compilation.output_type.empty()) {
    answer["type"] = compilation.output_type;
  }
  if (test.value("checkOnly", false)) {
    answer["phase"] = "check";
    return answer;
  }
  const Evaluation evaluation = compilation.program->Evaluate(variables, arena);
  answer["cost"] = evaluation.cost;
  if (evaluation.value.IsError()) {
    answer["phase"] = "eval";
    answer["error"] = std::string(evaluation.value.text());
  } else {
    answer["phase"] = "value";
    answer["value"] = ToJson(evaluation.value);
  }
  return answer;
}

// Where we knowingly answer otherwise, and why.
const std::map<std::string, std::string>& Exceptions() {
  static const std::map<std::string, std::string> exceptions = {
      {"parse/receiver_function_names/namespace",
       "not checked, which Kubernetes never leaves out: calls an authorizer's function"},
      {"macros2/transformMap/error", "the cost depends on the order of Go's map"}};
  return exceptions;
}

void CheckFile(const std::filesystem::path& path) {
  std::ifstream in(path);
  for (const json& test : json::parse(in)) {
    const std::string id = path.stem().string() + "/" + test["section"].get<std::string>() + "/" +
                           test["name"].get<std::string>();
    if (Exceptions().contains(id)) {
      continue;
    }
    SCOPED_TRACE(id + ": " + test["expr"].get<std::string>());
    const json& expected = test["k8s136"];
    const json actual = Answer(test);
    EXPECT_EQ(actual.value("phase", ""), expected["phase"].get<std::string>())
        << actual.dump() << "\n"
        << expected.dump();
    if (actual.value("phase", "") != expected["phase"]) {
      continue;
    }
    if (expected.contains("value") && !test.value("checkOnly", false)) {
      EXPECT_EQ(actual.value("value", json()), Sorted(expected["value"]));
    }
    if (expected.contains("error") && expected["phase"] != "program") {
      EXPECT_EQ(actual.value("error", ""), expected["error"].get<std::string>());
    }
    if (expected.contains("cost") && !test.value("checkOnly", false)) {
      EXPECT_EQ(actual.value("cost", json()), expected["cost"]);
    }
    if (expected.contains("type") && actual.contains("type")) {
      EXPECT_EQ(actual["type"], expected["type"]);
    }
  }
}

TEST(SpecTest, AnswersAsKubernetesDoes) {
  if (!std::filesystem::exists(kTests)) {
    GTEST_SKIP() << kTests << " is not there";
  }
  for (const auto& entry : std::filesystem::directory_iterator(kTests)) {
    if (entry.path().extension() == ".json") {
      CheckFile(entry.path());
    }
  }
}

}  // namespace
}  // namespace assay::cel
