// Quantity: a number with a suffix ("100m", "1.5Gi", "12e6"), exactly as Kubernetes' resource
// package treats it: which spellings are accepted, how they are canonicalised, how they round (away
// from zero, at a billionth), and which format a sum is printed in.
//
//   ASSAY_ASSIGN_OR_RETURN(Quantity memory, Quantity::Parse("80Gi"));
//   if (memory >= Quantity::FromInt64(1 << 30)) ...
//
// Most values are an int64 and a power of ten; whatever does not fit is kept with arbitrary
// precision. Source: apimachinery, pkg/api/resource.
//
// Thread-safe: values.
#ifndef ASSAY_API_META_QUANTITY_H_
#define ASSAY_API_META_QUANTITY_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace assay::api::meta {

namespace internal {
class BigDecimal;  // api/meta/internal/big_decimal.h
}

class Quantity {
 public:
  // How it is printed. kUnset (a Quantity that was never parsed) prints as kDecimalExponent.
  enum class Format : std::uint8_t { kUnset, kDecimalExponent, kBinarySI, kDecimalSI };

  // Powers of ten: the units of `ScaledValue` and `RoundUp`.
  static constexpr std::int32_t kNano = -9;
  static constexpr std::int32_t kMicro = -6;
  static constexpr std::int32_t kMilli = -3;
  // Exponents and numbers of digits beyond these are refused, so that no text can ask for gigabytes
  // of digits. (Kubernetes has no such limits.)
  static constexpr std::int32_t kMaxExponent = 4096;
  static constexpr std::size_t kMaxDigits = 4000;

  Quantity() = default;  // 0

  // kInvalidArgument with Kubernetes' words: "quantities must match the regular expression '…'",
  // "unable to parse numeric part of quantity", "unable to parse quantity's suffix".
  static Result<Quantity> Parse(std::string_view text);
  // `text` must be valid: for constants.
  static Quantity Of(std::string_view text);
  static Quantity FromInt64(std::int64_t value, Format format = Format::kDecimalSI);
  // value * 10^scale.
  static Quantity FromScaled(std::int64_t value, std::int32_t scale,
                             Format format = Format::kDecimalSI);

  Format format() const { return format_; }
  bool IsZero() const { return Sign() == 0; }
  // Whether it was never given a value (Go's zero Quantity); such a one prints as "0".
  bool IsUnset() const { return format_ == Format::kUnset && IsZero(); }
  int Sign() const;  // -1, 0, 1

  // The value as an integer, rounded up (away from zero). As upstream, what does not fit in 64
  // bits is not detected: compare first.
  std::int64_t Value() const { return ScaledValue(0); }
  std::int64_t MilliValue() const { return ScaledValue(kMilli); }
  std::int64_t ScaledValue(std::int32_t scale) const;
  // The exact value where it is an integer of 64 bits kept in the fast form; else nothing. As
  // upstream: a large text may be an integer and yet give nothing.
  std::optional<std::int64_t> AsInt64() const;
  // Whether it has no fraction, whatever its size.
  bool IsInteger() const;
  double AsApproximateDouble() const;

  // -1, 0, 1
  int Compare(const Quantity& other) const;
  friend bool operator==(const Quantity& a, const Quantity& b) { return a.Compare(b) == 0; }
  friend std::strong_ordering operator<=>(const Quantity& a, const Quantity& b) {
    return a.Compare(b) <=> 0;
  }

  // The format stays, but that of `other` is taken over where this is zero.
  void Add(const Quantity& other);
  void Sub(const Quantity& other);
  // False where the product's unscaled value left 64 bits (it is right all the same).
  bool Mul(std::int64_t factor);
  void Negate();
  // Rounds away from zero to a multiple of 10^scale. False if that changed the value.
  bool RoundUp(std::int32_t scale);

  // As Kubernetes would print it: the text that was parsed where that is near enough to canonical
  // ("1.500" stays, upstream's quirk), else the canonical form.
  std::string ToString() const;
  // Only the canonical form.
  std::string Canonical() const;

 private:
  // The value with arbitrary precision.
  internal::BigDecimal AsDecimal() const;
  void SetDecimal(internal::BigDecimal decimal);

  // value_ * 10^scale_, unless decimal_ is set.
  std::int64_t value_ = 0;
  std::int32_t scale_ = 0;
  Format format_ = Format::kUnset;
  // Shared by copies: it is immutable and rare.
  std::shared_ptr<const internal::BigDecimal> decimal_;
  // What was parsed, where ToString must give it back.
  std::string text_;
};

}  // namespace assay::api::meta

#endif  // ASSAY_API_META_QUANTITY_H_
