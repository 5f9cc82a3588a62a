// The style and the script of the HTML report: conformance/report/html/, built in.
//
// Thread-safe.
#ifndef ASSAY_CONFORMANCE_REPORT_INTERNAL_ASSETS_H_
#define ASSAY_CONFORMANCE_REPORT_INTERNAL_ASSETS_H_

#include <string_view>

namespace assay::conformance::internal {

std::string_view ReportCss();
std::string_view ReportJs();

}  // namespace assay::conformance::internal

#endif  // ASSAY_CONFORMANCE_REPORT_INTERNAL_ASSETS_H_
