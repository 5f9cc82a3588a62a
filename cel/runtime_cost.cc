#include "cel/runtime_cost.h"

#include <algorithm>
#include <map>

#include "cel/library/opaque_values.h"

namespace assay::cel {
namespace {

std::uint64_t Size(const Value& value) {
  if (value.Is(ValueKind::kOptional) && value.optional() != nullptr) {
    return Size(*value.optional());
  }
  if (value.Is(ValueKind::kOpaque)) {
    return library::AddressSize(value.opaque()).value_or(1);
  }
  return SizeForCost(value);
}

// Sizes are far below 2^53; std::ceil would be a call.
std::uint64_t RoundUp(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  return static_cast<std::uint64_t>(whole + (static_cast<double>(whole) < value ? 1 : 0));
}

std::uint64_t TextCost(const Value& value, double factor = 1) {
  return RoundUp(static_cast<double>(Size(value)) * factor * kTextCost);
}

std::uint64_t TraversalCost(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kString:
    case ValueKind::kBytes:
      return static_cast<std::uint64_t>(static_cast<double>(value.text().size()) * kTextCost);
    case ValueKind::kList: {
      std::uint64_t cost = 0;
      for (std::size_t i = 0; i < value.list().size(); ++i) {
        cost += TraversalCost(value.list().At(i));
      }
      return cost;
    }
    case ValueKind::kMap: {
      std::uint64_t cost = 0;
      for (std::size_t i = 0; i < value.map().size(); ++i) {
        const Map::Entry entry = value.map().At(i);
        cost += TraversalCost(entry.key) + TraversalCost(entry.value);
      }
      return cost;
    }
    default:
      return 1;
  }
}

// As Go converts a double: what is below 0 wraps around, what is too large is 2^63.
std::uint64_t ToUint64(double value) {
  if (value >= 0 && value < 0x1p64) {
    return static_cast<std::uint64_t>(value);
  }
  return value >= -0x1p63 && value < 0
             ? static_cast<std::uint64_t>(static_cast<std::int64_t>(value))
             : std::uint64_t{1} << 63;
}

std::uint64_t ListCost(double factor, std::uint64_t size) {
  return ToUint64(static_cast<double>(size) * factor) + 1 + kListCost;
}

std::uint64_t SelfCompareCost(const Value& list) {
  if (!list.Is(ValueKind::kList)) {
    return 1;
  }
  const std::uint64_t size = list.list().size();
  double factor = 2;
  if (size > 0) {
    const Value first = list.list().At(0);
    factor += first.Is(ValueKind::kString) || first.Is(ValueKind::kBytes) ? kTextCost : 0;
  }
  return ListCost(factor, size * size);
}

std::uint64_t CidrCost(std::span<const Value> args, bool cidr, bool text) {
  const double size = static_cast<double>(Size(args[0]));
  std::uint64_t cost = RoundUp(2 * size * kTextCost);
  if (cidr) {
    cost += RoundUp(size * kTextCost) + 1;
  }
  return cost + (text ? TextCost(args[1]) : 0);
}

std::uint64_t SmallerCost(std::span<const Value> args) {
  return RoundUp(static_cast<double>(std::min(Size(args[0]), Size(args[1]))) * kTextCost);
}

std::uint64_t RegexCost(const Value& text, double regex_size) {
  return RoundUp((1.0 + static_cast<double>(Size(text))) * kTextCost) *
         RoundUp(regex_size * kRegexCost);
}

// Whether the value's Go type can be added to: then it is another method that a list has and it
// not.
bool HasAddMethod(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kInt:
    case ValueKind::kUint:
    case ValueKind::kDouble:
    case ValueKind::kString:
    case ValueKind::kBytes:
    case ValueKind::kDuration:
    case ValueKind::kTimestamp:
      return true;
    default:
      return false;
  }
}

}  // namespace

CallCost CallCostOf(std::string_view function, std::string_view overload) {
  static const std::map<std::string_view, CallCost> kOverloadsFirst = {
      {"list_slice", CallCost::kListOutput},
      {"list_flatten", CallCost::kListFlatten},
      {"list_flatten_int", CallCost::kListFlatten},
      {"lists_range", CallCost::kListOutput},
      {"list_reverse", CallCost::kListOutput},
      {"list_distinct", CallCost::kListSelfCompare},
      {"list_sets_contains_list", CallCost::kSets},
      {"list_sets_intersects_list", CallCost::kSets},
      {"list_sets_equivalent_list", CallCost::kSetsTwice}};
  static const std::map<std::string_view, CallCost> kFunctions = {
      {"isSorted", CallCost::kTraversal},
      {"sum", CallCost::kTraversal},
      {"max", CallCost::kTraversal},
      {"min", CallCost::kTraversal},
      {"indexOf", CallCost::kTraversal},
      {"lastIndexOf", CallCost::kTraversal},
      {"url", CallCost::kText},
      {"lowerAscii", CallCost::kText},
      {"upperAscii", CallCost::kText},
      {"substring", CallCost::kText},
      {"trim", CallCost::kText},
      {"replace", CallCost::kTextTwice},
      {"split", CallCost::kTextTwice},
      {"join", CallCost::kResultTwice},
      {"find", CallCost::kMatches},
      {"findAll", CallCost::kMatches},
      {"cidr", CallCost::kText},
      {"isIP", CallCost::kText},
      {"isCIDR", CallCost::kText},
      {"ip.isCanonical", CallCost::kTextTwice},
      {"quantity", CallCost::kText},
      {"isQuantity", CallCost::kText},
      {"semver", CallCost::kText},
      {"isSemver", CallCost::kText},
      {"validate", CallCost::kValidateFormat},
      {"_==_", CallCost::kEquals}};
  static const std::map<std::string_view, CallCost> kOverloads = {
      {"starts_with_string", CallCost::kText},
      {"ends_with_string", CallCost::kText},
      {"string_to_bytes", CallCost::kText},
      {"bytes_to_string", CallCost::kText},
      {"strings_quote", CallCost::kText},
      {"string_format", CallCost::kText},
      {"in_list", CallCost::kInList},
      {"less_string", CallCost::kSmaller},
      {"greater_string", CallCost::kSmaller},
      {"less_equals_string", CallCost::kSmaller},
      {"greater_equals_string", CallCost::kSmaller},
      {"less_bytes", CallCost::kSmaller},
      {"greater_bytes", CallCost::kSmaller},
      {"less_equals_bytes", CallCost::kSmaller},
      {"greater_equals_bytes", CallCost::kSmaller},
      {"not_equals", CallCost::kSmaller},
      {"add_string", CallCost::kBoth},
      {"add_bytes", CallCost::kBoth},
      {"matches_string", CallCost::kMatches},
      {"contains_string", CallCost::kContains}};
  if (const auto it = kOverloadsFirst.find(overload); it != kOverloadsFirst.end()) {
    return it->second;
  }
  if (overload.starts_with("list_") && overload.ends_with("_sort")) {
    return CallCost::kListSelfCompare;
  }
  if (overload.starts_with("list_") && overload.ends_with("_sortByAssociatedKeys")) {
    return CallCost::kListCompareKeys;
  }
  if (function == "ip") {
    return overload == "cidr_ip" ? CallCost::kOne : CallCost::kText;
  }
  if (function == "containsIP") {
    return overload == "cidr_contains_ip_string" ? CallCost::kCidrContainsIpText
                                                 : CallCost::kCidrContainsIp;
  }
  if (function == "containsCIDR") {
    return overload == "cidr_contains_cidr_string" ? CallCost::kCidrContainsCidrText
                                                   : CallCost::kCidrContainsCidr;
  }
  if (const auto it = kFunctions.find(function); it != kFunctions.end()) {
    return it->second;
  }
  const auto it = kOverloads.find(overload);
  return it == kOverloads.end() ? CallCost::kOne : it->second;
}

Value CostPanic(const CallContext& context, CallCost how, std::span<const Value> args) {
  const auto not_a_list = [&context](const Value& value) {
    if (value.Is(ValueKind::kList)) {
      return Value();
    }
    return context.Error({"internal error: interface conversion: ", GoTypeName(value),
                          " is not traits.Lister: missing method ",
                          HasAddMethod(value) ? "Contains" : "Add"});
  };
  switch (how) {
    case CallCost::kListSelfCompare:
      return not_a_list(args[0]);
    case CallCost::kListCompareKeys:
      return not_a_list(args[1]);
    case CallCost::kListFlatten:
      if (args.size() == 2 && !args[1].Is(ValueKind::kInt)) {
        return context.Error({"internal error: interface conversion: ref.Val is ",
                              GoTypeName(args[1]), ", not types.Int"});
      }
      return Value();
    default:
      return Value();
  }
}

std::uint64_t ComputeCallCost(CallCost how, std::span<const Value> args, const Value& result) {
  switch (how) {
    case CallCost::kOne:
      return 1;
    case CallCost::kText:
      return TextCost(args[0]);
    case CallCost::kTextTwice:
      return TextCost(args[0], 2);
    case CallCost::kResultTwice:
      return TextCost(result, 2);
    case CallCost::kInList:
      return Size(args[1]);
    case CallCost::kSmaller:
      return SmallerCost(args);
    case CallCost::kBoth:
      return RoundUp(static_cast<double>(Size(args[0]) + Size(args[1])) * kTextCost);
    case CallCost::kMatches:
      return RegexCost(args[0], static_cast<double>(Size(args[1])));
    case CallCost::kContains:
      return TextCost(args[0]) * TextCost(args[1]);
    case CallCost::kTraversal:
      return TraversalCost(args[0]);
    case CallCost::kEquals:
      return args[0].Is(ValueKind::kOpaque) ? 1 : SmallerCost(args);
    case CallCost::kCidrContainsIp:
      return CidrCost(args, false, false);
    case CallCost::kCidrContainsIpText:
      return CidrCost(args, false, true);
    case CallCost::kCidrContainsCidr:
      return CidrCost(args, true, false);
    case CallCost::kCidrContainsCidrText:
      return CidrCost(args, true, true);
    case CallCost::kValidateFormat: {
      const std::size_t size =
          args[0].Is(ValueKind::kOpaque) ? library::NamedFormatSize(args[0].opaque()) : 0;
      return size == 0 ? 1 : RegexCost(args[1], static_cast<double>(size));
    }
    case CallCost::kListOutput:
      return ListCost(1, Size(result));
    case CallCost::kListFlatten: {
      const double depth = args.size() == 2 && args[1].Is(ValueKind::kInt)
                               ? static_cast<double>(args[1].int_value())
                               : 1;
      return ListCost(depth, Size(args[0]));
    }
    case CallCost::kListSelfCompare:
      return SelfCompareCost(args[0]);
    case CallCost::kListCompareKeys:
      return SelfCompareCost(args[1]);
    case CallCost::kSets:
      return 1 + Size(args[0]) * Size(args[1]);
    case CallCost::kSetsTwice:
      return 1 + 2 * Size(args[0]) * Size(args[1]);
  }
  return 1;
}

}  // namespace assay::cel
