#include "cel/internal/planner.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "cel/messages.h"

namespace assay::cel::internal {
namespace {

// A planned expression. Those that stand for a name or selection can be selected from further;
// their node is made when they are complete.
struct Step {
  const Node* node = nullptr;
  std::optional<Value> constant;
  const Attribute* attribute = nullptr;
  VariableAttribute* variable = nullptr;
  RelativeAttribute* relative = nullptr;
  ConditionalAttribute* conditional = nullptr;
  // What a selection adds to: the attribute's own qualifiers, or those of both branches.
  std::vector<QualifierList*> qualifiers;
  bool test_only = false;
};

constexpr std::array<std::string_view, 10> kConversions = {
    "bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"};

class Planner {
 public:
  Planner(const Environment& environment, Arena& arena)
      : environment_(environment), arena_(arena) {}

  Result<Plan> Run(const Expr& root) {
    Step step = PlanStep(root);
    if (!error_.ok()) {
      return error_;
    }
    Plan plan;
    plan.root = Finish(step);
    plan.slot_count = slot_count_;
    plan.owned = std::move(owned_);
    return plan;
  }

 private:
  struct Local {
    std::string_view name;
    std::size_t slot;
  };

  // The node of a complete step.
  const Node* Finish(const Step& step) {
    if (step.node != nullptr) {
      return step.node;
    }
    // A ternary itself is free; has() gives back what the name costs.
    const std::uint64_t cost = step.conditional != nullptr || step.test_only ? 0 : kSelectCost;
    const Node* node = arena_.New<AttributeNode>(step.attribute, cost, step.test_only);
    const Node* path = PlanPath(step, node);
    return path == nullptr ? node : path;
  }

  // The shorter way for selections by constants from a variable; null if the step is none.
  const Node* PlanPath(const Step& step, const Node* general) {
    if (step.variable == nullptr || step.test_only ||
        step.variable->where() != VariableAttribute::Where::kVariable) {
      return nullptr;
    }
    std::size_t size = 0;
    for (const QualifierLink* link = step.variable->qualifiers().first; link != nullptr;
         link = link->next) {
      if (!link->qualifier.HasKey() || link->qualifier.optional || link->qualifier.test_only) {
        return nullptr;
      }
      ++size;
    }
    std::span<Value> keys = arena_.NewArray<Value>(size);
    size = 0;
    for (const QualifierLink* link = step.variable->qualifiers().first; link != nullptr;
         link = link->next) {
      keys[size++] = link->qualifier.key;
    }
    return arena_.New<PathNode>(step.variable->index(), keys, general);
  }

  std::span<const Node* const> FinishAll(const std::vector<Step>& steps) {
    std::span<const Node*> nodes = arena_.NewArray<const Node*>(steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i) {
      nodes[i] = Finish(steps[i]);
    }
    return nodes;
  }

  const Node* PlanNode(const Expr& expr) { return Finish(PlanStep(expr)); }

  Step OfNode(const Node* node) {
    Step step;
    step.node = node;
    return step;
  }

  Step OfConstant(const Value& value) {
    Step step;
    step.constant = value;
    step.node = arena_.New<ConstantNode>(value);
    return step;
  }

  Step OfError(std::string_view message) {
    return OfNode(arena_.New<ErrorNode>(arena_.Copy(message)));
  }

  Step PlanStep(const Expr& expr) {
    switch (expr.kind) {
      case ExprKind::kLiteral:
        return OfConstant(expr.literal);
      case ExprKind::kIdent:
        return PlanName(expr);
      case ExprKind::kSelect:
        return PlanSelect(expr);
      case ExprKind::kCall:
        return PlanCall(expr);
      case ExprKind::kList:
        return PlanList(expr);
      case ExprKind::kMap:
        return PlanMap(expr);
      case ExprKind::kComprehension:
        return PlanFold(expr);
      case ExprKind::kStruct:
        return PlanStruct(expr);
      case ExprKind::kError:
        break;
    }
    return OfError("unexpected expression");
  }

  Step OfVariable(VariableAttribute::Where where, std::size_t index, std::string_view name) {
    Step step;
    step.variable = arena_.New<VariableAttribute>(where, index, name);
    step.attribute = step.variable;
    step.qualifiers = {&step.variable->qualifiers()};
    return step;
  }

  // The variable or constant of a full name.
  std::optional<Step> FindName(std::string_view name) {
    for (auto it = locals_.rbegin(); it != locals_.rend(); ++it) {
      if (it->name == name) {
        return OfVariable(VariableAttribute::Where::kSlot, it->slot, it->name);
      }
    }
    const Environment::Variable* variable = environment_.FindVariable(name);
    if (variable == nullptr || variable->index == Environment::kOnlyTyped) {
      return std::nullopt;
    }
    if (variable->index == Environment::kConstant) {
      return OfConstant(variable->constant);
    }
    return OfVariable(VariableAttribute::Where::kVariable,
                      static_cast<std::size_t>(variable->index), variable->name);
  }

  // What a name stands for, if no check has found that. Constants are found when it is evaluated,
  // and cost.
  std::optional<Step> FindUncheckedName(std::string_view name) {
    for (const std::string& candidate : environment_.Candidates(name)) {
      if (std::optional<Step> step = FindName(candidate); step.has_value()) {
        return step->constant.has_value()
                   ? OfNode(arena_.New<FoldedCallNode>(*step->constant, kSelectCost))
                   : *std::move(step);
      }
    }
    return std::nullopt;
  }

  Step PlanName(const Expr& expr) {
    if (expr.is_constant) {
      return OfConstant(expr.literal);
    }
    // A checked name whose value is a type is taken for that type's name, bound variables included.
    if (expr.resolved && expr.type != nullptr && expr.type->kind() == TypeKind::kType) {
      const Environment::Variable* type = environment_.FindVariable(expr.name);
      if (type != nullptr && type->index == Environment::kConstant) {
        return OfConstant(type->constant);
      }
      if (error_.ok()) {
        error_ = InvalidArgumentError("reference to undefined type: " + std::string(expr.name));
      }
      return OfError("undefined type");
    }
    if (expr.resolved) {
      if (std::optional<Step> step = FindName(expr.name); step.has_value()) {
        return *std::move(step);
      }
    }
    if (std::optional<Step> step = FindUncheckedName(expr.name); step.has_value()) {
      return *std::move(step);
    }
    std::string names;
    for (const std::string& candidate : environment_.Candidates(expr.name)) {
      names += (names.empty() ? "" : ", ") + candidate;
    }
    return OfVariable(VariableAttribute::Where::kUnknown, 0, arena_.Copy(names));
  }

  static std::optional<std::string> QualifiedName(const Expr& expr) {
    if (expr.kind == ExprKind::kIdent && !expr.resolved) {
      return std::string(expr.name);
    }
    if (expr.kind != ExprKind::kSelect || expr.test_only || expr.type != nullptr) {
      return std::nullopt;
    }
    std::optional<std::string> prefix = QualifiedName(*expr.target);
    if (prefix.has_value()) {
      *prefix += "." + std::string(expr.name);
    }
    return prefix;
  }

  // Makes the step one that can be selected from.
  void MakeSelectable(Step& step) {
    if (step.attribute != nullptr) {
      return;
    }
    step.relative = arena_.New<RelativeAttribute>(step.node);
    step.attribute = step.relative;
    step.qualifiers = {&step.relative->qualifiers()};
    step.node = nullptr;
    step.constant.reset();
  }

  void AddQualifier(Step& step, const Qualifier& qualifier) {
    for (QualifierList* list : step.qualifiers) {
      list->Add(arena_, qualifier);
    }
  }

  Step PlanSelect(const Expr& expr) {
    // Without a check, a.b.c may still be the name of a variable.
    if (const std::optional<std::string> name = QualifiedName(expr); name.has_value()) {
      if (std::optional<Step> step = FindUncheckedName(*name); step.has_value()) {
        return *std::move(step);
      }
    }
    Step step = PlanStep(*expr.target);
    MakeSelectable(step);
    AddQualifier(step, {.key = Value::String(expr.name), .test_only = expr.test_only});
    step.test_only = expr.test_only;
    return step;
  }

  Step PlanIndex(const Expr& expr, bool optional) {
    Step step = PlanStep(*expr.args[0]);
    const Step index = PlanStep(*expr.args[1]);
    MakeSelectable(step);
    Qualifier qualifier;
    qualifier.optional = optional;
    if (index.constant.has_value()) {
      qualifier.key = *index.constant;
      if (!IsKey(qualifier.key) && error_.ok()) {
        error_ = InvalidArgumentError(InvalidKey(qualifier.key));
      }
    } else if (index.attribute != nullptr) {
      qualifier.attribute = index.attribute;
    } else {
      qualifier.node = index.node;
    }
    AddQualifier(step, qualifier);
    return step;
  }

  Step PlanConditional(const Expr& expr) {
    const Node* condition = PlanNode(*expr.args[0]);
    Step if_true = PlanStep(*expr.args[1]);
    Step if_false = PlanStep(*expr.args[2]);
    MakeSelectable(if_true);
    MakeSelectable(if_false);
    Step step;
    step.conditional =
        arena_.New<ConditionalAttribute>(condition, if_true.attribute, if_false.attribute);
    step.attribute = step.conditional;
    step.qualifiers = if_true.qualifiers;
    step.qualifiers.insert(step.qualifiers.end(), if_false.qualifiers.begin(),
                           if_false.qualifiers.end());
    return step;
  }

  // The function's name: without a check, it may be qualified by what looks like the receiver.
  struct Callee {
    const Function* function = nullptr;
    bool has_receiver = false;
  };
  Callee FindCallee(const Expr& expr) {
    if (expr.target != nullptr && expr.overloads.empty()) {
      if (const std::optional<std::string> prefix = QualifiedName(*expr.target);
          prefix.has_value()) {
        const Function* function = FindFunction(*prefix + "." + std::string(expr.name));
        if (function != nullptr) {
          return {function, false};
        }
      }
    }
    return {FindFunction(expr.name), expr.target != nullptr};
  }

  const Function* FindFunction(std::string_view name) {
    for (const std::string& candidate : environment_.Candidates(name)) {
      if (const Function* function = environment_.FindFunction(candidate); function != nullptr) {
        return function;
      }
    }
    return nullptr;
  }

  Step PlanCall(const Expr& expr) {
    if (expr.target == nullptr) {
      if (expr.name == "_?_:_") {
        return PlanConditional(expr);
      }
      if (expr.name == "_[_]" || expr.name == "_[?_]" || expr.name == "_?._") {
        return PlanIndex(expr, expr.name != "_[_]");
      }
      if (std::optional<Step> step = PlanOperator(expr); step.has_value()) {
        return *std::move(step);
      }
    }
    const Callee callee = FindCallee(expr);
    std::vector<Step> args;
    if (callee.has_receiver) {
      args.push_back(PlanStep(*expr.target));
    }
    for (const Expr* arg : expr.args) {
      args.push_back(PlanStep(*arg));
    }
    const Overload* overload = expr.overloads.size() == 1 ? expr.overloads[0] : nullptr;
    if ((expr.name == "or" || expr.name == "orValue") && args.size() == 2) {
      return OfNode(
          arena_.New<OptionalOrNode>(Finish(args[0]), Finish(args[1]), expr.name == "orValue"));
    }
    if (callee.function == nullptr) {
      CallNode::Target target;
      target.name = expr.name;
      return OfNode(arena_.New<CallNode>(target, FinishAll(args)));
    }
    return PlanFunctionCall(*callee.function, overload, args);
  }

  std::optional<Step> PlanOperator(const Expr& expr) {
    if (expr.args.size() == 1 && expr.name == "@not_strictly_false") {
      return OfNode(arena_.New<NotStrictlyFalseNode>(PlanNode(*expr.args[0])));
    }
    if (expr.args.size() != 2) {
      return std::nullopt;
    }
    const bool is_and = expr.name == "_&&_";
    if (is_and || expr.name == "_||_") {
      const Node* left = PlanNode(*expr.args[0]);
      const Node* right = PlanNode(*expr.args[1]);
      return is_and ? OfNode(arena_.New<AndNode>(left, right))
                    : OfNode(arena_.New<OrNode>(left, right));
    }
    const bool negated = expr.name == "_!=_";
    if (negated || expr.name == "_==_") {
      const Node* left = PlanNode(*expr.args[0]);
      const Node* right = PlanNode(*expr.args[1]);
      return OfNode(arena_.New<EqualsNode>(left, right, negated));
    }
    return std::nullopt;
  }

  Step PlanFunctionCall(const Function& function, const Overload* overload,
                        const std::vector<Step>& args) {
    CallNode::Target target;
    target.function = &function;
    target.name = function.name;
    target.overload = overload;
    target.cost = CallCostOf(function.name, overload == nullptr ? "" : overload->id);
    if (overload != nullptr && overload->id == "in_list" && args[1].constant.has_value() &&
        args[1].constant->Is(ValueKind::kList)) {
      if (std::optional<Step> step = PlanInConstants(args); step.has_value()) {
        return *std::move(step);
      }
    }
    target.may_panic = target.cost == CallCost::kListSelfCompare ||
                       target.cost == CallCost::kListCompareKeys ||
                       target.cost == CallCost::kListFlatten;
    target.cost_is_of_result =
        target.cost == CallCost::kResultTwice || target.cost == CallCost::kListOutput;
    target.stops_at_error = StopsAtError(function, overload, args.size());
    if (!CompileRegex(function, args, &target)) {
      return OfError("invalid regular expression");
    }
    target.stops_at_error = target.stops_at_error || target.regex != nullptr;
    const auto* node = arena_.New<CallNode>(target, FinishAll(args));
    const bool is_conversion =
        std::find(kConversions.begin(), kConversions.end(), function.name) != kConversions.end();
    if (is_conversion && args.size() == 1 && args[0].constant.has_value()) {
      return Fold(*node);
    }
    return overload != nullptr && IsParser(function.name) && AllConstant(args) ? Known(*node)
                                                                               : OfNode(node);
  }

  // cel-go calls functions of one and two arguments directly, all others by a list that it stops
  // making at the first error: also those of which the overload shows only at run time, and
  // format().
  static bool StopsAtError(const Function& function, const Overload* overload,
                           std::size_t arg_count) {
    if (arg_count > 2 || (overload != nullptr && overload->id == "string_format")) {
      return true;
    }
    if (overload != nullptr || function.implementation != nullptr) {
      return false;
    }
    return std::count_if(function.overloads.begin(), function.overloads.end(),
                         [](const Overload& o) { return o.implementation != nullptr; }) > 1;
  }

  static bool IsParser(std::string_view function) {
    return function == "quantity" || function == "semver" || function == "ip" || function == "cidr";
  }

  static bool AllConstant(const std::vector<Step>& args) {
    return std::all_of(args.begin(), args.end(),
                       [](const Step& arg) { return arg.constant.has_value(); });
  }

  // What parses a literal is called once, here, but not a constant as cel-go has it: it costs, and
  // its error is one of the evaluation.
  Step Known(const Node& node) {
    Frame frame{arena_, {}, {}, UINT64_MAX};
    const Value value = node.Evaluate(frame);
    return OfNode(arena_.New<FoldedCallNode>(value, frame.cost));
  }

  // Conversions of constants are made while planning; one that fails is no program.
  Step Fold(const Node& node) {
    Frame frame{arena_, {}, {}, UINT64_MAX};
    const Value value = node.Evaluate(frame);
    if (value.IsError() && error_.ok()) {
      error_ = InvalidArgumentError(std::string(value.text()));
    }
    return OfConstant(value);
  }

  std::optional<Step> PlanInConstants(const std::vector<Step>& args) {
    const List& list = args[1].constant->list();
    if (list.size() == 0) {
      return OfConstant(Value::Bool(false));
    }
    for (std::size_t i = 0; i < list.size(); ++i) {
      switch (list.At(i).kind()) {
        case ValueKind::kBool:
        case ValueKind::kInt:
        case ValueKind::kUint:
        case ValueKind::kDouble:
        case ValueKind::kString:
          break;
        default:
          return std::nullopt;
      }
    }
    return OfNode(arena_.New<InConstantsNode>(Finish(args[0]), &list));
  }

  bool CompileRegex(const Function& function, const std::vector<Step>& args,
                    CallNode::Target* target) {
    const bool takes_regex =
        function.name == "matches" || function.name == "find" || function.name == "findAll";
    if (!takes_regex || args.size() < 2 || !args[1].constant.has_value() ||
        !args[1].constant->Is(ValueKind::kString)) {
      return true;
    }
    Result<std::shared_ptr<const library::Regex>> regex =
        library::Regex::Compile(args[1].constant->text());
    if (!regex.ok()) {
      if (error_.ok()) {
        error_ = regex.status();
      }
      return false;
    }
    target->regex = regex->get();
    owned_.push_back(*regex);
    return true;
  }

  // Plans the parts of a literal; true if all are constants.
  bool PlanParts(const Expr& expr, std::span<const Node*> nodes) {
    bool constant = true;
    for (std::size_t i = 0; i < expr.args.size(); ++i) {
      const Step step = PlanStep(*expr.args[i]);
      constant = constant && step.constant.has_value();
      nodes[i] = Finish(step);
    }
    return constant;
  }

  Step PlanStruct(const Expr& expr) {
    std::string name;
    for (const std::string& candidate : environment_.Candidates(expr.name)) {
      if (environment_.HasStruct(candidate)) {
        name = candidate;
        break;
      }
    }
    if (name.empty()) {
      if (error_.ok()) {
        error_ = InvalidArgumentError("unknown type: " + std::string(expr.name));
      }
      return OfError("unknown type");
    }
    const MessageType* type = FindMessageType(name);
    std::span<StructNode::Field> fields = arena_.NewArray<StructNode::Field>(expr.fields.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const std::string_view field_name = expr.fields[i].name;
      const MessageField* field = type == nullptr ? nullptr : type->FindField(field_name);
      if (type != nullptr && field == nullptr) {
        return OfError("no such field: " + std::string(field_name));
      }
      const auto index =
          field == nullptr ? 0 : static_cast<std::size_t>(field - type->fields.data());
      fields[i] = {field_name, index, PlanNode(*expr.args[i]),
                   !expr.optional.empty() && expr.optional[i]};
    }
    return OfNode(arena_.New<StructNode>(arena_.Copy(name), type, fields));
  }

  Step PlanList(const Expr& expr) {
    std::span<const Node*> nodes = arena_.NewArray<const Node*>(expr.args.size());
    const bool constant = PlanParts(expr, nodes);
    const auto* node = arena_.New<ListNode>(nodes, expr.optional);
    return constant ? FoldLiteral(*node) : OfNode(node);
  }

  Step PlanMap(const Expr& expr) {
    std::span<const Node*> nodes = arena_.NewArray<const Node*>(expr.args.size());
    const bool constant = PlanParts(expr, nodes);
    const auto* node = arena_.New<MapNode>(nodes, expr.optional);
    return constant ? FoldLiteral(*node) : OfNode(node);
  }

  Step FoldLiteral(const Node& node) {
    Frame frame{arena_, {}, {}, UINT64_MAX};
    return OfConstant(node.Evaluate(frame));
  }

  Step PlanFold(const Expr& expr) {
    const Comprehension& comprehension = *expr.comprehension;
    FoldNode::Parts parts;
    parts.two = !comprehension.iter_var2.empty();
    parts.init = PlanNode(*comprehension.accu_init);
    parts.range = PlanNode(*comprehension.iter_range);
    parts.accu_slot = slot_count_++;
    parts.iter_slot = slot_count_++;
    parts.iter2_slot = parts.two ? slot_count_++ : 0;
    const std::size_t outer = locals_.size();
    if (parts.two) {
      locals_.push_back({comprehension.iter_var2, parts.iter2_slot});
    }
    locals_.push_back({comprehension.iter_var, parts.iter_slot});
    locals_.push_back({comprehension.accu_var, parts.accu_slot});
    parts.condition = PlanNode(*comprehension.loop_condition);
    parts.step = PlanNode(*comprehension.loop_step);
    locals_.resize(outer);
    locals_.push_back({comprehension.accu_var, parts.accu_slot});
    parts.result = PlanNode(*comprehension.result);
    locals_.resize(outer);
    return OfNode(arena_.New<FoldNode>(parts));
  }

  const Environment& environment_;
  Arena& arena_;
  std::vector<Local> locals_;
  std::vector<std::shared_ptr<const void>> owned_;
  std::size_t slot_count_ = 0;
  Status error_;
};

}  // namespace

Result<Plan> MakePlan(const Environment& environment, const Expr& root, Arena& arena) {
  return Planner(environment, arena).Run(root);
}

}  // namespace assay::cel::internal
