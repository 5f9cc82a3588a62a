#include "controlplane/scheduler/native_resources.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "api/client/informer.h"
#include "controlplane/claims/pod_claims.h"
#include "controlplane/scheduler/dynamic_resources.h"

namespace assay::controlplane::scheduler {
namespace {

using api::core::Container;
using api::core::Pod;
using api::meta::Quantity;
using api::resource::Device;

// A decimal number of 64 bits: no quantity is finer than a billionth.
struct Decimal {
  std::int64_t value = 0;
  std::int32_t scale = 0;
};

Decimal DecimalOf(const Quantity& quantity) {
  for (std::int32_t scale = 0; scale > Quantity::kNano; scale += Quantity::kMilli) {
    const std::int64_t value = quantity.ScaledValue(scale);
    if (Quantity::FromScaled(value, scale) == quantity) {
      return {value, scale};
    }
  }
  return {quantity.ScaledValue(Quantity::kNano), Quantity::kNano};
}

// `a` times `b`, in the format of `a`. kInvalidArgument: more than 64 bits hold.
Result<Quantity> Product(const Quantity& a, const Quantity& b) {
  const Decimal x = DecimalOf(a);
  const Decimal y = DecimalOf(b);
  std::int64_t product = 0;
  if (__builtin_mul_overflow(x.value, y.value, &product)) {
    return InvalidArgumentError(a.ToString() + " * " + b.ToString() + " is too large");
  }
  return Quantity::FromScaled(product, x.scale + y.scale, a.format());
}

// Adds what one device takes; false if it has no mapping.
Result<bool> AddDevice(const Device& device,
                       const api::resource::DeviceRequestAllocationResult& result,
                       std::map<std::string, Quantity>& resources) {
  for (const auto& [resource, mapping] : device.node_allocatable_resource_mappings) {
    Quantity amount = mapping.allocation_multiplier.value_or(Quantity());
    if (mapping.capacity_key) {
      if (result.consumed_capacity.empty()) {
        return FailedPreconditionError(
            "ConsumedCapacity is nil, but Capacity key '" + *mapping.capacity_key +
            "' is set in NodeAllocatableResourceMappings for resource " + resource);
      }
      const auto consumed = result.consumed_capacity.find(*mapping.capacity_key);
      if (consumed == result.consumed_capacity.end()) {
        continue;
      }
      amount = consumed->second;
      if (mapping.allocation_multiplier) {
        ASSAY_ASSIGN_OR_RETURN(amount, Product(amount, *mapping.allocation_multiplier));
      }
    }
    resources[resource].Add(amount);
  }
  return !device.node_allocatable_resource_mappings.empty();
}

// The containers that refer to the claim, in the order of the pod.
std::vector<std::string> ContainersOf(const Pod& pod, const std::string& claim_name) {
  std::vector<std::string> containers;
  for (const auto* list : {&pod.spec.init_containers, &pod.spec.containers}) {
    for (const Container& container : *list) {
      const bool refers = std::any_of(
          pod.spec.resource_claims.begin(), pod.spec.resource_claims.end(), [&](const auto& entry) {
            const Result<claims::ClaimName> name = claims::NameOf(pod, entry);
            return name.ok() && name->name == claim_name &&
                   std::any_of(container.resources.claims.begin(), container.resources.claims.end(),
                               [&](const auto& use) { return use.name == entry.name; });
          });
      if (refers) {
        containers.push_back(container.name);
      }
    }
  }
  return containers;
}

bool IsCounted(const std::string& resource) {
  return resource == "cpu" || resource == "memory" || resource == "ephemeral-storage" ||
         resource.starts_with("hugepages-");
}

}  // namespace

Result<TakenByClaims> TakenOf(const Pod& pod, const std::vector<ClaimAllocation>& claims,
                              const FindDevice& find_device) {
  TakenByClaims taken;
  for (const ClaimAllocation& claim : claims) {
    api::core::NodeAllocatableResourceClaimStatus status;
    status.resource_claim_name = claim.claim->metadata.name;
    for (const auto& result : claim.allocation->devices.results) {
      const Device* device = find_device(result.pool, result.device);
      if (device == nullptr) {
        continue;
      }
      const Result<bool> added = AddDevice(*device, result, status.resources);
      if (!added.ok()) {
        return added.status().WithContext("claim " +
                                          api::client::KeyOf(claim.claim->metadata).ToString() +
                                          ", device " + result.device);
      }
    }
    if (!status.resources.empty()) {
      status.containers = ContainersOf(pod, status.resource_claim_name);
      taken.push_back(std::move(status));
    }
  }
  std::sort(taken.begin(), taken.end(), [](const auto& a, const auto& b) {
    return a.resource_claim_name < b.resource_claim_name;
  });
  return taken;
}

PluginStatus FitTaken(const Pod& pod, const TakenByClaims& taken, const NodeInfo& node) {
  for (const auto& status : taken) {
    if (status.containers.empty()) {
      return PluginStatus::Unresolvable(
          kDynamicResources,
          "claim " + status.resource_claim_name +
              ": node-allocatable resource claim not referenced by any container "
              "within the pod");
    }
  }
  Pod whole = pod;
  whole.status.node_allocatable_resource_claim_statuses = taken;
  const ResourceAmounts requests = RequestsOf(whole);
  if (pod.spec.resources && !pod.spec.resources->requests.empty()) {
    whole.spec.resources.reset();
    for (const auto& [resource, amount] : RequestsOf(whole)) {
      if (const auto limit = requests.find(resource);
          limit != requests.end() && amount > limit->second) {
        return PluginStatus::Unresolvable(
            kDynamicResources, "pod level request for " + resource +
                                   " is insufficient to cover the aggregated container and "
                                   "node-allocatable DRA requests");
      }
    }
  }
  PluginStatus status{PluginStatus::Code::kSuccess, kDynamicResources, {}};
  for (const auto& [resource, amount] : requests) {
    if (!IsCounted(resource) || amount == 0 ||
        amount <= node.Allocatable(resource) - node.Requested(resource)) {
      continue;
    }
    status.reasons.push_back("Insufficient " + resource);
    if (amount > node.Allocatable(resource)) {
      status.code = PluginStatus::Code::kUnresolvable;
    } else if (status.ok()) {
      status.code = PluginStatus::Code::kUnschedulable;
    }
  }
  return status;
}

}  // namespace assay::controlplane::scheduler
