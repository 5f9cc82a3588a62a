// Claims with admin access look at devices that others use, and leave them as they are (KEP-5018).

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "conformance/runner/case.h"
#include "controlplane/node/cdi/registry.h"

namespace assay::conformance {
namespace {

namespace cdi = controlplane::node::cdi;

// resource.k8s.io/v1: AllocationResultsMaxSize.
constexpr std::size_t kMaxResults = 32;

class AdminAccess : public Case {
 protected:
  void SetUp() override {
    Case::SetUp();
    // Also cases that decide rules of every driver need two claims on one device.
    if (!lab().profile().Declares("admin-access")) {
      EndCase(Outcome::kNotApplicable, "admin-access is not declared");
    }
  }

  ResourceClaim Admin(std::vector<DeviceRef> devices, const std::string& tolerated_taint = "") {
    return MakeClaim({.name = {},
                      .namespace_ = std::string(kAdminNamespace),
                      .requests = {{.devices = std::move(devices),
                                    .admin_access = true,
                                    .tolerated_taint = tolerated_taint}}});
  }
};

DECIDES("ADMIN-01");
TEST_F(AdminAccess, IsPreparedWhileTheDeviceIsInUse) {
  const DeviceRef device = AnyDevice();
  Prepare(Allocated({device}));
  const std::string error = PrepareError(Admin({device}));
  EXPECT_DRIVER(error.empty()) << "admin access to a device in use is refused: " << error;
}

DECIDES("ADMIN-02");
TEST_F(AdminAccess, DoesNotKeepTheDeviceFromOthers) {
  const DeviceRef device = AnyDevice();
  Prepare(Admin({device}));
  const std::string error = PrepareError(Allocated({device}));
  EXPECT_DRIVER(error.empty()) << "a device that a claim has admin access to is refused: " << error;
}

DECIDES("ADMIN-05");
TEST_F(AdminAccess, IsReadOfEachResult) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const ResourceClaim in_use = Allocated({devices[0]});
  Prepare(in_use);
  const auto mixed = [&](const DeviceRef& normal, const DeviceRef& admin) {
    return MakeClaim({.name = {},
                      .namespace_ = std::string(kAdminNamespace),
                      .requests = {{.name = "normal", .devices = {normal}},
                                   {.name = "admin", .devices = {admin}, .admin_access = true}}});
  };
  const std::string error = PrepareError(mixed(devices[1], devices[0]));
  EXPECT_DRIVER(error.empty())
      << "a claim with admin access to a device in use, and another device as usual, is refused: "
      << error;
  // A driver that refuses no device to anybody (PREP-45) does not hold this one either.
  const bool refuses = !PrepareError(Allocated({devices[0]})).empty();
  EXPECT_DRIVER(!refuses || !PrepareError(Allocated({devices[1]})).empty())
      << "of a claim with admin access to one device, the other device is not held either";
}

DECIDES("UNPR-15");
TEST_F(AdminAccess, EndsWithoutUndoingTheOtherClaim) {
  const DeviceRef device = AnyDevice();
  const ResourceClaim normal = Allocated({device});
  const ResourceClaim admin = Admin({device});
  const PreparedClaim before = Prepare(normal);
  const std::map<std::string, std::string> cdi_before = CdiFiles();
  Prepare(admin);
  Unprepare(admin);
  EXPECT_DRIVER(CdiFiles() == cdi_before)
      << "Unprepare of a claim with admin access changed the CDI specs of the other claim";
  const PreparedClaim after = Prepare(normal);
  EXPECT_DRIVER(Sorted(before.devices) == Sorted(after.devices))
      << "after Unprepare of a claim with admin access the other claim has "
      << Describe(after.devices) << ", not " << Describe(before.devices);
}

DECIDES("ADMIN-04");
TEST_F(AdminAccess, EndsWithoutGivingTheDeviceAway) {
  const DeviceRef device = AnyDevice();
  const ResourceClaim normal = Allocated({device});
  const PreparedClaim before = Prepare(normal);
  // A driver that refuses no device to anybody (PREP-45) holds none.
  const bool held = !PrepareError(Allocated({device})).empty();
  const ResourceClaim admin = Admin({device});
  Prepare(admin);
  KillAndRestartDriver();
  Unprepare(admin);
  EXPECT_DRIVER(!held || !PrepareError(Allocated({device})).empty())
      << "after Unprepare of a claim with admin access the device is given to a third claim, "
         "though "
      << "the first still uses it";
  const PreparedClaim after = Prepare(normal);
  EXPECT_DRIVER(Sorted(before.devices) == Sorted(after.devices))
      << "after Unprepare of a claim with admin access the workload's claim has "
      << Describe(after.devices) << ", not " << Describe(before.devices);
}

DECIDES("ADMIN-07");
TEST_F(AdminAccess, ReachesEveryDeviceAlsoThoseInTrouble) {
  RequireHook(Hook::kDegrade);
  RequireHook(Hook::kHeal);
  std::vector<DeviceRef> devices = AllDevices();
  devices.resize(std::min(devices.size(), kMaxResults));
  const DeviceRef& troubled = devices.front();
  if (devices.size() > 1) {
    Prepare(Allocated({devices.back()}));
  }
  Harness(lab().hooks().Run(Hook::kDegrade, troubled.key));
  std::string taint;
  if (lab().profile().Declares("device-taints")) {
    WaitForSlices(std::chrono::seconds(20), [&](const std::vector<ResourceSlice>& slices) {
      const api::resource::Device* const found = FindDevice(slices, troubled);
      if (found != nullptr && !found->taints.empty()) {
        taint = found->taints.front().key;
      }
      return !taint.empty();
    });
  }
  const std::string error = PrepareError(Admin(devices, taint));
  Harness(lab().hooks().Run(Hook::kHeal, troubled.key));
  EXPECT_DRIVER(error.empty())
      << "admin access to all devices is refused while one of them needs attention: " << error;
}

DECIDES("CDI-07");
TEST_F(AdminAccess, HasCdiDevicesOfItsOwn) {
  const DeviceRef device = AnyDevice();
  const PreparedClaim normal = Prepare(Allocated({device}));
  const PreparedClaim admin = Prepare(Admin({device}));
  const cdi::Registry registry = cdi::Registry::Scan({lab().directories().cdi});
  for (const PreparedClaim& claim : {normal, admin}) {
    for (const PreparedDevice& prepared : claim.devices) {
      for (const std::string& id : prepared.cdi_device_ids) {
        EXPECT_DRIVER(registry.Resolve(id).ok())
            << "two claims on one device define the same CDI device, which then does not resolve";
      }
    }
  }
}

}  // namespace
}  // namespace assay::conformance
