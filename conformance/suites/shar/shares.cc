// Devices of which several claims have a share (KEP-5075).

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "conformance/runner/case.h"
#include "controlplane/node/cdi/registry.h"

namespace assay::conformance {
namespace {

namespace cdi = controlplane::node::cdi;
using api::meta::Quantity;
using api::resource::CapacityRequestPolicy;
using api::resource::Device;
using api::resource::DeviceCapacity;

constexpr std::size_t kMaxValidValues = 10;

class Shares : public Case {
 protected:
  static bool IsShared(const Device& device) {
    return device.allow_multiple_allocations.value_or(false);
  }

  // The least that a claim can have of it.
  static Quantity LeastOf(const DeviceCapacity& capacity) {
    if (!capacity.request_policy) {
      return Quantity::Of("1");
    }
    const CapacityRequestPolicy& policy = *capacity.request_policy;
    if (!policy.valid_values.empty()) {
      return policy.valid_values.front();
    }
    return policy.valid_range && policy.valid_range->min ? *policy.valid_range->min
                                                         : policy.default_.value_or(capacity.value);
  }

  // The first device that is shared, as an allocation of its least capacities; not decidable
  // without.
  DeviceRef SharedDevice() {
    for (const ResourceSlice& slice : Slices()) {
      for (const Device& device : slice.spec.devices) {
        if (IsShared(device)) {
          DeviceRef shared = RefTo(slice.spec.pool.name, device);
          for (const auto& [name, capacity] : device.capacity) {
            shared.consumed_capacity[name] = LeastOf(capacity);
          }
          return shared;
        }
      }
    }
    EndCase(Outcome::kNotDecidable, "no published device allows multiple allocations");
  }
  void RequireShareIds() {
    if (Version() != DraVersion::kV1) {
      EndCase(Outcome::kNotDecidable,
              "only v1 of the service has shareID, and the driver lacks it");
    }
  }
  DeviceRef ShareOf(DeviceRef device) {
    device.share_id = lab().NewUid();
    return device;
  }

  std::map<std::string, std::map<std::string, std::optional<CapacityRequestPolicy>>> Policies() {
    std::map<std::string, std::map<std::string, std::optional<CapacityRequestPolicy>>> policies;
    for (const ResourceSlice& slice : Slices()) {
      for (const Device& device : slice.spec.devices) {
        for (const auto& [name, capacity] : device.capacity) {
          policies[slice.spec.pool.name + "/" + device.name][name] = capacity.request_policy;
        }
      }
    }
    return policies;
  }

  static void ExpectResolvable(Lab& lab, const PreparedClaim& claim, const std::string& when) {
    const cdi::Registry registry = cdi::Registry::Scan({lab.directories().cdi});
    for (const PreparedDevice& device : claim.devices) {
      for (const std::string& id : device.cdi_device_ids) {
        EXPECT_DRIVER(registry.Resolve(id).ok())
            << when << " the CDI id " << id << " of a share does not resolve";
      }
    }
  }
};

DECIDES("SLICE-29", "SLICE-30");
TEST_F(Shares, HavePoliciesThatCanBeKept) {
  // A server that does not know the feature takes what this one refuses.
  for (const ResourceSlice& slice : Slices()) {
    for (const Device& device : slice.spec.devices) {
      for (const auto& [name, capacity] : device.capacity) {
        if (!capacity.request_policy) {
          continue;
        }
        const CapacityRequestPolicy& policy = *capacity.request_policy;
        const std::string what = "capacity " + name + " of " + device.name;
        EXPECT_DRIVER(IsShared(device))
            << what << " has a requestPolicy, and the device is not shared";
        EXPECT_DRIVER(policy.valid_values.size() <= kMaxValidValues &&
                      std::ranges::is_sorted(policy.valid_values))
            << "validValues of " << what << " are not at most 10 in order";
        EXPECT_DRIVER(
            policy.valid_values.empty() ||
            (policy.default_ && std::ranges::count(policy.valid_values, *policy.default_)))
            << "the default of " << what << " is not among its validValues";
        if (policy.valid_range) {
          const Quantity least = LeastOf(capacity);
          const Quantity most = policy.valid_range->max.value_or(capacity.value);
          EXPECT_DRIVER(policy.default_ && least <= *policy.default_ && *policy.default_ <= most &&
                        most <= capacity.value)
              << "for " << what << " min <= default <= max <= capacity does not hold";
        }
      }
    }
  }
}

DECIDES("PREP-31");
TEST_F(Shares, AreNamedInTheAnswer) {
  RequireShareIds();
  const DeviceRef share = ShareOf(SharedDevice());
  const ResourceClaim claim = MakeClaim({.name = {}, .requests = {{.devices = {share}}}});
  for (const PreparedDevice& device : Prepare(claim).devices) {
    EXPECT_DRIVER(device.share_id == share.share_id)
        << "for the share " << share.share_id << " the answer has "
        << (device.share_id ? "the share " + *device.share_id : "no share");
  }
  Unprepare(claim);
  for (const PreparedDevice& device : Prepare(Allocated({AnyDevice()})).devices) {
    EXPECT_DRIVER(!device.share_id.has_value())
        << "for an allocation without share the answer has the share " << *device.share_id;
  }
}

DECIDES("SHAR-05");
TEST_F(Shares, OfOneClaimAreEntriesOfTheirOwn) {
  RequireShareIds();
  const DeviceRef device = SharedDevice();
  const DeviceRef one = ShareOf(device);
  const DeviceRef two = ShareOf(device);
  const ResourceClaim claim = MakeClaim(
      {.name = {},
       .requests = {{.name = "one", .devices = {one}}, {.name = "two", .devices = {two}}}});
  std::map<std::string, std::set<std::string>> requests;  // By share.
  for (const PreparedDevice& each : Prepare(claim).devices) {
    requests[each.share_id.value_or("")].insert(each.request_names.begin(),
                                                each.request_names.end());
  }
  const std::map<std::string, std::set<std::string>> wanted = {{one.share_id, {"one"}},
                                                               {two.share_id, {"two"}}};
  EXPECT_DRIVER(requests == wanted)
      << "two shares of one device for two requests of one claim are not two entries, each with "
      << "its shareID and its request";
}

DECIDES("SHAR-06");
TEST_F(Shares, OfTwoClaimsAreIndependent) {
  const DeviceRef device = SharedDevice();
  const ResourceClaim first = MakeClaim({.name = {}, .requests = {{.devices = {ShareOf(device)}}}});
  const ResourceClaim second =
      MakeClaim({.name = {}, .requests = {{.devices = {ShareOf(device)}}}});
  ExpectResolvable(lab(), Prepare(first), "after Prepare");
  const std::string error = PrepareError(second);
  ASSERT_DRIVER(error.empty()) << "a second claim with a share of a device is refused: " << error;
  const PreparedClaim before = Prepare(second);
  Unprepare(first);
  ExpectResolvable(lab(), before, "after another share of its device was unprepared");
  EXPECT_DRIVER(Sorted(before.devices) == Sorted(Prepare(second).devices))
      << "after another share of its device was unprepared the claim has other devices";
}

DECIDES("SHAR-08");
TEST_F(Shares, KeepTheirPolicies) {
  const auto before = Policies();
  Prepare(MakeClaim({.name = {}, .requests = {{.devices = {ShareOf(SharedDevice())}}}}));
  RestartDriver();
  EXPECT_DRIVER(Policies() == before)
      << "the requestPolicy of a device changed while a share of it was in use";
}

}  // namespace
}  // namespace assay::conformance
