#include "api/meta/label_selector.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include "api/validation/field_error.h"
#include "api/validation/names.h"

namespace assay::api::meta {
namespace {

using Operator = LabelQueryRequirement::Operator;
using validation::FieldPath;

std::string Join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string joined;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    joined += i == 0 ? "" : separator;
    joined += parts[i];
  }
  return joined;
}

// Values as Go's %v of an Invalid error prints a list.
std::string ListJson(const std::vector<std::string>& values) {
  std::vector<std::string> quoted;
  for (const std::string& value : values) {
    quoted.push_back(validation::GoQuote(value));
  }
  return "[" + Join(quoted, ",") + "]";
}

std::optional<std::int64_t> ParseInt64(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) {
      return std::nullopt;
    }
  }
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                  : std::nullopt;
}

void CheckValueCount(Operator operation, const std::vector<std::string>& values,
                     validation::FieldErrors& errors) {
  const FieldPath path("values");
  std::string_view problem;
  switch (operation) {
    case Operator::kIn:
    case Operator::kNotIn:
      problem = values.empty() ? "for 'in', 'notin' operators, values set can't be empty" : "";
      break;
    case Operator::kEquals:
    case Operator::kDoubleEquals:
    case Operator::kNotEquals:
      problem = values.size() != 1 ? "exact-match compatibility requires one single value" : "";
      break;
    case Operator::kExists:
    case Operator::kDoesNotExist:
      problem = !values.empty() ? "values set must be empty for exists and does not exist" : "";
      break;
    case Operator::kGreaterThan:
    case Operator::kLessThan:
      problem = values.size() != 1 ? "for 'Gt', 'Lt' operators, exactly one value is required" : "";
      break;
  }
  if (!problem.empty()) {
    errors.push_back(validation::InvalidJson(path, ListJson(values), problem));
  }
  if (operation == Operator::kGreaterThan || operation == Operator::kLessThan) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!ParseInt64(values[i])) {
        errors.push_back(
            validation::Invalid(path.Index(i), std::string_view(values[i]),
                                "for 'Gt', 'Lt' operators, the value must be an integer"));
      }
    }
  }
}

// A requirement that keeps the rules, or the error that upstream's NewRequirement returns.
Result<LabelQueryRequirement> MakeRequirement(std::string key, Operator operation,
                                              std::vector<std::string> values) {
  validation::FieldErrors errors;
  if (std::vector<std::string> problems = LabelKeyProblems(key); !problems.empty()) {
    errors.push_back(
        validation::Invalid(FieldPath("key"), std::string_view(key), Join(problems, "; ")));
  }
  CheckValueCount(operation, values, errors);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::vector<std::string> problems = LabelValueProblems(values[i]); !problems.empty()) {
      errors.push_back(validation::Invalid(FieldPath("values").Index(i).Key(key),
                                           std::string_view(values[i]), Join(problems, "; ")));
    }
  }
  if (!errors.empty()) {
    std::vector<std::string> texts;
    for (const validation::FieldError& error : errors) {
      texts.push_back(error.ToString());
    }
    return InvalidArgumentError(texts.size() == 1 ? texts[0] : "[" + Join(texts, ", ") + "]");
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return LabelQueryRequirement{std::move(key), operation, std::move(values)};
}

// --- The query grammar ----------------------------------------------------------------------

enum class TokenKind {
  kError,
  kEnd,
  kCloseParen,
  kComma,
  kNot,
  kDoubleEquals,
  kEquals,
  kGreater,
  kIdentifier,
  kIn,
  kLess,
  kNotEquals,
  kNotIn,
  kOpenParen,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
};

struct Keyword {
  std::string_view text;
  TokenKind kind;
};
constexpr std::array<Keyword, 11> kKeywords = {{{")", TokenKind::kCloseParen},
                                                {",", TokenKind::kComma},
                                                {"!", TokenKind::kNot},
                                                {"==", TokenKind::kDoubleEquals},
                                                {"=", TokenKind::kEquals},
                                                {">", TokenKind::kGreater},
                                                {"in", TokenKind::kIn},
                                                {"<", TokenKind::kLess},
                                                {"!=", TokenKind::kNotEquals},
                                                {"notin", TokenKind::kNotIn},
                                                {"(", TokenKind::kOpenParen}}};

std::optional<TokenKind> FindKeyword(std::string_view text) {
  for (const Keyword& keyword : kKeywords) {
    if (keyword.text == text) {
      return keyword.kind;
    }
  }
  return std::nullopt;
}

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool IsSpecial(char c) { return std::string_view("=!(),><").find(c) != std::string_view::npos; }

std::vector<Token> Tokenize(std::string_view text) {
  // As upstream, the text ends at a NUL.
  text = text.substr(0, text.find('\0'));
  std::vector<Token> tokens;
  std::size_t at = 0;
  for (;;) {
    while (at < text.size() && IsBlank(text[at])) {
      ++at;
    }
    if (at == text.size()) {
      tokens.push_back({});
      return tokens;
    }
    std::size_t start = at;
    if (!IsSpecial(text[at])) {
      while (at < text.size() && !IsSpecial(text[at]) && !IsBlank(text[at])) {
        ++at;
      }
      std::string word(text.substr(start, at - start));
      TokenKind kind = FindKeyword(word).value_or(TokenKind::kIdentifier);
      tokens.push_back({kind, std::move(word)});
      continue;
    }
    // The longest symbol; every special character is one by itself.
    std::size_t size = FindKeyword(text.substr(at, 2)).has_value() ? 2 : 1;
    size = std::min(size, text.size() - at);
    at += size;
    std::string symbol(text.substr(start, size));
    TokenKind kind = *FindKeyword(symbol);
    tokens.push_back({kind, std::move(symbol)});
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text) : tokens_(Tokenize(text)) {}

  Result<std::vector<LabelQueryRequirement>> Parse() {
    std::vector<LabelQueryRequirement> requirements;
    for (;;) {
      Token token = Peek();
      if (token.kind == TokenKind::kEnd) {
        return requirements;
      }
      if (!StartsRequirement(token)) {
        return Unexpected(token, "!, identifier, or 'end of string'");
      }
      Result<LabelQueryRequirement> requirement = ParseRequirement();
      if (!requirement.ok()) {
        return requirement.status().WithContext("unable to parse requirement");
      }
      requirements.push_back(*std::move(requirement));
      token = Take();
      if (token.kind == TokenKind::kEnd) {
        return requirements;
      }
      if (token.kind != TokenKind::kComma) {
        return Unexpected(token, "',' or 'end of string'");
      }
      if (!StartsRequirement(Peek())) {
        return Unexpected(Peek(), "identifier after ','");
      }
    }
  }

 private:
  static assay::Status Unexpected(const Token& token, std::string_view expected) {
    return InvalidArgumentError("found '" + token.text + "', expected: " + std::string(expected));
  }
  static bool StartsRequirement(const Token& token) {
    return token.kind == TokenKind::kIdentifier || token.kind == TokenKind::kNot;
  }

  // "in" and "notin" are keywords only where an operator stands.
  Token Peek() const {
    Token token = tokens_[std::min(at_, tokens_.size() - 1)];
    if (token.kind == TokenKind::kIn || token.kind == TokenKind::kNotIn) {
      token.kind = TokenKind::kIdentifier;
    }
    return token;
  }
  Token Take() {
    Token token = Peek();
    ++at_;
    return token;
  }
  Token TakeOperator() {
    Token token = tokens_[std::min(at_, tokens_.size() - 1)];
    ++at_;
    return token;
  }

  Result<LabelQueryRequirement> ParseRequirement() {
    Token token = Take();
    bool negated = token.kind == TokenKind::kNot;
    if (negated) {
      token = Take();
    }
    if (token.kind != TokenKind::kIdentifier) {
      return Unexpected(token, "identifier");
    }
    std::string key = token.text;
    if (std::vector<std::string> problems = LabelKeyProblems(key); !problems.empty()) {
      return InvalidArgumentError(
          validation::Invalid(FieldPath(), std::string_view(key), Join(problems, "; ")).ToString());
    }
    TokenKind next = Peek().kind;
    if (negated) {
      return MakeRequirement(std::move(key), Operator::kDoesNotExist, {});
    }
    if (next == TokenKind::kEnd || next == TokenKind::kComma) {
      return MakeRequirement(std::move(key), Operator::kExists, {});
    }
    ASSAY_ASSIGN_OR_RETURN(Operator operation, ParseOperator());
    bool is_set = operation == Operator::kIn || operation == Operator::kNotIn;
    ASSAY_ASSIGN_OR_RETURN(std::vector<std::string> values, is_set ? ParseSet() : ParseExact());
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    return MakeRequirement(std::move(key), operation, std::move(values));
  }

  Result<Operator> ParseOperator() {
    Token token = TakeOperator();
    switch (token.kind) {
      case TokenKind::kIn:
        return Operator::kIn;
      case TokenKind::kNotIn:
        return Operator::kNotIn;
      case TokenKind::kEquals:
        return Operator::kEquals;
      case TokenKind::kDoubleEquals:
        return Operator::kDoubleEquals;
      case TokenKind::kNotEquals:
        return Operator::kNotEquals;
      case TokenKind::kGreater:
        return Operator::kGreaterThan;
      case TokenKind::kLess:
        return Operator::kLessThan;
      default:
        return Unexpected(token, "in, notin, =, ==, !=, gt, lt");
    }
  }

  // "(a,b)"; empty places are empty values.
  Result<std::vector<std::string>> ParseSet() {
    Token open = Take();
    if (open.kind != TokenKind::kOpenParen) {
      return InvalidArgumentError("found '" + open.text + "' expected: '('");
    }
    Token first = Peek();
    if (first.kind == TokenKind::kCloseParen) {
      Take();
      return std::vector<std::string>{""};
    }
    if (first.kind != TokenKind::kIdentifier && first.kind != TokenKind::kComma) {
      return Unexpected(first, "',', ')' or identifier");
    }
    std::vector<std::string> values;
    bool after_comma = true;  // An empty place before it counts.
    for (;;) {
      Token token = Take();
      switch (token.kind) {
        case TokenKind::kIdentifier: {
          values.push_back(token.text);
          after_comma = false;
          TokenKind next = Peek().kind;
          if (next != TokenKind::kComma && next != TokenKind::kCloseParen) {
            return Unexpected(Peek(), "',' or ')'");
          }
          break;
        }
        case TokenKind::kComma:
          if (after_comma) {
            values.emplace_back();
          }
          after_comma = true;
          break;
        case TokenKind::kCloseParen:
          if (after_comma) {
            values.emplace_back();
          }
          return values;
        default:
          return Unexpected(token, "',', or identifier");
      }
    }
  }

  Result<std::vector<std::string>> ParseExact() {
    TokenKind next = Peek().kind;
    if (next == TokenKind::kEnd || next == TokenKind::kComma) {
      return std::vector<std::string>{""};
    }
    Token token = Take();
    if (token.kind != TokenKind::kIdentifier) {
      return Unexpected(token, "identifier");
    }
    return std::vector<std::string>{token.text};
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

std::string_view OperatorText(Operator operation) {
  switch (operation) {
    case Operator::kIn:
      return " in ";
    case Operator::kNotIn:
      return " notin ";
    case Operator::kEquals:
      return "=";
    case Operator::kDoubleEquals:
      return "==";
    case Operator::kNotEquals:
      return "!=";
    case Operator::kGreaterThan:
      return ">";
    case Operator::kLessThan:
      return "<";
    case Operator::kExists:
    case Operator::kDoesNotExist:
      break;
  }
  return "";
}

}  // namespace

std::vector<std::string> LabelKeyProblems(std::string_view key) {
  return validation::CheckQualifiedName(key);
}
std::vector<std::string> LabelValueProblems(std::string_view value) {
  return validation::CheckLabelValue(value);
}

bool LabelQueryRequirement::Matches(const std::map<std::string, std::string>& labels) const {
  auto found = labels.find(key);
  bool exists = found != labels.end();
  bool listed = exists && std::binary_search(values.begin(), values.end(), found->second);
  switch (operation) {
    case Operator::kIn:
    case Operator::kEquals:
    case Operator::kDoubleEquals:
      return listed;
    case Operator::kNotIn:
    case Operator::kNotEquals:
      return !listed;
    case Operator::kExists:
      return exists;
    case Operator::kDoesNotExist:
      return !exists;
    case Operator::kGreaterThan:
    case Operator::kLessThan: {
      std::optional<std::int64_t> value = exists ? ParseInt64(found->second) : std::nullopt;
      std::optional<std::int64_t> bound = ParseInt64(values.front());
      return value && bound &&
             (operation == Operator::kGreaterThan ? *value > *bound : *value < *bound);
    }
  }
  return false;
}

std::string LabelQueryRequirement::ToString() const {
  std::string text = operation == Operator::kDoesNotExist ? "!" + key : key;
  text += OperatorText(operation);
  bool is_set = operation == Operator::kIn || operation == Operator::kNotIn;
  return text + (is_set ? "(" + Join(values, ",") + ")" : Join(values, ","));
}

Result<LabelQuery> LabelQuery::Parse(std::string_view text) {
  LabelQuery query;
  ASSAY_ASSIGN_OR_RETURN(query.requirements_, Parser(text).Parse());
  std::stable_sort(query.requirements_.begin(), query.requirements_.end(),
                   [](const auto& a, const auto& b) { return a.key < b.key; });
  return query;
}

Result<LabelQuery> LabelQuery::From(const LabelSelector& selector) {
  LabelQuery query;
  for (const auto& [key, value] : selector.match_labels) {
    ASSAY_ASSIGN_OR_RETURN(LabelQueryRequirement requirement,
                           MakeRequirement(key, Operator::kEquals, {value}));
    query.requirements_.push_back(std::move(requirement));
  }
  constexpr std::array<std::pair<std::string_view, Operator>, 4> kOperators = {
      {{"In", Operator::kIn},
       {"NotIn", Operator::kNotIn},
       {"Exists", Operator::kExists},
       {"DoesNotExist", Operator::kDoesNotExist}}};
  for (const LabelSelectorRequirement& expression : selector.match_expressions) {
    auto known = std::find_if(kOperators.begin(), kOperators.end(),
                              [&](const auto& o) { return o.first == expression.operator_; });
    if (known == kOperators.end()) {
      return InvalidArgumentError(validation::GoQuote(expression.operator_) +
                                  " is not a valid label selector operator");
    }
    ASSAY_ASSIGN_OR_RETURN(LabelQueryRequirement requirement,
                           MakeRequirement(expression.key, known->second, expression.values));
    query.requirements_.push_back(std::move(requirement));
  }
  std::stable_sort(query.requirements_.begin(), query.requirements_.end(),
                   [](const auto& a, const auto& b) { return a.key < b.key; });
  return query;
}

LabelQuery LabelQuery::Nothing() {
  LabelQuery query;
  query.nothing_ = true;
  return query;
}

bool LabelQuery::Matches(const std::map<std::string, std::string>& labels) const {
  return !nothing_ &&
         std::all_of(requirements_.begin(), requirements_.end(),
                     [&](const auto& requirement) { return requirement.Matches(labels); });
}

std::string LabelQuery::ToString() const {
  std::vector<std::string> texts;
  for (const LabelQueryRequirement& requirement : requirements_) {
    texts.push_back(requirement.ToString());
  }
  return Join(texts, ",");
}

}  // namespace assay::api::meta
