// NodeUnprepareResources: undoes, also what it knows little or nothing of.

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using Unprepared = Case;
using controlplane::apiserver::Fault;

DECIDES("UNPR-01");
TEST_F(Unprepared, TwiceIsFine) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  Unprepare(claim);
  const std::string error = UnprepareError(ReferenceTo(claim));
  EXPECT_DRIVER(error.empty()) << "a repeated NodeUnprepareResources failed: " << error;
}

DECIDES("UNPR-02", "UNPR-05", "UNPR-06");
TEST_F(Unprepared, OfUnknownClaimsAnswersAnEntryForEach) {
  std::vector<ClaimReference> claims;
  for (int i = 0; i < 2; ++i) {
    claims.push_back({.namespace_ = std::string(kNamespace),
                      .name = "never-prepared-" + std::to_string(i),
                      .uid = lab().NewUid()});
  }
  const auto response = TryUnprepare(claims, Version());
  ASSERT_DRIVER(response.ok()) << "NodeUnprepareResources of unknown claims failed: "
                               << response.status().ToString();
  for (const ClaimReference& claim : claims) {
    const auto entry = response->find(claim.uid);
    ASSERT_DRIVER(entry != response->end()) << "the answer has no entry for an unknown claim";
    EXPECT_DRIVER(entry->second.empty())
        << "an unknown claim answered the error: " << entry->second;
  }
  EXPECT_DRIVER(response->size() == claims.size())
      << "for " << claims.size() << " claims the answer has " << response->size() << " entries";
}

DECIDES("UNPR-03");
TEST_F(Unprepared, AfterTheClaimWasDeletedFromTheApi) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  DeleteClaim(claim);
  const std::string error = UnprepareError(ReferenceTo(claim));
  EXPECT_DRIVER(error.empty()) << "with the claim gone from the API Unprepare fails: " << error;
  const std::vector<std::string> left = CdiTracesOf(claim.metadata.uid);
  EXPECT_DRIVER(left.empty()) << "with the claim gone from the API Unprepare left " << Join(left);
}

DECIDES("UNPR-04");
TEST_F(Unprepared, WhileTheApiServerIsDown) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  lab().api_server().faults().Add(
      {.match = DriverRequests({}, {}), .action = Fault::DropConnection(), .times = 0});
  const std::string error = UnprepareError(ReferenceTo(claim));
  EXPECT_DRIVER(error.empty()) << "with the API server down Unprepare fails: " << error;
  const std::vector<std::string> left = CdiTracesOf(claim.metadata.uid);
  EXPECT_DRIVER(left.empty()) << "with the API server down Unprepare left " << Join(left);
}

DECIDES("UNPR-07");
TEST_F(Unprepared, ByAnotherProcessThanPrepared) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  RestartDriver();
  Unprepare(claim);
  const std::vector<std::string> left = CdiTracesOf(claim.metadata.uid);
  EXPECT_DRIVER(left.empty())
      << "prepared before a restart and unprepared after it, the claim left " << Join(left);
}

DECIDES("UNPR-08");
TEST_F(Unprepared, OverAnotherConnectionThanPrepared) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  const auto connection = driver().NewConnection();
  const auto response = connection->Unprepare({ReferenceTo(claim)}, Version(), kCallLimit);
  const std::string error = ErrorIn(response, claim.metadata.uid);
  EXPECT_DRIVER(error.empty()) << "over a second connection Unprepare fails: " << error;
}

DECIDES("UNPR-09");
TEST_F(Unprepared, ClaimsHaveNoCdiSpec) {
  const FileSnapshot before = CdiFiles();
  const ResourceClaim claim = Allocated(SomeDevices(2));
  Prepare(claim);
  Unprepare(claim);
  const std::vector<std::string> left = CdiTracesOf(claim.metadata.uid);
  EXPECT_DRIVER(left.empty()) << "after Unprepare CDI specs of the claim are left: " << Join(left);
  EXPECT_DRIVER(CdiFiles() == before) << "after Unprepare the CDI directory is not as before";
}

DECIDES("UNPR-10");
TEST_F(Unprepared, ClaimsHaveNoStateEntry) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  Unprepare(claim);
  const std::vector<std::string> left = DataTracesOf(claim.metadata.uid);
  EXPECT_DRIVER(left.empty()) << "after Unprepare the driver's files still name the claim: "
                              << Join(left);
}

// While it lives, a directory that is not empty lies where a claim's CDI spec was: whoever removes
// the spec fails.
class Obstacle {
 public:
  explicit Obstacle(const std::vector<std::filesystem::path>& files) {
    for (const std::filesystem::path& file : files) {
      const std::filesystem::path aside = file.parent_path() / ("." + file.filename().string());
      std::filesystem::rename(file, aside);
      std::filesystem::create_directories(file / "in-the-way");
      moved_.emplace_back(file, aside);
    }
  }
  ~Obstacle() { Remove(); }
  Obstacle(const Obstacle&) = delete;
  Obstacle& operator=(const Obstacle&) = delete;

  bool InTheWay() const {
    return std::ranges::any_of(
        moved_, [](const auto& pair) { return std::filesystem::exists(pair.first); });
  }
  void Remove() {
    for (const auto& [file, aside] : std::exchange(moved_, {})) {
      std::filesystem::remove_all(file);
      std::filesystem::rename(aside, file);
    }
  }

 private:
  std::vector<std::pair<std::filesystem::path, std::filesystem::path>> moved_;
};

DECIDES("UNPR-13", "UNPR-14");
TEST_F(Unprepared, FailuresAreTheClaimsOwnAndRetried) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const ResourceClaim stuck = Allocated({devices[0]});
  const ResourceClaim other = Allocated({devices[1]});
  Prepare(stuck);
  Prepare(other);
  std::vector<std::filesystem::path> specs;
  for (const std::string& path : CdiTracesOf(stuck.metadata.uid)) {
    const auto of_other = CdiTracesOf(other.metadata.uid);
    if (std::ranges::find(of_other, path) == of_other.end()) {
      specs.push_back(lab().directories().cdi / path);
    }
  }
  if (specs.empty()) {
    EndCase(Outcome::kNotDecidable, "the driver has no CDI spec for each claim");
  }
  Obstacle obstacle(specs);
  const auto response = TryUnprepare({ReferenceTo(stuck), ReferenceTo(other)}, Version());
  const bool failed = !ErrorIn(response, stuck.metadata.uid).empty();
  ASSERT_DRIVER(response.ok()) << "one claim's CDI spec cannot be removed, and the whole call of "
                               << "two claims fails: " << response.status().ToString();
  const std::string error = ErrorIn(response, other.metadata.uid);
  EXPECT_DRIVER(error.empty())
      << "one claim's CDI spec cannot be removed, and the other claim of the call fails: " << error;
  EXPECT_DRIVER(CdiTracesOf(other.metadata.uid).empty())
      << "one claim's CDI spec cannot be removed, and the other claim of the call keeps its own";
  EXPECT_DRIVER(failed || !obstacle.InTheWay())
      << "NodeUnprepareResources answers that a claim is undone whose CDI spec it could not remove";
  obstacle.Remove();
  if (failed) {
    Unprepare(stuck);
  }
  // It went on without the spec where it did not fail: then nobody asks again.
  const std::vector<std::string> left = DataTracesOf(stuck.metadata.uid);
  EXPECT_DRIVER(left.empty()) << "an Unprepare that failed first and was retried left "
                              << Join(left);
  for (const std::filesystem::path& spec : specs) {
    std::error_code ignored;
    std::filesystem::remove(spec, ignored);
  }
}

DECIDES("UNPR-16");
TEST_F(Unprepared, InTimeWithADeadDevice) {
  RequireHook(Hook::kFail);
  RequireHook(Hook::kHeal);
  const DeviceRef device = AnyDevice();
  const ResourceClaim claim = Allocated({device});
  Prepare(claim);
  Harness(lab().hooks().Run(Hook::kFail, device.key));
  const auto response = driver().service().Unprepare({ReferenceTo(claim)}, Version());
  Harness(lab().hooks().Run(Hook::kHeal, device.key));
  EXPECT_DRIVER(response.status().code() != StatusCode::kDeadlineExceeded)
      << "with a dead device Unprepare did not answer within 45 s";
}

DECIDES("UNPR-18");
TEST_F(Unprepared, ByUidNotByName) {
  const DeviceRef device = AnyDevice();
  const ResourceClaim first = Allocated({device});
  Prepare(first);
  DeleteClaim(first);
  Unprepare(first);
  const ResourceClaim second =
      MakeClaim({.name = first.metadata.name, .requests = {{.devices = {device}}}});
  Prepare(second);
  const FileSnapshot prepared = CdiFiles();
  const std::string error = UnprepareError(ReferenceTo(first));
  EXPECT_DRIVER(error.empty()) << "Unprepare of a claim whose name has a new owner fails: "
                               << error;
  EXPECT_DRIVER(CdiFiles() == prepared)
      << "Unprepare of an old UID undid the claim that has its name now";
}

DECIDES("UNPR-19");
TEST_F(Unprepared, AfterItsCdiSpecWasRemoved) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  for (const std::string& path : CdiTracesOf(claim.metadata.uid)) {
    std::filesystem::remove(lab().directories().cdi / path);
  }
  const std::string error = UnprepareError(ReferenceTo(claim));
  EXPECT_DRIVER(error.empty()) << "with its CDI spec removed by somebody Unprepare fails: "
                               << error;
}

DECIDES("UNPR-20");
TEST_F(Unprepared, WhenTheDeviceIsGone) {
  RequireHook(Hook::kUnplug);
  RequireHook(Hook::kPlug);
  const DeviceRef device = AnyDevice();
  const ResourceClaim claim = Allocated({device});
  Prepare(claim);
  Harness(lab().hooks().Run(Hook::kUnplug, device.key));
  const std::string error = UnprepareError(ReferenceTo(claim));
  Harness(lab().hooks().Run(Hook::kPlug, device.key));
  EXPECT_DRIVER(error.empty()) << "with the device unplugged Unprepare fails: " << error;
  const std::vector<std::string> left = CdiTracesOf(claim.metadata.uid);
  EXPECT_DRIVER(left.empty()) << "with the device unplugged Unprepare left " << Join(left);
}

DECIDES("UNPR-22");
TEST_F(Unprepared, OfNoClaimsAnswersNothing) {
  const auto response = TryUnprepare({}, Version());
  ASSERT_DRIVER(response.ok()) << "NodeUnprepareResources without claims failed: "
                               << response.status().ToString();
  EXPECT_DRIVER(response->empty()) << "NodeUnprepareResources without claims answered entries";
}

DECIDES("UNPR-23");
TEST_F(Unprepared, WhileThePrepareOfTheClaimRuns) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  for (int round = 0; round < 10; ++round) {
    auto prepare = driver().service().StartPrepare({ReferenceTo(claim)}, Version(), kCallLimit);
    (void)UnprepareError(ReferenceTo(claim));
    const Result<PrepareResponse> prepared = prepare->Wait();
    ASSERT_DRIVER(prepared.status().code() != StatusCode::kDeadlineExceeded)
        << "Prepare beside an Unprepare of the same claim did not answer within 20 s";
    Unprepare(claim);
    const std::vector<std::string> left = CdiTracesOf(claim.metadata.uid);
    ASSERT_DRIVER(left.empty()) << "Prepare and Unprepare of one claim at the same time, and an "
                                << "Unprepare after both, left " << Join(left);
  }
}

}  // namespace
}  // namespace assay::conformance
