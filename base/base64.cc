#include "base/base64.h"

#include <cstdint>
#include <utility>

namespace assay {
namespace {

constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

Status Illegal(std::size_t at) {
  return InvalidArgumentError("illegal base64 data at input byte " + std::to_string(at));
}

std::string Encode(std::string_view bytes, std::string_view alphabet, bool padded) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    std::size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      if (j <= count) {
        out += alphabet[group >> (18 - 6 * j) & 63];
      } else if (padded) {
        out += '=';
      }
    }
  }
  return out;
}

Result<std::string> Decode(std::string_view text, std::string_view alphabet, bool padded) {
  std::string out;
  std::size_t at = 0;
  auto skip_line_breaks = [&] {
    while (at < text.size() && (text[at] == '\r' || text[at] == '\n')) {
      ++at;
    }
  };
  // Four digits make three bytes; the places of errors are Go's.
  for (;;) {
    std::uint32_t group = 0;
    std::size_t digits = 0;
    for (skip_line_breaks(); digits < 4 && at < text.size(); skip_line_breaks()) {
      std::size_t digit = alphabet.find(text[at]);
      if (digit == std::string_view::npos) {
        break;
      }
      group = group << 6 | static_cast<std::uint32_t>(digit);
      ++digits;
      ++at;
    }
    const bool ends_unpadded = !padded && digits != 1 && at == text.size();
    if (at == text.size() && digits < 4 && !ends_unpadded) {
      return digits == 0 ? Result<std::string>(std::move(out)) : Illegal(at - digits);
    }
    if (digits == 4) {
      out += static_cast<char>(group >> 16);
      out += static_cast<char>(group >> 8 & 255);
      out += static_cast<char>(group & 255);
      continue;
    }
    if (!ends_unpadded) {
      // Padding, which stands for the last digit or the last two, and ends the text.
      if (!padded || text[at] != '=' || digits < 2) {
        return Illegal(at);
      }
      ++at;
      if (digits == 2) {
        skip_line_breaks();
        if (at == text.size()) {
          return Illegal(at);
        }
        if (text[at] != '=') {
          return Illegal(at - 1);
        }
        ++at;
      }
      skip_line_breaks();
      if (at < text.size()) {
        return Illegal(at);
      }
    } else if (digits == 0) {
      return out;
    }
    out += static_cast<char>(digits == 2 ? group >> 4 : group >> 10);
    if (digits == 3) {
      out += static_cast<char>(group >> 2 & 255);
    }
    return out;
  }
}

}  // namespace

std::string EncodeBase64(std::string_view bytes) { return Encode(bytes, kStandard, true); }
Result<std::string> DecodeBase64(std::string_view text) { return Decode(text, kStandard, true); }
std::string EncodeBase64Url(std::string_view bytes) { return Encode(bytes, kUrl, false); }
Result<std::string> DecodeBase64Url(std::string_view text) { return Decode(text, kUrl, false); }

}  // namespace assay
