// Bundle: a run in one file that its reader can check without a network: the report with every
// case, the testee's profile and expectations, the driver's logs, the digests of driver, suite and
// rule list, and the machine.
//
// A bundle is no signature: who forges a whole run forges a bundle. It shows that nothing was
// altered by accident, left out or run short, and that the verdict follows from the cases.
//
// Thread-safe: pure functions.
#ifndef ASSAY_CONFORMANCE_BUNDLE_BUNDLE_H_
#define ASSAY_CONFORMANCE_BUNDLE_BUNDLE_H_

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "conformance/rules/rules.h"
#include "conformance/runner/registry.h"
#include "conformance/testee/profile.h"
#include "conformance/verdict/verdict.h"

namespace assay::conformance {

struct BundleSources {
  std::filesystem::path suite;  // The running program.
  std::filesystem::path logs;   // The directory with the driver's output; it may not exist.
};

// JSON, two spaces of indent. Errors where the profile, its expectations or `suite` cannot be read.
Result<std::string> MakeBundle(const RuleSet& rules, const Profile& profile,
                               const RunResult& result, const BundleSources& sources);

struct VerifiedBundle {
  RunResult result;     // Judged anew from the bundle's cases.
  std::string started;  // RFC 3339
};

// kInvalidArgument says what was altered, left out or run short; kFailedPrecondition that another
// version of Assay made it, which has to be asked.
Result<VerifiedBundle> VerifyBundle(std::string_view bundle, const RuleSet& rules,
                                    const std::vector<CaseInfo>& cases,
                                    std::string_view assay_version);

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_BUNDLE_BUNDLE_H_
