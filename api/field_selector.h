// Field selectors ("metadata.name=a,spec.nodeName!=n"), and which fields each kind may be selected
// by.
//
//   ASSAY_ASSIGN_OR_RETURN(FieldSelector selector, FieldSelector::Parse(text));
//   ASSAY_RETURN_IF_ERROR(selector.CheckFor(kind, level));
//   if (selector.Matches(object)) ...
//
// Source: apimachinery, pkg/fields/selector.go, and the kinds' registries. Thread-safe: values.
#ifndef ASSAY_API_FIELD_SELECTOR_H_
#define ASSAY_API_FIELD_SELECTOR_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/compatibility.h"
#include "api/object.h"
#include "base/result.h"

namespace assay::api {

class FieldSelector {
 public:
  struct Requirement {
    std::string field;
    std::string value;
    bool negated = false;
    friend bool operator==(const Requirement&, const Requirement&) = default;
  };

  FieldSelector() = default;  // Matches everything.

  // kInvalidArgument: `invalid selector: 'a'; can't understand 'a'`.
  static Result<FieldSelector> Parse(std::string_view text);

  // Whether the kind can be selected by each of the fields. kInvalidArgument with the words that
  // upstream has for the kind: `field label not supported: spec.foo`,
  // `"spec.foo" is not a known field selector: only "metadata.name", "metadata.namespace"`.
  Status CheckFor(const Kind& kind, Level level) const;

  // Fields that the kind does not have count as empty.
  bool Matches(const Object& object) const;
  // The value that `field` must equal, if one is demanded: an index can use it.
  std::optional<std::string> RequiredValue(std::string_view field) const;

  bool empty() const { return requirements_.empty(); }
  const std::vector<Requirement>& requirements() const { return requirements_; }
  std::string ToString() const;

 private:
  std::vector<Requirement> requirements_;
};

// The value of a selectable field of an object, "" if it is absent.
std::string SelectableField(const Object& object, std::string_view field);
// The names by which `kind` can be selected at `level`.
std::vector<std::string_view> SelectableFields(const Kind& kind, Level level);

}  // namespace assay::api

#endif  // ASSAY_API_FIELD_SELECTOR_H_
