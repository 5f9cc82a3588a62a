// Search: the devices of a node for claims, in upstream's order; the first complete solution.
//
// Source: structured/internal/incubating/allocator_incubating.go. The search tries what upstream
// tries, in its order, but leaves out branches that cannot succeed: fewer devices left than needed,
// and, once it has backtracked for a while, requests that cannot all have a device of their own.
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

// Most devices of one claim (resource.k8s.io: AllocationResultsMaxSize).
inline constexpr int kMaxResults = 32;

struct Input {
  std::span<const api::resource::ResourceClaim* const> claims;
  const api::core::Node& node;
  std::span<const std::shared_ptr<const inventory::NodePool>> pools;  // in the order of allocation
  const ClassFinder& find_class;
  selector::SelectorCache& selectors;
  const Features& features;
  const AllocateOptions& options;
};

// See Snapshot::Allocate.
Result<std::optional<std::vector<api::resource::AllocationResult>>> Search(const Input& input);

}  // namespace assay::allocator::search

#endif  // ASSAY_ALLOCATOR_SEARCH_SEARCH_H_
