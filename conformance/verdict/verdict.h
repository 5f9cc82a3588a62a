// What a run says of a driver: the outcome of each test case, the verdict on each rule that follows
// from it, and whether a certificate is due.
//
// Nothing is counted as passed that was not seen to hold. A rule that several cases decide passes
// only if each of them that applies passed.
//
// Thread-safe: values and pure functions.
#ifndef ASSAY_CONFORMANCE_VERDICT_VERDICT_H_
#define ASSAY_CONFORMANCE_VERDICT_VERDICT_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "conformance/rules/rules.h"

namespace assay::conformance {

// How one test case ended.
enum class Outcome {
  kPassed,
  kFailed,
  // Failed as its testee's expectations file says.
  kFailedAsExpected,
  // The testee's profile does not declare the feature that `message` names.
  kNotApplicable,
  // The testee's profile lacks the hook that `message` names.
  kNotDecidable,
  // The harness could not do its part: says nothing of the driver.
  kHarnessError,
};

// Something that the harness or the driver said or did.
struct Exchange {
  Duration after{};    // Since the case began.
  std::string from;    // Who: "kubelet", "driver", "harness".
  std::string what;    // One line.
  std::string detail;  // The message, the file: JSON or text, cut where it is long; may be empty.
};

struct CaseResult {
  std::string suite;
  std::string name;
  std::vector<std::string> rules;  // Ids of the rules that it decides.
  Outcome outcome = Outcome::kPassed;
  // One sentence: what was expected and what happened. Empty if passed.
  std::string message;
  // All that was recorded: further failures, the testee's output in that window.
  std::string details;
  std::vector<Exchange> exchange;  // Up to the failure, in order; empty for what did not fail.
  std::string file;                // From the repository's root.
  int line = 0;
  Duration elapsed{};

  std::string FullName() const { return suite + "." + name; }
};

// A device as the driver published it at the beginning of the run.
struct DeviceSummary {
  std::string pool;
  std::string name;
  // Attributes and capacities, as text.
  std::map<std::string, std::string> facts;
  // Of each counter that it consumes (KEP-4815), "set/counter", the part of the whole: 0 to 1.
  std::map<std::string, double> consumes;
};

enum class Verdict {
  kPass,
  kFail,
  kExpectedFailure,
  kNotApplicable,
  kNotDecidable,
  kHarnessError,
  kNotSelected,  // A test decides it, and was filtered out of this run.
  kUntested,     // No test decides it.
};
inline constexpr Verdict kAllVerdicts[] = {
    Verdict::kPass,          Verdict::kFail,         Verdict::kExpectedFailure,
    Verdict::kNotApplicable, Verdict::kNotDecidable, Verdict::kHarnessError,
    Verdict::kNotSelected,   Verdict::kUntested};

// "pass", "fail", "expected failure", "not applicable", ...
std::string_view VerdictName(Verdict verdict);

struct RuleVerdict {
  const Rule* rule = nullptr;  // In the RuleSet of the run.
  Verdict verdict = Verdict::kUntested;
  std::string message;             // Why; empty for a pass.
  std::vector<std::string> cases;  // "Suite.Case" of what decided it.
};

// Whether the driver conforms, as the exit code tells it.
enum class Conclusion {
  kConformant,     // 0: no decisive rule failed, none was left to chance by trouble.
  kAsExpected,     // 0: some rules failed, each as the expectations file says. No certificate.
  kNotConformant,  // 1: a decisive rule failed, or an expectation did not hold.
  kTrouble,        // 2: the harness failed, or nothing was decided.
};
inline constexpr Conclusion kAllConclusions[] = {Conclusion::kConformant, Conclusion::kAsExpected,
                                                 Conclusion::kNotConformant, Conclusion::kTrouble};
std::string_view ConclusionName(Conclusion conclusion);
// As reports say it: "CONFORMANT: no MUST rule that was tested is broken."
std::string_view ConclusionSentence(Conclusion conclusion);
int ExitCode(Conclusion conclusion);

struct RunResult {
  std::string testee;
  std::string driver;
  std::string assay_version;
  std::string filter;  // Empty: everything.
  std::string shard;   // "2/4"; empty: all that the filter selects.
  WallTime started{};
  Duration elapsed{};
  std::string program;  // The file that the driver's process ran; empty where it is not known.
  std::vector<DeviceSummary> devices;
  std::vector<CaseResult> cases;   // In the suite's order.
  std::vector<RuleVerdict> rules;  // Every rule of the rule set, in its order.
  // Expectations that did not hold: stale entries, unexpected passes, changed messages.
  std::vector<std::string> broken_expectations;
  // What went wrong outside of any case: the testee never became ready, and the like.
  std::vector<std::string> trouble;
  Conclusion conclusion = Conclusion::kTrouble;
};

// The rules which a case of the suite decides, for telling kNotSelected from kUntested.
using DecidedRules = std::map<std::string, std::vector<std::string>>;  // Rule id -> "Suite.Case".

// The verdict on every rule of `rules`, from the outcomes of the cases that ran.
std::vector<RuleVerdict> JudgeRules(const RuleSet& rules, const std::vector<CaseResult>& cases,
                                    const DecidedRules& decided);

// The conclusion from `result`'s rules, broken expectations and trouble.
Conclusion Conclude(const RunResult& result);

// How many rules have each verdict; every verdict is present.
std::map<Verdict, int> CountVerdicts(const std::vector<RuleVerdict>& rules);

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_VERDICT_VERDICT_H_
