// Opaque configuration: what the driver does with parameters of its own and of others.

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

// No driver knows it.
constexpr char kUnknownKind[] = R"({"apiVersion": "assay.example.com/v1", "kind": "AssayUnknown"})";
constexpr char kOtherDriver[] = "assay-other.example.com";

class Configuration : public Case {
 protected:
  // What the driver takes; the case is not decidable without.
  const std::string& Good() {
    if (lab().profile().config.empty()) {
      EndCase(Outcome::kNotDecidable, "the profile has no claims.config");
    }
    return lab().profile().config;
  }
  // What it must refuse.
  std::string Bad() {
    const auto& bad = lab().profile().bad_configs;
    return bad.empty() ? kUnknownKind : bad.begin()->second;
  }
  // The error of preparing a claim whose allocation has this configuration alone.
  std::string ErrorWith(const ConfigOptions& config, const std::string& subrequest = "") {
    return PrepareError(MakeClaim(
        {.name = {},
         .requests = {{.name = "gpu", .devices = {AnyDevice()}, .subrequest = subrequest}},
         .configs = {config},
         .profile_config = false}));
  }
};

DECIDES("CONF-01");
TEST_F(Configuration, OfOtherDriversIsIgnored) {
  const std::string error = ErrorWith({.driver = kOtherDriver, .parameters = kUnknownKind});
  EXPECT_DRIVER(error.empty()) << "a claim with another driver's configuration is refused: "
                               << error;
}

DECIDES("CONF-02");
TEST_F(Configuration, OfAnUnknownKindIsRefused) {
  EXPECT_DRIVER(!ErrorWith({.parameters = kUnknownKind}).empty())
      << "a claim is prepared whose configuration is of a kind that nobody knows";
}

DECIDES("CONF-03");
TEST_F(Configuration, WithAnUnknownFieldIsRefused) {
  nlohmann::json parameters = nlohmann::json::parse(Good(), nullptr, /*allow_exceptions=*/false);
  parameters["assayUnknownField"] = true;
  EXPECT_DRIVER(!ErrorWith({.parameters = parameters.dump()}).empty())
      << "a claim is prepared whose configuration has a field that nobody knows: a misspelt one "
      << "would be ignored in silence";
}

DECIDES("CONF-04");
TEST_F(Configuration, ThatMakesNoSenseIsRefused) {
  if (lab().profile().bad_configs.empty()) {
    EndCase(Outcome::kNotDecidable, "the profile has no claims.badConfigs");
  }
  for (const auto& [name, parameters] : lab().profile().bad_configs) {
    EXPECT_DRIVER(!ErrorWith({.parameters = parameters}).empty())
        << "a claim is prepared with the configuration that the profile calls bad: " << name;
  }
}

DECIDES("CONF-06");
TEST_F(Configuration, IsForTheRequestsThatItNames) {
  EXPECT_DRIVER(!ErrorWith({.parameters = Bad()}).empty())
      << "a configuration that names no request is not read, though it is for all";
  EXPECT_DRIVER(!ErrorWith({.parameters = Bad(), .requests = {"gpu"}}).empty())
      << "a configuration for the claim's request is not read";
  for (const char* request : {"gpu", "gpu/large"}) {
    EXPECT_DRIVER(!ErrorWith({.parameters = Bad(), .requests = {request}}, "large").empty())
        << "a configuration for " << request << " is not read, though gpu/large was chosen";
  }
}

DECIDES("CONF-07");
TEST_F(Configuration, ForAnAlternativeThatWasNotChosenIsNotApplied) {
  const std::string error =
      PrepareError(MakeClaim({.name = {},
                              .requests = {{.name = "gpu",
                                            .devices = {AnyDevice()},
                                            .subrequest = "large",
                                            .other_subrequest = "larger"}},
                              .configs = {{.parameters = Bad(), .requests = {"gpu/larger"}}},
                              .profile_config = false}));
  EXPECT_DRIVER(error.empty())
      << "a configuration for gpu/larger is applied, though gpu/large was chosen: " << error;
}

DECIDES("PREP-49");
TEST_F(Configuration, ComesFromTheAllocation) {
  const auto error_with = [&](const std::string& spec, const std::string& allocation) {
    return PrepareError(MakeClaim({.name = {},
                                   .requests = {{.name = "gpu", .devices = {AnyDevice()}}},
                                   .configs = {{.parameters = allocation}},
                                   .profile_config = false,
                                   .spec_configs = {{.parameters = spec}}}));
  };
  const std::string error = error_with(Bad(), Good());
  EXPECT_DRIVER(error.empty())
      << "the configuration of the claim's spec is applied, not that of its allocation: " << error;
  EXPECT_DRIVER(!error_with(Good(), Bad()).empty())
      << "the configuration of the claim's allocation is not read";
}

DECIDES("CONF-08");
TEST_F(Configuration, ForAnotherDriversRequestIsNotApplied) {
  const DeviceRef own = AnyDevice();
  DeviceRef other = own;
  other.driver = kOtherDriver;
  const std::string error = PrepareError(MakeClaim(
      {.name = {},
       .requests = {{.name = "own", .devices = {own}}, {.name = "other", .devices = {other}}},
       .configs = {{.parameters = Bad(), .requests = {"other"}}},
       .profile_config = false}));
  EXPECT_DRIVER(error.empty())
      << "a configuration for a request that another driver serves is applied to the own one: "
      << error;
}

DECIDES("CONF-12");
TEST_F(Configuration, ThatIsWrongHarmsNoOtherClaim) {
  const std::string refused = ErrorWith({.parameters = Bad()});
  EXPECT_DRIVER(!refused.empty()) << "a wrong configuration is taken";
  const std::string error = ErrorWith({.parameters = Good()});
  EXPECT_DRIVER(error.empty()) << "after a claim with a wrong configuration the next, with a right "
                               << "one for the same device, is refused: " << error;
}

}  // namespace
}  // namespace assay::conformance
