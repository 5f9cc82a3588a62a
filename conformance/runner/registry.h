// Which case decides which rules. A suite states it on the line above each test:
//
//   DECIDES("PREP-01", "PREP-02");
//   TEST_F(Prepare, AnswersTheSameDevicesAgain) { ... }
//
// The statement belongs to the next test of its file. All rules of one case apply under the same
// feature, or under none.
//
// Not thread-safe: filled before main, read after.
#ifndef ASSAY_CONFORMANCE_RUNNER_REGISTRY_H_
#define ASSAY_CONFORMANCE_RUNNER_REGISTRY_H_

#include <initializer_list>
#include <string>
#include <vector>

#include "base/result.h"
#include "conformance/rules/rules.h"
#include "conformance/verdict/verdict.h"

namespace assay::conformance {

struct CaseInfo {
  std::string suite;
  std::string name;
  std::string file;  // From the repository's root.
  int line = 0;
  std::vector<std::string> rules;
  std::string feature;  // Must be declared for the case to apply; empty: always applies.

  std::string FullName() const { return suite + "." + name; }
};

// Every case of the program, in the order in which they run. An error names a case without rules,
// rules without a case, a rule that does not exist, or a mixture of features.
Result<std::vector<CaseInfo>> AllCases(const RuleSet& rules);

// Why a case does not apply to a driver without `feature`.
std::string NotDeclared(const std::string& feature);

DecidedRules RulesDecidedBy(const std::vector<CaseInfo>& cases);

// What `filter` selects of `cases`: patterns separated by ':', each of a case ("Prepare.*"), of a
// suite, or of a rule or area ("PREP-01", "PREP-*", "PREP"); all for an empty one. kInvalidArgument
// names a pattern that selects nothing.
Result<std::vector<CaseInfo>> SelectCases(const std::vector<CaseInfo>& cases,
                                          const std::string& filter);

// One of `count` parts of a run, for machines that share it. Counted from 1.
struct Shard {
  int index = 1;
  int count = 1;
};

// The cases of a shard. All that decide a rule are in the same one, so that each shard's verdicts
// hold for themselves. kInvalidArgument for a shard without a case.
Result<std::vector<CaseInfo>> CasesOfShard(const std::vector<CaseInfo>& cases, const Shard& shard);

// For DECIDES.
bool RegisterDecides(const char* file, int line, std::initializer_list<const char*> rules);

}  // namespace assay::conformance

#define ASSAY_INTERNAL_DECIDES_NAME(number) assay_decides_##number
#define ASSAY_INTERNAL_DECIDES(number, ...)                                \
  [[maybe_unused]] static const bool ASSAY_INTERNAL_DECIDES_NAME(number) = \
      ::assay::conformance::RegisterDecides(__FILE__, __LINE__, {__VA_ARGS__})
#define DECIDES(...) ASSAY_INTERNAL_DECIDES(__COUNTER__, __VA_ARGS__)

#endif  // ASSAY_CONFORMANCE_RUNNER_REGISTRY_H_
