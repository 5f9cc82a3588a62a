#include "cel/validator.h"

#include <vector>

#include "cel/library/arithmetic.h"
#include "cel/library/regex.h"
#include "cel/library/string_format.h"
#include "cel/library/times.h"
#include "cel/type.h"

namespace assay::cel {
namespace {

struct Node {
  Expr* expr;
  bool in_format;  // somewhere in the arguments of format()
};

// Every node, those before their parts.
void Collect(Expr* expr, bool in_format, std::vector<Node>& all) {
  if (expr == nullptr) {
    return;
  }
  all.push_back({expr, in_format});
  in_format = in_format || (expr->kind == ExprKind::kCall && expr->name == "format");
  Collect(expr->target, in_format, all);
  for (Expr* arg : expr->args) {
    Collect(arg, in_format, all);
  }
  if (expr->comprehension != nullptr) {
    Collect(expr->comprehension->iter_range, in_format, all);
    Collect(expr->comprehension->accu_init, in_format, all);
    Collect(expr->comprehension->loop_condition, in_format, all);
    Collect(expr->comprehension->loop_step, in_format, all);
    Collect(expr->comprehension->result, in_format, all);
  }
}

const Type* EntryType(const Expr& container, std::size_t entry, const Expr* value) {
  const bool optional = !container.optional.empty() && container.optional[entry];
  return optional && value->type->IsOptional() ? value->type->parameter(0) : value->type;
}

void ReportMismatch(Ast& ast, const Expr* expr, const Type* expected, const Type* actual) {
  ast.issues.push_back({expr->offset, "expected type '" + expected->ToString() + "' but found '" +
                                          actual->ToString() + "'"});
}

void CheckHomogeneousList(Ast& ast, const Expr& list) {
  for (std::size_t i = 1; i < list.args.size(); ++i) {
    const Type* expected = EntryType(list, 0, list.args[0]);
    const Type* actual = EntryType(list, i, list.args[i]);
    if (!Same(expected, actual)) {
      return ReportMismatch(ast, list.args[i], expected, actual);
    }
  }
}

void CheckHomogeneousMap(Ast& ast, const Expr& map) {
  for (std::size_t i = 2; i + 1 < map.args.size(); i += 2) {
    if (!Same(map.args[0]->type, map.args[i]->type)) {
      ReportMismatch(ast, map.args[i], map.args[0]->type, map.args[i]->type);
    }
    const Type* expected = EntryType(map, 0, map.args[1]);
    const Type* actual = EntryType(map, i / 2, map.args[i + 1]);
    if (!Same(expected, actual)) {
      ReportMismatch(ast, map.args[i + 1], expected, actual);
    }
  }
}

bool IsValidDuration(const Value& literal) {
  return literal.Is(ValueKind::kString) && library::ParseDuration(literal.text()).has_value();
}

bool IsValidTimestamp(const Value& literal) {
  if (literal.Is(ValueKind::kInt)) {
    return literal.int_value() >= library::kMinSecond && literal.int_value() <= library::kMaxSecond;
  }
  if (!literal.Is(ValueKind::kString)) {
    return false;
  }
  const std::optional<library::Instant> instant = library::ParseTimestamp(literal.text());
  return instant.has_value() && instant->seconds >= library::kMinSecond &&
         instant->seconds <= library::kMaxSecond;
}

bool IsValidRegex(const Value& literal) { return library::Regex::Compile(literal.text()).ok(); }

void CheckLiterals(Ast& ast, std::span<const Node> all, std::string_view function,
                   bool (*is_valid)(const Value&)) {
  for (const Node& node : all) {
    const Expr* expr = node.expr;
    if (expr->kind != ExprKind::kCall || expr->name != function || expr->args.empty()) {
      continue;
    }
    const Expr* arg = expr->args[0];
    if (arg->kind == ExprKind::kLiteral && !is_valid(arg->literal)) {
      ast.issues.push_back({arg->offset, "invalid " + std::string(function) + " argument"});
    }
  }
}

}  // namespace

void Validate(Ast& ast) {
  std::vector<Node> all;
  Collect(ast.root, false, all);
  CheckLiterals(ast, all, "duration", &IsValidDuration);
  CheckLiterals(ast, all, "timestamp", &IsValidTimestamp);
  CheckLiterals(ast, all, "matches", &IsValidRegex);
  for (const Node& node : all) {
    if (node.expr->kind == ExprKind::kList && !node.in_format) {
      CheckHomogeneousList(ast, *node.expr);
    }
  }
  for (const Node& node : all) {
    if (node.expr->kind == ExprKind::kMap && !node.in_format) {
      CheckHomogeneousMap(ast, *node.expr);
    }
  }
  for (const Node& node : all) {
    library::ValidateFormatCall(ast, *node.expr);
  }
}

}  // namespace assay::cel
