// The three patches that are not apply: JSON patch, JSON merge patch, strategic merge patch.
//
// They change a JSON document; the caller decodes the result strictly again. An error's code says
// what a server answers: kInvalidArgument 400 (the patch is malformed), kFailedPrecondition 422 (it
// does not fit the document), kResourceExhausted 413 (too many operations).
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_PATCH_PATCH_H_
#define ASSAY_API_PATCH_PATCH_H_

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

namespace assay::api::schema {
struct MessageDescriptor;  // api/schema/descriptor.h
}

namespace assay::api::patch {

// How many operations one JSON patch may have (apiserver, endpoints/handlers/patch.go).
inline constexpr int kMaxJsonPatchOperations = 10000;

// RFC 6902, as evanphx/json-patch v4 takes it: negative array indexes count from the end, an absent
// key of an object is null to "test" and "copy" and may be the target of "replace", a value that is
// not given is null.
Result<nlohmann::json> ApplyJsonPatch(const nlohmann::json& document, const nlohmann::json& patch);

// RFC 7386.
nlohmann::json ApplyMergePatch(const nlohmann::json& document, const nlohmann::json& patch);

// Strategic merge patch (apimachinery, util/strategicpatch): lists merge where the schema's
// patchStrategy says so, by patchMergeKey. Directives: $patch (replace, merge, delete),
// $retainKeys, $setElementOrder/<list>, $deleteFromPrimitiveList/<list>.
Result<nlohmann::json> ApplyStrategicMergePatch(const nlohmann::json& document,
                                                const nlohmann::json& patch,
                                                const schema::MessageDescriptor& type);

}  // namespace assay::api::patch

#endif  // ASSAY_API_PATCH_PATCH_H_
