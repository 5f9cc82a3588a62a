// Search: the devices of a node for claims, once (see searcher.h).
//
// Thread-safe: a function.
#ifndef ASSAY_ALLOCATOR_SEARCH_SEARCH_H_
#define ASSAY_ALLOCATOR_SEARCH_SEARCH_H_

#include <optional>
#include <span>
#include <vector>

#include "allocator/features.h"
#include "allocator/inventory/pool.h"
#include "allocator/search/options.h"
#include "allocator/search/request.h"
#include "api/resource/types.h"

namespace assay::allocator::search {

struct Input {
  std::span<const api::resource::ResourceClaim* const> claims;
  const api::core::Node& node;
  std::span<const inventory::NodePool* const> pools;  // in the order of allocation
  const ClassFinder& find_class;
  selector::SelectorCache& selectors;
  const Features& features;
  const AllocateOptions& options;
  const inventory::ShapeTable& shapes;
};

// See Snapshot::Allocate.
Result<std::optional<std::vector<api::resource::AllocationResult>>> Search(const Input& input);

}  // namespace assay::allocator::search

#endif  // ASSAY_ALLOCATOR_SEARCH_SEARCH_H_
