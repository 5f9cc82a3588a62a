// What an environment declares, as lines that can be compared with Kubernetes' own.
//
// Thread-safe: pure function.
#ifndef ASSAY_CEL_TESTING_DECLARATIONS_H_
#define ASSAY_CEL_TESTING_DECLARATIONS_H_

#include <string>
#include <vector>

#include "cel/environment.h"

namespace assay::cel::testing {

// One line for each overload, sorted: function, "global" or "member", overload, signature, with
// tabs between: "charAt	member	string_char_at_int	(string, int) -> string".
std::vector<std::string> Declarations(const Environment& environment);

}  // namespace assay::cel::testing

#endif  // ASSAY_CEL_TESTING_DECLARATIONS_H_
