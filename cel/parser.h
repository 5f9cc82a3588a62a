// The parser: an expression's text to a syntax tree, with macros expanded.
//
// The grammar and the shape of the tree are cel-go's (parser/gen/CEL.g4, parser/parser.go), as are
// the texts of errors, but for syntax errors proper: ANTLR's guesses at what was meant are not
// imitated beyond the first error.
//
// Thread-safe: pure function.
#ifndef ASSAY_CEL_PARSER_H_
#define ASSAY_CEL_PARSER_H_

#include <string_view>

#include "cel/ast.h"

namespace assay::cel {

// Parses `source`, which is copied. Never fails otherwise than by Ast::issues.
Ast Parse(std::string_view source);

}  // namespace assay::cel

#endif  // ASSAY_CEL_PARSER_H_
