#include "cel/library/regex.h"

#include <re2/re2.h>

#include <algorithm>
#include <optional>

#include "cel/library/library.h"

// Source: cel-go's common/types/string.go, k8s.io/apiserver/pkg/cel/library/regex.go.

namespace assay::cel::library {
namespace {

// RE2's findings in Go's words (regexp/syntax, ErrorCode).
std::string GoMessage(const RE2& regex) {
  std::string_view what = "invalid regexp";
  switch (regex.error_code()) {
    case RE2::ErrorBadEscape:
      what = "invalid escape sequence";
      break;
    case RE2::ErrorBadCharClass:
      what = "invalid character class";
      break;
    case RE2::ErrorBadCharRange:
      what = "invalid character class range";
      break;
    case RE2::ErrorMissingBracket:
      what = "missing closing ]";
      break;
    case RE2::ErrorMissingParen:
      what = "missing closing )";
      break;
    case RE2::ErrorUnexpectedParen:
      what = "unexpected )";
      break;
    case RE2::ErrorTrailingBackslash:
      what = "trailing backslash at end of expression";
      break;
    case RE2::ErrorRepeatArgument:
      what = "missing argument to repetition operator";
      break;
    case RE2::ErrorRepeatSize:
      what = "invalid repeat count";
      break;
    case RE2::ErrorRepeatOp:
      what = "invalid nested repetition operator";
      break;
    case RE2::ErrorBadPerlOp:
      what = "invalid or unsupported Perl syntax";
      break;
    case RE2::ErrorBadUTF8:
      what = "invalid UTF-8";
      break;
    case RE2::ErrorBadNamedCapture:
      what = "invalid named capture";
      break;
    case RE2::ErrorPatternTooLarge:
      what = "expression too large";
      break;
    default:
      break;
  }
  const std::string argument =
      regex.error_code() == RE2::ErrorTrailingBackslash ? "" : regex.error_arg();
  return "error parsing regexp: " + std::string(what) + ": `" +
         (regex.error_code() == RE2::ErrorMissingParen ||
                  regex.error_code() == RE2::ErrorUnexpectedParen
              ? regex.pattern()
              : argument) +
         "`";
}

Value Matches(const RE2& regex, const Value& text) {
  return Value::Bool(
      RE2::PartialMatch(re2::StringPiece(text.text().data(), text.text().size()), regex));
}

re2::StringPiece Piece(std::string_view text) { return {text.data(), text.size()}; }

Value Find(const RE2& regex, const Value& text) {
  re2::StringPiece match;
  const re2::StringPiece input = Piece(text.text());
  if (!regex.Match(input, 0, input.size(), RE2::UNANCHORED, &match, 1)) {
    return Value::String({});
  }
  return Value::String({match.data(), match.size()});
}

Value FindAll(const RE2& regex, const CallContext& context, const Value& text, std::int64_t limit) {
  const re2::StringPiece input = Piece(text.text());
  std::vector<Value> found;
  std::size_t at = 0;
  std::optional<std::size_t> previous_end;
  while (at <= input.size() && (limit < 0 || static_cast<std::int64_t>(found.size()) < limit)) {
    re2::StringPiece match;
    if (!regex.Match(input, at, input.size(), RE2::UNANCHORED, &match, 1)) {
      break;
    }
    const auto end = static_cast<std::size_t>(match.data() + match.size() - input.data());
    // Go takes no empty match directly after another match.
    if (!match.empty() || end != previous_end) {
      found.push_back(Value::String({match.data(), match.size()}));
      previous_end = end;
    }
    if (!match.empty()) {
      at = end;
    } else {
      at = end + 1;
      while (at < input.size() && (static_cast<unsigned char>(input[at]) & 0xC0) == 0x80) {
        ++at;
      }
    }
  }
  return Value::Of(
      static_cast<const List*>(context.arena.New<ArrayList>(context.arena.Copy(found))));
}

Value CallDynamic(std::string_view function, std::string_view prefix, const CallContext& context,
                  std::span<const Value> args) {
  if (!args[1].Is(ValueKind::kString)) {
    return NoSuchOverload();
  }
  const Result<std::shared_ptr<const Regex>> regex = Regex::Compile(args[1].text());
  if (!regex.ok()) {
    return context.Error({prefix, regex.status().message()});
  }
  return (*regex)->Call(function, context, args);
}

Value MatchesDynamic(const CallContext& context, std::span<const Value> args) {
  return CallDynamic("matches", "", context, args);
}
Value FindDynamic(const CallContext& context, std::span<const Value> args) {
  return CallDynamic("find", "Illegal regex: ", context, args);
}
Value FindAllDynamic(const CallContext& context, std::span<const Value> args) {
  return CallDynamic("findAll", "Illegal regex: ", context, args);
}

}  // namespace

struct Regex::Impl {
  explicit Impl(std::string_view pattern) : re2(Piece(pattern), RE2::Quiet) {}
  RE2 re2;
};

Regex::Regex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Regex::~Regex() = default;

namespace {

// RE2 takes \C, any byte; Go's regexp does not.
bool MatchesSingleBytes(std::string_view pattern) {
  for (std::size_t i = 0; i + 1 < pattern.size(); ++i) {
    if (pattern[i] != '\\') {
      continue;
    }
    ++i;
    if (pattern[i] == 'C') {
      return true;
    }
    if (pattern[i] == 'Q') {
      i = std::min(pattern.find("\\E", i), pattern.size() - 1);
    }
  }
  return false;
}

}  // namespace

Result<std::shared_ptr<const Regex>> Regex::Compile(std::string_view pattern) {
  auto impl = std::make_unique<Impl>(pattern);
  if (!impl->re2.ok()) {
    return InvalidArgumentError(GoMessage(impl->re2));
  }
  if (MatchesSingleBytes(pattern)) {
    return InvalidArgumentError("error parsing regexp: invalid escape sequence: `\\C`");
  }
  return std::shared_ptr<const Regex>(new Regex(std::move(impl)));
}

Value Regex::Call(std::string_view function, const CallContext& context,
                  std::span<const Value> args) const {
  if (!args[0].Is(ValueKind::kString)) {
    return NoSuchOverload();
  }
  if (function == "matches") {
    return Matches(impl_->re2, args[0]);
  }
  if (function == "find") {
    return Find(impl_->re2, args[0]);
  }
  if (args.size() == 3 && !args[2].Is(ValueKind::kInt)) {
    return NoSuchOverload();
  }
  return FindAll(impl_->re2, context, args[0], args.size() == 3 ? args[2].int_value() : -1);
}

void AddRegex(FunctionTable& table) {
  table.AddShared(
      "matches", &MatchesDynamic, KindBit(ValueKind::kString),
      {{"matches", "(string, string) -> bool"}, {"matches_string", "string.(string) -> bool"}});
  table.Add("find", {{"string_find_string", "string.(string) -> string", &FindDynamic}});
  table.Add(
      "findAll",
      {{"string_find_all_string", "string.(string) -> list(string)", &FindAllDynamic},
       {"string_find_all_string_int", "string.(string, int) -> list(string)", &FindAllDynamic}});
}

}  // namespace assay::cel::library
