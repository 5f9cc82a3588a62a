// The syntax tree: what the parser makes, the checker annotates, and the planner reads.
//
// Nodes lie in the Ast's arena and are linked by plain pointers.
//
// Not thread-safe while it is built; immutable afterwards.
#ifndef ASSAY_CEL_AST_H_
#define ASSAY_CEL_AST_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cel/arena.h"
#include "cel/value.h"

namespace assay::cel {

class Type;
struct Overload;

enum class ExprKind : std::uint8_t {
  kError,  // what stands where parsing failed
  kLiteral,
  kIdent,
  kSelect,
  kCall,
  kList,
  kMap,
  kStruct,
  kComprehension,
};

struct Comprehension;

struct FieldName {
  std::string_view name;
  std::int32_t offset = 0;  // of the ':' after it
};

struct Expr {
  ExprKind kind = ExprKind::kError;
  bool test_only = false;  // kSelect: has(a.b)
  // Where errors point: a byte of the source, for calls their operator or parenthesis.
  std::int32_t offset = 0;
  // kIdent: the name; kSelect: the field; kCall: the function; kStruct: the message type.
  std::string_view name;
  Expr* target = nullptr;  // kSelect: the operand; kCall: the receiver, if any
  // kCall: arguments; kList: elements; kMap: key, value, key, ...; kStruct: values.
  std::span<Expr*> args;
  std::span<FieldName> fields;  // kStruct: their names
  std::span<bool> optional;     // kList, kMap, kStruct: which entries are `?x`; empty: none
  Value literal;                // kLiteral, and what a checked name stands for if it is a constant
  Comprehension* comprehension = nullptr;

  // Set by the checker.
  const Type* type = nullptr;
  std::span<const Overload* const> overloads;  // kCall
  bool resolved = false;     // the node is a name of the environment: `name` is qualified
  bool is_constant = false;  // ... and stands for `literal`
};

// A loop over `iter_range` that folds into `accu_var`; every macro over lists and maps becomes one.
struct Comprehension {
  std::string_view iter_var;
  std::string_view iter_var2;  // empty: one variable
  std::string_view accu_var;
  Expr* iter_range = nullptr;
  Expr* accu_init = nullptr;
  Expr* loop_condition = nullptr;
  Expr* loop_step = nullptr;
  Expr* result = nullptr;
};

// The accumulator of the macros; not a name that an expression can spell.
inline constexpr std::string_view kAccumulator = "@result";
// The loop variable of comprehensions that only bind a name.
inline constexpr std::string_view kUnusedVariable = "#unused";

// Something wrong with an expression.
struct Issue {
  std::int32_t offset = 0;  // a byte of the source; kNoOffset: none in particular
  std::string message;
};
inline constexpr std::int32_t kNoOffset = -1;

// All issues as cel-go shows them, in the order of their places, at most 100:
// "ERROR: <input>:1:7: undefined field 'name'\n | device.name\n | ......^".
std::string FormatIssues(std::string_view source, std::vector<Issue> issues);

struct Ast {
  Arena arena;
  std::string_view source;  // lies in the arena
  Expr* root = nullptr;
  std::vector<Issue> issues;  // empty: it is well-formed
};

}  // namespace assay::cel

#endif  // ASSAY_CEL_AST_H_
