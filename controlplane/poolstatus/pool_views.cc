#include "controlplane/poolstatus/pool_views.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "api/validation/field_error.h"
#include "base/result.h"

namespace assay::controlplane::poolstatus {
namespace {

using api::meta::Quantity;
using api::resource::Device;
using api::resource::DeviceCounterConsumption;
using api::resource::PartitionTypeStatus;
using api::resource::PoolStatus;
using api::resource::ResourceSlice;
using api::resource::ShareableSummaryStatus;

// What the API allows in each of the lists.
constexpr std::size_t kMaxItems = 32;
constexpr std::size_t kMaxErrorBytes = 256;

using Slices = std::vector<const ResourceSlice*>;
// By counter set and counter.
using Counters = std::map<std::string, std::map<std::string, Quantity>>;

std::string NameOf(const PoolStatus& status) { return status.driver + "/" + status.pool_name; }

bool Fits(const std::vector<DeviceCounterConsumption>& cost, const Counters& left) {
  return std::ranges::all_of(cost, [&](const DeviceCounterConsumption& consumption) {
    const auto set = left.find(consumption.counter_set);
    return std::ranges::all_of(consumption.counters, [&](const auto& counter) {
      return set != left.end() && set->second.contains(counter.first) &&
             set->second.at(counter.first) >= counter.second.value;
    });
  });
}

void Deduct(const std::vector<DeviceCounterConsumption>& cost, Counters& left) {
  for (const DeviceCounterConsumption& consumption : cost) {
    const auto set = left.find(consumption.counter_set);
    for (const auto& [name, counter] : consumption.counters) {
      if (set != left.end() && set->second.contains(name)) {
        set->second[name].Sub(counter.value);
      }
    }
  }
}

// What is left in the counters: each device that is in use counts once.
Counters Left(const Slices& slices, const PoolUse& use) {
  Counters left;
  for (const ResourceSlice* slice : slices) {
    for (const auto& set : slice->spec.shared_counters) {
      for (const auto& [name, counter] : set.counters) {
        left[set.name][name] = counter.value;
      }
    }
  }
  for (const ResourceSlice* slice : slices) {
    for (const Device& device : slice->spec.devices) {
      if (use.devices.contains(device.name)) {
        Deduct(device.consumes_counters, left);
      }
    }
  }
  return left;
}

// Two devices that cost the same have the same text.
std::string CostOf(const Device& device) {
  std::vector<std::string> parts;
  for (const DeviceCounterConsumption& consumption : device.consumes_counters) {
    for (const auto& [name, counter] : consumption.counters) {
      parts.push_back(consumption.counter_set + "/" + name + "=" + counter.value.Canonical());
    }
  }
  std::ranges::sort(parts);
  std::string text;
  for (const std::string& part : parts) {
    text += part + ",";
  }
  return text;
}

// The value of the attribute, a string; without its domain it is of the driver's.
std::optional<std::string> TypeOf(const Device& device, const std::string& driver,
                                  const std::string& attribute) {
  auto found = device.attributes.find(attribute);
  if (found == device.attributes.end() && attribute.starts_with(driver + "/")) {
    found = device.attributes.find(attribute.substr(driver.size() + 1));
  }
  return found == device.attributes.end() ? std::nullopt : found->second.string;
}

// Devices of one type.
struct Partitions {
  std::int32_t total = 0;
  std::string cost;
  std::vector<const Device*> free;
};
// By attribute and type.
using PartitionTypes = std::map<std::pair<std::string, std::string>, Partitions>;

// Devices that consume no counters are no partitions. kFailedPrecondition says why types cannot be
// told.
Result<PartitionTypes> TypesOf(const Slices& slices, const std::string& default_attribute,
                               const PoolUse& use, const PoolStatus& status) {
  const bool declared = std::ranges::any_of(slices, [](const ResourceSlice* slice) {
    return slice->spec.partition_type_attribute.has_value();
  });
  PartitionTypes types;
  for (const ResourceSlice* slice : slices) {
    const std::string attribute =
        slice->spec.partition_type_attribute.value_or(declared ? "" : default_attribute);
    for (const Device& device : slice->spec.devices) {
      if (attribute.empty() || device.consumes_counters.empty()) {
        continue;
      }
      const std::optional<std::string> type = TypeOf(device, status.driver, attribute);
      if (!type) {
        return FailedPreconditionError(
            "PartitionTypeMissing: device " + api::validation::GoQuote(device.name) + " in pool " +
            NameOf(status) + " does not carry partition type attribute " +
            api::validation::GoQuote(attribute));
      }
      Partitions& partitions = types[{attribute, *type}];
      const std::string cost = CostOf(device);
      if (partitions.total > 0 && partitions.cost != cost) {
        return FailedPreconditionError("PartitionCostMismatch: devices of partition type " +
                                       api::validation::GoQuote(*type) + " in pool " +
                                       NameOf(status) + " consume different counters");
      }
      ++partitions.total;
      partitions.cost = cost;
      if (!use.devices.contains(device.name)) {
        partitions.free.push_back(&device);
      }
    }
  }
  return types;
}

Result<std::vector<PartitionTypeStatus>> PartitionSummary(const Slices& slices,
                                                          const std::string& default_attribute,
                                                          const PoolUse& use,
                                                          const PoolStatus& status) {
  const bool grouped = std::ranges::any_of(slices, [&](const ResourceSlice* slice) {
    return !slice->spec.devices.empty() &&
           (slice->spec.partition_type_attribute || !default_attribute.empty());
  });
  const bool counted = std::ranges::any_of(
      slices, [](const ResourceSlice* slice) { return !slice->spec.shared_counters.empty(); });
  if (!grouped) {
    return std::vector<PartitionTypeStatus>();
  }
  if (!counted) {
    return FailedPreconditionError("PartitionTypeMissing: pool " + NameOf(status) +
                                   " declares partitionTypeAttribute but publishes no "
                                   "sharedCounters");
  }
  ASSAY_ASSIGN_OR_RETURN(const PartitionTypes types,
                         TypesOf(slices, default_attribute, use, status));
  if (types.size() > kMaxItems) {
    return FailedPreconditionError("PartitionSummaryOverCap: pool " + NameOf(status) + " has " +
                                   std::to_string(types.size()) +
                                   " partition types, exceeding the maximum of 32");
  }
  const Counters left = Left(slices, use);
  std::vector<PartitionTypeStatus> summary;
  for (const auto& [key, partitions] : types) {
    // Each type as if only it were asked for.
    Counters left_of_type = left;
    std::int32_t allocatable = 0;
    for (const Device* device : partitions.free) {
      if (Fits(device->consumes_counters, left_of_type)) {
        Deduct(device->consumes_counters, left_of_type);
        ++allocatable;
      }
    }
    summary.push_back({.attribute = key.first,
                       .type = key.second,
                       .total = partitions.total,
                       .allocatable = allocatable});
  }
  return summary;
}

// Nothing where no device is shared.
Result<std::optional<ShareableSummaryStatus>> ShareableSummary(const Slices& slices,
                                                               const PoolUse& use,
                                                               const PoolStatus& status) {
  bool shared = false;
  std::int32_t untouched = 0;
  std::int32_t begun = 0;
  std::map<std::string, Quantity> total;
  for (const ResourceSlice* slice : slices) {
    for (const Device& device : slice->spec.devices) {
      if (!device.allow_multiple_allocations.value_or(false)) {
        continue;
      }
      shared = true;
      ++(use.devices.contains(device.name) ? begun : untouched);
      for (const auto& [name, capacity] : device.capacity) {
        total[name].Add(capacity.value);
      }
    }
  }
  if (!shared) {
    return std::optional<ShareableSummaryStatus>();
  }
  if (total.size() > kMaxItems) {
    return FailedPreconditionError("ShareableSummaryOverCap: pool " + NameOf(status) + " has " +
                                   std::to_string(total.size()) +
                                   " shareable capacity keys, exceeding the maximum of 32");
  }
  ShareableSummaryStatus summary{.fully_available_devices = untouched,
                                 .partially_available_devices = begun};
  for (const auto& [name, amount] : total) {
    const auto found = use.capacity.find(name);
    const Quantity consumed = found == use.capacity.end() ? Quantity::FromInt64(0) : found->second;
    Quantity available = amount;
    available.Sub(consumed);
    if (available.Sign() < 0) {
      available = Quantity::FromInt64(0, amount.format());
    }
    summary.capacity.push_back(
        {.name = name, .total = amount, .consumed = consumed, .available = available});
  }
  return std::optional(std::move(summary));
}

}  // namespace

void AddViews(const std::vector<const ResourceSlice*>& slices, const std::string& default_attribute,
              const PoolUse& use, PoolStatus& status) {
  auto partitions = PartitionSummary(slices, default_attribute, use, status);
  auto shareable = ShareableSummary(slices, use, status);
  const Status error = partitions.ok() ? shareable.status() : partitions.status();
  if (shareable.ok()) {
    status.shareable_summary = *std::move(shareable);
  }
  if (error.ok()) {
    status.partition_summary = *std::move(partitions);
  } else {
    status.validation_error = error.message().substr(0, kMaxErrorBytes);
  }
}

}  // namespace assay::controlplane::poolstatus
