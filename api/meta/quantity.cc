#include "api/meta/quantity.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "api/meta/internal/big_decimal.h"
#include "base/ascii.h"
#include "base/check.h"

namespace assay::api::meta {
namespace {

using internal::BigDecimal;
using internal::BigInt;

constexpr std::int64_t kMaxInt64 = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMinInt64 = std::numeric_limits<std::int64_t>::min();
constexpr std::int32_t kMaxInt64Digits = 18;

assay::Status FormatError() {
  return InvalidArgumentError(
      "quantities must match the regular expression "
      "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
}
assay::Status NumericError() {
  return InvalidArgumentError("unable to parse numeric part of quantity");
}
assay::Status SuffixError() { return InvalidArgumentError("unable to parse quantity's suffix"); }

struct Suffix {
  std::string_view text;
  bool binary;
  std::int32_t exponent;
};
constexpr std::array<Suffix, 16> kSuffixes = {{{"n", false, -9},
                                               {"u", false, -6},
                                               {"m", false, -3},
                                               {"", false, 0},
                                               {"k", false, 3},
                                               {"M", false, 6},
                                               {"G", false, 9},
                                               {"T", false, 12},
                                               {"P", false, 15},
                                               {"E", false, 18},
                                               {"Ki", true, 10},
                                               {"Mi", true, 20},
                                               {"Gi", true, 30},
                                               {"Ti", true, 40},
                                               {"Pi", true, 50},
                                               {"Ei", true, 60}}};

// The suffix of an exponent, or nothing where there is none: upstream prints "1000E" as "1".
std::string_view SuffixFor(bool binary, std::int32_t exponent) {
  for (const Suffix& suffix : kSuffixes) {
    if (suffix.binary == binary && suffix.exponent == exponent) {
      return suffix.text;
    }
  }
  return "";
}

// The parts of "-12.50Mi": sign, "12", "50", "Mi". Leading zeros of the number are left out.
struct Parts {
  bool positive = true;
  std::string_view number = "0";
  std::string_view fraction;
  std::string_view suffix;
};

std::optional<Parts> Split(std::string_view text) {
  Parts parts;
  std::size_t at = 0;
  auto skip = [&](auto&& predicate) {
    std::size_t start = at;
    while (at < text.size() && predicate(text[at])) {
      ++at;
    }
    return text.substr(start, at - start);
  };
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    parts.positive = text[0] == '+';
    ++at;
  }
  skip([](char c) { return c == '0'; });
  std::string_view number = skip(IsDigit);
  if (!number.empty()) {
    parts.number = number;
  }
  if (at < text.size() && text[at] == '.') {
    ++at;
    parts.fraction = skip(IsDigit);
  }
  std::size_t suffix_start = at;
  skip([](char c) { return std::string_view("eEinumkKMGTP").find(c) != std::string_view::npos; });
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) {
    ++at;
  }
  skip(IsDigit);
  if (at != text.size()) {
    return std::nullopt;
  }
  parts.suffix = text.substr(suffix_start);
  return parts;
}

struct SuffixMeaning {
  Quantity::Format format;
  std::int32_t exponent;
};

std::optional<SuffixMeaning> InterpretSuffix(std::string_view text) {
  for (const Suffix& suffix : kSuffixes) {
    if (suffix.text == text) {
      return SuffixMeaning{
          suffix.binary ? Quantity::Format::kBinarySI : Quantity::Format::kDecimalSI,
          suffix.exponent};
    }
  }
  if (text.size() < 2 || (text[0] != 'e' && text[0] != 'E')) {
    return std::nullopt;
  }
  const std::string_view number = text.substr(text[1] == '+' ? 2 : 1);
  std::int64_t parsed = 0;
  auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), parsed);
  if (error != std::errc() || end != number.data() + number.size()) {
    return std::nullopt;
  }
  // Upstream cuts the exponent to 32 bits without a look.
  const auto exponent = static_cast<std::int32_t>(parsed);
  if (exponent > Quantity::kMaxExponent) {
    return std::nullopt;
  }
  // The other way, everything that small is rounded up to a billionth in any case.
  return SuffixMeaning{Quantity::Format::kDecimalExponent,
                       std::max(exponent, -Quantity::kMaxExponent - 1)};
}

std::optional<std::int64_t> ParseInt64(std::string_view digits) {
  std::int64_t value = 0;
  for (char digit : digits) {
    if (__builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, digit - '0', &value)) {
      return std::nullopt;
    }
  }
  return value;
}

std::optional<std::int64_t> Multiply(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::nullopt : std::optional(product);
}

// base * 10^scale; scale must not be negative.
std::optional<std::int64_t> ScaleUp(std::int64_t base, std::int32_t scale) {
  std::int64_t value = base;
  for (; scale > 0 && value != 0; --scale) {
    if (__builtin_mul_overflow(value, 10, &value)) {
      return std::nullopt;
    }
  }
  return value;
}

struct Rounded {
  std::int64_t value;
  bool exact;
};

// base / 10^scale, away from zero; scale must not be negative.
Rounded ScaleDown(std::int64_t base, std::int32_t scale) {
  std::int64_t value = base;
  bool exact = true;
  for (; scale > 0 && value != 0; --scale) {
    exact = exact && value % 10 == 0;
    value /= 10;
  }
  if (!exact) {
    value += base > 0 ? 1 : -1;
  }
  return {value, exact};
}

// value * 10^dif of an unscaled number as upstream's scaledValue computes it, wrap-around included.
std::int64_t ScaledValueOf(const BigInt& unscaled, std::int32_t scale, std::int32_t new_scale) {
  std::int32_t drop = new_scale - scale;  // Decimal places that are lost.
  if (drop == 0) {
    return unscaled.LowInt64();
  }
  if (drop < 0) {
    // int64(math.Pow10(n)) of what does not fit is the most negative number on amd64.
    std::int64_t factor = -drop <= kMaxInt64Digits ? *ScaleUp(1, -drop) : kMinInt64;
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(unscaled.LowInt64()) *
                                     static_cast<std::uint64_t>(factor));
  }
  if (unscaled.Compare(BigInt(kMaxInt64)) < 0 && drop <= kMaxInt64Digits) {
    std::int64_t divisor = *ScaleUp(1, drop);
    std::int64_t value = unscaled.LowInt64();
    return value / divisor + (value % divisor != 0 ? 1 : 0);
  }
  // Euclidean division: the remainder is never negative.
  BigInt quotient = unscaled;
  bool exact = true;
  for (; drop > 0 && quotient.Sign() != 0; --drop) {
    exact = quotient.DivideSmall(10) == 0 && exact;
  }
  std::int64_t result = quotient.LowInt64();
  if (!exact) {
    result += unscaled.Sign() > 0 ? 1 : 0;
  }
  return result;
}

// How many times `factor` divides the number; it is divided.
std::int32_t RemoveFactors(BigInt& number, std::uint32_t factor) {
  std::int32_t times = 0;
  while (number.Sign() != 0 && number.ModuloSmall(factor) == 0) {
    number.DivideSmall(factor);
    ++times;
  }
  return times;
}

}  // namespace

Quantity Quantity::FromInt64(std::int64_t value, Format format) {
  return FromScaled(value, 0, format);
}

Quantity Quantity::FromScaled(std::int64_t value, std::int32_t scale, Format format) {
  Quantity quantity;
  quantity.value_ = value;
  quantity.scale_ = scale;
  quantity.format_ = format;
  return quantity;
}

Quantity Quantity::Of(std::string_view text) {
  Result<Quantity> quantity = Parse(text);
  ASSAY_CHECK(quantity.ok()) << "quantity " << text << ": " << quantity.status();
  return *std::move(quantity);
}

Result<Quantity> Quantity::Parse(std::string_view text) {
  if (text.empty()) {
    return FormatError();
  }
  if (text == "0") {
    Quantity zero = FromInt64(0);
    zero.text_ = "0";
    return zero;
  }
  std::optional<Parts> parts = Split(text);
  if (!parts) {
    return FormatError();
  }
  std::optional<SuffixMeaning> unit = InterpretSuffix(parts->suffix);
  if (!unit) {
    return SuffixError();
  }
  if (parts->number.size() + parts->fraction.size() > Quantity::kMaxDigits) {
    return NumericError();
  }
  std::int32_t number_size = static_cast<std::int32_t>(parts->number.size());
  std::int32_t fraction_size = static_cast<std::int32_t>(parts->fraction.size());

  // The fast form, where the digits surely fit.
  bool binary = unit->format == Format::kBinarySI;
  std::int32_t scale = binary ? 0 : unit->exponent;
  std::int64_t mantissa = 1;
  std::int32_t spare_digits = kMaxInt64Digits - number_size - fraction_size;
  if (binary) {
    bool whole = fraction_size == 0;
    mantissa = whole ? std::int64_t{1} << unit->exponent : 1;
    // Upstream counts three digits for ten bits in single precision.
    std::int32_t unit_digits =
        static_cast<std::int32_t>(static_cast<float>(unit->exponent) * 3 / 10);
    spare_digits = whole ? 15 - number_size - unit_digits - 1 : -1;
  }
  std::string digits = std::string(parts->number) + std::string(parts->fraction);
  if (spare_digits >= 0 && scale - fraction_size >= kNano) {
    scale -= fraction_size;
    std::optional<std::int64_t> value = ParseInt64(digits);
    if (!value) {
      return NumericError();
    }
    if (std::optional<std::int64_t> product = Multiply(*value, mantissa)) {
      Quantity quantity = FromScaled(parts->positive ? *product : -*product, scale, unit->format);
      bool keeps_text = binary ? (*value & 7) != 0
                               : scale % 3 == 0 && !digits.ends_with("000") && digits[0] != '0';
      if (keeps_text) {
        quantity.text_ = text;
      }
      return quantity;
    }
  }

  // "." and the like have no digit at all; upstream's decimal parser refuses them.
  bool has_digit = std::any_of(
      text.begin(), text.end() - static_cast<std::ptrdiff_t>(parts->suffix.size()), IsDigit);
  if (!has_digit) {
    return NumericError();
  }
  BigDecimal amount(BigInt::FromDigits(digits), (binary ? 0 : unit->exponent) - fraction_size);
  if (binary) {
    amount.unscaled().ShiftLeft(static_cast<std::uint32_t>(unit->exponent));
  }
  // No more digits than a billionth, and not beyond 64 bits in binary units.
  amount.RoundUp(kNano);
  Format format = unit->format;
  if (binary) {
    BigDecimal max(BigInt(kMaxInt64), 0);
    if (amount.Compare(max) > 0) {
      amount = max;
    }
    if (amount.Compare(BigDecimal(BigInt(1), 0)) < 0 && amount.Sign() > 0) {
      format = Format::kDecimalSI;  // Fractions cannot be printed in binary units.
    }
  }
  if (!parts->positive) {
    amount.unscaled().Negate();
  }
  Quantity quantity;
  quantity.format_ = format;
  quantity.decimal_ = std::make_shared<const BigDecimal>(std::move(amount));
  return quantity;
}

int Quantity::Sign() const {
  if (decimal_ != nullptr) {
    return decimal_->Sign();
  }
  return value_ == 0 ? 0 : value_ > 0 ? 1 : -1;
}

BigDecimal Quantity::AsDecimal() const {
  return decimal_ != nullptr ? *decimal_ : BigDecimal(BigInt(value_), scale_);
}

void Quantity::SetDecimal(BigDecimal decimal) {
  value_ = 0;
  scale_ = 0;
  decimal_ = std::make_shared<const BigDecimal>(std::move(decimal));
}

std::int64_t Quantity::ScaledValue(std::int32_t scale) const {
  if (decimal_ != nullptr) {
    return ScaledValueOf(decimal_->unscaled(), decimal_->scale(), scale);
  }
  if (scale_ < scale) {
    return ScaleDown(value_, scale - scale_).value;
  }
  std::int32_t shift = scale_ - scale;
  if (std::optional<std::int64_t> value = ScaleUp(value_, shift)) {
    return *value;
  }
  // What does not fit wraps around for the powers that upstream multiplies by at once, and is 0 for
  // the others.
  bool at_once = shift == 1 || shift == 2 || shift == 3 || shift == 6 || shift == 9;
  return at_once && value_ != kMinInt64
             ? static_cast<std::int64_t>(static_cast<std::uint64_t>(value_) *
                                         static_cast<std::uint64_t>(*ScaleUp(1, shift)))
             : 0;
}

std::optional<std::int64_t> Quantity::AsInt64() const {
  if (decimal_ != nullptr || scale_ < 0) {
    return std::nullopt;
  }
  return ScaleUp(value_, scale_);
}

bool Quantity::IsInteger() const {
  Quantity rounded = *this;
  return rounded.RoundUp(0);
}

double Quantity::AsApproximateDouble() const {
  double base = decimal_ != nullptr ? decimal_->unscaled().ToDouble() : static_cast<double>(value_);
  std::int32_t exponent = decimal_ != nullptr ? decimal_->scale() : scale_;
  return exponent == 0 ? base : base * std::pow(10.0, exponent);
}

int Quantity::Compare(const Quantity& other) const {
  if (decimal_ == nullptr && other.decimal_ == nullptr && scale_ == other.scale_) {
    return value_ == other.value_ ? 0 : value_ < other.value_ ? -1 : 1;
  }
  if (Sign() != other.Sign()) {
    return Sign() < other.Sign() ? -1 : 1;
  }
  // The common case of differing scales still fits.
  if (decimal_ == nullptr && other.decimal_ == nullptr) {
    std::int32_t scale = std::min(scale_, other.scale_);
    std::optional<std::int64_t> a = ScaleUp(value_, scale_ - scale);
    std::optional<std::int64_t> b = ScaleUp(other.value_, other.scale_ - scale);
    if (a && b) {
      return *a == *b ? 0 : *a < *b ? -1 : 1;
    }
  }
  return AsDecimal().Compare(other.AsDecimal());
}

void Quantity::Add(const Quantity& other) {
  text_.clear();
  if (IsZero()) {
    format_ = other.format_;
  }
  if (decimal_ == nullptr && other.decimal_ == nullptr) {
    if (other.value_ == 0) {
      return;
    }
    if (value_ == 0) {
      value_ = other.value_;
      scale_ = other.scale_;
      return;
    }
    std::int32_t scale = std::min(scale_, other.scale_);
    std::optional<std::int64_t> a = ScaleUp(value_, scale_ - scale);
    std::optional<std::int64_t> b = ScaleUp(other.value_, other.scale_ - scale);
    std::int64_t sum = 0;
    if (a && b && !__builtin_add_overflow(*a, *b, &sum)) {
      value_ = sum;
      scale_ = scale;
      return;
    }
  }
  BigDecimal sum = AsDecimal();
  sum.Add(other.AsDecimal());
  SetDecimal(std::move(sum));
}

void Quantity::Sub(const Quantity& other) {
  Quantity negated = other;
  negated.Negate();
  Add(negated);
}

bool Quantity::Mul(std::int64_t factor) {
  text_.clear();
  if (decimal_ == nullptr) {
    std::optional<std::int64_t> product = Multiply(value_, factor);
    // Upstream leaves the fast form too where the product, written out, does not fit.
    if (product && (scale_ <= 0 || ScaleUp(*product, scale_))) {
      value_ = *product;
      scale_ = factor == 0 ? 0 : scale_;
      return true;
    }
  }
  BigDecimal product = AsDecimal();
  product.unscaled().MultiplyInt64(factor);
  bool fits = product.unscaled().FitsInt64();
  SetDecimal(std::move(product));
  return fits;
}

void Quantity::Negate() {
  text_.clear();
  if (decimal_ == nullptr && value_ != kMinInt64) {
    value_ = -value_;
    return;
  }
  BigDecimal decimal = AsDecimal();
  decimal.unscaled().Negate();
  SetDecimal(std::move(decimal));
}

bool Quantity::RoundUp(std::int32_t scale) {
  if (decimal_ != nullptr) {
    text_.clear();
    BigDecimal rounded = *decimal_;
    rounded.RoundUp(scale);
    bool exact = rounded.Compare(*decimal_) == 0;
    SetDecimal(std::move(rounded));
    return exact;
  }
  if (scale_ >= scale) {
    return true;
  }
  text_.clear();
  Rounded rounded = ScaleDown(value_, scale - scale_);
  value_ = rounded.value;
  scale_ = scale;
  return rounded.exact;
}

std::string Quantity::ToString() const { return text_.empty() ? Canonical() : text_; }

std::string Quantity::Canonical() const {
  if (IsZero()) {
    return "0";
  }
  Format format = format_ == Format::kUnset ? Format::kDecimalExponent : format_;
  BigDecimal amount = AsDecimal();
  if (format == Format::kBinarySI) {
    // Small numbers and fractions cannot be told in binary units.
    BigDecimal limit(BigInt(1024), 0);
    BigDecimal negative_limit(BigInt(-1024), 0);
    bool small = amount.Compare(negative_limit) > 0 && amount.Compare(limit) < 0;
    if (small || !IsInteger()) {
      format = Format::kDecimalSI;
    } else {
      amount.RoundUp(0);
      std::int32_t times = RemoveFactors(amount.unscaled(), 1024);
      return amount.unscaled().ToString() + std::string(SuffixFor(true, times * 10));
    }
  }
  std::int32_t exponent = amount.scale() + RemoveFactors(amount.unscaled(), 10);
  for (; exponent % 3 != 0; --exponent) {
    amount.unscaled().MultiplySmall(10);
  }
  std::string number = amount.unscaled().ToString();
  if (format == Format::kDecimalSI) {
    return number + std::string(SuffixFor(false, exponent));
  }
  return exponent == 0 ? number : number + "e" + std::to_string(exponent);
}

}  // namespace assay::api::meta
