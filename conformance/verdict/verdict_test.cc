#include "conformance/verdict/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace assay::conformance {
namespace {

using ::testing::ElementsAre;

CaseResult Case(std::string name, std::vector<std::string> rules, Outcome outcome,
                std::string message = {}) {
  CaseResult result;
  result.suite = "Suite";
  result.name = std::move(name);
  result.rules = std::move(rules);
  result.outcome = outcome;
  result.message = std::move(message);
  return result;
}

RuleVerdict VerdictOn(const std::string& rule, const std::vector<CaseResult>& cases,
                      const DecidedRules& decided = {}) {
  const std::vector<RuleVerdict> verdicts = JudgeRules(RuleSet::Embedded(), cases, decided);
  return *std::ranges::find_if(verdicts,
                               [&](const RuleVerdict& each) { return each.rule->id == rule; });
}

Conclusion ConclusionOf(const std::vector<CaseResult>& cases) {
  RunResult result;
  result.cases = cases;
  result.rules = JudgeRules(RuleSet::Embedded(), cases, {});
  return Conclude(result);
}

TEST(JudgeRulesTest, EveryRuleHasAVerdict) {
  const std::vector<RuleVerdict> verdicts = JudgeRules(RuleSet::Embedded(), {}, {});
  EXPECT_EQ(verdicts.size(), RuleSet::Embedded().rules().size());
  EXPECT_TRUE(std::ranges::all_of(
      verdicts, [](const RuleVerdict& each) { return each.verdict == Verdict::kUntested; }));
}

TEST(JudgeRulesTest, ARulePassesWhenItsCasePasses) {
  const RuleVerdict verdict =
      VerdictOn("PREP-01", {Case("A", {"PREP-01", "PREP-02"}, Outcome::kPassed)});
  EXPECT_EQ(verdict.verdict, Verdict::kPass);
  EXPECT_THAT(verdict.cases, ElementsAre("Suite.A"));
}

TEST(JudgeRulesTest, OneFailedCaseFailsTheRule) {
  const RuleVerdict verdict = VerdictOn("PREP-01", {Case("A", {"PREP-01"}, Outcome::kPassed),
                                                    Case("B", {"PREP-01"}, Outcome::kFailed, "no"),
                                                    Case("C", {"PREP-01"}, Outcome::kPassed)});
  EXPECT_EQ(verdict.verdict, Verdict::kFail);
  EXPECT_EQ(verdict.message, "no");
  EXPECT_THAT(verdict.cases, ElementsAre("Suite.A", "Suite.B", "Suite.C"));
}

TEST(JudgeRulesTest, WhatCouldNotBeDecidedIsNoPass) {
  EXPECT_EQ(VerdictOn("PREP-01", {Case("A", {"PREP-01"}, Outcome::kPassed),
                                  Case("B", {"PREP-01"}, Outcome::kNotDecidable)})
                .verdict,
            Verdict::kNotDecidable);
  EXPECT_EQ(VerdictOn("PREP-01", {Case("A", {"PREP-01"}, Outcome::kHarnessError),
                                  Case("B", {"PREP-01"}, Outcome::kPassed)})
                .verdict,
            Verdict::kHarnessError);
}

TEST(JudgeRulesTest, AnInapplicableCaseSaysNothing) {
  EXPECT_EQ(VerdictOn("PREP-01", {Case("A", {"PREP-01"}, Outcome::kNotApplicable),
                                  Case("B", {"PREP-01"}, Outcome::kPassed)})
                .verdict,
            Verdict::kPass);
  EXPECT_EQ(VerdictOn("PREP-01", {Case("A", {"PREP-01"}, Outcome::kNotApplicable)}).verdict,
            Verdict::kNotApplicable);
}

TEST(JudgeRulesTest, TellsUntestedFromNotSelected) {
  const DecidedRules decided = {{"PREP-01", {"Suite.A"}}};
  EXPECT_EQ(VerdictOn("PREP-01", {}, decided).verdict, Verdict::kNotSelected);
  EXPECT_EQ(VerdictOn("PREP-02", {}, decided).verdict, Verdict::kUntested);
}

TEST(ConcludeTest, ConformantWhenAllThatWasTestedPasses) {
  EXPECT_EQ(ConclusionOf({Case("A", {"PREP-01"}, Outcome::kPassed),
                          Case("B", {"PREP-31"}, Outcome::kNotApplicable),
                          Case("C", {"PREP-20"}, Outcome::kNotDecidable)}),
            Conclusion::kConformant);
}

TEST(ConcludeTest, OnlyDecisiveRulesRefuse) {
  ASSERT_TRUE(RuleSet::Embedded().Find("PREP-03")->derived);
  ASSERT_EQ(RuleSet::Embedded().Find("PREP-09")->severity, Severity::kShould);
  const CaseResult passed = Case("A", {"PREP-01"}, Outcome::kPassed);
  EXPECT_EQ(ConclusionOf({passed, Case("B", {"PREP-03"}, Outcome::kFailed)}),
            Conclusion::kConformant);
  EXPECT_EQ(ConclusionOf({passed, Case("B", {"PREP-09"}, Outcome::kFailed)}),
            Conclusion::kConformant);
  EXPECT_EQ(ConclusionOf({passed, Case("B", {"PREP-05"}, Outcome::kFailed)}),
            Conclusion::kNotConformant);
}

TEST(ConcludeTest, NothingDecidedIsTrouble) {
  EXPECT_EQ(ConclusionOf({}), Conclusion::kTrouble);
  EXPECT_EQ(ConclusionOf({Case("A", {"PREP-01"}, Outcome::kNotDecidable)}), Conclusion::kTrouble);
}

TEST(ConcludeTest, AFailureOutweighsTrouble) {
  EXPECT_EQ(ConclusionOf({Case("A", {"PREP-01"}, Outcome::kHarnessError),
                          Case("B", {"PREP-05"}, Outcome::kPassed)}),
            Conclusion::kTrouble);
  EXPECT_EQ(ConclusionOf({Case("A", {"PREP-01"}, Outcome::kHarnessError),
                          Case("B", {"PREP-05"}, Outcome::kFailed)}),
            Conclusion::kNotConformant);
}

TEST(ConcludeTest, ExpectedFailuresAreNoCertificate) {
  EXPECT_EQ(ConclusionOf({Case("A", {"PREP-01"}, Outcome::kFailedAsExpected),
                          Case("B", {"PREP-05"}, Outcome::kPassed)}),
            Conclusion::kAsExpected);
  EXPECT_EQ(ConclusionOf({Case("A", {"PREP-03"}, Outcome::kFailedAsExpected),
                          Case("B", {"PREP-05"}, Outcome::kPassed)}),
            Conclusion::kConformant);
}

TEST(ConcludeTest, BrokenExpectationsRefuse) {
  RunResult result;
  result.cases = {Case("A", {"PREP-01"}, Outcome::kPassed)};
  result.rules = JudgeRules(RuleSet::Embedded(), result.cases, {});
  result.broken_expectations = {"x.expectations:1: stale"};
  EXPECT_EQ(Conclude(result), Conclusion::kNotConformant);
}

TEST(ConcludeTest, ExitCodesAreAsPromised) {
  EXPECT_EQ(ExitCode(Conclusion::kConformant), 0);
  EXPECT_EQ(ExitCode(Conclusion::kAsExpected), 0);
  EXPECT_EQ(ExitCode(Conclusion::kNotConformant), 1);
  EXPECT_EQ(ExitCode(Conclusion::kTrouble), 2);
}

}  // namespace
}  // namespace assay::conformance
