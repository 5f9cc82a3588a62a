#include "cel/macros.h"

#include <algorithm>
#include <initializer_list>
#include <string>

namespace assay::cel {
namespace {

// The names that a program could have used for the accumulator before it was hidden.
constexpr std::string_view kOldAccumulator = "__result__";
constexpr std::string_view kSortByInput = "@__sortBy_input__";

// Makes the nodes of one expansion, all of which are placed where the macro's call is.
class Expander {
 public:
  Expander(Ast& ast, std::int32_t offset, Expr* target, std::span<Expr*> args)
      : ast_(ast), offset_(offset), target_(target), args_(args) {}

  Expr* Has() {
    if (args_[0]->kind != ExprKind::kSelect) {
      return Fail(args_[0]->offset, "invalid argument to has() macro");
    }
    Expr* expr = New(ExprKind::kSelect);
    expr->test_only = true;
    expr->target = args_[0]->target;
    expr->name = args_[0]->name;
    return expr;
  }

  Expr* All(bool two) {
    Variables variables;
    if (!Names(two, &variables)) {
      return Error();
    }
    Expr* condition = Call("@not_strictly_false", {Accumulator()});
    Expr* step = Call("_&&_", {Accumulator(), Argument(two ? 2 : 1)});
    return Fold(variables, Literal(Value::Bool(true)), condition, step, Accumulator());
  }

  Expr* Exists(bool two) {
    Variables variables;
    if (!Names(two, &variables)) {
      return Error();
    }
    Expr* condition = Call("@not_strictly_false", {Call("!_", {Accumulator()})});
    Expr* step = Call("_||_", {Accumulator(), Argument(two ? 2 : 1)});
    return Fold(variables, Literal(Value::Bool(false)), condition, step, Accumulator());
  }

  Expr* ExistsOne(bool two) {
    Variables variables;
    if (!Names(two, &variables)) {
      return Error();
    }
    Expr* more = Call("_+_", {Accumulator(), Literal(Value::Int(1))});
    Expr* step = Call("_?_:_", {Argument(two ? 2 : 1), more, Accumulator()});
    Expr* result = Call("_==_", {Accumulator(), Literal(Value::Int(1))});
    return Fold(variables, Literal(Value::Int(0)), Literal(Value::Bool(true)), step, result);
  }

  Expr* Map() { return MapOver(target_); }

  Expr* Filter() {
    Variables variables;
    if (!MapVariable(&variables)) {
      return Error();
    }
    Expr* step = Call("_+_", {Accumulator(), NewList({Argument(0)})});
    step = Call("_?_:_", {Argument(1), step, Accumulator()});
    return Fold(variables, NewList({}), Literal(Value::Bool(true)), step, Accumulator());
  }

  Expr* TransformList() {
    Variables variables;
    if (!Names(true, &variables)) {
      return Error();
    }
    Expr* step = Call("_+_", {Accumulator(), NewList({args_.back()})});
    return Fold(variables, NewList({}), Literal(Value::Bool(true)), Filtered(step), Accumulator());
  }

  Expr* TransformMap() {
    Variables variables;
    if (!Names(true, &variables)) {
      return Error();
    }
    Expr* step = Call("cel.@mapInsert", {Accumulator(), Ident(variables.first), args_.back()});
    return Fold(variables, New(ExprKind::kMap), Literal(Value::Bool(true)), Filtered(step),
                Accumulator());
  }

  Expr* TransformMapEntry() {
    Variables variables;
    if (!Names(true, &variables)) {
      return Error();
    }
    Expr* step = Call("cel.@mapInsert", {Accumulator(), args_.back()});
    return Fold(variables, New(ExprKind::kMap), Literal(Value::Bool(true)), Filtered(step),
                Accumulator());
  }

  Expr* CelBind() {
    if (target_->kind != ExprKind::kIdent || target_->name != "cel") {
      return nullptr;
    }
    if (args_[0]->kind != ExprKind::kIdent) {
      return Fail(args_[0]->offset, "cel.bind() variable names must be simple identifiers");
    }
    return Bind(args_[0]->name, args_[1], args_[2]);
  }

  Expr* OptMap(bool flat) {
    if (args_[0]->kind != ExprKind::kIdent) {
      return Fail(args_[0]->offset, flat ? "optFlatMap() variable name must be a simple identifier"
                                         : "optMap() variable name must be a simple identifier");
    }
    Expr* mapped = Bind(args_[0]->name, MemberCall("value", Copy(target_), {}), args_[1]);
    if (!flat) {
      mapped = Call("optional.of", {mapped});
    }
    return Call("_?_:_", {MemberCall("hasValue", target_, {}), mapped, Call("optional.none", {})});
  }

  Expr* SortBy() {
    if (target_->kind != ExprKind::kList && target_->kind != ExprKind::kSelect &&
        target_->kind != ExprKind::kIdent && target_->kind != ExprKind::kComprehension &&
        target_->kind != ExprKind::kCall) {
      return Fail(target_->offset,
                  "sortBy can only be applied to a list, identifier, comprehension, call or select "
                  "expression");
    }
    Expr* keys = MapOver(Ident(kSortByInput));
    if (keys->kind == ExprKind::kError) {
      return keys;
    }
    Expr* sorted = MemberCall("@sortByAssociatedKeys", Ident(kSortByInput), {keys});
    return Bind(kSortByInput, target_, sorted);
  }

 private:
  struct Variables {
    std::string_view first;
    std::string_view second;
  };

  Expr* Argument(std::size_t i) { return args_[i]; }

  Expr* New(ExprKind kind) {
    Expr* expr = ast_.arena.New<Expr>();
    expr->kind = kind;
    expr->offset = offset_;
    return expr;
  }

  // Stands where what is wrong is.
  Expr* Error() {
    Expr* expr = New(ExprKind::kError);
    expr->offset = ast_.issues.back().offset;
    return expr;
  }

  Expr* Fail(std::int32_t offset, std::string message) {
    ast_.issues.push_back({offset, std::move(message)});
    return Error();
  }

  Expr* Ident(std::string_view name) {
    Expr* expr = New(ExprKind::kIdent);
    expr->name = name;
    return expr;
  }

  Expr* Accumulator() { return Ident(kAccumulator); }

  Expr* Literal(Value value) {
    Expr* expr = New(ExprKind::kLiteral);
    expr->literal = value;
    return expr;
  }

  std::span<Expr*> Span(std::initializer_list<Expr*> exprs) {
    std::span<Expr*> span = ast_.arena.NewArray<Expr*>(exprs.size());
    std::copy(exprs.begin(), exprs.end(), span.begin());
    return span;
  }

  Expr* NewList(std::initializer_list<Expr*> elements) {
    Expr* expr = New(ExprKind::kList);
    expr->args = Span(elements);
    return expr;
  }

  Expr* Call(std::string_view function, std::initializer_list<Expr*> args) {
    return MemberCall(function, nullptr, args);
  }

  Expr* MemberCall(std::string_view function, Expr* target, std::initializer_list<Expr*> args) {
    Expr* expr = New(ExprKind::kCall);
    expr->name = function;
    expr->target = target;
    expr->args = Span(args);
    return expr;
  }

  Expr* NewComprehension(const Comprehension& comprehension) {
    Expr* expr = New(ExprKind::kComprehension);
    expr->comprehension = ast_.arena.New<Comprehension>(comprehension);
    return expr;
  }

  Expr* FoldOver(Expr* range, const Variables& variables, Expr* init, Expr* condition, Expr* step,
                 Expr* result) {
    return NewComprehension({.iter_var = variables.first,
                             .iter_var2 = variables.second,
                             .accu_var = kAccumulator,
                             .iter_range = range,
                             .accu_init = init,
                             .loop_condition = condition,
                             .loop_step = step,
                             .result = result});
  }

  Expr* Fold(const Variables& variables, Expr* init, Expr* condition, Expr* step, Expr* result) {
    return FoldOver(target_, variables, init, condition, step, result);
  }

  // A loop over nothing, whose accumulator is the variable.
  Expr* Bind(std::string_view name, Expr* init, Expr* result) {
    return NewComprehension({.iter_var = kUnusedVariable,
                             .iter_var2 = {},
                             .accu_var = name,
                             .iter_range = NewList({}),
                             .accu_init = init,
                             .loop_condition = Literal(Value::Bool(false)),
                             .loop_step = Ident(name),
                             .result = result});
  }

  Expr* MapOver(Expr* range) {
    Variables variables;
    if (!MapVariable(&variables)) {
      return Error();
    }
    Expr* step = Call("_+_", {Accumulator(), NewList({args_.back()})});
    if (args_.size() == 3) {
      step = Call("_?_:_", {Argument(1), step, Accumulator()});
    }
    return FoldOver(range, variables, NewList({}), Literal(Value::Bool(true)), step, Accumulator());
  }

  // transform*(k, v, filter, transform): only where the filter holds.
  Expr* Filtered(Expr* step) {
    return args_.size() == 4 ? Call("_?_:_", {Argument(2), step, Accumulator()}) : step;
  }

  bool MapVariable(Variables* variables) {
    return Name(args_[0], "argument is not an identifier", &variables->first) &&
           NotAccumulator(args_[0]);
  }

  bool Names(bool two, Variables* variables) {
    if (!Name(args_[0], "argument must be a simple name", &variables->first)) {
      return false;
    }
    if (!two) {
      return NotAccumulator(args_[0]);
    }
    if (!Name(args_[1], "argument must be a simple name", &variables->second)) {
      return false;
    }
    if (variables->first == variables->second) {
      Fail(args_[1]->offset, "duplicate variable name: " + std::string(variables->first));
      return false;
    }
    return NotAccumulator(args_[0]) && NotAccumulator(args_[1]);
  }

  bool Name(const Expr* arg, std::string_view message, std::string_view* name) {
    if (arg->kind != ExprKind::kIdent) {
      Fail(arg->offset, std::string(message));
      return false;
    }
    *name = arg->name;
    return true;
  }

  bool NotAccumulator(const Expr* arg) {
    if (arg->name == kAccumulator || arg->name == kOldAccumulator) {
      Fail(arg->offset, "iteration variable overwrites accumulator variable");
      return false;
    }
    return true;
  }

  Expr* Copy(const Expr* expr) {
    if (expr == nullptr) {
      return nullptr;
    }
    Expr* copy = ast_.arena.New<Expr>(*expr);
    copy->target = Copy(expr->target);
    copy->args = ast_.arena.NewArray<Expr*>(expr->args.size());
    std::transform(expr->args.begin(), expr->args.end(), copy->args.begin(),
                   [this](const Expr* arg) { return Copy(arg); });
    // The fields of a copy have the macro's place.
    copy->fields = ast_.arena.NewArray<FieldName>(expr->fields.size());
    std::transform(expr->fields.begin(), expr->fields.end(), copy->fields.begin(),
                   [this](const FieldName& field) { return FieldName{field.name, offset_}; });
    if (expr->comprehension != nullptr) {
      auto* comprehension = ast_.arena.New<Comprehension>(*expr->comprehension);
      comprehension->iter_range = Copy(comprehension->iter_range);
      comprehension->accu_init = Copy(comprehension->accu_init);
      comprehension->loop_condition = Copy(comprehension->loop_condition);
      comprehension->loop_step = Copy(comprehension->loop_step);
      comprehension->result = Copy(comprehension->result);
      copy->comprehension = comprehension;
    }
    return copy;
  }

  Ast& ast_;
  std::int32_t offset_;
  Expr* target_;
  std::span<Expr*> args_;
};

}  // namespace

Expr* ExpandMacro(Ast& ast, std::int32_t offset, std::string_view function, Expr* target,
                  std::span<Expr*> args) {
  Expander expander(ast, offset, target, args);
  const std::size_t count = args.size();
  if (target == nullptr) {
    return function == "has" && count == 1 ? expander.Has() : nullptr;
  }
  if (count == 2 || count == 3) {
    const bool two = count == 3;
    if (function == "all") {
      return expander.All(two);
    }
    if (function == "exists") {
      return expander.Exists(two);
    }
    if (function == "exists_one" || (two && function == "existsOne")) {
      return expander.ExistsOne(two);
    }
    if (function == "map") {
      return expander.Map();
    }
  }
  if (count == 2) {
    if (function == "filter") {
      return expander.Filter();
    }
    if (function == "optMap" || function == "optFlatMap") {
      return expander.OptMap(function == "optFlatMap");
    }
    if (function == "sortBy") {
      return expander.SortBy();
    }
  }
  if (count == 3 && function == "bind") {
    return expander.CelBind();
  }
  if (count == 3 || count == 4) {
    if (function == "transformList") {
      return expander.TransformList();
    }
    if (function == "transformMap") {
      return expander.TransformMap();
    }
    if (function == "transformMapEntry") {
      return expander.TransformMapEntry();
    }
  }
  return nullptr;
}

}  // namespace assay::cel
