// Claims that set something of their GPUs, through the Preparer.
#include "driver-ref/prepare/configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "driver-ref/prepare/testing/machine.h"

namespace assay::driver_ref::prepare {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::HasSubstr;

using discovery::ComputeMode;
using discovery::GpuSettings;

const GpuSettings kBefore{.power_limit_mw = 650'000, .compute_mode = ComputeMode::kDefault};

std::string Power(int watts) {
  return R"({"apiVersion": "gpu.assay.dev/v1", "kind": "GpuConfig", "powerLimitWatts": )" +
         std::to_string(watts) + "}";
}
constexpr char kExclusive[] =
    R"({"apiVersion": "gpu.assay.dev/v1", "kind": "GpuConfig", "computeMode": "ExclusiveProcess"})";

void Configure(Machine& machine, const ClaimReference& claim, const std::string& source,
               const std::string& parameters, const std::vector<std::string>& requests = {}) {
  auto& config = machine.claims.at(claim.name).status.allocation->devices.config.emplace_back();
  config.source = source;
  config.requests = requests;
  config.opaque.emplace().driver = kDriver;
  config.opaque->parameters.json = parameters;
}

TEST(ConfigurationTest, IsSetWhileAClaimIsPrepared) {
  Machine machine;
  const ClaimReference claim = machine.Allocate("a", {"gpu-0"});
  Configure(machine, claim, "FromClaim", Power(350));
  ASSERT_THAT(machine.Prepare(claim), IsOk());
  EXPECT_EQ(machine.gpus.settings["GPU-0"].power_limit_mw, 350'000u);
  EXPECT_EQ(machine.gpus.settings["GPU-0"].compute_mode, kBefore.compute_mode);
  EXPECT_EQ(machine.gpus.settings["GPU-1"], kBefore);
  ASSERT_THAT(machine.driver().Unprepare(claim), IsOk());
  EXPECT_EQ(machine.gpus.settings["GPU-0"], kBefore);
  machine.ExpectNothingLeft();
}

TEST(ConfigurationTest, TimeSlicesComeAndGoWhereTheyCanBeSet) {
  Machine machine;
  const ClaimReference claim = machine.Allocate("a", {"gpu-0"});
  Configure(machine, claim, "FromClaim",
            R"({"apiVersion": "gpu.assay.dev/v1", "kind": "GpuConfig",
                "sharing": {"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": "Long"}}})");
  EXPECT_THAT(
      machine.Prepare(claim),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("sharing: this driver has no nvidia-smi")));
  machine.gpus.settings["GPU-0"].time_slice = discovery::TimeSlice::kDefault;
  ASSERT_THAT(machine.Prepare(claim), IsOk());
  EXPECT_EQ(machine.gpus.settings["GPU-0"].time_slice, discovery::TimeSlice::kLong);
  machine.Restart();
  ASSERT_THAT(machine.driver().Unprepare(claim), IsOk());
  EXPECT_EQ(machine.gpus.settings["GPU-0"].time_slice, discovery::TimeSlice::kDefault);
}

TEST(ConfigurationTest, APartitionIsOfTheProfileThatIsExpected) {
  const std::string expected =
      R"({"apiVersion": "gpu.assay.dev/v1", "kind": "MigConfig", "profile": "3g.40gb"})";
  Machine machine;
  const ClaimReference large = machine.Allocate("large", {"gpu-0-3g40gb-9-0"});
  Configure(machine, large, "FromClaim", expected);
  EXPECT_THAT(machine.Prepare(large), IsOk());
  for (const char* device : {"gpu-1", "gpu-1-1g10gb-19-0"}) {
    const ClaimReference claim = machine.Allocate(device, {device});
    Configure(machine, claim, "FromClaim", expected);
    EXPECT_THAT(machine.Prepare(claim),
                StatusIs(StatusCode::kInvalidArgument,
                         HasSubstr("no partition of the MIG profile 3g.40gb")))
        << device;
  }
}

TEST(ConfigurationTest, TheClaimsCountsMoreThanItsClasss) {
  Machine machine;
  const ClaimReference claim = machine.Allocate("a", {"gpu-0"});
  Configure(machine, claim, "FromClaim", Power(300));
  Configure(machine, claim, "FromClaim", Power(350));
  Configure(machine, claim, "FromClass", kExclusive);
  ASSERT_THAT(machine.Prepare(claim), IsOk());
  EXPECT_EQ(machine.gpus.settings["GPU-0"].power_limit_mw, 350'000u) << "the last of the claim's";
  EXPECT_EQ(machine.gpus.settings["GPU-0"].compute_mode, ComputeMode::kDefault) << "as a whole";
}

TEST(ConfigurationTest, IsForItsRequests) {
  Machine machine;
  const ClaimReference claim = machine.Allocate("a", {"gpu-0", "gpu-1"});
  auto& results = machine.claims.at("a").status.allocation->devices.results;
  results[0].request = "one/small";
  results[1].request = "two/large";
  Configure(machine, claim, "FromClaim", Power(300), {"one"});
  Configure(machine, claim, "FromClaim", Power(310), {"one/large"});
  Configure(machine, claim, "FromClaim", kExclusive, {"two/large"});
  Configure(machine, claim, "FromClaim", "not even JSON", {"two/small"});
  ASSERT_THAT(machine.Prepare(claim), IsOk());
  EXPECT_EQ(machine.gpus.settings["GPU-0"].power_limit_mw, 300'000u);
  EXPECT_EQ(machine.gpus.settings["GPU-0"].compute_mode, ComputeMode::kDefault);
  EXPECT_EQ(machine.gpus.settings["GPU-1"].power_limit_mw, 650'000u);
  EXPECT_EQ(machine.gpus.settings["GPU-1"].compute_mode, ComputeMode::kExclusiveProcess);
}

TEST(ConfigurationTest, AWrongOneIsRefusedAndNamesItsPlace) {
  Machine machine;
  const ClaimReference claim = machine.Allocate("a", {"gpu-0"});
  Configure(machine, claim, "FromClass", Power(300));
  Configure(machine, claim, "FromClaim",
            R"({"apiVersion": "gpu.assay.dev/v1", "kind": "GpuConfig", "power": 1})");
  EXPECT_THAT(machine.Prepare(claim),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("config[1].opaque.parameters (FromClaim): unknown field "
                                 "\"power\"")));
  const ClaimReference greedy = machine.Allocate("b", {"gpu-0"});
  Configure(machine, greedy, "FromClaim", Power(900));
  EXPECT_THAT(machine.Prepare(greedy),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("too much power")));
  const ClaimReference part = machine.Allocate("c", {"gpu-0-1g10gb-19-0"});
  Configure(machine, part, "FromClaim", Power(300));
  EXPECT_THAT(machine.Prepare(part),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("whole GPUs alone")));
  EXPECT_EQ(machine.gpus.settings["GPU-0"], kBefore);
  machine.ExpectNothingLeft();
  EXPECT_THAT(machine.Prepare(machine.Allocate("d", {"gpu-0"})), IsOk()) << "and harms nobody";
}

TEST(ConfigurationTest, AdministratorsSetNothing) {
  Machine machine;
  const ClaimReference claim = machine.Allocate("a", {"gpu-0"}, /*admin_access=*/true);
  Configure(machine, claim, "FromClass", Power(300));
  ASSERT_THAT(machine.Prepare(claim), IsOk());
  EXPECT_EQ(machine.gpus.settings["GPU-0"], kBefore);
}

// The process dies at every step of a Prepare, and of the Unprepare: what was before is not lost.
TEST(ConfigurationTest, IsAsBeforeWheneverTheProcessIsKilled) {
  for (const bool in_prepare : {true, false}) {
    bool killed = true;
    for (int step = 0; killed; ++step) {
      SCOPED_TRACE("killed at step " + std::to_string(step));
      Machine machine;
      const ClaimReference claim = machine.Allocate("a", {"gpu-0"});
      Configure(machine, claim, "FromClaim", Power(350));
      if (in_prepare) {
        killed = machine.KilledAt(step, [&] { EXPECT_THAT(machine.Prepare(claim), IsOk()); });
        machine.Restart();
        ASSERT_THAT(machine.Prepare(claim), IsOk());
        EXPECT_EQ(machine.gpus.settings["GPU-0"].power_limit_mw, 350'000u);
      } else {
        ASSERT_THAT(machine.Prepare(claim), IsOk());
        killed =
            machine.KilledAt(step, [&] { EXPECT_THAT(machine.driver().Unprepare(claim), IsOk()); });
        machine.Restart();
      }
      ASSERT_THAT(machine.driver().Unprepare(claim), IsOk());
      EXPECT_EQ(machine.gpus.settings["GPU-0"], kBefore);
      machine.ExpectNothingLeft();
      ASSERT_LT(step, 100);
    }
  }
}

TEST(ConfigurationTest, IsSetAgainAfterAReboot) {
  Machine machine;
  const ClaimReference claim = machine.Allocate("a", {"gpu-0"});
  Configure(machine, claim, "FromClaim", Power(350));
  ASSERT_THAT(machine.Prepare(claim), IsOk());
  machine.gpus.settings["GPU-0"] = kBefore;
  machine.Restart("boot-2");
  ASSERT_THAT(machine.Prepare(claim), IsOk());
  EXPECT_EQ(machine.gpus.settings["GPU-0"].power_limit_mw, 350'000u);
}

TEST(ConfigurationTest, AGpuThatIsGoneHasForgottenIt) {
  Machine machine;
  const ClaimReference claim = machine.Allocate("a", {"gpu-0"});
  Configure(machine, claim, "FromClaim", Power(350));
  ASSERT_THAT(machine.Prepare(claim), IsOk());
  machine.gpus.failure = DataLossError("GPU is lost");
  EXPECT_THAT(machine.driver().Unprepare(claim), IsOk());
}

}  // namespace
}  // namespace assay::driver_ref::prepare
