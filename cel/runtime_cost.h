// The cost of a call at run time.
//
// Source: cel-go's interpreter/runtimecost.go, ext/lists.go, ext/sets.go;
// k8s.io/apiserver/pkg/cel/library/cost.go.
//
// Thread-safe: pure functions.
#ifndef ASSAY_CEL_RUNTIME_COST_H_
#define ASSAY_CEL_RUNTIME_COST_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "cel/function.h"
#include "cel/value.h"

namespace assay::cel {

// What a step costs.
inline constexpr std::uint64_t kSelectCost = 1;
inline constexpr std::uint64_t kListCost = 10;
inline constexpr std::uint64_t kMapCost = 30;
inline constexpr std::uint64_t kStructCost = 40;
// What a byte or character of a text costs, and of a regular expression.
inline constexpr double kTextCost = 0.1;
inline constexpr double kRegexCost = 0.25;

// How a call is charged.
enum class CallCost : std::uint8_t {
  kOne,
  kText,         // the first argument is read
  kTextTwice,    // ... and copied
  kResultTwice,  // join(): the result is written
  kInList,       // each element
  kSmaller,      // the smaller of the two is read
  kBoth,         // both are read
  kMatches,      // text times expression
  kContains,     // text times text
  kTraversal,    // everything in the first argument
  kEquals,       // 1 for the libraries' types, else as kSmaller
  kCidrContainsIp,
  kCidrContainsIpText,
  kCidrContainsCidr,
  kCidrContainsCidrText,
  kValidateFormat,
  kListOutput,  // the result is written
  kListFlatten,
  kListSelfCompare,  // each element with each
  kListCompareKeys,  // the same for the second argument
  kSets,
  kSetsTwice,
};

// `overload` is empty where the checker left more than one.
CallCost CallCostOf(std::string_view function, std::string_view overload);

// The error that cel-go's cost tracker panics with where it takes an argument for a list, or a
// number, that is none: an error among them. Not an error: it does not.
Value CostPanic(const CallContext& context, CallCost how, std::span<const Value> args);

std::uint64_t ComputeCallCost(CallCost how, std::span<const Value> args, const Value& result);

}  // namespace assay::cel

#endif  // ASSAY_CEL_RUNTIME_COST_H_
