#include "api/validation/group_rules.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/json/json.h"
#include "api/validation/metadata.h"
#include "api/validation/names.h"
#include "api/validation/validators.h"

namespace assay::api::validation {
namespace {

constexpr std::size_t kMaxClaims = 4;

// Exactly one of two fields; `names` lists them.
FieldErrors ValidateUnion(bool first, bool second, std::string_view names, const FieldPath& path) {
  if (first && second) {
    std::string both = "{";
    both.append(names).append("}");
    return {Invalid(path, both, std::string("must specify exactly one of: ").append(names))};
  }
  if (!first && !second) {
    return {Invalid(path, "", std::string("must specify one of: ").append(names))};
  }
  return {};
}

FieldErrors ValidatePolicy(const scheduling::PodGroupSchedulingPolicy& policy,
                           const FieldPath& path) {
  FieldErrors errors =
      ValidateUnion(policy.basic.has_value(), policy.gang.has_value(), "`basic`, `gang`", path);
  if (policy.gang) {
    const FieldPath min_count = path.Child("gang").Child("minCount");
    if (policy.gang->min_count == 0) {
      errors.push_back(Required(min_count));
    } else if (policy.gang->min_count < 0) {
      errors.push_back(Invalid(min_count, std::int64_t{policy.gang->min_count},
                               "must be greater than or equal to 1"));
    }
  }
  return errors;
}

FieldErrors ValidateClaim(const scheduling::PodGroupResourceClaim& claim, const FieldPath& path) {
  FieldErrors errors = ValidateUnion(claim.resource_claim_name.has_value(),
                                     claim.resource_claim_template_name.has_value(),
                                     "`resourceClaimName`, `resourceClaimTemplateName`", path);
  if (claim.name.empty()) {
    errors.push_back(Required(path.Child("name")));
  } else {
    Append(errors, ValidateDns1123Label(claim.name, path.Child("name")));
  }
  if (claim.resource_claim_name) {
    Append(errors, InvalidFor(CheckLongName(*claim.resource_claim_name), *claim.resource_claim_name,
                              path.Child("resourceClaimName")));
  }
  if (claim.resource_claim_template_name) {
    Append(errors, InvalidFor(CheckLongName(*claim.resource_claim_template_name),
                              *claim.resource_claim_template_name,
                              path.Child("resourceClaimTemplateName")));
  }
  return errors;
}

FieldErrors ValidateClaims(const std::vector<scheduling::PodGroupResourceClaim>& claims,
                           const FieldPath& path) {
  FieldErrors errors = ValidateSlice(claims, kMaxClaims, path, ValidateClaim);
  if (claims.size() > kMaxClaims) {
    return errors;
  }
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < claims.size(); ++i) {
    if (!names.insert(claims[i].name).second) {
      errors.push_back(DuplicateJson(path.Index(i), json::EncodeAs(claims[i])));
    }
  }
  return errors;
}

FieldErrors ValidateStatuses(const scheduling::PodGroup& group, const FieldPath& path) {
  FieldErrors errors;
  const auto& claims = group.spec.resource_claims;
  for (std::size_t i = 0; i < group.status.resource_claim_statuses.size(); ++i) {
    const std::string& name = group.status.resource_claim_statuses[i].name;
    if (std::none_of(claims.begin(), claims.end(),
                     [&](const auto& claim) { return claim.name == name; })) {
      errors.push_back(Invalid(path.Index(i).Child("name"), name,
                               "must match the name of an entry in `spec.resourceClaims`"));
    }
  }
  return errors;
}

}  // namespace

FieldErrors ValidatePodGroup(const scheduling::PodGroup& group) {
  const FieldPath spec("spec");
  FieldErrors errors = ValidateObjectMeta(
      group.metadata, {.namespaced = true, .name_rule = NameIsDnsSubdomain}, FieldPath("metadata"));
  Append(errors, ValidatePolicy(group.spec.scheduling_policy, spec.Child("schedulingPolicy")));
  Append(errors, ValidateClaims(group.spec.resource_claims, spec.Child("resourceClaims")));
  return errors;
}

FieldErrors ValidatePodGroupUpdate(const scheduling::PodGroup& group,
                                   const scheduling::PodGroup& old, Level level) {
  FieldErrors errors =
      ValidateObjectMetaUpdate(group.metadata, old.metadata, false, FieldPath("metadata"));
  const FieldPath spec("spec");
  scheduling::PodGroupSchedulingPolicy before = old.spec.scheduling_policy;
  if (level >= Level::k1_37 && before.gang && group.spec.scheduling_policy.gang) {
    before.gang->min_count = group.spec.scheduling_policy.gang->min_count;
    Append(errors, ValidatePolicy(before, spec.Child("schedulingPolicy")));
  }
  if (!SemanticEqual(group.spec.scheduling_policy, before)) {
    errors.push_back(InvalidJson(spec.Child("schedulingPolicy"), "null", kImmutable));
  }
  if (!SemanticEqual(group.spec.resource_claims, old.spec.resource_claims)) {
    errors.push_back(InvalidJson(spec.Child("resourceClaims"), "null", kImmutable));
  }
  return errors;
}

FieldErrors ValidatePodGroupStatusUpdate(const scheduling::PodGroup& group,
                                         const scheduling::PodGroup& old) {
  FieldErrors errors =
      ValidateObjectMetaUpdate(group.metadata, old.metadata, false, FieldPath("metadata"));
  const FieldPath status("status");
  Append(errors, ValidateConditions(group.status.conditions, status.Child("conditions")));
  Append(errors, ValidateStatuses(group, status.Child("resourceClaimStatuses")));
  return errors;
}

}  // namespace assay::api::validation
