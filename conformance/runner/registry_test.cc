#include "conformance/runner/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/testing/status_matchers.h"

namespace assay::conformance {
namespace {

using ::assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::vector<CaseInfo> Cases() {
  return {{.suite = "Prepare", .name = "Twice", .rules = {"PREP-01", "PREP-02"}},
          {.suite = "Prepare", .name = "Once", .rules = {"PREP-03"}},
          {.suite = "Sockets", .name = "Listen", .rules = {"REG-01"}}};
}

std::string Selected(const std::string& filter) {
  return SelectCases(Cases(), filter).value_or("error");
}

TEST(SelectCasesTest, TakesCasesSuitesRulesAndAreas) {
  EXPECT_EQ(Selected(""), "*");
  EXPECT_EQ(Selected("Prepare.Once"), "Prepare.Once");
  EXPECT_EQ(Selected("Prepare"), "Prepare.Twice:Prepare.Once");
  EXPECT_EQ(Selected("*.T*"), "Prepare.Twice");
  EXPECT_EQ(Selected("PREP-02"), "Prepare.Twice");
  EXPECT_EQ(Selected("PREP-0?"), "Prepare.Twice:Prepare.Once");
  EXPECT_EQ(Selected("REG"), "Sockets.Listen");
  EXPECT_EQ(Selected("REG:Prepare.Once:REG-01"), "Sockets.Listen:Prepare.Once");
}

TEST(SelectCasesTest, RefusesWhatSelectsNothing) {
  EXPECT_THAT(SelectCases(Cases(), "Prepare:UNPR-01"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'UNPR-01' selects no case")));
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
