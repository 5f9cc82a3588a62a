// What a started program inherits: little, so that a run does not depend on the caller's shell.
//
// Thread-safe.
#ifndef ASSAY_CONFORMANCE_TESTEE_ENVIRONMENT_H_
#define ASSAY_CONFORMANCE_TESTEE_ENVIRONMENT_H_

#include <map>
#include <string>

namespace assay::conformance {

// PATH, HOME, LANG, TMPDIR and what sanitizers and coverage read, as far as they are set.
std::map<std::string, std::string> InheritedEnvironment();

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_TESTEE_ENVIRONMENT_H_
