// Case: what every test of the certification starts from: a driver that runs and is registered, and
// short words for what the kubelet and the scheduler do.
//
//   DECIDES("PREP-05");
//   TEST_F(Prepare, AnswersUnderTheClaimsUid) {
//     const ResourceClaim claim = Allocated({AnyDevice()});
//     const PrepareResponse response = CallPrepare({claim});
//     EXPECT_DRIVER(response.contains(claim.metadata.uid)) << "the answer has no entry for ...";
//   }
//
// A case fails by EXPECT_DRIVER and ASSERT_DRIVER, with one sentence of what the driver did. What
// the harness itself cannot do ends the case as a harness error, and decides nothing.
//
// Helpers end a case by throwing what GoogleTest documents for that purpose, and it catches: an
// exception that never leaves the test.
//
// Not thread-safe.
#ifndef ASSAY_CONFORMANCE_RUNNER_CASE_H_
#define ASSAY_CONFORMANCE_RUNNER_CASE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/resource/types.h"
#include "base/result.h"
#include "conformance/lab/claim.h"
#include "conformance/lab/lab.h"
#include "conformance/runner/registry.h"
#include "conformance/verdict/verdict.h"
#include "controlplane/node/blocking_driver.h"

namespace assay::conformance {

using api::resource::ResourceClaim;
using api::resource::ResourceSlice;
using controlplane::node::BlockingDriver;
using controlplane::node::ClaimReference;
using controlplane::node::DraVersion;
using controlplane::node::PreparedClaim;
using controlplane::node::PreparedDevice;
using controlplane::node::PrepareResponse;
using controlplane::node::UnprepareResponse;

// Ends the running case with an outcome that is neither pass nor fail.
[[noreturn]] void EndCase(Outcome outcome, std::string message);

// The value, or the end of the case as a harness error: for what is not the driver's to do.
template <typename T>
T Harness(Result<T> result) {
  if (!result.ok()) {
    EndCase(Outcome::kHarnessError, result.status().ToString());
  }
  return *std::move(result);
}
void Harness(const Status& status);

// Records a failure with the sentence that is streamed into it; `fatal` ends the case.
class FailureRecorder {
 public:
  FailureRecorder(const char* file, int line, bool fatal)
      : file_(file), line_(line), fatal_(fatal) {}
  void operator=(const ::testing::Message& message) const;

 private:
  const char* file_;
  int line_;
  bool fatal_;
};

#define EXPECT_DRIVER(condition) \
  if (condition) {               \
  } else /* NOLINT */            \
    ::assay::conformance::FailureRecorder(__FILE__, __LINE__, false) = ::testing::Message()
#define ASSERT_DRIVER(condition) \
  if (condition) {               \
  } else /* NOLINT */            \
    ::assay::conformance::FailureRecorder(__FILE__, __LINE__, true) = ::testing::Message()

class Case : public ::testing::Test {
 protected:
  // How long a call may take before the case calls it hung. The kubelet waits for 45 s.
  static constexpr Duration kCallLimit = std::chrono::seconds(20);

  void SetUp() override;
  void TearDown() override;

  static Lab& lab();
  // The lab's driver, running and registered.
  Driver& driver();
  // After one of these, driver() is a new process.
  void RestartDriver();
  void KillAndRestartDriver();
  // The driver's exit is part of the case: TearDown does not complain.
  void ExpectDriverExit() { exit_expected_ = true; }

  // Not decidable without it.
  void RequireHook(Hook hook);

  // A device as it is published in `pool`.
  DeviceRef RefTo(const std::string& pool, const api::resource::Device& device);
  // Every published device.
  std::vector<DeviceRef> AllDevices();
  // The device in `slices`; null if it is not there.
  static const api::resource::Device* FindDevice(const std::vector<ResourceSlice>& slices,
                                                 const DeviceRef& device);
  // Published devices that can be allocated at the same time; the case is not decidable with fewer
  // than `count`.
  std::vector<DeviceRef> SomeDevices(std::size_t count);
  DeviceRef AnyDevice() { return SomeDevices(1).front(); }
  std::vector<ResourceSlice> Slices();
  // Waits until the driver's slices are as `holds` says; false after `limit`.
  bool WaitForSlices(Duration limit,
                     const std::function<bool(const std::vector<ResourceSlice>&)>& holds);

  // A claim in the API, ended (unprepared and deleted) with the case. Names derive from the case's.
  ResourceClaim MakeClaim(ClaimOptions options);
  // With one request that was given `devices`.
  ResourceClaim Allocated(std::vector<DeviceRef> devices);
  void DeleteClaim(const ResourceClaim& claim);
  // To be unprepared at the end, though it never was in the API.
  void AlsoUnprepare(ClaimReference claim) { to_unprepare_.push_back(std::move(claim)); }

  // NodePrepareResources, as the driver answered.
  Result<PrepareResponse> TryPrepare(const std::vector<ClaimReference>& claims,
                                     DraVersion version = DraVersion::kV1);
  Result<UnprepareResponse> TryUnprepare(const std::vector<ClaimReference>& claims,
                                         DraVersion version = DraVersion::kV1);
  // The version that the driver speaks: v1, else v1beta1.
  DraVersion Version();
  // What must work: else the case fails with the error.
  PrepareResponse CallPrepare(const std::vector<ResourceClaim>& claims);
  PreparedClaim Prepare(const ResourceClaim& claim);
  void Unprepare(const ResourceClaim& claim);
  // The error of a Prepare that may fail: of the call, or of the claim's entry; empty if it worked.
  std::string PrepareError(const ClaimReference& claim);
  std::string PrepareError(const ResourceClaim& claim) { return PrepareError(ReferenceTo(claim)); }
  std::string UnprepareError(const ClaimReference& claim);
  // The same of an answer.
  static std::string ErrorIn(const Result<PrepareResponse>& response, const std::string& uid);
  static std::string ErrorIn(const Result<UnprepareResponse>& response, const std::string& uid);

  // Relative paths to contents.
  FileSnapshot CdiFiles() { return SnapshotFiles(lab().directories().cdi); }
  // What of `claim` can still be found in CDI specs and in the driver's data: paths of files whose
  // name or content has its UID.
  std::vector<std::string> CdiTracesOf(const std::string& uid);
  std::vector<std::string> DataTracesOf(const std::string& uid);

  // The driver's requests to the API server since the case began, or since `mark`.
  std::vector<controlplane::apiserver::RequestRecord> Requests(std::uint64_t mark);
  std::uint64_t RequestMark() { return lab().api_server().requests().last(); }
  // The user of the driver, for fault matches.
  controlplane::apiserver::RequestMatch DriverRequests(std::set<std::string> verbs,
                                                       std::set<std::string> resources);

  // Waits until a request of the driver has met this fault of reading claims; not decidable for a
  // driver that reads none.
  void WaitUntilAClaimIsRead(controlplane::apiserver::FaultInjector::Id fault);
  // Returns in another second than it was called in, for what is compared by times without
  // fractions.
  static void PassASecond();

  // The driver's output in this case.
  std::string OutputOfCase();

 private:
  std::string NextClaimName();
  void CleanUp();

  std::vector<ResourceClaim> claims_;
  std::vector<ClaimReference> to_unprepare_;
  int claim_names_ = 0;
  bool began_ = false;  // SetUp came to its end.
  bool exit_expected_ = false;
  std::uint64_t output_mark_ = 0;
  FileSnapshot cdi_before_;
};

// Asks `holds` again and again until it says yes or `limit` has passed, for what tells nobody when
// it changes: files, /proc, counters. Returns the last answer.
bool WaitUntil(Duration limit, const std::function<bool()>& holds);

// "pool/device, pool/device" in the order given: for messages.
std::string Describe(const std::vector<PreparedDevice>& devices);
std::string Join(const std::vector<std::string>& words, std::string_view separator = ", ");
// Sorted by pool and name, with sorted CDI ids: the kubelet does not mind the order.
std::vector<PreparedDevice> Sorted(std::vector<PreparedDevice> devices);

namespace internal {

// What the runner gives to cases, and takes from them.
struct CaseContext {
  Lab* lab = nullptr;
  const CaseInfo* info = nullptr;
  // Set by EndCase.
  std::optional<Outcome> outcome;
  std::string message;
  std::string output;  // The driver's, in the window of the case.
  bool skip = false;   // Another worker of the run has it, or the run is to end.
};
CaseContext& CurrentCase();

}  // namespace internal

}  // namespace assay::conformance

#endif  // ASSAY_CONFORMANCE_RUNNER_CASE_H_
