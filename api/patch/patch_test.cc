#include "api/patch/patch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "api/core/types.h"
#include "api/schema/descriptor.h"
#include "base/testing/status_matchers.h"

namespace assay::api::patch {
namespace {

using assay::testing::StatusIs;
using nlohmann::json;

struct Case {
  std::string name;
  std::string document;
  std::string patch;
  std::string expected;  // A document, or "!" and the code's name.
};

void PrintTo(const Case& test_case, std::ostream* out) { *out << test_case.name; }

std::string Outcome(const Result<json>& result) {
  return result.ok() ? result->dump() : "!" + std::string(StatusCodeName(result.status().code()));
}

std::string Canonical(const std::string& expected) {
  return expected.starts_with('!') ? expected : json::parse(expected).dump();
}

class JsonPatchTest : public ::testing::TestWithParam<Case> {};

TEST_P(JsonPatchTest, Applies) {
  const Case& c = GetParam();
  EXPECT_EQ(Outcome(ApplyJsonPatch(json::parse(c.document), json::parse(c.patch))),
            Canonical(c.expected));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, JsonPatchTest,
    ::testing::Values(
        Case{"AddMember", R"({"a":1})", R"([{"op":"add","path":"/b","value":2}])",
             R"({"a":1,"b":2})"},
        Case{"AddReplacesMember", R"({"a":1})", R"([{"op":"add","path":"/a","value":2}])",
             R"({"a":2})"},
        Case{"AddInserts", R"({"a":[1,3]})", R"([{"op":"add","path":"/a/1","value":2}])",
             R"({"a":[1,2,3]})"},
        Case{"AddAppends", R"({"a":[1]})", R"([{"op":"add","path":"/a/-","value":2}])",
             R"({"a":[1,2]})"},
        Case{"AddAtEndIndex", R"({"a":[1]})", R"([{"op":"add","path":"/a/1","value":2}])",
             R"({"a":[1,2]})"},
        Case{"AddPastEndFails", R"({"a":[1]})", R"([{"op":"add","path":"/a/3","value":2}])",
             "!FAILED_PRECONDITION"},
        Case{"AddNeedsParent", R"({})", R"([{"op":"add","path":"/a/b","value":2}])",
             "!FAILED_PRECONDITION"},
        Case{"NegativeIndexCountsFromTheEnd", R"({"a":[1,2]})",
             R"([{"op":"remove","path":"/a/-1"}])", R"({"a":[1]})"},
        Case{"RemoveMissingFails", R"({})", R"([{"op":"remove","path":"/a"}])",
             "!FAILED_PRECONDITION"},
        Case{"ReplaceAbsentMember", R"({})", R"([{"op":"replace","path":"/a","value":1}])",
             R"({"a":1})"},
        Case{"ReplacePastEndFails", R"({"a":[1]})", R"([{"op":"replace","path":"/a/1","value":1}])",
             "!FAILED_PRECONDITION"},
        Case{"CopyOfAbsentMember", R"({})", R"([{"op":"copy","from":"/a","path":"/b"}])",
             R"({"b":null})"},
        Case{"TestNeedsParent", R"({})", R"([{"op":"test","path":"/a/b","value":null}])",
             "!FAILED_PRECONDITION"},
        Case{"ReplaceRoot", R"({"a":1})", R"([{"op":"replace","path":"","value":{"b":1}}])",
             R"({"b":1})"},
        Case{"EscapesInPointers", R"({"a/b":1,"c~d":2})",
             R"([{"op":"remove","path":"/a~1b"},{"op":"replace","path":"/c~0d","value":3}])",
             R"({"c~d":3})"},
        Case{"Move", R"({"a":{"b":1}})", R"([{"op":"move","from":"/a/b","path":"/c"}])",
             R"({"a":{},"c":1})"},
        Case{"Copy", R"({"a":[1]})", R"([{"op":"copy","from":"/a/0","path":"/a/-"}])",
             R"({"a":[1,1]})"},
        Case{"TestPasses", R"({"a":{"b":[1]}})", R"([{"op":"test","path":"/a","value":{"b":[1]}}])",
             R"({"a":{"b":[1]}})"},
        Case{"TestFails", R"({"a":1})", R"([{"op":"test","path":"/a","value":2}])",
             "!FAILED_PRECONDITION"},
        Case{"AbsentEqualsNull", R"({})", R"([{"op":"test","path":"/a","value":null}])", R"({})"},
        Case{"NothingIsKeptOfAFailedPatch", R"({"a":1})",
             R"([{"op":"remove","path":"/a"},{"op":"remove","path":"/a"}])",
             "!FAILED_PRECONDITION"},
        Case{"UnknownOperation", R"({})", R"([{"op":"merge","path":"/a"}])",
             "!FAILED_PRECONDITION"},
        Case{"NotAList", R"({})", R"({"op":"add"})", "!INVALID_ARGUMENT"}),
    [](const auto& test) { return test.param.name; });

TEST(JsonPatchTest, TooManyOperationsAreRefused) {
  json patch = json::array();
  for (int i = 0; i <= kMaxJsonPatchOperations; ++i) {
    patch.push_back({{"op", "test"}, {"path", ""}, {"value", nullptr}});
  }
  EXPECT_THAT(ApplyJsonPatch(json(), patch), StatusIs(StatusCode::kResourceExhausted));
}

TEST(MergePatchTest, FollowsRfc7386) {
  const std::vector<std::vector<std::string>> cases = {
      {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
      {R"({"a":"b"})", R"({"a":null})", R"({})"},
      {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
      {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
      {R"(["a"])", R"({"a":"b"})", R"({"a":"b"})"},
      {R"({"e":null})", R"({"a":1})", R"({"a":1,"e":null})"},
      {R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"}};
  for (const auto& c : cases) {
    EXPECT_EQ(ApplyMergePatch(json::parse(c[0]), json::parse(c[1])), json::parse(c[2]))
        << c[0] << " with " << c[1];
  }
}

class StrategicMergePatchTest : public ::testing::TestWithParam<Case> {};

TEST_P(StrategicMergePatchTest, AppliesToAPod) {
  const Case& c = GetParam();
  EXPECT_EQ(Outcome(ApplyStrategicMergePatch(json::parse(c.document), json::parse(c.patch),
                                             schema::DescriptorOf<core::Pod>())),
            Canonical(c.expected));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, StrategicMergePatchTest,
    ::testing::Values(
        Case{"MapsMerge", R"({"metadata":{"labels":{"a":"1","b":"2"}}})",
             R"({"metadata":{"labels":{"b":"3","c":"4"}}})",
             R"({"metadata":{"labels":{"a":"1","b":"3","c":"4"}}})"},
        Case{"NullDeletes", R"({"metadata":{"labels":{"a":"1","b":"2"}}})",
             R"({"metadata":{"labels":{"a":null,"x":null}}})",
             R"({"metadata":{"labels":{"b":"2"}}})"},
        Case{"ListsMergeByKey",
             R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"2"}]}})",
             R"({"spec":{"containers":[{"name":"b","image":"3"}]}})",
             R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"3"}]}})"},
        Case{"NewItemsComeFirst", R"({"spec":{"containers":[{"name":"a"}]}})",
             R"({"spec":{"containers":[{"name":"z"}]}})",
             R"({"spec":{"containers":[{"name":"z"},{"name":"a"}]}})"},
        Case{"ListsWithoutAStrategyAreReplaced",
             R"({"spec":{"containers":[{"name":"a","command":["x","y"]}]}})",
             R"({"spec":{"containers":[{"name":"a","command":["z"]}]}})",
             R"({"spec":{"containers":[{"name":"a","command":["z"]}]}})"},
        Case{"PatchDeleteRemovesAnItem", R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
             R"({"spec":{"containers":[{"name":"a","$patch":"delete"}]}})",
             R"({"spec":{"containers":[{"name":"b"}]}})"},
        Case{"PatchReplaceReplacesAList", R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
             R"({"spec":{"containers":[{"name":"c"},{"$patch":"replace"}]}})",
             R"({"spec":{"containers":[{"name":"c"}]}})"},
        Case{"PatchReplaceReplacesAMap", R"({"metadata":{"labels":{"a":"1"}}})",
             R"({"metadata":{"labels":{"b":"2","$patch":"replace"}}})",
             R"({"metadata":{"labels":{"b":"2"}}})"},
        Case{"PatchDeleteEmptiesAMap", R"({"metadata":{"labels":{"a":"1"}}})",
             R"({"metadata":{"labels":{"$patch":"delete"}}})", R"({"metadata":{"labels":{}}})"},
        Case{"UnknownDirective", R"({"metadata":{"labels":{"a":"1"}}})",
             R"({"metadata":{"labels":{"$patch":"burn"}}})", "!INTERNAL"},
        Case{"PrimitiveListsMerge", R"({"metadata":{"finalizers":["a/a","b/b"]}})",
             R"({"metadata":{"finalizers":["c/c","a/a"]}})",
             R"({"metadata":{"finalizers":["c/c","a/a","b/b"]}})"},
        Case{"DeleteFromPrimitiveList", R"({"metadata":{"finalizers":["a/a","b/b"]}})",
             R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a/a"]}})",
             R"({"metadata":{"finalizers":["b/b"]}})"},
        Case{"SetElementOrder",
             R"({"spec":{"containers":[{"name":"a"},{"name":"b"},{"name":"c"}]}})",
             R"({"spec":{"$setElementOrder/containers":[{"name":"c"},{"name":"a"}],
                 "containers":[{"name":"a","image":"1"}]}})",
             R"({"spec":{"containers":[{"name":"b"},{"name":"c"},{"name":"a","image":"1"}]}})"},
        Case{"SetElementOrderMustMatchThePatch", R"({"spec":{"containers":[{"name":"a"}]}})",
             R"({"spec":{"$setElementOrder/containers":[{"name":"a"},{"name":"b"}],
                 "containers":[{"name":"b"},{"name":"a"}]}})",
             "!INTERNAL"},
        Case{"RetainKeysClearsTheOthers",
             R"({"spec":{"volumes":[{"name":"v","emptyDir":{"medium":"Memory"}}]}})",
             R"({"spec":{"volumes":[{"name":"v","$retainKeys":["name","hostPath"],
                 "hostPath":{"path":"/x"}}]}})",
             R"({"spec":{"volumes":[{"name":"v","hostPath":{"path":"/x"}}]}})"},
        Case{"RetainKeysMustHaveAllKeysOfThePatch", R"({"spec":{"volumes":[{"name":"v"}]}})",
             R"({"spec":{"volumes":[{"name":"v","$retainKeys":["hostPath"],
                 "hostPath":{"path":"/x"}}]}})",
             "!INVALID_ARGUMENT"},
        Case{"MergeKeyIsRequired", R"({"spec":{"containers":[{"name":"a"}]}})",
             R"({"spec":{"containers":[{"image":"a"}]}})", "!INTERNAL"},
        Case{"ConditionsMergeByType",
             R"({"status":{"conditions":[{"type":"A","status":"True"},{"type":"B"}]}})",
             R"({"status":{"conditions":[{"type":"A","status":"False"}]}})",
             R"({"status":{"conditions":[{"type":"A","status":"False"},{"type":"B"}]}})"},
        Case{"UnknownFieldsOfTheOriginalNeedASchema", R"({"spec":{"foo":{"a":1}}})",
             R"({"spec":{"foo":{"b":1}}})", "!INTERNAL"},
        Case{"NullsOfANewMapAreDropped", R"({})", R"({"metadata":{"labels":{"a":null,"b":"1"}}})",
             R"({"metadata":{"labels":{"b":"1"}}})"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace assay::api::patch
