// Conversion between the served versions of a kind, through JSON-shaped text.
//
// An Object always holds the hub version (api/object.h). Other versions exist only at the edge:
// what a client sent in v1beta1 is decoded here into the hub, and what it reads is encoded from it.
//
// Source: pkg/apis/resource/v1beta1/conversion.go and its neighbours.
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_CONVERSION_CONVERSION_H_
#define ASSAY_API_CONVERSION_CONVERSION_H_

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "api/object.h"
#include "base/result.h"

namespace assay::api::conversion {

// Rewrites `document`, one object of `kind` in `version`, to the shape of the hub version, and
// back. apiVersion is rewritten too; fields that no version knows stay where they are, for a strict
// decode to find. UNIMPLEMENTED for a version that the kind does not have.
Status ToHub(const Kind& kind, std::string_view version, nlohmann::json& document);
Status FromHub(const Kind& kind, std::string_view version, nlohmann::json& document);

}  // namespace assay::api::conversion

#endif  // ASSAY_API_CONVERSION_CONVERSION_H_
