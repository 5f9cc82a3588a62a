// string.format(): checks of calls whose format and arguments are literals.
//
// Source: cel-go's ext/formatting.go.
//
// Thread-safe: pure functions.
#ifndef ASSAY_CEL_LIBRARY_STRING_FORMAT_H_
#define ASSAY_CEL_LIBRARY_STRING_FORMAT_H_

#include "cel/ast.h"

namespace assay::cel::library {

// If `call` is "literal".format([...]), adds what is wrong with it to the issues.
void ValidateFormatCall(Ast& ast, const Expr& call);

}  // namespace assay::cel::library

#endif  // ASSAY_CEL_LIBRARY_STRING_FORMAT_H_
