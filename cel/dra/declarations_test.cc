// Holds what selectors may call to the list of what Kubernetes 1.36 declares: nothing is missing,
// nothing is more, and each has the same overload and signature.
//
// The list lies beside the repository; where it does not, the test is skipped. The differential
// test compares with Kubernetes itself where there is Go.
#include "cel/testing/declarations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "cel/dra/selector.h"

namespace assay::cel::dra {
namespace {

constexpr char kDeclarations[] = "../shared/reference/cel-declarations.txt";

// cel-go keeps these for programs of old and lets no expression name them: an undeclared reference.
bool IsDisabled(const std::string& line) {
  return line.starts_with("in\t") || line.starts_with("_in_\t") ||
         line.starts_with("__not_strictly_false__\t");
}

TEST(DeclarationsTest, SelectorsCallWhatKubernetesDeclares) {
  std::ifstream in(kDeclarations);
  if (!in) {
    GTEST_SKIP() << kDeclarations << " is not there";
  }
  // Functions come first.
  std::vector<std::string> expected;
  for (std::string line; std::getline(in, line) && !line.starts_with("---");) {
    expected.push_back(line);
  }
  ASSERT_EQ(expected.size(), 346U);
  EXPECT_EQ(std::erase_if(expected, &IsDisabled), 5U);
  std::sort(expected.begin(), expected.end());
  const std::vector<std::string> actual = testing::Declarations(
      SelectorEnvironment({.list_type_attributes = true}, EnvironmentType::kNewExpressions));
  std::vector<std::string> missing;
  std::set_difference(expected.begin(), expected.end(), actual.begin(), actual.end(),
                      std::back_inserter(missing));
  for (const std::string& line : missing) {
    ADD_FAILURE() << "missing: " << line;
  }
  std::vector<std::string> more;
  std::set_difference(actual.begin(), actual.end(), expected.begin(), expected.end(),
                      std::back_inserter(more));
  for (const std::string& line : more) {
    ADD_FAILURE() << "not in Kubernetes: " << line;
  }
}

}  // namespace
}  // namespace assay::cel::dra
