// The health stream (KEP-4680) of drivers that declare it.

#include <algorithm>
#include <ctime>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using controlplane::node::DeviceHealth;
using controlplane::node::DeviceHealthState;
using controlplane::node::HealthVersion;
using controlplane::node::ServiceName;

constexpr Duration kFirstMessageLimit = std::chrono::seconds(5);
constexpr Duration kChangeLimit = std::chrono::seconds(30);
// The kubelet's, where the driver names none.
constexpr Duration kDefaultHealthTimeout = std::chrono::seconds(30);
constexpr int kMessagesOfAStart = 10;
constexpr Duration kLongestHealthTimeout = std::chrono::seconds(35);
constexpr std::size_t kMaxMessageLength = 1024;

class HealthStreams : public Case {
 protected:
  using Stream = std::unique_ptr<BlockingDriver::HealthStream>;
  using DeviceId = std::pair<std::string, std::string>;  // Pool and name.

  // The version that the driver advertises, the newer one first.
  HealthVersion AdvertisedVersion() {
    for (const HealthVersion version : {HealthVersion::kV1, HealthVersion::kV1alpha1}) {
      if (Advertises(version)) {
        return version;
      }
    }
    ASSERT_DRIVER(false) << "the profile declares device-health, and supported_versions has no "
                         << "DRAResourceHealth";
    return HealthVersion::kV1;
  }

  bool Advertises(HealthVersion version) {
    const auto& versions = driver().registration().info.supported_versions;
    return std::ranges::find(versions, ServiceName(version)) != versions.end();
  }

  std::vector<DeviceHealth> FirstMessage(BlockingDriver::HealthStream& stream) {
    Result<std::vector<DeviceHealth>> message = stream.Next(kFirstMessageLimit);
    ASSERT_DRIVER(message.ok()) << "the health stream had no message within 5 s: "
                                << message.status().ToString();
    return *std::move(message);
  }

  std::vector<DeviceHealth> FirstMessage() {
    const Stream stream = driver().service().WatchHealth(AdvertisedVersion());
    return FirstMessage(*stream);
  }

  std::set<DeviceId> PublishedDevices() {
    std::set<DeviceId> published;
    for (const ResourceSlice& slice : Slices()) {
      for (const api::resource::Device& device : slice.spec.devices) {
        published.emplace(slice.spec.pool.name, device.name);
      }
    }
    return published;
  }

  static std::set<DeviceId> Devices(const std::vector<DeviceHealth>& message) {
    std::set<DeviceId> devices;
    for (const DeviceHealth& each : message) {
      devices.emplace(each.pool_name, each.device_name);
    }
    return devices;
  }

  // Reads messages until one says that the device is in `state`; false after kChangeLimit.
  static bool WaitFor(BlockingDriver::HealthStream& stream, const DeviceRef& device,
                      DeviceHealthState state, DeviceHealth* seen = nullptr) {
    const MonotonicTime end = Clock::Real().Monotonic() + kChangeLimit;
    for (Duration left = kChangeLimit; left > Duration::zero();
         left = end - Clock::Real().Monotonic()) {
      const Result<std::vector<DeviceHealth>> message = stream.Next(left);
      if (!message.ok()) {
        return false;
      }
      for (const DeviceHealth& each : *message) {
        if (each.pool_name == device.pool && each.device_name == device.name &&
            each.health == state) {
          if (seen != nullptr) {
            *seen = each;
          }
          return true;
        }
      }
    }
    return false;
  }
};

DECIDES("HLTH-01");
TEST_F(HealthStreams, AreServedOnTheEndpoint) {
  for (const HealthVersion version : {HealthVersion::kV1, HealthVersion::kV1alpha1}) {
    if (!Advertises(version)) {
      continue;
    }
    const Stream stream = driver().service().WatchHealth(version);
    const auto message = stream->Next(kFirstMessageLimit);
    EXPECT_DRIVER(message.status().code() != StatusCode::kUnimplemented)
        << ServiceName(version) << " is advertised and not implemented";
  }
}

DECIDES("HLTH-09");
TEST_F(HealthStreams, SayItAgainBeforeItIsTooOld) {
  const Stream stream = driver().service().WatchHealth(AdvertisedVersion());
  std::vector<DeviceHealth> last = FirstMessage(*stream);
  // What a start changes comes first, and is no repetition.
  for (int i = 0; i < kMessagesOfAStart; ++i) {
    Result<std::vector<DeviceHealth>> message = stream->Next(std::chrono::seconds(1));
    if (!message.ok()) {
      break;
    }
    last = *std::move(message);
  }
  // From now on each device has until its own limit.
  std::map<DeviceId, Duration> limits;
  for (const DeviceHealth& each : last) {
    limits[{each.pool_name, each.device_name}] =
        each.health_check_timeout_seconds > 0
            ? std::chrono::seconds(each.health_check_timeout_seconds)
            : kDefaultHealthTimeout;
  }
  const MonotonicTime begin = Clock::Real().Monotonic();
  while (!limits.empty()) {
    const auto next =
        std::ranges::min_element(limits, {}, [](const auto& each) { return each.second; });
    const Duration passed = Clock::Real().Monotonic() - begin;
    if (next->second > kLongestHealthTimeout) {
      EndCase(Outcome::kNotDecidable,
              "the driver's limit is longer than the case waits: " + next->first.second);
    }
    const Result<std::vector<DeviceHealth>> message =
        stream->Next(std::max(next->second - passed, Duration::zero()));
    ASSERT_DRIVER(message.ok()) << "the health of " << next->first.second
                                << " was not sent again within its health_check_timeout, after "
                                << "which the kubelet calls it unknown: "
                                << message.status().ToString();
    for (const DeviceHealth& each : *message) {
      limits.erase({each.pool_name, each.device_name});
    }
  }
}

DECIDES("HLTH-03");
TEST_F(HealthStreams, BeginWithAllDevices) {
  const std::set<DeviceId> reported = Devices(FirstMessage());
  for (const auto& [pool, name] : PublishedDevices()) {
    EXPECT_DRIVER(reported.contains({pool, name}))
        << "the first health message leaves " << name << " out";
  }
}

DECIDES("HLTH-04", "HLTH-05");
TEST_F(HealthStreams, NamePublishedDevicesOnce) {
  const std::vector<DeviceHealth> message = FirstMessage();
  const std::set<DeviceId> published = PublishedDevices();
  for (const DeviceHealth& each : message) {
    EXPECT_DRIVER(published.contains({each.pool_name, each.device_name}))
        << "a health message names '" << each.pool_name << "'/'" << each.device_name
        << "', which is not published";
  }
  EXPECT_DRIVER(Devices(message).size() == message.size())
      << "a health message names a device twice";
}

DECIDES("HLTH-10", "HLTH-11", "HLTH-12");
TEST_F(HealthStreams, HaveValuesThatMakeSense) {
  // The clocks are the same; a second is for rounding.
  for (const DeviceHealth& each : FirstMessage()) {
    EXPECT_DRIVER(each.health_check_timeout_seconds >= 0)
        << "health_check_timeout_seconds is " << each.health_check_timeout_seconds;
    EXPECT_DRIVER(each.last_updated_time <= std::time(nullptr) + 1)
        << "last_updated_time is in the future";
    EXPECT_DRIVER(each.last_updated_time > 0) << "last_updated_time is no unix time";
    EXPECT_DRIVER(each.message.size() <= kMaxMessageLength)
        << "a health message has " << each.message.size() << " characters";
    EXPECT_DRIVER(each.health != DeviceHealthState::kUnhealthy || !each.message.empty())
        << each.device_name << " is unhealthy, and no message says why";
  }
}

DECIDES("HLTH-06", "HLTH-07", "HLTH-08");
TEST_F(HealthStreams, FollowAFaultAndItsEnd) {
  RequireHook(Hook::kFail);
  RequireHook(Hook::kHeal);
  const DeviceRef device = AnyDevice();
  const Stream stream = driver().service().WatchHealth(AdvertisedVersion());
  ASSERT_DRIVER(WaitFor(*stream, device, DeviceHealthState::kHealthy))
      << "a device without a fault is not reported as healthy";
  Harness(lab().hooks().Run(Hook::kFail, device.key));
  DeviceHealth failed;
  const bool unhealthy = WaitFor(*stream, device, DeviceHealthState::kUnhealthy, &failed);
  Harness(lab().hooks().Run(Hook::kHeal, device.key));
  ASSERT_DRIVER(unhealthy) << "30 s after a fault the device is not reported as unhealthy";
  EXPECT_DRIVER(!failed.message.empty()) << "an unhealthy device has no message that says why";
  EXPECT_DRIVER(WaitFor(*stream, device, DeviceHealthState::kHealthy))
      << "30 s after the end of its fault the device is not reported as healthy";
}

DECIDES("HLTH-22");
TEST_F(HealthStreams, GoWithATaint) {
  RequireHook(Hook::kFail);
  RequireHook(Hook::kHeal);
  if (!lab().profile().Declares("device-taints")) {
    EndCase(Outcome::kNotDecidable, "the profile says that the driver does not taint devices");
  }
  const DeviceRef device = AnyDevice();
  Harness(lab().hooks().Run(Hook::kFail, device.key));
  const bool tainted = WaitForSlices(kChangeLimit, [&](const std::vector<ResourceSlice>& slices) {
    const auto* const found = FindDevice(slices, device);
    return found != nullptr && !found->taints.empty();
  });
  Harness(lab().hooks().Run(Hook::kHeal, device.key));
  EXPECT_DRIVER(tainted) << "30 s after a fault the device is not tainted: unhealthy alone does "
                         << "not keep pods away";
}

DECIDES("HLTH-14");
TEST_F(HealthStreams, ForgetADeviceThatIsGone) {
  RequireHook(Hook::kUnplug);
  RequireHook(Hook::kPlug);
  const DeviceRef device = AnyDevice();
  const Stream stream = driver().service().WatchHealth(AdvertisedVersion());
  FirstMessage(*stream);
  Harness(lab().hooks().Run(Hook::kUnplug, device.key));
  // A message that leaves the device out, or says that it is not well.
  bool healthy = true;
  const MonotonicTime end = Clock::Real().Monotonic() + kChangeLimit;
  for (Duration left = kChangeLimit; healthy && left > Duration::zero();
       left = end - Clock::Real().Monotonic()) {
    const Result<std::vector<DeviceHealth>> message = stream->Next(left);
    if (!message.ok()) {
      break;
    }
    healthy = std::ranges::any_of(*message, [&](const DeviceHealth& each) {
      return each.pool_name == device.pool && each.device_name == device.name &&
             each.health == DeviceHealthState::kHealthy;
    });
  }
  Harness(lab().hooks().Run(Hook::kPlug, device.key));
  EXPECT_DRIVER(!healthy) << "30 s after a device was unplugged it is still reported as healthy";
}

DECIDES("HLTH-20");
TEST_F(HealthStreams, InventNothingAfterARestart) {
  RequireHook(Hook::kFail);
  RequireHook(Hook::kHeal);
  const DeviceRef device = AnyDevice();
  Harness(lab().hooks().Run(Hook::kFail, device.key));
  RestartDriver();
  const std::vector<DeviceHealth> message = FirstMessage();
  Harness(lab().hooks().Run(Hook::kHeal, device.key));
  for (const DeviceHealth& each : message) {
    EXPECT_DRIVER(each.device_name != device.name || each.health != DeviceHealthState::kHealthy)
        << "the first message after a restart says that a device with a fault is healthy";
  }
}

DECIDES("HLTH-16", "HLTH-17");
TEST_F(HealthStreams, BeginAgainForEachConnection) {
  const HealthVersion version = AdvertisedVersion();
  const std::set<DeviceId> first = Devices(FirstMessage());
  for (int i = 0; i < 5; ++i) {
    const auto connection = driver().NewConnection();
    const Stream stream = connection->WatchHealth(version);
    EXPECT_DRIVER(Devices(FirstMessage(*stream)) == first)
        << "after a reconnect the first health message has other devices than before";
  }
}

DECIDES("HLTH-18");
TEST_F(HealthStreams, RunSideBySide) {
  const HealthVersion version = AdvertisedVersion();
  const auto second_connection = driver().NewConnection();
  const Stream first = driver().service().WatchHealth(version);
  const Stream second = second_connection->WatchHealth(version);
  EXPECT_DRIVER(Devices(FirstMessage(*first)) == Devices(FirstMessage(*second)))
      << "two health streams at the same time have different devices";
}

DECIDES("HLTH-19");
TEST_F(HealthStreams, DoNotHoldUpClaims) {
  // Never read from.
  const Stream stream = driver().service().WatchHealth(AdvertisedVersion());
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  Unprepare(claim);
}

DECIDES("HLTH-21");
TEST_F(HealthStreams, SayTheSameInBothVersions) {
  if (!Advertises(HealthVersion::kV1) || !Advertises(HealthVersion::kV1alpha1)) {
    EndCase(Outcome::kNotDecidable, "the driver advertises one version of the health service");
  }
  std::map<DeviceId, DeviceHealthState> states[2];
  int i = 0;
  for (const HealthVersion version : {HealthVersion::kV1, HealthVersion::kV1alpha1}) {
    const Stream stream = driver().service().WatchHealth(version);
    for (const DeviceHealth& each : FirstMessage(*stream)) {
      states[i][{each.pool_name, each.device_name}] = each.health;
    }
    ++i;
  }
  EXPECT_DRIVER(states[0] == states[1]) << "v1 and v1alpha1 of the health service differ";
}

}  // namespace
}  // namespace assay::conformance
