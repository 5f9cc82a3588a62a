// The explainer: counts, device by device, what keeps requests from being served on a node.
//
// Thread-safe: a function.
#ifndef ASSAY_ALLOCATOR_EXPLAIN_EXPLAINER_H_
#define ASSAY_ALLOCATOR_EXPLAIN_EXPLAINER_H_

#include "allocator/explain/explanation.h"
#include "allocator/search/search.h"

namespace assay::allocator::explain {

Explanation Explain(const search::Input& input);

}  // namespace assay::allocator::explain

#endif  // ASSAY_ALLOCATOR_EXPLAIN_EXPLAINER_H_
