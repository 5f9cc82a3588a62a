#include "cel/library/text.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/ascii.h"

namespace assay::cel::library {
namespace {

constexpr std::uint32_t kReplacement = 0xFFFD;

std::optional<std::string> NotFinite(double value) {
  if (std::isnan(value)) {
    return "NaN";
  }
  if (std::isinf(value)) {
    return value > 0 ? "+Inf" : "-Inf";
  }
  return std::nullopt;
}

// The code point at `*at`, which is moved past it; kReplacement and one byte where it is
// ill-formed.
std::uint32_t Decode(std::string_view text, std::size_t* at, bool* valid) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(*at);
  std::size_t length = 0;
  std::uint32_t value = 0;
  std::uint32_t least = 0;
  if (first < 0x80) {
    ++*at;
    return first;
  }
  if (first >= 0xC2 && first < 0xE0) {
    length = 2;
    value = first & 0x1FU;
    least = 0x80;
  } else if (first >= 0xE0 && first < 0xF0) {
    length = 3;
    value = first & 0x0FU;
    least = 0x800;
  } else if (first >= 0xF0 && first < 0xF5) {
    length = 4;
    value = first & 0x07U;
    least = 0x10000;
  }
  bool ok = length != 0 && *at + length <= text.size();
  for (std::size_t k = 1; ok && k < length; ++k) {
    ok = (byte(*at + k) & 0xC0) == 0x80;
    value = value << 6 | (byte(*at + k) & 0x3FU);
  }
  ok = ok && value >= least && value <= 0x10FFFF && (value < 0xD800 || value >= 0xE000);
  if (!ok) {
    *valid = false;
    ++*at;
    return kReplacement;
  }
  *at += length;
  return value;
}

}  // namespace

std::string FormatGeneral(double value) {
  if (const auto special = NotFinite(value); special.has_value()) {
    return *special;
  }
  char text[64];
  const auto end =
      std::to_chars(text, text + sizeof(text), value, std::chars_format::scientific).ptr;
  const std::string_view scientific(text, static_cast<std::size_t>(end - text));
  const std::size_t e = scientific.find('e');
  const int exponent = std::atoi(std::string(scientific.substr(e + 1)).c_str());
  if (exponent < -4 || exponent >= 6) {
    return std::string(scientific);
  }
  return FormatFixed(value);
}

std::string FormatFixed(double value) {
  if (const auto special = NotFinite(value); special.has_value()) {
    return *special;
  }
  char text[512];
  const auto end = std::to_chars(text, text + sizeof(text), value, std::chars_format::fixed).ptr;
  return {text, end};
}

std::string Quote(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size();) {
    bool valid = true;
    const std::size_t start = i;
    const std::uint32_t c = Decode(text, &i, &valid);
    char escaped[16];
    if (!valid) {
      std::snprintf(escaped, sizeof(escaped), "\\x%02x", static_cast<unsigned char>(text[start]));
      out += escaped;
      continue;
    }
    static constexpr std::string_view kControls = "\a\b\f\n\r\t\v";
    static constexpr std::string_view kNames = "abfnrtv";
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (const std::size_t at =
                   c < 0x80 ? kControls.find(static_cast<char>(c)) : std::string_view::npos;
               c != 0 && at != std::string_view::npos) {
      out += '\\';
      out += kNames[at];
    } else if (c < 0x20 || c == 0x7F) {
      std::snprintf(escaped, sizeof(escaped), "\\x%02x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out += text.substr(start, i - start);
    }
  }
  return out + "\"";
}

std::optional<std::int64_t> ParseInt(std::string_view text) {
  if (text.starts_with("+")) {
    text.remove_prefix(1);
    if (text.starts_with("-")) {
      return std::nullopt;
    }
  }
  std::int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::uint64_t> ParseUint(std::string_view text) {
  std::uint64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

namespace {

// Whether every underscore stands between digits, or between a base's prefix and a digit.
bool UnderscoresSeparate(std::string_view text) {
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    text.remove_prefix(1);
  }
  bool hex = false;
  bool after_digit = false;
  if (text.size() >= 2 && text[0] == '0' && (text[1] | 0x20) == 'x') {
    hex = true;
    after_digit = true;
    text.remove_prefix(2);
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char lower = static_cast<char>(c | 0x20);
    const bool is_digit = IsDigit(c) || (hex && lower >= 'a' && lower <= 'f');
    const bool before_digit = i + 1 < text.size() &&
                              (IsDigit(text[i + 1]) ||
                               (hex && (text[i + 1] | 0x20) >= 'a' && (text[i + 1] | 0x20) <= 'f'));
    if (c == '_' && !(after_digit && before_digit)) {
      return false;
    }
    after_digit = is_digit;
  }
  return true;
}

}  // namespace

std::optional<double> ParseFloat(std::string_view text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ' || text.front() == '\t' ||
      text.front() == '\n') {
    return std::nullopt;
  }
  std::string copy(text);
  if (copy.find('_') != std::string::npos) {
    // strtod() knows no underscores. Go takes them in numbers, but not in "In_f".
    if (!UnderscoresSeparate(text)) {
      return std::nullopt;
    }
    std::erase(copy, '_');
  }
  // Go wants the exponent that C leaves out: "0x1p0".
  const std::size_t digits = copy[0] == '+' || copy[0] == '-' ? 1 : 0;
  if (copy.size() > digits + 1 && copy[digits] == '0' && (copy[digits + 1] | 0x20) == 'x' &&
      copy.find_first_of("pP") == std::string::npos) {
    return std::nullopt;
  }
  char* end = nullptr;
  const double value = std::strtod(copy.c_str(), &end);
  if (end != copy.c_str() + copy.size()) {
    return std::nullopt;
  }
  // Out of range is an error, but "Inf" is a number.
  if (std::isinf(value)) {
    for (char c : text) {
      if (IsDigit(c)) {
        return std::nullopt;
      }
    }
  }
  return value;
}

std::optional<bool> ParseBool(std::string_view text) {
  for (std::string_view name : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == name) {
      return true;
    }
  }
  for (std::string_view name : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == name) {
      return false;
    }
  }
  return std::nullopt;
}

std::vector<std::uint32_t> CodePoints(std::string_view text) {
  std::vector<std::uint32_t> points;
  points.reserve(text.size());
  bool valid = true;
  for (std::size_t i = 0; i < text.size();) {
    points.push_back(Decode(text, &i, &valid));
  }
  return points;
}

std::string ToValidUtf8(std::string_view text) {
  const std::vector<std::uint32_t> points = CodePoints(text);
  return Utf8(points.data(), points.data() + points.size());
}

std::string Utf8(const std::uint32_t* first, const std::uint32_t* last) {
  std::string out;
  for (; first != last; ++first) {
    const std::uint32_t c = *first;
    const auto byte = [&out](std::uint32_t value) { out += static_cast<char>(value); };
    if (c < 0x80) {
      byte(c);
    } else if (c < 0x800) {
      byte(0xC0 | (c >> 6));
      byte(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
      byte(0xE0 | (c >> 12));
      byte(0x80 | ((c >> 6) & 0x3F));
      byte(0x80 | (c & 0x3F));
    } else {
      byte(0xF0 | (c >> 18));
      byte(0x80 | ((c >> 12) & 0x3F));
      byte(0x80 | ((c >> 6) & 0x3F));
      byte(0x80 | (c & 0x3F));
    }
  }
  return out;
}

bool IsValidUtf8(std::string_view text) {
  bool valid = true;
  for (std::size_t i = 0; i < text.size() && valid;) {
    Decode(text, &i, &valid);
  }
  return valid;
}

}  // namespace assay::cel::library
