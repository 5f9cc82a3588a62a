#include "allocator/inventory/amount.h"

#include <cmath>
#include <cstdint>

namespace assay::allocator::inventory {

using api::meta::Quantity;

Amount ToAmount(const Quantity& quantity) {
  constexpr Amount kBillion = 1'000'000'000;
  if (const std::optional<std::int64_t> value = quantity.AsInt64(); value.has_value()) {
    return *value * kBillion;
  }
  if (std::fabs(quantity.AsApproximateDouble()) >= 1e24) {
    return quantity.Sign() < 0 ? -kHugeAmount : kHugeAmount;
  }
  // Each part fits in 64 bits: the billions, what is left of them in ones, the fraction.
  Amount amount = 0;
  Quantity rest = quantity;
  for (const std::int32_t scale : {9, 0, Quantity::kNano}) {
    const std::int64_t part = rest.ScaledValue(scale);
    Amount unit = 1;
    for (std::int32_t i = Quantity::kNano; i < scale; ++i) {
      unit *= 10;
    }
    amount += part * unit;
    rest.Sub(Quantity::FromScaled(part, scale));
  }
  return amount;
}

}  // namespace assay::allocator::inventory
