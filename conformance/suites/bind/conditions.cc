// Devices that have to be bound before a pod may come (KEP-5007): what slices say of them, and what
// the driver's controller writes into the status of claims.

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using api::resource::Device;

constexpr std::size_t kMaxConditions = 4;

class Binding : public Case {
 protected:
  struct Bound {
    std::string pool;
    Device device;
  };
  // Published devices with binding conditions; the case is not decidable without one.
  std::vector<Bound> Devices() {
    std::vector<Bound> devices;
    for (const ResourceSlice& slice : Slices()) {
      for (const Device& device : slice.spec.devices) {
        if (!device.binding_conditions.empty() || !device.binding_failure_conditions.empty()) {
          devices.push_back({slice.spec.pool.name, device});
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
    ResourceClaim claim =
        MakeClaim({.requests = {{.devices = {{.pool = bound.pool, .name = bound.device.name}}}},
                   .allocated = false});
    auto& allocation = claim.status.allocation.emplace();
    auto& result = allocation.devices.results.emplace_back();
    result.request = claim.spec.devices.requests[0].name;
    result.driver = lab().profile().driver;
    result.pool = bound.pool;
    result.device = bound.device.name;
    result.binding_conditions = bound.device.binding_conditions;
    result.binding_conditions.insert(result.binding_conditions.end(), more.begin(), more.end());
    result.binding_failure_conditions = bound.device.binding_failure_conditions;
    auto& field = allocation.node_selector.emplace()
                      .node_selector_terms.emplace_back()
                      .match_fields.emplace_back();
    field.key = "metadata.name";
    field.operator_ = "In";
    field.values = {std::string(kNodeName)};
    return Harness(lab().admin().UpdateStatus(claim));
  }
  // Whether the claim's device gets all of its conditions. The scheduler waits ten minutes, the lab
  // as long as for anything.
  bool BecomesBound(const ResourceClaim& claim) {
    const auto& result = claim.status.allocation->devices.results.at(0);
    const auto bound = [&](const ResourceClaim& now) {
      return std::ranges::any_of(now.status.devices, [&](const auto& status) {
        return status.driver == result.driver && status.pool == result.pool &&
               status.device == result.device &&
               std::ranges::all_of(result.binding_conditions, [&](const std::string& type) {
                 return std::ranges::any_of(status.conditions, [&](const auto& condition) {
                   return condition.type == type && condition.status == "True";
                 });
               });
      });
    };
    return lab()
        .admin()
        .WaitFor<ResourceClaim>({claim.metadata.namespace_, claim.metadata.name}, bound)
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
