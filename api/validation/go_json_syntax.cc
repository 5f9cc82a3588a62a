#include "api/validation/go_json_syntax.h"

#include <cstddef>
#include <cstdio>
#include <vector>

namespace assay::api::validation {
namespace {

// Go's scanner, state for state as far as its messages tell the states apart
// (encoding/json/scanner.go).
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::string Scan() {
    SkipSpace();
    if (!Value()) {
      return error_;
    }
    SkipSpace();
    if (at_ < text_.size()) {
      Fail("after top-level value");
    }
    return error_;
  }

 private:
  static constexpr int kMaxDepth = 10000;

  bool Value() {
    if (at_ >= text_.size()) {
      return Fail("looking for beginning of value");
    }
    switch (text_[at_]) {
      case '{':
        return Object();
      case '[':
        return Array();
      case '"':
        return String();
      case 't':
        return Literal("true");
      case 'f':
        return Literal("false");
      case 'n':
        return Literal("null");
      default:
        return Number();
    }
  }

  bool Object() {
    if (!Enter()) {
      return false;
    }
    SkipSpace();
    if (Take('}')) {
      return Leave();
    }
    while (true) {
      if (at_ >= text_.size() || text_[at_] != '"') {
        return Fail("looking for beginning of object key string");
      }
      if (!String()) {
        return false;
      }
      SkipSpace();
      if (!Take(':')) {
        return Fail("after object key");
      }
      SkipSpace();
      if (!Value()) {
        return false;
      }
      SkipSpace();
      if (Take('}')) {
        return Leave();
      }
      if (!Take(',')) {
        return Fail("after object key:value pair");
      }
      SkipSpace();
    }
  }

  bool Array() {
    if (!Enter()) {
      return false;
    }
    SkipSpace();
    if (Take(']')) {
      return Leave();
    }
    while (true) {
      if (!Value()) {
        return false;
      }
      SkipSpace();
      if (Take(']')) {
        return Leave();
      }
      if (!Take(',')) {
        return Fail("after array element");
      }
      SkipSpace();
    }
  }

  bool String() {
    ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20) {
        return Fail("in string literal");
      }
      ++at_;
      if (c != '\\') {
        continue;
      }
      if (at_ >= text_.size()) {
        return FailWithin("in string escape code");
      }
      if (text_[at_] == 'u') {
        ++at_;
        for (int i = 0; i < 4; ++i, ++at_) {
          if (at_ >= text_.size() || std::string_view("0123456789abcdefABCDEF").find(text_[at_]) ==
                                         std::string_view::npos) {
            return FailWithin("in \\u hexadecimal character escape");
          }
        }
      } else if (std::string_view("bfnrt\\/\"").find(text_[at_]) == std::string_view::npos) {
        return Fail("in string escape code");
      } else {
        ++at_;
      }
    }
    return Fail("");
  }

  bool Literal(std::string_view word) {
    for (std::size_t i = 0; i < word.size(); ++i, ++at_) {
      if (at_ >= text_.size() || text_[at_] != word[i]) {
        return FailWithin("in literal " + std::string(word) + " (expecting '" + word[i] + "')");
      }
    }
    return true;
  }

  bool Number() {
    const bool negative = Take('-');
    if (!Take('0')) {
      if (!IsDigit()) {
        return negative ? FailWithin("in numeric literal") : Fail("looking for beginning of value");
      }
      SkipDigits();
    }
    if (Take('.')) {
      if (!IsDigit()) {
        return FailWithin("after decimal point in numeric literal");
      }
      SkipDigits();
    }
    if (Take('e') || Take('E')) {
      if (!Take('+')) {
        Take('-');
      }
      if (!IsDigit()) {
        return FailWithin("in exponent of numeric literal");
      }
      SkipDigits();
    }
    return true;
  }

  bool IsDigit() const { return at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; }
  void SkipDigits() {
    while (IsDigit()) {
      ++at_;
    }
  }
  void SkipSpace() {
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) {
      ++at_;
    }
  }
  bool Take(char c) {
    if (at_ < text_.size() && text_[at_] == c) {
      ++at_;
      return true;
    }
    return false;
  }
  bool Enter() {
    ++at_;
    if (++depth_ > kMaxDepth) {
      error_ = "exceeded max depth";
      return false;
    }
    return true;
  }
  bool Leave() {
    --depth_;
    return true;
  }

  // Within a literal, a number or an escape Go meets the end of the text as a space.
  bool FailWithin(const std::string& context) {
    if (at_ >= text_.size()) {
      error_ = "invalid character ' ' " + context;
      return false;
    }
    return Fail(context);
  }

  // `context` is what was expected of the character at hand, which is quoted as Go quotes it.
  bool Fail(const std::string& context) {
    if (at_ >= text_.size()) {
      error_ = "unexpected end of JSON input";
      return false;
    }
    const char c = text_[at_];
    std::string quoted;
    char buffer[8];
    if (c == '\'') {
      quoted = "\\'";
    } else if (c == '"') {
      quoted = "\"";
    } else if (c == '\\') {
      quoted = "\\\\";
    } else if (c == '\n') {
      quoted = "\\n";
    } else if (c == '\t') {
      quoted = "\\t";
    } else if (c == '\r') {
      quoted = "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      std::snprintf(buffer, sizeof buffer, "\\x%02x", static_cast<unsigned>(c));
      quoted = buffer;
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      // Go widens the byte to a rune.
      const auto byte = static_cast<unsigned char>(c);
      quoted = {static_cast<char>(0xc0U | (byte >> 6U)), static_cast<char>(0x80U | (byte & 0x3fU))};
    } else {
      quoted = std::string(1, c);
    }
    error_ = "invalid character '" + quoted + "' " + context;
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::string error_;
};

}  // namespace

std::string GoJsonSyntaxError(std::string_view text) { return Scanner(text).Scan(); }

}  // namespace assay::api::validation
