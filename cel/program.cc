#include "cel/program.h"

#include <string>
#include <utility>
#include <vector>

#include "cel/checker.h"
#include "cel/internal/planner.h"
#include "cel/parser.h"

namespace assay::cel {

Program::Program() = default;
Program::~Program() = default;

// Makes Programs: the only code that may.
struct ProgramBuilder {
  static Result<std::shared_ptr<const Program>> Build(const Environment& environment, Ast ast,
                                                      std::uint64_t cost_limit) {
    std::shared_ptr<Program> program(new Program);
    program->ast_ = std::move(ast);
    program->arena_ = std::make_unique<Arena>();
    program->cost_limit_ = cost_limit;
    ASSAY_ASSIGN_OR_RETURN(internal::Plan plan,
                           internal::MakePlan(environment, *program->ast_.root, *program->arena_));
    program->root_ = plan.root;
    program->slot_count_ = plan.slot_count;
    program->owned_ = std::move(plan.owned);
    return std::shared_ptr<const Program>(std::move(program));
  }
};

Evaluation Program::Evaluate(std::span<const Value> variables, Arena& arena) const {
  internal::Frame frame{arena, variables, arena.NewArray<internal::Slot>(slot_count_), cost_limit_};
  Evaluation evaluation;
  evaluation.value = root_->Evaluate(frame);
  evaluation.cost = frame.cost;
  if (frame.stopped) {
    evaluation.value = Value::Error(
        frame.panic.empty() ? "operation cancelled: actual cost limit exceeded" : frame.panic);
  }
  return evaluation;
}

Compilation Compile(const Environment& environment, std::string_view expression,
                    const CompileOptions& options) {
  Compilation compilation;
  Ast ast = Parse(expression);
  if (!ast.issues.empty()) {
    compilation.failure = {CompilePhase::kParse, FormatIssues(ast.source, ast.issues)};
    return compilation;
  }
  if (options.check) {
    Check(environment, ast);
    if (!ast.issues.empty()) {
      compilation.failure = {CompilePhase::kCheck, FormatIssues(ast.source, ast.issues)};
      return compilation;
    }
    compilation.output_type = ast.root->type->DeclaredName();
    if (options.accepts && !options.accepts(*ast.root->type)) {
      compilation.failure = {CompilePhase::kType, compilation.output_type};
      return compilation;
    }
    if (options.estimate_cost) {
      compilation.max_cost = EstimateCost(*ast.root, environment.size_estimator()).max;
    }
  }
  Result<std::shared_ptr<const Program>> program =
      ProgramBuilder::Build(environment, std::move(ast), options.cost_limit);
  if (!program.ok()) {
    compilation.failure = {CompilePhase::kPlan, program.status().message()};
    compilation.max_cost = UINT64_MAX;
    return compilation;
  }
  compilation.program = *std::move(program);
  return compilation;
}

}  // namespace assay::cel
