// NodePrepareResources and NodeUnprepareResources at the same time.

#include <memory>
#include <string>
#include <vector>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using PrepareParallel = Case;

constexpr int kStressCalls = 100;

DECIDES("PREP-36");
TEST_F(PrepareParallel, OfDifferentClaimsAllAnswer) {
  const std::vector<DeviceRef> devices = SomeDevices(4);
  std::vector<ResourceClaim> claims;
  for (const DeviceRef& device : devices) {
    claims.push_back(Allocated({device}));
  }
  for (int calls = 0; calls < kStressCalls; calls += static_cast<int>(claims.size())) {
    std::vector<std::unique_ptr<BlockingDriver::Pending>> pending;
    for (const ResourceClaim& claim : claims) {
      pending.push_back(
          driver().service().StartPrepare({ReferenceTo(claim)}, Version(), kCallLimit));
    }
    for (std::size_t i = 0; i < claims.size(); ++i) {
      const std::string error = ErrorIn(pending[i]->Wait(), claims[i].metadata.uid);
      ASSERT_DRIVER(error.empty()) << "of several Prepares at the same time one failed: " << error;
    }
    for (const ResourceClaim& claim : claims) {
      Unprepare(claim);
    }
  }
}

DECIDES("PREP-37");
TEST_F(PrepareParallel, OfOneClaimAnswersTheSame) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  std::vector<std::unique_ptr<BlockingDriver::Pending>> pending;
  for (int i = 0; i < 8; ++i) {
    pending.push_back(driver().service().StartPrepare({ReferenceTo(claim)}, Version(), kCallLimit));
  }
  std::vector<PreparedDevice> first;
  for (const auto& call : pending) {
    const Result<PrepareResponse> response = call->Wait();
    const std::string error = ErrorIn(response, claim.metadata.uid);
    ASSERT_DRIVER(error.empty()) << "of eight Prepares of one claim one failed: " << error;
    std::vector<PreparedDevice> devices = Sorted(response->at(claim.metadata.uid).devices);
    if (first.empty()) {
      first = devices;
    }
    EXPECT_DRIVER(devices == first) << "Prepares of one claim at the same time answered "
                                    << Describe(first) << " and " << Describe(devices);
  }
}

DECIDES("PREP-39");
TEST_F(PrepareParallel, WithUnprepareOfAnotherLosesNothing) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const ResourceClaim a = Allocated({devices[0]});
  const ResourceClaim b = Allocated({devices[1]});
  const ResourceClaim* coming = &a;
  const ResourceClaim* going = &b;
  Prepare(*going);
  for (int round = 0; round < 20; ++round) {
    auto prepare = driver().service().StartPrepare({ReferenceTo(*coming)}, Version(), kCallLimit);
    Unprepare(*going);
    const std::string error = ErrorIn(prepare->Wait(), coming->metadata.uid);
    ASSERT_DRIVER(error.empty()) << "Prepare beside an Unprepare failed: " << error;
    const std::vector<std::string> left = CdiTracesOf(going->metadata.uid);
    ASSERT_DRIVER(left.empty()) << "Unprepare beside a Prepare left " << Join(left);
    std::swap(coming, going);
  }
  // What the state files say shows after a restart.
  KillAndRestartDriver();
  const std::string error = PrepareError(*going);
  EXPECT_DRIVER(error.empty()) << "after Prepares beside Unprepares and a restart, Prepare fails: "
                               << error;
  Unprepare(*going);
}

DECIDES("PREP-44");
TEST_F(PrepareParallel, AStaleOneDoesNotBringTheClaimBack) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  const auto fault =
      lab().api_server().faults().Add({.match = DriverRequests({"get"}, {"resourceclaims"}),
                                       .action = controlplane::apiserver::Fault::Hold(),
                                       .times = 1});
  auto stale = driver().service().StartPrepare({ReferenceTo(claim)}, Version(), kCallLimit);
  WaitUntilAClaimIsRead(fault);
  // Comes after the Prepare. A driver may let it wait: then it is the one that ends last.
  const auto response =
      driver().NewConnection()->Unprepare({ReferenceTo(claim)}, Version(), std::chrono::seconds(1));
  std::string error = ErrorIn(response, claim.metadata.uid);
  lab().api_server().faults().Clear();
  (void)stale->Wait();
  if (!error.empty()) {
    error = UnprepareError(ReferenceTo(claim));
  }
  const std::vector<std::string> left = CdiTracesOf(claim.metadata.uid);
  EXPECT_DRIVER(!error.empty() || left.empty())
      << "a Prepare that began before an Unprepare, and ended after it, left " << Join(left);
}

}  // namespace
}  // namespace assay::conformance
