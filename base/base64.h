// Base64 (RFC 4648), with the errors of Go's encoding/base64: bytes in JSON, certificates in
// kubeconfigs, continue tokens.
//
// Thread-safe: pure functions.
#ifndef ASSAY_BASE_BASE64_H_
#define ASSAY_BASE_BASE64_H_

#include <string>
#include <string_view>

#include "base/result.h"

namespace assay {

// Section 4, padded.
std::string EncodeBase64(std::string_view bytes);
// kInvalidArgument: "illegal base64 data at input byte 4". Line breaks are skipped.
Result<std::string> DecodeBase64(std::string_view text);

// Section 5, for URLs, without padding.
std::string EncodeBase64Url(std::string_view bytes);
Result<std::string> DecodeBase64Url(std::string_view text);

}  // namespace assay

#endif  // ASSAY_BASE_BASE64_H_
