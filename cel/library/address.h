// IP addresses in text, as Go's net/netip reads them.
//
// Thread-safe: pure functions.
#ifndef ASSAY_CEL_LIBRARY_ADDRESS_H_
#define ASSAY_CEL_LIBRARY_ADDRESS_H_

#include <string>
#include <string_view>

#include "base/result.h"

namespace assay::cel::library {

// The size in bytes, 4 or 16, of the address that `text` is, with or without a zone.
// kInvalidArgument in Go's words: `ParseAddr("x"): unable to parse IP`.
Result<int> ParseAddressSize(std::string_view text);

}  // namespace assay::cel::library

#endif  // ASSAY_CEL_LIBRARY_ADDRESS_H_
