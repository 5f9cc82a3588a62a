// NodePrepareResources may be called any number of times for a claim: the kubelet does so after
// each restart, for each pod that shares the claim, and whenever it is not sure.

#include <string>
#include <vector>

#include "base/file.h"
#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using PrepareAgain = Case;

// The driver's durable state: what the profile names, else all of its data.
FileSnapshot StateOf(Lab& lab) {
  if (lab.profile().state_files.empty()) {
    return SnapshotFiles(lab.data_directory());
  }
  FileSnapshot state;
  for (const std::filesystem::path& file : lab.StateFiles()) {
    state[file.string()] = ReadFile(file).value_or("");
  }
  return state;
}

DECIDES("PREP-01");
TEST_F(PrepareAgain, AnswersTheSameDevices) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  const PreparedClaim first = Prepare(claim);
  const PreparedClaim second = Prepare(claim);
  EXPECT_DRIVER(Sorted(first.devices) == Sorted(second.devices))
      << "the first NodePrepareResources answered " << Describe(first.devices) << ", the second "
      << Describe(second.devices);
}

DECIDES("PREP-02");
TEST_F(PrepareAgain, TenTimesAmongOtherClaims) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const ResourceClaim claim = Allocated({devices[0]});
  const ResourceClaim other = Allocated({devices[1]});
  const PreparedClaim first = Prepare(claim);
  for (int i = 2; i <= 10; ++i) {
    Prepare(other);
    const PreparedClaim again = Prepare(claim);
    ASSERT_DRIVER(Sorted(first.devices) == Sorted(again.devices))
        << "the first NodePrepareResources answered " << Describe(first.devices) << ", a later one "
        << Describe(again.devices);
    if (i % 3 == 0) {
      Unprepare(other);
    }
  }
}

DECIDES("PREP-03");
TEST_F(PrepareAgain, ChangesNothingThatLasts) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  const FileSnapshot cdi = CdiFiles();
  const FileSnapshot state = StateOf(lab());
  Prepare(claim);
  EXPECT_DRIVER(CdiFiles() == cdi) << "a repeated NodePrepareResources changed the CDI specs";
  EXPECT_DRIVER(StateOf(lab()) == state)
      << "a repeated NodePrepareResources changed the driver's state files";
}

DECIDES("PREP-04");
TEST_F(PrepareAgain, StillLetsTheClaimBeUnprepared) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  Prepare(claim);
  Unprepare(claim);
  const std::vector<std::string> left = CdiTracesOf(claim.metadata.uid);
  EXPECT_DRIVER(left.empty()) << "after two Prepares and an Unprepare, CDI specs are left: "
                              << Join(left);
}

DECIDES("PREP-11");
TEST_F(PrepareAgain, InOneRequest) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  const PreparedClaim twice = [&] {
    const PrepareResponse response = CallPrepare({claim, claim});
    const auto entry = response.find(claim.metadata.uid);
    ASSERT_DRIVER(entry != response.end() && entry->second.error.empty())
        << "a claim that was listed twice in one request failed: "
        << (entry == response.end() ? "no entry" : entry->second.error);
    EXPECT_DRIVER(response.size() == 1)
        << "a claim that was listed twice has " << response.size() << " entries";
    return entry->second;
  }();
  const FileSnapshot cdi = CdiFiles();
  const PreparedClaim once = Prepare(claim);
  EXPECT_DRIVER(Sorted(once.devices) == Sorted(twice.devices))
      << "listed twice, the claim got " << Describe(twice.devices) << ", listed once "
      << Describe(once.devices);
  EXPECT_DRIVER(CdiFiles() == cdi)
      << "listed twice, the claim has other CDI specs than listed once";
}

DECIDES("PREP-47");
TEST_F(PrepareAgain, ForASecondPodOfTheClaim) {
  const ResourceClaim claim =
      MakeClaim({.name = {}, .requests = {{.devices = {AnyDevice()}}}, .pods = 2});
  const PreparedClaim first = Prepare(claim);
  const FileSnapshot cdi = CdiFiles();
  const PreparedClaim second = Prepare(claim);
  EXPECT_DRIVER(Sorted(first.devices) == Sorted(second.devices))
      << "for the second pod NodePrepareResources answered " << Describe(second.devices)
      << ", for the first " << Describe(first.devices);
  EXPECT_DRIVER(CdiFiles() == cdi) << "preparing for the second pod changed the CDI specs";
}

DECIDES("PREP-48");
TEST_F(PrepareAgain, TogetherWithANewClaim) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const ResourceClaim old_claim = Allocated({devices[0]});
  const ResourceClaim new_claim = Allocated({devices[1]});
  const PreparedClaim first = Prepare(old_claim);
  const PrepareResponse both = CallPrepare({old_claim, new_claim});
  for (const ResourceClaim* claim : {&old_claim, &new_claim}) {
    const std::string error = ErrorIn(both, claim->metadata.uid);
    ASSERT_DRIVER(error.empty()) << "in a batch of a prepared and a new claim, one failed: "
                                 << error;
  }
  EXPECT_DRIVER(Sorted(both.at(old_claim.metadata.uid).devices) == Sorted(first.devices))
      << "in a batch with a new claim, the prepared one has other devices than before";
}

DECIDES("PREP-46", "UNPR-17");
TEST_F(PrepareAgain, AfterUnprepareIsAsFresh) {
  const DeviceRef device = AnyDevice();
  const ResourceClaim claim = Allocated({device});
  const PreparedClaim first = Prepare(claim);
  Unprepare(claim);
  const PreparedClaim again = Prepare(claim);
  EXPECT_DRIVER(again.devices.size() == first.devices.size())
      << "prepared again after Unprepare, the claim has " << Describe(again.devices) << ", not "
      << Describe(first.devices);
  Unprepare(claim);
  const ResourceClaim other = Allocated({device});
  const std::string error = PrepareError(other);
  EXPECT_DRIVER(error.empty()) << "a device that was unprepared is refused to the next claim: "
                               << error;
}

DECIDES("PREP-45");
TEST_F(PrepareAgain, OfADeviceForAnotherClaimIsRefused) {
  const DeviceRef device = AnyDevice();
  Prepare(Allocated({device}));
  const ResourceClaim second = Allocated({device});
  EXPECT_DRIVER(!PrepareError(second).empty())
      << "a device that is prepared for one claim was prepared for a second one as well";
}

}  // namespace
}  // namespace assay::conformance
