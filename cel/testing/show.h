// Values as one line of text, equal for equal values: what the peer in tools/peers/cel prints too.
//
// Thread-safe: pure functions.
#ifndef ASSAY_CEL_TESTING_SHOW_H_
#define ASSAY_CEL_TESTING_SHOW_H_

#include <string>

#include "cel/value.h"

namespace assay::cel::testing {

// "true", "7", "7u", "d3ff0000000000000", "s" and base64, "[1,2]", "some(null)", "a net.IP". The
// entries of maps are in the order of their text.
std::string Show(const Value& value);

}  // namespace assay::cel::testing

#endif  // ASSAY_CEL_TESTING_SHOW_H_
