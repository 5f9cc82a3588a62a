// Macros: calls that the parser rewrites: has(), all(), map(), cel.bind(), ...
//
// Source: cel-go's parser/macro.go, ext/comprehensions.go, ext/bindings.go, ext/lists.go and
// cel/library.go.
//
// Not thread-safe; writes to one syntax tree.
#ifndef ASSAY_CEL_MACROS_H_
#define ASSAY_CEL_MACROS_H_

#include <span>
#include <string_view>

#include "cel/ast.h"

namespace assay::cel {

// What the call `target.function(args)` (target may be null) expands to. Null if it is no macro. A
// macro that is used wrongly is reported in `ast.issues`, and its expansion is an error node.
Expr* ExpandMacro(Ast& ast, std::int32_t offset, std::string_view function, Expr* target,
                  std::span<Expr*> args);

}  // namespace assay::cel

#endif  // ASSAY_CEL_MACROS_H_
