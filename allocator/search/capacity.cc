#include "allocator/search/capacity.h"

#include <algorithm>
#include <limits>
#include <optional>

namespace assay::allocator::search {
namespace {

using api::meta::Quantity;
using api::resource::CapacityRequestPolicy;
using api::resource::CapacityRequestPolicyRange;
using api::resource::CapacityRequirements;
using api::resource::DeviceCapacity;

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

const Quantity* WantedOf(std::string_view name, const CapacityRequirements* wanted) {
  if (wanted == nullptr) {
    return nullptr;
  }
  const auto it = wanted->requests.find(std::string(name));
  return it == wanted->requests.end() ? nullptr : &it->second;
}

// In thousandths, if there is nothing finer and it is no more than 64 bits.
std::optional<std::int64_t> ExactMilli(const Quantity& quantity) {
  const std::int64_t milli = quantity.MilliValue();
  return quantity == Quantity::FromScaled(milli, Quantity::kMilli) ? std::optional(milli)
                                                                   : std::nullopt;
}

// Whether steps are counted in thousandths.
bool CountsInMilli(const CapacityRequestPolicyRange& range, const Features& features) {
  const auto is_exact = [](const std::optional<Quantity>& quantity) {
    return !quantity.has_value() || ExactMilli(*quantity).has_value();
  };
  return features.fractional_capacity_range && is_exact(range.min) && is_exact(range.max) &&
         is_exact(range.step) && (!range.step.has_value() || range.step->MilliValue() >= 1);
}

// a + b and the like as Go has it: modulo 2^64.
std::int64_t Wrap(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::int64_t AddSteps(std::int64_t min, std::int64_t step, std::int64_t steps) {
  return Wrap(static_cast<std::uint64_t>(min) +
              static_cast<std::uint64_t>(step) * static_cast<std::uint64_t>(steps));
}
std::int64_t Difference(std::int64_t a, std::int64_t b) {
  return Wrap(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

// How many steps it takes to reach `added`. `step` is not 0.
std::int64_t StepsFor(std::int64_t added, std::int64_t step) {
  if (step == -1) {
    return Difference(0, added);
  }
  return added / step + (added % step != 0 ? 1 : 0);
}
bool IsMultiple(std::int64_t added, std::int64_t step) { return step == -1 || added % step == 0; }

Status NotRepresentable(const std::string& why) {
  return InvalidArgumentError(
      "capacity request cannot be represented in the device's range arithmetic: " + why);
}

Result<Quantity> RoundUpInRange(const Quantity& wanted, const CapacityRequestPolicyRange& range,
                                const Features& features) {
  if (wanted < *range.min) {
    return *range.min;
  }
  if (!range.step.has_value()) {
    return wanted;
  }
  const bool checked = features.AtLeast1_37();
  if (CountsInMilli(range, features)) {
    const std::optional<std::int64_t> milli = ExactMilli(wanted);
    if (!milli.has_value()) {
      return NotRepresentable("request " + wanted.ToString() +
                              " is not a representable milli value");
    }
    const std::int64_t step = range.step->MilliValue();
    const std::int64_t min = range.min->MilliValue();
    const std::int64_t steps = StepsFor(Difference(*milli, min), step);
    if (steps > Difference(kMax, min) / step) {
      return NotRepresentable("rounding request " + wanted.ToString() +
                              " up to the next step passes the milli-value range");
    }
    const std::int64_t value = AddSteps(min, step, steps);
    return value % 1000 == 0 ? Quantity::FromInt64(value / 1000, range.step->format())
                             : Quantity::FromScaled(value, Quantity::kMilli, range.step->format());
  }
  if (checked && wanted > Quantity::FromInt64(kMax)) {
    return NotRepresentable("request " + wanted.ToString() + " exceeds MaxInt64");
  }
  const std::int64_t step = range.step->Value();
  if (step == 0) {
    return wanted;  // upstream divides by it; validation refuses such a step
  }
  const std::int64_t min = range.min->Value();
  const std::int64_t steps = StepsFor(Difference(wanted.Value(), min), step);
  if (checked && min >= 0 && steps > (kMax - min) / step) {
    return NotRepresentable("rounding request " + wanted.ToString() +
                            " up to the next step passes MaxInt64");
  }
  return Quantity::FromInt64(AddSteps(min, step, steps),
                             checked ? range.step->format() : Quantity::Format::kBinarySI);
}

// What is taken if `wanted` is asked for; null: nothing in particular is.
Result<Quantity> Consumed(const Quantity* wanted, const DeviceCapacity& capacity,
                          const Features& features) {
  const std::optional<CapacityRequestPolicy>& policy = capacity.request_policy;
  if (wanted == nullptr) {
    return policy.has_value() && policy->default_.has_value() ? *policy->default_ : capacity.value;
  }
  if (policy.has_value() && policy->valid_range.has_value() &&
      policy->valid_range->min.has_value()) {
    return RoundUpInRange(*wanted, *policy->valid_range, features);
  }
  if (policy.has_value()) {
    for (const Quantity& valid : policy->valid_values) {
      if (*wanted <= valid) {
        return valid;
      }
    }
  }
  return *wanted;
}

bool Violates(const Quantity& consumed, const std::optional<CapacityRequestPolicy>& policy,
              const Features& features) {
  if (!policy.has_value() || (policy->default_.has_value() && consumed == *policy->default_)) {
    return false;
  }
  if (policy->valid_range.has_value()) {
    const CapacityRequestPolicyRange& range = *policy->valid_range;
    if (range.max.has_value() && consumed > *range.max) {
      return true;
    }
    if (!range.step.has_value()) {
      return false;
    }
    const Quantity min = range.min.value_or(Quantity());
    if (CountsInMilli(range, features)) {
      const std::optional<std::int64_t> milli = ExactMilli(consumed);
      return !milli.has_value() ||
             !IsMultiple(Difference(*milli, min.MilliValue()), range.step->MilliValue());
    }
    const std::int64_t step = range.step->Value();
    return step != 0 && !IsMultiple(Difference(consumed.Value(), min.Value()), step);
  }
  return !policy->valid_values.empty() &&
         std::find(policy->valid_values.begin(), policy->valid_values.end(), consumed) ==
             policy->valid_values.end();
}

}  // namespace

Result<bool> FitsCapacity(const inventory::Device& device, const inventory::DeviceUse* use,
                          const Allocating* allocating, const CapacityRequirements* wanted,
                          const Features& features) {
  // The whole of each, of which nothing is used.
  if (wanted == nullptr && use == nullptr && allocating == nullptr && device.has_plain_capacity) {
    return true;
  }
  if (wanted != nullptr) {
    for (const auto& [name, quantity] : wanted->requests) {
      if (!device.api->capacity.contains(name)) {
        return false;
      }
    }
  }
  bool fits = true;
  for (std::size_t i = 0; i < device.capacity.size(); ++i) {
    const inventory::Device::Capacity& capacity = device.capacity[i];
    const Quantity* requested = WantedOf(capacity.name, wanted);
    const inventory::Amount* used = nullptr;
    if (use != nullptr && use->has_consumed) {
      const auto it = use->consumed.find(std::string(capacity.name));
      used = it == use->consumed.end() ? nullptr : &it->second;
    }
    // The whole value, of which nothing is used, fits.
    if (requested == nullptr && used == nullptr && allocating == nullptr &&
        !capacity.capacity->request_policy.has_value() && capacity.value >= 0) {
      continue;
    }
    Result<Quantity> consumed = Consumed(requested, *capacity.capacity, features);
    if (consumed.ok() && features.AtLeast1_37() && consumed->Sign() < 0) {
      consumed = InvalidArgumentError("capacity value is negative");
    }
    if (!consumed.ok()) {
      return consumed.status().WithContext("capacity \"" + std::string(capacity.name) + "\"");
    }
    inventory::Amount sum = inventory::ToAmount(*consumed);
    sum += used != nullptr ? *used : 0;
    sum += allocating != nullptr ? (*allocating)[i] : 0;
    // An error of another capacity comes first.
    fits = fits && !Violates(*consumed, capacity.capacity->request_policy, features) &&
           sum <= capacity.value;
    if (!fits && !features.AtLeast1_37()) {
      return false;
    }
  }
  return fits;
}

std::map<std::string, Quantity> ConsumedCapacity(const inventory::Device& device,
                                                 const CapacityRequirements* wanted,
                                                 const Features& features) {
  std::map<std::string, Quantity> consumed;
  for (const inventory::Device::Capacity& capacity : device.capacity) {
    consumed[std::string(capacity.name)] =
        Consumed(WantedOf(capacity.name, wanted), *capacity.capacity, features)
            .value_or(Quantity());
  }
  return consumed;
}

}  // namespace assay::allocator::search
