// Base64 with padding (RFC 4648), as Go's StdEncoding: the JSON form of bytes.
#ifndef ASSAY_API_JSON_INTERNAL_BASE64_H_
#define ASSAY_API_JSON_INTERNAL_BASE64_H_

#include <string>
#include <string_view>

#include "base/result.h"

namespace assay::api::json::internal {

std::string EncodeBase64(std::string_view bytes);
// kInvalidArgument: "illegal base64 data at input byte 4". Line breaks are skipped.
Result<std::string> DecodeBase64(std::string_view text);

}  // namespace assay::api::json::internal

#endif  // ASSAY_API_JSON_INTERNAL_BASE64_H_
