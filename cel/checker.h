// The checker: finds the type of every part of a syntax tree, and what its names and calls refer
// to.
//
// Source: cel-go's checker/checker.go and checker/types.go, with its texts; what
// Kubernetes validates beyond types is in cel/validator.h.
//
// Thread-safe: writes to one syntax tree.
#ifndef ASSAY_CEL_CHECKER_H_
#define ASSAY_CEL_CHECKER_H_

#include "cel/ast.h"
#include "cel/environment.h"

namespace assay::cel {

// Annotates `ast`, which must be free of issues; what is wrong is added to them.
void Check(const Environment& environment, Ast& ast);

}  // namespace assay::cel

#endif  // ASSAY_CEL_CHECKER_H_
