#include "allocator/inventory/node_selection.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <vector>

#include "api/core/types.h"

namespace assay::allocator::inventory {
namespace {

using api::core::NodeSelectorRequirement;

std::optional<std::int64_t> ParseInteger(std::string_view text) {
  std::int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

// A requirement on a value that may be absent (null). Source: apimachinery, labels/selector.go.
Result<bool> RequirementMatches(const NodeSelectorRequirement& requirement,
                                const std::string* value) {
  const std::vector<std::string>& values = requirement.values;
  const auto listed = [&] {
    return std::find(values.begin(), values.end(), *value) != values.end();
  };
  if (requirement.operator_ == "In") {
    return value != nullptr && listed();
  }
  if (requirement.operator_ == "NotIn") {
    return value == nullptr || !listed();
  }
  if (requirement.operator_ == "Exists") {
    return value != nullptr;
  }
  if (requirement.operator_ == "DoesNotExist") {
    return value == nullptr;
  }
  if (requirement.operator_ == "Gt" || requirement.operator_ == "Lt") {
    if (value == nullptr || values.size() != 1) {
      return false;
    }
    const std::optional<std::int64_t> actual = ParseInteger(*value);
    const std::optional<std::int64_t> limit = ParseInteger(values[0]);
    if (!actual.has_value() || !limit.has_value()) {
      return false;
    }
    return requirement.operator_ == "Gt" ? *actual > *limit : *actual < *limit;
  }
  return InvalidArgumentError("\"" + requirement.operator_ +
                              "\" is not a valid label selector operator");
}

Result<bool> TermMatches(const api::core::NodeSelectorTerm& term, const api::core::Node& node) {
  // A term without requirements selects nothing.
  if (term.match_expressions.empty() && term.match_fields.empty()) {
    return false;
  }
  for (const NodeSelectorRequirement& requirement : term.match_expressions) {
    const auto label = node.metadata.labels.find(requirement.key);
    ASSAY_ASSIGN_OR_RETURN(
        const bool matches,
        RequirementMatches(requirement,
                           label == node.metadata.labels.end() ? nullptr : &label->second));
    if (!matches) {
      return false;
    }
  }
  for (const NodeSelectorRequirement& requirement : term.match_fields) {
    const std::string* value = requirement.key == "metadata.name" ? &node.metadata.name : nullptr;
    ASSAY_ASSIGN_OR_RETURN(const bool matches, RequirementMatches(requirement, value));
    if (!matches) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<bool> SelectorMatches(const api::core::NodeSelector& selector, const api::core::Node& node) {
  for (const api::core::NodeSelectorTerm& term : selector.node_selector_terms) {
    ASSAY_ASSIGN_OR_RETURN(const bool matches, TermMatches(term, node));
    if (matches) {
      return true;
    }
  }
  return false;
}

Result<bool> NodeMatches(const NodeSelection& selection, const api::core::Node& node) {
  if (!selection.node_name->value_or("").empty()) {
    return **selection.node_name == node.metadata.name;
  }
  if (selection.all_nodes->value_or(false)) {
    return true;
  }
  if (selection.selector->has_value()) {
    return SelectorMatches(**selection.selector, node);
  }
  return false;
}

}  // namespace assay::allocator::inventory
