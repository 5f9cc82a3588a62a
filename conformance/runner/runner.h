// Runner: one certification, from a profile to a RunResult: selects cases, runs them with
// GoogleTest against one lab, shows progress, judges.
//
// Runs once per process: GoogleTest keeps its state in globals. Not thread-safe.
#ifndef ASSAY_CONFORMANCE_RUNNER_RUNNER_H_
#define ASSAY_CONFORMANCE_RUNNER_RUNNER_H_

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>

#include "base/result.h"
#include "conformance/rules/rules.h"
#include "conformance/testee/profile.h"
#include "conformance/testee/spawner.h"
#include "conformance/verdict/verdict.h"

namespace assay::conformance {

struct RunOptions {
  Profile profile;
  std::string filter;                   // As SelectCases takes it; empty: everything.
  Spawner* spawner = nullptr;           // Outlives the run.
  std::filesystem::path bin_directory;  // ${BIN_DIR}
  std::filesystem::path log_directory;  // Of the driver's output; empty: kept nowhere.
  std::string assay_version;
  // Where progress goes; null: nowhere. On a terminal one line tells where the run is, and only
  // failures stay; else each case has a line.
  std::ostream* progress = nullptr;
  bool terminal = false;
  // Asked between cases; true ends the run, which then has trouble.
  std::function<bool()> interrupted;
};

// kInvalidArgument, kFailedPrecondition and the like for set-up trouble before any case ran: a
// wrong filter or expectations file, a program that cannot be executed, no room for a lab.
Result<RunResult> RunCertification(const RuleSet& rules, const RunOptions& options);

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_RUNNER_RUNNER_H_
