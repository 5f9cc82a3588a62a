// GoJsonSyntaxError: what Go's encoding/json says of text that is not JSON.
//
// Thread-safe: a pure function.
#ifndef ASSAY_API_VALIDATION_GO_JSON_SYNTAX_H_
#define ASSAY_API_VALIDATION_GO_JSON_SYNTAX_H_

#include <string>
#include <string_view>

namespace assay::api::validation {

// "" if `text` is one JSON value; else Go's message, such as
// "invalid character 'x' looking for beginning of value" or "unexpected end of JSON input".
std::string GoJsonSyntaxError(std::string_view text);

}  // namespace assay::api::validation

#endif  // ASSAY_API_VALIDATION_GO_JSON_SYNTAX_H_
