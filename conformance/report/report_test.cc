#include "conformance/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"
#include "base/testing/status_matchers.h"

namespace assay::conformance {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kRules = R"(
ruleSet: '7'
anchor: Kubernetes 1.36
needs: {kubelet: k, apiserver: a, devices: d, files: f, lifecycle: l, runtime: r}
features:
  device-health: {kep: 4680, text: reports health}
sources:
  MGR: manager.go
areas:
  - {id: REG, kep: 4381, rules: 5, title: Registration}
  - {id: HLTH, kep: 4680, rules: 2, title: Health}
rules:
  - {id: REG-01, severity: must, text: registers, source: 'MGR:1', needs: [kubelet]}
  - {id: REG-02, severity: must, text: 'answers <once> & again', source: 'MGR:2', needs: [kubelet]}
  - {id: REG-03, severity: should, derived: true, text: is quick, source: 'MGR:3', needs: [kubelet]}
  - {id: REG-04, severity: must, text: unplugs, source: 'MGR:4', needs: [devices]}
  - {id: REG-05, severity: must, text: was never looked at, source: 'MGR:5', needs: [kubelet]}
  - {id: HLTH-01, severity: must, text: streams, source: 'MGR:6', needs: [kubelet], feature: device-health}
  - {id: HLTH-02, severity: must, text: refuses, source: 'MGR:7', needs: [kubelet]}
)";

CaseResult Case(std::string suite, std::string name, std::vector<std::string> rules,
                Outcome outcome, std::string message = {}) {
  CaseResult result;
  result.suite = std::move(suite);
  result.name = std::move(name);
  result.rules = std::move(rules);
  result.outcome = outcome;
  result.message = std::move(message);
  result.file = "conformance/suites/x.cc";
  result.line = 12;
  result.elapsed = std::chrono::milliseconds(1500);
  return result;
}

RunResult Example(const RuleSet& rules) {
  RunResult result;
  result.testee = "an-example";
  result.driver = "gpu.example.com";
  result.assay_version = "0.1.0";
  result.started = FakeClock().Now();
  result.elapsed = std::chrono::seconds(7);
  result.cases = {
      Case("Registration", "Registers", {"REG-01"}, Outcome::kPassed),
      Case("Registration", "AnswersTwice", {"REG-02"}, Outcome::kFailed,
           "answered \"<1>\" & then nothing"),
      Case("Registration", "IsQuick", {"REG-03"}, Outcome::kFailedAsExpected, "took 3 s"),
      Case("Registration", "Unplugs", {"REG-04"}, Outcome::kNotDecidable, "no hook unplug"),
      Case("Health", "Streams", {"HLTH-01"}, Outcome::kNotApplicable, "device-health"),
      Case("Health", "Refuses", {"HLTH-02"}, Outcome::kHarnessError, "no API server"),
  };
  result.devices = {{.pool = "n1", .name = "gpu-0", .facts = {{"memory", "80Gi"}}, .consumes = {}},
                    {.pool = "n1",
                     .name = "gpu-1-mig-1g",
                     .facts = {{"memory", "10Gi"}},
                     .consumes = {{"gpu-1/memory", 0.125}, {"gpu-1/slices", 0.142}}}};
  result.cases[1].details = "line one\nline two \x01";
  result.cases[1].exchange = {
      {.after = std::chrono::milliseconds(2), .from = "kubelet", .what = "GetInfo", .detail = {}},
      {.after = std::chrono::milliseconds(5),
       .from = "driver",
       .what = "GetInfo answered after 3 ms",
       .detail = "{\n  \"name\": \"<script>\"\n}"}};
  result.rules = JudgeRules(rules, result.cases, {});
  result.broken_expectations = {"an-example.expectations:3: A.B: there is no such case"};
  result.conclusion = Conclude(result);
  return result;
}

void ExpectGolden(const std::string& text, const std::string& name) {
  const std::string path = "conformance/report/testdata/" + name;
  if (std::getenv("ASSAY_UPDATE_GOLDENS") != nullptr) {
    ASSERT_THAT(WriteFileAtomically(path, text), IsOk());
    return;
  }
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::string golden, ReadFile(path));
  EXPECT_EQ(text, golden) << "to accept: ASSAY_UPDATE_GOLDENS=1 ctest -R "
                          << ::testing::UnitTest::GetInstance()->current_test_info()->name();
}

class ReportTest : public ::testing::Test {
 protected:
  RuleSet rules_ = *RuleSet::Parse(kRules, "rules.yaml");
  RunResult result_ = Example(rules_);
};

TEST_F(ReportTest, TextTellsWhatFailedAndTheVerdict) {
  ExpectGolden(TextReport(rules_, result_, {}), "report.golden.txt");
}

TEST_F(ReportTest, TextIsColouredOnlyWhenAsked) {
  EXPECT_THAT(TextReport(rules_, result_, {}), Not(HasSubstr("\033")));
  EXPECT_THAT(TextReport(rules_, result_, {.color = true}), HasSubstr("\033[31mfail\033[0m"));
}

TEST_F(ReportTest, JunitHoldsEveryCaseAndUntestedRule) {
  ExpectGolden(JunitReport(rules_, result_), "report.golden.xml");
}

TEST_F(ReportTest, JsonHoldsEverything) {
  ExpectGolden(JsonReport(rules_, result_), "report.golden.json");
}

TEST_F(ReportTest, PageHoldsEveryRuleAndTheExchange) {
  ExpectGolden(HtmlReport(rules_, result_), "report.golden.html");
}

TEST_F(ReportTest, PageTellsWhatChanged) {
  ASSAY_ASSERT_OK_AND_ASSIGN(EarlierRun earlier, ParseEarlierRun(JsonReport(rules_, result_)));
  EXPECT_THAT(HtmlReport(rules_, result_, &earlier), HasSubstr("Every rule has the verdict"));
  earlier.verdicts["REG-02"] = "pass";
  EXPECT_THAT(HtmlReport(rules_, result_, &earlier),
              HasSubstr("REG-02</a></td><td class=\"dim\">pass</td>"));
}

TEST_F(ReportTest, PageIsSafeFromWhatTheDriverWrites) {
  result_.cases[1].details = "</pre><script>alert(1)</script> \xff";
  const std::string page = HtmlReport(rules_, result_);
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt; \xEF\xBF\xBD"));
}

TEST_F(ReportTest, AnEarlierRunMustBeAReport) {
  for (const char* text : {"", "[]", "{\"started\": 1}", "{\"started\": \"x\", \"rules\": [{}]}"}) {
    EXPECT_THAT(ParseEarlierRun(text),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr("expected the report.json")));
  }
}

TEST_F(ReportTest, JsonSurvivesOutputThatIsNoText) {
  result_.cases[1].details = "\xff\xfe";
  EXPECT_TRUE(nlohmann::json::accept(JsonReport(rules_, result_)));
}

}  // namespace
}  // namespace assay::conformance
