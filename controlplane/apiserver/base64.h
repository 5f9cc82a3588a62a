// Base64 as Kubernetes uses it: URL-safe without padding in continue tokens, padded in kubeconfigs.
//
// Thread-safe: functions.
#ifndef ASSAY_CONTROLPLANE_APISERVER_BASE64_H_
#define ASSAY_CONTROLPLANE_APISERVER_BASE64_H_

#include <optional>
#include <string>
#include <string_view>

namespace assay::controlplane::apiserver {

std::string Base64Encode(std::string_view bytes);     // RFC 4648, section 4
std::string Base64UrlEncode(std::string_view bytes);  // Section 5, without padding
// Nothing if `text` is not what Base64UrlEncode makes.
std::optional<std::string> Base64UrlDecode(std::string_view text);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_BASE64_H_
