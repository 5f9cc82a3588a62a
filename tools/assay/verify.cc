#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "conformance/bundle/bundle.h"
#include "conformance/runner/registry.h"
#include "tools/assay/commands.h"

namespace assay::tools {
namespace {

using conformance::RuleSet;
using conformance::Verdict;

constexpr const char* kVerifyFooter = R"help(
Examples:
  assay verify assay-report/bundle.json

Says what the bundle of a run is worth: that it was not altered, that every case is in it, and that
the verdicts follow from the cases by the rules of this version. A bundle is no signature: publish
it where readers know that it comes from you.

Exit codes: 0 genuine, and the driver conforms (or fails just as its expectations file says),
1 genuine, and the driver does not conform, 2 altered, incomplete, or of another version.)help";

Result<int> Verify(const std::string& file) {
  const RuleSet& rules = RuleSet::Embedded();
  ASSAY_ASSIGN_OR_RETURN(const std::vector<conformance::CaseInfo> cases,
                         conformance::AllCases(rules));
  ASSAY_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
  const Result<conformance::VerifiedBundle> bundle =
      conformance::VerifyBundle(text, rules, cases, ASSAY_VERSION);
  if (!bundle.ok()) {
    return bundle.status().WithContext(file);
  }
  const conformance::RunResult& result = bundle->result;
  const std::map<Verdict, int> counts = conformance::CountVerdicts(result.rules);
  std::cout << file << ": genuine: " << result.testee << " (" << result.driver << ") of "
            << bundle->started << ", rule set " << rules.version() << ": "
            << counts.at(Verdict::kPass) << " rules pass, " << counts.at(Verdict::kFail)
            << " fail, " << counts.at(Verdict::kExpectedFailure) << " fail as expected\n"
            << result.testee << ": " << conformance::ConclusionSentence(result.conclusion) << "\n";
  return conformance::ExitCode(result.conclusion);
}

}  // namespace

Command AddVerify(CLI::App& app) {
  auto file = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("verify", "Check the bundle of a certification");
  command->footer(kVerifyFooter);
  command->add_option("BUNDLE", *file, "The bundle.json of a run")->required();
  return [file] { return Verify(*file); };
}

}  // namespace assay::tools
