#include "api/json/internal/base64.h"

#include <cstdint>

namespace assay::api::json::internal {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Status Illegal(std::size_t at) {
  return InvalidArgumentError("illegal base64 data at input byte " + std::to_string(at));
}

}  // namespace

std::string EncodeBase64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    std::size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += j <= count ? kAlphabet[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return out;
}

Result<std::string> DecodeBase64(std::string_view text) {
  std::string out;
  std::uint32_t group = 0;
  int digits = 0;
  std::size_t padding = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '\r' || c == '\n') {
      continue;
    }
    if (c == '=') {
      // Padding stands for the third and fourth digit, or the fourth.
      if (digits + static_cast<int>(padding) < 2 || digits + static_cast<int>(padding) > 3) {
        return Illegal(i);
      }
      ++padding;
      continue;
    }
    std::size_t digit = kAlphabet.find(c);
    if (padding > 0 || digit == std::string_view::npos) {
      return Illegal(i);
    }
    group = group << 6 | static_cast<std::uint32_t>(digit);
    if (++digits == 4) {
      out += static_cast<char>(group >> 16);
      out += static_cast<char>(group >> 8 & 255);
      out += static_cast<char>(group & 255);
      group = 0;
      digits = 0;
    }
  }
  if (digits != 0 && digits + static_cast<int>(padding) != 4) {
    return Illegal(text.size());
  }
  if (digits >= 2) {
    out += static_cast<char>(digits == 2 ? group >> 4 : group >> 10);
  }
  if (digits == 3) {
    out += static_cast<char>(group >> 2 & 255);
  }
  return out;
}

}  // namespace assay::api::json::internal
