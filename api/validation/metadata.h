// The rules of metadata, which every kind has, and of the small types that many kinds share.
//
// Source: apimachinery, api/validation/objectmeta.go and apis/meta/v1/validation; the additions of
// pkg/apis/core/validation for kinds that belong to Kubernetes itself.
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_VALIDATION_METADATA_H_
#define ASSAY_API_VALIDATION_METADATA_H_

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/meta/types.h"
#include "api/validation/field_error.h"
#include "api/validation/names.h"

namespace assay::api::validation {

// What a kind's names look like. `prefix`: it is a generateName, which may end with a dash.
using NameRule = std::function<Problems(std::string_view name, bool prefix)>;

Problems NameIsDnsSubdomain(std::string_view name, bool prefix);
// As NameIsDnsSubdomain, in the words of declarative validation.
Problems NameIsLongName(std::string_view name, bool prefix);
Problems NameIsDnsLabel(std::string_view name, bool prefix);
// The least that any name must be: one segment of a URL's path.
Problems NameIsPathSegment(std::string_view name, bool prefix);

struct MetadataRules {
  bool namespaced = false;
  NameRule name_rule;
  // DeviceClass checks the generated name alone (ValidateObjectMetaWithOpts).
  bool check_generate_name = true;
  // Finalizers without a domain must be Kubernetes' own.
  bool check_standard_finalizers = true;
};

FieldErrors ValidateObjectMeta(const meta::ObjectMeta& metadata, const MetadataRules& rules,
                               const FieldPath& path);
FieldErrors ValidateObjectMetaUpdate(const meta::ObjectMeta& metadata, const meta::ObjectMeta& old,
                                     bool check_standard_finalizers, const FieldPath& path);
// The metadata of a template: labels and annotations, nothing else.
FieldErrors ValidateTemplateObjectMeta(const meta::ObjectMeta& metadata, const FieldPath& path);

FieldErrors ValidateLabelName(std::string_view name, const FieldPath& path);
FieldErrors ValidateLabelValue(std::string_view value, const FieldPath& path);
FieldErrors ValidateLabels(const std::map<std::string, std::string>& labels, const FieldPath& path);
FieldErrors ValidateAnnotations(const std::map<std::string, std::string>& annotations,
                                const FieldPath& path);
FieldErrors ValidateConditions(const std::vector<meta::Condition>& conditions,
                               const FieldPath& path);

// One Invalid error for every problem with `value`.
FieldErrors InvalidFor(const Problems& problems, std::string_view value, const FieldPath& path);

// Appends `more` to `errors`.
void Append(FieldErrors& errors, FieldErrors more);

inline constexpr std::string_view kImmutable = "field is immutable";

}  // namespace assay::api::validation

#endif  // ASSAY_API_VALIDATION_METADATA_H_
