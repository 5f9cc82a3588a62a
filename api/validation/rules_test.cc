// Every validation, defaulting and registry rule of resource.k8s.io, and those of other groups that
// drivers meet, case by case.
//
// testdata/rules.json has, for each rule id, writes that it accepts and writes that it refuses,
// with the exact errors of Kubernetes 1.36.3 (tools/peers/validation asks upstream's own code).
// `set` and `old` are JSON pointers into the object of `bases`: `old` makes the stored object,
// `set` on top of it what is written.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/json/json.h"
#include "api/registry.h"
#include "api/validation/cel_selector.h"
#include "api/validation/defaulting.h"
#include "api/validation/strategy.h"

namespace assay::api::validation {
namespace {

using nlohmann::json;

constexpr const char* kTestdata = "api/validation/testdata/";

json ReadJson(const std::string& name) {
  std::ifstream file(kTestdata + name);
  return json::parse(file, nullptr, /*allow_exceptions=*/false);
}

const json& Document() {
  static const json document = ReadJson("rules.json");
  return document;
}

// "<label>" and the like stand for texts that many errors have; "<now>" for the test's time.
std::string ExpandTexts(std::string text) {
  for (const auto& [token, long_text] : Document()["texts"].items()) {
    for (std::size_t at = 0; (at = text.find(token, at)) != std::string::npos;) {
      const auto replacement = long_text.get<std::string>();
      text.replace(at, token.size(), replacement);
      at += replacement.size();
    }
  }
  return text;
}

json WithTime(json value, WallTime now) {
  if (value == "<now>") {
    return FormatRfc3339(now);
  }
  if (value.is_structured()) {
    for (json& child : value) {
      child = WithTime(std::move(child), now);
    }
  }
  return value;
}

void ReplaceIndex(json& value, std::size_t index) {
  if (value.is_string()) {
    auto text = value.get<std::string>();
    if (const std::size_t at = text.find("%d"); at != std::string::npos) {
      text.replace(at, 2, std::to_string(index));
      value = text;
    }
  } else if (value.is_structured()) {
    for (json& child : value) {
      ReplaceIndex(child, index);
    }
  }
}

// Writes out {"$repeat": n, "item": x}, {"$repeatmap": n, "key": k, "item": x} and
// {"$string": [c, n]}; "%d" within becomes the index.
json Expand(const json& value) {
  if (value.is_object() && value.contains("$string")) {
    const json& parts = value["$string"];
    return std::string(parts[1].get<std::size_t>(), parts[0].get<std::string>()[0]);
  }
  if (value.is_object() && (value.contains("$repeat") || value.contains("$repeatmap"))) {
    const bool is_map = value.contains("$repeatmap");
    json out = is_map ? json::object() : json::array();
    const auto count = value[is_map ? "$repeatmap" : "$repeat"].get<std::size_t>();
    for (std::size_t i = 0; i < count; ++i) {
      json item = Expand(value["item"]);
      ReplaceIndex(item, i);
      if (is_map) {
        json key = value["key"];
        ReplaceIndex(key, i);
        out[key.get<std::string>()] = item;
      } else {
        out.push_back(item);
      }
    }
    return out;
  }
  json out = value;
  if (out.is_structured()) {
    for (json& child : out) {
      child = Expand(child);
    }
  }
  return out;
}

void Set(json& document, const json& changes) {
  for (const auto& [path, value] : changes.items()) {
    const json::json_pointer pointer(path);
    if (!value.is_object() || !value.contains("$remove")) {
      document[pointer] = Expand(value);
    } else if (document.contains(pointer)) {
      document[pointer.parent_pointer()].erase(pointer.back());
    }
  }
}

// An object that a client sent, in its hub version, with its defaults.
Object Decode(const json& document, WallTime now) {
  const Kind* kind = FindByApiVersion(document["apiVersion"].get<std::string>(),
                                      document["kind"].get<std::string>());
  EXPECT_NE(kind, nullptr) << document["kind"];
  const std::shared_ptr<void> value = kind->hub().New();
  const auto warnings =
      api::json::DecodeMessage(kind->hub(), document.dump(), {.level = Level::k1_36}, value.get());
  EXPECT_TRUE(warnings.ok()) << warnings.status();
  return ApplyDefaults(Object::Of(*kind, value), now);
}

struct Answer {
  Outcome outcome;
  json object;
};

Answer Write(const json& test_case) {
  FakeClock clock;
  Compatibility compatibility;
  std::istringstream gates(test_case.value("gates", ""));
  for (std::string gate; std::getline(gates, gate, ',');) {
    const std::size_t equals = gate.find('=');
    EXPECT_TRUE(compatibility.Set(gate.substr(0, equals), gate.substr(equals + 1) == "true").ok());
  }
  std::istringstream words(test_case["on"].get<std::string>());
  std::string operation;
  std::string base;
  words >> operation >> base;

  json document = Document()["bases"][base];
  document["metadata"]["uid"] = "u-1";
  document["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z";
  if (operation != "create") {
    document["metadata"]["resourceVersion"] = "1";
    if (base == "pod") {
      document["status"]["qosClass"] = "BestEffort";
    }
  }
  Set(document, test_case.value("old", json::object()));
  const json old_document = document;
  Set(document, test_case.value("set", json::object()));

  Context context{.compatibility = &compatibility,
                  .now = clock.Now(),
                  .verb = "update",
                  .user = {.name = "admin", .groups = {}, .extra = {}},
                  .selector_checker = CelSelectorChecker(compatibility)};
  if (const auto user = test_case.find("user"); user != test_case.end()) {
    context.user.name = (*user)["name"];
    context.user.extra["authentication.kubernetes.io/node-name"] = {(*user)["node"]};
  }
  context.namespace_labels =
      [&](std::string_view name) -> Result<std::map<std::string, std::string>> {
    const auto labels = test_case.find("namespace");
    if (labels == test_case.end()) {
      return std::map<std::string, std::string>{{"resource.kubernetes.io/admin-access", "true"}};
    }
    if (labels->is_null()) {
      return NotFoundError("namespaces \"" + std::string(name) + "\" not found");
    }
    return labels->get<std::map<std::string, std::string>>();
  };
  context.refused = [&](const AccessRequest& request) -> std::optional<std::string> {
    const std::string what = request.verb + " " + request.resource + "/" + request.subresource +
                             (request.name.empty() ? "" : " " + request.name);
    const json denied = test_case.value("deny", json::array());
    if (std::find(denied.begin(), denied.end(), json(what)) == denied.end()) {
      return std::nullopt;
    }
    return request.resource + ".resource.k8s.io " +
           (request.name.empty() ? "" : "\"" + request.name + "\" ") + "is forbidden: User \"" +
           context.user.name + "\" cannot " + request.verb + " resource \"" + request.resource +
           "/" + request.subresource + "\" in API group \"resource.k8s.io\" " +
           (request.namespace_.empty() ? "at the cluster scope"
                                       : "in the namespace \"" + request.namespace_ + "\"");
  };

  const Object object = Decode(document, context.now);
  Answer answer;
  if (operation == "create") {
    answer.outcome = BeforeCreate(object, context);
  } else {
    answer.outcome = BeforeUpdate(object, Decode(old_document, context.now),
                                  operation == "status" ? "status" : "", context);
  }
  answer.object = json::parse(api::json::Encode(answer.outcome.object, {.level = Level::k1_36}));
  return answer;
}

class RuleTest : public ::testing::TestWithParam<std::string> {};

TEST_P(RuleTest, AcceptsAndRefusesAsKubernetesDoes) {
  for (const json& test_case : Document()["cases"]) {
    if (test_case["rule"] != GetParam()) {
      continue;
    }
    SCOPED_TRACE(test_case.dump().substr(0, 500));
    const Answer answer = Write(test_case);
    std::vector<std::string> errors;
    for (const FieldError& error : answer.outcome.errors) {
      errors.push_back(error.ToString());
    }
    std::vector<std::string> expected_errors;
    for (const json& error : test_case["errors"]) {
      expected_errors.push_back(ExpandTexts(error.get<std::string>()));
    }
    EXPECT_THAT(errors, ::testing::UnorderedElementsAreArray(expected_errors));
    if (const auto warnings = test_case.find("warnings"); warnings != test_case.end()) {
      EXPECT_EQ(answer.outcome.warnings, warnings->get<std::vector<std::string>>());
    }
    const json results = test_case.value("results", json::object());
    for (const auto& [path, wanted] : results.items()) {
      const json expected = WithTime(wanted, FakeClock().Now());
      const json::json_pointer pointer(path);
      const json actual = answer.object.contains(pointer) ? answer.object[pointer] : json();
      EXPECT_EQ(actual, expected) << path << " is " << actual << ", not " << expected;
    }
  }
}

std::vector<std::string> RulesWithCases() {
  std::set<std::string> rules;
  if (Document().is_object()) {
    for (const json& test_case : Document()["cases"]) {
      rules.insert(test_case["rule"].get<std::string>());
    }
  }
  return {rules.begin(), rules.end()};
}

INSTANTIATE_TEST_SUITE_P(Rules, RuleTest, ::testing::ValuesIn(RulesWithCases()),
                         [](const auto& rule) { return rule.param; });

TEST(RuleCoverageTest, EveryRuleHasCasesOrAReason) {
  const json rules = ReadJson("rule_ids.json");
  ASSERT_TRUE(rules.is_object());
  const json& ids = rules["ids"];
  const json& untested = rules["untested"];
  const std::vector<std::string> tested = RulesWithCases();
  for (const json& id : ids) {
    const bool has_case =
        std::find(tested.begin(), tested.end(), id.get<std::string>()) != tested.end();
    const bool has_reason = untested.contains(id.get<std::string>());
    EXPECT_TRUE(has_case != has_reason)
        << id << (has_case ? " has cases and a reason for having none" : " has no case");
  }
  for (const std::string& id : tested) {
    EXPECT_NE(std::find(ids.begin(), ids.end(), json(id)), ids.end()) << id << " is no rule";
  }
}

TEST(RuleCoverageTest, EveryRuleOfTheSchemaIsSeenFromBothSides) {
  std::map<std::string, std::pair<int, int>> counts;  // accepted, refused
  for (const json& test_case : Document()["cases"]) {
    auto& [accepted, refused] = counts[test_case["rule"].get<std::string>()];
    ++(test_case["errors"].empty() ? accepted : refused);
  }
  const json one_sided = ReadJson("rule_ids.json")["one_sided"];
  for (const auto& [rule, sides] : counts) {
    const auto reason = one_sided.find(rule);
    EXPECT_NE(sides.first > 0 && sides.second > 0, reason != one_sided.end())
        << rule << " has " << sides.first << " accepted and " << sides.second << " refused cases";
  }
}

}  // namespace
}  // namespace assay::api::validation
