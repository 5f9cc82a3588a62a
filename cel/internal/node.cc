#include "cel/internal/node.h"

#include <algorithm>
#include <cmath>

namespace assay::cel::internal {
namespace {

Value NoSuchKey(Frame& frame, const Value& key) {
  return frame.context().Error({"no such key: ", DebugString(key)});
}

// The index that a value means for a list, or an error.
Value ListIndex(Frame& frame, const Value& key) {
  switch (key.kind()) {
    case ValueKind::kInt:
      return key;
    case ValueKind::kDouble: {
      const double index = key.double_value();
      if (std::trunc(index) == index && std::abs(index) < 9e18) {
        return Value::Int(static_cast<std::int64_t>(index));
      }
      return frame.context().Error({"unsupported index value ", DebugString(key), " in list"});
    }
    case ValueKind::kUint:
      if (key.uint_value() <= INT64_MAX) {
        return Value::Int(static_cast<std::int64_t>(key.uint_value()));
      }
      return frame.context().Error({"unsupported index value ", DebugString(key), " in list"});
    default:
      return frame.context().Error({"unsupported index type '", TypeName(key), "' in list"});
  }
}

// What selecting gave: a value, an error, or nothing where that is allowed.
struct Selected {
  Value value;
  bool present = true;
};

// obj[key]. `presence`: an absent key is no error.
Selected Select(Frame& frame, const Value& object, const Value& key, bool presence) {
  switch (object.kind()) {
    case ValueKind::kMap: {
      Value value;
      if (object.map().Find(key, &value)) {
        return {value};
      }
      return presence ? Selected{{}, false} : Selected{NoSuchKey(frame, key)};
    }
    case ValueKind::kList: {
      const Value index = ListIndex(frame, key);
      if (index.IsError()) {
        return {index};
      }
      if (index.int_value() >= 0 &&
          index.int_value() < static_cast<std::int64_t>(object.list().size())) {
        return {object.list().At(static_cast<std::size_t>(index.int_value()))};
      }
      return presence
                 ? Selected{{}, false}
                 : Selected{frame.context().Error({"index out of bounds: ", DebugString(key)})};
    }
    case ValueKind::kMessage: {
      if (!key.Is(ValueKind::kString)) {
        return {NoSuchOverload()};
      }
      Message::Field field;
      if (!object.message().Find(key.text(), &field)) {
        return {frame.context().Error({"no such field '", key.text(), "'"})};
      }
      return {field.value, !presence || field.is_set};
    }
    case ValueKind::kError:
      return {object};
    default:
      return presence ? Selected{{}, false} : Selected{NoSuchKey(frame, key)};
  }
}

Value KeyOf(Frame& frame, const Qualifier& qualifier) {
  if (qualifier.node == nullptr && qualifier.attribute == nullptr) {
    return qualifier.key;
  }
  const Value key = qualifier.attribute != nullptr ? qualifier.attribute->Resolve(frame)
                                                   : qualifier.node->Evaluate(frame);
  if (!key.IsError() && !IsKey(key)) {
    return frame.context().Error({InvalidKey(key)});
  }
  return key;
}

// What cel-go makes of the value of an optional that is selected from, or that a conditional gives:
// it takes it out as a Go value and back, which flattens optionals, makes names of types, and fails
// for the libraries' types.
Value Unwrapped(const CallContext& context, const Value& value) {
  switch (value.kind()) {
    case ValueKind::kOptional:
      return value.optional() == nullptr ? Value::Null() : Unwrapped(context, *value.optional());
    case ValueKind::kType:
      return context.String(value.type()->name());
    case ValueKind::kOpaque: {
      const std::string_view type = GoTypeName(value);
      if (type == "*cel.Format") {
        return value;
      }
      return context.Error({"unsupported conversion to ref.Val: (",
                            type == "cel.Quantity" ? "*resource.Quantity"
                            : type == "cel.Semver" ? "semver.Version"
                            : type == "cel.URL"    ? "*url.URL"
                            : type == "cel.IP"     ? "netip.Addr"
                                                   : "netip.Prefix",
                            ")"});
    }
    default:
      return value;
  }
}

Value ApplyQualifiers(Frame& frame, Value object, const QualifierList& qualifiers) {
  bool optional = object.Is(ValueKind::kOptional);
  if (optional) {
    if (object.optional() == nullptr) {
      return object;
    }
    object = Unwrapped(frame.context(), *object.optional());
    if (object.IsError() && qualifiers.first != nullptr && !qualifiers.first->qualifier.HasKey()) {
      const Value key = KeyOf(frame, qualifiers.first->qualifier);
      return key.IsError() ? key : object;
    }
    if (object.IsError() && qualifiers.first != nullptr) {
      return object;
    }
  }
  for (const QualifierLink* link = qualifiers.first; link != nullptr; link = link->next) {
    const Qualifier& qualifier = link->qualifier;
    optional = optional || qualifier.optional;
    const Value key = KeyOf(frame, qualifier);
    const Selected selected =
        key.IsError() ? Selected{key} : Select(frame, object, key, optional || qualifier.test_only);
    // What an optional selection does not find is not charged.
    if (!optional || (selected.present && !selected.value.IsError())) {
      frame.Charge(kSelectCost);
    }
    if (selected.present && selected.value.IsError()) {
      return selected.value;
    }
    if (!selected.present && optional) {
      return Value::Optional(nullptr);
    }
    object = qualifier.test_only && !optional ? Value::Bool(selected.present) : selected.value;
  }
  return optional ? Value::Optional(frame.arena.New<Value>(object)) : object;
}

// How far evaluating the arguments of a call got.
enum class Arguments : std::uint8_t { kAll, kWithError, kSomeMissing };

Arguments EvaluateAll(Frame& frame, const CallNode::Target& target,
                      std::span<const Node* const> nodes, Value* values, Value* error) {
  Arguments result = Arguments::kAll;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    values[i] = nodes[i]->Evaluate(frame);
    if (values[i].IsError() && result == Arguments::kAll) {
      *error = values[i];
      result = Arguments::kWithError;
      if (target.stops_at_error && i + 1 < nodes.size()) {
        return Arguments::kSomeMissing;
      }
    }
  }
  return result;
}

// What the entry `?key: optional` gets; it is not set without a value.
Value FromOptional(const CallContext& context, const Value& key, const Value& optional,
                   bool* is_set) {
  if (!optional.Is(ValueKind::kOptional)) {
    return context.Error({"cannot initialize optional entry '", DebugString(key),
                          "' from non-optional value ", DebugString(optional)});
  }
  *is_set = optional.optional() != nullptr;
  return *is_set ? *optional.optional() : Value();
}

Value NotBool(const Value& value) { return value.IsError() ? value : NoSuchOverload(); }

}  // namespace

bool IsKey(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kString:
    case ValueKind::kInt:
    case ValueKind::kUint:
    case ValueKind::kBool:
    case ValueKind::kDouble:
      return true;
    default:
      return false;
  }
}

std::string InvalidKey(const Value& value) {
  return "invalid qualifier type: " + std::string(GoTypeName(value));
}

void QualifierList::Add(Arena& arena, const Qualifier& qualifier) {
  auto* link = arena.New<QualifierLink>(QualifierLink{qualifier});
  (last == nullptr ? first : last->next) = link;
  last = link;
}

Value VariableAttribute::Resolve(Frame& frame) const {
  Value value;
  switch (where_) {
    case Where::kVariable:
      value = frame.variables[index_];
      break;
    case Where::kSlot: {
      Slot& slot = frame.slots[index_];
      if (slot.init != nullptr) {
        const Node* init = slot.init;
        slot.init = nullptr;
        Value initial = init->Evaluate(frame);
        if (initial.Is(ValueKind::kList) && initial.list().size() == 0) {
          initial = Value::Collecting(
              static_cast<const List*>(frame.arena.New<MutableList>(frame.arena)));
        } else if (initial.Is(ValueKind::kMap) && initial.map().size() == 0) {
          initial =
              Value::Collecting(static_cast<const Map*>(frame.arena.New<EntryMap>(frame.arena)));
        }
        slot.value = initial;
      }
      value = slot.value;
      break;
    }
    case Where::kUnknown:
      return frame.context().Error({"no such attribute(s): ", name_});
  }
  if (value.IsError() || qualifiers_.first == nullptr) {
    return value;
  }
  return ApplyQualifiers(frame, value, qualifiers_);
}

Value PathNode::Evaluate(Frame& frame) const {
  Value object = frame.variables[variable_];
  if (object.Is(ValueKind::kOptional)) {
    return general_->Evaluate(frame);
  }
  for (const Value& key : keys_) {
    if (object.IsError()) {
      break;
    }
    object = Select(frame, object, key, false).value;
    frame.Charge(kSelectCost);
  }
  frame.Charge(kSelectCost);
  return object;
}

Value RelativeAttribute::Resolve(Frame& frame) const {
  const Value value = operand_->Evaluate(frame);
  return value.IsError() ? value : ApplyQualifiers(frame, value, qualifiers_);
}

Value ConditionalAttribute::Resolve(Frame& frame) const {
  const Value condition = condition_->Evaluate(frame);
  if (!condition.Is(ValueKind::kBool)) {
    return NotBool(condition);
  }
  return (condition.bool_value() ? if_true_ : if_false_)->Resolve(frame);
}

Value AttributeNode::Evaluate(Frame& frame) const {
  const Value value = attribute_->Resolve(frame);
  frame.Charge(cost_);
  if (test_only_ && value.Is(ValueKind::kOptional)) {
    return Value::Bool(value.optional() != nullptr);
  }
  return value;
}

Value AndNode::Evaluate(Frame& frame) const {
  const Value left = left_->Evaluate(frame);
  if (left.IsFalse() || frame.stopped) {
    return Value::Bool(false);
  }
  const Value right = right_->Evaluate(frame);
  if (right.IsFalse()) {
    return right;
  }
  if (!left.IsTrue()) {
    return NotBool(left);
  }
  return right.IsTrue() ? right : NotBool(right);
}

Value OrNode::Evaluate(Frame& frame) const {
  const Value left = left_->Evaluate(frame);
  if (left.IsTrue() || frame.stopped) {
    return Value::Bool(true);
  }
  const Value right = right_->Evaluate(frame);
  if (right.IsTrue()) {
    return right;
  }
  if (!left.IsFalse()) {
    return NotBool(left);
  }
  return right.IsFalse() ? right : NotBool(right);
}

Value EqualsOrError(const Value& a, const Value& b) {
  const Equality equality = CompareEqual(a, b);
  return equality == Equality::kError ? NoSuchOverload() : Value::Bool(equality == Equality::kTrue);
}

Value EqualsNode::Evaluate(Frame& frame) const {
  const Value args[] = {left_->Evaluate(frame), right_->Evaluate(frame)};
  Value result;
  if (args[0].IsError()) {
    result = args[0];
  } else if (args[1].IsError()) {
    result = args[1];
  } else {
    result = EqualsOrError(args[0], args[1]);
    if (negated_) {
      result = Value::Bool(!result.IsTrue());
    }
  }
  frame.Charge(ComputeCallCost(negated_ ? CallCost::kSmaller : CallCost::kEquals, args, result));
  return result;
}

Value NotStrictlyFalseNode::Evaluate(Frame& frame) const {
  const Value value = operand_->Evaluate(frame);
  frame.Charge(1);
  return value.Is(ValueKind::kBool) ? value : Value::Bool(true);
}

Value CallNode::Evaluate(Frame& frame) const {
  Value buffer[kMaxArgs];
  std::span<Value> values(buffer, std::min(args_.size(), kMaxArgs));
  if (args_.size() > kMaxArgs) {
    values = frame.arena.NewArray<Value>(args_.size());
  }
  Value result;
  const Arguments arguments = EvaluateAll(frame, target_, args_, values.data(), &result);
  if (arguments == Arguments::kSomeMissing) {
    return result;
  }
  // What a call costs is mostly known before it is made: one that is too dear is not made.
  const bool known_cost = !target_.cost_is_of_result;
  const std::uint64_t cost = known_cost ? ComputeCallCost(target_.cost, values, result) : 0;
  if (arguments == Arguments::kAll) {
    if (frame.stopped || cost > frame.cost_limit - frame.cost) {
      frame.Charge(cost);
      return Value::Error("stopped");
    }
    if (target_.function == nullptr) {
      result = frame.context().Error({"no such overload: ", target_.name});
    } else if (target_.regex != nullptr) {
      result = target_.regex->Call(target_.name, frame.context(), values);
    } else {
      result = Call(frame.context(), *target_.function, target_.overload, values);
    }
  }
  if (IsPanic(result)) {
    frame.Panic(result.text());
    return result;
  }
  if (target_.may_panic) {
    const Value panic = CostPanic(frame.context(), target_.cost, values);
    if (panic.IsError()) {
      frame.Panic(panic.text());
      return panic;
    }
  }
  frame.Charge(known_cost ? cost : ComputeCallCost(target_.cost, values, result));
  return result;
}

Value InConstantsNode::Evaluate(Frame& frame) const {
  const Value value = operand_->Evaluate(frame);
  if (value.IsError()) {
    return value;
  }
  if (const Value panic = HashPanic(value); panic.IsError()) {
    frame.Panic(panic.text());
    return panic;
  }
  for (std::size_t i = 0; i < list_->size(); ++i) {
    if (Equal(value, list_->At(i))) {
      return Value::Bool(true);
    }
  }
  return Value::Bool(false);
}

Value OptionalOrNode::Evaluate(Frame& frame) const {
  const Value left = left_->Evaluate(frame);
  if (!left.Is(ValueKind::kOptional)) {
    return left;
  }
  if (left.optional() == nullptr) {
    return right_->Evaluate(frame);
  }
  return unwrap_ ? *left.optional() : left;
}

Value ListNode::Evaluate(Frame& frame) const {
  std::span<Value> values = frame.arena.NewArray<Value>(elements_.size());
  std::size_t size = 0;
  for (std::size_t i = 0; i < elements_.size(); ++i) {
    Value value = elements_[i]->Evaluate(frame);
    if (!value.IsError() && !optional_.empty() && optional_[i]) {
      if (!value.Is(ValueKind::kOptional)) {
        value = frame.context().Error(
            {"cannot initialize optional list element from non-optional value ",
             DebugString(value)});
      } else if (value.optional() == nullptr) {
        continue;
      } else {
        value = *value.optional();
      }
    }
    if (value.IsError()) {
      frame.Charge(kListCost);
      return value;
    }
    values[size++] = value;
  }
  frame.Charge(kListCost);
  return Value::Of(static_cast<const List*>(frame.arena.New<ArrayList>(values.first(size))));
}

Value MapNode::Evaluate(Frame& frame) const {
  auto* map = frame.arena.New<EntryMap>(frame.arena);
  for (std::size_t i = 0; i + 1 < entries_.size(); i += 2) {
    const Value key = entries_[i]->Evaluate(frame);
    Value value = key.IsError() ? key : entries_[i + 1]->Evaluate(frame);
    if (!value.IsError() && !optional_.empty() && optional_[i / 2]) {
      bool is_set = true;
      value = FromOptional(frame.context(), key, value, &is_set);
      if (!is_set) {
        if (HashPanic(key).IsError()) {
          const Value panic =
              map->size() > 0 ? HashPanic(key)
                              : frame.context().Error(
                                    {"internal error: hash of unhashable type: ", GoTypeName(key)});
          frame.Panic(panic.text());
          return panic;
        }
        map->Erase(key);
        continue;
      }
    }
    if (const Value panic = HashPanic(key); !value.IsError() && panic.IsError()) {
      frame.Panic(panic.text());
      return panic;
    }
    if (value.IsError()) {
      frame.Charge(kMapCost);
      return value;
    }
    map->Set(key, value);
  }
  frame.Charge(kMapCost);
  return Value::Of(static_cast<const Map*>(map));
}

Value StructNode::Make(Frame& frame) const {
  std::span<FieldValue> values =
      frame.arena.NewArray<FieldValue>(type_ == nullptr ? 0 : type_->fields.size());
  for (const Field& field : fields_) {
    Value value = field.value->Evaluate(frame);
    bool is_set = true;
    if (!value.IsError() && field.optional) {
      value = FromOptional(frame.context(), Value::String(field.name), value, &is_set);
    }
    if (value.IsError()) {
      return value;
    }
    if (type_ == nullptr) {
      continue;
    }
    values[field.index] = {is_set, value};
  }
  return type_ == nullptr ? frame.context().Error({"unknown type '", name_, "'"})
                          : MakeMessage(frame.context(), *type_, values);
}

Value StructNode::Evaluate(Frame& frame) const {
  const Value result = Make(frame);
  frame.Charge(kStructCost);
  return result;
}

bool FoldNode::Step(Frame& frame) const {
  if (parts_.condition->Evaluate(frame).IsFalse() || frame.stopped) {
    return false;
  }
  const Value value = parts_.step->Evaluate(frame);
  frame.slots[parts_.accu_slot] = {value, nullptr};
  return !frame.stopped;
}

Value FoldNode::Evaluate(Frame& frame) const {
  frame.slots[parts_.accu_slot] = {Value(), parts_.init};
  const Value range = parts_.range->Evaluate(frame);
  if (range.IsError()) {
    return range;
  }
  if (range.Is(ValueKind::kList)) {
    for (std::size_t i = 0; i < range.list().size(); ++i) {
      const Value element = range.list().At(i);
      if (parts_.two) {
        frame.slots[parts_.iter_slot] = {Value::Int(static_cast<std::int64_t>(i)), nullptr};
        frame.slots[parts_.iter2_slot] = {element, nullptr};
      } else {
        frame.slots[parts_.iter_slot] = {element, nullptr};
      }
      if (!Step(frame)) {
        break;
      }
    }
  } else if (range.Is(ValueKind::kMap)) {
    for (std::size_t i = 0; i < range.map().size(); ++i) {
      const Map::Entry entry = range.map().At(i);
      frame.slots[parts_.iter_slot] = {entry.key, nullptr};
      if (parts_.two) {
        frame.slots[parts_.iter2_slot] = {entry.value, nullptr};
      }
      if (!Step(frame)) {
        break;
      }
    }
  } else if (parts_.two) {
    return frame.context().Error({"unsupported comprehension range type: ", GoTypeName(range)});
  } else {
    return frame.context().Error({"got '", GoTypeName(range), "', expected iterable type"});
  }
  Value result = parts_.result->Evaluate(frame);
  if (result.collecting()) {
    result = result.Is(ValueKind::kList) ? Value::Of(&result.list()) : Value::Of(&result.map());
  }
  return result;
}

}  // namespace assay::cel::internal
