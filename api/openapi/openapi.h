// OpenAPI: the documents from which kubectl learns the schemas (apply, explain, create --validate).
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_OPENAPI_OPENAPI_H_
#define ASSAY_API_OPENAPI_OPENAPI_H_

#include <string>
#include <string_view>
#include <vector>

#include "api/object.h"
#include "base/result.h"

namespace assay::api::openapi {

// The document at /openapi/v3: group-versions and where their schemas are, each with a hash that
// changes when the schema does. JSON text.
std::string Discovery(const std::vector<const Kind*>& kinds);

// The document at /openapi/v3/apis/<group>/<version> (core: group "", /openapi/v3/api/v1), JSON
// text. kNotFound if no kind is served there.
Result<std::string> GroupVersionDocument(const std::vector<const Kind*>& kinds,
                                         std::string_view group, std::string_view version);

// The document at /openapi/v2 (swagger), JSON text.
std::string SwaggerDocument(const std::vector<const Kind*>& kinds);

}  // namespace assay::api::openapi

#endif  // ASSAY_API_OPENAPI_OPENAPI_H_
