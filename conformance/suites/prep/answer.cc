// What NodePrepareResources answers for claims that are in order.

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "conformance/runner/case.h"
#include "controlplane/node/cdi/qualified_name.h"
#include "controlplane/node/cdi/registry.h"

namespace assay::conformance {
namespace {

using PrepareAnswer = Case;
namespace cdi = controlplane::node::cdi;

bool IsFor(const PreparedDevice& prepared, const DeviceRef& device) {
  return prepared.pool_name == device.pool && prepared.device_name == device.name;
}

DECIDES("PREP-05", "PREP-06", "PREP-07");
TEST_F(PrepareAnswer, HasOneEntryForEachClaimUnderItsUid) {
  const std::vector<DeviceRef> devices = SomeDevices(3);
  std::vector<ResourceClaim> claims;
  std::set<std::string> uids;
  for (const DeviceRef& device : devices) {
    claims.push_back(Allocated({device}));
    uids.insert(claims.back().metadata.uid);
  }
  std::set<std::string> answered;
  for (const auto& [uid, entry] : CallPrepare(claims)) {
    answered.insert(uid);
    EXPECT_DRIVER(uids.contains(uid))
        << "the answer has an entry '" << uid << "' that nobody asked for";
  }
  for (const ResourceClaim& claim : claims) {
    EXPECT_DRIVER(answered.contains(claim.metadata.uid))
        << "the answer has no entry for the UID of " << claim.metadata.name;
  }
}

DECIDES("PREP-10");
TEST_F(PrepareAnswer, IsEmptyForNoClaims) {
  const auto response = TryPrepare({}, Version());
  ASSERT_DRIVER(response.ok()) << "NodePrepareResources without claims failed: "
                               << response.status().ToString();
  EXPECT_DRIVER(response->empty()) << "NodePrepareResources without claims answered entries";
}

DECIDES("PREP-12");
TEST_F(PrepareAnswer, ComesFromTheClaimInTheApi) {
  // The call names the claim only: the device can be known from the API alone.
  const std::vector<DeviceRef> devices = SomeDevices(2);
  for (const DeviceRef& device : devices) {
    const PreparedClaim prepared = Prepare(Allocated({device}));
    EXPECT_DRIVER(std::ranges::all_of(prepared.devices,
                                      [&](const auto& each) { return IsFor(each, device); }))
        << "the claim was allocated " << device.name << ", and the driver prepared "
        << Describe(prepared.devices);
  }
}

DECIDES("PREP-17", "SHAR-11");
TEST_F(PrepareAnswer, LeavesOtherDriversDevicesOut) {
  const DeviceRef own = AnyDevice();
  const DeviceRef foreign{.pool = own.pool, .name = own.name + "-x", .driver = "other.example.org"};
  const ResourceClaim claim = MakeClaim(
      {.name = {},
       .requests = {{.name = "theirs", .devices = {foreign}}, {.name = "ours", .devices = {own}}}});
  const PreparedClaim prepared = Prepare(claim);
  for (const PreparedDevice& device : prepared.devices) {
    EXPECT_DRIVER(IsFor(device, own)) << "the answer has " << device.pool_name << "/"
                                      << device.device_name << " of another driver";
  }
  Unprepare(claim);
  const std::vector<std::string> left = CdiTracesOf(claim.metadata.uid);
  EXPECT_DRIVER(left.empty()) << "after Unprepare CDI specs are left: " << Join(left);
}

DECIDES("PREP-18");
TEST_F(PrepareAnswer, ForAClaimOfOtherDriversHasNoEffect) {
  const DeviceRef own = AnyDevice();
  const ResourceClaim claim =
      Allocated({{.pool = own.pool, .name = own.name, .driver = "other.example.org", .key = {}}});
  const FileSnapshot before = CdiFiles();
  const auto response = TryPrepare({ReferenceTo(claim)}, Version());
  ASSERT_DRIVER(response.status().code() != StatusCode::kDeadlineExceeded)
      << "NodePrepareResources did not answer within 20 s";
  if (response.ok() && response->contains(claim.metadata.uid)) {
    const std::vector<PreparedDevice>& devices = response->at(claim.metadata.uid).devices;
    EXPECT_DRIVER(devices.empty())
        << "for a claim of another driver it prepared " << Describe(devices);
  }
  std::set<std::string> added;
  for (const auto& [path, text] : CdiFiles()) {
    EXPECT_DRIVER(before.contains(path) || text.find(own.name) == std::string::npos)
        << "a claim of another driver left the CDI spec " << path;
  }
}

DECIDES("PREP-21");
TEST_F(PrepareAnswer, NamesPoolAndDeviceAsAllocated) {
  const DeviceRef device = AnyDevice();
  for (const PreparedDevice& prepared : Prepare(Allocated({device})).devices) {
    EXPECT_DRIVER(IsFor(prepared, device))
        << "allocated was " << device.pool << "/" << device.name << ", answered was '"
        << prepared.pool_name << "'/'" << prepared.device_name << "'";
  }
}

DECIDES("PREP-22");
TEST_F(PrepareAnswer, RepresentsEveryResult) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const PreparedClaim prepared =
      Prepare(MakeClaim({.name = {}, .requests = {{.devices = devices}}, .profile_config = false}));
  for (const DeviceRef& device : devices) {
    EXPECT_DRIVER(std::ranges::any_of(prepared.devices,
                                      [&](const auto& each) { return IsFor(each, device); }))
        << "the claim was allocated " << device.name
        << ", which the answer leaves out: " << Describe(prepared.devices);
  }
}

DECIDES("PREP-23");
TEST_F(PrepareAnswer, NamesTheBaseRequestOfASubrequest) {
  const ResourceClaim claim = MakeClaim(
      {.name = {}, .requests = {{.name = "gpu", .devices = {AnyDevice()}, .subrequest = "large"}}});
  for (const PreparedDevice& device : Prepare(claim).devices) {
    for (const std::string& request : device.request_names) {
      EXPECT_DRIVER(request == "gpu") << "for the result of gpu/large the request is named '"
                                      << request << "'; the kubelet looks for 'gpu'";
    }
  }
}

DECIDES("SHAR-01");
TEST_F(PrepareAnswer, HasTheDevicesOfASubrequest) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const ResourceClaim claim =
      MakeClaim({.name = {},
                 .requests = {{.name = "gpu", .devices = {devices[0]}, .subrequest = "large"},
                              {.name = "other", .devices = {devices[1]}}}});
  const PreparedClaim prepared = Prepare(claim);
  for (const DeviceRef& device : devices) {
    EXPECT_DRIVER(std::ranges::any_of(prepared.devices,
                                      [&](const auto& each) { return IsFor(each, device); }))
        << "of a claim with an alternative and a plain request " << device.name
        << " was not prepared";
  }
}

DECIDES("PREP-26");
TEST_F(PrepareAnswer, NamesEveryRequestOfADevice) {
  const DeviceRef device = AnyDevice();
  const ResourceClaim claim = MakeClaim(
      {.name = {},
       .requests = {{.name = "one", .devices = {device}}, {.name = "two", .devices = {device}}}});
  std::set<std::string> requests;
  for (const PreparedDevice& each : Prepare(claim).devices) {
    if (IsFor(each, device)) {
      requests.insert(each.request_names.begin(), each.request_names.end());
    }
  }
  for (const char* request : {"one", "two"}) {
    EXPECT_DRIVER(requests.contains(request))
        << "a device that two requests got is not listed for request '" << request << "'";
  }
}

DECIDES("SHAR-12");
TEST_F(PrepareAnswer, IsTheSameForAClaimFromATemplate) {
  const DeviceRef device = AnyDevice();
  ResourceClaim direct = Allocated({device});
  const PreparedClaim before = Prepare(direct);
  Unprepare(direct);
  ResourceClaim made = Allocated({device});
  // As the claim controller marks what it makes of a template.
  made.metadata.annotations["resource.kubernetes.io/pod-claim-name"] = "gpu";
  auto& owner = made.metadata.owner_references.emplace_back();
  owner.api_version = "v1";
  owner.kind = "Pod";
  owner.name = "pod-0";
  owner.uid = made.status.reserved_for.front().uid;
  owner.controller = true;
  made = Harness(lab().admin().Update(std::move(made)));
  const PreparedClaim after = Prepare(made);
  EXPECT_DRIVER(
      before.devices.size() == after.devices.size() &&
      std::ranges::all_of(after.devices, [&](const auto& each) { return IsFor(each, device); }))
      << "a claim made of a template was prepared as " << Describe(after.devices)
      << ", the same claim made by hand as " << Describe(before.devices);
}

DECIDES("PREP-24", "SHAR-09");
TEST_F(PrepareAnswer, NamesOnlyRequestsOfTheClaim) {
  // The scheduler's own claims name their requests like this.
  const std::string name = "container-0-request-0";
  const ResourceClaim claim =
      MakeClaim({.name = {}, .requests = {{.name = name, .devices = {AnyDevice()}}}});
  for (const PreparedDevice& device : Prepare(claim).devices) {
    for (const std::string& request : device.request_names) {
      EXPECT_DRIVER(request == name)
          << "the answer names the request '" << request << "', which the claim does not have";
    }
  }
}

DECIDES("PREP-25");
TEST_F(PrepareAnswer, AttributesDevicesToTheirRequests) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const ResourceClaim claim =
      MakeClaim({.name = {},
                 .requests = {{.name = "first", .devices = {devices[0]}},
                              {.name = "second", .devices = {devices[1]}}}});
  for (const PreparedDevice& device : Prepare(claim).devices) {
    const std::string expected = IsFor(device, devices[0]) ? "first" : "second";
    EXPECT_DRIVER(device.request_names == std::vector<std::string>{expected})
        << "the device of the request '" << expected << "' was answered for '"
        << Join(device.request_names) << "'";
  }
}

DECIDES("PREP-27");
TEST_F(PrepareAnswer, NamesCdiDevicesByQualifiedNames) {
  for (const PreparedDevice& device : Prepare(Allocated(SomeDevices(1))).devices) {
    for (const std::string& id : device.cdi_device_ids) {
      const auto name = cdi::ParseQualifiedName(id);
      EXPECT_DRIVER(name.ok()) << "the CDI device id '" << id
                               << "' is not vendor/class=name: " << name.status().message();
    }
  }
}

DECIDES("PREP-28", "PREP-29");
TEST_F(PrepareAnswer, NamesCdiDevicesThatResolve) {
  const PreparedClaim prepared = Prepare(Allocated(SomeDevices(2)));
  const cdi::Registry registry = cdi::Registry::Scan({lab().directories().cdi});
  for (const PreparedDevice& device : prepared.devices) {
    for (const std::string& id : device.cdi_device_ids) {
      const auto resolved = registry.Resolve(id);
      EXPECT_DRIVER(resolved.ok()) << "when NodePrepareResources had answered, the CDI device id "
                                   << "of " << device.device_name << " did not resolve";
    }
  }
}

DECIDES("PREP-30");
TEST_F(PrepareAnswer, DoesNotGiveOneCdiNameTwoMeanings) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  std::map<std::string, std::string> meanings;  // CDI id to OCI spec.
  for (const DeviceRef& device : devices) {
    const ResourceClaim claim = Allocated({device});
    const PreparedClaim prepared = Prepare(claim);
    const cdi::Registry registry = cdi::Registry::Scan({lab().directories().cdi});
    for (const PreparedDevice& each : prepared.devices) {
      for (const std::string& id : each.cdi_device_ids) {
        cdi::OciSpec spec;
        (void)registry.Inject({id}, spec).ok();
        const auto [known, inserted] = meanings.emplace(id, spec.ToJson());
        EXPECT_DRIVER(inserted || known->second == spec.ToJson())
            << "the CDI name " << id << " stands for something else in the next claim";
      }
    }
    Unprepare(claim);
  }
}

DECIDES("PREP-32");
TEST_F(PrepareAnswer, HandlesEachDeviceOfAClaimOnce) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const PreparedClaim prepared = Prepare(Allocated(devices));
  const cdi::Registry registry = cdi::Registry::Scan({lab().directories().cdi});
  std::set<std::string> names;
  std::map<std::string, std::string> edits;  // CDI id to what it does.
  for (const PreparedDevice& device : prepared.devices) {
    EXPECT_DRIVER(names.insert(device.pool_name + "/" + device.device_name).second)
        << device.device_name << " is answered twice";
    for (const std::string& id : device.cdi_device_ids) {
      cdi::OciSpec spec;
      (void)registry.Inject({id}, spec).ok();
      edits[id] = spec.ToJson();
    }
  }
  std::set<std::string> distinct;
  for (const auto& [id, edit] : edits) {
    EXPECT_DRIVER(distinct.insert(edit).second)
        << "two devices of one claim have the same CDI edits: " << Describe(prepared.devices);
  }
}

DECIDES("PREP-33");
TEST_F(PrepareAnswer, ComesInTimeForTheLargestClaim) {
  const std::vector<DeviceRef> devices = SomeDevices(32);
  const PreparedClaim prepared = Prepare(Allocated(devices));
  EXPECT_DRIVER(prepared.devices.size() <= devices.size())
      << "for 32 results it answered " << prepared.devices.size() << " devices";
}

DECIDES("PREP-34");
TEST_F(PrepareAnswer, ComesWellBeforeTheKubeletsDeadline) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  const MonotonicTime begin = Clock::Real().Monotonic();
  Prepare(claim);
  const auto took = Clock::Real().Monotonic() - begin;
  EXPECT_DRIVER(took < std::chrono::seconds(10))
      << "NodePrepareResources took "
      << std::chrono::duration_cast<std::chrono::seconds>(took).count()
      << " s; the kubelet gives up after 45 s, and 10 s are its budget";
}

DECIDES("PREP-55");
TEST_F(PrepareAnswer, IsOkForAClaimWithoutDevices) {
  const PreparedClaim prepared = Prepare(Allocated({}));
  EXPECT_DRIVER(prepared.devices.empty())
      << "a claim without devices was answered " << Describe(prepared.devices);
}

DECIDES("CONF-10");
TEST_F(PrepareAnswer, NeedsNoConfiguration) {
  const std::string error = PrepareError(
      MakeClaim({.name = {}, .requests = {{.devices = {AnyDevice()}}}, .profile_config = false}));
  EXPECT_DRIVER(error.empty()) << "a claim without configuration is refused: " << error;
}

}  // namespace
}  // namespace assay::conformance
