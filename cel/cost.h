// The static cost of an expression: the range that its evaluation's cost will lie in.
//
// Source: cel-go's checker/cost.go, ext/lists.go, ext/sets.go; k8s.io/apiserver/pkg/cel/library/
// cost.go. The estimate decides which expressions the API accepts, so it is theirs to the unit,
// quirks included.
//
// Thread-safe: pure functions.
#ifndef ASSAY_CEL_COST_H_
#define ASSAY_CEL_COST_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cel/ast.h"

namespace assay::cel {

// A range; sums and products stop at 2^64-1.
struct CostRange {
  std::uint64_t min = 0;
  std::uint64_t max = 0;

  static CostRange Fixed(std::uint64_t value) { return {value, value}; }
  static CostRange Unknown() { return {0, UINT64_MAX}; }
  CostRange operator+(const CostRange& other) const;
  CostRange operator*(const CostRange& other) const;
  // Times a factor, rounded up.
  CostRange Scaled(double factor) const;
  CostRange Union(const CostRange& other) const;
};

// The size of a part of the input: the path starts with a variable; further elements are field
// names,
// "@items", "@keys", "@values". Null: unknown.
using SizeEstimator = std::function<std::optional<CostRange>(std::span<const std::string> path)>;

// The cost of evaluating a checked expression.
CostRange EstimateCost(const Expr& root, const SizeEstimator& size_estimator);

}  // namespace assay::cel

#endif  // ASSAY_CEL_COST_H_
