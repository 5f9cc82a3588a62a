// The planner: from a syntax tree to the steps of a Program.
//
// Source: cel-go's interpreter/planner.go and decorators.go; constants are folded where it folds
// them, because that shows in costs and in errors.
//
// Thread-safe: pure function.
#ifndef ASSAY_CEL_INTERNAL_PLANNER_H_
#define ASSAY_CEL_INTERNAL_PLANNER_H_

#include <memory>
#include <vector>

#include "base/result.h"
#include "cel/ast.h"
#include "cel/environment.h"
#include "cel/internal/node.h"

namespace assay::cel::internal {

struct Plan {
  const Node* root = nullptr;
  std::size_t slot_count = 0;
  std::vector<std::shared_ptr<const void>> owned;  // what the nodes refer to besides the arena
};

// Plans `root`, checked or not. Errors are those of constants that cannot be folded.
Result<Plan> MakePlan(const Environment& environment, const Expr& root, Arena& arena);

}  // namespace assay::cel::internal

#endif  // ASSAY_CEL_INTERNAL_PLANNER_H_
