#include "cel/program.h"

#include <gtest/gtest.h>

#include "cel/environment.h"

namespace assay::cel {
namespace {

TEST(ProgramTest, StopsAtTheCostLimit) {
  const Environment environment;
  CompileOptions options;
  options.cost_limit = 500;
  const Compilation compilation = Compile(
      environment, "[1, 2, 3, 4].all(a, [1, 2, 3, 4].all(b, [1, 2, 3, 4].all(c, a + b + c > 0)))",
      options);
  ASSERT_TRUE(compilation.ok());
  Arena arena;
  const Evaluation evaluation = compilation.program->Evaluate({}, arena);
  ASSERT_TRUE(evaluation.value.IsError());
  EXPECT_EQ(evaluation.value.text(), "operation cancelled: actual cost limit exceeded");
  EXPECT_GT(evaluation.cost, 500U);
  EXPECT_LT(evaluation.cost, 600U);
}

TEST(ProgramTest, ManyEvaluationsShareAProgram) {
  Environment environment;
  environment.AddVariable("x", Type::Int());
  const Compilation compilation = Compile(environment, "[x, x + 1].map(y, y * 2)[1]");
  ASSERT_TRUE(compilation.ok()) << compilation.failure->message;
  for (std::int64_t x = 0; x < 10; ++x) {
    Arena arena;
    const Value variables[] = {Value::Int(x)};
    EXPECT_EQ(compilation.program->Evaluate(variables, arena).value.int_value(), 2 * (x + 1));
  }
}

TEST(ProgramTest, RefusesExpressionsThatNestTooDeep) {
  const Environment environment;
  const std::string deep = std::string(300, '(') + "1" + std::string(300, ')');
  const Compilation compilation = Compile(environment, deep);
  ASSERT_FALSE(compilation.ok());
  EXPECT_EQ(compilation.failure->phase, CompilePhase::kParse);
  EXPECT_EQ(compilation.failure->message,
            "ERROR: <input>:-1:0: expression recursion limit exceeded: 250");
}

TEST(ProgramTest, SurvivesArbitraryText) {
  const Environment environment;
  const std::string_view seeds[] = {"device.a[\"b\"] == 1 && x.map(y, y + 1)", "{1: [2, ?3]}",
                                    "\"\\u00e4\\n\".format([1]) ? b'a' : r\"b\""};
  for (std::string_view seed : seeds) {
    for (std::size_t i = 0; i < seed.size(); ++i) {
      for (char c : {'(', ')', '[', '"', '\\', '.', '?', '\0', '\x80', '9', '`'}) {
        std::string text(seed);
        text[i] = c;
        const Compilation compilation = Compile(environment, text);
        EXPECT_NE(compilation.ok(), compilation.failure.has_value());
      }
      EXPECT_FALSE(Compile(environment, seed.substr(0, i)).ok() && i == 0);
    }
  }
}

}  // namespace
}  // namespace assay::cel
