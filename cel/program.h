// Program: an expression that is ready to run. Compile: from text to a program.
//
// Thread-safe: a Program is immutable; each evaluation has its own Arena.
#ifndef ASSAY_CEL_PROGRAM_H_
#define ASSAY_CEL_PROGRAM_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cel/arena.h"
#include "cel/environment.h"
#include "cel/value.h"

namespace assay::cel {

namespace internal {
class Node;
}  // namespace internal

struct Evaluation {
  Value value;  // kError: its text() is the error, in cel-go's words
  std::uint64_t cost = 0;
};

class Program {
 public:
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Evaluates with the environment's variables, in their order. The result may point into the
  // program, the variables and the arena.
  Evaluation Evaluate(std::span<const Value> variables, Arena& arena) const;

 private:
  friend struct ProgramBuilder;
  Program();

  Ast ast_;                       // names and constants lie in it
  std::unique_ptr<Arena> arena_;  // nodes and folded constants
  std::vector<std::shared_ptr<const void>> owned_;
  const internal::Node* root_ = nullptr;
  std::size_t slot_count_ = 0;
  std::uint64_t cost_limit_ = UINT64_MAX;
};

struct CompileOptions {
  std::uint64_t cost_limit = UINT64_MAX;
  bool estimate_cost = true;
  // Without it, names and calls are resolved at run time, as far as that is possible.
  bool check = true;
  // Types that the expression may have; empty: any.
  std::function<bool(const Type& type)> accepts;
};

enum class CompilePhase : std::uint8_t { kParse, kCheck, kType, kPlan };

struct CompileFailure {
  CompilePhase phase = CompilePhase::kParse;
  std::string message;  // the issues, or why no program could be made
};

struct Compilation {
  bool ok() const { return program != nullptr; }

  std::shared_ptr<const Program> program;  // null: see failure
  std::optional<CompileFailure> failure;
  std::string output_type;              // empty unless it was checked
  std::uint64_t max_cost = UINT64_MAX;  // unless it was estimated
};

Compilation Compile(const Environment& environment, std::string_view expression,
                    const CompileOptions& options = {});

}  // namespace assay::cel

#endif  // ASSAY_CEL_PROGRAM_H_
