#include "api/json/internal/scan.h"

#include <cstdint>
#include <vector>

#include "base/ascii.h"
#include "base/check.h"

namespace assay::api::json::internal {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

int HexDigit(char c) {
  if (IsDigit(c)) {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// A byte as Go's quoteChar prints it.
std::string QuoteChar(char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  unsigned char byte = static_cast<unsigned char>(c);
  switch (c) {
    case '\'':
      return "'\\''";
    case '"':
      return "'\"'";
    case '\\':
      return "'\\\\'";
    case '\a':
      return "'\\a'";
    case '\b':
      return "'\\b'";
    case '\f':
      return "'\\f'";
    case '\n':
      return "'\\n'";
    case '\r':
      return "'\\r'";
    case '\t':
      return "'\\t'";
    case '\v':
      return "'\\v'";
    default:
      break;
  }
  if (byte < 0x20 || byte == 0x7f) {
    return std::string("'\\x") + kHex[byte >> 4] + kHex[byte & 15] + "'";
  }
  if (byte < 0x80) {
    return std::string("'") + c + "'";
  }
  // Go takes the byte for a code point of Latin-1; below U+00A1 and at U+00AD it is not printable.
  if (byte < 0xa1 || byte == 0xad) {
    return std::string("'\\u00") + kHex[byte >> 4] + kHex[byte & 15] + "'";
  }
  return std::string("'") + static_cast<char>(0xc0 | (byte >> 6)) +
         static_cast<char>(0x80 | (byte & 0x3f)) + "'";
}

void AppendUtf8(std::uint32_t rune, std::string& out) {
  auto byte = [&](std::uint32_t b) { out += static_cast<char>(b); };
  if (rune < 0x80) {
    byte(rune);
  } else if (rune < 0x800) {
    byte(0xc0 | (rune >> 6));
    byte(0x80 | (rune & 0x3f));
  } else if (rune < 0x10000) {
    byte(0xe0 | (rune >> 12));
    byte(0x80 | ((rune >> 6) & 0x3f));
    byte(0x80 | (rune & 0x3f));
  } else {
    byte(0xf0 | (rune >> 18));
    byte(0x80 | ((rune >> 12) & 0x3f));
    byte(0x80 | ((rune >> 6) & 0x3f));
    byte(0x80 | (rune & 0x3f));
  }
}

constexpr char kReplacement[] = "\xef\xbf\xbd";

class Validator {
 public:
  Validator(std::string_view text, int max_depth)
      : text_(text), max_depth_(static_cast<std::size_t>(max_depth)) {}

  Status Run() {
    // Without recursion: what is open is on a stack.
    bool want_value = true;
    for (;;) {
      SkipSpace();
      ASSAY_RETURN_IF_ERROR(want_value ? Value() : AfterValue());
      if (done_) {
        return OkStatus();
      }
      want_value = want_value_;
    }
  }

 private:
  Status Invalid(std::string_view context) const {
    if (at_ < text_.size()) {
      return InvalidArgumentError("invalid character " + QuoteChar(text_[at_]) + " " +
                                  std::string(context));
    }
    return InvalidArgumentError("unexpected end of JSON input");
  }
  // Within a number, a literal or an escape, Go takes the end for a blank.
  Status InvalidWithin(std::string_view context) const {
    return at_ < text_.size()
               ? Invalid(context)
               : InvalidArgumentError("invalid character ' ' " + std::string(context));
  }

  void SkipSpace() {
    while (at_ < text_.size() && IsSpace(text_[at_])) {
      ++at_;
    }
  }
  bool At(char c) const { return at_ < text_.size() && text_[at_] == c; }

  Status Open(char bracket) {
    if (open_.size() >= max_depth_) {
      return ResourceExhaustedError("exceeded max depth");
    }
    open_.push_back(bracket);
    ++at_;
    SkipSpace();
    // What may follow an opening bracket: the closing one, a key or a value.
    if (At(bracket == '{' ? '}' : ']')) {
      want_value_ = false;
      return OkStatus();
    }
    return bracket == '{' ? Key() : Wanted();
  }

  Status Wanted() {
    want_value_ = true;
    return OkStatus();
  }

  Status Key() {
    if (!At('"')) {
      return Invalid("looking for beginning of object key string");
    }
    ASSAY_RETURN_IF_ERROR(String());
    SkipSpace();
    if (!At(':')) {
      return Invalid("after object key");
    }
    ++at_;
    return Wanted();
  }

  Status Value() {
    want_value_ = false;
    if (at_ >= text_.size()) {
      return Invalid("");
    }
    switch (char c = text_[at_]) {
      case '{':
      case '[':
        return Open(c);
      case '"':
        return String();
      case 't':
        return Literal("true");
      case 'f':
        return Literal("false");
      case 'n':
        return Literal("null");
      default:
        return c == '-' || IsDigit(c) ? Number() : Invalid("looking for beginning of value");
    }
  }

  Status AfterValue() {
    if (open_.empty()) {
      if (at_ < text_.size()) {
        return Invalid("after top-level value");
      }
      done_ = true;
      return OkStatus();
    }
    bool object = open_.back() == '{';
    if (At(object ? '}' : ']')) {
      ++at_;
      open_.pop_back();
      return OkStatus();
    }
    if (!At(',')) {
      return Invalid(object ? "after object key:value pair" : "after array element");
    }
    ++at_;
    SkipSpace();
    return object ? Key() : Wanted();
  }

  Status Literal(std::string_view literal) {
    for (char expected : literal) {
      if (!At(expected)) {
        return InvalidWithin("in literal " + std::string(literal) + " (expecting '" + expected +
                             "')");
      }
      ++at_;
    }
    return OkStatus();
  }

  Status Digits(std::string_view context) {
    if (at_ >= text_.size() || !IsDigit(text_[at_])) {
      return InvalidWithin(context);
    }
    while (at_ < text_.size() && IsDigit(text_[at_])) {
      ++at_;
    }
    return OkStatus();
  }

  Status Number() {
    if (At('-')) {
      ++at_;
    }
    if (At('0')) {
      ++at_;
    } else {
      ASSAY_RETURN_IF_ERROR(Digits("in numeric literal"));
    }
    if (At('.')) {
      ++at_;
      ASSAY_RETURN_IF_ERROR(Digits("after decimal point in numeric literal"));
    }
    if (At('e') || At('E')) {
      ++at_;
      if (At('+') || At('-')) {
        ++at_;
      }
      ASSAY_RETURN_IF_ERROR(Digits("in exponent of numeric literal"));
    }
    return OkStatus();
  }

  Status String() {
    for (++at_; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (c == '"') {
        ++at_;
        return OkStatus();
      }
      if (static_cast<unsigned char>(c) < 0x20) {
        return Invalid("in string literal");
      }
      if (c == '\\') {
        ++at_;
        ASSAY_RETURN_IF_ERROR(Escape());
      }
    }
    return Invalid("");
  }

  // Leaves `at_` on the escape's last character.
  Status Escape() {
    if (at_ >= text_.size() ||
        std::string_view("bfnrt\\/\"u").find(text_[at_]) == std::string_view::npos) {
      return InvalidWithin("in string escape code");
    }
    if (text_[at_] != 'u') {
      return OkStatus();
    }
    for (int i = 0; i < 4; ++i) {
      ++at_;
      if (at_ >= text_.size() || HexDigit(text_[at_]) < 0) {
        return InvalidWithin("in \\u hexadecimal character escape");
      }
    }
    return OkStatus();
  }

  std::string_view text_;
  std::size_t max_depth_;
  std::size_t at_ = 0;
  std::vector<char> open_;
  bool want_value_ = true;
  bool done_ = false;
};

std::uint32_t HexRune(std::string_view text, std::size_t at) {
  std::uint32_t rune = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    rune = rune * 16 + static_cast<std::uint32_t>(HexDigit(text[at + i]));
  }
  return rune;
}

// Decodes \uXXXX whose hexadecimal digits start at `at`; joins surrogates. Returns where it ends.
std::size_t UnquoteHex(std::string_view text, std::size_t at, std::string& out) {
  std::uint32_t rune = HexRune(text, at);
  at += 4;
  if (rune < 0xd800 || rune >= 0xe000) {
    AppendUtf8(rune, out);
    return at;
  }
  bool pair = rune < 0xdc00 && text.substr(at).starts_with("\\u");
  std::uint32_t low = pair ? HexRune(text, at + 2) : 0;
  if (low >= 0xdc00 && low < 0xe000) {
    AppendUtf8(0x10000 + ((rune - 0xd800) << 10) + (low - 0xdc00), out);
    return at + 6;
  }
  out += kReplacement;
  return at;
}

}  // namespace

std::size_t RuneSize(std::string_view text, std::size_t at) {
  auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  unsigned lead = byte(at);
  std::size_t size = lead < 0x80                   ? 1
                     : lead >= 0xc2 && lead < 0xe0 ? 2
                     : lead >= 0xe0 && lead < 0xf0 ? 3
                     : lead >= 0xf0 && lead < 0xf5 ? 4
                                                   : 0;
  bool good = size > 0;
  for (std::size_t i = 1; i < size; ++i) {
    good = good && (byte(at + i) & 0xc0) == 0x80;
  }
  // Overlong forms, surrogates, and beyond U+10FFFF.
  unsigned second = byte(at + 1);
  good = good && !(lead == 0xe0 && second < 0xa0) && !(lead == 0xed && second >= 0xa0) &&
         !(lead == 0xf0 && second < 0x90) && !(lead == 0xf4 && second >= 0x90);
  return good ? size : 0;
}

Status Validate(std::string_view text, int max_depth) { return Validator(text, max_depth).Run(); }

std::string Unquote(std::string_view literal) {
  std::string_view text = literal.substr(1, literal.size() - 2);
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '\\') {
      std::size_t size = RuneSize(text, at);
      out += size > 0 ? text.substr(at, size) : std::string_view(kReplacement);
      at += size > 0 ? size : 1;
      continue;
    }
    char escape = text[at + 1];
    at += 2;
    switch (escape) {
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u':
        at = UnquoteHex(text, at, out);
        break;
      default:
        out += escape;
    }
  }
  return out;
}

void Cursor::SkipSpace() {
  while (at_ < text_.size() && IsSpace(text_[at_])) {
    ++at_;
  }
}

char Cursor::Peek() {
  SkipSpace();
  ASSAY_CHECK(at_ < text_.size()) << "read past the end of valid JSON";
  return text_[at_];
}

void Cursor::Enter() {
  Peek();
  ++at_;
  first_ = true;
}

bool Cursor::Next() {
  char c = Peek();
  if (c == '}' || c == ']') {
    ++at_;
    first_ = false;
    return false;
  }
  if (!first_) {
    ++at_;  // The comma.
    SkipSpace();
  }
  first_ = false;
  return true;
}

std::string_view Cursor::StringLiteral() {
  std::size_t start = at_;
  for (++at_; text_[at_] != '"'; ++at_) {
    if (text_[at_] == '\\') {
      ++at_;
    }
  }
  ++at_;
  return text_.substr(start, at_ - start);
}

std::string Cursor::Key() {
  Peek();
  std::string key = Unquote(StringLiteral());
  Peek();
  ++at_;  // The colon.
  return key;
}

std::string Cursor::String() {
  Peek();
  return Unquote(StringLiteral());
}

std::string_view Cursor::Raw() {
  char first = Peek();
  std::size_t start = at_;
  if (first == '"') {
    return StringLiteral();
  }
  if (first == '{' || first == '[') {
    std::size_t depth = 0;
    do {
      char c = text_[at_];
      if (c == '"') {
        StringLiteral();
        continue;
      }
      depth += c == '{' || c == '[' ? 1 : 0;
      depth -= c == '}' || c == ']' ? 1 : 0;
      ++at_;
    } while (depth > 0);
  } else {
    while (at_ < text_.size() &&
           std::string_view(",]} \t\r\n").find(text_[at_]) == std::string_view::npos) {
      ++at_;
    }
  }
  return text_.substr(start, at_ - start);
}

}  // namespace assay::api::json::internal
