#include "api/meta/internal/big_decimal.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace assay::api::meta::internal {

BigInt::BigInt(std::int64_t value) : negative_(value < 0) {
  std::uint64_t magnitude =
      negative_ ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
  limbs_ = {static_cast<std::uint32_t>(magnitude), static_cast<std::uint32_t>(magnitude >> 32)};
  Trim();
}

BigInt BigInt::FromDigits(std::string_view digits) {
  BigInt result;
  for (char digit : digits) {
    result.MultiplySmall(10);
    result.Add(BigInt(digit - '0'));
  }
  return result;
}

void BigInt::Trim() {
  while (!limbs_.empty() && limbs_.back() == 0) {
    limbs_.pop_back();
  }
  negative_ = negative_ && !limbs_.empty();
}

int BigInt::CompareMagnitude(const BigInt& other) const {
  if (limbs_.size() != other.limbs_.size()) {
    return limbs_.size() < other.limbs_.size() ? -1 : 1;
  }
  for (std::size_t i = limbs_.size(); i-- > 0;) {
    if (limbs_[i] != other.limbs_[i]) {
      return limbs_[i] < other.limbs_[i] ? -1 : 1;
    }
  }
  return 0;
}

int BigInt::Compare(const BigInt& other) const {
  if (Sign() != other.Sign()) {
    return Sign() < other.Sign() ? -1 : 1;
  }
  return negative_ ? -CompareMagnitude(other) : CompareMagnitude(other);
}

void BigInt::Add(const BigInt& other) {
  if (negative_ == other.negative_) {
    std::uint64_t carry = 0;
    limbs_.resize(std::max(limbs_.size(), other.limbs_.size()) + 1);
    for (std::size_t i = 0; i < limbs_.size(); ++i) {
      carry += std::uint64_t{limbs_[i]} + (i < other.limbs_.size() ? other.limbs_[i] : 0);
      limbs_[i] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    return Trim();
  }
  // The signs differ: the smaller magnitude is taken from the larger.
  bool this_is_larger = CompareMagnitude(other) >= 0;
  const std::vector<std::uint32_t> larger = this_is_larger ? limbs_ : other.limbs_;
  const std::vector<std::uint32_t> smaller = this_is_larger ? other.limbs_ : limbs_;
  negative_ = this_is_larger ? negative_ : other.negative_;
  limbs_ = larger;
  std::int64_t borrow = 0;
  for (std::size_t i = 0; i < limbs_.size(); ++i) {
    std::int64_t difference =
        std::int64_t{limbs_[i]} - (i < smaller.size() ? smaller[i] : 0) - borrow;
    borrow = difference < 0 ? 1 : 0;
    limbs_[i] = static_cast<std::uint32_t>(difference + (borrow << 32));
  }
  Trim();
}

void BigInt::MultiplySmall(std::uint32_t factor) {
  std::uint64_t carry = 0;
  for (std::uint32_t& limb : limbs_) {
    carry += std::uint64_t{limb} * factor;
    limb = static_cast<std::uint32_t>(carry);
    carry >>= 32;
  }
  limbs_.push_back(static_cast<std::uint32_t>(carry));
  Trim();
}

void BigInt::MultiplyInt64(std::int64_t factor) {
  BigInt other(factor);
  BigInt result;
  for (std::size_t i = 0; i < other.limbs_.size(); ++i) {
    BigInt part = *this;
    part.negative_ = false;
    part.MultiplySmall(other.limbs_[i]);
    part.ShiftLeft(static_cast<std::uint32_t>(i * 32));
    result.Add(part);
  }
  result.negative_ = negative_ != other.negative_;
  result.Trim();
  *this = std::move(result);
}

void BigInt::MultiplyPow10(std::int32_t exponent) {
  for (; exponent >= 9; exponent -= 9) {
    MultiplySmall(1'000'000'000);
  }
  for (; exponent > 0; --exponent) {
    MultiplySmall(10);
  }
}

void BigInt::ShiftLeft(std::uint32_t bits) {
  if (limbs_.empty()) {
    return;
  }
  limbs_.insert(limbs_.begin(), bits / 32, 0);
  if (bits % 32 != 0) {
    MultiplySmall(std::uint32_t{1} << (bits % 32));
  }
}

std::uint32_t BigInt::DivideSmall(std::uint32_t divisor) {
  std::uint64_t remainder = 0;
  for (std::size_t i = limbs_.size(); i-- > 0;) {
    std::uint64_t value = (remainder << 32) | limbs_[i];
    limbs_[i] = static_cast<std::uint32_t>(value / divisor);
    remainder = value % divisor;
  }
  Trim();
  return static_cast<std::uint32_t>(remainder);
}

std::uint32_t BigInt::ModuloSmall(std::uint32_t divisor) const {
  std::uint64_t remainder = 0;
  for (std::size_t i = limbs_.size(); i-- > 0;) {
    remainder = ((remainder << 32) | limbs_[i]) % divisor;
  }
  return static_cast<std::uint32_t>(remainder);
}

bool BigInt::FitsInt64() const {
  return Compare(BigInt(std::numeric_limits<std::int64_t>::max())) <= 0 &&
         Compare(BigInt(std::numeric_limits<std::int64_t>::min())) >= 0;
}

std::int64_t BigInt::LowInt64() const {
  std::uint64_t magnitude = 0;
  for (std::size_t i = 0; i < 2 && i < limbs_.size(); ++i) {
    magnitude |= std::uint64_t{limbs_[i]} << (32 * i);
  }
  return static_cast<std::int64_t>(negative_ ? ~magnitude + 1 : magnitude);
}

std::string BigInt::ToString() const {
  if (limbs_.empty()) {
    return "0";
  }
  std::string digits;
  for (BigInt rest = *this; rest.Sign() != 0;) {
    std::uint32_t group = rest.DivideSmall(1'000'000'000);
    for (int i = 0; i < 9 && (rest.Sign() != 0 || group != 0); ++i, group /= 10) {
      digits += static_cast<char>('0' + group % 10);
    }
  }
  if (negative_) {
    digits += '-';
  }
  std::reverse(digits.begin(), digits.end());
  return digits;
}

double BigInt::ToDouble() const {
  double value = 0;
  for (std::size_t i = limbs_.size(); i-- > 0;) {
    value = value * 4294967296.0 + limbs_[i];
  }
  return negative_ ? -value : value;
}

void BigDecimal::Rescale(std::int32_t scale) {
  unscaled_.MultiplyPow10(scale_ - scale);
  scale_ = scale;
}

int BigDecimal::Compare(const BigDecimal& other) const {
  if (Sign() != other.Sign() || Sign() == 0) {
    return Sign() == other.Sign() ? 0 : Sign() < other.Sign() ? -1 : 1;
  }
  BigDecimal a = *this;
  BigDecimal b = other;
  std::int32_t scale = std::min(a.scale_, b.scale_);
  a.Rescale(scale);
  b.Rescale(scale);
  return a.unscaled_.Compare(b.unscaled_);
}

void BigDecimal::Add(const BigDecimal& other) {
  BigDecimal b = other;
  std::int32_t scale = std::min(scale_, b.scale_);
  Rescale(scale);
  b.Rescale(scale);
  unscaled_.Add(b.unscaled_);
}

void BigDecimal::RoundUp(std::int32_t scale) {
  if (scale_ >= scale) {
    return Rescale(scale);
  }
  int sign = Sign();
  bool exact = true;
  for (; scale_ < scale && unscaled_.Sign() != 0; ++scale_) {
    exact = unscaled_.DivideSmall(10) == 0 && exact;
  }
  scale_ = scale;
  if (!exact) {
    unscaled_.Add(BigInt(sign));
  }
}

}  // namespace assay::api::meta::internal
