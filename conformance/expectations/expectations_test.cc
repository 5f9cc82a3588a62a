#include "conformance/expectations/expectations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"

namespace assay::conformance {
namespace {

using ::assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kFile =
    "# The driver never looks.\n"
    "Prepare.Twice  # the devices differ\n";

CaseResult Twice(Outcome outcome, std::string message = {}) {
  CaseResult result;
  result.suite = "Prepare";
  result.name = "Twice";
  result.outcome = outcome;
  result.message = std::move(message);
  return result;
}

std::vector<std::string> ApplyTo(std::vector<CaseResult>& results) {
  const Result<Expectations> expectations = Expectations::Parse(kFile, "x.expectations");
  return expectations->Apply({"Prepare.Twice", "Prepare.Once"}, results);
}

TEST(ExpectationsTest, ReadsEntriesWithTheirReasons) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const Expectations expectations,
                             Expectations::Parse("# Two lines\n# of reason.\n"
                                                 "A.B  # first\n"
                                                 "A.C  # second # with a hash\n",
                                                 "f"));
  ASSERT_EQ(expectations.entries().size(), 2U);
  EXPECT_EQ(expectations.entries()[0].case_name, "A.B");
  EXPECT_EQ(expectations.entries()[0].reason, "Two lines of reason.");
  EXPECT_EQ(expectations.entries()[1].message, "second # with a hash");
  EXPECT_EQ(expectations.entries()[1].reason, "Two lines of reason.");
  EXPECT_EQ(expectations.entries()[1].line, 4);
}

TEST(ExpectationsTest, RefusesEntriesThatSayTooLittle) {
  EXPECT_THAT(Expectations::Parse("# r\nA.B\n", "f"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("f:2: A.B: expected the message")));
  EXPECT_THAT(Expectations::Parse("A.B # m\n", "f"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("f:1: A.B: expected the reason")));
  EXPECT_THAT(Expectations::Parse("# r\nA.B # m\nA.B # m\n", "f"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("f:3: A.B is listed twice")));
  EXPECT_THAT(Expectations::Parse("# r\nnonsense # m\n", "f"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("f:2: expected Suite.Case")));
}

TEST(ExpectationsTest, AFailureThatIsListedIsExpected) {
  std::vector<CaseResult> results = {Twice(Outcome::kFailed, "the devices differ")};
  EXPECT_THAT(ApplyTo(results), IsEmpty());
  EXPECT_EQ(results[0].outcome, Outcome::kFailedAsExpected);
}

TEST(ExpectationsTest, AnUnexpectedPassBreaks) {
  std::vector<CaseResult> results = {Twice(Outcome::kPassed)};
  EXPECT_THAT(ApplyTo(results),
              ElementsAre(HasSubstr("x.expectations:2: Prepare.Twice: is expected to fail")));
  EXPECT_EQ(results[0].outcome, Outcome::kPassed);
}

TEST(ExpectationsTest, AChangedMessageBreaksAndStaysAFailure) {
  std::vector<CaseResult> results = {Twice(Outcome::kFailed, "no answer")};
  EXPECT_THAT(ApplyTo(results), ElementsAre(HasSubstr("another message")));
  EXPECT_EQ(results[0].outcome, Outcome::kFailed);
}

TEST(ExpectationsTest, ACaseThatDoesNotExistBreaks) {
  const Result<Expectations> expectations = Expectations::Parse(kFile, "x.expectations");
  std::vector<CaseResult> results;
  EXPECT_THAT(expectations->Apply({"Prepare.Once"}, results),
              ElementsAre(HasSubstr("no such case")));
}

TEST(ExpectationsTest, WhatWasNotRunOrNotTheDriversFaultIsLeftAlone) {
  std::vector<CaseResult> none;
  EXPECT_THAT(ApplyTo(none), IsEmpty());
  std::vector<CaseResult> trouble = {Twice(Outcome::kHarnessError, "no API server")};
  EXPECT_THAT(ApplyTo(trouble), IsEmpty());
  EXPECT_EQ(trouble[0].outcome, Outcome::kHarnessError);
}

TEST(ExpectationsTest, AnUndecidedCaseBreaks) {
  std::vector<CaseResult> results = {Twice(Outcome::kNotDecidable, "no hook")};
  EXPECT_THAT(ApplyTo(results), ElementsAre(HasSubstr("was not decided (no hook)")));
}

// That their cases exist is coverage_test.sh's: it knows all.
TEST(ExpectationsFilesTest, AllAreValid) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("fixtures/testees")) {
    if (entry.path().extension() == ".expectations") {
      ASSAY_ASSERT_OK_AND_ASSIGN(const Expectations expectations,
                                 Expectations::ParseFile(entry.path()));
      EXPECT_GE(expectations.entries().size(), 1U) << entry.path();
      ++count;
    }
  }
  EXPECT_GE(count, 2);
}

TEST(StableMessageTest, ReplacesWhatDiffersFromRunToRun) {
  EXPECT_EQ(StableMessage("claim 0f8fad5b-d9cb-469f-a165-70867728950e took 12.5 ms"),
            "claim <uid> took <n> ms");
  EXPECT_EQ(StableMessage("/tmp/assay-Ab12Cd/cdi/x.json is left"), "<tmp>/cdi/x.json is left");
  EXPECT_EQ(StableMessage("/tmp/assay-Ab12Cd/2/cdi/x.json is left"), "<tmp>/cdi/x.json is left");
  EXPECT_EQ(
      StableMessage("the driver exited with 1; it wrote: I1128 16:57:44 main.go:272] shutdown"),
      "the driver exited with 1");
  EXPECT_EQ(StableMessage("  two\n  lines "), "two lines");
  EXPECT_EQ(StableMessage("device-01 of 32"), "device-01 of 32");
}

TEST(StableMessageTest, CutsBetweenCharacters) {
  std::string long_text;
  for (int i = 0; i < 150; ++i) {
    long_text += "\xC3\xA9";
  }
  EXPECT_EQ(StableMessage("x" + long_text).size(), 199U);
}

}  // namespace
}  // namespace assay::conformance
