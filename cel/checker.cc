#include "cel/checker.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "cel/messages.h"
#include "cel/type_unifier.h"
#include "cel/validator.h"

namespace assay::cel {
namespace {

class Checker {
 public:
  Checker(const Environment& environment, Ast& ast)
      : environment_(environment), ast_(ast), unifier_(ast.arena) {}

  void Run() {
    CheckExpr(ast_.root);
    Finish(ast_.root);
  }

 private:
  struct Local {
    std::string_view name;
    const Type* type;
  };

  void Report(std::int32_t offset, std::string message) {
    ast_.issues.push_back({offset, std::move(message)});
  }

  void Mismatch(const Expr* expr, const Type* expected, const Type* actual) {
    Report(expr->offset,
           "expected type '" + expected->ToString() + "' but found '" + actual->ToString() + "'");
  }

  void Undeclared(const Expr* expr, std::string_view name) {
    Report(expr->offset, "undeclared reference to '" + std::string(name) + "' (in container '" +
                             environment_.container() + "')");
    expr_type(expr) = Type::Error();
  }

  static const Type*& expr_type(const Expr* expr) { return const_cast<Expr*>(expr)->type; }

  void CheckExpr(Expr* expr) {
    switch (expr->kind) {
      case ExprKind::kError:
        expr->type = Type::Error();
        return;
      case ExprKind::kLiteral:
        expr->type = TypeOf(expr->literal);
        return;
      case ExprKind::kIdent:
        return CheckIdent(expr);
      case ExprKind::kSelect:
        return CheckSelect(expr);
      case ExprKind::kCall:
        return CheckCall(expr);
      case ExprKind::kList:
        return CheckList(expr);
      case ExprKind::kMap:
        return CheckMap(expr);
      case ExprKind::kStruct:
        return CheckStruct(expr);
      case ExprKind::kComprehension:
        return CheckComprehension(expr);
    }
  }

  const Local* FindLocal(std::string_view name) const {
    for (auto it = locals_.rbegin(); it != locals_.rend(); ++it) {
      if (it->name == name) {
        return &*it;
      }
    }
    return nullptr;
  }

  // Makes `expr` the name that `name` stands for; false if it stands for nothing.
  bool ResolveName(Expr* expr, std::string_view name) {
    for (const std::string& candidate : environment_.Candidates(name)) {
      if (const Local* local = FindLocal(candidate); local != nullptr) {
        SetName(expr, local->name, local->type);
        return true;
      }
      if (const Environment::Variable* variable = environment_.FindVariable(candidate);
          variable != nullptr) {
        SetName(expr, variable->name, variable->type);
        if (variable->index == Environment::kConstant) {
          expr->is_constant = true;
          expr->literal = variable->constant;
        }
        return true;
      }
    }
    return false;
  }

  static void SetName(Expr* expr, std::string_view name, const Type* type) {
    expr->kind = ExprKind::kIdent;
    expr->name = name;
    expr->target = nullptr;
    expr->resolved = true;
    expr->type = type;
  }

  void CheckIdent(Expr* expr) {
    if (!ResolveName(expr, expr->name)) {
      Undeclared(expr, expr->name);
    }
  }

  // "a.b.c" of nested selections; nullopt if the expression is no such name.
  static std::optional<std::string> QualifiedName(const Expr* expr) {
    if (expr->kind == ExprKind::kIdent) {
      return std::string(expr->name);
    }
    if (expr->kind != ExprKind::kSelect || expr->test_only) {
      return std::nullopt;
    }
    std::optional<std::string> prefix = QualifiedName(expr->target);
    if (prefix.has_value()) {
      *prefix += "." + std::string(expr->name);
    }
    return prefix;
  }

  void CheckSelect(Expr* expr) {
    if (const std::optional<std::string> name = QualifiedName(expr);
        name.has_value() && ResolveName(expr, *name)) {
      return;
    }
    const Type* type = CheckField(expr, expr->target, expr->name, false);
    expr->type = expr->test_only ? Type::Bool() : unifier_.Substitute(type, false);
  }

  const Type* CheckField(const Expr* expr, Expr* operand, std::string_view field, bool optional) {
    CheckExpr(operand);
    const Type* operand_type = unifier_.Substitute(operand->type, false);
    const bool is_optional = operand_type->IsOptional();
    const Type* target = is_optional ? operand_type->parameter(0) : operand_type;
    const Type* result = Type::Error();
    switch (target->kind()) {
      case TypeKind::kMap:
        result = target->parameter(1);
        break;
      case TypeKind::kStruct:
        result = FieldType(expr->offset, target->name(), field);
        break;
      case TypeKind::kTypeParam:
        // What it is will show only at run time.
        unifier_.IsAssignable(Type::Dyn(), target);
        result = Type::Dyn();
        break;
      default:
        if (!target->IsDyn() && target->kind() != TypeKind::kError) {
          Report(expr->offset,
                 "type '" + target->ToString() + "' does not support field selection");
        }
        result = Type::Dyn();
        break;
    }
    return is_optional || optional ? Type::Optional(ast_.arena, result) : result;
  }

  const Type* FieldType(std::int32_t offset, std::string_view type, std::string_view field) {
    if (!environment_.HasStruct(type)) {
      Report(offset, "unexpected failed resolution of '" + std::string(type) + "'");
      return Type::Error();
    }
    const Type* found = environment_.FindField(type, field);
    if (found == nullptr) {
      Report(offset, "undefined field '" + std::string(field) + "'");
      return Type::Error();
    }
    return found;
  }

  void CheckOptionalSelect(Expr* expr) {
    const Expr* field = expr->args[1];
    const Type* type = CheckField(expr, expr->args[0], field->literal.text(), true);
    expr->type = unifier_.Substitute(type, false);
    expr->args[1]->type = Type::String();
    const Function* function = environment_.FindFunction("_?._");
    SetOverloads(expr, {&function->overloads.front()});
  }

  const Function* FindFunction(std::string_view name) const {
    for (const std::string& candidate : environment_.Candidates(name)) {
      if (const Function* function = environment_.FindFunction(candidate); function != nullptr) {
        return function;
      }
    }
    return nullptr;
  }

  void CheckCall(Expr* expr) {
    if (expr->name == "_?._") {
      return CheckOptionalSelect(expr);
    }
    for (Expr* arg : expr->args) {
      CheckExpr(arg);
    }
    if (expr->target == nullptr) {
      const Function* function = FindFunction(expr->name);
      if (function == nullptr) {
        return Undeclared(expr, expr->name);
      }
      return Resolve(expr, *function);
    }
    // a.b.c(): a function of that name, or c on a.b.
    if (const std::optional<std::string> prefix = QualifiedName(expr->target); prefix.has_value()) {
      const Function* function = FindFunction(*prefix + "." + std::string(expr->name));
      if (function != nullptr) {
        expr->target = nullptr;
        return Resolve(expr, *function);
      }
    }
    CheckExpr(expr->target);
    const Function* function = FindFunction(expr->name);
    if (function == nullptr) {
      return Undeclared(expr, expr->name);
    }
    Resolve(expr, *function);
  }

  void Resolve(Expr* expr, const Function& function) {
    expr->name = function.name;
    std::vector<const Type*> args;
    if (expr->target != nullptr) {
      args.push_back(expr->target->type);
    }
    for (const Expr* arg : expr->args) {
      args.push_back(arg->type);
    }
    if (function.name == "_&&_" || function.name == "_||_") {
      return ResolveLogical(expr, function, args);
    }
    const Type* result = nullptr;
    std::vector<const Overload*> overloads;
    for (const Overload& overload : function.overloads) {
      if (overload.is_member != (expr->target != nullptr)) {
        continue;
      }
      const std::vector<const Type*> fresh = unifier_.Instantiate(overload);
      if (!unifier_.AreAssignable(args, std::span(fresh).subspan(1))) {
        continue;
      }
      overloads.push_back(&overload);
      const Type* type = unifier_.Substitute(fresh[0], false);
      if (result == nullptr) {
        result = type;
      } else if (!result->IsDyn() && !Same(type, result)) {
        result = Type::Dyn();
      }
    }
    if (result == nullptr) {
      NoMatchingOverload(expr, function, args);
      return;
    }
    expr->type = result;
    SetOverloads(expr, overloads);
  }

  void ResolveLogical(Expr* expr, const Function& function, std::span<const Type* const> args) {
    expr->type = Type::Bool();
    for (std::size_t i = 0; i < args.size(); ++i) {
      if (!unifier_.IsAssignable(args[i], Type::Bool())) {
        Mismatch(expr->args[i], Type::Bool(), args[i]);
        expr->type = Type::Error();
      }
    }
    SetOverloads(expr, {&function.overloads.front()});
  }

  void SetOverloads(Expr* expr, const std::vector<const Overload*>& overloads) {
    expr->overloads = ast_.arena.Copy(overloads);
  }

  void NoMatchingOverload(Expr* expr, const Function& function, std::span<const Type* const> args) {
    std::string signature;
    if (expr->target != nullptr) {
      signature = unifier_.Substitute(args[0], true)->ToString() + ".";
      args = args.subspan(1);
    }
    signature += "(";
    for (std::size_t i = 0; i < args.size(); ++i) {
      signature += (i == 0 ? "" : ", ") + unifier_.Substitute(args[i], true)->ToString();
    }
    signature += ")";
    Report(expr->offset, "found no matching overload for '" + std::string(function.name) +
                             "' applied to '" + signature + "'");
    expr->type = Type::Error();
  }

  // The type of an entry that may be written `?x`: what the optional holds.
  const Type* EntryType(const Expr* entry, bool optional) {
    if (!optional) {
      return entry->type;
    }
    if (entry->type->IsOptional()) {
      return entry->type->parameter(0);
    }
    if (!entry->type->IsDyn()) {
      Mismatch(entry, Type::Optional(ast_.arena, entry->type), entry->type);
    }
    return entry->type;
  }

  const Type* Join(const Type* previous, const Type* current) {
    if (previous == nullptr) {
      return current;
    }
    if (unifier_.IsAssignable(previous, current)) {
      return TypeUnifier::MostGeneral(previous, current);
    }
    // Mixed types are refused by the validator, but for the arguments of format().
    return Type::Dyn();
  }

  void CheckList(Expr* expr) {
    const Type* element = nullptr;
    for (std::size_t i = 0; i < expr->args.size(); ++i) {
      CheckExpr(expr->args[i]);
      const bool optional = !expr->optional.empty() && expr->optional[i];
      element = Join(element, EntryType(expr->args[i], optional));
    }
    expr->type = Type::List(ast_.arena, element == nullptr ? unifier_.NewVariable() : element);
  }

  void CheckMap(Expr* expr) {
    const Type* key_type = nullptr;
    const Type* value_type = nullptr;
    for (std::size_t i = 0; i + 1 < expr->args.size(); i += 2) {
      Expr* key = expr->args[i];
      Expr* value = expr->args[i + 1];
      CheckExpr(key);
      key_type = Join(key_type, key->type);
      CheckExpr(value);
      const bool optional = !expr->optional.empty() && expr->optional[i / 2];
      value_type = Join(value_type, EntryType(value, optional));
    }
    if (key_type == nullptr) {
      key_type = unifier_.NewVariable();
      value_type = unifier_.NewVariable();
    }
    expr->type = Type::Map(ast_.arena, key_type, value_type);
  }

  void CheckStruct(Expr* expr) {
    expr->type = Type::Error();
    const Environment::Variable* name = nullptr;
    for (const std::string& candidate : environment_.Candidates(expr->name)) {
      if (name = environment_.FindVariable(candidate); name != nullptr) {
        break;
      }
    }
    if (name == nullptr) {
      return Undeclared(expr, expr->name);
    }
    expr->name = name->name;
    CheckStructFields(expr, CheckStructType(expr, *name));
  }

  // Sets the type of `expr`; the name of the type that has the fields.
  std::string_view CheckStructType(Expr* expr, const Environment::Variable& name) {
    if (name.type->kind() != TypeKind::kType) {
      Report(expr->offset, "'" + std::string(name.type->name()) + "' is not a type");
      return name.name;
    }
    const Type* type = name.type->parameter(0);
    std::string_view fields_of = name.name;
    switch (type->kind()) {
      case TypeKind::kTimestamp:
      case TypeKind::kDuration:
        fields_of = type->name();
        break;
      case TypeKind::kNull:
        fields_of = "google.protobuf.NullValue";
        break;
      case TypeKind::kStruct:
        break;
      default:
        if (FindMessageType(name.name) == nullptr) {
          Report(expr->offset, "'" + std::string(type->name()) + "' is not a message type");
          return fields_of;
        }
        break;
    }
    expr->type = type;
    return fields_of;
  }

  void CheckStructFields(Expr* expr, std::string_view fields_of) {
    for (std::size_t i = 0; i < expr->fields.size(); ++i) {
      Expr* value = expr->args[i];
      CheckExpr(value);
      const FieldName& field = expr->fields[i];
      const Type* expected = FieldType(field.offset, fields_of, field.name);
      const bool optional = !expr->optional.empty() && expr->optional[i];
      const Type* actual = EntryType(value, optional);
      if (!unifier_.IsAssignable(expected, actual)) {
        Report(field.offset, "expected type of field '" + std::string(field.name) + "' is '" +
                                 expected->ToString() + "' but provided type is '" +
                                 actual->ToString() + "'");
      }
    }
  }

  void CheckComprehension(Expr* expr) {
    Comprehension& comprehension = *expr->comprehension;
    CheckExpr(comprehension.iter_range);
    CheckExpr(comprehension.accu_init);
    const Type* range = unifier_.Substitute(comprehension.iter_range->type, false);
    const std::size_t outer = locals_.size();
    const Type* accumulator = comprehension.accu_init->type;
    locals_.push_back({comprehension.accu_var, accumulator});
    const bool two = !comprehension.iter_var2.empty();
    const Type* first = Type::Dyn();
    const Type* second = Type::Dyn();
    switch (range->kind()) {
      case TypeKind::kList:
        first = two ? Type::Int() : range->parameter(0);
        second = range->parameter(0);
        break;
      case TypeKind::kMap:
        first = range->parameter(0);
        second = range->parameter(1);
        break;
      case TypeKind::kDyn:
      case TypeKind::kError:
      case TypeKind::kTypeParam:
        unifier_.IsAssignable(Type::Dyn(), range);
        break;
      default:
        Report(comprehension.iter_range->offset,
               "expression of type '" + range->ToString() +
                   "' cannot be range of a comprehension (must be list, map, or dynamic)");
        first = Type::Error();
        second = Type::Error();
        break;
    }
    locals_.push_back({comprehension.iter_var, first});
    if (two) {
      locals_.push_back({comprehension.iter_var2, second});
    }
    CheckExpr(comprehension.loop_condition);
    Assert(comprehension.loop_condition, Type::Bool());
    CheckExpr(comprehension.loop_step);
    Assert(comprehension.loop_step, accumulator);
    locals_.resize(outer + 1);
    CheckExpr(comprehension.result);
    locals_.resize(outer);
    expr->type = unifier_.Substitute(comprehension.result->type, false);
  }

  void Assert(const Expr* expr, const Type* type) {
    if (!unifier_.IsAssignable(type, expr->type)) {
      Mismatch(expr, type, expr->type);
    }
  }

  // Puts what the variables stand for, or dyn, into every type.
  void Finish(Expr* expr) {
    if (expr == nullptr) {
      return;
    }
    if (expr->type != nullptr) {
      expr->type = unifier_.Substitute(expr->type, true);
    }
    Finish(expr->target);
    for (Expr* arg : expr->args) {
      Finish(arg);
    }
    if (expr->comprehension != nullptr) {
      Finish(expr->comprehension->iter_range);
      Finish(expr->comprehension->accu_init);
      Finish(expr->comprehension->loop_condition);
      Finish(expr->comprehension->loop_step);
      Finish(expr->comprehension->result);
    }
  }

  const Environment& environment_;
  Ast& ast_;
  TypeUnifier unifier_;
  std::vector<Local> locals_;
};

}  // namespace

void Check(const Environment& environment, Ast& ast) {
  Checker(environment, ast).Run();
  if (ast.issues.empty()) {
    Validate(ast);
  }
}

}  // namespace assay::cel
