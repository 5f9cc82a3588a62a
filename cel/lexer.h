// The lexer: an expression's text to tokens.
//
// Source: the lexer rules of cel-go's grammar, parser/gen/CEL.g4.
//
// Thread-safe: pure function.
#ifndef ASSAY_CEL_LEXER_H_
#define ASSAY_CEL_LEXER_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "cel/ast.h"

namespace assay::cel {

enum class TokenKind : std::uint8_t {
  kEnd,
  kIdentifier,
  kEscapedIdentifier,  // `a-b`, with its back quotes
  kInt,
  kUint,
  kFloat,
  kString,  // with quotes and prefix
  kBytes,   // with quotes and prefix
  kTrue,
  kFalse,
  kNull,
  kIn,
  kEquals,
  kNotEquals,
  kLess,
  kLessEquals,
  kGreater,
  kGreaterEquals,
  kAnd,
  kOr,
  kLeftBracket,
  kRightBracket,
  kLeftBrace,
  kRightBrace,
  kLeftParen,
  kRightParen,
  kDot,
  kComma,
  kMinus,
  kNot,
  kQuestion,
  kColon,
  kPlus,
  kStar,
  kSlash,
  kPercent,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::int32_t offset = 0;
  std::string_view text;
};

// The tokens of `source`, the last of which is kEnd. What is no token is reported and left out.
std::vector<Token> Lex(std::string_view source, std::vector<Issue>& issues);

}  // namespace assay::cel

#endif  // ASSAY_CEL_LEXER_H_
