#include "allocator/search/search.h"

#include "allocator/search/prepared.h"
#include "allocator/search/searcher.h"

namespace assay::allocator::search {

Result<std::optional<std::vector<api::resource::AllocationResult>>> Search(const Input& input) {
  Prepared prepared(
      {input.claims, input.find_class, input.selectors, input.shapes, input.features});
  Searcher searcher(prepared, input.options);
  ASSAY_ASSIGN_OR_RETURN(const bool fits, searcher.Run(input.node, input.pools));
  if (!fits) {
    return std::optional<std::vector<api::resource::AllocationResult>>();
  }
  ASSAY_ASSIGN_OR_RETURN(auto allocations, searcher.BuildAllocations());
  return std::optional(std::move(allocations));
}

}  // namespace assay::allocator::search
