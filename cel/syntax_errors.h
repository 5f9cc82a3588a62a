// The texts of syntax errors, which Kubernetes shows to clients: those of the parser that ANTLR
// makes of CEL's grammar, with its attempts to go on after the first error.
//
// The parser knows only that an expression is wrong; then this goes over the tokens once more, the
// way that ANTLR's parser would.
//
// Source: cel-go's grammar, parser/gen/CEL.g4, and ANTLR's DefaultErrorStrategy.
//
// Thread-safe: pure function.
#ifndef ASSAY_CEL_SYNTAX_ERRORS_H_
#define ASSAY_CEL_SYNTAX_ERRORS_H_

#include <span>
#include <string_view>
#include <vector>

#include "cel/ast.h"
#include "cel/lexer.h"

namespace assay::cel {

// What is wrong with the syntax, in the order in which ANTLR finds it. Empty: nothing is.
std::vector<Issue> SyntaxErrors(std::span<const Token> tokens);

}  // namespace assay::cel

#endif  // ASSAY_CEL_SYNTAX_ERRORS_H_
