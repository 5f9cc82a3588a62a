// Text within markup.
//
// Thread-safe: a pure function.
#ifndef ASSAY_CONFORMANCE_REPORT_INTERNAL_ESCAPE_H_
#define ASSAY_CONFORMANCE_REPORT_INTERNAL_ESCAPE_H_

#include <string>
#include <string_view>

namespace assay::conformance::internal {

// Fit for XML 1.0 and HTML, in elements and in quoted attributes: markup escaped, ends of lines and
// tabs kept, characters that XML cannot hold and bytes that are no UTF-8 replaced by U+FFFD.
std::string EscapeMarkup(std::string_view text);

}  // namespace assay::conformance::internal

#endif  // ASSAY_CONFORMANCE_REPORT_INTERNAL_ESCAPE_H_
