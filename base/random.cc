#include "base/random.h"

#include <sys/random.h>

#include "base/check.h"

namespace assay {

Random Random::FromSystem() {
  std::uint64_t seed = 0;
  ASSAY_CHECK(getrandom(&seed, sizeof seed, 0) == static_cast<ssize_t>(sizeof seed))
      << "getrandom(2) gave no seed";
  return Random(seed);
}

std::uint64_t Random::Below(std::uint64_t bound) {
  ASSAY_CHECK(bound > 0) << "an empty range";
  return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(engine_);
}

std::string Random::Uuid() {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string uuid = "00000000-0000-4000-8000-000000000000";
  for (char& c : uuid) {
    if (c == '0') {
      c = kHex[Below(16)];
    } else if (c == '8') {
      c = kHex[8 + Below(4)];  // RFC 9562, the variant bits.
    }
  }
  return uuid;
}

std::string Random::NameSuffix(std::size_t length) {
  static constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string suffix(length, '\0');
  for (char& c : suffix) {
    c = kAlphabet[Below(kAlphabet.size())];
  }
  return suffix;
}

}  // namespace assay
