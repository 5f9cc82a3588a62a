#include "api/json/go_quote.h"

#include <array>
#include <cstdint>
#include <cstdio>

#include "api/json/internal/scan.h"

namespace assay::api::json {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};
// What Unicode assigns but Go does not print: blanks other than the space, format characters,
// private use. (Unassigned code points are taken for printable.)
constexpr std::array kUnprintable = {
    Range{0x7f, 0xa0},     Range{0xad, 0xad},     Range{0x600, 0x605},   Range{0x61c, 0x61c},
    Range{0x6dd, 0x6dd},   Range{0x70f, 0x70f},   Range{0x1680, 0x1680}, Range{0x180e, 0x180e},
    Range{0x2000, 0x200f}, Range{0x2028, 0x202f}, Range{0x205f, 0x206f}, Range{0x3000, 0x3000},
    Range{0xe000, 0xf8ff}, Range{0xfeff, 0xfeff}, Range{0xfff9, 0xfffb}, Range{0xe0000, 0x10ffff}};

bool IsPrintable(char32_t rune) {
  for (const Range& range : kUnprintable) {
    if (range.first <= rune && rune <= range.last) {
      return false;
    }
  }
  return true;
}

std::string AsciiEscape(char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\a':
      return "\\a";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\v':
      return "\\v";
    default:
      return "";
  }
}

std::string NumericEscape(const char* format, char32_t value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), format, static_cast<unsigned>(value));
  return text.data();
}

char32_t DecodeRune(std::string_view bytes) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.size() == 1) {
    return byte(0);
  }
  char32_t rune = byte(0) & (0x7fU >> bytes.size());
  for (std::size_t i = 1; i < bytes.size(); ++i) {
    rune = rune << 6 | (byte(i) & 0x3fU);
  }
  return rune;
}

}  // namespace

std::string GoQuote(std::string_view text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    std::size_t size = internal::RuneSize(text, at);
    if (size == 0) {
      out += NumericEscape("\\x%02x", static_cast<unsigned char>(text[at++]));
      continue;
    }
    std::string_view bytes = text.substr(at, size);
    at += size;
    char32_t rune = DecodeRune(bytes);
    if (std::string escape = size == 1 ? AsciiEscape(bytes[0]) : ""; !escape.empty()) {
      out += escape;
    } else if (rune < 0x20 || rune == 0x7f) {
      out += NumericEscape("\\x%02x", rune);
    } else if (IsPrintable(rune)) {
      out += bytes;
    } else {
      out += NumericEscape(rune > 0xffff ? "\\U%08x" : "\\u%04x", rune);
    }
  }
  return out + '"';
}

}  // namespace assay::api::json
