// Two instances of the driver at once, as in a rolling update: the new one starts before the old
// one ends, and the kubelet may call either.

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

class RollingUpdate : public Case {
 protected:
  // A second instance beside the lab's. Not decidable where the driver cannot do that: whether it
  // takes the first one's endpoint over instead is for REG-26 to say.
  std::unique_ptr<Driver> StartSecond() {
    Result<std::unique_ptr<Driver>> second =
        lab().StartInstance({.until = DriverOptions::Until::kRegistered});
    if (!second.ok()) {
      EndCase(Outcome::kNotDecidable, "a second instance does not start beside the first");
    }
    if ((*second)->registration().endpoint == driver().registration().endpoint) {
      second->reset();
      lab().Reset();
      EndCase(Outcome::kNotDecidable, "two instances of the driver share an endpoint");
    }
    return *std::move(second);
  }

  std::string PrepareErrorOn(Driver& instance, const ResourceClaim& claim) {
    return ErrorIn(instance.service().Prepare({ReferenceTo(claim)}, Version(), kCallLimit),
                   claim.metadata.uid);
  }
  std::string UnprepareErrorOn(Driver& instance, const ResourceClaim& claim) {
    return ErrorIn(instance.service().Unprepare({ReferenceTo(claim)}, Version(), kCallLimit),
                   claim.metadata.uid);
  }

  // What slices say, and at which generation.
  std::map<std::string, std::string> SliceContents() {
    std::map<std::string, std::string> contents;
    for (const ResourceSlice& slice : Slices()) {
      std::string& content = contents[slice.metadata.name];
      content = slice.spec.pool.name + "@" + std::to_string(slice.spec.pool.generation);
      for (const api::resource::Device& device : slice.spec.devices) {
        content += " " + device.name;
      }
    }
    return contents;
  }
};

DECIDES("ROLL-01", "ROLL-02");
TEST_F(RollingUpdate, InstancesHaveSocketsOfTheirOwnAndOneName) {
  const std::unique_ptr<Driver> second = StartSecond();
  EXPECT_DRIVER(second->registration().socket != driver().registration().socket)
      << "two instances register with the same socket";
  EXPECT_DRIVER(second->registration().info.name == driver().registration().info.name)
      << "two instances register under different names";
}

DECIDES("ROLL-03");
TEST_F(RollingUpdate, EitherInstanceAnswersTheSame) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  const PreparedClaim first = Prepare(claim);
  const std::unique_ptr<Driver> second = StartSecond();
  const auto response = second->service().Prepare({ReferenceTo(claim)}, Version(), kCallLimit);
  const std::string error = ErrorIn(response, claim.metadata.uid);
  ASSERT_DRIVER(error.empty()) << "prepared by one instance, the other fails: " << error;
  EXPECT_DRIVER(Sorted(response->at(claim.metadata.uid).devices) == Sorted(first.devices))
      << "prepared by one instance, the other answers "
      << Describe(response->at(claim.metadata.uid).devices);
}

DECIDES("ROLL-04");
TEST_F(RollingUpdate, EitherInstanceUndoesWhatTheOtherDid) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  const std::unique_ptr<Driver> second = StartSecond();
  const std::string error = UnprepareErrorOn(*second, claim);
  ASSERT_DRIVER(error.empty()) << "prepared by one instance, Unprepare by the other fails: "
                               << error;
  std::vector<std::string> left = CdiTracesOf(claim.metadata.uid);
  EXPECT_DRIVER(left.empty()) << "prepared by one instance, Unprepare by the other left "
                              << Join(left);
  Unprepare(claim);
  left = CdiTracesOf(claim.metadata.uid);
  EXPECT_DRIVER(left.empty()) << "the first instance brought back what the second had undone: "
                              << Join(left);
}

DECIDES("ROLL-05");
TEST_F(RollingUpdate, InstancesDoNotLoseEachOthersClaims) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const std::unique_ptr<Driver> second = StartSecond();
  const ResourceClaim a = Allocated({devices[0]});
  const ResourceClaim b = Allocated({devices[1]});
  for (int round = 0; round < 10; ++round) {
    auto on_first = driver().service().StartPrepare({ReferenceTo(a)}, Version(), kCallLimit);
    auto on_second = second->service().StartPrepare({ReferenceTo(b)}, Version(), kCallLimit);
    for (const std::string& error :
         {ErrorIn(on_first->Wait(), a.metadata.uid), ErrorIn(on_second->Wait(), b.metadata.uid)}) {
      ASSERT_DRIVER(error.empty())
          << "with two instances preparing at the same time, one fails: " << error;
    }
    // Crossed: each undoes what the other did.
    for (const std::string& error : {UnprepareErrorOn(*second, a), UnprepareErrorOn(driver(), b)}) {
      ASSERT_DRIVER(error.empty()) << "after both instances prepared, Unprepare fails: " << error;
    }
    ASSERT_DRIVER(CdiTracesOf(a.metadata.uid).empty() && CdiTracesOf(b.metadata.uid).empty())
        << "a claim that was prepared while the other instance prepared too was lost";
  }
}

DECIDES("ROLL-06", "ROLL-07", "ROLL-08");
TEST_F(RollingUpdate, TheOldInstanceLeavesTheNewOneAlone) {
  ExpectDriverExit();
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  const auto slices = SliceContents();
  std::unique_ptr<Driver> second = StartSecond();
  const FileSnapshot cdi = CdiFiles();
  (void)driver().Terminate(lab().profile().stop_timeout);
  for (const std::filesystem::path& socket :
       {second->registration().socket, std::filesystem::path(second->registration().endpoint)}) {
    const Status connected = TryConnect(socket);
    EXPECT_DRIVER(connected.ok()) << "as the old instance ended, the new one's socket went: "
                                  << connected.message();
  }
  EXPECT_DRIVER(CdiFiles() == cdi) << "as the old instance ended, CDI specs changed";
  EXPECT_DRIVER(SliceContents() == slices) << "over the hand-over the slices changed";
  const std::string error = PrepareErrorOn(*second, claim);
  EXPECT_DRIVER(error.empty()) << "after the hand-over the new instance fails: " << error;
  lab().Adopt(std::move(second));
}

DECIDES("ROLL-09");
TEST_F(RollingUpdate, AFailedUpdateLeavesTheOldInstanceWorking) {
  const std::unique_ptr<Driver> second = StartSecond();
  second->Kill();
  const Status connected = TryConnect(driver().registration().endpoint);
  ASSERT_DRIVER(connected.ok()) << "after a failed update the old instance's endpoint is gone: "
                                << connected.message();
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  Unprepare(claim);
}

DECIDES("ROLL-11");
TEST_F(RollingUpdate, ACrashedInstanceHoldsNoLock) {
  ExpectDriverExit();
  std::unique_ptr<Driver> second = StartSecond();
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  driver().Kill();
  const std::string error = PrepareErrorOn(*second, claim);
  EXPECT_DRIVER(error.empty()) << "after one instance crashed the other fails: " << error;
  lab().Adopt(std::move(second));
}

}  // namespace
}  // namespace assay::conformance
