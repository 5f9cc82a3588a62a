#include "base/yaml/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"

namespace assay::yaml {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(YamlTest, KeepsTheLineAndPathOfEveryValue) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const Node root, Parse("a: 1\nlist:\n- x\n- name: y\n", "p.yaml"));
  const Node& name = root.Find("list")->items()[1].entries()[0].second;
  EXPECT_EQ(name.line(), 4);
  EXPECT_EQ(name.path(), "list[1].name");
  EXPECT_EQ(name.Error("no").message(), "p.yaml:4: list[1].name: no");
}

TEST(YamlTest, AnOverlayReplacesValuesAndKeepsLines) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const Node base, Parse("a: 1\nm: {x: 1, y: [1, 2]}\n", "base.yaml"));
  ASSAY_ASSERT_OK_AND_ASSIGN(const Node over, Parse("m:\n  y: [3]\n  z: 4\n", "over.yaml"));
  const Node merged = Overlay(base, over);
  EXPECT_EQ(merged.Find("a")->scalar(), "1");
  const Node& m = *merged.Find("m");
  EXPECT_EQ(m.Find("x")->Error("no").message(), "base.yaml:2: m.x: no");
  EXPECT_EQ(m.Find("y")->items().size(), 1u);
  EXPECT_EQ(m.Find("z")->Error("no").message(), "over.yaml:3: m.z: no");
}

TEST(YamlTest, RefusesADuplicateKeyAtItsSecondLine) {
  EXPECT_THAT(Parse("a: 1\nb: 2\na: 3\n", "p.yaml"),
              StatusIs(StatusCode::kInvalidArgument, "p.yaml:3: the key \"a\" is given twice"));
}

TEST(YamlTest, NamesTheLineOfASyntaxError) {
  EXPECT_THAT(Parse("a: 1\nb: [1,\n", "p.yaml"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("p.yaml:")));
  EXPECT_THAT(Parse("a: \"x\n", "p.yaml"), StatusIs(StatusCode::kInvalidArgument));
}

TEST(YamlTest, RefusesTagsAndSecondDocuments) {
  EXPECT_THAT(Parse("a: !!binary x\n", "p"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Parse("a: 1\n---\nb: 2\n", "p"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("one document")));
}

TEST(YamlTest, RefusesValuesThatNestTooDeep) {
  EXPECT_THAT(Parse(std::string(80, '[') + std::string(80, ']'), "p"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("deeper than 64")));
}

TEST(YamlTest, RefusesAliasesThatMultiply) {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 8; ++i) {
    const std::string previous = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + previous;
    for (int j = 1; j < 10; ++j) {
      bomb += "," + previous;
    }
    bomb += "]\n";
  }
  EXPECT_THAT(Parse(bomb, "p"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("more than")));
}

TEST(YamlTest, UnknownFieldIsRefusedWithTheNearestName) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const Node root, Parse("gpu:\n  memroy: 1\n", "p"));
  EXPECT_THAT(root.Find("gpu")->CheckKeys({"memory", "name"}),
              StatusIs(StatusCode::kInvalidArgument,
                       "p:2: gpu.memroy: unknown field; did you mean \"memory\"?"));
  EXPECT_THAT(root.CheckKeys({"gpu"}), IsOk());
}

TEST(YamlTest, TypedAccessSaysWhatWasExpected) {
  ASSAY_ASSERT_OK_AND_ASSIGN(
      const Node root,
      Parse("i: 12\nh: 0xff\nq: \"12\"\nd: 1h30m\nb: true\nf: 1.5\nl: [a, b]\nn:\n", "p"));
  EXPECT_EQ(root.GetInt64("i").value(), 12);
  EXPECT_EQ(root.GetUint64("h").value(), 255U);
  EXPECT_THAT(root.GetInt64("q"),
              StatusIs(StatusCode::kInvalidArgument, "p:3: q: expected a whole number"));
  EXPECT_EQ(root.GetDurationOr("d", {}).value(), std::chrono::minutes(90));
  EXPECT_TRUE(root.GetBoolOr("b", false).value());
  EXPECT_EQ(root.GetDoubleOr("f", 0).value(), 1.5);
  EXPECT_THAT(root.GetStringsOr("l", {}).value(), ElementsAre("a", "b"));
  EXPECT_EQ(root.GetStringOr("n", "fallback").value(), "fallback");
  EXPECT_THAT(root.GetString("missing"),
              StatusIs(StatusCode::kInvalidArgument, "p:1: the field \"missing\" is required"));
}

TEST(YamlTest, DurationsFollowGo) {
  for (const char* bad : {"1", "1x", "-1s", "", "s", "1s2"}) {
    ASSAY_ASSERT_OK_AND_ASSIGN(const Node root, Parse("d: \"" + std::string(bad) + "\"", "p"));
    EXPECT_THAT(root.GetDurationOr("d", {}), StatusIs(StatusCode::kInvalidArgument)) << bad;
  }
  ASSAY_ASSERT_OK_AND_ASSIGN(const Node root, Parse("[1.5s, 250ms, 10us, 5ns]", "p"));
  EXPECT_EQ(root.items()[0].AsDuration().value(), std::chrono::milliseconds(1500));
  EXPECT_EQ(root.items()[1].AsDuration().value(), std::chrono::milliseconds(250));
  EXPECT_EQ(root.items()[2].AsDuration().value(), std::chrono::microseconds(10));
  EXPECT_EQ(root.items()[3].AsDuration().value(), std::chrono::nanoseconds(5));
}

TEST(YamlTest, ToJsonTypesPlainScalarsAsKubernetesDoes) {
  ASSAY_ASSERT_OK_AND_ASSIGN(
      const Node root,
      Parse("{a: 1, b: \"1\", c: yes, d: ~, e: 1.5e3, f: 010, g: [x, 'y\"'], h: 80Gi}", "p"));
  EXPECT_EQ(ToJson(root),
            R"({"a":1,"b":"1","c":true,"d":null,"e":1.5e3,"f":"010","g":["x","y\""],"h":"80Gi"})");
}

TEST(YamlTest, AliasesRepeatTheirValueWithTheirOwnPath) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const Node root, Parse("a: &x {k: 1}\nb: *x\n", "p"));
  EXPECT_EQ(root.Find("b")->Find("k")->path(), "b.k");
}

TEST(YamlTest, ReadsEveryDocumentOfAStream) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::vector<Node> documents,
                             ParseDocuments("a: 1\n---\n---\nb: 2\n", "p"));
  EXPECT_EQ(documents.size(), 2U);
}

TEST(YamlTest, AnEmptyOrMissingFileIsAnError) {
  EXPECT_THAT(Parse("", "p"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("empty")));
  ASSAY_ASSERT_OK_AND_ASSIGN(const TempDir dir, TempDir::Create());
  EXPECT_THAT(ParseFile(dir / "none.yaml"),
              StatusIs(StatusCode::kNotFound, HasSubstr("none.yaml")));
}

}  // namespace
}  // namespace assay::yaml
