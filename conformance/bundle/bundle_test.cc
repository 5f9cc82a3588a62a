#include "conformance/bundle/bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"

namespace assay::conformance {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

constexpr char kProfile[] = R"(
name: example
driver: gpu.example.com
start: {command: [driver]}
features: [device-health]
expectations: example.expectations
)";
constexpr char kExpectations[] = "# It does.\nPrepare.Fails  # no entry\n";

class BundleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_THAT(WriteFileAtomically(root_ / "example.yaml", kProfile), IsOk());
    ASSERT_THAT(WriteFileAtomically(root_ / "example.expectations", kExpectations), IsOk());
    ASSAY_ASSERT_OK_AND_ASSIGN(profile_, LoadProfile(root_ / "example.yaml", rules_));
    result_.testee = profile_.name;
    result_.driver = profile_.driver;
    result_.assay_version = "1.2.3";
    for (const CaseInfo& info : cases_) {
      result_.cases.push_back({.suite = info.suite, .name = info.name, .rules = info.rules});
    }
    result_.cases[1].outcome = Outcome::kFailedAsExpected;
    result_.cases[1].message = "no entry";
    result_.cases[1].details = "bytes: \xff";
    result_.cases[2].outcome = Outcome::kNotApplicable;
    Judge();
  }

  void Judge() {
    result_.rules = JudgeRules(rules_, result_.cases, RulesDecidedBy(cases_));
    result_.conclusion = Conclude(result_);
  }

  std::string Make() {
    const Result<std::string> bundle = MakeBundle(
        rules_, profile_, result_, {.suite = root_ / "example.yaml", .logs = root_.path()});
    EXPECT_THAT(bundle, IsOk());
    return bundle.value_or("");
  }
  Result<VerifiedBundle> Verify(const std::string& bundle) {
    return VerifyBundle(bundle, rules_, cases_, "1.2.3");
  }
  // What is said of a bundle made of this result.
  void ExpectRefused(const std::string& why) {
    EXPECT_THAT(Verify(Make()), StatusIs(StatusCode::kInvalidArgument, HasSubstr(why)));
  }

  TempDir root_ = *TempDir::Create();
  const RuleSet& rules_ = RuleSet::Embedded();
  std::vector<CaseInfo> cases_ = {
      {.suite = "Prepare", .name = "Works", .rules = {"PREP-01"}},
      {.suite = "Prepare", .name = "Fails", .rules = {"PREP-02"}},
      {.suite = "Admin", .name = "Access", .rules = {"ADMIN-01"}, .feature = "admin-access"}};
  Profile profile_;
  RunResult result_;
};

TEST_F(BundleTest, AGenuineOneIsJudgedAsItWas) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const VerifiedBundle verified, Verify(Make()));
  EXPECT_EQ(verified.result.conclusion, result_.conclusion);
  EXPECT_EQ(verified.result.testee, "example");
}

TEST_F(BundleTest, EachChangeOfAByteIsSeen) {
  const std::string bundle = Make();
  for (const char* field : {"\"no entry\"", "\"Linux", "# It does", "bytes: ", "gpu.example.com"}) {
    std::string altered = bundle;
    const std::size_t place = altered.find(field);
    ASSERT_NE(place, std::string::npos) << field;
    altered[place + 2] = altered[place + 2] == 'x' ? 'y' : 'x';
    EXPECT_THAT(Verify(altered), StatusIs(StatusCode::kInvalidArgument, HasSubstr("altered")))
        << field;
  }
}

// Who makes the digest anew still has to make the verdict follow from the cases.

TEST_F(BundleTest, AVerdictThatDoesNotFollowIsRefused) {
  result_.cases[0].outcome = Outcome::kFailed;
  ExpectRefused("from its cases PREP-01 is 'fail', and the report says 'pass'");
}

TEST_F(BundleTest, AConclusionThatDoesNotFollowIsRefused) {
  result_.cases[0].outcome = Outcome::kFailed;
  Judge();
  result_.conclusion = Conclusion::kConformant;
  ExpectRefused("the report says 'conformant'");
}

TEST_F(BundleTest, ACaseThatWasLeftOutIsMissed) {
  result_.cases.erase(result_.cases.begin() + 1);
  Judge();
  ExpectRefused("the case Prepare.Fails was left out");
}

TEST_F(BundleTest, ACaseThatTheSuiteDoesNotHaveIsRefused) {
  result_.cases.push_back({.suite = "Prepare", .name = "Shines", .rules = {"PREP-01"}});
  ExpectRefused("there is no case Prepare.Shines");
  result_.cases.back() = result_.cases.front();
  ExpectRefused("Prepare.Works is there twice");
}

TEST_F(BundleTest, AFailureThatNobodyExpectedIsRefused) {
  result_.cases[0].outcome = Outcome::kFailedAsExpected;
  Judge();
  ExpectRefused("does not expect the failure of Prepare.Works");
}

TEST_F(BundleTest, WhatDoesNotApplyIsAsTheProfileSays) {
  result_.cases[2].outcome = Outcome::kPassed;
  Judge();
  ExpectRefused("Admin.Access was run, and admin-access is not declared");
  result_.cases[2] = {.suite = "Health", .name = "Streams", .rules = {"HLTH-01"}};
  cases_[2] = {
      .suite = "Health", .name = "Streams", .rules = {"HLTH-01"}, .feature = "device-health"};
  result_.cases[2].outcome = Outcome::kNotApplicable;
  result_.cases[2].message = "device-health is not declared";
  Judge();
  ExpectRefused("Health.Streams was not run, and device-health is declared");
}

TEST_F(BundleTest, APartIsNotTheWhole) {
  result_.filter = "PREP";
  ExpectRefused("only a part was run (filter 'PREP'");
  result_.filter = "";
  result_.shard = "1/2";
  ExpectRefused("shard '1/2'");
}

TEST_F(BundleTest, AnotherVersionIsToBeAsked) {
  EXPECT_THAT(VerifyBundle(Make(), rules_, cases_, "1.3.0"),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("assay 1.2.3 made it")));
}

TEST_F(BundleTest, WhatIsNoBundleIsRefused) {
  for (const char* text : {"", "[]", "{}", "{\"format\": \"assay.dev/bundle/1\"}", "\xff"}) {
    EXPECT_THAT(Verify(text), StatusIs(StatusCode::kInvalidArgument)) << text;
  }
}

}  // namespace
}  // namespace assay::conformance
