// What the driver does with claims that say little, and what it tells of those that fail.

#include <string>
#include <vector>

#include "api/client/config.h"
#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using OddClaims = Case;

DECIDES("LIFE-10");
TEST_F(OddClaims, DoNotEndTheDriver) {
  const DeviceRef device = AnyDevice();
  DeviceRef elsewhere = device;
  elsewhere.pool = "no-such-pool";
  DeviceRef unknown = device;
  unknown.name = "no-such-device";
  DeviceRef foreign = device;
  foreign.driver = "other.example.org";
  const std::vector<ClaimOptions> odd = {
      {.name = {}, .requests = {{.devices = {device}}}, .allocated = false},
      {.name = {}, .requests = {}, .allocated = false},
      {.name = {}, .requests = {{.devices = {}}}},
      {.name = {}, .requests = {{.devices = {elsewhere}}}},
      {.name = {}, .requests = {{.devices = {unknown}}}},
      {.name = {}, .requests = {{.devices = {foreign}}}},
      {.name = {}, .requests = {{.devices = {device}}}, .profile_config = false, .pods = 0},
  };
  for (const ClaimOptions& options : odd) {
    const ResourceClaim claim = MakeClaim(options);
    (void)PrepareError(claim);  // Most are refused.
    (void)UnprepareError(ReferenceTo(claim));
    ASSERT_DRIVER(driver().process().running())
        << "after claim " << claim.metadata.name << " the driver " << driver().Describe();
  }
  const std::string error = PrepareError(Allocated({device}));
  EXPECT_DRIVER(error.empty()) << "after odd claims one that is in order is refused: " << error;
}

DECIDES("LIFE-11");
TEST_F(OddClaims, AreNamedInTheLogAndSecretsAreNot) {
  const ResourceClaim claim =
      MakeClaim({.name = {}, .requests = {{.devices = {AnyDevice()}}}, .allocated = false});
  const std::uint64_t mark = driver().process().output_bytes();
  if (PrepareError(claim).empty()) {
    EndCase(Outcome::kNotDecidable, "the driver prepares a claim that is not allocated (PREP-14)");
  }
  // A log may be written a moment after the answer.
  EXPECT_DRIVER(
      driver().process().WaitForOutput(claim.metadata.name, mark, std::chrono::seconds(2)) ||
      driver().process().WaitForOutput(claim.metadata.uid, mark, std::chrono::seconds(2)))
      << "the log does not name a claim that could not be prepared";
  const Result<api::client::ClientConfig> config =
      api::client::LoadKubeconfig(lab().VariablesFor("").at("KUBECONFIG"));
  const std::string token = config.ok() ? config->token : "";
  EXPECT_DRIVER(token.empty() || driver().process().Output().find(token) == std::string::npos)
      << "the log has the driver's token for the API server";
}

}  // namespace
}  // namespace assay::conformance
