// NodePrepareResources while the API server or the device is not what it should be.

#include <string>
#include <vector>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using PrepareRecovery = Case;
using controlplane::apiserver::Fault;

DECIDES("PREP-20");
TEST_F(PrepareRecovery, AfterADeviceCameBack) {
  RequireHook(Hook::kUnplug);
  RequireHook(Hook::kPlug);
  const DeviceRef device = AnyDevice();
  const ResourceClaim claim = Allocated({device});
  Harness(lab().hooks().Run(Hook::kUnplug, device.key));
  const std::string error = PrepareError(claim);
  Harness(lab().hooks().Run(Hook::kPlug, device.key));
  EXPECT_DRIVER(!error.empty()) << "a device that was unplugged was prepared";
  std::string last;
  EXPECT_DRIVER(
      WaitUntil(std::chrono::seconds(30), [&] { return (last = PrepareError(claim)).empty(); }))
      << "30 s after the device came back Prepare still fails: " << last;
}

DECIDES("PREP-35");
TEST_F(PrepareRecovery, AfterTheKubeletGaveUp) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  lab().api_server().faults().Add(
      {.match = DriverRequests({"get"}, {"resourceclaims"}), .action = Fault::Hang(), .times = 0});
  const auto given_up =
      driver().service().Prepare({ReferenceTo(claim)}, Version(), std::chrono::milliseconds(300));
  lab().api_server().faults().Clear();
  const std::string error = PrepareError(claim);
  EXPECT_DRIVER(error.empty()) << "after a call that the kubelet gave up the next one fails: "
                               << error;
}

DECIDES("PREP-38");
TEST_F(PrepareRecovery, OfOneClaimDoesNotHoldUpAnother) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const ResourceClaim slow = Allocated({devices[0]});
  const ResourceClaim other = Allocated({devices[1]});
  auto match = DriverRequests({"get"}, {"resourceclaims"});
  match.name = slow.metadata.name;
  const auto fault =
      lab().api_server().faults().Add({.match = match, .action = Fault::Hang(), .times = 0});
  auto pending = driver().service().StartPrepare({ReferenceTo(slow)}, Version(), kCallLimit);
  WaitUntil(std::chrono::milliseconds(500),
            [&] { return lab().api_server().faults().hits(fault) > 0; });
  const auto response =
      driver().service().Prepare({ReferenceTo(other)}, Version(), std::chrono::seconds(5));
  const std::string error = ErrorIn(response, other.metadata.uid);
  EXPECT_DRIVER(error.empty()) << "while one claim waits for the API server, another one got no "
                               << "answer within 5 s: " << error;
  pending->Cancel();
}

DECIDES("PREP-42");
TEST_F(PrepareRecovery, AfterAnErrorOfTheApiServer) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  lab().api_server().faults().Add({.match = DriverRequests({"get"}, {"resourceclaims"}),
                                   .action = Fault::InternalError(),
                                   .times = 0});
  (void)PrepareError(claim);
  lab().api_server().faults().Clear();
  const std::string error = PrepareError(claim);
  EXPECT_DRIVER(error.empty()) << "when the API server answers again, Prepare still fails: "
                               << error;
}

DECIDES("PREP-50");
TEST_F(PrepareRecovery, WhileTheApiServerIsUnreachableFailsInTime) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  lab().api_server().faults().Add(
      {.match = DriverRequests({}, {}), .action = Fault::DropConnection(), .times = 0});
  const auto response = driver().service().Prepare({ReferenceTo(claim)}, Version());
  EXPECT_DRIVER(response.status().code() != StatusCode::kDeadlineExceeded)
      << "with the API server unreachable Prepare did not answer within 45 s";
  lab().api_server().faults().Clear();
  const std::string error = PrepareError(claim);
  EXPECT_DRIVER(error.empty()) << "when the API server is back, Prepare still fails: " << error;
}

}  // namespace
}  // namespace assay::conformance
