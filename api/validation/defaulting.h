// Defaulting: what decoding fills in, before validation and storage.
//
// Source: pkg/apis/resource/v1*/defaults.go and pkg/apis/core/v1/defaults.go, restricted to the
// kinds that Assay serves.
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_VALIDATION_DEFAULTING_H_
#define ASSAY_API_VALIDATION_DEFAULTING_H_

#include "api/object.h"
#include "base/clock.h"

namespace assay::api::validation {

// The object with the defaults of its kind. Defaulting an object twice changes nothing more. The
// API server defaults what a client sent (create, update) and what a patch made, never what it
// stores. `now` is what taints without timeAdded get (truncated to seconds).
Object ApplyDefaults(const Object& object, WallTime now);

}  // namespace assay::api::validation

#endif  // ASSAY_API_VALIDATION_DEFAULTING_H_
