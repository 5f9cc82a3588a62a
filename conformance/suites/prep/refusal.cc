// Claims that NodePrepareResources must refuse, and what a refusal may not leave behind.

#include <string>
#include <vector>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using PrepareRefusal = Case;

DeviceRef Unknown(const DeviceRef& like) {
  return {.pool = like.pool, .name = "assay-no-such-device", .driver = {}, .key = {}};
}

DECIDES("PREP-13");
TEST_F(PrepareRefusal, OfAClaimThatTheApiDoesNotHave) {
  const ClaimReference claim{
      .namespace_ = std::string(kNamespace), .name = "no-such-claim", .uid = lab().NewUid()};
  AlsoUnprepare(claim);
  EXPECT_DRIVER(!PrepareError(claim).empty()) << "a claim that the API does not have was prepared";
  const std::vector<std::string> traces = CdiTracesOf(claim.uid);
  EXPECT_DRIVER(traces.empty()) << "a claim that the API does not have left " << Join(traces);
}

DECIDES("PREP-14");
TEST_F(PrepareRefusal, OfAClaimThatIsNotAllocated) {
  const ResourceClaim claim =
      MakeClaim({.name = {}, .requests = {{.devices = {AnyDevice()}}}, .allocated = false});
  EXPECT_DRIVER(!PrepareError(claim).empty()) << "a claim without an allocation was prepared";
  const std::vector<std::string> traces = CdiTracesOf(claim.metadata.uid);
  EXPECT_DRIVER(traces.empty()) << "a claim without an allocation left " << Join(traces);
}

DECIDES("PREP-15");
TEST_F(PrepareRefusal, OfAnotherClaimUnderTheSameName) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  ClaimReference old_claim = ReferenceTo(claim);
  old_claim.uid = lab().NewUid();
  AlsoUnprepare(old_claim);
  EXPECT_DRIVER(!PrepareError(old_claim).empty())
      << "a UID was prepared that the API's claim of that name does not have";
  const std::vector<std::string> traces = CdiTracesOf(old_claim.uid);
  EXPECT_DRIVER(traces.empty()) << "a claim with another UID left " << Join(traces);
}

DECIDES("PREP-08");
TEST_F(PrepareRefusal, SaysWhy) {
  const ResourceClaim claim =
      MakeClaim({.name = {}, .requests = {{.devices = {AnyDevice()}}}, .allocated = false});
  const auto response = TryPrepare({ReferenceTo(claim)}, Version());
  if (!response.ok()) {
    EXPECT_DRIVER(!response.status().message().empty())
        << "NodePrepareResources failed without a message";
    return;
  }
  const auto entry = response->find(claim.metadata.uid);
  ASSERT_DRIVER(entry != response->end()) << "the answer has no entry for a claim that failed";
  EXPECT_DRIVER(!entry->second.error.empty()) << "the entry of a claim that failed has no error";
  EXPECT_DRIVER(entry->second.devices.empty())
      << "the entry of a claim that failed has devices: " << Describe(entry->second.devices);
}

DECIDES("PREP-19");
TEST_F(PrepareRefusal, OfADeviceThatTheDriverDoesNotHave) {
  const DeviceRef unknown = Unknown(AnyDevice());
  const std::string error = PrepareError(Allocated({unknown}));
  ASSERT_DRIVER(!error.empty()) << "a device that the driver does not have was prepared";
  EXPECT_DRIVER(error.find(unknown.name) != std::string::npos)
      << "the error does not name the unknown device: " << error;
}

DECIDES("PREP-09");
TEST_F(PrepareRefusal, OfOneClaimLeavesTheOthersAlone) {
  const DeviceRef device = AnyDevice();
  const ResourceClaim good = Allocated({device});
  const ResourceClaim bad = Allocated({Unknown(device)});
  const auto response = TryPrepare({ReferenceTo(bad), ReferenceTo(good)}, Version());
  if (ErrorIn(response, bad.metadata.uid).empty()) {
    EndCase(Outcome::kNotDecidable,
            "the driver refuses no device, so that a batch has no bad claim");
  }
  const std::string error = ErrorIn(response, good.metadata.uid);
  EXPECT_DRIVER(error.empty()) << "a good claim failed together with a bad one: " << error;
}

DECIDES("PREP-40");
TEST_F(PrepareRefusal, LeavesNothingBehind) {
  const DeviceRef device = AnyDevice();
  const FileSnapshot before = CdiFiles();
  const ResourceClaim bad = Allocated({Unknown(device)});
  if (PrepareError(bad).empty()) {
    EndCase(Outcome::kNotDecidable, "the driver refuses no device");
  }
  EXPECT_DRIVER(CdiFiles() == before) << "a claim that failed changed the CDI specs";
  const std::string error = PrepareError(Allocated({device}));
  EXPECT_DRIVER(error.empty()) << "after a claim that failed the next one fails as well: " << error;
}

DECIDES("PREP-41");
TEST_F(PrepareRefusal, InTheMiddleOfAClaimIsRolledBack) {
  const DeviceRef device = AnyDevice();
  const FileSnapshot before = CdiFiles();
  const ResourceClaim half_bad = Allocated({device, Unknown(device)});
  if (PrepareError(half_bad).empty()) {
    EndCase(Outcome::kNotDecidable, "the driver refuses no device");
  }
  EXPECT_DRIVER(CdiFiles() == before)
      << "a claim whose second device failed left the CDI spec of its first";
  const std::string error = PrepareError(Allocated({device}));
  EXPECT_DRIVER(error.empty())
      << "the first device of a claim whose second failed is not free again: " << error;
}

DECIDES("PREP-43");
TEST_F(PrepareRefusal, LetsTheClaimBeUnprepared) {
  const DeviceRef device = AnyDevice();
  const ResourceClaim claim =
      MakeClaim({.name = {}, .requests = {{.devices = {device}}}, .allocated = false});
  (void)PrepareError(claim);
  const std::string error = UnprepareError(ReferenceTo(claim));
  EXPECT_DRIVER(error.empty()) << "Unprepare after a failed Prepare fails: " << error;
  Prepare(Allocated({device}));
}

DECIDES("PREP-16");
TEST_F(PrepareRefusal, OrNotOfAClaimThatIsBeingDeleted) {
  const std::string finalizer = "example.org/assay";
  const ResourceClaim claim =
      MakeClaim({.name = {}, .requests = {{.devices = {AnyDevice()}}}, .finalizers = {finalizer}});
  DeleteClaim(claim);
  // Either answer is good; silence is not, which PrepareError tells.
  (void)PrepareError(claim);
  const std::string error = UnprepareError(ReferenceTo(claim));
  EXPECT_DRIVER(error.empty()) << "a claim that is being deleted cannot be unprepared: " << error;
  Harness(lab().admin().Patch<ResourceClaim>({claim.metadata.namespace_, claim.metadata.name},
                                             R"({"metadata":{"finalizers":null}})"));
}

}  // namespace
}  // namespace assay::conformance
