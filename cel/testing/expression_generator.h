// Random expressions and devices: what differential tests and fuzzers feed to cel/.
//
//   Random random(seed);
//   ExpressionGenerator generator(random, {});
//   std::string expression = generator.Next();
//
// Expressions are made by type, from every overload that Kubernetes declares, the macros and the
// operators, over the names that RandomDevice gives. A share of them is ill-typed, fails at run
// time, or is no expression at all. The same seed gives the same ones.
//
// Not thread-safe; one Random per test.
#ifndef ASSAY_CEL_TESTING_EXPRESSION_GENERATOR_H_
#define ASSAY_CEL_TESTING_EXPRESSION_GENERATOR_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "cel/dra/selector.h"
#include "cel/function.h"
#include "cel/messages.h"

namespace assay::cel::testing {

struct GeneratorOptions {
  bool lists = false;      // list attributes and includes()
  bool any_type = false;   // expressions of every type rather than bool
  int max_depth = 4;       // how deep calls nest, about
  int percent_broken = 6;  // texts that were changed after they were made
};

class ExpressionGenerator {
 public:
  ExpressionGenerator(Random& random, const GeneratorOptions& options);

  std::string Next();

 private:
  struct Candidate {
    const Function* function;
    const Overload* overload;
  };
  struct Local {
    std::string name;
    const Type* type;
  };
  using Bindings = std::vector<const Type*>;

  bool Chance(int percent) { return random_.Below(100) < static_cast<std::uint64_t>(percent); }
  std::string_view Pick(std::initializer_list<std::string_view> pool);

  std::string Of(const Type* type, int depth);
  std::string OfType(const Type* type, int depth);
  std::string Leaf(const Type* type);
  std::string DoubleLiteral();
  std::string StringLiteral(std::string_view text);
  std::string TextFor(std::string_view function, std::size_t param);
  std::string DevicePart();
  std::string Attribute(int depth);
  std::string List(const Type* element, int depth);
  std::string Map(const Type* key, const Type* value, int depth);
  std::string Message(const Type* type, int depth);
  std::string MessageFieldValue(const MessageType& message, const MessageField& field,
                                bool optional, int depth);
  std::string Call(const Candidate& candidate, const Type* result, int depth);
  std::string Spell(const Function& function, const Overload& overload,
                    const std::vector<std::string>& args);
  std::string Macro(const Type* type, int depth);
  std::string Comprehension(const Type* type, int depth);
  const Type* RandomType(int depth);
  const Type* KeyType();
  bool Unify(const Type* pattern, const Type* type, Bindings& bindings) const;
  const Type* Instantiate(const Type* pattern, Bindings& bindings);
  std::string NewName();
  std::string Broken(std::string text);

  Random& random_;
  GeneratorOptions options_;
  Arena arena_;
  std::vector<Candidate> candidates_;
  std::vector<Local> locals_;
  int percent_ill_typed_ = 0;
  bool in_literal_ = false;
  int budget_ = 0;  // calls that the expression may still get
};

// A device with attributes and capacity that the expressions ask for; most of them, most of the
// time.
dra::DeviceContent RandomDevice(Random& random, bool lists);

}  // namespace assay::cel::testing

#endif  // ASSAY_CEL_TESTING_EXPRESSION_GENERATOR_H_
