#include <algorithm>

#include "cel/library/arithmetic.h"
#include "cel/library/library.h"

// Source: cel-go's ext/lists.go, version 3, and k8s.io/apiserver/pkg/cel/library/lists.go.

namespace assay::cel::library {
namespace {

constexpr FunctionTable::NamedType kComparable[] = {
    {"int", "int"},           {"uint", "uint"},           {"double", "double"}, {"bool", "bool"},
    {"duration", "duration"}, {"timestamp", "timestamp"}, {"string", "string"}, {"bytes", "bytes"}};
// cel-go's library names the same types by their full names.
constexpr FunctionTable::NamedType kSortable[] = {{"int", "int"},
                                                  {"uint", "uint"},
                                                  {"double", "double"},
                                                  {"bool", "bool"},
                                                  {"google.protobuf.Duration", "duration"},
                                                  {"google.protobuf.Timestamp", "timestamp"},
                                                  {"string", "string"},
                                                  {"bytes", "bytes"}};

bool IsComparable(const Value& value) { return Compare(value, value) != kNotComparable; }

Value NewList(const CallContext& context, const std::vector<Value>& values) {
  return Value::Of(
      static_cast<const List*>(context.arena.New<ArrayList>(context.arena.Copy(values))));
}

std::vector<Value> Elements(const Value& list) {
  std::vector<Value> values(list.list().size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = list.list().At(i);
  }
  return values;
}

Value IsSorted(const CallContext&, std::span<const Value> args) {
  const List& list = args[0].list();
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!IsComparable(list.At(i))) {
      return NoSuchOverload();
    }
    if (i > 0 && Compare(list.At(i - 1), list.At(i)) == 1) {
      return Value::Bool(false);
    }
  }
  return Value::Bool(true);
}

// The sum's zero is of the overload's type, which shows only in the first element; an empty list
// has none, so there is one function for each type.
template <ValueKind kind>
Value Sum(const CallContext& context, std::span<const Value> args) {
  Value sum = Value::Int(0);
  if constexpr (kind == ValueKind::kUint) {
    sum = Value::Uint(0);
  } else if constexpr (kind == ValueKind::kDouble) {
    sum = Value::Double(0);
  } else if constexpr (kind == ValueKind::kDuration) {
    sum = Value::Duration(0);
  }
  const List& list = args[0].list();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Value pair[] = {sum, list.At(i)};
    sum = AddValues(context, pair);
    if (sum.IsError()) {
      return sum;
    }
  }
  return sum;
}

Value Extreme(const CallContext& context, std::span<const Value> args, int replaced_by,
              std::string_view name) {
  const List& list = args[0].list();
  if (list.size() == 0) {
    return context.Error({name, " called on empty list"});
  }
  Value result = list.At(0);
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Value value = list.At(i);
    if (!IsComparable(value)) {
      return NoSuchOverload();
    }
    if (Compare(result, value) == replaced_by) {
      result = value;
    }
  }
  return result;
}

Value Min(const CallContext& context, std::span<const Value> args) {
  return Extreme(context, args, 1, "min");
}
Value Max(const CallContext& context, std::span<const Value> args) {
  return Extreme(context, args, -1, "max");
}

Value IndexOf(const CallContext&, std::span<const Value> args) {
  const List& list = args[0].list();
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (Equal(list.At(i), args[1])) {
      return Value::Int(static_cast<std::int64_t>(i));
    }
  }
  return Value::Int(-1);
}

Value LastIndexOf(const CallContext&, std::span<const Value> args) {
  const List& list = args[0].list();
  for (std::size_t i = list.size(); i-- > 0;) {
    if (Equal(list.At(i), args[1])) {
      return Value::Int(static_cast<std::int64_t>(i));
    }
  }
  return Value::Int(-1);
}

Value Slice(const CallContext& context, std::span<const Value> args) {
  const std::int64_t start = args[1].int_value();
  const std::int64_t end = args[2].int_value();
  const auto size = static_cast<std::int64_t>(args[0].list().size());
  const std::string range =
      "cannot slice(" + std::to_string(start) + ", " + std::to_string(end) + "), ";
  if (start < 0 || end < 0) {
    return context.Error({range, "negative indexes not supported"});
  }
  if (start > end) {
    return context.Error({range, "start index must be less than or equal to end index"});
  }
  if (size < end) {
    return context.Error({range, "list is length ", std::to_string(size)});
  }
  const std::vector<Value> values = Elements(args[0]);
  return NewList(context, std::vector<Value>(values.begin() + start, values.begin() + end));
}

// Lists of lists of one list are short to write and long when they are flattened.
constexpr std::size_t kMaxElements = 4 * 1024 * 1024;

void FlattenInto(const Value& list, std::int64_t depth, std::vector<Value>& out) {
  for (const Value& value : Elements(list)) {
    if (!value.Is(ValueKind::kList) || depth == 0) {
      out.push_back(value);
    } else {
      FlattenInto(value, depth - 1, out);
    }
    if (out.size() > kMaxElements) {
      return;
    }
  }
}

Value Flatten(const CallContext& context, std::span<const Value> args) {
  const auto name = [](const Value& value) {
    return value.Is(ValueKind::kMap)    ? "map(dyn, dyn)"
           : value.Is(ValueKind::kList) ? "list(dyn)"
                                        : TypeOf(value)->DeclaredName();
  };
  if (!args[0].Is(ValueKind::kList) || (args.size() == 2 && !args[1].Is(ValueKind::kInt))) {
    return context.Error({"no such overload: ", name(args[0]), ".flatten(",
                          args.size() == 2 ? name(args[1]) : "", ")"});
  }
  const std::int64_t depth = args.size() == 2 ? args[1].int_value() : 1;
  if (depth < 0) {
    return Value::Error("level must be non-negative");
  }
  std::vector<Value> values;
  FlattenInto(args[0], depth, values);
  if (values.size() > kMaxElements) {
    return Value::Error("internal error: the list is too long");
  }
  return NewList(context, values);
}

// Go sorts so few by insertion, which shows where NaN is among them.
constexpr std::size_t kInsertedSize = 12;

template <typename Less>
void InsertionSort(std::vector<std::size_t>& order, const Less& less) {
  for (std::size_t i = 1; i < order.size(); ++i) {
    for (std::size_t k = i; k > 0 && less(order[k], order[k - 1]); --k) {
      std::swap(order[k], order[k - 1]);
    }
  }
}

Value SortBy(const CallContext& context, const Value& list, const Value& keys_list) {
  const std::vector<Value> values = Elements(list);
  const std::vector<Value> keys = Elements(keys_list);
  if (values.size() != keys.size()) {
    return context.Error(
        {"@sortByAssociatedKeys() expected a list of the same size as the associated keys list, "
         "but "
         "got ",
         std::to_string(values.size()), " and ", std::to_string(keys.size()),
         " elements respectively"});
  }
  if (values.empty()) {
    return list;
  }
  if (!IsComparable(keys[0])) {
    return Value::Error("list elements must be comparable");
  }
  for (const Value& key : keys) {
    if (keys.size() > 1 && key.kind() != keys[0].kind()) {
      return Value::Error("list elements must have the same type");
    }
  }
  std::vector<std::size_t> order(values.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  const auto less = [&keys](std::size_t a, std::size_t b) {
    return Compare(keys[a], keys[b]) == -1;
  };
  if (order.size() <= kInsertedSize) {
    InsertionSort(order, less);
  } else {
    std::stable_sort(order.begin(), order.end(), less);
  }
  std::vector<Value> sorted;
  sorted.reserve(order.size());
  for (std::size_t i : order) {
    sorted.push_back(values[i]);
  }
  return NewList(context, sorted);
}

Value Sort(const CallContext& context, std::span<const Value> args) {
  return SortBy(context, args[0], args[0]);
}
Value SortByKeys(const CallContext& context, std::span<const Value> args) {
  if (!args[1].Is(ValueKind::kList)) {
    return NoSuchOverload();
  }
  return SortBy(context, args[0], args[1]);
}

// 0, 1, 2, ...: of any length without memory, so that its cost is what ends an evaluation.
class RangeList final : public List {
 public:
  explicit RangeList(std::size_t size) : size_(size) {}
  std::size_t size() const override { return size_; }
  Value At(std::size_t i) const override { return Value::Int(static_cast<std::int64_t>(i)); }

 private:
  std::size_t size_;
};

Value Range(const CallContext& context, std::span<const Value> args) {
  const auto size = static_cast<std::size_t>(std::max<std::int64_t>(args[0].int_value(), 0));
  return Value::Of(static_cast<const List*>(context.arena.New<RangeList>(size)));
}

Value Reverse(const CallContext& context, std::span<const Value> args) {
  std::vector<Value> values = Elements(args[0]);
  std::reverse(values.begin(), values.end());
  return NewList(context, values);
}

Value Distinct(const CallContext& context, std::span<const Value> args) {
  std::vector<Value> values;
  for (const Value& value : Elements(args[0])) {
    const bool seen = std::any_of(values.begin(), values.end(),
                                  [&value](const Value& other) { return Equal(value, other); });
    if (!seen) {
      values.push_back(value);
    }
  }
  return NewList(context, values);
}

}  // namespace

void AddLists(FunctionTable& table) {
  table.AddForEach("isSorted", kComparable,
                   {"list_%_is_sorted_bool", "list($).() -> bool", &IsSorted});
  table.Add("sum",
            {{"list_int_sum_int", "list(int).() -> int", &Sum<ValueKind::kInt>},
             {"list_uint_sum_uint", "list(uint).() -> uint", &Sum<ValueKind::kUint>},
             {"list_double_sum_double", "list(double).() -> double", &Sum<ValueKind::kDouble>},
             {"list_duration_sum_duration", "list(duration).() -> duration",
              &Sum<ValueKind::kDuration>}});
  table.AddForEach("max", kComparable, {"list_%_max_%", "list($).() -> $", &Max});
  table.AddForEach("min", kComparable, {"list_%_min_%", "list($).() -> $", &Min});
  table.Add("indexOf", {{"list_a_index_of_int", "list(A).(A) -> int", &IndexOf}});
  table.Add("lastIndexOf", {{"list_a_last_index_of_int", "list(A).(A) -> int", &LastIndexOf}});
  table.Add("slice", {{"list_slice", "list(T).(int, int) -> list(T)", &Slice}});
  table
      .Add("flatten", {{"list_flatten", "list(list(T)).() -> list(T)", &Flatten},
                       {"list_flatten_int", "list(dyn).(int) -> list(dyn)", &Flatten}})
      .unguarded = true;
  Function& sort =
      table.AddForEach("sort", kSortable, {"list_%_sort", "list($).() -> list($)", nullptr});
  sort.implementation = &Sort;
  sort.receivers = KindBit(ValueKind::kList);
  Function& sort_by =
      table.AddForEach("@sortByAssociatedKeys", kSortable,
                       {"list_%_sortByAssociatedKeys", "list(T).(list($)) -> list(T)", nullptr});
  sort_by.implementation = &SortByKeys;
  sort_by.receivers = KindBit(ValueKind::kList);
  table.Add("lists.range", {{"lists_range", "(int) -> list(int)", &Range}});
  table.Add("reverse", {{"list_reverse", "list(T).() -> list(T)", &Reverse}});
  table.Add("distinct", {{"list_distinct", "list(T).() -> list(T)", &Distinct}});
}

}  // namespace assay::cel::library
