// How the driver ends, and comes back.

#include <csignal>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <system_error>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using Shutdown = Case;

constexpr Duration kSocketLimit = std::chrono::seconds(10);

DECIDES("LIFE-01");
TEST_F(Shutdown, SigtermEndsItWithZero) {
  ExpectDriverExit();
  const std::optional<ExitStatus> exit = driver().Terminate(lab().profile().stop_timeout);
  ASSERT_DRIVER(exit.has_value()) << "the driver did not end within its grace period after SIGTERM";
  EXPECT_DRIVER(*exit == ExitStatus{}) << "after SIGTERM the driver " << exit->ToString();
}

DECIDES("LIFE-02");
TEST_F(Shutdown, SigtermRemovesItsSockets) {
  ExpectDriverExit();
  const Registration registration = driver().registration();
  (void)driver().Terminate(lab().profile().stop_timeout);
  driver().Kill();
  for (const std::filesystem::path& socket :
       {registration.socket, std::filesystem::path(registration.endpoint)}) {
    EXPECT_DRIVER(!std::filesystem::exists(socket))
        << "after SIGTERM the socket " << socket.filename().string() << " is still there";
  }
}

DECIDES("LIFE-04", "ROLL-10");
TEST_F(Shutdown, SigtermLeavesSlicesAndClaimsToTheSuccessor) {
  ExpectDriverExit();
  const ResourceClaim claim = Allocated({AnyDevice()});
  const PreparedClaim before = Prepare(claim);
  const FileSnapshot cdi = CdiFiles();
  std::map<std::string, std::string> slices;
  for (const ResourceSlice& slice : Slices()) {
    slices[slice.metadata.name] = slice.metadata.uid;
  }
  (void)driver().Terminate(lab().profile().stop_timeout);
  driver().Kill();
  EXPECT_DRIVER(CdiFiles() == cdi) << "SIGTERM removed the CDI specs of a prepared claim";
  std::map<std::string, std::string> left;
  for (const ResourceSlice& slice : Slices()) {
    left[slice.metadata.name] = slice.metadata.uid;
  }
  EXPECT_DRIVER(left == slices) << "SIGTERM removed slices that the successor needs";
  KillAndRestartDriver();
  const PreparedClaim after = Prepare(claim);
  EXPECT_DRIVER(Sorted(before.devices) == Sorted(after.devices))
      << "before SIGTERM the claim had " << Describe(before.devices) << ", with the successor "
      << Describe(after.devices);
}

DECIDES("LIFE-05");
TEST_F(Shutdown, ASecondSigtermHarmsNothing) {
  ExpectDriverExit();
  const ResourceClaim claim = Allocated({AnyDevice()});
  const PreparedClaim before = Prepare(claim);
  (void)driver().process().Signal(SIGTERM).ok();
  (void)driver().process().Signal(SIGTERM).ok();
  (void)driver().process().WaitForExit(lab().profile().stop_timeout);
  KillAndRestartDriver();
  const PreparedClaim after = Prepare(claim);
  EXPECT_DRIVER(Sorted(before.devices) == Sorted(after.devices))
      << "after two SIGTERMs and a restart the claim has " << Describe(after.devices) << ", not "
      << Describe(before.devices);
}

DECIDES("LIFE-08");
TEST_F(Shutdown, IsBackWithinThirtySeconds) {
  const MonotonicTime begin = Clock::Real().Monotonic();
  RestartDriver();
  const auto took = Clock::Real().Monotonic() - begin;
  EXPECT_DRIVER(took < std::chrono::seconds(30))
      << "a restart until registered took "
      << std::chrono::duration_cast<std::chrono::seconds>(took).count()
      << " s; after 30 s the kubelet removes the slices";
}

DECIDES("LIFE-03");
TEST_F(Shutdown, LeavesACallThatRunsToBeRepeated) {
  ExpectDriverExit();
  const ResourceClaim claim = Allocated({AnyDevice()});
  const auto fault =
      lab().api_server().faults().Add({.match = DriverRequests({"get"}, {"resourceclaims"}),
                                       .action = controlplane::apiserver::Fault::Hang(),
                                       .times = 0});
  auto call = driver().service().StartPrepare({ReferenceTo(claim)}, Version(), kCallLimit);
  WaitUntilAClaimIsRead(fault);
  const std::optional<ExitStatus> exit = driver().Terminate(lab().profile().stop_timeout);
  EXPECT_DRIVER(exit.has_value())
      << "with a call that waits for the API server the driver does not end within its grace "
      << "period after SIGTERM";
  lab().api_server().faults().Clear();
  (void)call->Wait();
  call.reset();  // Belongs to the driver that ended.
  KillAndRestartDriver();
  const std::string error = PrepareError(claim);
  EXPECT_DRIVER(error.empty()) << "SIGTERM came during a Prepare, and after the restart it fails: "
                               << error;
}

DECIDES("LIFE-07");
TEST_F(Shutdown, OrRecoveryWhenItsSocketsWereRemoved) {
  ExpectDriverExit();
  const Registration registration = driver().registration();
  std::error_code error;
  std::filesystem::remove(registration.endpoint, error);
  std::filesystem::remove(registration.socket, error);
  const bool noticed = WaitUntil(kSocketLimit, [&] {
    return !driver().process().running() ||
           (TryConnect(registration.endpoint).ok() && TryConnect(registration.socket).ok());
  });
  EXPECT_DRIVER(noticed) << "10 s after its sockets were removed the driver neither serves on new "
                         << "ones nor has it ended to be restarted";
  KillAndRestartDriver();
}

}  // namespace
}  // namespace assay::conformance
