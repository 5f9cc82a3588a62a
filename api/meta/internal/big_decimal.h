// BigDecimal: unscaled * 10^scale with an unscaled integer of any size; what Quantity falls back to
// where 64 bits do not do.
//
// Not thread-safe while being changed; values otherwise.
#ifndef ASSAY_API_META_INTERNAL_BIG_DECIMAL_H_
#define ASSAY_API_META_INTERNAL_BIG_DECIMAL_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::api::meta::internal {

// An integer of any size; sign and magnitude.
class BigInt {
 public:
  BigInt() = default;  // 0
  explicit BigInt(std::int64_t value);
  // Decimal digits only.
  static BigInt FromDigits(std::string_view digits);

  int Sign() const { return limbs_.empty() ? 0 : negative_ ? -1 : 1; }
  void Negate() { negative_ = !negative_ && !limbs_.empty(); }
  void Add(const BigInt& other);
  void MultiplySmall(std::uint32_t factor);
  void MultiplyInt64(std::int64_t factor);
  void MultiplyPow10(std::int32_t exponent);
  void ShiftLeft(std::uint32_t bits);
  // Divides towards zero; returns the remainder of the magnitudes.
  std::uint32_t DivideSmall(std::uint32_t divisor);
  // The remainder of the magnitude.
  std::uint32_t ModuloSmall(std::uint32_t divisor) const;
  int Compare(const BigInt& other) const;
  bool FitsInt64() const;
  // The low 64 bits in two's complement.
  std::int64_t LowInt64() const;
  std::string ToString() const;
  double ToDouble() const;

 private:
  int CompareMagnitude(const BigInt& other) const;
  void Trim();

  bool negative_ = false;
  std::vector<std::uint32_t> limbs_;  // Least significant first; no leading zeros.
};

class BigDecimal {
 public:
  BigDecimal() = default;
  BigDecimal(BigInt unscaled, std::int32_t scale) : unscaled_(std::move(unscaled)), scale_(scale) {}

  const BigInt& unscaled() const { return unscaled_; }
  BigInt& unscaled() { return unscaled_; }
  std::int32_t scale() const { return scale_; }

  int Sign() const { return unscaled_.Sign(); }
  int Compare(const BigDecimal& other) const;
  void Add(const BigDecimal& other);
  // To a multiple of 10^scale, away from zero. The result has that scale.
  void RoundUp(std::int32_t scale);

 private:
  // Gives the same value a smaller scale.
  void Rescale(std::int32_t scale);

  BigInt unscaled_;
  std::int32_t scale_ = 0;
};

}  // namespace assay::api::meta::internal

#endif  // ASSAY_API_META_INTERNAL_BIG_DECIMAL_H_
