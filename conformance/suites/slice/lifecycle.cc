// How the driver keeps its ResourceSlices: over restarts, against others, through errors.

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using SliceLifecycle = Case;
using controlplane::apiserver::Fault;
using controlplane::apiserver::RequestRecord;

// The reference implementation waits 30 s before it makes a deleted slice again, and 60 s if it has
// only just made it (its mutation cache): a busy machine adds to that.
constexpr Duration kRecreateLimit = std::chrono::seconds(75);
constexpr Duration kHotplugLimit = std::chrono::seconds(30);
// In this time a driver with a hot loop writes dozens of times.
constexpr Duration kIdleWindow = std::chrono::milliseconds(1500);
constexpr std::size_t kMaxIdleWrites = 2;

const std::set<std::string> kWrites = {"create", "update", "patch", "delete", "deletecollection"};

// What slices say, without what the server adds.
std::map<std::string, std::set<std::string>> DevicesByPool(
    const std::vector<ResourceSlice>& slices) {
  std::map<std::string, std::set<std::string>> pools;
  for (const ResourceSlice& slice : slices) {
    for (const api::resource::Device& device : slice.spec.devices) {
      pools[slice.spec.pool.name].insert(device.name);
    }
  }
  return pools;
}

// Whether the pools are whole, with the devices that they had.
bool AreBack(const std::vector<ResourceSlice>& slices,
             const std::map<std::string, std::set<std::string>>& devices) {
  return PoolsAreComplete(slices) && DevicesByPool(slices) == devices;
}

ResourceSlice SliceOf(const std::string& driver, const std::string& pool, const std::string& device,
                      const std::string& name) {
  ResourceSlice slice;
  slice.metadata.name = name;
  slice.spec.driver = driver;
  slice.spec.node_name = std::string(kNodeName);
  slice.spec.pool = {.name = pool, .generation = 1, .resource_slice_count = 1};
  slice.spec.devices.emplace_back().name = device;
  return slice;
}

DECIDES("SLICE-34", "SLICE-35");
TEST_F(SliceLifecycle, ADeletedSliceIsMadeAgain) {
  const std::vector<ResourceSlice> before = Slices();
  const auto devices = DevicesByPool(before);
  ASSERT_DRIVER(!before.empty()) << "the driver published no slice";
  Harness(lab().admin().Delete<ResourceSlice>({"", before.front().metadata.name}));
  EXPECT_DRIVER(WaitForSlices(kRecreateLimit, [&](const std::vector<ResourceSlice>& slices) {
    return AreBack(slices, devices);
  })) << "75 s after one of its slices was deleted the driver had not made it again";
}

DECIDES("SLICE-36");
TEST_F(SliceLifecycle, AForeignEditIsReverted) {
  const std::vector<ResourceSlice> before = Slices();
  const auto devices = DevicesByPool(before);
  const auto with_devices = std::ranges::find_if(
      before, [](const ResourceSlice& slice) { return !slice.spec.devices.empty(); });
  if (with_devices == before.end()) {
    EndCase(Outcome::kNotDecidable, "no slice of the driver has a device to edit");
  }
  ResourceSlice edited = *with_devices;
  edited.spec.devices.pop_back();
  // Its first attempt meets another writer.
  lab().api_server().faults().Add({.match = DriverRequests({"update", "patch"}, {"resourceslices"}),
                                   .action = Fault::Conflict(),
                                   .times = 1});
  Harness(lab().admin().Update(edited).status());
  EXPECT_DRIVER(WaitForSlices(kRecreateLimit, [&](const std::vector<ResourceSlice>& slices) {
    return AreBack(slices, devices);
  })) << "75 s after somebody removed a device from its slice the driver had not put it back";
}

DECIDES("SLICE-16", "SLICE-44");
TEST_F(SliceLifecycle, ARestartChangesNothing) {
  const std::vector<ResourceSlice> before = Slices();
  RestartDriver();
  const std::vector<ResourceSlice> after = Slices();
  EXPECT_DRIVER(DevicesByPool(before) == DevicesByPool(after))
      << "after a restart with the same hardware the devices have other names";
  std::map<std::string, std::int64_t> generations;
  for (const ResourceSlice& slice : before) {
    generations[slice.spec.pool.name] = slice.spec.pool.generation;
  }
  for (const ResourceSlice& slice : after) {
    EXPECT_DRIVER(slice.spec.pool.generation == generations[slice.spec.pool.name])
        << "a restart with the same hardware moved the pool's generation from "
        << generations[slice.spec.pool.name] << " to " << slice.spec.pool.generation;
  }
}

DECIDES("SLICE-16");
TEST_F(SliceLifecycle, NamesStayWhenAnotherDeviceGoes) {
  RequireHook(Hook::kUnplug);
  RequireHook(Hook::kPlug);
  if (lab().profile().device_key.empty()) {
    EndCase(Outcome::kNotDecidable, "the profile names no devices.key to know a device by");
  }
  const std::string& key = lab().profile().device_key;
  // The hardware's own key of each device, to the name under which it is published.
  const auto names = [&](const std::vector<ResourceSlice>& slices) {
    std::map<std::string, std::string> by_key;
    for (const ResourceSlice& slice : slices) {
      for (const api::resource::Device& device : slice.spec.devices) {
        const auto attribute = device.attributes.find(key);
        if (attribute != device.attributes.end() && device.taints.empty()) {
          by_key[attribute->second.string.value_or("")] = device.name;
        }
      }
    }
    return by_key;
  };
  const auto before = names(Slices());
  const std::string unplugged = SomeDevices(2).front().key;
  Harness(lab().hooks().Run(Hook::kUnplug, unplugged));
  std::map<std::string, std::string> after;
  const bool gone = WaitForSlices(kHotplugLimit, [&](const std::vector<ResourceSlice>& slices) {
    after = names(slices);
    return !after.contains(unplugged);
  });
  Harness(lab().hooks().Run(Hook::kPlug, unplugged));
  ASSERT_DRIVER(gone) << "30 s after a device was unplugged it is still published without a taint";
  for (const auto& [device_key, name] : after) {
    const auto known = before.find(device_key);
    EXPECT_DRIVER(known != before.end() && known->second == name)
        << "with another device unplugged, the device " << device_key << " is now named " << name;
  }
  WaitForSlices(kHotplugLimit,
                [&](const std::vector<ResourceSlice>& slices) { return names(slices) == before; });
}

DECIDES("SLICE-37");
TEST_F(SliceLifecycle, ADeviceThatIsUnpluggedGoesAndComesBack) {
  RequireHook(Hook::kUnplug);
  RequireHook(Hook::kPlug);
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const DeviceRef& device = devices.back();
  const auto before = DevicesByPool(Slices());
  Harness(lab().hooks().Run(Hook::kUnplug, device.key));
  const bool gone = WaitForSlices(kHotplugLimit, [&](const std::vector<ResourceSlice>& slices) {
    // Gone, or tainted so that it is not given to anybody.
    for (const ResourceSlice& slice : slices) {
      for (const api::resource::Device& each : slice.spec.devices) {
        if (slice.spec.pool.name == device.pool && each.name == device.name &&
            each.taints.empty()) {
          return false;
        }
      }
    }
    return true;
  });
  const auto others = DevicesByPool(Slices());
  Harness(lab().hooks().Run(Hook::kPlug, device.key));
  EXPECT_DRIVER(gone) << "30 s after a device was unplugged it is still published without a taint";
  for (const std::string& name :
       others.contains(device.pool) ? others.at(device.pool) : std::set<std::string>()) {
    EXPECT_DRIVER(before.at(device.pool).contains(name))
        << "with one device unplugged another one is now named " << name;
  }
  EXPECT_DRIVER(WaitForSlices(kHotplugLimit, [&](const std::vector<ResourceSlice>& slices) {
    return AreBack(slices, before);
  })) << "30 s after a device was plugged in again the slices are not as before";
}

DECIDES("SLICE-40");
TEST_F(SliceLifecycle, LeftOversOfAnEarlierRunGo) {
  const std::string& name = lab().profile().driver;
  const auto before = DevicesByPool(Slices());
  ExpectDriverExit();
  driver().Kill();
  Harness(lab()
              .admin()
              .Create(SliceOf(name, std::string(kNodeName), "device-of-an-older-release",
                              "left-over-slice"))
              .status());
  KillAndRestartDriver();
  const bool cleaned = WaitForSlices(kHotplugLimit, [&](const std::vector<ResourceSlice>& slices) {
    return AreBack(slices, before);
  });
  const Status removed = lab().admin().Delete<ResourceSlice>({"", "left-over-slice"});
  EXPECT_DRIVER(cleaned) << "30 s after the start a slice that an earlier run left is still there";
  EXPECT_DRIVER(cleaned || removed.ok()) << removed.message();
}

DECIDES("SLICE-42");
TEST_F(SliceLifecycle, OthersSlicesStayUntouched) {
  const ResourceSlice other_driver = Harness(lab().admin().Create(
      SliceOf("other.example.org", std::string(kNodeName), "one", "slice-of-another-driver")));
  ResourceSlice elsewhere =
      SliceOf(lab().profile().driver, "another-node", "one", "slice-of-another-node");
  elsewhere.spec.node_name = "another-node";
  elsewhere = Harness(lab().admin().Create(std::move(elsewhere)));
  RestartDriver();
  for (const ResourceSlice* slice :
       std::initializer_list<const ResourceSlice*>{&other_driver, &elsewhere}) {
    const auto now = lab().admin().Get<ResourceSlice>("", slice->metadata.name);
    EXPECT_DRIVER(now.ok()) << "the driver deleted the " << slice->metadata.name;
    EXPECT_DRIVER(!now.ok() || now->metadata.resource_version == slice->metadata.resource_version)
        << "the driver changed the " << slice->metadata.name;
    (void)lab().admin().Delete<ResourceSlice>({"", slice->metadata.name}).ok();
  }
}

DECIDES("SLICE-43");
TEST_F(SliceLifecycle, NothingIsWrittenWhileNothingChanges) {
  const std::uint64_t mark = RequestMark();
  const auto writes = [&] {
    return lab().api_server().requests().Since(mark, DriverRequests(kWrites, {"resourceslices"}));
  };
  // Ends at once where there are too many.
  const bool noisy = WaitUntil(kIdleWindow, [&] { return writes().size() > kMaxIdleWrites; });
  EXPECT_DRIVER(!noisy) << "with nothing changing, the driver wrote its slices more than "
                        << kMaxIdleWrites << " times within 1.5 s";
}

DECIDES("SLICE-49");
TEST_F(SliceLifecycle, AStartPublishesOnce) {
  lab().Reset();
  const std::uint64_t mark = RequestMark();
  const Result<Driver*> started = lab().EnsureDriver();
  ASSERT_DRIVER(started.ok()) << "the driver did not come back: " << started.status().message();
  const auto writes = [&] {
    return lab().api_server().requests().Since(mark, DriverRequests(kWrites, {"resourceslices"}));
  };
  const std::size_t slices = Slices().size();
  const bool more = WaitUntil(kIdleWindow, [&] { return writes().size() > slices; });
  EXPECT_DRIVER(!more) << "at its start the driver published, and changed at once what it had "
                       << "published: " << writes().size() << " writes for " << slices << " slices";
}

DECIDES("SLICE-45");
TEST_F(SliceLifecycle, AStormOfEventsIsAFewWrites) {
  RequireHook(Hook::kFail);
  RequireHook(Hook::kHeal);
  constexpr int kEvents = 60;
  const DeviceRef device = AnyDevice();
  const std::uint64_t mark = RequestMark();
  for (int i = 0; i < kEvents / 2; ++i) {
    Harness(lab().hooks().Run(Hook::kFail, device.key));
    Harness(lab().hooks().Run(Hook::kHeal, device.key));
  }
  const auto writes = [&] {
    return lab().api_server().requests().Since(mark, DriverRequests(kWrites, {"resourceslices"}));
  };
  const bool stormy = WaitUntil(kIdleWindow, [&] { return writes().size() > kEvents / 6; });
  EXPECT_DRIVER(!stormy) << "after " << kEvents << " changes of one device within a moment the "
                         << "driver wrote its slices more than " << kEvents / 6 << " times";
}

// Of pools with more devices than one slice holds.
class SlicesOfALargePool : public Case {
 protected:
  static constexpr std::size_t kMaxDevices = 128;

  void SetUp() override {
    Case::SetUp();
    const std::size_t count = AllDevices().size();
    if (count <= kMaxDevices) {
      EndCase(Outcome::kNotDecidable, "the driver publishes " + std::to_string(count) +
                                          " devices, which fit into one slice");
    }
  }
};

DECIDES("SLICE-13");
TEST_F(SlicesOfALargePool, AreSeveralAndComplete) {
  std::map<std::string, std::int64_t> wanted, there;
  for (const ResourceSlice& slice : Slices()) {
    wanted[slice.spec.pool.name] = slice.spec.pool.resource_slice_count;
    ++there[slice.spec.pool.name];
    EXPECT_DRIVER(slice.spec.devices.size() <= kMaxDevices)
        << "a slice has " << slice.spec.devices.size() << " devices";
  }
  EXPECT_DRIVER(wanted == there) << "a pool does not have as many slices as it says";
}

DECIDES("SLICE-10", "SLICE-11");
TEST_F(SlicesOfALargePool, ShrinkUnderANewGeneration) {
  RequireHook(Hook::kUnplug);
  RequireHook(Hook::kPlug);
  const std::vector<ResourceSlice> before = Slices();
  const std::int64_t generation = before.front().spec.pool.generation;
  const std::size_t count = AllDevices().size();
  // So many that the rest needs one slice less.
  const std::size_t fewer = (count - 1) % kMaxDevices + 1;
  const std::vector<DeviceRef> unplugged = SomeDevices(fewer);
  for (const DeviceRef& device : unplugged) {
    Harness(lab().hooks().Run(Hook::kUnplug, device.key));
  }
  std::int64_t newest = generation;
  bool fell = false;
  std::int64_t at_end = 0;
  const bool shrunk = WaitForSlices(kHotplugLimit, [&](const std::vector<ResourceSlice>& slices) {
    std::int64_t highest = 0;
    std::size_t now = 0;
    for (const ResourceSlice& slice : slices) {
      highest = std::max(highest, slice.spec.pool.generation);
      now += slice.spec.devices.size();
    }
    fell = fell || highest < newest;
    newest = std::max(newest, highest);
    at_end = highest;
    return now == count - fewer && std::ranges::all_of(slices, [&](const ResourceSlice& slice) {
             return slice.spec.pool.generation == highest &&
                    slice.spec.pool.resource_slice_count ==
                        static_cast<std::int64_t>(slices.size());
           });
  });
  for (const DeviceRef& device : unplugged) {
    Harness(lab().hooks().Run(Hook::kPlug, device.key));
  }
  ASSERT_DRIVER(shrunk) << "30 s after " << fewer << " devices were unplugged the pool is not a "
                        << "complete one without them";
  EXPECT_DRIVER(at_end > generation)
      << "the number of slices changed, and the pool's generation is " << at_end << " as before";
  EXPECT_DRIVER(!fell) << "the pool's generation went down while older slices were there";
  EXPECT_DRIVER(WaitForSlices(kHotplugLimit, [&](const std::vector<ResourceSlice>& slices) {
    return AreBack(slices, DevicesByPool(before));
  })) << "30 s after they were plugged in again the devices are not back";
}

DECIDES("SLICE-46");
TEST_F(SliceLifecycle, PublishingSurvivesErrorsOfTheApiServer) {
  const auto devices = DevicesByPool(Slices());
  ExpectDriverExit();
  driver().Kill();
  for (const ResourceSlice& slice : Slices()) {
    Harness(lab().admin().Delete<ResourceSlice>({"", slice.metadata.name}));
  }
  for (const Fault::Action& action : {Fault::InternalError(), Fault::TooManyRequests(1)}) {
    lab().api_server().faults().Add(
        {.match = DriverRequests({"create"}, {"resourceslices"}), .action = action, .times = 1});
  }
  lab().api_server().faults().Add({.match = DriverRequests({"watch"}, {"resourceslices"}),
                                   .action = Fault::Expired(),
                                   .times = 1});
  auto restarted = lab().StartInstance({.until = DriverOptions::Until::kRegistered});
  ASSERT_DRIVER(restarted.ok()) << "while the API server answers errors the driver does not start: "
                                << restarted.status().message();
  lab().Adopt(*std::move(restarted));
  EXPECT_DRIVER(WaitForSlices(kRecreateLimit, [&](const std::vector<ResourceSlice>& slices) {
    return AreBack(slices, devices);
  })) << "after errors of the API server the driver's slices did not come back within 75 s";
}

DECIDES("SLICE-47");
TEST_F(SliceLifecycle, AnInvalidSliceIsNoHotLoop) {
  ExpectDriverExit();
  driver().Kill();
  for (const ResourceSlice& slice : Slices()) {
    Harness(lab().admin().Delete<ResourceSlice>({"", slice.metadata.name}));
  }
  const auto fault = lab().api_server().faults().Add(
      {.match = DriverRequests({"create", "update", "patch"}, {"resourceslices"}),
       .action = Fault::Invalid("spec.devices: refused by assay for a test"),
       .times = 0});
  const auto second = lab().StartInstance(
      {.instance = driver().instance(), .until = DriverOptions::Until::kRegistered});
  // A driver that ends itself because of it is no hot loop either.
  if (second.ok()) {
    const bool hot = WaitUntil(std::chrono::seconds(2),
                               [&] { return lab().api_server().faults().hits(fault) > 20; });
    EXPECT_DRIVER(!hot) << "a slice that the API server refuses as invalid is sent more than 20 "
                        << "times within 2 s";
  }
  lab().Reset();
}

DECIDES("SLICE-38");
TEST_F(SliceLifecycle, TheLastDeviceDoesNotStay) {
  RequireHook(Hook::kUnplug);
  RequireHook(Hook::kPlug);
  const auto before = DevicesByPool(Slices());
  // Partitions of one piece of hardware share its key.
  std::set<std::string> keys;
  for (const DeviceRef& device : AllDevices()) {
    keys.insert(device.key);
  }
  for (const std::string& key : keys) {
    Harness(lab().hooks().Run(Hook::kUnplug, key));
  }
  const bool empty = WaitForSlices(kHotplugLimit, [](const std::vector<ResourceSlice>& now) {
    return DevicesByPool(now).empty();
  });
  for (const std::string& key : keys) {
    Harness(lab().hooks().Run(Hook::kPlug, key));
  }
  EXPECT_DRIVER(empty) << "30 s after the last device was unplugged slices still have devices";
  EXPECT_DRIVER(WaitForSlices(kHotplugLimit, [&](const std::vector<ResourceSlice>& now) {
    return AreBack(now, before);
  })) << "30 s after all devices were plugged in again the slices are not as before";
}

}  // namespace
}  // namespace assay::conformance
