// Devices that have to be bound before a pod may come (KEP-5007): what slices say of them, and what
// the driver's controller writes into the status of claims.

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using api::meta::Condition;
using api::resource::AllocatedDeviceStatus;
using api::resource::Device;

constexpr std::size_t kMaxConditions = 4;

class Binding : public Case {
 protected:
  struct Bound {
    DeviceRef ref;
    Device device;
  };
  // Published devices with binding conditions; the case is not decidable without one.
  std::vector<Bound> Devices() {
    std::vector<Bound> devices;
    for (const ResourceSlice& slice : Slices()) {
      for (const Device& device : slice.spec.devices) {
        if (!device.binding_conditions.empty() || !device.binding_failure_conditions.empty()) {
          devices.push_back({RefTo(slice.spec.pool.name, device), device});
        }
      }
    }
    if (devices.empty()) {
      EndCase(Outcome::kNotDecidable, "no published device has binding conditions");
    }
    return devices;
  }

  // The claim as the scheduler leaves it before it waits; with conditions beside the device's.
  ResourceClaim Reserved(const Bound& bound, const std::vector<std::string>& more = {}) {
    DeviceRef device = bound.ref;
    device.binding_conditions = bound.device.binding_conditions;
    device.binding_conditions.insert(device.binding_conditions.end(), more.begin(), more.end());
    device.binding_failure_conditions = bound.device.binding_failure_conditions;
    return MakeClaim(
        {.name = {}, .requests = {{.devices = {device}}}, .profile_config = false, .pods = 0});
  }
  // Whether the claim's device gets all of its conditions. The scheduler waits ten minutes, the lab
  // as long as for anything.
  bool BecomesBound(const ResourceClaim& claim) {
    const auto& types = claim.status.allocation->devices.results.at(0).binding_conditions;
    return WaitForStatus(claim, [&](const AllocatedDeviceStatus& status) {
      return std::ranges::all_of(
          types, [&](const std::string& type) { return Find(status, type) != nullptr; });
    });
  }
  // The first failure condition that the claim's device gets.
  std::optional<Condition> Failure(const ResourceClaim& claim) {
    const auto& types = claim.status.allocation->devices.results.at(0).binding_failure_conditions;
    std::optional<Condition> failure;
    WaitForStatus(claim, [&](const AllocatedDeviceStatus& status) {
      for (const std::string& type : types) {
        if (const Condition* const found = Find(status, type)) {
          failure = *found;
        }
      }
      return failure.has_value();
    });
    return failure;
  }
  // Whether the device comes to be one that the scheduler leaves alone, or one that it may choose.
  bool BecomesShunned(const Bound& bound, bool shunned) {
    return WaitForSlices(lab().admin().timeout(), [&](const std::vector<ResourceSlice>& slices) {
      const Device* const device = FindDevice(slices, bound.ref);
      const bool usable = device != nullptr && device->taints.empty();
      return usable != shunned;
    });
  }

 private:
  // The condition of that type, if it is True.
  static const Condition* Find(const AllocatedDeviceStatus& status, const std::string& type) {
    const auto found = std::ranges::find_if(status.conditions, [&](const Condition& condition) {
      return condition.type == type && condition.status == "True";
    });
    return found == status.conditions.end() ? nullptr : &*found;
  }
  bool WaitForStatus(const ResourceClaim& claim,
                     const std::function<bool(const AllocatedDeviceStatus&)>& holds) {
    const auto& result = claim.status.allocation->devices.results.at(0);
    return lab()
        .admin()
        .WaitFor<ResourceClaim>(
            {claim.metadata.namespace_, claim.metadata.name},
            [&](const ResourceClaim& now) {
              return std::ranges::any_of(now.status.devices, [&](const auto& status) {
                return status.driver == result.driver && status.pool == result.pool &&
                       status.device == result.device && holds(status);
              });
            })
        .ok();
  }
};

DECIDES("BIND-01", "BIND-02");
TEST_F(Binding, ConditionsAndFailuresComeTogetherAndDiffer) {
  for (const Bound& bound : Devices()) {
    const Device& device = bound.device;
    EXPECT_DRIVER(device.binding_conditions.empty() == device.binding_failure_conditions.empty())
        << "device " << device.name << " has "
        << (device.binding_conditions.empty() ? "bindingFailureConditions" : "bindingConditions")
        << " alone";
    std::set<std::string> names;
    for (const auto* list : {&device.binding_conditions, &device.binding_failure_conditions}) {
      EXPECT_DRIVER(list->size() <= kMaxConditions)
          << "device " << device.name << " has a list of " << list->size() << " conditions";
      for (const std::string& name : *list) {
        EXPECT_DRIVER(names.insert(name).second)
            << "device " << device.name << " has the condition '" << name << "' twice";
      }
    }
  }
}

DECIDES("BIND-03", "BIND-04");
TEST_F(Binding, AGoodDeviceIsSaidToBeBound) {
  EXPECT_DRIVER(BecomesBound(Reserved(Devices().front())))
      << "the binding conditions of an allocated device did not become True";
}

DECIDES("BIND-05", "BIND-06");
TEST_F(Binding, AFailureIsSaidWithItsReasonAndTheDeviceIsShunned) {
  RequireHook(Hook::kFail);
  RequireHook(Hook::kHeal);
  const Bound bound = Devices().front();
  Harness(lab().hooks().Run(Hook::kFail, bound.ref.key));
  // Also so that the driver knows before a scheduler that is late chooses the device.
  const bool shunned = BecomesShunned(bound, true);
  const std::optional<Condition> failure = Failure(Reserved(bound));
  Harness(lab().hooks().Run(Hook::kHeal, bound.ref.key));
  EXPECT_DRIVER(failure) << "no binding failure condition of a device that failed became True";
  EXPECT_DRIVER(!failure || !failure->reason.empty())
      << "the binding failure condition has no reason";
  EXPECT_DRIVER(shunned) << "a device that cannot be bound is neither tainted nor taken back, and "
                            "the scheduler will choose it again";
  EXPECT_DRIVER(BecomesShunned(bound, false))
      << "after the end of its fault the device is still tainted or missing";
}

DECIDES("BIND-07");
TEST_F(Binding, AnotherAllocationIsSaidToBeBoundAnew) {
  const Bound bound = Devices().front();
  ResourceClaim claim = Reserved(bound);
  ASSERT_DRIVER(BecomesBound(claim)) << "the binding conditions did not become True";
  claim = Harness(lab().admin().Get<ResourceClaim>(claim.metadata.namespace_, claim.metadata.name));
  const auto allocation = claim.status.allocation;
  claim.status.allocation.reset();
  claim.status.devices.clear();
  claim = Harness(lab().admin().UpdateStatus(claim));
  claim.status.allocation = allocation;
  claim = Harness(lab().admin().UpdateStatus(claim));
  EXPECT_DRIVER(BecomesBound(claim))
      << "after the claim was deallocated and given the device again, the conditions are missing";
}

DECIDES("BIND-09");
TEST_F(Binding, WhatIsNotBoundIsNotPrepared) {
  const ResourceClaim claim = Reserved(Devices().front(), {"assay.dev/never"});
  EXPECT_DRIVER(!PrepareError(claim).empty())
      << "a claim is prepared of which a binding condition is not True";
}

}  // namespace
}  // namespace assay::conformance
