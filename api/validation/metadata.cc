#include "api/validation/metadata.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <set>
#include <utility>

#include "api/validation/go_json.h"

namespace assay::api::validation {
namespace {

constexpr std::size_t kAnnotationsMaxBytes = std::size_t{256} * 1024;
constexpr std::size_t kFieldManagerMaxLength = 128;
constexpr std::size_t kSubresourceMaxLength = 256;
constexpr std::size_t kReasonMaxLength = 1024;
constexpr std::size_t kMessageMaxLength = std::size_t{32} * 1024;

// A dash at the end is fine in a prefix: something will follow it. That the character before the
// dash goes too is upstream's (maskTrailingDash).
std::string MaskTrailingDash(std::string_view name) {
  if (name.size() > 1 && name.ends_with('-')) {
    return std::string(name.substr(0, name.size() - 2)) + "a";
  }
  return std::string(name);
}

bool IsStandardFinalizer(std::string_view name) {
  return name == "kubernetes" || name == "orphan" || name == "foregroundDeletion";
}

FieldErrors ValidateStandardFinalizers(const std::vector<std::string>& finalizers,
                                       const FieldPath& path) {
  FieldErrors errors;
  for (std::size_t i = 0; i < finalizers.size(); ++i) {
    if (finalizers[i].find('/') == std::string::npos && !IsStandardFinalizer(finalizers[i])) {
      errors.push_back(
          Invalid(path.Index(i), finalizers[i],
                  "name is neither a standard finalizer name nor is it fully qualified"));
    }
  }
  return errors;
}

FieldErrors ValidateFinalizers(const std::vector<std::string>& finalizers, const FieldPath& path) {
  FieldErrors errors;
  bool orphan = false;
  bool foreground = false;
  for (const std::string& finalizer : finalizers) {
    Append(errors, InvalidFor(CheckQualifiedName(finalizer), finalizer, path));
    orphan = orphan || finalizer == "orphan";
    foreground = foreground || finalizer == "foregroundDeletion";
  }
  if (orphan && foreground) {
    errors.push_back(InvalidJson(path, GoJsonOf(finalizers),
                                 "finalizer orphan and foregroundDeletion cannot be both set"));
  }
  return errors;
}

FieldErrors ValidateOwnerReference(const meta::OwnerReference& owner, const FieldPath& path) {
  FieldErrors errors;
  // "group/version" or "version"; more slashes make neither.
  const std::vector<std::string_view> parts = Split(owner.api_version, '/');
  const std::string_view group = parts.size() == 2 ? parts[0] : "";
  const std::string_view version = parts.size() == 2   ? parts[1]
                                   : parts.size() == 1 ? parts[0]
                                                       : std::string_view();
  if (version.empty()) {
    errors.push_back(
        Invalid(path.Child("apiVersion"), owner.api_version, "version must not be empty"));
  }
  const std::pair<std::string_view, const std::string*> required[] = {
      {"kind", &owner.kind}, {"name", &owner.name}, {"uid", &owner.uid}};
  for (const auto& [name, value] : required) {
    if (value->empty()) {
      // A uid is no plain string in Go; an empty one prints the same either way.
      errors.push_back(Invalid(path.Child(name), *value, "must not be empty"));
    }
  }
  if (group.empty() && version == "v1" && owner.kind == "Event") {
    errors.push_back(
        InvalidJson(path, GoJsonOf(owner), "/v1, Kind=Event is disallowed from being an owner"));
  }
  return errors;
}

FieldErrors ValidateOwnerReferences(const std::vector<meta::OwnerReference>& owners,
                                    const FieldPath& path) {
  FieldErrors errors;
  std::string first_controller;
  for (const meta::OwnerReference& owner : owners) {
    Append(errors, ValidateOwnerReference(owner, path));
    if (owner.controller.value_or(false)) {
      const std::string name = owner.kind + "/" + owner.name;
      if (first_controller.empty()) {
        first_controller = name;
      } else {
        errors.push_back(InvalidJson(path, GoJsonOf(owners),
                                     "Only one reference can have Controller set to true. Found "
                                     "\"true\" in references for " +
                                         first_controller + " and " + name));
      }
    }
  }
  return errors;
}

FieldErrors ValidateFieldManager(const std::string& manager, const FieldPath& path) {
  FieldErrors errors;
  if (manager.size() > kFieldManagerMaxLength) {
    errors.push_back(TooLong(path, kFieldManagerMaxLength));
  }
  for (std::size_t i = 0; i < manager.size(); ++i) {
    const auto byte = static_cast<unsigned char>(manager[i]);
    if (byte < 0x20 || byte == 0x7f) {
      constexpr std::string_view kHex = "0123456789ABCDEF";
      const std::string code = {kHex[byte >> 4U], kHex[byte & 0xfU]};
      errors.push_back(
          Invalid(path, manager,
                  "invalid character U+00" + code + " (at position " + std::to_string(i) + ")"));
    }
  }
  return errors;
}

FieldErrors ValidateManagedFields(const std::vector<meta::ManagedFieldsEntry>& entries,
                                  const FieldPath& path) {
  FieldErrors errors;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const meta::ManagedFieldsEntry& entry = entries[i];
    const FieldPath item = path.Index(i);
    if (entry.operation != "Apply" && entry.operation != "Update") {
      errors.push_back(
          Invalid(item.Child("operation"), entry.operation, "must be `Apply` or `Update`"));
    }
    if (!entry.fields_type.empty() && entry.fields_type != "FieldsV1") {
      errors.push_back(Invalid(item.Child("fieldsType"), entry.fields_type, "must be `FieldsV1`"));
    }
    Append(errors, ValidateFieldManager(entry.manager, item.Child("manager")));
    if (entry.subresource.size() > kSubresourceMaxLength) {
      errors.push_back(TooLong(item.Child("subresource"), kSubresourceMaxLength));
    }
  }
  return errors;
}

// "[]string{\"a\", \"b\"}", as Go's %#v.
std::string GoStringSlice(const std::vector<std::string>& items) {
  std::string text = "[]string{";
  for (std::size_t i = 0; i < items.size(); ++i) {
    text += (i == 0 ? "" : ", ") + GoQuote(items[i]);
  }
  return text + "}";
}

FieldErrors ValidateNoNewFinalizers(const std::vector<std::string>& finalizers,
                                    const std::vector<std::string>& old, const FieldPath& path) {
  const std::set<std::string> now(finalizers.begin(), finalizers.end());
  const std::set<std::string> before(old.begin(), old.end());
  std::vector<std::string> added;
  std::set_difference(now.begin(), now.end(), before.begin(), before.end(),
                      std::back_inserter(added));
  if (added.empty()) {
    return {};
  }
  return {Forbidden(path,
                    "no new finalizers can be added if the object is being deleted, found new "
                    "finalizers " +
                        GoStringSlice(added))};
}

std::string GoTime(const meta::Time& time) {
  return time.empty() ? "null" : "\"" + time.ToString() + "\"";
}

}  // namespace

void Append(FieldErrors& errors, FieldErrors more) {
  errors.insert(errors.end(), std::make_move_iterator(more.begin()),
                std::make_move_iterator(more.end()));
}

FieldErrors InvalidFor(const Problems& problems, std::string_view value, const FieldPath& path) {
  FieldErrors errors;
  for (const std::string& problem : problems) {
    errors.push_back(Invalid(path, value, problem));
  }
  return errors;
}

Problems NameIsDnsSubdomain(std::string_view name, bool prefix) {
  return CheckDns1123Subdomain(prefix ? MaskTrailingDash(name) : std::string(name));
}

Problems NameIsLongName(std::string_view name, bool prefix) {
  return CheckLongName(prefix ? MaskTrailingDash(name) : std::string(name));
}

Problems NameIsDnsLabel(std::string_view name, bool prefix) {
  return CheckDns1123Label(prefix ? MaskTrailingDash(name) : std::string(name));
}

Problems NameIsPathSegment(std::string_view name, bool prefix) {
  Problems problems;
  if (!prefix && (name == "." || name == "..")) {
    problems.push_back("may not be '" + std::string(name) + "'");
  }
  for (const char c : {'/', '%'}) {
    if (name.find(c) != std::string_view::npos) {
      problems.push_back(std::string("may not contain '") + c + "'");
    }
  }
  return problems;
}

FieldErrors ValidateObjectMeta(const meta::ObjectMeta& metadata, const MetadataRules& rules,
                               const FieldPath& path) {
  FieldErrors errors;
  if (rules.check_generate_name && !metadata.generate_name.empty()) {
    Append(errors, InvalidFor(rules.name_rule(metadata.generate_name, true), metadata.generate_name,
                              path.Child("generateName")));
  }
  if (metadata.name.empty()) {
    errors.push_back(Required(path.Child("name"), "name or generateName is required"));
  } else {
    Append(errors,
           InvalidFor(rules.name_rule(metadata.name, false), metadata.name, path.Child("name")));
  }
  if (rules.namespaced) {
    if (metadata.namespace_.empty()) {
      errors.push_back(Required(path.Child("namespace")));
    } else {
      Append(errors, InvalidFor(NameIsDnsLabel(metadata.namespace_, false), metadata.namespace_,
                                path.Child("namespace")));
    }
  } else if (!metadata.namespace_.empty()) {
    errors.push_back(Forbidden(path.Child("namespace"), "not allowed on this type"));
  }
  if (metadata.generation < 0) {
    errors.push_back(Invalid(path.Child("generation"), metadata.generation,
                             "must be greater than or equal to 0"));
  }
  Append(errors, ValidateLabels(metadata.labels, path.Child("labels")));
  Append(errors, ValidateAnnotations(metadata.annotations, path.Child("annotations")));
  Append(errors, ValidateOwnerReferences(metadata.owner_references, path.Child("ownerReferences")));
  Append(errors, ValidateFinalizers(metadata.finalizers, path.Child("finalizers")));
  Append(errors, ValidateManagedFields(metadata.managed_fields, path.Child("managedFields")));
  if (rules.check_standard_finalizers) {
    Append(errors, ValidateStandardFinalizers(metadata.finalizers, path.Child("finalizers")));
  }
  return errors;
}

FieldErrors ValidateObjectMetaUpdate(const meta::ObjectMeta& metadata, const meta::ObjectMeta& old,
                                     bool check_standard_finalizers, const FieldPath& path) {
  FieldErrors errors;
  if (old.deletion_timestamp.has_value()) {
    Append(errors,
           ValidateNoNewFinalizers(metadata.finalizers, old.finalizers, path.Child("finalizers")));
  }
  if (metadata.resource_version.empty()) {
    errors.push_back(Invalid(path.Child("resourceVersion"), "", "must be specified for an update"));
  }
  if (metadata.generation < old.generation) {
    errors.push_back(
        Invalid(path.Child("generation"), metadata.generation, "must not be decremented"));
  }
  const std::tuple<std::string_view, const std::string*, const std::string*> names[] = {
      {"name", &metadata.name, &old.name},
      {"namespace", &metadata.namespace_, &old.namespace_},
      {"uid", &metadata.uid, &old.uid}};
  for (const auto& [name, now, before] : names) {
    if (*now != *before) {
      errors.push_back(Invalid(path.Child(name), *now, kImmutable));
    }
  }
  if (metadata.creation_timestamp != old.creation_timestamp) {
    errors.push_back(InvalidJson(path.Child("creationTimestamp"),
                                 GoTime(metadata.creation_timestamp), kImmutable));
  }
  if (metadata.deletion_timestamp != old.deletion_timestamp) {
    errors.push_back(InvalidJson(path.Child("deletionTimestamp"),
                                 GoTime(metadata.deletion_timestamp.value_or(meta::Time())),
                                 kImmutable));
  }
  if (metadata.deletion_grace_period_seconds != old.deletion_grace_period_seconds) {
    const std::optional<std::int64_t>& now = metadata.deletion_grace_period_seconds;
    errors.push_back(InvalidJson(path.Child("deletionGracePeriodSeconds"),
                                 now.has_value() ? std::to_string(*now) : "null", kImmutable));
  }
  Append(errors, ValidateLabels(metadata.labels, path.Child("labels")));
  Append(errors, ValidateAnnotations(metadata.annotations, path.Child("annotations")));
  Append(errors, ValidateOwnerReferences(metadata.owner_references, path.Child("ownerReferences")));
  Append(errors, ValidateManagedFields(metadata.managed_fields, path.Child("managedFields")));
  if (check_standard_finalizers) {
    Append(errors, ValidateStandardFinalizers(metadata.finalizers, path.Child("finalizers")));
  }
  return errors;
}

FieldErrors ValidateTemplateObjectMeta(const meta::ObjectMeta& metadata, const FieldPath& path) {
  FieldErrors errors = ValidateAnnotations(metadata.annotations, path.Child("annotations"));
  Append(errors, ValidateLabels(metadata.labels, path.Child("labels")));
  const std::pair<std::string_view, bool> others[] = {
      {"name", !metadata.name.empty()},
      {"generateName", !metadata.generate_name.empty()},
      {"namespace", !metadata.namespace_.empty()},
      {"selfLink", !metadata.self_link.empty()},
      {"uID", !metadata.uid.empty()},
      {"resourceVersion", !metadata.resource_version.empty()},
      {"generation", metadata.generation != 0},
      {"creationTimestamp", !metadata.creation_timestamp.empty()},
      {"deletionTimestamp", metadata.deletion_timestamp.has_value()},
      {"deletionGracePeriodSeconds", metadata.deletion_grace_period_seconds.has_value()},
      {"ownerReferences", !metadata.owner_references.empty()},
      {"finalizers", !metadata.finalizers.empty()},
      {"managedFields", !metadata.managed_fields.empty()}};
  for (const auto& [name, is_set] : others) {
    if (is_set) {
      errors.push_back(Forbidden(path.Child(name), "cannot be set"));
    }
  }
  return errors;
}

FieldErrors ValidateLabelName(std::string_view name, const FieldPath& path) {
  return InvalidFor(CheckQualifiedName(name), name, path);
}

FieldErrors ValidateLabelValue(std::string_view value, const FieldPath& path) {
  return InvalidFor(CheckLabelValue(value), value, path);
}

FieldErrors ValidateLabels(const std::map<std::string, std::string>& labels,
                           const FieldPath& path) {
  FieldErrors errors;
  for (const auto& [key, value] : labels) {
    Append(errors, ValidateLabelName(key, path));
    Append(errors, ValidateLabelValue(value, path));
  }
  return errors;
}

FieldErrors ValidateAnnotations(const std::map<std::string, std::string>& annotations,
                                const FieldPath& path) {
  FieldErrors errors;
  std::size_t bytes = 0;
  for (const auto& [key, value] : annotations) {
    Append(errors, InvalidFor(CheckQualifiedName(ToLower(key)), key, path));
    bytes += key.size() + value.size();
  }
  if (bytes > kAnnotationsMaxBytes) {
    errors.push_back(TooLong(path, kAnnotationsMaxBytes));
  }
  return errors;
}

FieldErrors ValidateConditions(const std::vector<meta::Condition>& conditions,
                               const FieldPath& path) {
  FieldErrors errors;
  std::set<std::string_view> types;
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    const meta::Condition& condition = conditions[i];
    const FieldPath item = path.Index(i);
    if (!types.insert(condition.type).second) {
      errors.push_back(Duplicate(item.Child("type"), condition.type));
    }
    Append(errors, ValidateLabelName(condition.type, item.Child("type")));
    if (condition.status != "True" && condition.status != "False" &&
        condition.status != "Unknown") {
      errors.push_back(
          NotSupported(item.Child("status"), condition.status, {"False", "True", "Unknown"}));
    }
    if (condition.observed_generation < 0) {
      errors.push_back(Invalid(item.Child("observedGeneration"), condition.observed_generation,
                               "must be greater than or equal to zero"));
    }
    if (condition.last_transition_time.empty()) {
      errors.push_back(Required(item.Child("lastTransitionTime")));
    }
    if (condition.reason.empty()) {
      errors.push_back(Required(item.Child("reason")));
    } else {
      Append(errors, InvalidFor(CheckConditionReason(condition.reason), condition.reason,
                                item.Child("reason")));
      if (condition.reason.size() > kReasonMaxLength) {
        errors.push_back(TooLong(item.Child("reason"), kReasonMaxLength));
      }
    }
    if (condition.message.size() > kMessageMaxLength) {
      errors.push_back(TooLong(item.Child("message"), kMessageMaxLength));
    }
  }
  return errors;
}

}  // namespace assay::api::validation
