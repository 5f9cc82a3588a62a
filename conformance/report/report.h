// Reports: a RunResult as text and as a page for a person, JUnit XML for a CI system, and JSON for
// programs.
//
// Every report lists every rule with its verdict, also those that no test decides.
//
// Thread-safe: pure functions.
#ifndef ASSAY_CONFORMANCE_REPORT_REPORT_H_
#define ASSAY_CONFORMANCE_REPORT_REPORT_H_

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "conformance/rules/rules.h"
#include "conformance/verdict/verdict.h"

namespace assay::conformance {

struct TextReportOptions {
  bool color = false;  // ANSI colours: for a terminal.
};

// The summary that ends a run: what failed and why, rules by area, the verdict. Ends with a
// newline.
std::string TextReport(const RuleSet& rules, const RunResult& result, TextReportOptions options);

// JUnit XML as CI systems read it: a <testsuite> a suite, a <testcase> a case with its rules as
// properties; harness errors are <error>, what was not decided is <skipped>. Rules without a test
// are cases of the suite "untested", skipped.
std::string JunitReport(const RuleSet& rules, const RunResult& result);

// Everything, as fixtures/schema/report.schema.json describes it. Two spaces of indent.
std::string JsonReport(const RuleSet& rules, const RunResult& result);

// What JsonReport wrote, but for `rules`, which are to be judged from the cases, and the times.
// kInvalidArgument for anything else.
Result<RunResult> ParseJsonReport(std::string_view json);

// What an earlier run said of each rule.
struct EarlierRun {
  std::string started;                          // RFC 3339
  std::map<std::string, std::string> verdicts;  // Rule id to VerdictName.
};
// From the text of its report.json. kInvalidArgument for anything else.
Result<EarlierRun> ParseEarlierRun(std::string_view json);

// One page that needs no network: verdict, rules by KEP and by area, the devices, each rule with
// its evidence, and what is not as it was in `earlier`, where that is given. Light and dark, for
// the keyboard, for print.
std::string HtmlReport(const RuleSet& rules, const RunResult& result,
                       const EarlierRun* earlier = nullptr);

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_REPORT_REPORT_H_
