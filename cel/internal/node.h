// The steps of a Program. Each evaluates its parts and is charged as cel-go's observer charges the
// step that it stands for, so that costs agree to the unit.
//
// Source: cel-go's interpreter/interpretable.go, attributes.go, runtimecost.go, cel/library.go.
//
// Thread-safe: immutable; a Frame belongs to one evaluation.
#ifndef ASSAY_CEL_INTERNAL_NODE_H_
#define ASSAY_CEL_INTERNAL_NODE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cel/arena.h"
#include "cel/function.h"
#include "cel/library/regex.h"
#include "cel/messages.h"
#include "cel/runtime_cost.h"
#include "cel/value.h"

namespace assay::cel::internal {

class Node;

// A variable of a comprehension. Accumulators are set when they are first asked for.
struct Slot {
  Value value;
  const Node* init = nullptr;  // not yet evaluated
};

struct Frame {
  Arena& arena;
  std::span<const Value> variables;
  std::span<Slot> slots;
  std::uint64_t cost_limit;
  std::uint64_t cost = 0;
  // The evaluation is over and its result an error whatever else happens; its cost stays what it
  // is.
  bool stopped = false;
  std::string_view panic;  // why; empty: the limit

  void Charge(std::uint64_t amount) {
    if (!stopped) {
      cost += amount;
      stopped = cost > cost_limit;
    }
  }
  // Where cel-go's evaluator panics, and says so.
  void Panic(std::string_view message) {
    if (!stopped) {
      stopped = true;
      panic = message;
    }
  }
  CallContext context() { return {arena}; }
};

class Node {
 public:
  virtual Value Evaluate(Frame& frame) const = 0;

 protected:
  ~Node() = default;
};

class ConstantNode final : public Node {
 public:
  explicit ConstantNode(const Value& value) : value_(value) {}
  Value Evaluate(Frame&) const override { return value_; }
  const Value& value() const { return value_; }

 private:
  Value value_;
};

class Attribute;

// One step of an attribute: .field, [index], .?field, [?index], or has().
struct Qualifier {
  Value key;                             // if it is constant
  const Node* node = nullptr;            // else: what gives it
  const Attribute* attribute = nullptr;  // or this, which is then not charged itself
  bool optional = false;
  bool test_only = false;

  bool HasKey() const { return node == nullptr && attribute == nullptr; }
};

// A variable or value with the selections made on it. Resolving charges the selections.
class Attribute {
 public:
  virtual Value Resolve(Frame& frame) const = 0;

 protected:
  ~Attribute() = default;
};

// A linked list of qualifiers, built while planning.
struct QualifierLink {
  Qualifier qualifier;
  QualifierLink* next = nullptr;
};

struct QualifierList {
  QualifierLink* first = nullptr;
  QualifierLink* last = nullptr;
  void Add(Arena& arena, const Qualifier& qualifier);
};

class VariableAttribute final : public Attribute {
 public:
  enum class Where : std::uint8_t { kVariable, kSlot, kUnknown };
  VariableAttribute(Where where, std::size_t index, std::string_view name)
      : where_(where), index_(index), name_(name) {}
  Value Resolve(Frame& frame) const override;
  QualifierList& qualifiers() { return qualifiers_; }
  const QualifierList& qualifiers() const { return qualifiers_; }
  Where where() const { return where_; }
  std::size_t index() const { return index_; }

 private:
  Where where_;
  std::size_t index_;
  std::string_view name_;
  QualifierList qualifiers_;
};

class RelativeAttribute final : public Attribute {
 public:
  explicit RelativeAttribute(const Node* operand) : operand_(operand) {}
  Value Resolve(Frame& frame) const override;
  QualifierList& qualifiers() { return qualifiers_; }

 private:
  const Node* operand_;
  QualifierList qualifiers_;
};

class ConditionalAttribute final : public Attribute {
 public:
  ConditionalAttribute(const Node* condition, const Attribute* if_true, const Attribute* if_false)
      : condition_(condition), if_true_(if_true), if_false_(if_false) {}
  Value Resolve(Frame& frame) const override;

 private:
  const Node* condition_;
  const Attribute* if_true_;
  const Attribute* if_false_;
};

class AttributeNode final : public Node {
 public:
  AttributeNode(const Attribute* attribute, std::uint64_t cost, bool test_only)
      : attribute_(attribute), cost_(cost), test_only_(test_only) {}
  Value Evaluate(Frame& frame) const override;

 private:
  const Attribute* attribute_;
  std::uint64_t cost_;
  bool test_only_;
};

class AndNode final : public Node {
 public:
  AndNode(const Node* left, const Node* right) : left_(left), right_(right) {}
  Value Evaluate(Frame& frame) const override;

 private:
  const Node* left_;
  const Node* right_;
};

class OrNode final : public Node {
 public:
  OrNode(const Node* left, const Node* right) : left_(left), right_(right) {}
  Value Evaluate(Frame& frame) const override;

 private:
  const Node* left_;
  const Node* right_;
};

class EqualsNode final : public Node {
 public:
  EqualsNode(const Node* left, const Node* right, bool negated)
      : left_(left), right_(right), negated_(negated) {}
  Value Evaluate(Frame& frame) const override;

 private:
  const Node* left_;
  const Node* right_;
  bool negated_;
};

class NotStrictlyFalseNode final : public Node {
 public:
  explicit NotStrictlyFalseNode(const Node* operand) : operand_(operand) {}
  Value Evaluate(Frame& frame) const override;

 private:
  const Node* operand_;
};

class CallNode final : public Node {
 public:
  struct Target {
    const Function* function = nullptr;  // null: there is none of that name, found at run time
    std::string_view name;
    const Overload* overload = nullptr;     // null: found by the arguments
    const library::Regex* regex = nullptr;  // in place of args[1]
    CallCost cost = CallCost::kOne;
    // Arguments after the first error are not evaluated, and the call is then free; else all are.
    bool stops_at_error = false;
    bool may_panic = false;          // CostPanic() has something to look at
    bool cost_is_of_result = false;  // the call costs by what it gives
  };
  CallNode(const Target& target, std::span<const Node* const> args)
      : target_(target), args_(args) {}
  Value Evaluate(Frame& frame) const override;
  std::span<const Node* const> args() const { return args_; }
  const Target& target() const { return target_; }

 private:
  static constexpr std::size_t kMaxArgs = 3;  // more go to the arena
  Target target_;
  std::span<const Node* const> args_;
};

// A call of constants: its result is known, and costs all the same.
class FoldedCallNode final : public Node {
 public:
  FoldedCallNode(const Value& value, std::uint64_t cost) : value_(value), cost_(cost) {}
  Value Evaluate(Frame& frame) const override {
    frame.Charge(cost_);
    return value_;
  }

 private:
  Value value_;
  std::uint64_t cost_;
};

// variable.a["b"].c: what most selectors are made of.
class PathNode final : public Node {
 public:
  // `general` does the same for variables that hold an optional.
  PathNode(std::size_t variable, std::span<const Value> keys, const Node* general)
      : variable_(variable), keys_(keys), general_(general) {}
  Value Evaluate(Frame& frame) const override;

 private:
  std::size_t variable_;
  std::span<const Value> keys_;
  const Node* general_;
};

// x in [constants].
class InConstantsNode final : public Node {
 public:
  InConstantsNode(const Node* operand, const List* list) : operand_(operand), list_(list) {}
  Value Evaluate(Frame& frame) const override;

 private:
  const Node* operand_;
  const List* list_;
};

// optional.or(optional), optional.orValue(value).
class OptionalOrNode final : public Node {
 public:
  OptionalOrNode(const Node* left, const Node* right, bool unwrap)
      : left_(left), right_(right), unwrap_(unwrap) {}
  Value Evaluate(Frame& frame) const override;

 private:
  const Node* left_;
  const Node* right_;
  bool unwrap_;
};

class ListNode final : public Node {
 public:
  ListNode(std::span<const Node* const> elements, std::span<const bool> optional)
      : elements_(elements), optional_(optional) {}
  Value Evaluate(Frame& frame) const override;

 private:
  std::span<const Node* const> elements_;
  std::span<const bool> optional_;
};

class MapNode final : public Node {
 public:
  MapNode(std::span<const Node* const> entries, std::span<const bool> optional)
      : entries_(entries), optional_(optional) {}
  Value Evaluate(Frame& frame) const override;

 private:
  std::span<const Node* const> entries_;  // key, value, key, ...
  std::span<const bool> optional_;
};

// name{field: value}.
class StructNode final : public Node {
 public:
  struct Field {
    std::string_view name;
    std::size_t index;  // among the type's fields
    const Node* value;
    bool optional;
  };
  // `type`: null if values of the type cannot be made, as of Kubernetes' own.
  StructNode(std::string_view name, const MessageType* type, std::span<const Field> fields)
      : name_(name), type_(type), fields_(fields) {}
  Value Evaluate(Frame& frame) const override;

 private:
  Value Make(Frame& frame) const;

  std::string_view name_;
  const MessageType* type_;
  std::span<const Field> fields_;
};

class FoldNode final : public Node {
 public:
  struct Parts {
    std::size_t accu_slot = 0;
    std::size_t iter_slot = 0;
    std::size_t iter2_slot = 0;
    bool two = false;
    const Node* range = nullptr;
    const Node* init = nullptr;
    const Node* condition = nullptr;
    const Node* step = nullptr;
    const Node* result = nullptr;
  };
  explicit FoldNode(const Parts& parts) : parts_(parts) {}
  Value Evaluate(Frame& frame) const override;

 private:
  // One round; false: the loop is over.
  bool Step(Frame& frame) const;

  Parts parts_;
};

// Always an error: what could not be planned, when it was not checked.
class ErrorNode final : public Node {
 public:
  explicit ErrorNode(std::string_view message) : message_(message) {}
  Value Evaluate(Frame&) const override { return Value::Error(message_); }

 private:
  std::string_view message_;
};

// Whether a value can select from a map or list.
bool IsKey(const Value& value);
// "invalid qualifier type: types.Bytes": it cannot; with the name of cel-go's Go type.
std::string InvalidKey(const Value& value);

// a == b as an expression has it: an error where the libraries' types meet another type.
Value EqualsOrError(const Value& a, const Value& b);

}  // namespace assay::cel::internal

#endif  // ASSAY_CEL_INTERNAL_NODE_H_
