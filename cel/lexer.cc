#include "cel/lexer.h"

#include <algorithm>
#include <string>

#include "base/ascii.h"

namespace assay::cel {
namespace {

bool IsLetter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
bool IsHexDigit(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool IsOctalDigit(char c) { return c >= '0' && c <= '7'; }
bool IsIdentifierStart(char c) { return IsLetter(c) || c == '_'; }
bool IsIdentifierPart(char c) { return IsIdentifierStart(c) || IsDigit(c); }

class Lexer {
 public:
  Lexer(std::string_view source, std::vector<Issue>& issues) : source_(source), issues_(issues) {}

  std::vector<Token> Run() {
    tokens_.reserve(source_.size() / 3 + 2);
    while (SkipSpace()) {
      Next();
    }
    Add(TokenKind::kEnd, 0);
    return std::move(tokens_);
  }

 private:
  char At(std::size_t ahead) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }

  void Add(TokenKind kind, std::size_t length) {
    tokens_.push_back({kind, static_cast<std::int32_t>(at_), source_.substr(at_, length)});
    at_ += length;
  }

  bool SkipSpace() {
    while (at_ < source_.size()) {
      const char c = source_[at_];
      if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f') {
        ++at_;
      } else if (c == '/' && At(1) == '/') {
        while (at_ < source_.size() && source_[at_] != '\n') {
          ++at_;
        }
      } else {
        return true;
      }
    }
    return false;
  }

  void Next() {
    const char c = source_[at_];
    if (IsDigit(c) || (c == '.' && IsDigit(At(1)))) {
      return Number();
    }
    if (QuotedLiteral()) {
      return;
    }
    if (IsIdentifierStart(c)) {
      return Identifier();
    }
    if (c == '`') {
      return EscapedIdentifier();
    }
    if (!Operator(c)) {
      // What begins an operator is wrong with the character that cannot follow.
      const bool begun = c == '&' || c == '|' || c == '=';
      Unknown(std::min<std::size_t>(begun ? 2 : 1, source_.size() - at_));
    }
  }

  std::size_t Digits(std::size_t from) const {
    std::size_t i = from;
    while (IsDigit(At(i))) {
      ++i;
    }
    return i;
  }

  // The end of an exponent that starts at `from`; `from` if there is none.
  std::size_t Exponent(std::size_t from) const {
    if (At(from) != 'e' && At(from) != 'E') {
      return from;
    }
    const std::size_t sign = At(from + 1) == '+' || At(from + 1) == '-' ? 1 : 0;
    const std::size_t end = Digits(from + 1 + sign);
    return end == from + 1 + sign ? from : end;
  }

  void Number() {
    if (At(0) == '0' && At(1) == 'x' && IsHexDigit(At(2))) {
      std::size_t end = 2;
      while (IsHexDigit(At(end))) {
        ++end;
      }
      return IntegerEndingAt(end);
    }
    const std::size_t integer = Digits(0);
    if (At(integer) == '.' && IsDigit(At(integer + 1))) {
      return Add(TokenKind::kFloat, Exponent(Digits(integer + 1)));
    }
    const std::size_t exponent = Exponent(integer);
    if (exponent != integer) {
      return Add(TokenKind::kFloat, exponent);
    }
    IntegerEndingAt(integer);
  }

  void IntegerEndingAt(std::size_t end) {
    if (At(end) == 'u' || At(end) == 'U') {
      Add(TokenKind::kUint, end + 1);
    } else {
      Add(TokenKind::kInt, end);
    }
  }

  void Identifier() {
    std::size_t end = 1;
    while (IsIdentifierPart(At(end))) {
      ++end;
    }
    const std::string_view text = source_.substr(at_, end);
    TokenKind kind = TokenKind::kIdentifier;
    if (text == "in") {
      kind = TokenKind::kIn;
    } else if (text == "true") {
      kind = TokenKind::kTrue;
    } else if (text == "false") {
      kind = TokenKind::kFalse;
    } else if (text == "null") {
      kind = TokenKind::kNull;
    }
    Add(kind, end);
  }

  void EscapedIdentifier() {
    std::size_t end = 1;
    while (IsIdentifierPart(At(end)) || At(end) == '.' || At(end) == '-' || At(end) == '/' ||
           At(end) == ' ') {
      ++end;
    }
    if (end == 1 || At(end) != '`') {
      return Unknown(std::min(end + 1, source_.size() - at_));
    }
    Add(TokenKind::kEscapedIdentifier, end + 1);
  }

  // A string or bytes literal, if one starts here; reports one that does not end.
  bool QuotedLiteral() {
    std::size_t start = 0;
    const bool bytes = At(0) == 'b' || At(0) == 'B';
    start += bytes ? 1 : 0;
    const bool raw = At(start) == 'r' || At(start) == 'R';
    start += raw ? 1 : 0;
    const char quote = At(start);
    if (quote != '"' && quote != '\'') {
      return false;
    }
    const TokenKind kind = bytes ? TokenKind::kBytes : TokenKind::kString;
    std::size_t end = 0;
    if (At(start + 1) == quote && At(start + 2) == quote) {
      end = TripleQuoted(start + 3, quote, raw);
      if (end == 0) {
        end = start + 2;  // the empty string; the third quote starts another
      }
    } else {
      end = Quoted(start + 1, quote, raw);
    }
    if (end == 0 && start > 0) {
      return false;  // the prefix is a name, and the literal is tried again without it
    }
    if (end == 0) {
      // Up to and with the character that cannot follow.
      Unknown(std::min(failed_at_ + 1, source_.size() - at_));
      return true;
    }
    Add(kind, end);
    return true;
  }

  std::size_t Quoted(std::size_t i, char quote, bool raw) {
    while (at_ + i < source_.size()) {
      const char c = At(i);
      if (c == quote) {
        return i + 1;
      }
      if (c == '\n' || c == '\r') {
        return FailAt(i);
      }
      const std::size_t length = c == '\\' && !raw ? Escape(i) : 1;
      if (length == 0) {
        return 0;
      }
      i += length;
    }
    return FailAt(i);
  }

  std::size_t FailAt(std::size_t i) {
    failed_at_ = i;
    return 0;
  }

  std::size_t TripleQuoted(std::size_t i, char quote, bool raw) {
    while (at_ + i < source_.size()) {
      if (At(i) == quote && At(i + 1) == quote && At(i + 2) == quote) {
        return i + 3;
      }
      const std::size_t length = At(i) == '\\' && !raw ? Escape(i) : 1;
      if (length == 0) {
        return 0;
      }
      i += length;
    }
    return FailAt(i);
  }

  // The length of the escape sequence at `i`; 0: it is none.
  std::size_t Escape(std::size_t i) {
    const char c = At(i + 1);
    if (c != '\0' && std::string_view("abfnrtv\"'\\?`").find(c) != std::string_view::npos) {
      return 2;
    }
    if (c >= '0' && c <= '3') {
      return IsOctalDigit(At(i + 2)) && IsOctalDigit(At(i + 3))
                 ? 4
                 : FailAt(i + (IsOctalDigit(At(i + 2)) ? 3 : 2));
    }
    std::size_t digits = 0;
    if (c == 'x' || c == 'X') {
      digits = 2;
    } else if (c == 'u') {
      digits = 4;
    } else if (c == 'U') {
      digits = 8;
    } else {
      return FailAt(i + 1);
    }
    for (std::size_t k = 0; k < digits; ++k) {
      if (!IsHexDigit(At(i + 2 + k))) {
        return FailAt(i + 2 + k);
      }
    }
    return 2 + digits;
  }

  bool Operator(char c) {
    const char next = At(1);
    switch (c) {
      case '=':
        return next == '=' && Added(TokenKind::kEquals, 2);
      case '!':
        return next == '=' ? Added(TokenKind::kNotEquals, 2) : Added(TokenKind::kNot, 1);
      case '<':
        return next == '=' ? Added(TokenKind::kLessEquals, 2) : Added(TokenKind::kLess, 1);
      case '>':
        return next == '=' ? Added(TokenKind::kGreaterEquals, 2) : Added(TokenKind::kGreater, 1);
      case '&':
        return next == '&' && Added(TokenKind::kAnd, 2);
      case '|':
        return next == '|' && Added(TokenKind::kOr, 2);
      case '[':
        return Added(TokenKind::kLeftBracket, 1);
      case ']':
        return Added(TokenKind::kRightBracket, 1);
      case '{':
        return Added(TokenKind::kLeftBrace, 1);
      case '}':
        return Added(TokenKind::kRightBrace, 1);
      case '(':
        return Added(TokenKind::kLeftParen, 1);
      case ')':
        return Added(TokenKind::kRightParen, 1);
      case '.':
        return Added(TokenKind::kDot, 1);
      case ',':
        return Added(TokenKind::kComma, 1);
      case '-':
        return Added(TokenKind::kMinus, 1);
      case '?':
        return Added(TokenKind::kQuestion, 1);
      case ':':
        return Added(TokenKind::kColon, 1);
      case '+':
        return Added(TokenKind::kPlus, 1);
      case '*':
        return Added(TokenKind::kStar, 1);
      case '/':
        return Added(TokenKind::kSlash, 1);
      case '%':
        return Added(TokenKind::kPercent, 1);
      default:
        return false;
    }
  }

  bool Added(TokenKind kind, std::size_t length) {
    Add(kind, length);
    return true;
  }

  void Unknown(std::size_t length) {
    while (at_ + length < source_.size() &&
           (static_cast<unsigned char>(At(length)) & 0xC0) == 0x80) {
      ++length;
    }
    issues_.push_back(
        {static_cast<std::int32_t>(at_), "Syntax error: token recognition error at: '" +
                                             std::string(source_.substr(at_, length)) + "'"});
    at_ += length;
  }

  std::string_view source_;
  std::vector<Issue>& issues_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t failed_at_ = 0;  // of a literal, from its start
};

}  // namespace

std::vector<Token> Lex(std::string_view source, std::vector<Issue>& issues) {
  return Lexer(source, issues).Run();
}

}  // namespace assay::cel
