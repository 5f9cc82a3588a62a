#include "cel/quantity.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/ascii.h"

namespace assay::cel {
namespace {

using Unscaled = Quantity::Unscaled;

constexpr int kNano = -9;
constexpr int kMaxInt64Digits = 18;
constexpr Unscaled kUnscaledMax = ~(Unscaled{1} << 127);
constexpr std::int64_t kInt64Max = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kInt64Min = std::numeric_limits<std::int64_t>::min();

constexpr std::string_view kWrongFormat =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

bool FitsInt64(Unscaled value) { return value >= kInt64Min && value <= kInt64Max; }

// value * 10^power, or false if it does not fit.
bool ScaleUp(Unscaled value, int power, Unscaled* result) {
  for (; power > 0 && value != 0; --power) {
    if (value > kUnscaledMax / 10 || value < -(kUnscaledMax / 10)) {
      return false;
    }
    value *= 10;
  }
  *result = value;
  return true;
}

// value / 10^power, rounded away from zero.
Unscaled ScaleDownRoundingUp(Unscaled value, int power) {
  bool rest = false;
  const int sign = value < 0 ? -1 : 1;
  for (; power > 0 && value != 0; --power) {
    rest = rest || value % 10 != 0;
    value /= 10;
  }
  return value + (rest ? sign : 0);
}

struct Suffix {
  int base = 10;
  int exponent = 0;
  bool binary = false;
};

std::optional<Suffix> Interpret(std::string_view text) {
  struct Known {
    std::string_view text;
    Suffix suffix;
  };
  static constexpr Known kKnown[] = {
      {"", {10, 0, false}},   {"n", {10, -9, false}}, {"u", {10, -6, false}},
      {"m", {10, -3, false}}, {"k", {10, 3, false}},  {"M", {10, 6, false}},
      {"G", {10, 9, false}},  {"T", {10, 12, false}}, {"P", {10, 15, false}},
      {"E", {10, 18, false}}, {"Ki", {2, 10, true}},  {"Mi", {2, 20, true}},
      {"Gi", {2, 30, true}},  {"Ti", {2, 40, true}},  {"Pi", {2, 50, true}},
      {"Ei", {2, 60, true}}};
  for (const Known& known : kKnown) {
    if (known.text == text) {
      return known.suffix;
    }
  }
  if (text.size() > 1 && (text[0] == 'e' || text[0] == 'E')) {
    std::string_view digits = text.substr(1);
    if (digits.starts_with('+')) {
      digits.remove_prefix(1);
    }
    int exponent = 0;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (result.ec == std::errc() && result.ptr == digits.data() + digits.size()) {
      return Suffix{10, exponent, false};
    }
  }
  return std::nullopt;
}

// The parts of a quantity's text, as Kubernetes' scanner cuts them.
struct Parts {
  bool negative = false;
  std::string_view integer;  // without leading zeros; "0" if nothing is left
  std::string_view fraction;
  std::string_view suffix;
};

std::optional<Parts> Split(std::string_view text) {
  Parts parts;
  parts.negative = text.starts_with('-');
  if (text.starts_with('-') || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size()));
  const auto take_digits = [&text] {
    std::size_t length = 0;
    while (length < text.size() && IsDigit(text[length])) {
      ++length;
    }
    const std::string_view digits = text.substr(0, length);
    text.remove_prefix(length);
    return digits;
  };
  parts.integer = take_digits();
  if (parts.integer.empty()) {
    parts.integer = "0";
  }
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    parts.fraction = take_digits();
  }
  parts.suffix = text;
  text.remove_prefix(std::min(text.find_first_not_of("eEinumkKMGTP"), text.size()));
  if (text.starts_with('-') || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  take_digits();
  return text.empty() ? std::optional(parts) : std::nullopt;
}

}  // namespace

Result<Quantity> Quantity::Parse(std::string_view text) {
  if (text.empty()) {
    return InvalidArgumentError(std::string(kWrongFormat));
  }
  const std::optional<Parts> parts = Split(text);
  if (!parts.has_value()) {
    return InvalidArgumentError(std::string(kWrongFormat));
  }
  const std::optional<Suffix> suffix = Interpret(parts->suffix);
  if (!suffix.has_value()) {
    return InvalidArgumentError("unable to parse quantity's suffix");
  }
  const std::size_t digits = parts->integer.size() + parts->fraction.size();
  const int sign = parts->negative ? -1 : 1;

  // The digits as a number; what is beyond 37 of them is cut off.
  Unscaled value = 0;
  int cut = 0;
  for (std::string_view part : {parts->integer, parts->fraction}) {
    for (char digit : part) {
      if (value > kUnscaledMax / 100) {
        ++cut;
      } else {
        value = value * 10 + (digit - '0');
      }
    }
  }
  int scale = cut - static_cast<int>(parts->fraction.size());

  // Kubernetes' fast way keeps an int64.
  int precision = -1;
  if (!suffix->binary) {
    precision = kMaxInt64Digits - static_cast<int>(digits);
  } else if (parts->fraction.empty()) {
    precision = 15 - static_cast<int>(digits) -
                static_cast<int>(static_cast<float>(suffix->exponent) * 3 / 10) - 1;
  }
  const Unscaled multiplier = suffix->binary ? Unscaled{1} << suffix->exponent : 1;
  if (!suffix->binary) {
    // Exponents past any use are cut, so that sums of scales stay in range.
    scale += std::clamp(suffix->exponent, -1'000'000, 1'000'000);
  }
  if (precision >= 0 && scale >= kNano && FitsInt64(value * multiplier)) {
    return Quantity(sign * value * multiplier, scale, false);
  }

  if (suffix->binary) {
    while (value > kUnscaledMax / multiplier) {
      value = ScaleDownRoundingUp(value, 1);
      ++scale;
    }
    value *= multiplier;
  }
  if (value != 0) {
    if (scale < kNano) {
      value = ScaleDownRoundingUp(value, kNano - scale);
      scale = kNano;
    } else if (Unscaled nanos = 0; ScaleUp(value, scale - kNano, &nanos)) {
      value = nanos;
      scale = kNano;
    }
  } else {
    scale = 0;
  }
  Quantity quantity(value, scale, true);
  if (suffix->binary && quantity.Compare(OfInteger(kInt64Max)) > 0) {
    quantity = Quantity(kInt64Max, 0, true);
  }
  quantity.unscaled_ *= sign;
  return quantity;
}

std::optional<std::int64_t> Quantity::AsInt64() const {
  Unscaled value = 0;
  if (is_decimal_ || scale_ < 0 || !ScaleUp(unscaled_, scale_, &value) || !FitsInt64(value)) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(value);
}

double Quantity::AsApproximateDouble() const {
  const double base = static_cast<double>(unscaled_);
  return scale_ == 0 ? base : base * std::pow(10.0, scale_);
}

std::int64_t Quantity::RoundedUp() const {
  Unscaled value = 0;
  if (scale_ < 0) {
    value = ScaleDownRoundingUp(unscaled_, -scale_);
  } else if (!ScaleUp(unscaled_, scale_, &value)) {
    value = unscaled_ < 0 ? -kUnscaledMax : kUnscaledMax;
  }
  return static_cast<std::int64_t>(
      std::clamp<Unscaled>(value, Unscaled{kInt64Min}, Unscaled{kInt64Max}));
}

bool Quantity::AddInt64(std::int64_t value, int scale) {
  if (value == 0) {
    return true;
  }
  if (unscaled_ == 0) {
    *this = {value, scale, false};
    return true;
  }
  Unscaled a = unscaled_;
  Unscaled b = value;
  const int least = std::min(scale_, scale);
  if (!ScaleUp(a, scale_ - least, &a) || !ScaleUp(b, scale - least, &b) || !FitsInt64(a) ||
      !FitsInt64(b) || !FitsInt64(a + b)) {
    return false;
  }
  *this = {a + b, least, false};
  return true;
}

void Quantity::AddDecimal(Unscaled value, int value_scale) {
  is_decimal_ = true;
  Unscaled a = unscaled_;
  Unscaled b = value;
  int scale = std::min(scale_, value_scale);
  if (!ScaleUp(a, scale_ - scale, &a) || !ScaleUp(b, value_scale - scale, &b)) {
    // Too far apart for the smaller one to show.
    const bool keep = scale_ > value_scale;
    a = keep ? unscaled_ : value;
    scale = keep ? scale_ : value_scale;
    b = 0;
  }
  Unscaled sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) {
    sum = a / 10 + b / 10;
    ++scale;
  }
  unscaled_ = sum;
  scale_ = scale;
}

Quantity& Quantity::operator+=(const Quantity& other) {
  if (is_decimal_ || other.is_decimal_ ||
      !AddInt64(static_cast<std::int64_t>(other.unscaled_), other.scale_)) {
    AddDecimal(other.unscaled_, other.scale_);
  }
  return *this;
}

Quantity& Quantity::operator-=(const Quantity& other) {
  // Kubernetes negates an int64, the least of which is its own counterpart.
  const auto negated = [&other] {
    return static_cast<std::int64_t>(std::uint64_t{0} -
                                     static_cast<std::uint64_t>(other.unscaled_));
  };
  if (is_decimal_ || other.is_decimal_ || !AddInt64(negated(), other.scale_)) {
    AddDecimal(-other.unscaled_, other.scale_);
  }
  return *this;
}

int Quantity::Compare(const Quantity& other) const {
  if (Sign() != other.Sign()) {
    return Sign() < other.Sign() ? -1 : 1;
  }
  Unscaled a = unscaled_;
  Unscaled b = other.unscaled_;
  const int scale = std::min(scale_, other.scale_);
  if (!ScaleUp(a, scale_ - scale, &a)) {
    return Sign();
  }
  if (!ScaleUp(b, other.scale_ - scale, &b)) {
    return -Sign();
  }
  return a < b ? -1 : (a > b ? 1 : 0);
}

}  // namespace assay::cel
