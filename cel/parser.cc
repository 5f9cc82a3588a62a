#include "cel/parser.h"

#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string>

#include "cel/lexer.h"
#include "cel/library/text.h"
#include "cel/macros.h"
#include "cel/syntax_errors.h"

namespace assay::cel {
namespace {

// cel-go's defaults: the expression in code points, and how deep a rule of the grammar may nest.
constexpr std::size_t kMaxCodePoints = 100'000;
constexpr int kMaxDepth = 250;

constexpr std::array<std::string_view, 21> kReserved = {
    "as",        "break", "const",  "continue", "else", "false", "for",
    "function",  "if",    "import", "in",       "let",  "loop",  "package",
    "namespace", "null",  "return", "true",     "var",  "void",  "while"};

bool IsReserved(std::string_view name) {
  for (std::string_view reserved : kReserved) {
    if (name == reserved) {
      return true;
    }
  }
  return false;
}

void AppendUtf8(std::uint32_t code_point, std::string& out) {
  const auto byte = [&out](std::uint32_t value) { out += static_cast<char>(value); };
  if (code_point < 0x80) {
    byte(code_point);
  } else if (code_point < 0x800) {
    byte(0xC0 | (code_point >> 6));
    byte(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    byte(0xE0 | (code_point >> 12));
    byte(0x80 | ((code_point >> 6) & 0x3F));
    byte(0x80 | (code_point & 0x3F));
  } else {
    byte(0xF0 | (code_point >> 18));
    byte(0x80 | ((code_point >> 12) & 0x3F));
    byte(0x80 | ((code_point >> 6) & 0x3F));
    byte(0x80 | (code_point & 0x3F));
  }
}

std::uint32_t HexValue(char c) {
  if (c >= '0' && c <= '9') {
    return static_cast<std::uint32_t>(c - '0');
  }
  return static_cast<std::uint32_t>((c | 0x20) - 'a' + 10);
}

// Decodes the escapes of a literal's body. The lexer has checked their form. Null: `error` says
// why.
std::optional<std::string> Unescape(std::string_view body, bool is_bytes, std::string* error) {
  std::string out;
  out.reserve(body.size());
  for (std::size_t i = 0; i < body.size();) {
    if (body[i] != '\\') {
      out += body[i++];
      continue;
    }
    const char c = body[i + 1];
    i += 2;
    static constexpr std::string_view kNames = "abfnrtv\\'\"`?";
    static constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\'\"`?";
    if (const std::size_t at = kNames.find(c); at != std::string_view::npos) {
      out += kValues[at];
      continue;
    }
    std::uint32_t value = 0;
    bool encode = !is_bytes;
    if (c >= '0' && c <= '3') {
      value =
          static_cast<std::uint32_t>((c - '0') * 64 + (body[i] - '0') * 8 + (body[i + 1] - '0'));
      i += 2;
    } else {
      const std::size_t digits = c == 'u' ? 4 : (c == 'U' ? 8 : 2);
      if (is_bytes && digits > 2) {
        *error = "unable to unescape string";
        return std::nullopt;
      }
      for (std::size_t k = 0; k < digits; ++k) {
        value = value << 4 | HexValue(body[i + k]);
      }
      i += digits;
    }
    if (!is_bytes && (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))) {
      *error = "invalid unicode code point";
      return std::nullopt;
    }
    if (encode) {
      AppendUtf8(value, out);
    } else {
      out += static_cast<char>(value);
    }
  }
  return out;
}

// "\r\n" and "\r" are "\n" in every literal.
std::string NormalizeNewlines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out += text[i];
    } else {
      out += '\n';
      i += i + 1 < text.size() && text[i + 1] == '\n' ? 1 : 0;
    }
  }
  return out;
}

class Parser {
 public:
  explicit Parser(Ast& ast) : ast_(ast), tokens_(Lex(ast.source, ast.issues)) {}

  void Run() {
    ast_.root = ParseExpr();
    Expect(TokenKind::kEnd);
    if (syntax_is_wrong_) {
      const std::vector<Issue> errors = SyntaxErrors(tokens_);
      ast_.issues.insert(ast_.issues.end(), errors.begin(), errors.end());
    }
  }

 private:
  // Counts how deep one rule of the grammar nests.
  class Depth {
   public:
    Depth(Parser& parser, int& depth) : parser_(parser), depth_(depth) {
      if (++depth_ > kMaxDepth) {
        parser_.TooDeep();
      }
    }
    ~Depth() { --depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;

   private:
    Parser& parser_;
    int& depth_;
  };

  const Token& Peek(std::size_t ahead = 0) const {
    const std::size_t i = at_ + ahead;
    return tokens_[i < tokens_.size() ? i : tokens_.size() - 1];
  }
  bool Is(TokenKind kind) const { return Peek().kind == kind && !stopped_; }
  const Token& Take() {
    const Token& token = Peek();
    at_ += at_ + 1 < tokens_.size() ? 1 : 0;
    return token;
  }
  bool TakeIf(TokenKind kind) {
    if (!Is(kind)) {
      return false;
    }
    Take();
    return true;
  }
  bool Expect(TokenKind kind) {
    if (!TakeIf(kind)) {
      SyntaxError();
      return false;
    }
    return true;
  }

  // What is wrong is found out when all is over.
  void SyntaxError() {
    syntax_is_wrong_ = syntax_is_wrong_ || !stopped_;
    stopped_ = true;
  }
  void TooDeep() {
    if (!stopped_) {
      ast_.issues.push_back(
          {kNoOffset, "expression recursion limit exceeded: " + std::to_string(kMaxDepth)});
      stopped_ = true;
    }
  }
  Expr* Fail(std::int32_t offset, std::string message) {
    ast_.issues.push_back({offset, std::move(message)});
    return New(ExprKind::kError, offset);
  }

  Expr* New(ExprKind kind, std::int32_t offset) {
    Expr* expr = ast_.arena.New<Expr>();
    expr->kind = kind;
    expr->offset = offset;
    return expr;
  }
  Expr* NewLiteral(std::int32_t offset, Value value) {
    Expr* expr = New(ExprKind::kLiteral, offset);
    expr->literal = value;
    return expr;
  }
  Expr* NewCall(std::int32_t offset, std::string_view function, std::initializer_list<Expr*> args) {
    Expr* expr = New(ExprKind::kCall, offset);
    expr->name = function;
    expr->args = ast_.arena.NewArray<Expr*>(args.size());
    std::copy(args.begin(), args.end(), expr->args.begin());
    return expr;
  }
  Expr* CallOrMacro(std::int32_t offset, std::string_view function, Expr* target,
                    std::span<Expr*> args) {
    if (Expr* expanded = ExpandMacro(ast_, offset, function, target, args); expanded != nullptr) {
      return expanded;
    }
    Expr* expr = New(ExprKind::kCall, offset);
    expr->name = function;
    expr->target = target;
    expr->args = args;
    return expr;
  }

  // expr: conditionalOr ('?' conditionalOr ':' expr)?
  Expr* ParseExpr() {
    const Depth depth(*this, expr_depth_);
    Expr* condition = ParseLogical(TokenKind::kOr);
    if (!Is(TokenKind::kQuestion)) {
      return condition;
    }
    const std::int32_t offset = Take().offset;
    Expr* if_true = ParseLogical(TokenKind::kOr);
    if (!Expect(TokenKind::kColon)) {
      return condition;
    }
    Expr* if_false = ParseExpr();
    return NewCall(offset, "_?_:_", {condition, if_true, if_false});
  }

  // a || b || c, and a && b && c: a balanced tree, as cel-go makes it.
  Expr* ParseLogical(TokenKind kind) {
    const auto next = [this, kind] {
      return kind == TokenKind::kOr ? ParseLogical(TokenKind::kAnd) : ParseRelation();
    };
    std::vector<Expr*> terms = {next()};
    std::vector<std::int32_t> operators;
    while (Is(kind)) {
      operators.push_back(Take().offset);
      terms.push_back(next());
    }
    if (operators.empty()) {
      return terms.front();
    }
    return Balance(kind == TokenKind::kOr ? "_||_" : "_&&_", terms, operators, 0,
                   operators.size() - 1);
  }

  Expr* Balance(std::string_view function, const std::vector<Expr*>& terms,
                const std::vector<std::int32_t>& operators, std::size_t low, std::size_t high) {
    const std::size_t middle = (low + high + 1) / 2;
    Expr* left =
        middle == low ? terms[middle] : Balance(function, terms, operators, low, middle - 1);
    Expr* right =
        middle == high ? terms[middle + 1] : Balance(function, terms, operators, middle + 1, high);
    return NewCall(operators[middle], function, {left, right});
  }

  static std::string_view RelationOperator(TokenKind kind) {
    switch (kind) {
      case TokenKind::kLess:
        return "_<_";
      case TokenKind::kLessEquals:
        return "_<=_";
      case TokenKind::kGreater:
        return "_>_";
      case TokenKind::kGreaterEquals:
        return "_>=_";
      case TokenKind::kEquals:
        return "_==_";
      case TokenKind::kNotEquals:
        return "_!=_";
      case TokenKind::kIn:
        return "@in";
      default:
        return {};
    }
  }

  Expr* ParseRelation() {
    Expr* left = ParseSum();
    int operators = 0;
    while (!stopped_) {
      const std::string_view function = RelationOperator(Peek().kind);
      if (function.empty()) {
        break;
      }
      const std::int32_t offset = Take().offset;
      left = NewCall(offset, function, {left, ParseSum()});
      CheckChain(++operators);
    }
    return left;
  }

  Expr* ParseSum() {
    Expr* left = ParseProduct();
    int operators = 0;
    while (Is(TokenKind::kPlus) || Is(TokenKind::kMinus)) {
      const Token token = Take();
      left = NewCall(token.offset, token.kind == TokenKind::kPlus ? "_+_" : "_-_",
                     {left, ParseProduct()});
      CheckChain(++operators);
    }
    return left;
  }

  Expr* ParseProduct() {
    Expr* left = ParseUnary();
    int operators = 0;
    while (Is(TokenKind::kStar) || Is(TokenKind::kSlash) || Is(TokenKind::kPercent)) {
      const Token token = Take();
      const std::string_view function = token.kind == TokenKind::kStar    ? "_*_"
                                        : token.kind == TokenKind::kSlash ? "_/_"
                                                                          : "_%_";
      left = NewCall(token.offset, function, {left, ParseUnary()});
      CheckChain(++operators);
    }
    return left;
  }

  // A left-recursive rule nests once for each of its operators.
  void CheckChain(int operators) {
    if (operators >= kMaxDepth) {
      TooDeep();
    }
  }

  Expr* ParseUnary() {
    if (!Is(TokenKind::kNot) && !Is(TokenKind::kMinus)) {
      return ParseMember();
    }
    const TokenKind kind = Peek().kind;
    // A minus directly before a number belongs to the literal.
    if (kind == TokenKind::kMinus && IsSignedNumber(Peek(1).kind)) {
      return ParseMember();
    }
    const std::int32_t offset = Peek().offset;
    int count = 0;
    while (TakeIf(kind)) {
      ++count;
    }
    Expr* operand = ParseMember();
    if (count % 2 == 0) {
      return operand;
    }
    return NewCall(offset, kind == TokenKind::kNot ? "!_" : "-_", {operand});
  }

  static bool IsSignedNumber(TokenKind kind) {
    return kind == TokenKind::kInt || kind == TokenKind::kFloat;
  }

  Expr* ParseMember() {
    Expr* expr = ParsePrimary();
    int parts = 0;
    while (!stopped_) {
      if (Is(TokenKind::kDot)) {
        expr = ParseSelect(expr);
      } else if (Is(TokenKind::kLeftBracket)) {
        expr = ParseIndex(expr);
      } else {
        break;
      }
      CheckChain(++parts);
    }
    return expr;
  }

  Expr* ParseSelect(Expr* operand) {
    const std::int32_t offset = Take().offset;
    const bool optional = TakeIf(TokenKind::kQuestion);
    const Token name = Peek();
    std::string_view field;
    if (!TakeFieldName(&field)) {
      return operand;
    }
    if (optional) {
      return NewCall(offset, "_?._", {operand, NewLiteral(name.offset, Value::String(field))});
    }
    if (name.kind == TokenKind::kIdentifier && Is(TokenKind::kLeftParen)) {
      const std::int32_t open = Take().offset;
      const std::span<Expr*> args = ParseArguments();
      return stopped_ ? operand : CallOrMacro(open, field, operand, args);
    }
    Expr* expr = New(ExprKind::kSelect, offset);
    expr->target = operand;
    expr->name = field;
    return expr;
  }

  // escapeIdent: back quotes are in the grammar, but Kubernetes does not switch them on.
  bool TakeFieldName(std::string_view* field) {
    if (Is(TokenKind::kEscapedIdentifier)) {
      const Token token = Take();
      ast_.issues.push_back({token.offset, "unsupported syntax: '`'"});
      *field = token.text;
      return true;
    }
    if (!Is(TokenKind::kIdentifier)) {
      SyntaxError();
      return false;
    }
    *field = Take().text;
    return true;
  }

  Expr* ParseIndex(Expr* operand) {
    const std::int32_t offset = Take().offset;
    const bool optional = TakeIf(TokenKind::kQuestion);
    Expr* index = ParseExpr();
    Expect(TokenKind::kRightBracket);
    return NewCall(offset, optional ? "_[?_]" : "_[_]", {operand, index});
  }

  // After the opening parenthesis, to the closing one.
  std::span<Expr*> ParseArguments() {
    std::vector<Expr*> args;
    if (!TakeIf(TokenKind::kRightParen)) {
      do {
        args.push_back(ParseExpr());
      } while (TakeIf(TokenKind::kComma));
      Expect(TokenKind::kRightParen);
    }
    return ast_.arena.Copy(args);
  }

  Expr* ParsePrimary() {
    const Token token = Peek();
    switch (stopped_ ? TokenKind::kEnd : token.kind) {
      case TokenKind::kIdentifier:
      case TokenKind::kDot:
        return ParseName();
      case TokenKind::kLeftParen: {
        Take();
        Expr* expr = ParseExpr();
        Expect(TokenKind::kRightParen);
        return expr;
      }
      case TokenKind::kLeftBracket:
        return ParseList();
      case TokenKind::kLeftBrace:
        return ParseMap();
      case TokenKind::kMinus:
      case TokenKind::kInt:
      case TokenKind::kFloat:
        return ParseNumber();
      case TokenKind::kUint:
        return ParseUint();
      case TokenKind::kString:
      case TokenKind::kBytes:
        return ParseText();
      case TokenKind::kTrue:
      case TokenKind::kFalse:
        Take();
        return NewLiteral(token.offset, Value::Bool(token.kind == TokenKind::kTrue));
      case TokenKind::kNull:
        Take();
        return NewLiteral(token.offset, Value::Null());
      default:
        SyntaxError();
        return New(ExprKind::kError, token.offset);
    }
  }

  // Whether `a.b.c {` starts here: a message of that type.
  bool AtMessage() const {
    std::size_t ahead = Peek().kind == TokenKind::kDot ? 1 : 0;
    while (Peek(ahead).kind == TokenKind::kIdentifier) {
      if (Peek(ahead + 1).kind == TokenKind::kLeftBrace) {
        return true;
      }
      if (Peek(ahead + 1).kind != TokenKind::kDot) {
        return false;
      }
      ahead += 2;
    }
    return false;
  }

  Expr* ParseName() {
    if (AtMessage()) {
      return ParseMessage();
    }
    const std::int32_t start = Peek().offset;
    const bool leading_dot = TakeIf(TokenKind::kDot);
    if (!Is(TokenKind::kIdentifier)) {
      SyntaxError();
      return New(ExprKind::kError, start);
    }
    const Token token = Take();
    const std::string_view name =
        leading_dot ? ast_.arena.Copy("." + std::string(token.text)) : token.text;
    const bool reserved = IsReserved(token.text);
    if (Is(TokenKind::kLeftParen)) {
      const std::int32_t open = Take().offset;
      const std::span<Expr*> args = ParseArguments();
      if (reserved) {
        return Fail(start, "reserved identifier: " + std::string(token.text));
      }
      return stopped_ ? New(ExprKind::kError, start) : CallOrMacro(open, name, nullptr, args);
    }
    if (reserved) {
      return Fail(start, "reserved identifier: " + std::string(token.text));
    }
    Expr* expr = New(ExprKind::kIdent, token.offset);
    expr->name = name;
    return expr;
  }

  Expr* ParseMessage() {
    std::string name = TakeIf(TokenKind::kDot) ? "." : "";
    name += Take().text;
    while (TakeIf(TokenKind::kDot)) {
      name += "." + std::string(Take().text);
    }
    Expr* expr = New(ExprKind::kStruct, Take().offset);
    expr->name = ast_.arena.Copy(name);
    std::vector<Expr*> values;
    std::vector<FieldName> fields;
    std::vector<char> optional;
    while (!stopped_ && !Is(TokenKind::kRightBrace) && !Is(TokenKind::kComma)) {
      optional.push_back(TakeIf(TokenKind::kQuestion) ? 1 : 0);
      FieldName field;
      if (!TakeFieldName(&field.name)) {
        return expr;
      }
      field.offset = Peek().offset;
      if (!Expect(TokenKind::kColon)) {
        return expr;
      }
      fields.push_back(field);
      values.push_back(ParseExpr());
      if (!TakeBetweenEntries(TokenKind::kRightBrace)) {
        break;
      }
    }
    TakeIf(TokenKind::kComma);
    Expect(TokenKind::kRightBrace);
    expr->args = ast_.arena.Copy(values);
    expr->fields = ast_.arena.Copy(fields);
    expr->optional = Flags(optional);
    return expr;
  }

  // A comma that another entry follows, rather than the one that may stand before the end.
  bool TakeBetweenEntries(TokenKind close) {
    const TokenKind next = Peek(1).kind;
    return next != close && next != TokenKind::kComma && TakeIf(TokenKind::kComma);
  }

  Expr* ParseList() {
    Expr* expr = New(ExprKind::kList, Take().offset);
    std::vector<Expr*> elements;
    std::vector<char> optional;
    while (!stopped_ && !Is(TokenKind::kRightBracket) && !Is(TokenKind::kComma)) {
      optional.push_back(TakeIf(TokenKind::kQuestion) ? 1 : 0);
      elements.push_back(ParseExpr());
      if (!TakeBetweenEntries(TokenKind::kRightBracket)) {
        break;
      }
    }
    TakeIf(TokenKind::kComma);
    Expect(TokenKind::kRightBracket);
    expr->args = ast_.arena.Copy(elements);
    expr->optional = Flags(optional);
    return expr;
  }

  Expr* ParseMap() {
    Expr* expr = New(ExprKind::kMap, Take().offset);
    std::vector<Expr*> entries;
    std::vector<char> optional;
    while (!stopped_ && !Is(TokenKind::kRightBrace) && !Is(TokenKind::kComma)) {
      optional.push_back(TakeIf(TokenKind::kQuestion) ? 1 : 0);
      entries.push_back(ParseExpr());
      if (!Expect(TokenKind::kColon)) {
        return expr;
      }
      entries.push_back(ParseExpr());
      if (!TakeBetweenEntries(TokenKind::kRightBrace)) {
        break;
      }
    }
    TakeIf(TokenKind::kComma);
    Expect(TokenKind::kRightBrace);
    expr->args = ast_.arena.Copy(entries);
    expr->optional = Flags(optional);
    return expr;
  }

  // Empty if none is set.
  std::span<bool> Flags(const std::vector<char>& values) {
    bool any = false;
    for (char value : values) {
      any = any || value != 0;
    }
    if (!any) {
      return {};
    }
    std::span<bool> flags = ast_.arena.NewArray<bool>(values.size());
    std::copy(values.begin(), values.end(), flags.begin());
    return flags;
  }

  Expr* ParseNumber() {
    const std::int32_t offset = Peek().offset;
    const bool negative = TakeIf(TokenKind::kMinus);
    if (!Is(TokenKind::kInt) && !Is(TokenKind::kFloat)) {
      SyntaxError();
      return New(ExprKind::kError, offset);
    }
    const Token token = Take();
    if (token.kind == TokenKind::kFloat) {
      const std::string text = (negative ? "-" : "") + std::string(token.text);
      const double value = std::strtod(text.c_str(), nullptr);
      if (value > 1.7976931348623157e308 || value < -1.7976931348623157e308) {
        return Fail(offset, "invalid double literal");
      }
      return NewLiteral(offset, Value::Double(value));
    }
    std::uint64_t magnitude = 0;
    const std::uint64_t limit = (std::uint64_t{1} << 63) - (negative ? 0 : 1);
    if (!ParseMagnitude(token.text, &magnitude) || magnitude > limit) {
      return Fail(offset, "invalid int literal");
    }
    return NewLiteral(
        offset,
        Value::Int(static_cast<std::int64_t>(negative ? std::uint64_t{0} - magnitude : magnitude)));
  }

  Expr* ParseUint() {
    const Token token = Take();
    std::uint64_t value = 0;
    if (!ParseMagnitude(token.text.substr(0, token.text.size() - 1), &value)) {
      return Fail(token.offset, "invalid uint literal");
    }
    return NewLiteral(token.offset, Value::Uint(value));
  }

  static bool ParseMagnitude(std::string_view text, std::uint64_t* value) {
    int base = 10;
    if (text.starts_with("0x")) {
      base = 16;
      text.remove_prefix(2);
    }
    const auto result = std::from_chars(text.data(), text.data() + text.size(), *value, base);
    return result.ec == std::errc() && result.ptr == text.data() + text.size();
  }

  Expr* ParseText() {
    const Token token = Take();
    const bool is_bytes = token.kind == TokenKind::kBytes;
    std::string_view body = token.text.substr(is_bytes ? 1 : 0);
    const bool raw = body[0] == 'r' || body[0] == 'R';
    body.remove_prefix(raw ? 1 : 0);
    const std::size_t quotes = body.size() >= 6 && body[1] == body[0] && body[2] == body[0] ? 3 : 1;
    body = body.substr(quotes, body.size() - 2 * quotes);
    std::string text;
    if (body.find('\r') != std::string_view::npos) {
      text = NormalizeNewlines(body);
      body = ast_.arena.Copy(text);
    }
    if (!raw && body.find('\\') != std::string_view::npos) {
      std::string error;
      const std::optional<std::string> unescaped = Unescape(body, is_bytes, &error);
      if (!unescaped.has_value()) {
        Fail(token.offset, error);
      } else {
        body = ast_.arena.Copy(*unescaped);
      }
    }
    return NewLiteral(token.offset, is_bytes ? Value::Bytes(body) : Value::String(body));
  }

  Ast& ast_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int expr_depth_ = 0;
  bool stopped_ = false;
  bool syntax_is_wrong_ = false;
};

}  // namespace

Ast Parse(std::string_view source) {
  Ast ast;
  ast.source = library::IsValidUtf8(source) ? ast.arena.Copy(source)
                                            : ast.arena.Copy(library::ToValidUtf8(source));
  if (source.size() > kMaxCodePoints && CodePointCount(source) > kMaxCodePoints) {
    ast.issues.push_back({kNoOffset, "expression code point size exceeds limit: size: " +
                                         std::to_string(CodePointCount(source)) + ", limit " +
                                         std::to_string(kMaxCodePoints)});
    ast.root = ast.arena.New<Expr>();
    return ast;
  }
  Parser(ast).Run();
  return ast;
}

}  // namespace assay::cel
