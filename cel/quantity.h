// Quantity: the arithmetic of Kubernetes' resource.Quantity, as far as CEL and allocation need it.
//
// Reads what Kubernetes reads ("80Gi", "1500m", "1e3") and compares, adds and subtracts exactly, in
// two machine words; it does not print. Exact up to 38 digits; beyond, a value is kept to its
// leading ones. What Kubernetes decides by its representation (isInteger() of "100000Gi" is false)
// is kept.
//
// Source: k8s.io/apimachinery/pkg/api/resource/quantity.go and amount.go.
//
// Thread-safe: values.
#ifndef ASSAY_CEL_QUANTITY_H_
#define ASSAY_CEL_QUANTITY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace assay::cel {

class Quantity {
 public:
  __extension__ using Unscaled = __int128;

  Quantity() = default;
  static Quantity OfInteger(std::int64_t value) { return {value, 0, false}; }
  // kInvalidArgument with Kubernetes' text: "quantities must match the regular expression ...".
  static Result<Quantity> Parse(std::string_view text);

  // The value as Kubernetes' AsInt64 gives it: null for fractions, and for what its parser did not
  // take the fast way.
  std::optional<std::int64_t> AsInt64() const;
  double AsApproximateDouble() const;
  // The value, rounded away from zero to an integer, at most 2^63-1 (Kubernetes' Value()).
  std::int64_t RoundedUp() const;
  int Sign() const { return unscaled_ < 0 ? -1 : (unscaled_ > 0 ? 1 : 0); }

  Quantity& operator+=(const Quantity& other);
  Quantity& operator-=(const Quantity& other);

  // -1, 0, 1.
  int Compare(const Quantity& other) const;
  friend bool operator==(const Quantity& a, const Quantity& b) { return a.Compare(b) == 0; }

 private:
  Quantity(Unscaled unscaled, int scale, bool is_decimal)
      : unscaled_(unscaled), scale_(scale), is_decimal_(is_decimal) {}

  // Adds as Kubernetes does it in an int64; false, and nothing is done, if that is not enough.
  bool AddInt64(std::int64_t value, int scale);
  void AddDecimal(Unscaled value, int value_scale);

  Unscaled unscaled_ = 0;  // the value is unscaled_ * 10^scale_
  int scale_ = 0;
  bool is_decimal_ = false;  // Kubernetes keeps it as an inf.Dec, not as an int64
};

}  // namespace assay::cel

#endif  // ASSAY_CEL_QUANTITY_H_
