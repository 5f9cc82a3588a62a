// The validator: literals that cannot work, found before they are evaluated, and lists and maps of
// mixed types.
//
// Source: cel-go's cel/validator.go, as far as Kubernetes switches it on: durations, timestamps,
// regular expressions, format strings, homogeneous aggregates.
//
// Thread-safe: writes to one syntax tree.
#ifndef ASSAY_CEL_VALIDATOR_H_
#define ASSAY_CEL_VALIDATOR_H_

#include "cel/ast.h"

namespace assay::cel {

// Adds what it finds to the issues of `ast`, which is checked.
void Validate(Ast& ast);

}  // namespace assay::cel

#endif  // ASSAY_CEL_VALIDATOR_H_
