#include "cel/cost.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <vector>

#include "cel/function.h"
#include "cel/runtime_cost.h"
#include "cel/type.h"

namespace assay::cel {
namespace {

constexpr std::uint64_t kMax = UINT64_MAX;

std::uint64_t Add(std::uint64_t a, std::uint64_t b) { return a > kMax - b ? kMax : a + b; }
std::uint64_t Multiply(std::uint64_t a, std::uint64_t b) {
  return b != 0 && a > kMax / b ? kMax : a * b;
}
std::uint64_t Scale(std::uint64_t value, double factor) {
  constexpr double kTwoTo64 = 18446744073709551616.0;
  const double product = std::ceil(static_cast<double>(value) * factor);
  return product >= kTwoTo64 ? kMax : static_cast<std::uint64_t>(product);
}

using Size = CostRange;
using OptionalSize = std::optional<Size>;

// The sizes of the keys (or indexes) and of the values of a list or map.
struct EntrySize {
  TypeKind container = TypeKind::kError;
  Size key;
  Size value;
};

struct CallEstimate {
  CostRange cost;
  OptionalSize result_size;
};

bool IsScalar(const Type* type) {
  switch (type->kind()) {
    case TypeKind::kBool:
    case TypeKind::kDouble:
    case TypeKind::kDuration:
    case TypeKind::kInt:
    case TypeKind::kTimestamp:
    case TypeKind::kUint:
      return true;
    case TypeKind::kOpaque:
      return type->IsOptional() && IsScalar(type->parameter(0));
    default:
      return false;
  }
}

bool IsText(const Type* type) {
  return type->kind() == TypeKind::kString || type->kind() == TypeKind::kBytes;
}

class Estimator {
 public:
  explicit Estimator(const SizeEstimator& size_estimator) : size_estimator_(size_estimator) {}

  CostRange Cost(const Expr* expr) {
    switch (expr->kind) {
      case ExprKind::kLiteral:
      case ExprKind::kError:
        return {};
      case ExprKind::kIdent:
        return CostOfIdent(expr);
      case ExprKind::kSelect:
        return CostOfSelect(expr);
      case ExprKind::kCall:
        return CostOfCall(expr);
      case ExprKind::kList:
        return CostOfList(expr);
      case ExprKind::kMap:
        return CostOfMap(expr);
      case ExprKind::kStruct: {
        CostRange sum;
        for (const Expr* value : expr->args) {
          sum = sum + Cost(value);
        }
        return sum + CostRange::Fixed(kStructCost);
      }
      case ExprKind::kComprehension:
        return IsBind(*expr->comprehension) ? CostOfBind(expr) : CostOfComprehension(expr);
    }
    return {};
  }

 private:
  using Path = std::vector<std::string>;

  struct Local {
    std::string_view name;
    Path path;
    OptionalSize size;
    std::optional<EntrySize> entry_size;
  };

  const Local* FindLocal(std::string_view name) const {
    for (auto it = locals_.rbegin(); it != locals_.rend(); ++it) {
      if (it->name == name) {
        return &*it;
      }
    }
    return nullptr;
  }

  Path GetPath(const Expr* expr) const {
    if (expr->kind == ExprKind::kIdent) {
      if (const Local* local = FindLocal(expr->name); local != nullptr) {
        return local->path;
      }
    }
    const auto it = paths_.find(expr);
    return it == paths_.end() ? Path() : it->second;
  }

  static Path Extended(Path path, std::string_view element) {
    path.emplace_back(element);
    return path;
  }

  CostRange CostOfIdent(const Expr* expr) {
    const Local* local = FindLocal(expr->name);
    paths_[expr] = local != nullptr ? local->path : Path{std::string(expr->name)};
    if (expr->is_constant && local == nullptr) {
      paths_[expr] = {std::string(expr->name)};
    }
    return CostRange::Fixed(kSelectCost);
  }

  CostRange CostOfSelect(const Expr* expr) {
    CostRange sum = Cost(expr->target);
    if (expr->test_only) {
      return sum;
    }
    switch (expr->target->type->kind()) {
      case TypeKind::kMap:
      case TypeKind::kStruct:
      case TypeKind::kTypeParam:
        sum = sum + CostRange::Fixed(kSelectCost);
        break;
      default:
        break;
    }
    paths_[expr] = Extended(GetPath(expr->target), expr->name);
    return sum;
  }

  CostRange CostOfList(const Expr* expr) {
    CostRange sum;
    Size item{expr->args.empty() ? 0 : kMax, 0};
    for (const Expr* element : expr->args) {
      sum = sum + Cost(element);
      item = item.Union(SizeOrUnknown(element));
    }
    entry_sizes_[expr] = {TypeKind::kList, Size::Fixed(1), item};
    return sum + CostRange::Fixed(kListCost);
  }

  CostRange CostOfMap(const Expr* expr) {
    CostRange sum;
    Size key{expr->args.empty() ? 0 : kMax, 0};
    Size value = key;
    for (std::size_t i = 0; i + 1 < expr->args.size(); i += 2) {
      sum = sum + Cost(expr->args[i]);
      sum = sum + Cost(expr->args[i + 1]);
      key = key.Union(SizeOrUnknown(expr->args[i]));
      value = value.Union(SizeOrUnknown(expr->args[i + 1]));
    }
    entry_sizes_[expr] = {TypeKind::kMap, key, value};
    return sum + CostRange::Fixed(kMapCost);
  }

  static bool IsBind(const Comprehension& comprehension) {
    return comprehension.iter_range->kind == ExprKind::kList &&
           comprehension.iter_range->args.empty() &&
           comprehension.loop_condition->kind == ExprKind::kLiteral &&
           comprehension.loop_condition->literal.IsFalse();
  }

  void PushLocal(std::string_view name, const Expr* expr) {
    locals_.push_back({name, GetPath(expr), ComputeSize(expr), ComputeEntrySize(expr)});
  }

  enum class Iterated : std::uint8_t { kKey, kValue, kSingle };
  void PushIterated(std::string_view name, const Expr* range, Iterated what) {
    const std::optional<EntrySize> entry = ComputeEntrySize(range);
    const TypeKind container = entry.has_value() ? entry->container : range->type->kind();
    const bool is_list = container == TypeKind::kList;
    bool key = what == Iterated::kKey;
    std::string_view element =
        key ? (is_list ? "@indices" : "@keys") : (is_list ? "@items" : "@values");
    if (what == Iterated::kSingle) {
      key = !is_list;
      element = is_list ? "@items" : "@keys";
    }
    OptionalSize size;
    if (entry.has_value()) {
      size = key ? entry->key : entry->value;
    }
    locals_.push_back({name, Extended(GetPath(range), element), size, std::nullopt});
  }

  CostRange CostOfComprehension(const Expr* expr) {
    const Comprehension& comprehension = *expr->comprehension;
    CostRange sum = Cost(comprehension.iter_range);
    sum = sum + Cost(comprehension.accu_init);
    const std::size_t outer = locals_.size();
    PushLocal(comprehension.accu_var, comprehension.accu_init);
    if (!comprehension.iter_var2.empty()) {
      PushIterated(comprehension.iter_var, comprehension.iter_range, Iterated::kKey);
      PushIterated(comprehension.iter_var2, comprehension.iter_range, Iterated::kValue);
      // cel-go appends both to one slice of Go's: where that has room left, the second name takes
      // the first one's place.
      const std::size_t depth = locals_.back().path.size() - 1;
      if (depth > 0 && !std::has_single_bit(depth)) {
        locals_[locals_.size() - 2].path = locals_.back().path;
      }
    } else {
      PushIterated(comprehension.iter_var, comprehension.iter_range, Iterated::kSingle);
    }
    const CostRange condition = Cost(comprehension.loop_condition);
    const CostRange step = Cost(comprehension.loop_step);
    locals_.resize(outer + 1);
    sum = sum + Cost(comprehension.result);
    locals_.resize(outer);
    const Size count = SizeOrUnknown(comprehension.iter_range);
    sum = sum + count * (step + condition);
    switch (comprehension.accu_init->kind) {
      case ExprKind::kLiteral:
        SetSize(expr, ComputeSize(comprehension.accu_init));
        break;
      case ExprKind::kList:
      case ExprKind::kMap:
        SetSize(expr, count);
        SetEntrySize(expr, ComputeEntrySize(comprehension.loop_step));
        break;
      default:
        break;
    }
    return sum;
  }

  CostRange CostOfBind(const Expr* expr) {
    const Comprehension& comprehension = *expr->comprehension;
    CostRange sum = Cost(comprehension.iter_range);
    sum = sum + Cost(comprehension.accu_init);
    PushLocal(comprehension.accu_var, comprehension.accu_init);
    sum = sum + Cost(comprehension.result);
    locals_.pop_back();
    SetSize(expr, ComputeSize(comprehension.result));
    SetEntrySize(expr, ComputeEntrySize(comprehension.result));
    return sum;
  }

  CostRange CostOfCall(const Expr* expr) {
    if (expr->name == "dyn" && expr->target == nullptr && expr->args.size() == 1) {
      const CostRange cost = CostRange::Fixed(1) + Cost(expr->args[0]);
      SetSize(expr, ComputeSize(expr->args[0]));
      SetEntrySize(expr, ComputeEntrySize(expr->args[0]));
      return cost;
    }
    std::vector<CostRange> arg_costs;
    CostRange arg_sum;
    for (const Expr* arg : expr->args) {
      arg_costs.push_back(Cost(arg));
      arg_sum = arg_sum + arg_costs.back();
      // The size counts as it is known now.
      ComputeSize(arg);
    }
    if (expr->overloads.empty()) {
      return {};
    }
    CostRange sum;
    if (expr->target != nullptr) {
      sum = Cost(expr->target);
    }
    CostRange cost{kMax, 0};
    OptionalSize result_size;
    for (const Overload* overload : expr->overloads) {
      const CallEstimate estimate = EstimateCall(expr, overload->id, arg_costs, arg_sum);
      cost = cost.Union(estimate.cost);
      if (estimate.result_size.has_value()) {
        result_size = result_size.has_value() ? result_size->Union(*estimate.result_size)
                                              : estimate.result_size;
      }
      if (overload->id == "index_list" || overload->id == "index_map") {
        const std::optional<EntrySize> entry = ComputeEntrySize(expr->args[0]);
        result_size = entry.has_value() ? OptionalSize(entry->value) : std::nullopt;
        paths_[expr] =
            Extended(GetPath(expr->args[0]), overload->id == "index_list" ? "@items" : "@values");
      }
      if (!result_size.has_value()) {
        result_size = ComputeSize(expr);
      }
    }
    SetSize(expr, result_size);
    return sum + cost;
  }

  // ---- sizes ----

  void SetSize(const Expr* expr, const OptionalSize& size) {
    if (size.has_value()) {
      sizes_[expr] = *size;
    }
  }

  void SetEntrySize(const Expr* expr, const std::optional<EntrySize>& size) {
    if (size.has_value()) {
      entry_sizes_[expr] = *size;
    }
  }

  OptionalSize EstimateByPath(const Path& path) const {
    if (path.empty() || !size_estimator_ || path.front() == kAccumulator) {
      return std::nullopt;
    }
    return size_estimator_(path);
  }

  static OptionalSize LiteralSize(const Expr* expr) {
    switch (expr->kind) {
      case ExprKind::kLiteral:
        return Size::Fixed(SizeForCost(expr->literal));
      case ExprKind::kList:
        return Size::Fixed(expr->args.size());
      case ExprKind::kMap:
        return Size::Fixed(expr->args.size() / 2);
      default:
        return std::nullopt;
    }
  }

  OptionalSize ComputeSize(const Expr* expr) {
    if (const auto it = sizes_.find(expr); it != sizes_.end()) {
      return it->second;
    }
    if (const OptionalSize size = LiteralSize(expr); size.has_value()) {
      return size;
    }
    if (const OptionalSize size = EstimateByPath(GetPath(expr)); size.has_value()) {
      sizes_[expr] = *size;
      return size;
    }
    if (IsScalar(expr->type)) {
      return Size::Fixed(1);
    }
    if (expr->kind == ExprKind::kIdent) {
      if (const Local* local = FindLocal(expr->name); local != nullptr) {
        return local->size;
      }
    }
    return std::nullopt;
  }

  Size SizeOrUnknown(const Expr* expr) { return ComputeSize(expr).value_or(Size::Unknown()); }

  std::optional<EntrySize> ComputeEntrySize(const Expr* expr) const {
    if (const auto it = entry_sizes_.find(expr); it != entry_sizes_.end()) {
      return it->second;
    }
    if (expr->kind == ExprKind::kIdent) {
      if (const Local* local = FindLocal(expr->name); local != nullptr) {
        return local->entry_size;
      }
    }
    return std::nullopt;
  }

  // ---- calls ----

  CallEstimate EstimateCall(const Expr* expr, std::string_view overload,
                            std::span<const CostRange> arg_costs, const CostRange& arg_sum) {
    std::optional<CallEstimate> estimate = EstimateListFunction(expr, overload);
    if (!estimate.has_value()) {
      estimate = EstimateKubernetesFunction(expr, overload);
    }
    if (estimate.has_value()) {
      estimate->cost = estimate->cost + arg_sum;
      return *estimate;
    }
    return EstimateStandard(expr, overload, arg_costs, arg_sum);
  }

  // The size of a part of the receiver or an argument that may lie in the input.
  Size SizeOf(const Expr* expr) { return SizeOrUnknown(expr); }

  static CallEstimate ListCall(double factor, const Size& size) {
    return {size.Scaled(factor) + CostRange::Fixed(1) + CostRange::Fixed(kListCost), size};
  }

  static std::uint64_t LiteralInt(const Expr* expr, std::uint64_t otherwise) {
    if (expr->kind != ExprKind::kLiteral || !expr->literal.Is(ValueKind::kInt)) {
      return otherwise;
    }
    return static_cast<std::uint64_t>(std::max<std::int64_t>(expr->literal.int_value(), 0));
  }

  // cel-go's lists and sets.
  std::optional<CallEstimate> EstimateListFunction(const Expr* expr, std::string_view overload) {
    if (overload == "list_slice") {
      const std::uint64_t start = LiteralInt(expr->args[0], 0);
      const std::uint64_t end = LiteralInt(expr->args[1], SizeOf(expr->target).max);
      return ListCall(1, Size::Fixed(end - start));
    }
    if (overload == "list_flatten" || overload == "list_flatten_int") {
      const std::uint64_t depth = expr->args.empty() ? 1 : LiteralInt(expr->args[0], kMax);
      return ListCall(static_cast<double>(depth), SizeOf(expr->target));
    }
    if (overload == "lists_range") {
      return ListCall(1, Size::Fixed(LiteralInt(expr->args[0], kMax)));
    }
    if (overload == "list_reverse") {
      return ListCall(1, SizeOf(expr->target));
    }
    if (overload == "list_distinct") {
      const Size size = SizeOf(expr->target);
      return ListCall(2, size * size);
    }
    if (overload.starts_with("list_") &&
        (overload.ends_with("_sort") || overload.ends_with("_sortByAssociatedKeys"))) {
      const Size size = SizeOf(overload.ends_with("_sort") ? expr->target : expr->args[0]);
      const bool text = overload.starts_with("list_string_") || overload.starts_with("list_bytes_");
      return ListCall(text ? 2 + kTextCost : 2, size * size);
    }
    if (overload == "list_sets_contains_list" || overload == "list_sets_intersects_list" ||
        overload == "list_sets_equivalent_list") {
      const double factor = overload == "list_sets_equivalent_list" ? 2 : 1;
      const Size product = SizeOf(expr->args[0]) * SizeOf(expr->args[1]);
      return CallEstimate{product.Scaled(factor) + CostRange::Fixed(1), std::nullopt};
    }
    return std::nullopt;
  }

  static CallEstimate Fixed(std::uint64_t cost) { return {CostRange::Fixed(cost), std::nullopt}; }

  // The size of a list's elements, if their type and place say it.
  std::optional<Size> ElementSize(const Expr* list) {
    if (list->type->parameters().empty()) {
      return std::nullopt;
    }
    const Path path = GetPath(list);
    if (path.empty()) {
      return Size::Unknown();
    }
    return EstimateByPath(Extended(path, "@items")).value_or(Size::Unknown());
  }

  CallEstimate EstimateComparisons(const Expr* expr) {
    const Expr* target = expr->target;
    if (target->type->parameters().empty()) {
      return {SizeOf(target).Scaled(kTextCost), std::nullopt};
    }
    CostRange element = CostRange::Fixed(1);
    if (IsText(target->type->parameter(0))) {
      element = element + ElementSize(target)->Scaled(kTextCost);
      return {SizeOf(target) * element, std::nullopt};
    }
    return {SizeOf(target) * element, std::nullopt};
  }

  CallEstimate EstimateReplace(const Expr* expr) {
    const Size size = SizeOf(expr->target);
    const Size from = SizeOf(expr->args[0]);
    const Size to = SizeOf(expr->args[1]);
    Size count;
    Size kept;
    if (from.min == 0) {
      count.max = size.max < kMax ? size.max + 1 : size.max;
      kept.max = size.max;
    } else if (to.max <= from.min) {
      kept.max = size.max;
    } else {
      count.max = Quotient(size.max, from.min);
    }
    if (from.max == 0) {
      count.min = size.min < kMax ? size.min + 1 : size.min;
      kept.min = size.min;
    } else if (from.max <= to.min) {
      kept.min = size.min;
    } else {
      count.min = Quotient(size.min, from.max);
    }
    return {size.Scaled(2 * kTextCost), count * to + kept};
  }

  static std::uint64_t Quotient(std::uint64_t a, std::uint64_t b) {
    const double quotient = std::ceil(static_cast<double>(a) / static_cast<double>(b));
    return quotient >= 18446744073709551616.0 ? std::uint64_t{1} << 63
                                              : static_cast<std::uint64_t>(quotient);
  }

  CallEstimate EstimateJoin(const Expr* expr) {
    const Size list = SizeOf(expr->target);
    Size size;
    if (const std::optional<Size> element = ElementSize(expr->target); element.has_value()) {
      size = list * *element;
    }
    if (!expr->args.empty()) {
      const Size separators{list.min > 0 ? list.min - 1 : 0, list.max > 0 ? list.max - 1 : 0};
      size = size + SizeOf(expr->args[0]) * separators;
    }
    return {size.Scaled(kTextCost), size};
  }

  CallEstimate EstimateCidr(const Expr* expr, bool cidr, bool text) {
    const Size size{4, 16};
    CostRange cost = (size + size).Scaled(kTextCost);
    if (cidr) {
      cost = cost + size.Scaled(kTextCost) + CostRange::Fixed(1);
    }
    if (text) {
      cost = cost + SizeOf(expr->args[0]).Scaled(kTextCost);
    }
    return {cost, std::nullopt};
  }

  std::optional<CallEstimate> EstimateEquality(const Expr* expr) {
    const Type* type = expr->args[0]->type;
    if (!Same(type, expr->args[1]->type)) {
      return std::nullopt;
    }
    if (type->name() == "net.IP" || type->name() == "net.CIDR" ||
        type->name() == "kubernetes.Quantity" || type->name() == "kubernetes.Semver") {
      return Fixed(1);
    }
    if (type->name() == "kubernetes.NamedFormat") {
      constexpr std::uint64_t kMaxFormatSize = 64;
      return CallEstimate{CostRange{1, kMaxFormatSize}.Scaled(kTextCost), std::nullopt};
    }
    if (type->name() == "kubernetes.URL") {
      const Size size = ComputeSize(expr->args[1]).value_or(Size::Fixed(1));
      return CallEstimate{CostRange{1, size.max}.Scaled(kTextCost), std::nullopt};
    }
    return std::nullopt;
  }

  // Kubernetes' own functions, and those of cel-go that it charges in its own way.
  std::optional<CallEstimate> EstimateKubernetesFunction(const Expr* expr,
                                                         std::string_view overload) {
    static const std::map<std::string_view, int> kGroups = {{"check", 0},
                                                            {"serviceAccount", 1},
                                                            {"path", 1},
                                                            {"group", 1},
                                                            {"resource", 1},
                                                            {"subresource", 1},
                                                            {"namespace", 1},
                                                            {"name", 1},
                                                            {"allowed", 1},
                                                            {"reason", 1},
                                                            {"error", 1},
                                                            {"errored", 1},
                                                            {"isSorted", 2},
                                                            {"sum", 2},
                                                            {"max", 2},
                                                            {"min", 2},
                                                            {"indexOf", 2},
                                                            {"lastIndexOf", 2},
                                                            {"url", 3},
                                                            {"lowerAscii", 4},
                                                            {"upperAscii", 4},
                                                            {"substring", 4},
                                                            {"trim", 4},
                                                            {"replace", 5},
                                                            {"split", 6},
                                                            {"join", 7},
                                                            {"find", 8},
                                                            {"findAll", 8},
                                                            {"cidr", 9},
                                                            {"isIP", 9},
                                                            {"isCIDR", 9},
                                                            {"quantity", 9},
                                                            {"isQuantity", 9},
                                                            {"semver", 9},
                                                            {"isSemver", 9},
                                                            {"ip", 10},
                                                            {"ip.isCanonical", 11},
                                                            {"masked", 1},
                                                            {"prefixLength", 1},
                                                            {"family", 1},
                                                            {"isUnspecified", 1},
                                                            {"isLoopback", 1},
                                                            {"isLinkLocalMulticast", 1},
                                                            {"isLinkLocalUnicast", 1},
                                                            {"isGlobalUnicast", 1},
                                                            {"containsIP", 12},
                                                            {"containsCIDR", 13},
                                                            {"validate", 14},
                                                            {"format.named", 1},
                                                            {"sign", 1},
                                                            {"asInteger", 1},
                                                            {"isInteger", 1},
                                                            {"asApproximateFloat", 1},
                                                            {"isGreaterThan", 1},
                                                            {"isLessThan", 1},
                                                            {"compareTo", 1},
                                                            {"add", 1},
                                                            {"sub", 1},
                                                            {"major", 1},
                                                            {"minor", 1},
                                                            {"patch", 1},
                                                            {"getScheme", 1},
                                                            {"getHostname", 1},
                                                            {"getHost", 1},
                                                            {"getPort", 1},
                                                            {"getEscapedPath", 1},
                                                            {"getQuery", 1},
                                                            {"_==_", 15},
                                                            {"includes", 16}};
    const auto group = kGroups.find(expr->name);
    if (group == kGroups.end()) {
      return std::nullopt;
    }
    switch (group->second) {
      case 0:
        return Fixed(350'000);
      case 1:
        return Fixed(1);
      case 2:
        return EstimateComparisons(expr);
      case 3: {
        const Size size = SizeOf(expr->args[0]);
        return CallEstimate{size.Scaled(kTextCost), size};
      }
      case 4: {
        const Size size = SizeOf(expr->target);
        return CallEstimate{size.Scaled(kTextCost), size};
      }
      case 5:
        return EstimateReplace(expr);
      case 6: {
        const Size size = SizeOf(expr->target);
        std::uint64_t max = size.max;
        if (expr->args.size() > 1 && expr->args[1]->kind == ExprKind::kLiteral &&
            expr->args[1]->literal.Is(ValueKind::kInt)) {
          max = static_cast<std::uint64_t>(expr->args[1]->literal.int_value());
        }
        return CallEstimate{size.Scaled(2 * kTextCost), Size{0, max}};
      }
      case 7:
        return EstimateJoin(expr);
      case 8: {
        const Size size = SizeOf(expr->target);
        const CostRange text = (size + Size::Fixed(1)).Scaled(kTextCost);
        return CallEstimate{text * SizeOf(expr->args[0]).Scaled(kRegexCost), Size{0, size.max}};
      }
      case 9:
        return CallEstimate{SizeOf(expr->args[0]).Scaled(kTextCost), std::nullopt};
      case 10:
        return overload == "cidr_ip"
                   ? Fixed(1)
                   : CallEstimate{SizeOf(expr->args[0]).Scaled(kTextCost), std::nullopt};
      case 11:
        return CallEstimate{SizeOf(expr->args[0]).Scaled(2 * kTextCost), std::nullopt};
      case 12:
        return EstimateCidr(expr, false, overload == "cidr_contains_ip_string");
      case 13:
        return EstimateCidr(expr, true, overload == "cidr_contains_cidr_string");
      case 14: {
        constexpr double kMaxRegexSize = 128;
        return CallEstimate{
            SizeOf(expr->args[0]).Scaled(kTextCost).Scaled(kMaxRegexSize * kRegexCost),
            std::nullopt};
      }
      case 15:
        return EstimateEquality(expr);
      default: {
        constexpr std::uint64_t kMaxAttributeValues = 48;
        return CallEstimate{CostRange{0, kMaxAttributeValues}, std::nullopt};
      }
    }
  }

  // cel-go's standard library.
  CallEstimate EstimateStandard(const Expr* expr, std::string_view overload,
                                std::span<const CostRange> arg_costs, const CostRange& arg_sum) {
    const auto text = [&](const Size& size) { return size.Scaled(kTextCost) + arg_sum; };
    if (overload == "string_format") {
      return {text(SizeOf(expr->target)), std::nullopt};
    }
    if (overload == "string_to_bytes") {
      const Size size = SizeOf(expr->args[0]);
      return {text(size), Size{size.min, size.max * 4}};
    }
    if (overload == "bytes_to_string") {
      const Size size = SizeOf(expr->args[0]);
      return {text(size), Size{size.min / 4, size.max}};
    }
    if (overload == "strings_quote") {
      const Size size = SizeOf(expr->args[0]);
      return {text(size), Size{size.min + 2, size.max * 2 + 2}};
    }
    if (overload == "starts_with_string" || overload == "ends_with_string") {
      return {text(SizeOf(expr->args[0])), std::nullopt};
    }
    if (overload == "in_list") {
      return {SizeOf(expr->args[1]).Scaled(1) + arg_sum, std::nullopt};
    }
    if (overload == "matches_string") {
      const CostRange cost = (SizeOf(expr->target) + Size::Fixed(1)).Scaled(kTextCost);
      return {cost * SizeOf(expr->args[0]).Scaled(kRegexCost) + arg_sum, std::nullopt};
    }
    if (overload == "contains_string") {
      const CostRange cost = SizeOf(expr->target).Scaled(kTextCost);
      return {cost * SizeOf(expr->args[0]).Scaled(kTextCost) + arg_sum, std::nullopt};
    }
    if (overload == "logical_or" || overload == "logical_and") {
      return {CostRange{arg_costs[0].min, (arg_costs[0] + arg_costs[1]).max}, std::nullopt};
    }
    if (overload == "conditional") {
      SetEntrySize(expr, UnionOf(ComputeEntrySize(expr->args[1]), ComputeEntrySize(expr->args[2])));
      return {arg_costs[0] + arg_costs[1].Union(arg_costs[2]),
              SizeOf(expr->args[1]).Union(SizeOf(expr->args[2]))};
    }
    if (overload == "add_string" || overload == "add_bytes" || overload == "add_list") {
      const Size size = SizeOf(expr->args[0]) + SizeOf(expr->args[1]);
      SetEntrySize(expr, UnionOf(ComputeEntrySize(expr->args[0]), ComputeEntrySize(expr->args[1])));
      return {overload == "add_list" ? CostRange::Fixed(1) + arg_sum : text(size), size};
    }
    if (IsTextComparison(overload)) {
      const std::uint64_t smaller = std::min(SizeOf(expr->args[0]).max, SizeOf(expr->args[1]).max);
      return {text({smaller > 0 ? std::uint64_t{1} : 0, smaller}), std::nullopt};
    }
    return {CostRange::Fixed(1) + arg_sum, std::nullopt};
  }

  static bool IsTextComparison(std::string_view overload) {
    if (overload == "equals" || overload == "not_equals") {
      return true;
    }
    return (overload.starts_with("less_") || overload.starts_with("greater_")) &&
           (overload.ends_with("_string") || overload.ends_with("_bytes"));
  }

  static std::optional<EntrySize> UnionOf(const std::optional<EntrySize>& a,
                                          const std::optional<EntrySize>& b) {
    if (!a.has_value() || !b.has_value()) {
      return std::nullopt;
    }
    return EntrySize{a->container, a->key.Union(b->key), a->value.Union(b->value)};
  }

  const SizeEstimator& size_estimator_;
  std::map<const Expr*, Path> paths_;
  std::map<const Expr*, Size> sizes_;
  std::map<const Expr*, EntrySize> entry_sizes_;
  std::vector<Local> locals_;
};

}  // namespace

CostRange CostRange::operator+(const CostRange& other) const {
  return {Add(min, other.min), Add(max, other.max)};
}

CostRange CostRange::operator*(const CostRange& other) const {
  return {Multiply(min, other.min), Multiply(max, other.max)};
}

CostRange CostRange::Scaled(double factor) const {
  return {Scale(min, factor), Scale(max, factor)};
}

CostRange CostRange::Union(const CostRange& other) const {
  return {std::min(min, other.min), std::max(max, other.max)};
}

CostRange EstimateCost(const Expr& root, const SizeEstimator& size_estimator) {
  return Estimator(size_estimator).Cost(&root);
}

}  // namespace assay::cel
