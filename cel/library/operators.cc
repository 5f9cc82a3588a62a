#include <cmath>
#include <limits>

#include "cel/library/arithmetic.h"
#include "cel/library/library.h"

// Source: cel-go's common/stdlib/standard.go and common/types.

namespace assay::cel::library {
namespace {

constexpr KindSet kNumbers =
    KindBit(ValueKind::kInt) | KindBit(ValueKind::kUint) | KindBit(ValueKind::kDouble);
constexpr KindSet kTimes = KindBit(ValueKind::kDuration) | KindBit(ValueKind::kTimestamp);
constexpr KindSet kTexts = KindBit(ValueKind::kString) | KindBit(ValueKind::kBytes);
constexpr KindSet kOrdered = kNumbers | kTimes | kTexts | KindBit(ValueKind::kBool);
constexpr KindSet kSized = kTexts | KindBit(ValueKind::kList) | KindBit(ValueKind::kMap);

Value Concatenate(const CallContext& context, ValueKind kind, std::string_view a,
                  std::string_view b) {
  std::span<char> text = context.arena.NewArray<char>(a.size() + b.size());
  std::copy(b.begin(), b.end(), std::copy(a.begin(), a.end(), text.begin()));
  const std::string_view view(text.data(), text.size());
  return kind == ValueKind::kString ? Value::String(view) : Value::Bytes(view);
}

Value Add(const CallContext& context, std::span<const Value> args) {
  const Value& a = args[0];
  const Value& b = args[1];
  if (a.kind() != b.kind()) {
    if (a.Is(ValueKind::kDuration) && b.Is(ValueKind::kTimestamp)) {
      return AddToTimestamp(b, a.duration());
    }
    if (a.Is(ValueKind::kTimestamp) && b.Is(ValueKind::kDuration)) {
      return AddToTimestamp(a, b.duration());
    }
    return NoSuchOverload();
  }
  switch (a.kind()) {
    case ValueKind::kInt: {
      std::int64_t sum = 0;
      return __builtin_add_overflow(a.int_value(), b.int_value(), &sum) ? IntegerOverflow()
                                                                        : Value::Int(sum);
    }
    case ValueKind::kUint: {
      std::uint64_t sum = 0;
      return __builtin_add_overflow(a.uint_value(), b.uint_value(), &sum) ? UnsignedOverflow()
                                                                          : Value::Uint(sum);
    }
    case ValueKind::kDouble:
      return Value::Double(a.double_value() + b.double_value());
    case ValueKind::kDuration: {
      std::int64_t sum = 0;
      return __builtin_add_overflow(a.duration(), b.duration(), &sum) ? IntegerOverflow()
                                                                      : Value::Duration(sum);
    }
    case ValueKind::kString:
    case ValueKind::kBytes:
      return Concatenate(context, a.kind(), a.text(), b.text());
    case ValueKind::kList:
      return AddLists(context, a, b);
    default:
      return NoSuchOverload();
  }
}

Value Subtract(const CallContext&, std::span<const Value> args) {
  const Value& a = args[0];
  const Value& b = args[1];
  if (a.Is(ValueKind::kTimestamp) && b.Is(ValueKind::kDuration)) {
    std::int64_t negated = 0;
    return __builtin_sub_overflow(std::int64_t{0}, b.duration(), &negated)
               ? IntegerOverflow()
               : AddToTimestamp(a, negated);
  }
  if (a.kind() != b.kind()) {
    return NoSuchOverload();
  }
  switch (a.kind()) {
    case ValueKind::kInt: {
      std::int64_t difference = 0;
      return __builtin_sub_overflow(a.int_value(), b.int_value(), &difference)
                 ? IntegerOverflow()
                 : Value::Int(difference);
    }
    case ValueKind::kUint:
      return b.uint_value() > a.uint_value() ? UnsignedOverflow()
                                             : Value::Uint(a.uint_value() - b.uint_value());
    case ValueKind::kDouble:
      return Value::Double(a.double_value() - b.double_value());
    case ValueKind::kDuration: {
      std::int64_t difference = 0;
      return __builtin_sub_overflow(a.duration(), b.duration(), &difference)
                 ? IntegerOverflow()
                 : Value::Duration(difference);
    }
    case ValueKind::kTimestamp:
      return SubtractTimestamps(a, b);
    default:
      return NoSuchOverload();
  }
}

Value Multiply(const CallContext&, std::span<const Value> args) {
  const Value& a = args[0];
  const Value& b = args[1];
  if (a.kind() != b.kind()) {
    return NoSuchOverload();
  }
  switch (a.kind()) {
    case ValueKind::kInt: {
      std::int64_t product = 0;
      return __builtin_mul_overflow(a.int_value(), b.int_value(), &product) ? IntegerOverflow()
                                                                            : Value::Int(product);
    }
    case ValueKind::kUint: {
      std::uint64_t product = 0;
      return __builtin_mul_overflow(a.uint_value(), b.uint_value(), &product)
                 ? UnsignedOverflow()
                 : Value::Uint(product);
    }
    case ValueKind::kDouble:
      return Value::Double(a.double_value() * b.double_value());
    default:
      return NoSuchOverload();
  }
}

Value Divide(const CallContext&, std::span<const Value> args) {
  const Value& a = args[0];
  const Value& b = args[1];
  if (a.kind() != b.kind()) {
    return NoSuchOverload();
  }
  switch (a.kind()) {
    case ValueKind::kInt:
      if (b.int_value() == 0) {
        return Value::Error("division by zero");
      }
      if (a.int_value() == std::numeric_limits<std::int64_t>::min() && b.int_value() == -1) {
        return IntegerOverflow();
      }
      return Value::Int(a.int_value() / b.int_value());
    case ValueKind::kUint:
      return b.uint_value() == 0 ? Value::Error("division by zero")
                                 : Value::Uint(a.uint_value() / b.uint_value());
    case ValueKind::kDouble:
      return Value::Double(DivideDoubles(a.double_value(), b.double_value()));
    default:
      return NoSuchOverload();
  }
}

Value Modulo(const CallContext&, std::span<const Value> args) {
  const Value& a = args[0];
  const Value& b = args[1];
  if (a.kind() != b.kind()) {
    return NoSuchOverload();
  }
  switch (a.kind()) {
    case ValueKind::kInt:
      if (b.int_value() == 0) {
        return Value::Error("modulus by zero");
      }
      if (a.int_value() == std::numeric_limits<std::int64_t>::min() && b.int_value() == -1) {
        return IntegerOverflow();
      }
      return Value::Int(a.int_value() % b.int_value());
    case ValueKind::kUint:
      return b.uint_value() == 0 ? Value::Error("modulus by zero")
                                 : Value::Uint(a.uint_value() % b.uint_value());
    default:
      return NoSuchOverload();
  }
}

Value Negate(const CallContext&, std::span<const Value> args) {
  const Value& a = args[0];
  switch (a.kind()) {
    case ValueKind::kInt:
      return a.int_value() == std::numeric_limits<std::int64_t>::min() ? IntegerOverflow()
                                                                       : Value::Int(-a.int_value());
    case ValueKind::kDouble:
      return Value::Double(-a.double_value());
    case ValueKind::kDuration:
      return a.duration() == std::numeric_limits<std::int64_t>::min()
                 ? IntegerOverflow()
                 : Value::Duration(-a.duration());
    default:
      return NoSuchOverload();
  }
}

Value Not(const CallContext&, std::span<const Value> args) {
  return args[0].Is(ValueKind::kBool) ? Value::Bool(!args[0].bool_value()) : NoSuchOverload();
}

// The order of the arguments, or an error.
template <typename Predicate>
Value Ordered(std::span<const Value> args, Predicate predicate) {
  const int order = Compare(args[0], args[1]);
  if (order == kNotComparable) {
    return NoSuchOverload();
  }
  if (order == kUnordered) {
    return Value::Error("NaN values cannot be ordered");
  }
  return Value::Bool(predicate(order));
}

Value Less(const CallContext&, std::span<const Value> args) {
  return Ordered(args, [](int order) { return order < 0; });
}
Value LessEquals(const CallContext&, std::span<const Value> args) {
  return Ordered(args, [](int order) { return order <= 0; });
}
Value Greater(const CallContext&, std::span<const Value> args) {
  return Ordered(args, [](int order) { return order > 0; });
}
Value GreaterEquals(const CallContext&, std::span<const Value> args) {
  return Ordered(args, [](int order) { return order >= 0; });
}

Value In(const CallContext&, std::span<const Value> args) {
  if (args[1].Is(ValueKind::kList)) {
    const List& list = args[1].list();
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (Equal(args[0], list.At(i))) {
        return Value::Bool(true);
      }
    }
    return Value::Bool(false);
  }
  if (args[1].Is(ValueKind::kMap)) {
    const Value panic = HashPanic(args[0]);
    if (panic.IsError() && args[1].map().size() > 0 &&
        dynamic_cast<const EntryMap*>(&args[1].map()) != nullptr) {
      return panic;
    }
    return Value::Bool(args[1].map().Contains(args[0]));
  }
  return NoSuchOverload();
}

Value Size(const CallContext&, std::span<const Value> args) {
  return Value::Int(static_cast<std::int64_t>(SizeForCost(args[0])));
}

Value Contains(const CallContext&, std::span<const Value> args) {
  if (!args[0].Is(ValueKind::kString) || !args[1].Is(ValueKind::kString)) {
    return NoSuchOverload();
  }
  return Value::Bool(args[0].text().find(args[1].text()) != std::string_view::npos);
}

Value StartsWith(const CallContext&, std::span<const Value> args) {
  if (!args[0].Is(ValueKind::kString) || !args[1].Is(ValueKind::kString)) {
    return NoSuchOverload();
  }
  return Value::Bool(args[0].text().starts_with(args[1].text()));
}

Value EndsWith(const CallContext&, std::span<const Value> args) {
  if (!args[0].Is(ValueKind::kString) || !args[1].Is(ValueKind::kString)) {
    return NoSuchOverload();
  }
  return Value::Bool(args[0].text().ends_with(args[1].text()));
}

Value InsertEntry(const CallContext& context, std::span<const Value> args) {
  return InsertIntoMap(context, args[0], args[1], args[2]);
}

Value InsertMap(const CallContext& context, std::span<const Value> args) {
  Value map = args[0];
  for (std::size_t i = 0; i < args[1].map().size(); ++i) {
    const Map::Entry entry = args[1].map().At(i);
    map = InsertIntoMap(context, map, entry.key, entry.value);
    if (map.IsError()) {
      return map;
    }
  }
  return map;
}

void AddArithmetic(FunctionTable& table) {
  table.AddShared("_+_", &Add, kNumbers | kTimes | kTexts | KindBit(ValueKind::kList),
                  {{"add_bytes", "(bytes, bytes) -> bytes"},
                   {"add_double", "(double, double) -> double"},
                   {"add_duration_duration", "(duration, duration) -> duration"},
                   {"add_duration_timestamp", "(duration, timestamp) -> timestamp"},
                   {"add_timestamp_duration", "(timestamp, duration) -> timestamp"},
                   {"add_int64", "(int, int) -> int"},
                   {"add_list", "(list(A), list(A)) -> list(A)"},
                   {"add_string", "(string, string) -> string"},
                   {"add_uint64", "(uint, uint) -> uint"}});
  table.AddShared("_/_", &Divide, kNumbers,
                  {{"divide_double", "(double, double) -> double"},
                   {"divide_int64", "(int, int) -> int"},
                   {"divide_uint64", "(uint, uint) -> uint"}});
  table.AddShared(
      "_%_", &Modulo, KindBit(ValueKind::kInt) | KindBit(ValueKind::kUint),
      {{"modulo_int64", "(int, int) -> int"}, {"modulo_uint64", "(uint, uint) -> uint"}});
  table.AddShared("_*_", &Multiply, kNumbers,
                  {{"multiply_double", "(double, double) -> double"},
                   {"multiply_int64", "(int, int) -> int"},
                   {"multiply_uint64", "(uint, uint) -> uint"}});
  table.AddShared("-_", &Negate,
                  KindBit(ValueKind::kInt) | KindBit(ValueKind::kDouble) |
                      KindBit(ValueKind::kDuration) | KindBit(ValueKind::kBool),
                  {{"negate_double", "(double) -> double"}, {"negate_int64", "(int) -> int"}});
  table.AddShared("_-_", &Subtract, kNumbers | kTimes,
                  {{"subtract_double", "(double, double) -> double"},
                   {"subtract_duration_duration", "(duration, duration) -> duration"},
                   {"subtract_int64", "(int, int) -> int"},
                   {"subtract_timestamp_duration", "(timestamp, duration) -> timestamp"},
                   {"subtract_timestamp_timestamp", "(timestamp, timestamp) -> duration"},
                   {"subtract_uint64", "(uint, uint) -> uint"}});
}

void AddRelation(FunctionTable& table, std::string_view name, const std::string& id,
                 Implementation implementation) {
  static constexpr FunctionTable::NamedType kPairs[] = {{"bool", "bool, bool"},
                                                        {"int64", "int, int"},
                                                        {"int64_double", "int, double"},
                                                        {"int64_uint64", "int, uint"},
                                                        {"uint64", "uint, uint"},
                                                        {"uint64_double", "uint, double"},
                                                        {"uint64_int64", "uint, int"},
                                                        {"double", "double, double"},
                                                        {"double_int64", "double, int"},
                                                        {"double_uint64", "double, uint"},
                                                        {"string", "string, string"},
                                                        {"bytes", "bytes, bytes"},
                                                        {"timestamp", "timestamp, timestamp"},
                                                        {"duration", "duration, duration"}};
  Function& function =
      table.AddForEach(name, kPairs, {(id + "_%").c_str(), "($) -> bool", nullptr});
  function.implementation = implementation;
  function.receivers = kOrdered;
}

}  // namespace

Value AddValues(const CallContext& context, std::span<const Value> args) {
  return Add(context, args);
}

void AddOperators(FunctionTable& table) {
  table.Add("_?_:_", {{"conditional", "(bool, A, A) -> A"}});
  table.Add("_&&_", {{"logical_and", "(bool, bool) -> bool"}});
  table.Add("_||_", {{"logical_or", "(bool, bool) -> bool"}});
  table.AddShared("!_", &Not, kAnyKind, {{"logical_not", "(bool) -> bool"}});
  table.Add("@not_strictly_false", {{"not_strictly_false", "(bool) -> bool"}});
  table.Add("_==_", {{"equals", "(A, A) -> bool"}});
  table.Add("_!=_", {{"not_equals", "(A, A) -> bool"}});
  AddArithmetic(table);
  AddRelation(table, "_<_", "less", &Less);
  AddRelation(table, "_<=_", "less_equals", &LessEquals);
  AddRelation(table, "_>_", "greater", &Greater);
  AddRelation(table, "_>=_", "greater_equals", &GreaterEquals);
  table.Add("_[_]", {{"index_list", "(list(A), int) -> A"}, {"index_map", "(map(A, B), A) -> B"}});
  table.AddShared("@in", &In, kAnyKind,
                  {{"in_list", "(A, list(A)) -> bool"}, {"in_map", "(A, map(A, B)) -> bool"}});
  table.AddShared("size", &Size, kSized,
                  {{"size_bytes", "(bytes) -> int"},
                   {"bytes_size", "bytes.() -> int"},
                   {"size_list", "(list(A)) -> int"},
                   {"list_size", "list(A).() -> int"},
                   {"size_map", "(map(A, B)) -> int"},
                   {"map_size", "map(A, B).() -> int"},
                   {"size_string", "(string) -> int"},
                   {"string_size", "string.() -> int"}});
  table.Add("contains", {{"contains_string", "string.(string) -> bool", &Contains}}).unguarded =
      true;
  table.Add("endsWith", {{"ends_with_string", "string.(string) -> bool", &EndsWith}}).unguarded =
      true;
  table.Add("startsWith", {{"starts_with_string", "string.(string) -> bool", &StartsWith}})
      .unguarded = true;
  table.Add("cel.@mapInsert",
            {{"@mapInsert_map_key_value", "(map(K, V), K, V) -> map(K, V)", &InsertEntry},
             {"@mapInsert_map_map", "(map(K, V), map(K, V)) -> map(K, V)", &InsertMap}});
}

}  // namespace assay::cel::library
