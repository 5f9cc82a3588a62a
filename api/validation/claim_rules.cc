#include "api/validation/claim_rules.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/json/json.h"
#include "api/validation/go_json.h"
#include "api/validation/metadata.h"
#include "api/validation/validators.h"

namespace assay::api::validation {
namespace {

constexpr std::size_t kRequestsMaxSize = 32;
constexpr std::size_t kConstraintsMaxSize = 32;
constexpr std::size_t kConfigMaxSize = 32;
constexpr std::size_t kSelectorsMaxSize = 32;
constexpr std::size_t kFirstAvailableMaxSize = 8;
constexpr std::size_t kDerivedAttributesMaxSize = 32;
constexpr std::size_t kExpressionMaxLength = std::size_t{10} * 1024;
constexpr std::size_t kParametersMaxLength = std::size_t{10} * 1024;
constexpr std::size_t kStatusDataMaxLength = std::size_t{10} * 1024;
constexpr std::size_t kReservedForMaxSize = 256;
constexpr std::size_t kAllocationResultsMaxSize = 32;
constexpr std::size_t kStatusConditionsMaxSize = 8;
constexpr std::size_t kInterfaceNameMaxLength = 256;
constexpr std::size_t kHardwareAddressMaxLength = 128;
constexpr std::size_t kIpsMaxSize = 16;

// The names that constraints, configuration and results may refer to: requests, and
// "request/subrequest".
class RequestNames {
 public:
  explicit RequestNames(const resource::DeviceClaim& claim) {
    for (const resource::DeviceRequest& request : claim.requests) {
      std::set<std::string_view>& subrequests = names_[request.name];
      subrequests.clear();
      for (const resource::DeviceSubRequest& subrequest : request.first_available) {
        subrequests.insert(subrequest.name);
      }
    }
  }

  bool Has(std::string_view name) const {
    const std::vector<std::string_view> segments = Split(name, '/');
    if (segments.size() > 2) {
      return false;
    }
    const auto found = names_.find(segments[0]);
    return found != names_.end() && (segments.size() == 1 || found->second.contains(segments[1]));
  }

 private:
  std::map<std::string_view, std::set<std::string_view>> names_;
};

FieldErrors ValidateRequestReference(const std::string& name, const RequestNames& requests,
                                     const FieldPath& path) {
  constexpr std::string_view kUnknown =
      "must be the name of a request in the claim or the name of a request and a subrequest "
      "separated by '/'";
  const std::vector<std::string_view> segments = Split(name, '/');
  if (segments.size() > 2) {
    return {Invalid(path, name, kUnknown)};
  }
  FieldErrors errors;
  for (const std::string_view segment : segments) {
    Append(errors, ValidateDns1123Label(segment, path));
  }
  if (!requests.Has(name)) {
    errors.push_back(Invalid(path, name, kUnknown));
  }
  return errors;
}

FieldErrors ValidateRequestReferences(const std::vector<std::string>& names,
                                      const RequestNames& requests, const FieldPath& path) {
  return ValidateSet(
      names, kRequestsMaxSize, path,
      [&](const std::string& name, const FieldPath& item) {
        return ValidateRequestReference(name, requests, item);
      },
      [](const std::string& name) { return name; });
}

const std::vector<resource::DeviceConstraint>& NoConstraints() {
  static const auto* none = new std::vector<resource::DeviceConstraint>();
  return *none;
}

// How an expression is judged: new ones strictly, those that are stored already as before.
struct SelectorRules {
  const SelectorChecker& checker;
  bool stored = false;
  // Of the claim, for derived attributes.
  const std::vector<resource::DeviceConstraint>& constraints = NoConstraints();
};

FieldErrors ValidateSelectors(const std::vector<resource::DeviceSelector>& selectors,
                              const SelectorRules& rules, const FieldPath& path) {
  return ValidateSlice(
      selectors, kSelectorsMaxSize, path,
      [&](const resource::DeviceSelector& selector, const FieldPath& item) -> FieldErrors {
        if (!selector.cel.has_value()) {
          return {Required(item.Child("cel"))};
        }
        const std::string& expression = selector.cel->expression;
        const FieldPath expression_path = item.Child("cel").Child("expression");
        if (expression.size() > kExpressionMaxLength) {
          return {TooLong(expression_path, kExpressionMaxLength)};
        }
        if (!rules.checker) {
          return {};
        }
        const SelectorVerdict verdict = rules.checker(expression, rules.stored);
        switch (verdict.outcome) {
          case SelectorVerdict::Outcome::kAccepted:
            return {};
          case SelectorVerdict::Outcome::kInvalid:
            return {Invalid(expression_path, expression, verdict.message)};
          case SelectorVerdict::Outcome::kTooCostly:
            return {Forbidden(expression_path, "too complex, exceeds cost limit")};
          case SelectorVerdict::Outcome::kInternal:
            return {InternalFieldError(expression_path, verdict.message)};
        }
        return {};
      });
}

FieldErrors ValidateAllocationMode(const std::string& mode, std::int64_t count,
                                   const FieldPath& path) {
  if (mode == "All") {
    if (count != 0) {
      return {Invalid(path.Child("count"), count,
                      "must not be specified when allocationMode is 'All'")};
    }
    return {};
  }
  if (mode == "ExactCount") {
    if (count <= 0) {
      return {Invalid(path.Child("count"), count, "must be greater than zero")};
    }
    return {};
  }
  return {NotSupported(path.Child("allocationMode"), mode, {"All", "ExactCount"})};
}

FieldErrors ValidateToleration(const resource::DeviceToleration& toleration,
                               const FieldPath& path) {
  FieldErrors errors;
  if (!toleration.key.empty()) {
    Append(errors, ValidateLabelName(toleration.key, path.Child("key")));
  }
  if (toleration.operator_ == "Exists") {
    if (!toleration.value.empty()) {
      errors.push_back(
          Invalid(path.Child("value"), toleration.value, "must be empty for operator `Exists`"));
    }
  } else if (toleration.operator_ == "Equal") {
    Append(errors, ValidateLabelValue(toleration.value, path.Child("value")));
  } else if (toleration.operator_.empty()) {
    errors.push_back(Required(path.Child("operator")));
  } else {
    errors.push_back(
        NotSupported(path.Child("operator"), toleration.operator_, {"Equal", "Exists"}));
  }
  if (!toleration.effect.empty() && toleration.effect != "NoSchedule" &&
      toleration.effect != "NoExecute" && toleration.effect != "None") {
    errors.push_back(
        NotSupported(path.Child("effect"), toleration.effect, {"NoExecute", "NoSchedule", "None"}));
  }
  return errors;
}

// Whether a constraint on `reference` ("request" or "request/subrequest"), on the request as a
// whole, or on all requests, compares the attribute.
bool IsConstrained(const std::string& attribute, const std::string& reference,
                   const std::vector<resource::DeviceConstraint>& constraints) {
  const std::string request = reference.substr(0, reference.find('/'));
  return std::any_of(constraints.begin(), constraints.end(), [&](const auto& constraint) {
    const std::optional<std::string>& name = constraint.match_attribute.has_value()
                                                 ? constraint.match_attribute
                                                 : constraint.distinct_attribute;
    const std::vector<std::string>& of = constraint.requests;
    return name == attribute &&
           (of.empty() || std::find(of.begin(), of.end(), reference) != of.end() ||
            std::find(of.begin(), of.end(), request) != of.end());
  });
}

// 1.37. That an expression compiles is for the scheduler to find out: the checker knows selectors,
// which answer with a boolean.
FieldErrors ValidateDerivedAttributes(const std::vector<resource::DeviceDerivedAttribute>& derived,
                                      const std::string& reference, const SelectorRules& rules,
                                      const FieldPath& path) {
  return ValidateSet(
      derived, kDerivedAttributesMaxSize, path,
      [&](const resource::DeviceDerivedAttribute& attribute, const FieldPath& item) {
        FieldErrors errors;
        const FieldPath name_path = item.Child("name");
        const FieldPath expression_path = item.Child("expression");
        if (attribute.name.empty()) {
          errors.push_back(Required(name_path));
        } else {
          if (!IsConstrained(attribute.name, reference, rules.constraints)) {
            errors.push_back(Invalid(name_path, attribute.name,
                                     "must be referenced by at least one matchAttribute or "
                                     "distinctAttribute constraint targeting this request"));
          }
          Append(errors, ValidateFullyQualifiedName(attribute.name, name_path));
        }
        if (attribute.expression.empty()) {
          errors.push_back(Required(expression_path));
        } else if (attribute.expression.size() > kExpressionMaxLength) {
          errors.push_back(TooLong(expression_path, kExpressionMaxLength));
        }
        return errors;
      },
      [](const resource::DeviceDerivedAttribute& attribute) { return attribute.name; });
}

// What ExactDeviceRequest and DeviceSubRequest have in common. `reference`: as constraints name it.
template <typename Request>
FieldErrors ValidateRequestFields(const Request& request, const std::string& reference,
                                  const SelectorRules& rules, const FieldPath& path) {
  FieldErrors errors;
  const FieldPath class_path = path.Child("deviceClassName");
  if (request.device_class_name.empty()) {
    errors.push_back(Required(class_path));
  } else {
    Append(errors, ValidateDns1123Subdomain(request.device_class_name, class_path));
  }
  Append(errors, ValidateSelectors(request.selectors, rules, path.Child("selectors")));
  Append(errors, ValidateDerivedAttributes(request.derived_attributes, reference, rules,
                                           path.Child("derivedAttributes")));
  Append(errors, ValidateAllocationMode(request.allocation_mode, request.count, path));
  Append(errors, ValidateSlice(request.tolerations, kNoLimit, path.Child("tolerations"),
                               ValidateToleration));
  return errors;
}

FieldErrors ValidateRequest(const resource::DeviceRequest& request, const SelectorRules& rules,
                            const FieldPath& path) {
  FieldErrors errors = ValidateDns1123Label(request.name, path.Child("name"));
  const bool has_first_available = !request.first_available.empty();
  if (!has_first_available && !request.exactly.has_value()) {
    errors.push_back(Required(path, "exactly one of `exactly` or `firstAvailable` is required"));
  } else if (has_first_available && request.exactly.has_value()) {
    errors.push_back(InvalidJson(path, "null",
                                 "exactly one of `exactly` or `firstAvailable` is required, but "
                                 "multiple fields are set"));
  } else if (has_first_available) {
    Append(errors,
           ValidateSet(
               request.first_available, kFirstAvailableMaxSize, path.Child("firstAvailable"),
               [&](const resource::DeviceSubRequest& subrequest, const FieldPath& item) {
                 FieldErrors item_errors =
                     ValidateDns1123Label(subrequest.name, item.Child("name"));
                 Append(item_errors,
                        ValidateRequestFields(subrequest, request.name + "/" + subrequest.name,
                                              rules, item));
                 return item_errors;
               },
               [](const resource::DeviceSubRequest& subrequest) { return subrequest.name; }));
  } else {
    Append(errors,
           ValidateRequestFields(*request.exactly, request.name, rules, path.Child("exactly")));
  }
  return errors;
}

FieldErrors ValidateConstraint(const resource::DeviceConstraint& constraint,
                               const RequestNames& requests, const Context& context,
                               const FieldPath& path) {
  FieldErrors errors =
      ValidateRequestReferences(constraint.requests, requests, path.Child("requests"));
  // That both attributes may be set together, the second unchecked, is upstream's.
  if (constraint.match_attribute.has_value()) {
    Append(errors,
           ValidateFullyQualifiedName(*constraint.match_attribute, path.Child("matchAttribute")));
  } else if (constraint.distinct_attribute.has_value()) {
    Append(errors, ValidateFullyQualifiedName(*constraint.distinct_attribute,
                                              path.Child("distinctAttribute")));
  } else if (context.compatibility->Enabled("DRAConsumableCapacity")) {
    errors.push_back(
        Required(path,
                 "exactly one of \"matchAttribute\" or \"distinctAttribute\" is required, "
                 "but multiple fields are set"));
  } else {
    errors.push_back(Required(path.Child("matchAttribute")));
  }
  return errors;
}

FieldErrors ValidateDeviceConfiguration(const resource::DeviceConfiguration& config, bool stored,
                                        const FieldPath& path) {
  if (!config.opaque.has_value()) {
    return {Required(path.Child("opaque"))};
  }
  const FieldPath opaque = path.Child("opaque");
  FieldErrors errors = ValidateDriverName(config.opaque->driver, opaque.Child("driver"));
  Append(errors, ValidateRawExtension(config.opaque->parameters, stored, kParametersMaxLength,
                                      opaque.Child("parameters")));
  return errors;
}

FieldErrors ValidateClaimSpec(const resource::ResourceClaimSpec& spec, const Context& context,
                              const FieldPath& path) {
  const resource::DeviceClaim& devices = spec.devices;
  const FieldPath devices_path = path.Child("devices");
  const RequestNames requests(devices);
  const SelectorRules rules{.checker = context.selector_checker,
                            .constraints = devices.constraints};
  FieldErrors errors = ValidateSet(
      devices.requests, kRequestsMaxSize, devices_path.Child("requests"),
      [&](const resource::DeviceRequest& request, const FieldPath& item) {
        return ValidateRequest(request, rules, item);
      },
      [](const resource::DeviceRequest& request) { return request.name; });
  Append(errors,
         ValidateSlice(devices.constraints, kConstraintsMaxSize, devices_path.Child("constraints"),
                       [&](const resource::DeviceConstraint& constraint, const FieldPath& item) {
                         return ValidateConstraint(constraint, requests, context, item);
                       }));
  Append(errors, ValidateSlice(
                     devices.config, kConfigMaxSize, devices_path.Child("config"),
                     [&](const resource::DeviceClaimConfiguration& config, const FieldPath& item) {
                       FieldErrors item_errors = ValidateRequestReferences(
                           config.requests, requests, item.Child("requests"));
                       Append(item_errors, ValidateDeviceConfiguration(config, false, item));
                       return item_errors;
                     }));
  return errors;
}

// A device within a claim's allocation, one share of it where it can be shared.
template <typename T>
std::string DeviceKey(const T& device) {
  // No part contains a NUL: they come from JSON text through names that are validated.
  return device.driver + '\0' + device.pool + '\0' + device.device + '\0' +
         device.share_id.value_or("");
}

std::string GoSharedDeviceId(const resource::AllocatedDeviceStatus& device) {
  return "{\"Driver\":" + json::Quote(device.driver) + ",\"Pool\":" + json::Quote(device.pool) +
         ",\"Device\":" + json::Quote(device.device) +
         ",\"ShareID\":" + json::Quote(device.share_id.value_or("")) + "}";
}

FieldErrors ValidateNetworkData(const resource::NetworkDeviceData& data, const FieldPath& path) {
  FieldErrors errors;
  if (data.interface_name.size() > kInterfaceNameMaxLength) {
    errors.push_back(TooLong(path.Child("interfaceName"), kInterfaceNameMaxLength));
  }
  if (data.hardware_address.size() > kHardwareAddressMaxLength) {
    errors.push_back(TooLong(path.Child("hardwareAddress"), kHardwareAddressMaxLength));
  }
  Append(errors, ValidateSet(data.ips, kIpsMaxSize, path.Child("ips"), ValidateInterfaceAddress,
                             [](const std::string& address) { return address; }));
  return errors;
}

FieldErrors ValidateDeviceStatus(const resource::AllocatedDeviceStatus& device,
                                 const std::set<std::string>& allocated, const FieldPath& path) {
  FieldErrors errors = ValidateDriverName(device.driver, path.Child("driver"));
  Append(errors, ValidatePoolName(device.pool, path.Child("pool")));
  Append(errors, ValidateDns1123Label(device.device, path.Child("device")));
  if (device.share_id.has_value()) {
    Append(errors, ValidateUuid(*device.share_id, path.Child("shareID")));
  }
  if (!allocated.contains(DeviceKey(device))) {
    errors.push_back(
        InvalidJson(path, GoSharedDeviceId(device), "must be an allocated device in the claim"));
  }
  if (device.conditions.size() > kStatusConditionsMaxSize) {
    errors.push_back(
        TooMany(path.Child("conditions"), device.conditions.size(), kStatusConditionsMaxSize));
  }
  Append(errors, ValidateConditions(device.conditions, path.Child("conditions")));
  if (device.data.has_value() && !device.data->json.empty()) {
    Append(errors,
           ValidateRawExtension(*device.data, false, kStatusDataMaxLength, path.Child("data")));
  }
  if (device.network_data.has_value()) {
    Append(errors, ValidateNetworkData(*device.network_data, path.Child("networkData")));
  }
  return errors;
}

FieldErrors ValidateAllocationResult(const resource::AllocationResult& allocation,
                                     const RequestNames& requests, const FieldPath& path) {
  const FieldPath devices = path.Child("devices");
  FieldErrors errors = ValidateSlice(
      allocation.devices.results, kAllocationResultsMaxSize, devices.Child("results"),
      [&](const resource::DeviceRequestAllocationResult& result, const FieldPath& item) {
        FieldErrors item_errors =
            ValidateRequestReference(result.request, requests, item.Child("request"));
        Append(item_errors, ValidateDriverName(result.driver, item.Child("driver")));
        Append(item_errors, ValidatePoolName(result.pool, item.Child("pool")));
        Append(item_errors, ValidateDns1123Label(result.device, item.Child("device")));
        Append(item_errors, ValidateBindingConditions(result.binding_conditions,
                                                      result.binding_failure_conditions, item));
        if (result.share_id.has_value()) {
          Append(item_errors, ValidateUuid(*result.share_id, item.Child("shareID")));
        }
        Append(item_errors, ValidateSkipNodeOperations(result.skip_node_operations,
                                                       item.Child("skipNodeOperations")));
        return item_errors;
      });
  Append(errors,
         ValidateSlice(
             // The class' and the claim's.
             allocation.devices.config, 2 * kConfigMaxSize, devices.Child("config"),
             [&](const resource::DeviceAllocationConfiguration& config, const FieldPath& item) {
               FieldErrors item_errors;
               if (config.source.empty()) {
                 item_errors.push_back(Required(item.Child("source")));
               } else if (config.source != "FromClaim" && config.source != "FromClass") {
                 item_errors.push_back(
                     NotSupported(item.Child("source"), config.source, {"FromClaim", "FromClass"}));
               }
               Append(item_errors,
                      ValidateRequestReferences(config.requests, requests, item.Child("requests")));
               Append(item_errors, ValidateDeviceConfiguration(config, false, item));
               return item_errors;
             }));
  if (allocation.node_selector.has_value()) {
    Append(errors, ValidateNodeSelector(*allocation.node_selector, path.Child("nodeSelector")));
  }
  return errors;
}

FieldErrors ValidateReservedFor(const resource::ResourceClaimStatus& status,
                                const resource::ResourceClaimStatus& old, bool deleted,
                                const FieldPath& path) {
  if (status.reserved_for.empty()) {
    return {};
  }
  if (!status.allocation.has_value()) {
    return {Forbidden(path, "may not be specified when `allocated` is not set")};
  }
  if (deleted) {
    for (const resource::ResourceClaimConsumerReference& consumer : status.reserved_for) {
      if (std::none_of(old.reserved_for.begin(), old.reserved_for.end(),
                       [&](const auto& other) { return SemanticEqual(consumer, other); })) {
        return {Forbidden(path,
                          "new entries may not be added while `deallocationRequested` or "
                          "`deletionTimestamp` are set")};
      }
    }
  }
  return {};
}

MetadataRules ClaimMetadataRules() { return {.namespaced = true, .name_rule = NameIsDnsSubdomain}; }

FieldErrors ValidateDeviceClassSpec(const resource::DeviceClassSpec& spec,
                                    const resource::DeviceClassSpec* old, const Context& context,
                                    const FieldPath& path) {
  // Any change, be it of their order, makes all of them new.
  const bool selectors_stored = old != nullptr && SemanticEqual(spec.selectors, old->selectors);
  const bool config_stored = old != nullptr && SemanticEqual(spec.config, old->config);
  FieldErrors errors = ValidateSelectors(
      spec.selectors, {context.selector_checker, selectors_stored}, path.Child("selectors"));
  Append(errors, ValidateSlice(
                     spec.config, kConfigMaxSize, path.Child("config"),
                     [&](const resource::DeviceClassConfiguration& config, const FieldPath& item) {
                       return ValidateDeviceConfiguration(config, config_stored, item);
                     }));
  if (spec.extended_resource_name.has_value() &&
      !IsExtendedResourceName(*spec.extended_resource_name)) {
    errors.push_back(Invalid(path.Child("extendedResourceName"), *spec.extended_resource_name,
                             "must be a valid extended resource name"));
  }
  return errors;
}

MetadataRules DeviceClassMetadataRules() {
  return {.name_rule = NameIsLongName, .check_generate_name = false};
}

}  // namespace

FieldErrors ValidateResourceClaim(const resource::ResourceClaim& claim, const Context& context) {
  FieldErrors errors =
      ValidateObjectMeta(claim.metadata, ClaimMetadataRules(), FieldPath("metadata"));
  Append(errors, ValidateClaimSpec(claim.spec, context, FieldPath("spec")));
  return errors;
}

FieldErrors ValidateResourceClaimUpdate(const resource::ResourceClaim& claim,
                                        const resource::ResourceClaim& old) {
  FieldErrors errors =
      ValidateObjectMeta(claim.metadata, ClaimMetadataRules(), FieldPath("metadata"));
  Append(errors,
         ValidateObjectMetaUpdate(claim.metadata, old.metadata, true, FieldPath("metadata")));
  if (!SemanticEqual(claim.spec, old.spec)) {
    errors.push_back(InvalidJson(FieldPath("spec"), GoJsonOf(claim.spec), kImmutable));
  }
  return errors;
}

FieldErrors ValidateResourceClaimStatusUpdate(const resource::ResourceClaim& claim,
                                              const resource::ResourceClaim& old) {
  FieldErrors errors =
      ValidateObjectMetaUpdate(claim.metadata, old.metadata, true, FieldPath("metadata"));
  const resource::ResourceClaimStatus& status = claim.status;
  const FieldPath path("status");
  const RequestNames requests(claim.spec.devices);
  Append(
      errors,
      ValidateSet(
          status.reserved_for, kReservedForMaxSize, path.Child("reservedFor"),
          [](const resource::ResourceClaimConsumerReference& consumer, const FieldPath& item) {
            FieldErrors item_errors;
            if (consumer.resource.empty()) {
              item_errors.push_back(Required(item.Child("resource")));
            }
            if (consumer.name.empty()) {
              item_errors.push_back(Required(item.Child("name")));
            }
            if (consumer.uid.empty()) {
              item_errors.push_back(Required(item.Child("uid")));
            }
            return item_errors;
          },
          [](const resource::ResourceClaimConsumerReference& consumer) { return consumer.uid; }));
  std::set<std::string> allocated;
  if (status.allocation.has_value()) {
    for (const auto& result : status.allocation->devices.results) {
      allocated.insert(DeviceKey(result));
    }
  }
  const FieldPath devices = path.Child("devices");
  Append(errors, ValidateSet(
                     status.devices, kNoLimit, devices,
                     [&](const resource::AllocatedDeviceStatus& device, const FieldPath& item) {
                       return ValidateDeviceStatus(device, allocated, item);
                     },
                     DeviceKey<resource::AllocatedDeviceStatus>,
                     [&](const FieldPath& item, const std::string& key) {
                       const auto device =
                           std::find_if(status.devices.begin(), status.devices.end(),
                                        [&](const auto& other) { return DeviceKey(other) == key; });
                       return DuplicateJson(item, GoSharedDeviceId(*device));
                     }));
  Append(errors,
         ValidateReservedFor(status, old.status, claim.metadata.deletion_timestamp.has_value(),
                             path.Child("reservedFor")));
  // What was allocated stays as it is, and is not judged by rules that may be newer than it.
  if (status.allocation.has_value() && old.status.allocation.has_value()) {
    if (!SemanticEqual(*status.allocation, *old.status.allocation)) {
      errors.push_back(
          InvalidJson(path.Child("allocation"), GoJsonOf(*status.allocation), kImmutable));
    }
  } else if (status.allocation.has_value()) {
    Append(errors,
           ValidateAllocationResult(*status.allocation, requests, path.Child("allocation")));
  }
  return errors;
}

FieldErrors ValidateResourceClaimTemplate(const resource::ResourceClaimTemplate& object,
                                          const Context& context) {
  FieldErrors errors =
      ValidateObjectMeta(object.metadata, ClaimMetadataRules(), FieldPath("metadata"));
  const FieldPath spec("spec");
  Append(errors, ValidateTemplateObjectMeta(object.spec.metadata, spec.Child("metadata")));
  Append(errors, ValidateClaimSpec(object.spec.spec, context, spec.Child("spec")));
  return errors;
}

FieldErrors ValidateResourceClaimTemplateUpdate(const resource::ResourceClaimTemplate& object,
                                                const resource::ResourceClaimTemplate& old,
                                                const Context& context) {
  FieldErrors errors = ValidateResourceClaimTemplate(object, context);
  Append(errors,
         ValidateObjectMetaUpdate(object.metadata, old.metadata, true, FieldPath("metadata")));
  if (!SemanticEqual(object.spec, old.spec)) {
    errors.push_back(InvalidJson(FieldPath("spec"), GoJsonOf(object.spec), kImmutable));
  }
  return errors;
}

FieldErrors ValidateDeviceClass(const resource::DeviceClass& device_class, const Context& context) {
  FieldErrors errors =
      ValidateObjectMeta(device_class.metadata, DeviceClassMetadataRules(), FieldPath("metadata"));
  Append(errors, ValidateDeviceClassSpec(device_class.spec, nullptr, context, FieldPath("spec")));
  return errors;
}

FieldErrors ValidateDeviceClassUpdate(const resource::DeviceClass& device_class,
                                      const resource::DeviceClass& old, const Context& context) {
  FieldErrors errors =
      ValidateObjectMeta(device_class.metadata, DeviceClassMetadataRules(), FieldPath("metadata"));
  Append(errors, ValidateObjectMetaUpdate(device_class.metadata, old.metadata, true,
                                          FieldPath("metadata")));
  Append(errors, ValidateDeviceClassSpec(device_class.spec, &old.spec, context, FieldPath("spec")));
  return errors;
}

}  // namespace assay::api::validation
