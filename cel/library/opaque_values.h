// The values of the libraries' own types, where others than the library need them.
//
// Thread-safe: immutable.
#ifndef ASSAY_CEL_LIBRARY_OPAQUE_VALUES_H_
#define ASSAY_CEL_LIBRARY_OPAQUE_VALUES_H_

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "cel/quantity.h"
#include "cel/semver.h"
#include "cel/value.h"

namespace assay::cel::library {

class QuantityValue final : public Opaque {
 public:
  explicit QuantityValue(const Quantity& quantity, bool is_sum = false)
      : quantity_(quantity), is_sum_(is_sum) {}
  const Type* type() const override;
  bool Equals(const Opaque& other) const override;
  // Kubernetes does not know the results of add() and sub() again on the right of ==.
  bool ComparableOnTheRight() const override { return !is_sum_; }
  const Quantity& quantity() const { return quantity_; }

 private:
  Quantity quantity_;
  bool is_sum_;
};

class SemverValue final : public Opaque {
 public:
  explicit SemverValue(const Semver& version) : version_(version) {}
  const Type* type() const override;
  bool Equals(const Opaque& other) const override;
  const Semver& version() const { return version_; }

 private:
  Semver version_;
};

// How many bytes an address or prefix counts for in costs, 0 for "::/0"; null: `value` is none.
std::optional<std::size_t> AddressSize(const Opaque& value);

// A version, address or prefix as a text; null: `value` is none.
std::optional<std::string> OpaqueText(const Opaque& value);

// What validate() costs for the format: the length of the expression that it is like.
std::size_t NamedFormatSize(const Opaque& value);
// The largest of these, which estimates reckon with.
inline constexpr std::size_t kMaxNamedFormatSize = 128;

}  // namespace assay::cel::library

#endif  // ASSAY_CEL_LIBRARY_OPAQUE_VALUES_H_
