// GoQuote: text as Go's strconv.Quote prints it, which is how Kubernetes' messages quote.
//
// Thread-safe: a pure function.
#ifndef ASSAY_API_JSON_GO_QUOTE_H_
#define ASSAY_API_JSON_GO_QUOTE_H_

#include <string>
#include <string_view>

namespace assay::api::json {

// In double quotes; UTF-8 that can be printed stays, all else becomes an escape (\n, \x01, \u2028).
std::string GoQuote(std::string_view text);

}  // namespace assay::api::json

#endif  // ASSAY_API_JSON_GO_QUOTE_H_
