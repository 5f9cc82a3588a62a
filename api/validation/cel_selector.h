// CelSelectorChecker: device selectors are compiled as Kubernetes compiles them.
//
// Apart from the rules, which know only the SelectorChecker of strategy.h, so that who needs no CEL
// does not link it.
//
// Thread-safe.
#ifndef ASSAY_API_VALIDATION_CEL_SELECTOR_H_
#define ASSAY_API_VALIDATION_CEL_SELECTOR_H_

#include "api/compatibility.h"
#include "api/validation/strategy.h"

namespace assay::api::validation {

// For the environment of the compatibility's gates, which hold for what is not stored yet.
SelectorChecker CelSelectorChecker(const Compatibility& compatibility);

}  // namespace assay::api::validation

#endif  // ASSAY_API_VALIDATION_CEL_SELECTOR_H_
