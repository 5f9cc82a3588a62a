// Devices that consume shared counters (KEP-4815): what the slices say of them, and partitions that
// exclude each other.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using api::meta::Quantity;
using api::resource::CounterSet;
using api::resource::Device;

constexpr std::size_t kMaxCounterSets = 8;
constexpr std::size_t kMaxCounters = 32;
constexpr std::size_t kMaxConsumed = 2;

class Partitions : public Case {
 protected:
  struct Partition {
    DeviceRef ref;
    Device device;
  };

  // By pool and name.
  std::map<std::pair<std::string, std::string>, CounterSet> CounterSets() {
    std::map<std::pair<std::string, std::string>, CounterSet> sets;
    for (const ResourceSlice& slice : Slices()) {
      for (const CounterSet& set : slice.spec.shared_counters) {
        sets[{slice.spec.pool.name, set.name}] = set;
      }
    }
    return sets;
  }
  // The devices that consume counters; the case is not decidable without.
  std::vector<Partition> All() {
    std::vector<Partition> partitions;
    for (const ResourceSlice& slice : Slices()) {
      for (const Device& device : slice.spec.devices) {
        if (!device.consumes_counters.empty()) {
          partitions.push_back({.ref = RefTo(slice.spec.pool.name, device), .device = device});
        }
      }
    }
    if (partitions.empty()) {
      EndCase(Outcome::kNotDecidable, "no published device consumes counters");
    }
    return partitions;
  }
  // Two devices that no scheduler gives out at the same time.
  std::pair<DeviceRef, DeviceRef> ThatExcludeEachOther() {
    const auto sets = CounterSets();
    const std::vector<Partition> all = All();
    for (const Partition& a : all) {
      for (const Partition& b : all) {
        if (a.ref.pool == b.ref.pool && a.device.name < b.device.name && Exceed(sets, a, b)) {
          return {a.ref, b.ref};
        }
      }
    }
    EndCase(Outcome::kNotDecidable, "no two published devices exclude each other");
  }

 private:
  // Whether the two together consume more of a counter than there is.
  static bool Exceed(const std::map<std::pair<std::string, std::string>, CounterSet>& sets,
                     const Partition& a, const Partition& b) {
    std::map<std::pair<std::string, std::string>, Quantity> sum;
    for (const Partition* each : {&a, &b}) {
      for (const auto& consumed : each->device.consumes_counters) {
        for (const auto& [name, counter] : consumed.counters) {
          sum[{consumed.counter_set, name}].Add(counter.value);
        }
      }
    }
    for (const auto& [key, value] : sum) {
      const auto set = sets.find({a.ref.pool, key.first});
      if (set != sets.end() && set->second.counters.contains(key.second) &&
          value > set->second.counters.at(key.second).value) {
        return true;
      }
    }
    return false;
  }
};

DECIDES("SLICE-31");
TEST_F(Partitions, CounterSetsAreFewAndHaveNamesOfTheirOwn) {
  std::set<std::tuple<std::string, std::int64_t, std::string>> names;
  for (const ResourceSlice& slice : Slices()) {
    const std::size_t count = slice.spec.shared_counters.size();
    EXPECT_DRIVER(count <= kMaxCounterSets)
        << "a slice has " << count << " counter sets, allowed are " << kMaxCounterSets;
    for (const CounterSet& set : slice.spec.shared_counters) {
      EXPECT_DRIVER(set.counters.size() <= kMaxCounters)
          << "counter set " << set.name << " has " << set.counters.size()
          << " counters, allowed are " << kMaxCounters;
      const auto& pool = slice.spec.pool;
      EXPECT_DRIVER(names.insert({pool.name, pool.generation, set.name}).second)
          << "pool " << pool.name << " has two counter sets " << set.name;
    }
  }
}

DECIDES("SLICE-32");
TEST_F(Partitions, ConsumeCountersThatThereAre) {
  const auto sets = CounterSets();
  for (const Partition& partition : All()) {
    const Device& device = partition.device;
    EXPECT_DRIVER(device.consumes_counters.size() <= kMaxConsumed)
        << device.name << " consumes of " << device.consumes_counters.size()
        << " counter sets, allowed are " << kMaxConsumed;
    for (const auto& consumed : device.consumes_counters) {
      const auto set = sets.find({partition.ref.pool, consumed.counter_set});
      ASSERT_DRIVER(set != sets.end()) << device.name << " consumes of a counter set "
                                       << consumed.counter_set << " that its pool does not have";
      for (const auto& [name, counter] : consumed.counters) {
        EXPECT_DRIVER(set->second.counters.contains(name))
            << device.name << " consumes a counter " << name << " that " << set->first.second
            << " does not have";
      }
    }
  }
}

DECIDES("SHAR-03");
TEST_F(Partitions, EachFitsItsCounterSet) {
  const auto sets = CounterSets();
  for (const Partition& partition : All()) {
    for (const auto& consumed : partition.device.consumes_counters) {
      const auto set = sets.find({partition.ref.pool, consumed.counter_set});
      for (const auto& [name, counter] : consumed.counters) {
        const bool known = set != sets.end() && set->second.counters.contains(name);
        EXPECT_DRIVER(!known || counter.value <= set->second.counters.at(name).value)
            << partition.device.name << " consumes " << counter.value.ToString() << " of " << name
            << ", of which there is less: nobody can ever have it";
      }
    }
  }
}

DECIDES("SHAR-02");
TEST_F(Partitions, ThatExcludeEachOtherAreNotBothPrepared) {
  const auto [first, second] = ThatExcludeEachOther();
  const ResourceClaim holder = Allocated({first});
  const ResourceClaim other = Allocated({second});
  Prepare(holder);
  EXPECT_DRIVER(!PrepareError(other).empty())
      << second.name << " is prepared while a claim holds " << first.name
      << ", though there are not counters for both";
}

DECIDES("SHAR-04");
TEST_F(Partitions, MakeRoomForEachOther) {
  const auto [first, second] = ThatExcludeEachOther();
  for (int round = 0; round < 2; ++round) {
    for (const DeviceRef& device : {first, second}) {
      const ResourceClaim claim = Allocated({device});
      const std::string error = PrepareError(claim);
      ASSERT_DRIVER(error.empty()) << device.name << " is refused, though the claim of the device "
                                   << "that excludes it is unprepared: " << error;
      Unprepare(claim);
    }
  }
  // The second device of this claim cannot be prepared: the first is not held because of it.
  DeviceRef unknown = second;
  unknown.name = "assay-no-such-device";
  EXPECT_DRIVER(!PrepareError(Allocated({first, unknown})).empty())
      << "a claim with a device that does not exist is prepared";
  const std::string error = PrepareError(Allocated({second}));
  EXPECT_DRIVER(error.empty()) << second.name << " is refused after a failed Prepare of a claim "
                               << "with " << first.name << ": " << error;
}

}  // namespace
}  // namespace assay::conformance
