// What a Snapshot holds; for the parts of the allocator that look into it.
//
// Thread-safe: immutable, but for what the tables learn.
#ifndef ASSAY_ALLOCATOR_INTERNAL_SNAPSHOT_H_
#define ASSAY_ALLOCATOR_INTERNAL_SNAPSHOT_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "allocator/allocator.h"
#include "allocator/internal/node_index.h"
#include "allocator/internal/pool_list.h"
#include "allocator/inventory/layout.h"
#include "allocator/inventory/pool.h"
#include "allocator/inventory/shape.h"
#include "allocator/search/answers.h"
#include "allocator/search/request.h"
#include "allocator/selector/selector.h"
#include "api/resource/types.h"

namespace assay::allocator {
namespace internal {

using Classes = std::map<std::string, api::resource::DeviceClass, std::less<>>;

// What devices and pools have in common; as long as an inventory or a snapshot of it is there.
struct Tables {
  Tables(const Features& features, std::size_t max_shared_values)
      : shapes(features.OfSelectors(), max_shared_values),
        layouts(features),
        selectors(features.OfSelectors()) {}

  inventory::ShapeTable shapes;
  inventory::LayoutTable layouts;
  selector::SelectorCache selectors;
};

// What a node sees.
struct NodePools {
  std::vector<const inventory::NodePool*> pools;
  search::NodeKind kind;
};

}  // namespace internal

struct Snapshot::Impl {
  Features features;
  internal::PoolList pools;
  std::shared_ptr<const internal::NodeIndex> index;
  std::shared_ptr<const internal::Classes> classes;
  // Shared with the inventory: what is in it does not change, only what is known of it.
  std::shared_ptr<internal::Tables> tables;

  // The node's pools in the order of allocation: those with binding conditions last.
  Status FindPools(const api::core::Node& node, internal::NodePools& found) const;

  search::ClassFinder FindClass() const;
};

}  // namespace assay::allocator

#endif  // ASSAY_ALLOCATOR_INTERNAL_SNAPSHOT_H_
