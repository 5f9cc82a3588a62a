// Runner: one certification, from a profile to a RunResult: selects cases, has them run by workers
// side by side, each with a lab of its own, shows progress, judges.
//
// Not thread-safe: call it while the process has one thread, because it forks.
#ifndef ASSAY_CONFORMANCE_RUNNER_RUNNER_H_
#define ASSAY_CONFORMANCE_RUNNER_RUNNER_H_

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>

#include "base/result.h"
#include "conformance/rules/rules.h"
#include "conformance/runner/registry.h"
#include "conformance/testee/profile.h"
#include "conformance/verdict/verdict.h"

namespace assay::conformance {

struct RunOptions {
  Profile profile;
  std::string filter;  // As SelectCases takes it; empty: everything.
  Shard shard;         // Of what the filter selects.
  // Workers at most; 0: as suits the machine. One where the profile says that the
  // driver cannot run twice on a machine.
  int jobs = 0;
  std::filesystem::path bin_directory;  // ${BIN_DIR}
  // Of the driver's output, a directory for each worker: "1", "2", ... Empty: kept nowhere.
  std::filesystem::path log_directory;
  std::string assay_version;
  // Where progress goes; null: nowhere. On a terminal one line tells where the run is, and only
  // failures stay; else each case has a line.
  std::ostream* progress = nullptr;
  bool terminal = false;
  // Asked between cases; true ends the run, which then has trouble.
  std::function<bool()> interrupted;
};

// kInvalidArgument, kFailedPrecondition and the like for set-up trouble before any case ran: a
// wrong filter, shard or expectations file, a program that cannot be executed, no room for a lab.
Result<RunResult> RunCertification(const RuleSet& rules, const RunOptions& options);

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_RUNNER_RUNNER_H_
