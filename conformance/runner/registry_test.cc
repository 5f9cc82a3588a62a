#include "conformance/runner/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/testing/status_matchers.h"

namespace assay::conformance {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::vector<CaseInfo> Cases() {
  return {{.suite = "Prepare", .name = "Twice", .rules = {"PREP-01", "PREP-02"}},
          {.suite = "Prepare", .name = "Once", .rules = {"PREP-03"}},
          {.suite = "Sockets", .name = "Listen", .rules = {"REG-01"}}};
}

std::vector<std::string> NamesOf(const std::vector<CaseInfo>& cases) {
  std::vector<std::string> names;
  for (const CaseInfo& each : cases) {
    names.push_back(each.FullName());
  }
  return names;
}

std::vector<std::string> Selected(const std::string& filter) {
  const Result<std::vector<CaseInfo>> selected = SelectCases(Cases(), filter);
  EXPECT_THAT(selected, IsOk());
  return selected.ok() ? NamesOf(*selected) : std::vector<std::string>();
}

TEST(SelectCasesTest, TakesCasesSuitesRulesAndAreas) {
  EXPECT_THAT(Selected(""), ElementsAre("Prepare.Twice", "Prepare.Once", "Sockets.Listen"));
  EXPECT_THAT(Selected("Prepare.Once"), ElementsAre("Prepare.Once"));
  EXPECT_THAT(Selected("Prepare"), ElementsAre("Prepare.Twice", "Prepare.Once"));
  EXPECT_THAT(Selected("*.T*"), ElementsAre("Prepare.Twice"));
  EXPECT_THAT(Selected("PREP-02"), ElementsAre("Prepare.Twice"));
  EXPECT_THAT(Selected("PREP-0?"), ElementsAre("Prepare.Twice", "Prepare.Once"));
  EXPECT_THAT(Selected("REG"), ElementsAre("Sockets.Listen"));
  EXPECT_THAT(Selected("REG:Prepare.Once:REG-01"), ElementsAre("Prepare.Once", "Sockets.Listen"));
}

TEST(SelectCasesTest, RefusesWhatSelectsNothing) {
  EXPECT_THAT(SelectCases(Cases(), "Prepare:UNPR-01"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'UNPR-01' selects no case")));
}

TEST(CasesOfShardTest, KeepsTogetherWhatDecidesARule) {
  std::vector<CaseInfo> cases = Cases();
  cases.push_back({.suite = "Late", .name = "Both", .rules = {"REG-01", "PREP-02"}});
  // Prepare.Twice and Sockets.Listen are one group through Late.Both.
  const auto first = CasesOfShard(cases, {.index = 1, .count = 2});
  const auto second = CasesOfShard(cases, {.index = 2, .count = 2});
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  EXPECT_THAT(NamesOf(*first), ElementsAre("Prepare.Twice", "Sockets.Listen", "Late.Both"));
  EXPECT_THAT(NamesOf(*second), ElementsAre("Prepare.Once"));
  EXPECT_THAT(CasesOfShard(cases, {.index = 3, .count = 3}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("shard 3/3 has no case")));
}

TEST(RulesDecidedByTest, NamesTheCasesOfEachRule) {
  EXPECT_THAT(RulesDecidedBy(Cases()), ElementsAre(Pair("PREP-01", ElementsAre("Prepare.Twice")),
                                                   Pair("PREP-02", ElementsAre("Prepare.Twice")),
                                                   Pair("PREP-03", ElementsAre("Prepare.Once")),
                                                   Pair("REG-01", ElementsAre("Sockets.Listen"))));
}

// The tests of this very program decide no rules.
TEST(AllCasesTest, NamesATestThatDecidesNothing) {
  EXPECT_THAT(AllCases(RuleSet::Embedded()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("has no DECIDES above it")));
}

}  // namespace
}  // namespace assay::conformance
