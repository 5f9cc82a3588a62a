#include "api/patch/field_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "api/core/types.h"
#include "api/patch/field_set.h"
#include "api/resource/types.h"
#include "base/clock.h"
#include "base/testing/status_matchers.h"

namespace assay::api::patch {
namespace {

using assay::testing::StatusIs;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

WriteIdentity Identity(const std::string& manager, const std::string& subresource = "") {
  return {.kind = &KindOf<core::Pod>(),
          .version = "v1",
          .manager = manager,
          .subresource = subresource,
          .now = FakeClock().Now(),
          .reset_fields = {subresource.empty() ? "status" : "spec"}};
}

json Pod(const std::string& rest) {
  return json::parse(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"d")" +
                     rest + "}");
}

// Applies and expects no conflict.
json Applied(const std::string& manager, const json& live, const json& config, bool force = false) {
  json merged;
  const Result<ApplyOutcome> outcome = Apply(Identity(manager), live, config, force, merged);
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_THAT(outcome->conflicts, IsEmpty());
  return merged;
}

json Updated(const std::string& manager, const json& live, json updated,
             const std::string& subresource = "") {
  EXPECT_TRUE(TrackUpdate(Identity(manager, subresource), live, updated).ok());
  return updated;
}

// The fields of a manager's entry, null if it has none.
json FieldsOf(const json& document, const std::string& manager, const std::string& operation) {
  if (!document["metadata"].contains("managedFields")) {
    return nullptr;
  }
  for (const json& entry : document["metadata"]["managedFields"]) {
    if (entry["manager"] == manager && entry["operation"] == operation) {
      return entry["fieldsV1"];
    }
  }
  return nullptr;
}

TEST(FieldSetTest, WritesWhatItRead) {
  const std::string text =
      R"({"f:a":{".":{},"f:b":{}},"f:c":{"k:{\"name\":\"x\",\"port\":80}":{".":{},"f:name":{}}},)"
      R"("f:d":{"v:\"s\"":{},"v:1":{}},"f:e":{"i:0":{}}})";
  const Result<FieldSet> set = FieldSet::Parse(text);
  ASSERT_TRUE(set.ok()) << set.status();
  // Values sort numbers before strings.
  EXPECT_EQ(
      set->ToJson(),
      R"({"f:a":{".":{},"f:b":{}},"f:c":{"k:{\"name\":\"x\",\"port\":80}":{".":{},"f:name":{}}},)"
      R"("f:d":{"v:1":{},"v:\"s\"":{}},"f:e":{"i:0":{}}})");
}

TEST(FieldSetTest, DropsWhatALaterVersionMayMean) {
  const Result<FieldSet> set = FieldSet::Parse(R"({"f:a":{},"q:x":{"f:b":{}}})");
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(set->ToJson(), R"({"f:a":{}})");
  EXPECT_FALSE(FieldSet::Parse(R"({"fa":{}})").ok());
}

TEST(FieldManagerTest, ApplyOwnsWhatItSays) {
  const json merged = Applied(
      "a", nullptr, Pod(R"(,"labels":{"x":"1"}},"spec":{"containers":[{"name":"c","image":"i",
             "ports":[{"containerPort":80}],"command":["x"]}]})"));
  EXPECT_EQ(FieldsOf(merged, "a", "Apply"), json::parse(R"({
      "f:metadata":{"f:labels":{"f:x":{}}},
      "f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:name":{},"f:image":{},
          "f:command":{},
          "f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},
              "f:containerPort":{}}}}}}})"));
}

TEST(FieldManagerTest, ApplyRemovesWhatItNoLongerSays) {
  json live = Applied("a", nullptr, Pod(R"(,"labels":{"x":"1","y":"2"}})"));
  live = Applied("a", live, Pod(R"(,"labels":{"y":"2"}})"));
  EXPECT_EQ(live["metadata"]["labels"], (json{{"y", "2"}}));
}

TEST(FieldManagerTest, WhatAnotherManagerOwnsStays) {
  json live = Applied("a", nullptr, Pod(R"(,"labels":{"x":"1","y":"2"}})"));
  live = Applied("b", live, Pod(R"(,"labels":{"x":"1"}})"));
  live = Applied("a", live, Pod(R"(,"labels":{"y":"2"}})"));
  EXPECT_EQ(live["metadata"]["labels"], (json{{"x", "1"}, {"y", "2"}}));
  EXPECT_EQ(FieldsOf(live, "b", "Apply"), json::parse(R"({"f:metadata":{"f:labels":{"f:x":{}}}})"));
}

TEST(FieldManagerTest, ConflictNamesManagerAndField) {
  const json live =
      Applied("a", nullptr, Pod(R"(},"spec":{"containers":[{"name":"c","image":"1"}]})"));
  json merged;
  const Result<ApplyOutcome> outcome =
      Apply(Identity("b"), live, Pod(R"(},"spec":{"containers":[{"name":"c","image":"2"}]})"),
            false, merged);
  ASSERT_TRUE(outcome.ok());
  ASSERT_EQ(outcome->conflicts.size(), 1U);
  EXPECT_EQ(outcome->conflicts[0].message, "conflict with \"a\"");
  EXPECT_EQ(outcome->conflicts[0].field, ".spec.containers[name=\"c\"].image");
  EXPECT_EQ(ConflictMessage(outcome->conflicts),
            "Apply failed with 1 conflict: conflict with \"a\": "
            ".spec.containers[name=\"c\"].image");
}

TEST(FieldManagerTest, ManyConflictsAreListedByManager) {
  EXPECT_EQ(ConflictMessage({{"conflict with \"b\"", ".x"},
                             {"conflict with \"a\" using v1", ".y"},
                             {"conflict with \"b\"", ".z"}}),
            "Apply failed with 3 conflicts: conflicts with \"a\" using v1:\n- .y\n"
            "conflicts with \"b\":\n- .x\n- .z");
}

TEST(FieldManagerTest, ForceMovesTheField) {
  json live = Applied("a", nullptr, Pod(R"(,"labels":{"x":"1","y":"1"}})"));
  live = Applied("b", live, Pod(R"(,"labels":{"x":"2"}})"), /*force=*/true);
  EXPECT_EQ(live["metadata"]["labels"]["x"], "2");
  EXPECT_EQ(FieldsOf(live, "a", "Apply"), json::parse(R"({"f:metadata":{"f:labels":{"f:y":{}}}})"));
  EXPECT_EQ(FieldsOf(live, "b", "Apply"), json::parse(R"({"f:metadata":{"f:labels":{"f:x":{}}}})"));
}

TEST(FieldManagerTest, AgreeingManagersShareAField) {
  json live = Applied("a", nullptr, Pod(R"(,"labels":{"x":"1"}})"));
  live = Applied("b", live, Pod(R"(,"labels":{"x":"1"}})"));
  EXPECT_EQ(FieldsOf(live, "a", "Apply"), FieldsOf(live, "b", "Apply"));
}

TEST(FieldManagerTest, ListItemsMergeByKeyInTheOrderOfTheApplied) {
  json live = Applied("a", nullptr, Pod(R"(},"spec":{"containers":[{"name":"x","image":"1"},
                                                     {"name":"y","image":"1"}]})"));
  live = Applied("b", live, Pod(R"(},"spec":{"containers":[{"name":"z","image":"1"},
                                                            {"name":"x","tty":true}]})"));
  std::string names;
  for (const json& container : live["spec"]["containers"]) {
    names += container["name"].get<std::string>();
  }
  EXPECT_EQ(names, "zxy");
  EXPECT_EQ(live["spec"]["containers"][1]["image"], "1");
}

TEST(FieldManagerTest, AtomicListIsOneField) {
  const Kind& kind = KindOf<resource::ResourceClaim>();
  WriteIdentity identity{.kind = &kind, .version = "v1", .manager = "a", .now = FakeClock().Now()};
  const json claim = json::parse(R"({"apiVersion":"resource.k8s.io/v1","kind":"ResourceClaim",
      "metadata":{"name":"c"},"spec":{"devices":{"requests":[{"name":"r"}]}}})");
  json merged;
  ASSERT_TRUE(Apply(identity, nullptr, claim, false, merged).ok());
  EXPECT_EQ(FieldsOf(merged, "a", "Apply"),
            json::parse(R"({"f:spec":{"f:devices":{"f:requests":{}}}})"));
}

TEST(FieldManagerTest, UpdateOwnsWhatItChanges) {
  json live = Updated("kubectl-create", nullptr, Pod(R"(,"uid":"u","labels":{"x":"1"}})"));
  EXPECT_EQ(FieldsOf(live, "kubectl-create", "Update"),
            json::parse(R"({"f:metadata":{"f:labels":{".":{},"f:x":{}}}})"));
  json changed = live;
  changed["metadata"]["labels"] = {{"x", "2"}, {"y", "1"}};
  live = Updated("editor", live, changed);
  EXPECT_EQ(FieldsOf(live, "editor", "Update"),
            json::parse(R"({"f:metadata":{"f:labels":{"f:x":{},"f:y":{}}}})"));
  EXPECT_EQ(FieldsOf(live, "kubectl-create", "Update"),
            json::parse(R"({"f:metadata":{"f:labels":{}}})"));
}

TEST(FieldManagerTest, UpdateThatRemovesAFieldTakesItFromItsOwner) {
  json live = Applied("a", nullptr, Pod(R"(,"uid":"u","labels":{"x":"1","y":"1"}})"));
  json changed = live;
  changed["metadata"]["labels"].erase("x");
  live = Updated("b", live, changed);
  EXPECT_EQ(FieldsOf(live, "a", "Apply"), json::parse(R"({"f:metadata":{"f:labels":{"f:y":{}}}})"));
  EXPECT_EQ(FieldsOf(live, "b", "Update"), json());
}

TEST(FieldManagerTest, SubresourcesHaveEntriesOfTheirOwn) {
  json live =
      Updated("kubelet", nullptr, Pod(R"(,"uid":"u"},"spec":{"nodeName":"n"},"status":{})"));
  json changed = live;
  changed["status"]["phase"] = "Running";
  changed["spec"]["nodeName"] = "ignored";
  live = Updated("kubelet", live, changed, "status");
  json status_entry;
  for (const json& entry : live["metadata"]["managedFields"]) {
    if (entry.value("subresource", "") == "status") {
      status_entry = entry["fieldsV1"];
    }
  }
  EXPECT_EQ(status_entry, json::parse(R"({"f:status":{"f:phase":{}}})"));
}

TEST(FieldManagerTest, AnEmptyEntryGivesUpAllOwnership) {
  json live = Applied("a", nullptr, Pod(R"(,"uid":"u","labels":{"x":"1"}})"));
  json changed = live;
  changed["metadata"]["managedFields"] = json::array({json::object()});
  live = Updated("b", live, changed);
  EXPECT_FALSE(live["metadata"].contains("managedFields"));
}

TEST(FieldManagerTest, FirstApplyLeavesOlderFieldsToBeforeFirstApply) {
  const json live = Pod(R"(,"uid":"u","labels":{"x":"1","y":"1"}})");
  json merged;
  const auto outcome = Apply(Identity("a"), live, Pod(R"(,"labels":{"x":"2"}})"), false, merged);
  ASSERT_TRUE(outcome.ok());
  ASSERT_EQ(outcome->conflicts.size(), 1U);
  EXPECT_EQ(outcome->conflicts[0].message, "conflict with \"before-first-apply\" using v1");
}

TEST(FieldManagerTest, KubectlTakesOverWhatItAppliedFromTheClientSide) {
  json live = Pod(R"(,"uid":"u","labels":{"x":"1"}})");
  live["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
      Pod(R"(,"labels":{"x":"1"}})").dump();
  live = Updated("kubectl-client-side-apply", nullptr, live);
  const json merged = Applied("kubectl", live, Pod(R"(,"labels":{"x":"2"}})"));
  EXPECT_EQ(merged["metadata"]["labels"]["x"], "2");
}

TEST(FieldManagerTest, ManyUpdatersBecomeAncientChanges) {
  json live = Updated("m0", nullptr, Pod(R"(,"uid":"u","labels":{"l0":"1"}})"));
  for (int i = 1; i <= 12; ++i) {
    json changed = live;
    changed["metadata"]["labels"]["l" + std::to_string(i)] = "1";
    live = Updated("m" + std::to_string(i), live, changed);
  }
  EXPECT_EQ(live["metadata"]["managedFields"].size(), 10U);
  EXPECT_NE(FieldsOf(live, "ancient-changes", "Update"), json());
}

TEST(FieldManagerTest, ApplyWithoutEffectChangesNothing) {
  const json live = Applied("a", nullptr, Pod(R"(,"labels":{"x":"1"}})"));
  EXPECT_TRUE(EqualButForTimes(Applied("a", live, Pod(R"(,"labels":{"x":"1"}})")), live));
}

TEST(FieldManagerTest, RefusesWhatIsNoApply) {
  json merged;
  EXPECT_THAT(Apply(Identity("a"), nullptr, json::parse(R"({"kind":"Pod","apiVersion":"v2"})"),
                    false, merged),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Apply(Identity("a"), nullptr, Pod(R"(,"managedFields":[]})"), false, merged),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("managedFields must be nil")));
  EXPECT_THAT(
      Apply(Identity("a"), nullptr, Pod(R"(},"spec":{"foo":1})"), false, merged),
      StatusIs(StatusCode::kInternal, HasSubstr(".spec.foo: field not declared in schema")));
  EXPECT_THAT(Apply(Identity("a"), nullptr,
                    Pod(R"(},"spec":{"containers":[{"name":"a"},{"name":"a"}]})"), false, merged),
              StatusIs(StatusCode::kInternal, HasSubstr("duplicate entries for key [name=\"a\"]")));
}

TEST(ManagerFromUserAgentTest, IsTheProgramsName) {
  EXPECT_EQ(ManagerFromUserAgent("kubectl/v1.36.3 (linux/amd64) kubernetes/abc"), "kubectl");
  EXPECT_EQ(ManagerFromUserAgent("curl"), "curl");
  EXPECT_EQ(ManagerFromUserAgent(""), "");
}

}  // namespace
}  // namespace assay::api::patch
