// Node selection: which nodes a slice, a device or an allocation is for.
//
// Source: component-helpers, nodeaffinity; apimachinery, labels/selector.go.
//
// Thread-safe: pure functions.
#ifndef ASSAY_ALLOCATOR_INVENTORY_NODE_SELECTION_H_
#define ASSAY_ALLOCATOR_INVENTORY_NODE_SELECTION_H_

#include <optional>
#include <string>

#include "base/result.h"

namespace assay::api::core {
struct Node;
struct NodeSelector;
}  // namespace assay::api::core

namespace assay::allocator::inventory {

struct NodeSelection {
  const std::optional<std::string>* node_name;
  const std::optional<bool>* all_nodes;
  const std::optional<api::core::NodeSelector>* selector;
};

// Whether a node is selected: by name, or all, or by the selector; false if by none. An error is a
// selector that makes no sense.
Result<bool> NodeMatches(const NodeSelection& selection, const api::core::Node& node);
Result<bool> SelectorMatches(const api::core::NodeSelector& selector, const api::core::Node& node);

}  // namespace assay::allocator::inventory

#endif  // ASSAY_ALLOCATOR_INVENTORY_NODE_SELECTION_H_
