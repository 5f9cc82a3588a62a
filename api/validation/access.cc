#include "api/validation/access.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "api/schema/descriptor.h"
#include "api/validation/names.h"
#include "api/validation/validators.h"

namespace assay::api::validation {
namespace {

constexpr std::string_view kAdminLabel = "resource.kubernetes.io/admin-access";
constexpr std::string_view kGroup = "resource.k8s.io";
constexpr std::string_view kNodeNameKey = "authentication.kubernetes.io/node-name";

FieldErrors CheckNamespace(std::string_view namespace_, const Context& context,
                           const FieldPath& path) {
  if (!context.namespace_labels) {
    return {};
  }
  const auto labels = context.namespace_labels(namespace_);
  if (!labels.ok()) {
    return {InternalFieldError(
        path, "could not retrieve namespace to verify admin access: " + labels.status().message())};
  }
  const auto label = labels->find(std::string(kAdminLabel));
  if (label == labels->end() || label->second != "true") {
    return {Forbidden(path, "admin access to devices requires the `" + std::string(kAdminLabel) +
                                ": true` label on the containing namespace")};
  }
  return {};
}

// The first result with admin access.
std::optional<std::size_t> AdminResult(const resource::ResourceClaim& claim) {
  if (claim.status.allocation.has_value()) {
    const auto& results = claim.status.allocation->devices.results;
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (results[i].admin_access.value_or(false)) {
        return i;
      }
    }
  }
  return std::nullopt;
}

template <typename T>
bool OptionalEqual(const std::optional<T>& a, const std::optional<T>& b) {
  return a.has_value() == b.has_value() && (!a.has_value() || SemanticEqual(*a, *b));
}

// The drivers of entries that were added, changed or removed.
std::set<std::string> ModifiedDrivers(const resource::ResourceClaimStatus& status,
                                      const resource::ResourceClaimStatus& old) {
  using Key = std::tuple<std::string, std::string, std::string, std::string>;
  const auto key_of = [](const resource::AllocatedDeviceStatus& device) {
    return Key(device.driver, device.pool, device.device, device.share_id.value_or(""));
  };
  std::map<Key, const resource::AllocatedDeviceStatus*> before;
  for (const resource::AllocatedDeviceStatus& device : old.devices) {
    before[key_of(device)] = &device;
  }
  std::set<std::string> drivers;
  for (const resource::AllocatedDeviceStatus& device : status.devices) {
    const auto found = before.find(key_of(device));
    if (found == before.end() || !SemanticEqual(*found->second, device)) {
      drivers.insert(device.driver);
    }
    if (found != before.end()) {
      before.erase(found);
    }
  }
  for (const auto& [key, device] : before) {
    drivers.insert(device->driver);
  }
  return drivers;
}

// The one node that an allocation names, "" if it does not name exactly one.
std::string AllocatedNode(const resource::ResourceClaimStatus& status) {
  if (!status.allocation.has_value() || !status.allocation->node_selector.has_value()) {
    return "";
  }
  const auto& terms = status.allocation->node_selector->node_selector_terms;
  if (terms.size() != 1 || !terms[0].match_expressions.empty() ||
      terms[0].match_fields.size() != 1) {
    return "";
  }
  const core::NodeSelectorRequirement& field = terms[0].match_fields[0];
  if (field.key != "metadata.name" || field.operator_ != "In" || field.values.size() != 1) {
    return "";
  }
  return field.values[0];
}

// "system:serviceaccount:<namespace>:<name>", both of them names.
bool IsServiceAccount(const std::string& user) {
  constexpr std::string_view kPrefix = "system:serviceaccount:";
  if (!user.starts_with(kPrefix)) {
    return false;
  }
  const auto parts = Split(std::string_view(user).substr(kPrefix.size()), ':');
  return parts.size() == 2 && CheckDns1123Label(parts[0]).empty() &&
         CheckDns1123Subdomain(parts[1]).empty();
}

bool RunsOnAllocatedNode(const User& user, const std::string& node) {
  if (node.empty() || !IsServiceAccount(user.name)) {
    return false;
  }
  const auto names = user.extra.find(std::string(kNodeNameKey));
  return names != user.extra.end() && names->second.size() == 1 && names->second[0] == node &&
         CheckDns1123Subdomain(node).empty();
}

}  // namespace

FieldErrors CheckAdminRequests(const std::vector<resource::DeviceRequest>& requests,
                               std::string_view namespace_, const Context& context) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (requests[i].exactly.has_value() && requests[i].exactly->admin_access.value_or(false)) {
      return CheckNamespace(
          namespace_, context,
          FieldPath("spec").Child("devices").Child("requests").Index(i).Child("adminAccess"));
    }
  }
  return {};
}

FieldErrors CheckAdminResults(const resource::ResourceClaim& claim,
                              const resource::ResourceClaim& old, const Context& context) {
  const std::optional<std::size_t> index = AdminResult(claim);
  if (!index.has_value() || AdminResult(old).has_value()) {
    return {};
  }
  return CheckNamespace(claim.metadata.namespace_, context,
                        FieldPath("status")
                            .Child("allocation")
                            .Child("devices")
                            .Child("results")
                            .Index(*index)
                            .Child("adminAccess"));
}

FieldErrors CheckBinding(const resource::ResourceClaim& claim, const resource::ResourceClaim& old,
                         const Context& context) {
  const bool unchanged = OptionalEqual(claim.status.allocation, old.status.allocation) &&
                         SemanticEqual(claim.status.reserved_for, old.status.reserved_for);
  if (unchanged || !context.refused) {
    return {};
  }
  const AccessRequest request{.verb = context.verb,
                              .group = std::string(kGroup),
                              .resource = "resourceclaims",
                              .subresource = "binding"};
  if (const std::optional<std::string> reason = context.refused(request)) {
    return {Forbidden(FieldPath("status").Child("allocation"),
                      "changing status.allocation or status.reservedFor requires "
                      "resource=\"resourceclaims/binding\", verb=\"" +
                          context.verb + "\" permission: " + *reason)};
  }
  return {};
}

FieldErrors CheckDeviceStatus(const resource::ResourceClaim& claim,
                              const resource::ResourceClaim& old, const Context& context) {
  if (!context.refused) {
    return {};
  }
  std::vector<std::string> verbs;
  if (RunsOnAllocatedNode(context.user, AllocatedNode(claim.status))) {
    verbs.push_back("associated-node:" + context.verb);
  }
  verbs.push_back("arbitrary-node:" + context.verb);
  FieldErrors errors;
  for (const std::string& driver : ModifiedDrivers(claim.status, old.status)) {
    std::optional<std::string> first_reason;
    const bool permitted = std::any_of(verbs.begin(), verbs.end(), [&](const std::string& verb) {
      const std::optional<std::string> reason =
          context.refused({.verb = verb,
                           .group = std::string(kGroup),
                           .resource = "resourceclaims",
                           .subresource = "driver",
                           .namespace_ = claim.metadata.namespace_,
                           .name = driver});
      if (!first_reason.has_value()) {
        first_reason = reason;
      }
      return !reason.has_value();
    });
    if (!permitted) {
      std::string list = "[";
      for (const std::string& verb : verbs) {
        list += (list.size() == 1 ? "" : " ") + verb;
      }
      errors.push_back(Forbidden(FieldPath("status").Child("devices"),
                                 "changing status.devices requires "
                                 "resource=\"resourceclaims/driver\", verb=\"" +
                                     list + "]\" permission: " + first_reason.value_or("")));
    }
  }
  return errors;
}

}  // namespace assay::api::validation
