// Manifests: files of objects as `kubectl apply -f` takes them.
//
// Not thread-safe: a command line.
#ifndef ASSAY_TOOLS_ASSAY_MANIFESTS_H_
#define ASSAY_TOOLS_ASSAY_MANIFESTS_H_

#include <string>
#include <vector>

#include "api/object.h"
#include "base/result.h"

namespace assay::tools {

// YAML (several documents) or JSON; every served version of a kind. Objects of a namespaced kind
// without a namespace are of "default". Errors: one line, "file:line: field: what is wrong".
Result<std::vector<api::Object>> ReadManifests(const std::string& file);

}  // namespace assay::tools

#endif  // ASSAY_TOOLS_ASSAY_MANIFESTS_H_
