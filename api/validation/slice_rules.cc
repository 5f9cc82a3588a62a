#include "api/validation/slice_rules.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/meta/quantity.h"
#include "api/validation/go_json.h"
#include "api/validation/metadata.h"
#include "api/validation/validators.h"

namespace assay::api::validation {
namespace {

constexpr std::size_t kDevicesMaxSize = 128;
constexpr std::size_t kDevicesMaxSizeWithAdvancedFeatures = 64;
constexpr std::size_t kCompatibilityGroupsMaxSize = 2;
constexpr std::size_t kCounterSetsMaxSize = 8;
constexpr std::size_t kCountersMaxSize = 32;
constexpr std::size_t kConsumesCountersMaxSize = 2;
constexpr std::size_t kAttributesAndCapacitiesMaxSize = 32;
constexpr std::size_t kAttributeValuesMaxSize = 48;
constexpr std::size_t kAttributeValueMaxLength = 64;
constexpr std::size_t kTaintsMaxSize = 16;
constexpr std::size_t kValidValuesMaxSize = 10;
// A domain, a slash and an identifier.
constexpr std::size_t kQualifiedNameMaxLength = 63 + 1 + 32;
constexpr std::size_t kTaintRuleConditionsMaxSize = 8;
constexpr std::size_t kPoolStatusesMaxSize = 1000;
constexpr std::size_t kPoolStatusConditionsMaxSize = 10;
constexpr std::size_t kValidationErrorMaxLength = 256;
constexpr std::size_t kLongNameMaxLength = 253;

using meta::Quantity;

MetadataRules ClusterMetadataRules() { return {.name_rule = NameIsDnsSubdomain}; }

// "{`nodeName`, `allNodes`}"
std::string JoinFields(const std::vector<std::string>& fields) {
  std::string text = "{";
  for (std::size_t i = 0; i < fields.size(); ++i) {
    text += (i == 0 ? "`" : ", `") + fields[i] + "`";
  }
  return text + "}";
}

FieldErrors ValidateTaint(const resource::DeviceTaint& taint, const resource::DeviceTaint* old,
                          const FieldPath& path) {
  FieldErrors errors = ValidateLabelName(taint.key, path.Child("key"));
  if (!taint.value.empty()) {
    Append(errors, ValidateLabelValue(taint.value, path.Child("value")));
  }
  if (old == nullptr || old->effect != taint.effect) {
    if (taint.effect.empty()) {
      errors.push_back(Required(path.Child("effect")));
    } else if (taint.effect != "NoSchedule" && taint.effect != "NoExecute" &&
               taint.effect != "None") {
      errors.push_back(
          NotSupported(path.Child("effect"), taint.effect, {"NoExecute", "NoSchedule", "None"}));
    }
  }
  return errors;
}

FieldErrors ValidateAttributeString(const std::string& value, const FieldPath& path) {
  if (value.size() > kAttributeValueMaxLength) {
    return {TooLong(path, kAttributeValueMaxLength)};
  }
  return {};
}

FieldErrors ValidateAttributeVersion(const std::string& value, const FieldPath& path) {
  FieldErrors errors;
  if (!IsSemanticVersion(value)) {
    errors.push_back(
        Invalid(path, value, "must be a string compatible with semver.org spec 2.0.0"));
  }
  Append(errors, ValidateAttributeString(value, path));
  return errors;
}

template <typename T>
FieldErrors RefuseEmpty(const meta::NilableList<T>& list, const FieldPath& path) {
  if (list.IsNil() || !list.empty()) {
    return {};
  }
  return {InvalidJson(path, "[]", "must not be empty if specified")};
}

FieldErrors ValidateAttribute(const resource::DeviceAttribute& attribute, const FieldPath& path) {
  FieldErrors errors;
  if (attribute.string.has_value()) {
    Append(errors, ValidateAttributeString(*attribute.string, path.Child("string")));
  }
  if (attribute.version.has_value()) {
    Append(errors, ValidateAttributeVersion(*attribute.version, path.Child("version")));
  }
  Append(errors, RefuseEmpty(attribute.bools, path.Child("bools")));
  Append(errors, RefuseEmpty(attribute.ints, path.Child("ints")));
  Append(errors, RefuseEmpty(attribute.strings, path.Child("strings")));
  Append(errors, ValidateSlice(attribute.strings, kNoLimit, path.Child("strings"),
                               ValidateAttributeString));
  Append(errors, RefuseEmpty(attribute.versions, path.Child("versions")));
  Append(errors, ValidateSlice(attribute.versions, kNoLimit, path.Child("versions"),
                               ValidateAttributeVersion));
  const int values = int{attribute.bool_.has_value()} + int{attribute.int_.has_value()} +
                     int{attribute.string.has_value()} + int{attribute.version.has_value()} +
                     int{!attribute.bools.IsNil()} + int{!attribute.ints.IsNil()} +
                     int{!attribute.strings.IsNil()} + int{!attribute.versions.IsNil()};
  if (values == 0) {
    errors.push_back(Invalid(path, "", "exactly one value must be specified"));
  } else if (values > 1) {
    errors.push_back(InvalidJson(path, GoJsonOf(attribute), "exactly one value must be specified"));
  }
  return errors;
}

std::size_t CountAttributeValues(const resource::Device& device) {
  std::size_t count = 0;
  for (const auto& [name, attribute] : device.attributes) {
    const std::size_t items = attribute.bools.size() + attribute.ints.size() +
                              attribute.strings.size() + attribute.versions.size();
    count += std::max<std::size_t>(items, 1);
  }
  return count;
}

FieldErrors ValidateValidValues(const Quantity& default_value, const Quantity& capacity,
                                const std::vector<Quantity>& values, const FieldPath& path) {
  FieldErrors errors;
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (values[i - 1] > values[i]) {
      errors.push_back(
          Invalid(path.Index(i), values[i].ToString(), "values must be sorted in ascending order"));
    }
  }
  bool found_default = false;
  Append(errors,
         ValidateSet(
             values, kValidValuesMaxSize, path,
             [&](const Quantity& value, const FieldPath& item) -> FieldErrors {
               found_default = found_default || value == default_value;
               if (value > capacity) {
                 return {Invalid(item, value.ToString(),
                                 "option is larger than capacity value: " + capacity.ToString())};
               }
               return {};
             },
             // Rounded up to integers: 1.2 and 1.7 collide, as they do upstream.
             [](const Quantity& value) { return std::to_string(value.Value()); }));
  if (!found_default) {
    errors.push_back(Invalid(path, default_value.ToString(),
                             "default value is not valid according to the requestPolicy"));
  }
  return errors;
}

FieldErrors ValidateStep(const Quantity& value, const Quantity& min, const Quantity& step,
                         const FieldPath& path) {
  const std::int64_t step_value = step.Value();
  if (step_value == 0) {
    // Kubernetes panics here and answers 500.
    return {InternalFieldError(path, "runtime error: integer divide by zero")};
  }
  // Wraps around as Go's int64 does; so does a remainder by -1.
  const auto difference = static_cast<std::int64_t>(static_cast<std::uint64_t>(value.Value()) -
                                                    static_cast<std::uint64_t>(min.Value()));
  if (step_value != -1 && difference % step_value != 0) {
    return {Invalid(path, value.ToString(),
                    "value is not a multiple of a given step (" + step.ToString() + ") from (" +
                        min.ToString() + ")")};
  }
  return {};
}

FieldErrors ValidateValidRange(const Quantity& default_value, const Quantity& capacity,
                               const resource::CapacityRequestPolicyRange& range,
                               const FieldPath& path) {
  if (!range.min.has_value()) {
    return {Required(path.Child("min"), "required when validRange is defined")};
  }
  FieldErrors errors;
  const Quantity& min = *range.min;
  if (min > capacity) {
    errors.push_back(Invalid(path.Child("min"), min.ToString(),
                             "min is larger than capacity value: " + capacity.ToString()));
  }
  if (default_value < min) {
    errors.push_back(Invalid(path.Child("min"), default_value.ToString(),
                             "default is less than min: " + min.ToString()));
  }
  if (range.max.has_value()) {
    const Quantity& max = *range.max;
    if (min > max) {
      errors.push_back(
          Invalid(path.Child("max"), min.ToString(), "min is larger than max: " + max.ToString()));
    }
    if (max > capacity) {
      errors.push_back(Invalid(path.Child("max"), max.ToString(),
                               "max is larger than capacity value: " + capacity.ToString()));
    }
    if (default_value > max) {
      errors.push_back(Invalid(path.Child("max"), default_value.ToString(),
                               "default is more than max: " + max.ToString()));
    }
  }
  if (range.step.has_value()) {
    Quantity first_step = min;
    first_step.Add(*range.step);
    if (first_step > capacity) {
      errors.push_back(Invalid(path.Child("step"), range.step->ToString(),
                               "one step " + first_step.ToString() +
                                   " is larger than capacity value: " + capacity.ToString()));
    }
    Append(errors, ValidateStep(default_value, min, *range.step, path.Child("step")));
    if (range.max.has_value()) {
      Append(errors, ValidateStep(*range.max, min, *range.step, path.Child("step")));
    }
  }
  return errors;
}

FieldErrors ValidateRequestPolicy(const Quantity& capacity,
                                  const resource::CapacityRequestPolicy& policy,
                                  const FieldPath& path) {
  const bool has_values = !policy.valid_values.empty();
  if (has_values && policy.valid_range.has_value()) {
    return {Forbidden(path,
                      "exactly one policy can be specified, cannot specify \"validValues\" and "
                      "\"validRange\" at the same time")};
  }
  if (has_values) {
    if (!policy.default_.has_value()) {
      return {Required(path.Child("default"), "required when validValues is defined")};
    }
    return ValidateValidValues(*policy.default_, capacity, policy.valid_values,
                               path.Child("validValues"));
  }
  if (policy.valid_range.has_value()) {
    if (!policy.default_.has_value()) {
      return {Required(path.Child("default"), "required when validRange is defined")};
    }
    return ValidateValidRange(*policy.default_, capacity, *policy.valid_range,
                              path.Child("validRange"));
  }
  return {};
}

FieldErrors ValidateCapacity(const resource::DeviceCapacity& capacity, bool shareable,
                             const FieldPath& path) {
  if (!capacity.request_policy.has_value()) {
    return {};
  }
  if (!shareable) {
    return {Forbidden(path.Child("requestPolicy"), "allowMultipleAllocations must be true")};
  }
  return ValidateRequestPolicy(capacity.value, *capacity.request_policy,
                               path.Child("requestPolicy"));
}

FieldErrors ValidateCounters(const std::map<std::string, resource::Counter>& counters,
                             const FieldPath& path) {
  if (counters.empty()) {
    return {Required(path)};
  }
  return ValidateMap(
      counters, kCountersMaxSize, kLabelMaxLength, path,
      [](const std::string& name, const FieldPath& map) { return ValidateDns1123Label(name, map); },
      // Any quantity will do.
      [](const resource::Counter&, const FieldPath&) { return FieldErrors(); });
}

// A counter set, or what a device takes of one: a name and counters.
FieldErrors ValidateCounterSet(const std::string& name, std::string_view name_field,
                               const std::map<std::string, resource::Counter>& counters,
                               const FieldPath& path) {
  FieldErrors errors;
  if (name.empty()) {
    errors.push_back(Required(path.Child(name_field)));
  } else {
    Append(errors, ValidateDns1123Label(name, path.Child(name_field)));
  }
  Append(errors, ValidateCounters(counters, path.Child("counters")));
  return errors;
}

FieldErrors ValidateDeviceNodes(const resource::Device& device, bool per_device,
                                const FieldPath& path) {
  const bool any = device.node_name.has_value() || device.node_selector.has_value() ||
                   device.all_nodes.has_value();
  if (!per_device) {
    if (any) {
      return {InvalidJson(path, "null",
                          "`nodeName`, `nodeSelector` and `allNodes` can only be set if "
                          "`perDeviceNodeSelection` is set to true in the ResourceSlice spec")};
    }
    return {};
  }
  FieldErrors errors;
  std::vector<std::string> set;
  if (device.node_name.has_value()) {
    if (device.node_name->empty()) {
      errors.push_back(Invalid(path.Child("nodeName"), "", "must not be empty"));
    } else {
      set.emplace_back("nodeName");
      Append(errors, ValidateDns1123Subdomain(*device.node_name, path.Child("nodeName")));
    }
  }
  if (device.node_selector.has_value()) {
    set.emplace_back("nodeSelector");
    Append(errors, ValidateNodeSelector(*device.node_selector, path.Child("nodeSelector")));
  }
  if (device.all_nodes.has_value()) {
    if (*device.all_nodes) {
      set.emplace_back("allNodes");
    } else {
      errors.push_back(
          Invalid(path.Child("allNodes"), false, "must be either unset or set to true"));
    }
  }
  constexpr std::string_view kExactlyOne =
      "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when "
      "`perDeviceNodeSelection` is set to true in the ResourceSlice spec";
  if (set.empty()) {
    errors.push_back(Required(path, kExactlyOne));
  } else if (set.size() > 1) {
    errors.push_back(Invalid(path, JoinFields(set), kExactlyOne));
  }
  return errors;
}

FieldErrors ValidateNodeAllocatableMappings(const resource::Device& device, const FieldPath& path) {
  FieldErrors errors;
  for (const auto& [name, mapping] : device.node_allocatable_resource_mappings) {
    const FieldPath item = path.Key(name);
    if (!IsNativeResource(name)) {
      errors.push_back(Invalid(item, name, "must be a node allocatable resource name"));
    }
    if (!mapping.allocation_multiplier.has_value() && !mapping.capacity_key.has_value()) {
      errors.push_back(
          Invalid(item, "", "at least one of allocationMultiplier or capacityKey must be set"));
      continue;
    }
    if (mapping.allocation_multiplier.has_value() && mapping.allocation_multiplier->Sign() <= 0) {
      errors.push_back(Invalid(item.Child("allocationMultiplier"),
                               mapping.allocation_multiplier->ToString(), "must be positive"));
    }
    if (mapping.capacity_key.has_value()) {
      if (mapping.capacity_key->empty()) {
        errors.push_back(
            Invalid(item.Child("capacityKey"), "", "capacityKey must not be an empty string"));
      } else if (!device.capacity.contains(*mapping.capacity_key)) {
        errors.push_back(NotFound(item.Child("capacityKey"), *mapping.capacity_key));
      }
    }
  }
  return errors;
}

// 1.37's fields in place of the mappings.
FieldErrors ValidateNodeAllocatableMapping(const resource::NodeAllocatableMapping& mapping,
                                           const resource::Device& device, const FieldPath& path) {
  FieldErrors errors;
  const FieldPath key = path.Child("capacityKey");
  const FieldPath multiplier = path.Child("capacityMultiplier");
  if (mapping.capacity_key.has_value()) {
    if (mapping.capacity_key->empty()) {
      errors.push_back(Invalid(key, "", "capacityKey must not be an empty string"));
    } else if (!device.capacity.contains(*mapping.capacity_key)) {
      errors.push_back(NotFound(key, *mapping.capacity_key));
    }
    if (!mapping.capacity_multiplier.has_value()) {
      errors.push_back(
          Required(multiplier, "capacityMultiplier is required when capacityKey is set"));
    } else if (mapping.capacity_multiplier->Sign() <= 0) {
      errors.push_back(
          Invalid(multiplier, mapping.capacity_multiplier->ToString(), "must be positive"));
    }
  }
  if (mapping.device_multiplier.has_value() && mapping.device_multiplier->Sign() <= 0) {
    errors.push_back(Invalid(path.Child("deviceMultiplier"), mapping.device_multiplier->ToString(),
                             "must be positive"));
  }
  if (mapping.capacity_multiplier.has_value() && !mapping.capacity_key.has_value()) {
    errors.push_back(Required(key, "capacityKey is required when capacityMultiplier is set"));
  }
  return errors;
}

FieldErrors ValidateNodeAllocatableOverhead(const resource::NodeAllocatableOverhead& overhead,
                                            const FieldPath& path) {
  if (!overhead.per_pod.has_value() && !overhead.per_container.has_value()) {
    return {Invalid(path, "", "at least one of perPod or perContainer must be set")};
  }
  FieldErrors errors;
  for (const auto& [quantity, name] : {std::pair(&overhead.per_pod, "perPod"),
                                       std::pair(&overhead.per_container, "perContainer")}) {
    if (quantity->has_value() && (*quantity)->Sign() < 0) {
      errors.push_back(Invalid(path.Child(name), (*quantity)->ToString(), "must be non-negative"));
    }
  }
  return errors;
}

FieldErrors ValidateNodeAllocatableResources(const resource::Device& device,
                                             const FieldPath& path) {
  FieldErrors errors;
  for (const auto& [name, resource] : device.node_allocatable_resources) {
    const FieldPath item = path.Key(name);
    if (!IsNativeResource(name)) {
      errors.push_back(Invalid(item, name, "must be a node allocatable resource name"));
    }
    if (!resource.mapping.has_value() && !resource.overhead.has_value()) {
      errors.push_back(Required(item, "at least one of mapping or overhead must be set"));
    }
    if (resource.mapping.has_value()) {
      Append(errors,
             ValidateNodeAllocatableMapping(*resource.mapping, device, item.Child("mapping")));
    }
    if (resource.overhead.has_value()) {
      Append(errors, ValidateNodeAllocatableOverhead(*resource.overhead, item.Child("overhead")));
    }
  }
  return errors;
}

// The attribute that tells a device's partition: every device that consumes counters has it, as a
// string. An attribute of the driver's own domain may be published without the domain.
FieldErrors ValidatePartitionTypeAttribute(const resource::ResourceSliceSpec& spec,
                                           const FieldPath& path) {
  const std::string& name = *spec.partition_type_attribute;
  const FieldPath name_path = path.Child("partitionTypeAttribute");
  FieldErrors errors;
  if (std::none_of(spec.devices.begin(), spec.devices.end(),
                   [](const auto& device) { return !device.consumes_counters.empty(); })) {
    errors.push_back(
        Invalid(name_path, name,
                "may only be set on a slice which declares devices that consume counters"));
  }
  const FieldErrors malformed = ValidateFullyQualifiedName(name, name_path);
  Append(errors, malformed);
  if (!errors.empty()) {
    return errors;
  }
  const std::string bare =
      name.starts_with(spec.driver + "/") ? name.substr(spec.driver.size() + 1) : name;
  for (std::size_t i = 0; i < spec.devices.size(); ++i) {
    const resource::Device& device = spec.devices[i];
    if (device.consumes_counters.empty()) {
      continue;
    }
    const FieldPath item = path.Child("devices").Index(i).Child("attributes").Key(name);
    auto attribute = device.attributes.find(name);
    if (attribute == device.attributes.end()) {
      attribute = device.attributes.find(bare);
    }
    if (attribute == device.attributes.end()) {
      errors.push_back(Required(item,
                                "device consumes counters and `partitionTypeAttribute` names this "
                                "attribute, so it must be set"));
    } else if (!attribute->second.string.has_value()) {
      errors.push_back(InvalidJson(item, GoJsonOf(attribute->second),
                                   "must be a string value because `partitionTypeAttribute` names "
                                   "this attribute"));
    }
  }
  return errors;
}

FieldErrors ValidateCounterConsumption(const resource::DeviceCounterConsumption& consumption,
                                       const FieldPath& path) {
  FieldErrors errors =
      ValidateCounterSet(consumption.counter_set, "counterSet", consumption.counters, path);
  Append(errors, ValidateSet(consumption.compatibility_groups, kCompatibilityGroupsMaxSize,
                             path.Child("compatibilityGroups"), ValidateDns1123Label,
                             [](const std::string& group) { return group; }));
  return errors;
}

FieldErrors ValidateDevice(const resource::Device& device, const resource::Device* old,
                           bool per_device_nodes, const FieldPath& path) {
  FieldErrors errors = ValidateDns1123Label(device.name, path.Child("name"));
  const std::size_t names = device.attributes.size() + device.capacity.size();
  if (names > kAttributesAndCapacitiesMaxSize) {
    errors.push_back(Invalid(path, static_cast<std::int64_t>(names),
                             "the total number of attributes and capacities must not exceed " +
                                 std::to_string(kAttributesAndCapacitiesMaxSize)));
  }
  const std::size_t values = CountAttributeValues(device);
  if (values > kAttributeValuesMaxSize) {
    errors.push_back(Invalid(path, static_cast<std::int64_t>(values),
                             "the total number of attribute values must not exceed " +
                                 std::to_string(kAttributeValuesMaxSize)));
  }
  Append(errors, ValidateMap(device.attributes, kNoLimit, kQualifiedNameMaxLength,
                             path.Child("attributes"), ValidateQualifiedName, ValidateAttribute));
  const bool shareable = device.allow_multiple_allocations.value_or(false);
  Append(errors, ValidateMap(device.capacity, kNoLimit, kQualifiedNameMaxLength,
                             path.Child("capacity"), ValidateQualifiedName,
                             [&](const resource::DeviceCapacity& capacity, const FieldPath& item) {
                               return ValidateCapacity(capacity, shareable, item);
                             }));
  const bool taints_unchanged = old != nullptr && SemanticEqual(device.taints, old->taints);
  if (!taints_unchanged) {
    Append(errors, ValidateSlice(device.taints, kTaintsMaxSize, path.Child("taints"),
                                 [](const resource::DeviceTaint& taint, const FieldPath& item) {
                                   return ValidateTaint(taint, nullptr, item);
                                 }));
  }
  Append(errors, ValidateSet(device.consumes_counters, kConsumesCountersMaxSize,
                             path.Child("consumesCounters"), ValidateCounterConsumption,
                             [](const resource::DeviceCounterConsumption& consumption) {
                               return consumption.counter_set;
                             }));
  Append(errors, ValidateDeviceNodes(device, per_device_nodes, path));
  Append(errors, ValidateBindingConditions(device.binding_conditions,
                                           device.binding_failure_conditions, path));
  Append(errors,
         ValidateNodeAllocatableMappings(device, path.Child("nodeAllocatableResourceMappings")));
  Append(errors, ValidateNodeAllocatableResources(device, path.Child("nodeAllocatableResources")));
  return errors;
}

// Where the devices of a slice are, which exactly one field says.
FieldErrors ValidateSliceNodes(const resource::ResourceSliceSpec& spec, const FieldPath& path) {
  FieldErrors errors;
  std::vector<std::string> set;
  if (spec.node_name.has_value()) {
    if (spec.node_name->empty()) {
      errors.push_back(
          Invalid(path.Child("nodeName"), "", "must be either unset or set to a non-empty string"));
    } else {
      set.emplace_back("nodeName");
      Append(errors, ValidateDns1123Subdomain(*spec.node_name, path.Child("nodeName")));
    }
  }
  if (spec.node_selector.has_value()) {
    const FieldPath selector = path.Child("nodeSelector");
    set.emplace_back("nodeSelector");
    Append(errors, ValidateNodeSelector(*spec.node_selector, selector));
    if (spec.node_selector->node_selector_terms.size() != 1) {
      // A required list: clients send an empty one, not none.
      const auto& terms = spec.node_selector->node_selector_terms;
      errors.push_back(InvalidJson(selector.Child("nodeSelectorTerms"),
                                   terms.empty() ? "[]" : GoJsonOf(terms),
                                   "must have exactly one node selector term"));
    }
  }
  const std::pair<std::string_view, const std::optional<bool>*> flags[] = {
      {"allNodes", &spec.all_nodes}, {"perDeviceNodeSelection", &spec.per_device_node_selection}};
  for (const auto& [name, flag] : flags) {
    if (!flag->has_value()) {
      continue;
    }
    if (**flag) {
      set.emplace_back(name);
    } else {
      errors.push_back(Invalid(path.Child(name), false, "must be either unset or set to true"));
    }
  }
  const std::string exactly_one =
      "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
  if (set.empty()) {
    errors.push_back(Required(path, exactly_one));
  } else if (set.size() > 1) {
    errors.push_back(Invalid(path, JoinFields(set), exactly_one + ", but multiple fields are set"));
  }
  return errors;
}

// Devices with these make scheduling dearer, so that a slice may have fewer of them.
bool HasAdvancedFeatures(const resource::Device& device) {
  return !device.taints.empty() || !device.consumes_counters.empty() ||
         std::any_of(device.attributes.begin(), device.attributes.end(),
                     [](const auto& entry) { return HasList(entry.second); });
}

FieldErrors ValidateSliceSpec(const resource::ResourceSliceSpec& spec,
                              const resource::ResourceSliceSpec* old, const FieldPath& path) {
  FieldErrors errors = ValidateDriverName(spec.driver, path.Child("driver"));
  const FieldPath pool = path.Child("pool");
  Append(errors, ValidatePoolName(spec.pool.name, pool.Child("name")));
  if (spec.pool.resource_slice_count <= 0) {
    errors.push_back(Invalid(pool.Child("resourceSliceCount"), spec.pool.resource_slice_count,
                             "must be greater than zero"));
  }
  if (spec.pool.generation < 0) {
    errors.push_back(Invalid(pool.Child("generation"), spec.pool.generation,
                             "must be greater than or equal to zero"));
  }
  if (old != nullptr) {
    if (spec.pool.name != old->pool.name) {
      errors.push_back(Invalid(pool.Child("name"), spec.pool.name, kImmutable));
    }
    if (spec.driver != old->driver) {
      errors.push_back(Invalid(path.Child("driver"), spec.driver, kImmutable));
    }
    if (spec.node_name != old->node_name) {
      // A pointer in Go: printed as JSON, or as null.
      errors.push_back(InvalidJson(
          path.Child("nodeName"),
          spec.node_name.has_value() ? json::Quote(*spec.node_name) : "null", kImmutable));
    }
  }
  Append(errors, ValidateSliceNodes(spec, path));
  if (!spec.shared_counters.empty() && !spec.devices.empty()) {
    errors.push_back(Invalid(path, "", "only one of `sharedCounters` or `devices` is allowed"));
  }
  const bool advanced = std::any_of(spec.devices.begin(), spec.devices.end(), HasAdvancedFeatures);
  Append(errors, ValidateSet(
                     spec.devices, advanced ? kDevicesMaxSizeWithAdvancedFeatures : kDevicesMaxSize,
                     path.Child("devices"),
                     [&](const resource::Device& device, const FieldPath& item) {
                       const resource::Device* old_device = nullptr;
                       if (old != nullptr) {
                         const auto found = std::find_if(
                             old->devices.begin(), old->devices.end(),
                             [&](const auto& other) { return other.name == device.name; });
                         old_device = found == old->devices.end() ? nullptr : &*found;
                       }
                       return ValidateDevice(device, old_device,
                                             spec.per_device_node_selection.value_or(false), item);
                     },
                     [](const resource::Device& device) { return device.name; }));
  Append(errors, ValidateSet(
                     spec.shared_counters, kCounterSetsMaxSize, path.Child("sharedCounters"),
                     [](const resource::CounterSet& set, const FieldPath& item) {
                       return ValidateCounterSet(set.name, "name", set.counters, item);
                     },
                     [](const resource::CounterSet& set) { return set.name; }));
  if (spec.partition_type_attribute.has_value()) {
    Append(errors, ValidatePartitionTypeAttribute(spec, path));
  }
  Append(errors,
         ValidateSkipNodeOperations(spec.skip_node_operations, path.Child("skipNodeOperations")));
  return errors;
}

FieldErrors ValidateTaintRuleSpec(const resource::DeviceTaintRuleSpec& spec,
                                  const resource::DeviceTaintRuleSpec* old, const FieldPath& path) {
  FieldErrors errors;
  if (spec.device_selector.has_value()) {
    const resource::DeviceTaintSelector& selector = *spec.device_selector;
    const FieldPath selector_path = path.Child("deviceSelector");
    if (selector.driver.has_value()) {
      Append(errors, ValidateDriverName(*selector.driver, selector_path.Child("driver")));
    }
    if (selector.pool.has_value()) {
      Append(errors, ValidatePoolName(*selector.pool, selector_path.Child("pool")));
    }
    if (selector.device.has_value()) {
      Append(errors, ValidateDns1123Label(*selector.device, selector_path.Child("device")));
    }
  }
  Append(errors,
         ValidateTaint(spec.taint, old == nullptr ? nullptr : &old->taint, path.Child("taint")));
  return errors;
}

// The formats of declarative validation, whose texts differ from the hand-written ones.
FieldErrors ValidateLongNameCaseless(const std::string& name, const FieldPath& path) {
  if (name.empty()) {
    return {Required(path)};
  }
  return InvalidFor(CheckLongNameCaseless(name), name, path);
}

FieldErrors ValidateResourcePoolNameFormat(const std::string& name, const FieldPath& path) {
  FieldErrors errors;
  if (name.size() > kLongNameMaxLength) {
    errors.push_back(TooLong(path, kLongNameMaxLength));
  }
  const std::vector<std::string_view> segments = Split(name, '/');
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::string prefix = "segment " + std::to_string(i) + ": ";
    if (segments[i].empty()) {
      errors.push_back(Invalid(path, name, prefix + "must not be empty"));
      continue;
    }
    for (const std::string& problem : CheckLongName(segments[i])) {
      errors.push_back(Invalid(path, segments[i], prefix + problem));
    }
  }
  return errors;
}

FieldErrors ValidateAtLeast(std::int64_t value, std::int64_t min, const FieldPath& path) {
  if (value >= min) {
    return {};
  }
  return {Invalid(path, value, "must be greater than or equal to " + std::to_string(min))};
}

FieldErrors ValidatePoolRequestSpec(const resource::ResourcePoolStatusRequestSpec& spec,
                                    const FieldPath& path) {
  constexpr std::int64_t kMaxLimit = 1000;
  FieldErrors errors = ValidateLongNameCaseless(spec.driver, path.Child("driver"));
  if (spec.pool_name.has_value()) {
    Append(errors, ValidateResourcePoolNameFormat(*spec.pool_name, path.Child("poolName")));
  }
  const FieldPath limit = path.Child("limit");
  if (!spec.limit.has_value()) {
    errors.push_back(Required(limit));
  } else {
    if (*spec.limit > kMaxLimit) {
      errors.push_back(Invalid(limit, std::int64_t{*spec.limit},
                               "must be less than or equal to " + std::to_string(kMaxLimit)));
    }
    Append(errors, ValidateAtLeast(*spec.limit, 1, limit));
  }
  return errors;
}

FieldErrors ValidatePoolStatus(const resource::PoolStatus& pool, const FieldPath& path) {
  FieldErrors errors = ValidateLongNameCaseless(pool.driver, path.Child("driver"));
  if (pool.pool_name.empty()) {
    errors.push_back(Required(path.Child("poolName")));
  } else {
    Append(errors, ValidateResourcePoolNameFormat(pool.pool_name, path.Child("poolName")));
  }
  // Generation 0 counts as missing, although it is a valid one: upstream's.
  if (pool.generation == 0) {
    errors.push_back(Required(path.Child("generation")));
  } else {
    Append(errors, ValidateAtLeast(pool.generation, 0, path.Child("generation")));
  }
  const std::tuple<std::string_view, const std::optional<std::int32_t>*, std::int64_t> counts[] = {
      {"resourceSliceCount", &pool.resource_slice_count, 1},
      {"totalDevices", &pool.total_devices, 0},
      {"allocatedDevices", &pool.allocated_devices, 0},
      {"availableDevices", &pool.available_devices, 0},
      {"unavailableDevices", &pool.unavailable_devices, 0}};
  for (const auto& [name, count, min] : counts) {
    if (count->has_value()) {
      Append(errors, ValidateAtLeast(**count, min, path.Child(name)));
    }
  }
  if (pool.node_name.has_value()) {
    Append(errors,
           InvalidFor(CheckLongName(*pool.node_name), *pool.node_name, path.Child("nodeName")));
  }
  if (pool.validation_error.has_value() &&
      pool.validation_error->size() > kValidationErrorMaxLength) {
    errors.push_back(TooLong(path.Child("validationError"), kValidationErrorMaxLength));
  }
  return errors;
}

// Declarative validation of a status that is new or has changed.
FieldErrors ValidatePoolRequestStatus(const resource::ResourcePoolStatusRequestStatus& status,
                                      const FieldPath& path) {
  FieldErrors errors;
  if (!status.pool_count.has_value()) {
    errors.push_back(Required(path.Child("poolCount")));
  } else {
    Append(errors, ValidateAtLeast(*status.pool_count, 0, path.Child("poolCount")));
  }
  Append(errors, ValidateSlice(status.pools, kPoolStatusesMaxSize, path.Child("pools"),
                               ValidatePoolStatus));
  const FieldPath conditions = path.Child("conditions");
  if (status.conditions.size() > kPoolStatusConditionsMaxSize) {
    errors.push_back(TooMany(conditions, status.conditions.size(), kPoolStatusConditionsMaxSize));
  } else {
    std::set<std::string_view> types;
    for (std::size_t i = 0; i < status.conditions.size(); ++i) {
      if (!types.insert(status.conditions[i].type).second) {
        errors.push_back(DuplicateJson(conditions.Index(i), GoJsonOf(status.conditions[i])));
      }
    }
  }
  return errors;
}

}  // namespace

bool HasList(const resource::DeviceAttribute& attribute) {
  return !attribute.bools.IsNil() || !attribute.ints.IsNil() || !attribute.strings.IsNil() ||
         !attribute.versions.IsNil();
}

FieldErrors ValidateResourceSlice(const resource::ResourceSlice& slice) {
  FieldErrors errors =
      ValidateObjectMeta(slice.metadata, ClusterMetadataRules(), FieldPath("metadata"));
  Append(errors, ValidateSliceSpec(slice.spec, nullptr, FieldPath("spec")));
  return errors;
}

FieldErrors ValidateResourceSliceUpdate(const resource::ResourceSlice& slice,
                                        const resource::ResourceSlice& old) {
  FieldErrors errors =
      ValidateObjectMetaUpdate(slice.metadata, old.metadata, true, FieldPath("metadata"));
  Append(errors, ValidateSliceSpec(slice.spec, &old.spec, FieldPath("spec")));
  return errors;
}

FieldErrors ValidateDeviceTaintRule(const resource::DeviceTaintRule& rule) {
  FieldErrors errors =
      ValidateObjectMeta(rule.metadata, ClusterMetadataRules(), FieldPath("metadata"));
  Append(errors, ValidateTaintRuleSpec(rule.spec, nullptr, FieldPath("spec")));
  return errors;
}

FieldErrors ValidateDeviceTaintRuleUpdate(const resource::DeviceTaintRule& rule,
                                          const resource::DeviceTaintRule& old) {
  FieldErrors errors =
      ValidateObjectMetaUpdate(rule.metadata, old.metadata, true, FieldPath("metadata"));
  Append(errors, ValidateTaintRuleSpec(rule.spec, &old.spec, FieldPath("spec")));
  return errors;
}

FieldErrors ValidateDeviceTaintRuleStatusUpdate(const resource::DeviceTaintRule& rule,
                                                const resource::DeviceTaintRule& old) {
  FieldErrors errors =
      ValidateObjectMetaUpdate(rule.metadata, old.metadata, true, FieldPath("metadata"));
  const FieldPath conditions = FieldPath("status").Child("conditions");
  Append(errors, ValidateConditions(rule.status.conditions, conditions));
  if (rule.status.conditions.size() > kTaintRuleConditionsMaxSize) {
    errors.push_back(
        TooMany(conditions, rule.status.conditions.size(), kTaintRuleConditionsMaxSize));
  }
  return errors;
}

FieldErrors ValidateResourcePoolStatusRequest(const resource::ResourcePoolStatusRequest& request) {
  FieldErrors errors =
      ValidateObjectMeta(request.metadata, ClusterMetadataRules(), FieldPath("metadata"));
  Append(errors, ValidatePoolRequestSpec(request.spec, FieldPath("spec")));
  return errors;
}

FieldErrors ValidateResourcePoolStatusRequestUpdate(
    const resource::ResourcePoolStatusRequest& request,
    const resource::ResourcePoolStatusRequest& old) {
  FieldErrors errors =
      ValidateObjectMetaUpdate(request.metadata, old.metadata, true, FieldPath("metadata"));
  if (!SemanticEqual(request.spec, old.spec)) {
    errors.push_back(InvalidJson(FieldPath("spec"), "null", kImmutable));
  }
  return errors;
}

FieldErrors ValidateResourcePoolStatusRequestStatusUpdate(
    const resource::ResourcePoolStatusRequest& request,
    const resource::ResourcePoolStatusRequest& old) {
  FieldErrors errors =
      ValidateObjectMetaUpdate(request.metadata, old.metadata, true, FieldPath("metadata"));
  const FieldPath path("status");
  const auto& status = request.status;
  if (old.status.has_value()) {
    const bool same = status.has_value() && SemanticEqual(*status, *old.status);
    if (!same) {
      errors.push_back(
          InvalidJson(path, status.has_value() ? GoJsonOf(*status) : "null", kImmutable));
      if (status.has_value()) {
        Append(errors, ValidatePoolRequestStatus(*status, path));
      }
    }
    return errors;
  }
  if (status.has_value()) {
    Append(errors, ValidateConditions(status->conditions, path.Child("conditions")));
    Append(errors, ValidatePoolRequestStatus(*status, path));
  }
  return errors;
}

}  // namespace assay::api::validation
