// Fuzzes all of cel/ by its widest door: any bytes as an expression, on any device.
//
// The first byte chooses features and environment, the second the device; the rest is the
// expression. With clang's libFuzzer it is a fuzzer; elsewhere cel/testing/fuzz_main.cc feeds it
// seeded inputs.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/random.h"
#include "cel/dra/selector.h"
#include "cel/testing/expression_generator.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;
  using namespace assay::cel;
  if (size < 2) {
    return 0;
  }
  dra::CompileOptions options;
  options.features = {(data[0] & 1) != 0, (data[0] & 2) != 0};
  options.environment = (data[0] & 4) != 0 ? dra::EnvironmentType::kStoredExpressions
                                           : dra::EnvironmentType::kNewExpressions;
  // What the API accepts costs no more; most of it is reached long before.
  options.cost_limit = (data[0] & 8) != 0 ? dra::kSelectorCostLimit : 10'000;
  const std::string_view expression(reinterpret_cast<const char*>(data + 2), size - 2);
  const dra::CompiledSelector selector = dra::CompileSelector(expression, options);
  ASSAY_CHECK(selector.ok() != selector.error.has_value()) << "a program, or why there is none";
  if (!selector.ok()) {
    ASSAY_CHECK(!selector.error->detail.empty()) << "an error says why";
    return 0;
  }
  Random random(data[1]);
  const dra::Device device(testing::RandomDevice(random, options.features.list_type_attributes),
                           options.features);
  const dra::MatchResult first = selector.MatchesWithCost(device);
  const dra::MatchResult second = selector.MatchesWithCost(device);
  ASSAY_CHECK(first.cost == second.cost) << "the same evaluation costs the same";
  ASSAY_CHECK(first.matches.ok() == second.matches.ok() &&
              (!first.matches.ok() || *first.matches == *second.matches))
      << "the same evaluation has the same result";
  ASSAY_CHECK(first.cost <= options.cost_limit || !first.matches.ok()) << "the limit holds";
  return 0;
}
