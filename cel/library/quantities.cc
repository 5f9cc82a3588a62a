#include "cel/library/library.h"
#include "cel/library/opaque_values.h"

// Source: k8s.io/apiserver/pkg/cel/library/quantity.go.

namespace assay::cel::library {
namespace {

constexpr Type kType(TypeKind::kStruct, "kubernetes.Quantity");

const Quantity& Get(const Value& value) {
  return static_cast<const QuantityValue&>(value.opaque()).quantity();
}

Value ToQuantity(const CallContext& context, std::span<const Value> args) {
  const Result<Quantity> quantity = Quantity::Parse(args[0].text());
  if (!quantity.ok()) {
    return context.Error({quantity.status().message()});
  }
  return Value::Of(static_cast<const Opaque*>(context.arena.New<QuantityValue>(*quantity)));
}

Value IsQuantity(const CallContext&, std::span<const Value> args) {
  return Value::Bool(Quantity::Parse(args[0].text()).ok());
}

Value SignOf(const CallContext&, std::span<const Value> args) {
  return Value::Int(Get(args[0]).Sign());
}

Value CompareTo(const CallContext&, std::span<const Value> args) {
  return Value::Int(Get(args[0]).Compare(Get(args[1])));
}

Value IsGreaterThan(const CallContext&, std::span<const Value> args) {
  return Value::Bool(Get(args[0]).Compare(Get(args[1])) > 0);
}

Value IsLessThan(const CallContext&, std::span<const Value> args) {
  return Value::Bool(Get(args[0]).Compare(Get(args[1])) < 0);
}

Value AsApproximateFloat(const CallContext&, std::span<const Value> args) {
  return Value::Double(Get(args[0]).AsApproximateDouble());
}

Value AsInteger(const CallContext&, std::span<const Value> args) {
  const std::optional<std::int64_t> value = Get(args[0]).AsInt64();
  return value.has_value() ? Value::Int(*value) : Value::Error("cannot convert value to integer");
}

Value IsInteger(const CallContext&, std::span<const Value> args) {
  return Value::Bool(Get(args[0]).AsInt64().has_value());
}

Quantity Operand(const Value& value) {
  return value.Is(ValueKind::kInt) ? Quantity::OfInteger(value.int_value()) : Get(value);
}

Value Sum(const CallContext& context, const Quantity& sum) {
  return Value::Of(static_cast<const Opaque*>(context.arena.New<QuantityValue>(sum, true)));
}

Value Add(const CallContext& context, std::span<const Value> args) {
  Quantity sum = Get(args[0]);
  sum += Operand(args[1]);
  return Sum(context, sum);
}

Value Subtract(const CallContext& context, std::span<const Value> args) {
  Quantity difference = Get(args[0]);
  difference -= Operand(args[1]);
  return Sum(context, difference);
}

#define QUANTITY "kubernetes.Quantity"

}  // namespace

const Type* QuantityValue::type() const { return &kType; }

bool QuantityValue::Equals(const Opaque& other) const {
  return quantity_ == static_cast<const QuantityValue&>(other).quantity_;
}

void AddQuantities(FunctionTable& table) {
  table.Add("quantity", {{"string_to_quantity", "(string) -> " QUANTITY, &ToQuantity}});
  table.Add("isQuantity", {{"is_quantity_string", "(string) -> bool", &IsQuantity}});
  table.Add("sign", {{"quantity_sign", "(" QUANTITY ") -> int", &SignOf}});
  table.Add("isGreaterThan",
            {{"quantity_is_greater_than", QUANTITY ".(" QUANTITY ") -> bool", &IsGreaterThan}});
  table.Add("isLessThan",
            {{"quantity_is_less_than", QUANTITY ".(" QUANTITY ") -> bool", &IsLessThan}});
  table.Add("compareTo", {{"quantity_compare_to", QUANTITY ".(" QUANTITY ") -> int", &CompareTo}});
  table.Add("asApproximateFloat",
            {{"quantity_get_float", QUANTITY ".() -> double", &AsApproximateFloat}});
  table.Add("asInteger", {{"quantity_get_int", QUANTITY ".() -> int", &AsInteger}});
  table.Add("isInteger", {{"quantity_is_integer", QUANTITY ".() -> bool", &IsInteger}});
  table.Add("add", {{"quantity_add", QUANTITY ".(" QUANTITY ") -> " QUANTITY, &Add},
                    {"quantity_add_int", QUANTITY ".(int) -> " QUANTITY, &Add}});
  table.Add("sub", {{"quantity_sub", QUANTITY ".(" QUANTITY ") -> " QUANTITY, &Subtract},
                    {"quantity_sub_int", QUANTITY ".(int) -> " QUANTITY, &Subtract}});
}

}  // namespace assay::cel::library
