#include "cel/library/library.h"

// Source: cel-go's ext/sets.go.

namespace assay::cel::library {
namespace {

bool ListContains(const List& list, const Value& value) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (Equal(value, list.At(i))) {
      return true;
    }
  }
  return false;
}

bool ContainsAll(const List& list, const List& part) {
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (!ListContains(list, part.At(i))) {
      return false;
    }
  }
  return true;
}

Value Contains(const CallContext&, std::span<const Value> args) {
  return Value::Bool(ContainsAll(args[0].list(), args[1].list()));
}

Value Equivalent(const CallContext&, std::span<const Value> args) {
  return Value::Bool(ContainsAll(args[0].list(), args[1].list()) &&
                     ContainsAll(args[1].list(), args[0].list()));
}

Value Intersects(const CallContext&, std::span<const Value> args) {
  for (std::size_t i = 0; i < args[0].list().size(); ++i) {
    if (ListContains(args[1].list(), args[0].list().At(i))) {
      return Value::Bool(true);
    }
  }
  return Value::Bool(false);
}

}  // namespace

void AddSets(FunctionTable& table) {
  static constexpr const char* kSignature = "(list(T), list(T)) -> bool";
  table.Add("sets.contains", {{"list_sets_contains_list", kSignature, &Contains}});
  table.Add("sets.equivalent", {{"list_sets_equivalent_list", kSignature, &Equivalent}});
  table.Add("sets.intersects", {{"list_sets_intersects_list", kSignature, &Intersects}});
}

}  // namespace assay::cel::library
