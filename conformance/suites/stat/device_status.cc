// status.devices of claims (KEP-4817), by drivers that declare that they write it.

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using api::resource::AllocatedDeviceStatus;
using controlplane::apiserver::Fault;
using controlplane::apiserver::RequestRecord;

constexpr Duration kWriteLimit = std::chrono::seconds(20);
// In this time a driver that writes with every call has done so.
constexpr Duration kIdleWindow = std::chrono::milliseconds(1500);

const std::set<std::string> kWrites = {"update", "patch"};

class DeviceStatus : public Case {
 protected:
  using Id = std::tuple<std::string, std::string, std::string, std::string>;

  static Id IdOf(const AllocatedDeviceStatus& status) {
    return {status.driver, status.pool, status.device, status.share_id.value_or("")};
  }
  static std::set<Id> InAllocation(const ResourceClaim& claim) {
    std::set<Id> ids;
    for (const auto& result : claim.status.allocation->devices.results) {
      ids.emplace(result.driver, result.pool, result.device, result.share_id.value_or(""));
    }
    return ids;
  }

  // The claim once each of its devices has an entry of the driver.
  ResourceClaim Reported(const ResourceClaim& claim) {
    const std::string& driver = lab().profile().driver;
    const auto own = [&](const auto& entries) {
      return std::ranges::count_if(entries,
                                   [&](const auto& entry) { return entry.driver == driver; });
    };
    api::client::BlockingClient waiter(lab().admin().client(), kWriteLimit);
    const Result<ResourceClaim> reported = waiter.WaitFor<ResourceClaim>(
        {claim.metadata.namespace_, claim.metadata.name}, [&](const ResourceClaim& now) {
          return now.status.allocation &&
                 own(now.status.devices) >= own(now.status.allocation->devices.results);
        });
    ASSERT_DRIVER(reported.ok())
        << "20 s after a claim was prepared its status.devices does not have all of its devices";
    return *reported;
  }

  std::vector<RequestRecord> StatusWrites(std::uint64_t mark) {
    return lab().api_server().requests().Since(mark,
                                               DriverRequests(kWrites, {"resourceclaims/status"}));
  }
};

DECIDES("STAT-01", "STAT-03", "STAT-09");
TEST_F(DeviceStatus, HasEachAllocatedDevice) {
  const std::uint64_t mark = RequestMark();
  const ResourceClaim claim = Allocated(SomeDevices(2));
  Prepare(claim);
  const ResourceClaim reported = Reported(claim);
  const std::set<Id> allocated = InAllocation(reported);
  for (const AllocatedDeviceStatus& status : reported.status.devices) {
    EXPECT_DRIVER(allocated.contains(IdOf(status)))
        << "status.devices has " << status.driver << "/" << status.pool << "/" << status.device
        << ", which the allocation does not have";
  }
  for (const RequestRecord& record : StatusWrites(mark)) {
    EXPECT_DRIVER(record.code != 403)
        << "a write of the claim's status was forbidden: it takes more than the verbs "
        << "associated-node:update and associated-node:patch on resourceclaims/driver";
  }
}

DECIDES("STAT-02");
TEST_F(DeviceStatus, LeavesOthersEntriesAlone) {
  const DeviceRef device = AnyDevice();
  ResourceClaim claim = MakeClaim(
      {.name = {},
       .requests = {{.name = "devices", .devices = {device}},
                    {.name = "other",
                     .devices = {{.pool = "p", .name = "d", .driver = "other.example.org"}}}}});
  auto& other = claim.status.devices.emplace_back();
  other.driver = "other.example.org";
  other.pool = "p";
  other.device = "d";
  other.conditions.push_back({.type = "Ready",
                              .status = "True",
                              .last_transition_time = api::meta::Time::From(Clock::Real().Now()),
                              .reason = "Assay"});
  const ResourceClaim with_other = Harness(lab().admin().UpdateStatus(claim));
  Prepare(with_other);
  const ResourceClaim reported = Reported(with_other);
  const auto kept = std::ranges::find(reported.status.devices, "other.example.org",
                                      &AllocatedDeviceStatus::driver);
  ASSERT_DRIVER(kept != reported.status.devices.end())
      << "another driver's entry is gone from status.devices";
  EXPECT_DRIVER(*kept == with_other.status.devices.front())
      << "another driver's entry in status.devices was changed";
}

DECIDES("STAT-04", "STAT-05", "STAT-06");
TEST_F(DeviceStatus, SaysThatTheDeviceIsReady) {
  // How long and well-formed the values are the API server has checked.
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  for (const AllocatedDeviceStatus& status : Reported(claim).status.devices) {
    const auto ready = std::ranges::find(status.conditions, "Ready", &api::meta::Condition::type);
    EXPECT_DRIVER(ready != status.conditions.end() && ready->status == "True")
        << "a prepared device has no condition Ready that is True";
  }
}

DECIDES("STAT-07");
TEST_F(DeviceStatus, IsNotWrittenToAnotherClaimOfTheSameName) {
  const DeviceRef device = AnyDevice();
  const auto fault =
      lab().api_server().faults().Add({.match = DriverRequests(kWrites, {"resourceclaims/status"}),
                                       .action = Fault::InternalError(),
                                       .times = 0});
  const ResourceClaim first = MakeClaim({.name = "reborn", .requests = {{.devices = {device}}}});
  (void)PrepareError(first);  // May fail for want of the status.
  WaitUntil(kWriteLimit, [&] { return lab().api_server().faults().hits(fault) > 0; });
  Unprepare(first);
  DeleteClaim(first);
  const ResourceClaim second = MakeClaim({.name = "reborn", .requests = {{.devices = {device}}}});
  lab().api_server().faults().Remove(fault);
  // Nobody prepares the second: whatever is written is meant for the first.
  const auto entries = [&] {
    return Harness(lab().admin().Get<ResourceClaim>(second.metadata.namespace_, "reborn"))
        .status.devices.size();
  };
  EXPECT_DRIVER(!WaitUntil(kIdleWindow, [&] { return entries() > 0; }))
      << "the status of a claim that is gone was written into a new claim of the same name";
}

DECIDES("STAT-08");
TEST_F(DeviceStatus, MayFailWithoutHarm) {
  const auto fault =
      lab().api_server().faults().Add({.match = DriverRequests(kWrites, {"resourceclaims/status"}),
                                       .action = Fault::InternalError(),
                                       .times = 1});
  const ResourceClaim claim = Allocated({AnyDevice()});
  // Either is allowed: the claim is prepared all the same, or fails and works when retried.
  const std::string first = PrepareError(claim);
  if (!first.empty()) {
    Prepare(claim);
  }
  EXPECT_DRIVER(WaitUntil(kWriteLimit, [&] { return lab().api_server().faults().hits(fault) > 0; }))
      << "no status was written within 20 s";
  Unprepare(claim);
}

DECIDES("STAT-10");
TEST_F(DeviceStatus, IsNotWrittenAgainWithoutChange) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  const std::string version = Reported(claim).metadata.resource_version;
  PassASecond();  // A condition's time that is of the same second shows not.
  Prepare(claim);
  const bool written = WaitUntil(kIdleWindow, [&] {
    return Harness(lab().admin().Get<ResourceClaim>(claim.metadata.namespace_, claim.metadata.name))
               .metadata.resource_version != version;
  });
  EXPECT_DRIVER(!written) << "a repeated Prepare changed the claim's status, though nothing had";
}

}  // namespace
}  // namespace assay::conformance
