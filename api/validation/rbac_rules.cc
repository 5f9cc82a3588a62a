#include "api/validation/rbac_rules.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "api/validation/go_json.h"
#include "api/validation/metadata.h"
#include "api/validation/names.h"
#include "api/validation/validators.h"

namespace assay::api::validation {
namespace {

constexpr std::string_view kRbacGroup = "rbac.authorization.k8s.io";

FieldErrors ValidateRoleMetadata(const meta::ObjectMeta& metadata, bool namespaced) {
  return ValidateObjectMeta(
      metadata,
      {.namespaced = namespaced, .name_rule = NameIsPathSegment, .check_standard_finalizers = true},
      FieldPath("metadata"));
}

FieldErrors ValidatePolicyRule(const rbac::PolicyRule& rule, bool namespaced,
                               const FieldPath& path) {
  FieldErrors errors;
  if (rule.verbs.empty()) {
    errors.push_back(Required(path.Child("verbs"), "verbs must contain at least one value"));
  }
  if (!rule.non_resource_urls.empty()) {
    const FieldPath urls = path.Child("nonResourceURLs");
    const std::string value = GoJsonOf(rule.non_resource_urls);
    if (namespaced) {
      errors.push_back(
          InvalidJson(urls, value, "namespaced rules cannot apply to non-resource URLs"));
    }
    if (!rule.api_groups.empty() || !rule.resources.empty() || !rule.resource_names.empty()) {
      errors.push_back(InvalidJson(
          urls, value, "rules cannot apply to both regular resources and non-resource URLs"));
    }
    return errors;
  }
  if (rule.api_groups.empty()) {
    errors.push_back(
        Required(path.Child("apiGroups"), "resource rules must supply at least one api group"));
  }
  if (rule.resources.empty()) {
    errors.push_back(
        Required(path.Child("resources"), "resource rules must supply at least one resource"));
  }
  return errors;
}

FieldErrors ValidatePolicyRules(const std::vector<rbac::PolicyRule>& rules, bool namespaced) {
  return ValidateSlice(rules, kNoLimit, FieldPath("rules"),
                       [namespaced](const rbac::PolicyRule& rule, const FieldPath& path) {
                         return ValidatePolicyRule(rule, namespaced, path);
                       });
}

// Source: metav1validation.ValidateLabelSelector.
FieldErrors ValidateSelectorRequirement(const meta::LabelSelectorRequirement& requirement,
                                        const FieldPath& path) {
  FieldErrors errors;
  const bool has_values = !requirement.values.empty();
  if (requirement.operator_ == "In" || requirement.operator_ == "NotIn") {
    if (!has_values) {
      errors.push_back(
          Required(path.Child("values"), "must be specified when `operator` is 'In' or 'NotIn'"));
    }
  } else if (requirement.operator_ == "Exists" || requirement.operator_ == "DoesNotExist") {
    if (has_values) {
      errors.push_back(Forbidden(path.Child("values"),
                                 "may not be specified when `operator` is 'Exists' or "
                                 "'DoesNotExist'"));
    }
  } else {
    errors.push_back(
        Invalid(path.Child("operator"), requirement.operator_, "not a valid selector operator"));
  }
  Append(errors, ValidateLabelName(requirement.key, path.Child("key")));
  for (std::size_t i = 0; i < requirement.values.size(); ++i) {
    Append(errors, ValidateLabelValue(requirement.values[i], path.Child("values").Index(i)));
  }
  return errors;
}

FieldErrors ValidateSelector(const meta::LabelSelector& selector, const FieldPath& path) {
  FieldErrors errors = ValidateLabels(selector.match_labels, path.Child("matchLabels"));
  Append(errors, ValidateSlice(selector.match_expressions, kNoLimit, path.Child("matchExpressions"),
                               ValidateSelectorRequirement));
  // Upstream also makes a selector of it, which what is wrong already keeps it from.
  if (!errors.empty()) {
    errors.push_back(InvalidJson(path, "null", "invalid label selector."));
  }
  return errors;
}

FieldErrors ValidateRoleRef(const rbac::RoleRef& role, const std::vector<std::string>& kinds) {
  const FieldPath path("roleRef");
  FieldErrors errors;
  if (role.api_group != kRbacGroup) {
    errors.push_back(
        NotSupported(path.Child("apiGroup"), role.api_group, {std::string(kRbacGroup)}));
  }
  if (std::find(kinds.begin(), kinds.end(), role.kind) == kinds.end()) {
    errors.push_back(NotSupported(path.Child("kind"), role.kind, kinds));
  }
  if (role.name.empty()) {
    errors.push_back(Required(path.Child("name")));
  } else {
    Append(errors, InvalidFor(NameIsPathSegment(role.name, /*prefix=*/false), role.name,
                              path.Child("name")));
  }
  return errors;
}

FieldErrors ValidateSubject(const rbac::Subject& subject, bool namespaced, const FieldPath& path) {
  FieldErrors errors;
  if (subject.name.empty()) {
    errors.push_back(Required(path.Child("name")));
  }
  if (subject.kind == "ServiceAccount") {
    if (!subject.name.empty()) {
      Append(errors, InvalidFor(NameIsDnsSubdomain(subject.name, /*prefix=*/false), subject.name,
                                path.Child("name")));
    }
    if (!subject.api_group.empty()) {
      errors.push_back(NotSupported(path.Child("apiGroup"), subject.api_group, {""}));
    }
    if (!namespaced && subject.namespace_.empty()) {
      errors.push_back(Required(path.Child("namespace")));
    }
  } else if (subject.kind == "User" || subject.kind == "Group") {
    if (subject.api_group != kRbacGroup) {
      errors.push_back(
          NotSupported(path.Child("apiGroup"), subject.api_group, {std::string(kRbacGroup)}));
    }
  } else {
    errors.push_back(
        NotSupported(path.Child("kind"), subject.kind, {"ServiceAccount", "User", "Group"}));
  }
  return errors;
}

template <typename Binding>
FieldErrors ValidateAnyBinding(const Binding& binding, bool namespaced,
                               const std::vector<std::string>& role_kinds) {
  FieldErrors errors = ValidateRoleMetadata(binding.metadata, namespaced);
  Append(errors, ValidateRoleRef(binding.role_ref, role_kinds));
  Append(errors, ValidateSlice(binding.subjects, kNoLimit, FieldPath("subjects"),
                               [namespaced](const rbac::Subject& subject, const FieldPath& path) {
                                 return ValidateSubject(subject, namespaced, path);
                               }));
  return errors;
}

}  // namespace

FieldErrors ValidateRole(const rbac::Role& role) {
  FieldErrors errors = ValidateRoleMetadata(role.metadata, /*namespaced=*/true);
  Append(errors, ValidatePolicyRules(role.rules, /*namespaced=*/true));
  return errors;
}

FieldErrors ValidateClusterRole(const rbac::ClusterRole& role) {
  FieldErrors errors = ValidateRoleMetadata(role.metadata, /*namespaced=*/false);
  Append(errors, ValidatePolicyRules(role.rules, /*namespaced=*/false));
  if (role.aggregation_rule) {
    const FieldPath path = FieldPath("aggregationRule").Child("clusterRoleSelectors");
    const auto& selectors = role.aggregation_rule->cluster_role_selectors;
    if (selectors.empty()) {
      errors.push_back(Required(
          path, "at least one clusterRoleSelector required if aggregationRule is non-nil"));
    }
    Append(errors, ValidateSlice(selectors, kNoLimit, path, ValidateSelector));
  }
  return errors;
}

FieldErrors ValidateRoleBinding(const rbac::RoleBinding& binding) {
  return ValidateAnyBinding(binding, /*namespaced=*/true, {"Role", "ClusterRole"});
}

FieldErrors ValidateClusterRoleBinding(const rbac::ClusterRoleBinding& binding) {
  return ValidateAnyBinding(binding, /*namespaced=*/false, {"ClusterRole"});
}

FieldErrors ValidateRoleRefUpdate(const rbac::RoleRef& role, const rbac::RoleRef& old) {
  if (role == old) {
    return {};
  }
  return {InvalidJson(FieldPath("roleRef"), GoJsonOf(role), "cannot change roleRef")};
}

}  // namespace assay::api::validation
