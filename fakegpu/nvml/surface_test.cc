// The whole surface at once: every function checks its call before it does anything, and
// FUNCTIONS.md tells the truth about which are implemented.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>

#include "base/file.h"
#include "fakegpu/nvml/testing/nvml_fixture.h"

namespace assay::fakegpu::nvml {
namespace {

// The interface gives these no UNINITIALIZED: versions and error texts are told at any time.
const std::set<std::string> kNeedNoInit = {"nvmlInit",
                                           "nvmlInit_v2",
                                           "nvmlInitWithFlags",
                                           "nvmlErrorString",
                                           "nvmlSystemGetNVMLVersion",
                                           "nvmlSystemGetCudaDriverVersion",
                                           "nvmlSystemGetCudaDriverVersion_v2"};

// Calls a function with zeros and null pointers.
template <typename... Argument>
int CallWithNothing(nvmlReturn_t (*function)(Argument...)) {
  return function(Argument{}...);
}
template <typename... Argument>
int CallWithNothing(const char* (*function)(Argument...)) {
  return function(Argument{}...) != nullptr ? NVML_SUCCESS : NVML_ERROR_UNKNOWN;
}

std::map<std::string, int> CallEverythingWithNothing() {
  const NvmlFunctions& nvml = NvmlFunctions::Get();
  std::map<std::string, int> results;
#define NVML_FUNCTION(result, name, parameters)    \
  if (std::string_view(#name) != "nvmlShutdown") { \
    results[#name] = CallWithNothing(nvml.name);   \
  }
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION
  return results;
}

TEST(UninitializedTest, EveryCallButAFewAnswersUninitialized) {
  setenv("ASSAY_FAKEGPU_STATE", "/nonexistent/state", 1);
  for (const auto& [name, result] : CallEverythingWithNothing()) {
    if (!kNeedNoInit.contains(name)) {
      EXPECT_EQ(result, NVML_ERROR_UNINITIALIZED) << name;
    }
  }
  EXPECT_EQ(NvmlFunctions::Get().nvmlShutdown(), NVML_ERROR_UNINITIALIZED);
}

class SurfaceTest : public NvmlTest {};

// Null handles and null results are refused everywhere, and nothing crashes on them.
TEST_F(SurfaceTest, NoCallTakesNothingForAnArgument) {
  const std::set<std::string> take_nothing = {"nvmlInit", "nvmlInit_v2", "nvmlInitWithFlags",
                                              "nvmlErrorString"};
  for (const auto& [name, result] : CallEverythingWithNothing()) {
    if (take_nothing.contains(name)) {
      EXPECT_EQ(result, NVML_SUCCESS) << name;
      if (name != "nvmlErrorString") {
        EXPECT_EQ(nvml().nvmlShutdown(), NVML_SUCCESS) << "of " << name;
      }
    } else if (name != "nvmlSystemSetNvlinkBwMode") {  // Its 0 is a mode, which root may set.
      // With neither pointers nor handles there is nothing to be refused but the call itself.
      EXPECT_TRUE(result == NVML_ERROR_INVALID_ARGUMENT || result == NVML_ERROR_NOT_SUPPORTED)
          << name << " answered " << result;
    }
  }
}

// The table of FUNCTIONS.md, from the lists that the library is built of.
std::string FunctionsTable() {
  std::map<std::string, std::string> refused;
  std::map<std::string, std::string> absent;
#define NVML_REFUSED(name, parameters, arguments, reason) refused[#name] = reason;
#define NVML_ABSENT(name, parameters, arguments, code, reason) \
  absent[#name] = std::string(#code).substr(std::strlen("NVML_ERROR_")) + ": " + reason;
#include "fakegpu/nvml/refused.def"
#undef NVML_ABSENT
#undef NVML_REFUSED
#define NVML_NEWER(name) refused[#name] = "newer than NVML 13.3";
#define NVML_UNDECLARED(name)
#include "fakegpu/abi/unlisted_functions.def"
#undef NVML_NEWER
#undef NVML_UNDECLARED
  std::map<std::string, std::string> constants;
#define NVML_CONSTANT(name, reason) constants[#name] = reason;
#include "fakegpu/nvml/constants.def"
#undef NVML_CONSTANT
  std::map<std::string, std::string> functions;
  for (const auto& [name, reason] : refused) {
    functions[name] = "NOT_SUPPORTED: " + reason;
  }
  functions.insert(absent.begin(), absent.end());
  for (const auto& [name, reason] : constants) {
    functions[name] = "constant: " + reason;
  }
#define NVML_FUNCTION(result, name, parameters) functions.try_emplace(#name, "implemented");
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION
  std::string rows;
  for (const auto& [name, answer] : functions) {
    rows += "| `" + name + "` | " + answer + " |\n";
  }
  const std::size_t from_state =
      functions.size() - refused.size() - absent.size() - constants.size();
  return "# NVML's functions in the fake\n\nOf " + std::to_string(functions.size()) +
         " functions " + std::to_string(from_state) + " answer from the node's state, and " +
         std::to_string(constants.size()) +
         " the same of every board, as real ones\ndo (constants_test.cc finds these by asking); "
         "the other " +
         std::to_string(refused.size()) +
         " answer NVML_ERROR_NOT_SUPPORTED, as a board\nwithout the feature does, after the same "
         "checks of the call, and " +
         std::to_string(absent.size()) +
         " tell that the unit or virtual\nGPU that they are asked about is not there.\n\nMade by "
         "surface_test.cc; `ASSAY_UPDATE_GOLDENS=1 ctest -R FunctionsTableTest` writes it anew.\n\n"
         "| function | answer |\n| --- | --- |\n" +
         rows;
}

TEST(FunctionsTableTest, IsUpToDate) {
  const std::string path = "fakegpu/nvml/FUNCTIONS.md";
  const std::string expected = FunctionsTable();
  if (std::getenv("ASSAY_UPDATE_GOLDENS") != nullptr) {
    std::ofstream(path) << expected;
  }
  EXPECT_EQ(ReadFile(path).value_or(""), expected)
      << "accept with: ASSAY_UPDATE_GOLDENS=1 ctest -R FunctionsTableTest";
}

}  // namespace
}  // namespace assay::fakegpu::nvml
