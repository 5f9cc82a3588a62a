#include "controlplane/scheduler/node_affinity.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

namespace assay::controlplane::scheduler {
namespace {

using api::core::Node;
using api::core::NodeSelectorRequirement;
using api::core::NodeSelectorTerm;

std::optional<std::int64_t> ParseInt(const std::string& text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && at == end && !text.empty() ? std::optional(value) : std::nullopt;
}

bool Contains(const NodeSelectorRequirement& requirement, const std::string& value) {
  return std::find(requirement.values.begin(), requirement.values.end(), value) !=
         requirement.values.end();
}

// `value`: of the label or field; null where the node has none.
bool Matches(const NodeSelectorRequirement& requirement, const std::string* value) {
  const std::string& operation = requirement.operator_;
  if (operation == "In") {
    return value != nullptr && Contains(requirement, *value);
  }
  if (operation == "NotIn") {
    return value == nullptr || !Contains(requirement, *value);
  }
  if (operation == "Exists") {
    return value != nullptr;
  }
  if (operation == "DoesNotExist") {
    return value == nullptr;
  }
  if ((operation == "Gt" || operation == "Lt") && value != nullptr &&
      requirement.values.size() == 1) {
    const auto have = ParseInt(*value);
    const auto bound = ParseInt(requirement.values.front());
    return have && bound && (operation == "Gt" ? *have > *bound : *have < *bound);
  }
  return false;
}

bool Matches(const NodeSelectorTerm& term, const Node& node) {
  if (term.match_expressions.empty() && term.match_fields.empty()) {
    return false;
  }
  const bool labels_match = std::all_of(
      term.match_expressions.begin(), term.match_expressions.end(), [&](const auto& requirement) {
        const auto label = node.metadata.labels.find(requirement.key);
        return Matches(requirement, label == node.metadata.labels.end() ? nullptr : &label->second);
      });
  return labels_match && std::all_of(term.match_fields.begin(), term.match_fields.end(),
                                     [&](const auto& requirement) {
                                       // The only field that Kubernetes knows.
                                       return requirement.key == "metadata.name" &&
                                              Matches(requirement, &node.metadata.name);
                                     });
}

}  // namespace

bool Matches(const api::core::NodeSelector& selector, const Node& node) {
  return std::any_of(selector.node_selector_terms.begin(), selector.node_selector_terms.end(),
                     [&](const NodeSelectorTerm& term) { return Matches(term, node); });
}

bool MatchesRequiredAffinity(const api::core::Pod& pod, const Node& node) {
  for (const auto& [key, value] : pod.spec.node_selector) {
    const auto label = node.metadata.labels.find(key);
    if (label == node.metadata.labels.end() || label->second != value) {
      return false;
    }
  }
  if (!pod.spec.affinity || !pod.spec.affinity->node_affinity) {
    return true;
  }
  const auto& required =
      pod.spec.affinity->node_affinity->required_during_scheduling_ignored_during_execution;
  return !required || Matches(*required, node);
}

}  // namespace assay::controlplane::scheduler
