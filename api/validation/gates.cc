#include "api/validation/gates.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "api/validation/names.h"
#include "api/validation/slice_rules.h"

namespace assay::api::validation {
namespace {

using schema::FieldDescriptor;
using schema::MessageDescriptor;
using schema::Shape;
using schema::Type;

template <typename Predicate>
bool AnyDevice(const resource::ResourceSlice* slice, Predicate predicate) {
  return slice != nullptr &&
         std::any_of(slice->spec.devices.begin(), slice->spec.devices.end(), predicate);
}

bool HasListAttributes(const resource::Device& device) {
  return std::any_of(device.attributes.begin(), device.attributes.end(),
                     [](const auto& entry) { return HasList(entry.second); });
}

bool HasRequestPolicy(const resource::Device& device) {
  return std::any_of(device.capacity.begin(), device.capacity.end(),
                     [](const auto& entry) { return entry.second.request_policy.has_value(); });
}

bool HasNodes(const resource::Device& device) {
  return device.node_name.has_value() || device.node_selector.has_value() ||
         device.all_nodes.has_value();
}

// Calls `visit` with every request and subrequest: what has a class, tolerations and capacity.
template <typename Spec, typename Visit>
void VisitRequests(Spec& spec, Visit visit) {
  for (auto& request : spec.devices.requests) {
    if (request.exactly.has_value()) {
      visit(*request.exactly);
    }
    for (auto& subrequest : request.first_available) {
      visit(subrequest);
    }
  }
}

template <typename Predicate>
bool AnyRequest(const resource::ResourceClaimSpec* spec, Predicate predicate) {
  bool any = false;
  if (spec != nullptr) {
    VisitRequests(*spec, [&](const auto& request) { any = any || predicate(request); });
  }
  return any;
}

bool UsesAdminAccess(const resource::ResourceClaimSpec* spec) {
  return spec != nullptr && std::any_of(spec->devices.requests.begin(),
                                        spec->devices.requests.end(), [](const auto& request) {
                                          return request.exactly.has_value() &&
                                                 request.exactly->admin_access.has_value();
                                        });
}

bool UsesConsumableCapacity(const resource::ResourceClaimSpec* spec) {
  return spec != nullptr &&
         (std::any_of(
              spec->devices.constraints.begin(), spec->devices.constraints.end(),
              [](const auto& constraint) { return constraint.distinct_attribute.has_value(); }) ||
          AnyRequest(spec, [](const auto& request) { return request.capacity.has_value(); }));
}

template <typename Predicate>
bool AnyResult(const resource::ResourceClaim& claim, Predicate predicate) {
  return claim.status.allocation.has_value() &&
         std::any_of(claim.status.allocation->devices.results.begin(),
                     claim.status.allocation->devices.results.end(), predicate);
}

// Whether status.devices is kept: its gate is on, or it is in use.
bool KeepsStatusDevices(const resource::ResourceClaim& old, const Compatibility& compatibility) {
  return compatibility.Enabled("DRAResourceClaimDeviceStatus") || !old.status.devices.empty();
}

using DeviceId = std::tuple<std::string, std::string, std::string, std::string>;

template <typename T>
DeviceId IdOf(const T& device) {
  return {device.driver, device.pool, device.device, device.share_id.value_or("")};
}

bool HasGroups(const resource::Device& device) {
  return std::any_of(
      device.consumes_counters.begin(), device.consumes_counters.end(),
      [](const auto& consumption) { return !consumption.compatibility_groups.empty(); });
}

// Calls `visit` with each struct within a field that holds structs.
template <typename Visit>
void VisitMessages(const FieldDescriptor& field, const void* data, Visit visit) {
  if (field.type != Type::kMessage) {
    return;
  }
  switch (field.shape) {
    case Shape::kValue:
    case Shape::kOptional:
      if (const void* value = field.Get(data)) {
        visit(value);
      }
      break;
    case Shape::kList:
      for (std::size_t i = 0; i < field.Size(data); ++i) {
        visit(field.At(data, i));
      }
      break;
    case Shape::kMap:
      field.VisitMap(data, [&](const std::string&, const void* value) { visit(value); });
      break;
  }
}

void CollectGates(const MessageDescriptor& message, const void* data,
                  std::set<std::string_view>& gates) {
  for (const FieldDescriptor& field : message.fields) {
    if (!field.feature_gate.empty() && field.Has(data)) {
      gates.insert(field.feature_gate);
    }
    VisitMessages(field, data,
                  [&](const void* value) { CollectGates(*field.message, value, gates); });
  }
}

bool AllEnabled(std::string_view gates, const Compatibility& compatibility) {
  const std::vector<std::string_view> names = Split(gates, ',');
  return std::all_of(names.begin(), names.end(),
                     [&](std::string_view name) { return compatibility.Enabled(name); });
}

void DropExcept(const MessageDescriptor& message, void* data,
                const std::set<std::string_view>& in_use, const Compatibility& compatibility) {
  for (const FieldDescriptor& field : message.fields) {
    if (!field.feature_gate.empty() && !in_use.contains(field.feature_gate) && field.Has(data) &&
        !AllEnabled(field.feature_gate, compatibility)) {
      field.Clear(data);
    }
    VisitMessages(field, data, [&](const void* value) {
      // `data` is ours to change, and what lies within it too.
      DropExcept(*field.message, const_cast<void*>(value), in_use, compatibility);
    });
  }
}

}  // namespace

void DropDisabledSliceFields(resource::ResourceSlice& slice, const resource::ResourceSlice* old,
                             const Compatibility& compatibility) {
  std::vector<resource::Device>& devices = slice.spec.devices;
  if (!compatibility.Enabled("DRADeviceTaints") &&
      !AnyDevice(old, [](const auto& device) { return !device.taints.empty(); })) {
    for (resource::Device& device : devices) {
      device.taints.clear();
    }
  }
  const bool partitionable_in_use =
      old != nullptr &&
      (!old->spec.shared_counters.empty() || old->spec.per_device_node_selection.has_value() ||
       AnyDevice(old, [](const auto& device) {
         return !device.consumes_counters.empty() || HasNodes(device);
       }));
  if (!compatibility.Enabled("DRAPartitionableDevices") && !partitionable_in_use) {
    slice.spec.shared_counters.clear();
    slice.spec.per_device_node_selection.reset();
    for (resource::Device& device : devices) {
      device.consumes_counters.clear();
      device.node_name.reset();
      device.node_selector.reset();
      device.all_nodes.reset();
    }
  }
  const bool binding_enabled = compatibility.Enabled("DRADeviceBindingConditions") &&
                               compatibility.Enabled("DRAResourceClaimDeviceStatus");
  if (!binding_enabled && !AnyDevice(old, [](const auto& device) {
        return !device.binding_conditions.empty() || !device.binding_failure_conditions.empty() ||
               device.binds_to_node.has_value();
      })) {
    for (resource::Device& device : devices) {
      device.binding_conditions.clear();
      device.binding_failure_conditions.clear();
      device.binds_to_node.reset();
    }
  }
  if (!compatibility.Enabled("DRAConsumableCapacity") && !AnyDevice(old, [](const auto& device) {
        return device.allow_multiple_allocations.has_value() || HasRequestPolicy(device);
      })) {
    for (resource::Device& device : devices) {
      device.allow_multiple_allocations.reset();
      for (auto& [name, capacity] : device.capacity) {
        capacity.request_policy.reset();
      }
    }
  }
  if (!compatibility.Enabled("DRANodeAllocatableResources") &&
      !AnyDevice(old, [](const auto& device) {
        return !device.node_allocatable_resource_mappings.empty() ||
               !device.node_allocatable_resources.empty();
      })) {
    for (resource::Device& device : devices) {
      device.node_allocatable_resource_mappings.clear();
      device.node_allocatable_resources.clear();
    }
  }
  if (!compatibility.Enabled("DRADeviceCompatibilityGroups") && !AnyDevice(old, HasGroups)) {
    for (resource::Device& device : devices) {
      for (resource::DeviceCounterConsumption& consumption : device.consumes_counters) {
        consumption.compatibility_groups.clear();
      }
    }
  }
  const bool skips = old != nullptr && !old->spec.skip_node_operations.empty();
  if (!compatibility.Enabled("DRAOptionalNodeOperations") && !skips) {
    slice.spec.skip_node_operations.clear();
  }
  if (!compatibility.Enabled("DRAListTypeAttributes") && !AnyDevice(old, HasListAttributes)) {
    // What is left of such an attribute is refused by validation.
    for (resource::Device& device : devices) {
      for (auto& [name, attribute] : device.attributes) {
        attribute.bools.clear();
        attribute.ints.clear();
        attribute.strings.clear();
        attribute.versions.clear();
      }
    }
  }
}

void DropDisabledClaimSpecFields(resource::ResourceClaimSpec& spec,
                                 const resource::ResourceClaimSpec* old,
                                 const Compatibility& compatibility) {
  const auto uses_list = [](const resource::ResourceClaimSpec* other) {
    return other != nullptr &&
           std::any_of(other->devices.requests.begin(), other->devices.requests.end(),
                       [](const auto& request) { return !request.first_available.empty(); });
  };
  if (!compatibility.Enabled("DRAPrioritizedList") && !uses_list(old)) {
    for (resource::DeviceRequest& request : spec.devices.requests) {
      request.first_available.clear();
    }
  }
  if (!compatibility.Enabled("DRADeviceTaints") &&
      !AnyRequest(old, [](const auto& request) { return !request.tolerations.empty(); })) {
    VisitRequests(spec, [](auto& request) { request.tolerations.clear(); });
  }
  if (!compatibility.Enabled("DRADerivedAttributes") &&
      !AnyRequest(old, [](const auto& request) { return !request.derived_attributes.empty(); })) {
    VisitRequests(spec, [](auto& request) { request.derived_attributes.clear(); });
  }
  if (!compatibility.Enabled("DRAAdminAccess") && !UsesAdminAccess(old)) {
    for (resource::DeviceRequest& request : spec.devices.requests) {
      if (request.exactly.has_value()) {
        request.exactly->admin_access.reset();
      }
    }
  }
  if (!compatibility.Enabled("DRAConsumableCapacity") && !UsesConsumableCapacity(old)) {
    for (resource::DeviceConstraint& constraint : spec.devices.constraints) {
      constraint.distinct_attribute.reset();
    }
    VisitRequests(spec, [](auto& request) { request.capacity.reset(); });
  }
}

void DropDisabledClaimStatusFields(resource::ResourceClaim& claim,
                                   const resource::ResourceClaim& old,
                                   const Compatibility& compatibility) {
  using Result = resource::DeviceRequestAllocationResult;
  if (!KeepsStatusDevices(old, compatibility)) {
    claim.status.devices.clear();
  }
  std::vector<Result> none;
  std::vector<Result>& results =
      claim.status.allocation.has_value() ? claim.status.allocation->devices.results : none;
  if (!compatibility.Enabled("DRAAdminAccess") && !UsesAdminAccess(&old.spec) &&
      !AnyResult(old, [](const Result& result) { return result.admin_access.has_value(); })) {
    for (Result& result : results) {
      result.admin_access.reset();
    }
  }
  const bool shares_in_use =
      UsesConsumableCapacity(&old.spec) ||
      AnyResult(old,
                [](const Result& result) {
                  return result.share_id.has_value() || !result.consumed_capacity.empty();
                }) ||
      std::any_of(old.status.devices.begin(), old.status.devices.end(),
                  [](const auto& device) { return device.share_id.has_value(); });
  if (!compatibility.Enabled("DRAConsumableCapacity") && !shares_in_use) {
    for (Result& result : results) {
      result.share_id.reset();
      result.consumed_capacity.clear();
    }
    for (resource::AllocatedDeviceStatus& device : claim.status.devices) {
      device.share_id.reset();
    }
  }
  if (!compatibility.Enabled("DRAOptionalNodeOperations") &&
      !AnyResult(old, [](const Result& r) { return !r.skip_node_operations.empty(); })) {
    for (Result& result : results) {
      result.skip_node_operations.clear();
    }
  }
  if (!compatibility.Enabled("DRADeviceBindingConditions") && !AnyResult(old, [](const Result& r) {
        return !r.binding_conditions.empty() || !r.binding_failure_conditions.empty();
      })) {
    for (Result& result : results) {
      result.binding_conditions.clear();
      result.binding_failure_conditions.clear();
    }
  }
}

void DropDeallocatedStatusDevices(resource::ResourceClaim& claim,
                                  const resource::ResourceClaim& old,
                                  const Compatibility& compatibility) {
  if (!KeepsStatusDevices(old, compatibility)) {
    return;
  }
  std::set<DeviceId> deallocated;
  if (old.status.allocation.has_value()) {
    for (const auto& result : old.status.allocation->devices.results) {
      deallocated.insert(IdOf(result));
    }
  }
  if (claim.status.allocation.has_value()) {
    for (const auto& result : claim.status.allocation->devices.results) {
      deallocated.erase(IdOf(result));
    }
  }
  std::erase_if(claim.status.devices,
                [&](const auto& device) { return deallocated.contains(IdOf(device)); });
}

void DropDisabledDeviceClassFields(resource::DeviceClass& device_class,
                                   const resource::DeviceClass* old,
                                   const Compatibility& compatibility) {
  const bool in_use = old != nullptr && old->spec.extended_resource_name.has_value();
  if (!compatibility.Enabled("DRAExtendedResource") && !in_use) {
    device_class.spec.extended_resource_name.reset();
  }
}

void DropGatedFields(const MessageDescriptor& message, void* data, const void* old,
                     const Compatibility& compatibility) {
  std::set<std::string_view> in_use;
  if (old != nullptr) {
    CollectGates(message, old, in_use);
  }
  DropExcept(message, data, in_use, compatibility);
}

}  // namespace assay::api::validation
