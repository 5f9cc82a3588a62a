#include "conformance/verdict/verdict.h"

#include <algorithm>
#include <utility>

namespace assay::conformance {
namespace {

// A rule's verdict is the worst that its cases have to say. A case that does not apply or could not
// decide never hides behind one that passed, except that an inapplicable case says nothing.
constexpr int Weight(Outcome outcome) {
  switch (outcome) {
    case Outcome::kFailed:
      return 5;
    case Outcome::kHarnessError:
      return 4;
    case Outcome::kFailedAsExpected:
      return 3;
    case Outcome::kNotDecidable:
      return 2;
    case Outcome::kPassed:
      return 1;
    case Outcome::kNotApplicable:
      return 0;
  }
  return 0;
}

constexpr Verdict VerdictOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kFailed:
      return Verdict::kFail;
    case Outcome::kHarnessError:
      return Verdict::kHarnessError;
    case Outcome::kFailedAsExpected:
      return Verdict::kExpectedFailure;
    case Outcome::kNotDecidable:
      return Verdict::kNotDecidable;
    case Outcome::kPassed:
      return Verdict::kPass;
    case Outcome::kNotApplicable:
      return Verdict::kNotApplicable;
  }
  return Verdict::kHarnessError;
}

}  // namespace

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kFail:
      return "fail";
    case Verdict::kExpectedFailure:
      return "expected failure";
    case Verdict::kNotApplicable:
      return "not applicable";
    case Verdict::kNotDecidable:
      return "not decidable here";
    case Verdict::kHarnessError:
      return "harness error";
    case Verdict::kNotSelected:
      return "not selected";
    case Verdict::kUntested:
      return "untested";
  }
  return "?";
}

std::string_view ConclusionName(Conclusion conclusion) {
  switch (conclusion) {
    case Conclusion::kConformant:
      return "conformant";
    case Conclusion::kAsExpected:
      return "as expected";
    case Conclusion::kNotConformant:
      return "not conformant";
    case Conclusion::kTrouble:
      return "trouble";
  }
  return "?";
}

std::string_view ConclusionSentence(Conclusion conclusion) {
  switch (conclusion) {
    case Conclusion::kConformant:
      return "CONFORMANT: no MUST rule that was tested is broken.";
    case Conclusion::kAsExpected:
      return "AS EXPECTED: MUST rules are broken, each as the expectations file says. No "
             "certificate.";
    case Conclusion::kNotConformant:
      return "NOT CONFORMANT.";
    case Conclusion::kTrouble:
      return "NO VERDICT: the run had trouble of its own.";
  }
  return "";
}

int ExitCode(Conclusion conclusion) {
  switch (conclusion) {
    case Conclusion::kConformant:
    case Conclusion::kAsExpected:
      return 0;
    case Conclusion::kNotConformant:
      return 1;
    case Conclusion::kTrouble:
      return 2;
  }
  return 2;
}

std::vector<RuleVerdict> JudgeRules(const RuleSet& rules, const std::vector<CaseResult>& cases,
                                    const DecidedRules& decided) {
  std::map<std::string_view, std::vector<const CaseResult*>> ran;
  for (const CaseResult& result : cases) {
    for (const std::string& rule : result.rules) {
      ran[rule].push_back(&result);
    }
  }
  std::vector<RuleVerdict> verdicts;
  verdicts.reserve(rules.rules().size());
  for (const Rule& rule : rules.rules()) {
    RuleVerdict verdict{.rule = &rule, .verdict = Verdict::kUntested, .message = {}, .cases = {}};
    if (const auto deciding = decided.find(rule.id); deciding != decided.end()) {
      verdict.verdict = Verdict::kNotSelected;
      verdict.cases = deciding->second;
    }
    if (const auto found = ran.find(rule.id); found != ran.end()) {
      const CaseResult* worst = *std::ranges::max_element(
          found->second, {}, [](const CaseResult* result) { return Weight(result->outcome); });
      verdict.verdict = VerdictOf(worst->outcome);
      verdict.message = worst->message;
      verdict.cases.clear();
      for (const CaseResult* result : found->second) {
        verdict.cases.push_back(result->FullName());
      }
    }
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

Conclusion Conclude(const RunResult& result) {
  const auto any = [&](Verdict verdict, bool decisive_only) {
    return std::ranges::any_of(result.rules, [&](const RuleVerdict& rule) {
      return rule.verdict == verdict && (!decisive_only || rule.rule->Decisive());
    });
  };
  // A broken rule stays broken whatever else went wrong.
  if (any(Verdict::kFail, true) || !result.broken_expectations.empty()) {
    return Conclusion::kNotConformant;
  }
  if (any(Verdict::kHarnessError, false) || !result.trouble.empty()) {
    return Conclusion::kTrouble;
  }
  if (any(Verdict::kExpectedFailure, true)) {
    return Conclusion::kAsExpected;
  }
  return any(Verdict::kPass, false) ? Conclusion::kConformant : Conclusion::kTrouble;
}

std::map<Verdict, int> CountVerdicts(const std::vector<RuleVerdict>& rules) {
  std::map<Verdict, int> counts;
  for (const Verdict verdict : kAllVerdicts) {
    counts[verdict] = 0;
  }
  for (const RuleVerdict& rule : rules) {
    ++counts[rule.verdict];
  }
  return counts;
}

}  // namespace assay::conformance
