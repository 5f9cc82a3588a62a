// Expected failures: a file beside a testee's profile lists the cases that it is known to fail,
// each with the message it fails with, as in protobuf's conformance runner. A failure that is
// listed is reported as expected; a listed case that passes, one that does not exist, and one that
// fails with another message each break the run, so that the file never lies.
//
//   # The driver keeps prepared claims in memory only.
//   Checkpoint.SurvivesSigkill  # the claim's devices differ after the restart
//
// Thread-safe: values.
#ifndef ASSAY_CONFORMANCE_EXPECTATIONS_EXPECTATIONS_H_
#define ASSAY_CONFORMANCE_EXPECTATIONS_EXPECTATIONS_H_

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "conformance/verdict/verdict.h"

namespace assay::conformance {

struct Expectation {
  std::string case_name;  // "Suite.Case"
  std::string message;    // Normalised, as StableMessage gives it.
  std::string reason;     // The comment lines above the entry, joined.
  int line = 0;
};

class Expectations {
 public:
  Expectations() = default;
  // kInvalidArgument "file:line: problem": an entry without a message or a reason, or given twice.
  static Result<Expectations> Parse(std::string_view text, std::string file_name);
  static Result<Expectations> ParseFile(const std::filesystem::path& path);

  // Turns the failures that are expected into kFailedAsExpected, and returns what did not hold:
  // entries whose case passed, did not apply, failed with another message, or is not among
  // `known_cases`. Entries of known cases that did not run are left alone.
  std::vector<std::string> Apply(const std::set<std::string>& known_cases,
                                 std::vector<CaseResult>& results) const;

  const std::vector<Expectation>& entries() const { return entries_; }
  const std::string& file_name() const { return file_name_; }

 private:
  std::string file_name_;
  std::vector<Expectation> entries_;
};

// `message` on one line, with what differs from run to run replaced by a token: UIDs by <uid>,
// temporary paths' roots by <tmp>, measured times by <n>, and without the driver's own output. Cut
// after 200 bytes.
std::string StableMessage(std::string_view message);

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_EXPECTATIONS_EXPECTATIONS_H_
