#include "api/meta/label_selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"

namespace assay::api::meta {
namespace {

using ::assay::testing::StatusIs;
using ::testing::HasSubstr;

using Labels = std::map<std::string, std::string>;

bool Matches(std::string_view selector, const Labels& labels) {
  Result<LabelQuery> query = LabelQuery::Parse(selector);
  EXPECT_TRUE(query.ok()) << query.status();
  return query.ok() && query->Matches(labels);
}

TEST(LabelSelectorTest, EveryOperatorMatches) {
  const Labels labels = {{"app", "web"}, {"size", "12"}, {"empty", ""}};
  for (std::string_view selector :
       {"", "app", "app=web", "app==web", "app!=db", "app in (web,db)", "app notin (db)", "!gone",
        "gone!=x", "gone notin (x)", "size>11", "size<13", "empty=", "empty in ()",
        " app = web , size ", "app in (,web)"}) {
    EXPECT_TRUE(Matches(selector, labels)) << selector;
  }
  for (std::string_view selector :
       {"gone", "app=db", "app!=web", "app in (db)", "app notin (web)", "!app", "size>12",
        "size<12", "app>1", "gone>1", "app=web,gone", "app="}) {
    EXPECT_FALSE(Matches(selector, labels)) << selector;
  }
}

TEST(LabelSelectorTest, PrintsInTheOrderOfKeys) {
  ASSAY_ASSERT_OK_AND_ASSIGN(LabelQuery query,
                             LabelQuery::Parse("z,!b,x in (b, a),c == d,y notin (q)"));
  EXPECT_EQ(query.ToString(), "!b,c==d,x in (a,b),y notin (q),z");
}

TEST(LabelSelectorTest, RefusesWithUpstreamsWords) {
  struct Case {
    std::string selector;
    std::string error;
  };
  for (const Case& c : std::vector<Case>{
           {"a=b,", "found '', expected: identifier after ','"},
           {"a b",
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"},
           {"=a", "found '=', expected: !, identifier, or 'end of string'"},
           {"a in b", "unable to parse requirement: found 'b' expected: '('"},
           {"a in (b", "unable to parse requirement: found '', expected: ',' or ')'"},
           {"a>x",
            "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' "
            "operators, the value must be an integer"},
       }) {
    EXPECT_THAT(LabelQuery::Parse(c.selector), StatusIs(StatusCode::kInvalidArgument, c.error))
        << c.selector;
  }
  EXPECT_THAT(LabelQuery::Parse("a$=b"),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("<nil>: Invalid value: \"a$\": name part must consist of")));
}

TEST(LabelSelectorTest, StructuredFormIsTranslated) {
  LabelSelector selector{
      .match_labels = {{"app", "web"}},
      .match_expressions = {{.key = "tier", .operator_ = "NotIn", .values = {"db", "a"}},
                            {.key = "gone", .operator_ = "DoesNotExist"}}};
  ASSAY_ASSERT_OK_AND_ASSIGN(LabelQuery query, LabelQuery::From(selector));
  EXPECT_EQ(query.ToString(), "app=web,!gone,tier notin (a,db)");
  EXPECT_TRUE(query.Matches({{"app", "web"}}));
  EXPECT_FALSE(query.Matches({{"app", "web"}, {"gone", ""}}));
}

TEST(LabelSelectorTest, StructuredFormKeepsTheRules) {
  EXPECT_THAT(
      LabelQuery::From({.match_expressions = {{.key = "a", .operator_ = "Near"}}}),
      StatusIs(StatusCode::kInvalidArgument, "\"Near\" is not a valid label selector operator"));
  EXPECT_THAT(LabelQuery::From({.match_expressions = {{.key = "a", .operator_ = "In"}}}),
              StatusIs(StatusCode::kInvalidArgument,
                       "values: Invalid value: []: for 'in', 'notin' operators, values set can't "
                       "be empty"));
  EXPECT_THAT(
      LabelQuery::From({.match_labels = {{"a", "b c"}}}),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("values[0][a]: Invalid value: \"b c\"")));
}

TEST(LabelSelectorTest, EmptyMatchesAllAndNothingNone) {
  ASSAY_ASSERT_OK_AND_ASSIGN(LabelQuery empty, LabelQuery::From({}));
  EXPECT_TRUE(empty.MatchesEverything());
  EXPECT_FALSE(LabelQuery::Nothing().Matches({}));
  EXPECT_FALSE(LabelQuery::Nothing().MatchesEverything());
}

}  // namespace
}  // namespace assay::api::meta
