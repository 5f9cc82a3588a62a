// Fuzzes the parser and the checker: any bytes as an expression.
//
// With clang's libFuzzer it is a fuzzer; elsewhere cel/testing/fuzz_main.cc feeds it seeded inputs.
#include <cstdint>

#include "base/check.h"
#include "cel/checker.h"
#include "cel/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay::cel;
  static const Environment* const environment = new Environment;
  Ast ast = Parse({reinterpret_cast<const char*>(data), size});
  ASSAY_CHECK(ast.root != nullptr) << "there is always a tree";
  if (ast.issues.empty()) {
    Check(*environment, ast);
  }
  for (const Issue& issue : ast.issues) {
    ASSAY_CHECK(issue.offset == kNoOffset ||
                (issue.offset >= 0 && static_cast<std::size_t>(issue.offset) <= ast.source.size()))
        << "an issue lies in the source";
  }
  ASSAY_CHECK(FormatIssues(ast.source, ast.issues).empty() == ast.issues.empty())
      << "issues can be shown";
  return 0;
}
