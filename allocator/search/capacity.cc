#include "allocator/search/capacity.h"

#include <algorithm>

namespace assay::allocator::search {
namespace {

using api::meta::Quantity;
using api::resource::CapacityRequestPolicy;
using api::resource::CapacityRequestPolicyRange;
using api::resource::CapacityRequirements;
using api::resource::DeviceCapacity;

const Quantity* WantedOf(std::string_view name, const CapacityRequirements* wanted) {
  if (wanted == nullptr) {
    return nullptr;
  }
  const auto it = wanted->requests.find(std::string(name));
  return it == wanted->requests.end() ? nullptr : &it->second;
}

Quantity RoundUpInRange(const Quantity& wanted, const CapacityRequestPolicyRange& range) {
  const Quantity min = range.min.value_or(Quantity());
  if (wanted < min) {
    return min;
  }
  if (!range.step.has_value() || range.step->Value() == 0) {
    return wanted;
  }
  const std::int64_t step = range.step->Value();
  const std::int64_t added = wanted.Value() - min.Value();
  const std::int64_t steps = added / step + (added % step != 0 ? 1 : 0);
  return Quantity::FromInt64(min.Value() + step * steps, Quantity::Format::kBinarySI);
}

// What is taken if `wanted` is asked for; null: nothing in particular is.
Quantity Consumed(const Quantity* wanted, const DeviceCapacity& capacity) {
  const std::optional<CapacityRequestPolicy>& policy = capacity.request_policy;
  if (wanted == nullptr) {
    return policy.has_value() && policy->default_.has_value() ? *policy->default_ : capacity.value;
  }
  if (policy.has_value() && policy->valid_range.has_value()) {
    return RoundUpInRange(*wanted, *policy->valid_range);
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

bool Violates(const Quantity& consumed, const std::optional<CapacityRequestPolicy>& policy) {
  if (!policy.has_value() || (policy->default_.has_value() && consumed == *policy->default_)) {
    return false;
  }
  if (policy->valid_range.has_value()) {
    const CapacityRequestPolicyRange& range = *policy->valid_range;
    if (range.max.has_value() && consumed > *range.max) {
      return true;
    }
    if (!range.step.has_value() || range.step->Value() == 0) {
      return false;
    }
    const Quantity min = range.min.value_or(Quantity());
    return (consumed.Value() - min.Value()) % range.step->Value() != 0;
  }
  return !policy->valid_values.empty() &&
         std::find(policy->valid_values.begin(), policy->valid_values.end(), consumed) ==
             policy->valid_values.end();
}

}  // namespace

bool FitsCapacity(const inventory::Device& device, const inventory::DeviceUse* use,
                  const Allocating* allocating, const CapacityRequirements* wanted) {
  if (wanted != nullptr) {
    for (const auto& [name, quantity] : wanted->requests) {
      if (!device.api->capacity.contains(name)) {
        return false;
      }
    }
  }
  for (std::size_t i = 0; i < device.capacity.size(); ++i) {
    const inventory::Device::Capacity& capacity = device.capacity[i];
    const Quantity* requested = WantedOf(capacity.name, wanted);
    const cel::Quantity* used = nullptr;
    if (use != nullptr && use->has_consumed) {
      const auto it = use->consumed.find(std::string(capacity.name));
      used = it == use->consumed.end() ? nullptr : &it->second;
    }
    // The whole value, of which nothing is used, fits.
    if (requested == nullptr && used == nullptr && allocating == nullptr &&
        !capacity.capacity->request_policy.has_value()) {
      continue;
    }
    const Quantity consumed = Consumed(requested, *capacity.capacity);
    if (Violates(consumed, capacity.capacity->request_policy)) {
      return false;
    }
    cel::Quantity sum = inventory::ToAmount(consumed);
    if (used != nullptr) {
      sum += *used;
    }
    if (allocating != nullptr) {
      sum += (*allocating)[i];
    }
    if (sum.Compare(capacity.value) > 0) {
      return false;
    }
  }
  return true;
}

std::map<std::string, Quantity> ConsumedCapacity(const inventory::Device& device,
                                                 const CapacityRequirements* wanted) {
  std::map<std::string, Quantity> consumed;
  for (const inventory::Device::Capacity& capacity : device.capacity) {
    consumed[std::string(capacity.name)] =
        Consumed(WantedOf(capacity.name, wanted), *capacity.capacity);
  }
  return consumed;
}

}  // namespace assay::allocator::search
