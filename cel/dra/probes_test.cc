// Holds selectors to what Kubernetes answers: result, error, cost and estimate of each probe.
//
// Our own probes are testdata/selectors.json and syntax_errors.json, made by tools/peers/cel.
// Others lie beside the repository; where they do not, their test is skipped.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "cel/dra/selector.h"

namespace assay::cel::dra {
namespace {

using nlohmann::json;

constexpr char kOurProbes[] = "cel/testdata/selectors.json";
constexpr char kSyntaxErrors[] = "cel/testdata/syntax_errors.json";
constexpr char kProbes[] = "../shared/reference/cel-probes.json";

DeviceContent ProbedDevice(bool lists) {
  DeviceContent content;
  content.driver = "dra.example.com";
  content.allow_multiple_allocations = true;
  content.attributes = {{"b", true},
                        {"i", std::int64_t{7}},
                        {"s", std::string("fish")},
                        {"v", Version{"1.2.3-rc.1+b5"}},
                        {"other.example.com/s", std::string("x")}};
  if (lists) {
    content.attributes.push_back({"il", std::vector<std::int64_t>{1, 2, 3}});
    content.attributes.push_back({"sl", std::vector<std::string>{"a", "b"}});
    content.attributes.push_back({"bl", std::vector<bool>{true, false}});
    content.attributes.push_back({"vl", std::vector<Version>{{"1.0.0"}}});
  }
  content.capacity = {{"mem", "1Gi"}, {"cores", "1500m"}};
  return content;
}

// Go goes over a map's keys in an order that changes from run to run, and so does the cost of a
// search that ends early.
bool DependsOnMapOrder(const json& probe) {
  return probe["expr"] == R"(device.attributes["dra.example.com"].exists(k, k == "s"))";
}

std::string Describe(const json& probe) {
  return probe["expr"].get<std::string>() +
         (probe["listTypeAttributes"].get<bool>() ? "  [lists]" : "");
}

void CheckProbe(const json& probe) {
  SCOPED_TRACE(Describe(probe));
  CompileOptions options;
  options.features.list_type_attributes = probe["listTypeAttributes"];
  const CompiledSelector selector = CompileSelector(probe["expr"].get<std::string>(), options);
  if (probe.contains("compileError")) {
    ASSERT_FALSE(selector.ok());
    EXPECT_EQ(selector.error->detail, probe["compileError"].get<std::string>());
    return;
  }
  ASSERT_TRUE(selector.ok()) << selector.error->detail;
  EXPECT_EQ(selector.output_type, probe["type"].get<std::string>());
  EXPECT_EQ(selector.max_cost, probe.value("maxCost", std::uint64_t{0}));
  const Device device(ProbedDevice(options.features.list_type_attributes), options.features);
  const MatchResult result = selector.MatchesWithCost(device);
  if (probe.contains("error")) {
    ASSERT_FALSE(result.matches.ok());
    EXPECT_EQ(result.matches.status().message(), probe["error"].get<std::string>());
  } else {
    ASSERT_TRUE(result.matches.ok()) << result.matches.status();
    EXPECT_EQ(*result.matches, probe["match"].get<bool>());
  }
  if (!DependsOnMapOrder(probe)) {
    EXPECT_EQ(result.cost, probe.value("cost", std::uint64_t{0}));
  }
}

TEST(ProbesTest, SelectorsAnswerAsKubernetesDoes) {
  std::ifstream in(kProbes);
  if (!in) {
    GTEST_SKIP() << kProbes << " is not there";
  }
  for (const json& probe : json::parse(in)) {
    CheckProbe(probe);
  }
}

void CheckFile(const char* path) {
  std::ifstream in(path);
  ASSERT_TRUE(in) << path;
  for (const json& probe : json::parse(in)) {
    CheckProbe(probe);
  }
}

TEST(ProbesTest, OurProbesAnswerAsKubernetesDoes) { CheckFile(kOurProbes); }

TEST(ProbesTest, SyntaxErrorsReadAsInKubernetes) { CheckFile(kSyntaxErrors); }

}  // namespace
}  // namespace assay::cel::dra
