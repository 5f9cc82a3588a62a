// Device taints (KEP-5055) of drivers that declare them: they follow the device's state, and only
// the scheduler and the eviction controller act on them.

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using api::resource::Device;
using api::resource::DeviceTaint;
using api::resource::DeviceTaintRule;

constexpr Duration kTaintLimit = std::chrono::seconds(30);
constexpr std::size_t kMaxDevicesOfTaintedSlice = 64;

class Taints : public Case {
 protected:
  void TearDown() override {
    for (const std::string& key : troubled_) {
      (void)lab().hooks().Run(Hook::kHeal, key);
    }
    Case::TearDown();
  }

  static std::vector<DeviceTaint> TaintsOf(const std::vector<ResourceSlice>& slices,
                                           const DeviceRef& device) {
    const Device* const found = FindDevice(slices, device);
    return found == nullptr ? std::vector<DeviceTaint>() : found->taints;
  }

  bool WaitUntilTainted(const DeviceRef& device, bool tainted) {
    return WaitForSlices(kTaintLimit, [&](const std::vector<ResourceSlice>& slices) {
      return TaintsOf(slices, device).empty() != tainted;
    });
  }

  // The device's taints once it has some, after trouble of that kind.
  std::vector<DeviceTaint> TaintsAfter(Hook trouble, const DeviceRef& device) {
    RequireHook(trouble);
    RequireHook(Hook::kHeal);
    troubled_.insert(device.key);
    Harness(lab().hooks().Run(trouble, device.key));
    ASSERT_DRIVER(WaitUntilTainted(device, true))
        << "30 s after a fault of device " << device.name << " it has no taint";
    return TaintsOf(Slices(), device);
  }

  void Heal(const DeviceRef& device) {
    Harness(lab().hooks().Run(Hook::kHeal, device.key));
    troubled_.erase(device.key);
  }

 private:
  std::set<std::string> troubled_;
};

DECIDES("TAINT-05");
TEST_F(Taints, ComeWithAFaultAndGoWithIt) {
  const DeviceRef device = AnyDevice();
  TaintsAfter(Hook::kFail, device);
  Heal(device);
  EXPECT_DRIVER(WaitUntilTainted(device, false))
      << "30 s after the end of its fault the device still has its taint";
}

DECIDES("TAINT-01", "TAINT-02", "TAINT-03");
TEST_F(Taints, BearTheDriversDomain) {
  const std::string& driver = lab().profile().driver;
  const DeviceRef device = AnyDevice();
  std::set<std::pair<std::string, std::string>> seen;
  for (const DeviceTaint& taint : TaintsAfter(Hook::kFail, device)) {
    // Whether key and effect are well-formed the API server has checked.
    const std::string domain = taint.key.substr(0, taint.key.find('/'));
    EXPECT_DRIVER(taint.key.find('/') != std::string::npos &&
                  (driver == domain || driver.ends_with("." + domain)))
        << "the taint's key '" << taint.key << "' has no domain of the driver " << driver;
    EXPECT_DRIVER(seen.emplace(taint.key, taint.effect).second)
        << "the device has the taint '" << taint.key << "' with effect " << taint.effect
        << " twice";
  }
}

DECIDES("TAINT-04");
TEST_F(Taints, MakeSlicesSmaller) {
  const std::size_t count = AllDevices().size();
  std::size_t largest = 0;
  for (const ResourceSlice& slice : Slices()) {
    largest = std::max(largest, slice.spec.devices.size());
  }
  if (largest <= kMaxDevicesOfTaintedSlice) {
    EndCase(Outcome::kNotDecidable, "no slice has more than 64 devices");
  }
  TaintsAfter(Hook::kFail, AnyDevice());
  // The API server refuses a slice with more than 64 of which one is tainted.
  EXPECT_DRIVER(WaitForSlices(kTaintLimit,
                              [&](const std::vector<ResourceSlice>& slices) {
                                std::size_t now = 0;
                                for (const ResourceSlice& slice : slices) {
                                  now += slice.spec.devices.size();
                                }
                                return now == count;
                              }))
      << "30 s after a taint the slices do not have all " << count << " devices";
}

DECIDES("TAINT-06");
TEST_F(Taints, KeepTheTimeAtWhichTheyCame) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const auto times = [](const std::vector<DeviceTaint>& taints) {
    std::map<std::string, std::string> by_key;
    for (const DeviceTaint& taint : taints) {
      by_key[taint.key + ":" + taint.effect] = taint.time_added ? taint.time_added->ToString() : "";
    }
    return by_key;
  };
  const auto before = times(TaintsAfter(Hook::kFail, devices[0]));
  PassASecond();
  TaintsAfter(Hook::kFail, devices[1]);
  EXPECT_DRIVER(times(TaintsOf(Slices(), devices[0])) == before)
      << "timeAdded of a taint changed when another device was tainted";
  RestartDriver();
  // Whoever starts may need a moment to find the fault again.
  EXPECT_DRIVER(WaitUntilTainted(devices[0], true)) << "after a restart the taint is gone";
  EXPECT_DRIVER(times(TaintsOf(Slices(), devices[0])) == before)
      << "timeAdded of a taint changed with a restart of the driver";
}

DECIDES("TAINT-08");
TEST_F(Taints, StopNoClaimThatToleratesThem) {
  RequireHook(Hook::kDegrade);
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const ResourceClaim earlier = Allocated({devices[0]});
  Prepare(earlier);
  TaintsAfter(Hook::kDegrade, devices[0]);
  const std::string again = PrepareError(earlier);
  EXPECT_DRIVER(again.empty())
      << "a claim that was prepared before the taint came is refused after it: " << again;
  const std::string unprepare = UnprepareError(ReferenceTo(earlier));
  ASSERT_DRIVER(unprepare.empty()) << "Unprepare of a tainted device fails: " << unprepare;

  const std::string key = TaintsAfter(Hook::kDegrade, devices[1]).front().key;
  const ResourceClaim tolerant =
      MakeClaim({.name = {}, .requests = {{.devices = {devices[1]}, .tolerated_taint = key}}});
  const std::string error = PrepareError(tolerant);
  EXPECT_DRIVER(error.empty()) << "a claim that tolerates the device's taint is refused: " << error;
}

DECIDES("TAINT-09");
TEST_F(Taints, OfAdministratorsAreLeftAlone) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  DeviceTaintRule rule;
  rule.metadata.name = "assay-maintenance";
  auto& selector = rule.spec.device_selector.emplace();
  selector.driver = lab().profile().driver;
  selector.pool = devices[0].pool;
  selector.device = devices[0].name;
  rule.spec.taint = {.key = "assay.dev/maintenance", .value = "soon", .effect = "NoSchedule"};
  const DeviceTaintRule made = Harness(lab().admin().Create(rule));
  // When a fault that came later has been seen, so has the rule.
  TaintsAfter(Hook::kFail, devices[1]);
  Heal(devices[1]);
  EXPECT_DRIVER(WaitUntilTainted(devices[1], false)) << "a healed device keeps its taint";
  EXPECT_DRIVER(TaintsOf(Slices(), devices[0]).empty())
      << "a DeviceTaintRule's taint was written into the slice";
  const auto now = lab().admin().Get<DeviceTaintRule>("", made.metadata.name);
  EXPECT_DRIVER(now.ok() && now->spec == made.spec) << "the driver changed a DeviceTaintRule";
  (void)lab().admin().Delete<DeviceTaintRule>({"", made.metadata.name}).ok();
}

}  // namespace
}  // namespace assay::conformance
