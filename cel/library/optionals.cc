#include "cel/library/library.h"

// Source: cel-go's cel/library.go, "optional". or() and orValue() are evaluated lazily, by the
// program itself.

namespace assay::cel::library {
namespace {

Value Some(const CallContext& context, const Value& value) {
  return Value::Optional(context.arena.New<Value>(value));
}

Value Of(const CallContext& context, std::span<const Value> args) { return Some(context, args[0]); }

Value OfNonZero(const CallContext& context, std::span<const Value> args) {
  return IsZero(args[0]) ? Value::Optional(nullptr) : Some(context, args[0]);
}

Value None(const CallContext&, std::span<const Value>) { return Value::Optional(nullptr); }

Value Get(const CallContext&, std::span<const Value> args) {
  return args[0].optional() == nullptr ? Value::Error("optional.none() dereference")
                                       : *args[0].optional();
}

Value HasValue(const CallContext&, std::span<const Value> args) {
  return Value::Bool(args[0].optional() != nullptr);
}

Value First(const CallContext& context, std::span<const Value> args) {
  const List& list = args[0].list();
  return list.size() == 0 ? Value::Optional(nullptr) : Some(context, list.At(0));
}

Value Last(const CallContext& context, std::span<const Value> args) {
  const List& list = args[0].list();
  return list.size() == 0 ? Value::Optional(nullptr) : Some(context, list.At(list.size() - 1));
}

Value Unwrap(const CallContext& context, std::span<const Value> args) {
  const List& list = args[0].list();
  auto* values = context.arena.New<MutableList>(context.arena);
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Value value = list.At(i);
    if (!value.Is(ValueKind::kOptional)) {
      return context.Error({"value ", DebugString(value), " is not optional"});
    }
    if (value.optional() != nullptr) {
      values->Append(*value.optional());
    }
  }
  return Value::Of(static_cast<const List*>(values));
}

}  // namespace

void AddOptionals(FunctionTable& table) {
  table.Add("optional.of", {{"optional_of", "(V) -> optional_type(V)", &Of}});
  table.Add("optional.ofNonZeroValue",
            {{"optional_ofNonZeroValue", "(V) -> optional_type(V)", &OfNonZero}});
  table.Add("optional.none", {{"optional_none", "() -> optional_type(V)", &None}});
  table.Add("value", {{"optional_value", "optional_type(V).() -> V", &Get}});
  table.Add("hasValue", {{"optional_hasValue", "optional_type(V).() -> bool", &HasValue}});
  table.Add("or",
            {{"optional_or_optional", "optional_type(V).(optional_type(V)) -> optional_type(V)"}});
  table.Add("orValue", {{"optional_orValue_value", "optional_type(V).(V) -> V"}});
  table.Add("_?._", {{"select_optional_field", "(dyn, string) -> optional_type(V)"}});
  table.Add("_[?_]", {{"list_optindex_optional_int", "(list(V), int) -> optional_type(V)"},
                      {"optional_list_optindex_optional_int",
                       "(optional_type(list(V)), int) -> optional_type(V)"},
                      {"map_optindex_optional_value", "(map(K, V), K) -> optional_type(V)"},
                      {"optional_map_optindex_optional_value",
                       "(optional_type(map(K, V)), K) -> optional_type(V)"}});
  table.Add("_[_]",
            {{"optional_list_index_int", "(optional_type(list(V)), int) -> optional_type(V)"},
             {"optional_map_index_value", "(optional_type(map(K, V)), K) -> optional_type(V)"}});
  table.Add("last", {{"list_last", "list(V).() -> optional_type(V)", &Last}});
  table.Add("first", {{"list_first", "list(V).() -> optional_type(V)", &First}});
  table.Add("optional.unwrap",
            {{"optional_unwrap", "(list(optional_type(V))) -> list(V)", &Unwrap}});
  table.Add("unwrapOpt", {{"optional_unwrapOpt", "list(optional_type(V)).() -> list(V)", &Unwrap}});
}

}  // namespace assay::cel::library
