// Environment: the names that an expression may use. Expressions are compiled in one.
//
//   Environment environment;                                  // Kubernetes' functions and types
//   environment.AddVariable("x", Type::Int());
//   Compilation compiled = Compile(environment, "x + 1 > 2");
//   if (!compiled.ok()) return compiled.error.detail;
//   const Value x[] = {Value::Int(7)};
//   Evaluation evaluation = compiled.program->Evaluate(x, arena);
//
// Thread-safe once built.
#ifndef ASSAY_CEL_ENVIRONMENT_H_
#define ASSAY_CEL_ENVIRONMENT_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cel/cost.h"
#include "cel/function.h"
#include "cel/type.h"

namespace assay::cel {

class Environment {
 public:
  struct Field {
    std::string name;
    const Type* type;
  };

  // With the functions of Kubernetes 1.36 and the names of the basic types.
  Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  // What every environment has.
  static const FunctionTable& KubernetesFunctions();

  // Variables are numbered as they are added; evaluation takes their values in that order.
  void AddVariable(std::string_view name, const Type* type);
  void AddStruct(std::string_view name, std::vector<Field> fields);
  // Functions beyond Kubernetes' own.
  FunctionTable& functions() { return functions_; }
  const FunctionTable& functions() const { return functions_; }
  // Names are looked for in the container "a.b" as a.b.name, a.name, name.
  void set_container(std::string_view container) { container_ = container; }
  const std::string& container() const { return container_; }
  // How large the input's parts may be; without one, nothing is known of them.
  void set_size_estimator(SizeEstimator estimator) { size_estimator_ = std::move(estimator); }
  const SizeEstimator& size_estimator() const { return size_estimator_; }

  static constexpr int kConstant = -1;
  // A type's name that the checker knows and the evaluator does not: no program can use it.
  static constexpr int kOnlyTyped = -2;
  struct Variable {
    std::string_view name;
    const Type* type;
    int index;  // of the value at evaluation, kConstant, or kOnlyTyped
    Value constant;
  };
  // By its full name.
  const Variable* FindVariable(std::string_view name) const;
  const Function* FindFunction(std::string_view name) const;
  // Those that were added, protobuf messages, and what Kubernetes takes for such.
  bool HasStruct(std::string_view name) const;
  const Type* FindField(std::string_view struct_name, std::string_view field) const;
  std::size_t variable_count() const { return variable_count_; }

  // The full names that `name` may stand for, the likeliest first.
  std::vector<std::string> Candidates(std::string_view name) const;

  Arena& arena() { return arena_; }

 private:
  void AddTypeName(std::string_view name, const Type* type, int index = kConstant);

  Arena arena_;
  FunctionTable functions_;
  std::map<std::string, Variable, std::less<>> variables_;
  std::map<std::string, std::vector<Field>, std::less<>> structs_;
  std::string container_;
  SizeEstimator size_estimator_;
  std::size_t variable_count_ = 0;
};

}  // namespace assay::cel

#endif  // ASSAY_CEL_ENVIRONMENT_H_
