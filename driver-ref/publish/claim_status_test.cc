// The status of devices in claims, against an API server's registry.
#include "driver-ref/publish/claim_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/client/blocking_client.h"
#include "api/core/types.h"
#include "api/resource/types.h"
#include "base/event_loop.h"
#include "base/testing/status_matchers.h"
#include "controlplane/apiserver/in_process_client.h"
#include "controlplane/apiserver/registry.h"
#include "controlplane/apiserver/user.h"

namespace assay::driver_ref::publish {
namespace {

using ::assay::testing::IsOk;
using ::testing::SizeIs;

using api::resource::ResourceClaim;

constexpr char kDriver[] = "gpu.example.com";

class ClaimStatusTest : public ::testing::Test {
 protected:
  ClaimStatusTest()
      : registry_({.clock = &loop_.clock(), .seed = 1}),
        client_(controlplane::apiserver::MakeInProcessClient(
            registry_, loop_, controlplane::apiserver::User::Controller("test"))),
        api_(*client_, loop_) {
    api::core::Namespace object;
    object.metadata.name = "default";
    EXPECT_THAT(api_.Create(object), IsOk());
    picture_.inventory.gpus.push_back({.uuid = "GPU-0", .minor = 0});
    picture_.inventory.gpus.push_back({.uuid = "GPU-1", .minor = 1});
  }

  // Allocated: one device of each of these drivers.
  ResourceClaim Allocate(const std::vector<std::pair<std::string, std::string>>& devices) {
    ResourceClaim claim;
    claim.metadata.namespace_ = "default";
    claim.metadata.name = "c";
    auto& request = claim.spec.devices.requests.emplace_back();
    request.name = "gpu";
    request.exactly.emplace().device_class_name = "gpu";
    claim = *api_.Create(claim);
    auto& allocation = claim.status.allocation.emplace();
    for (const auto& [driver, device] : devices) {
      auto& result = allocation.devices.results.emplace_back();
      result.request = "gpu";
      result.driver = driver;
      result.pool = "node-1";
      result.device = device;
    }
    return *api_.UpdateStatus(claim);
  }
  void Report(const ResourceClaim& claim, const std::vector<std::string>& devices) {
    std::vector<prepare::DeviceRecord> records;
    for (const std::string& device : devices) {
      records.push_back({.pool = "node-1", .device = device, .requests = {"gpu"}});
    }
    ReportPrepared(*client_, kDriver, claim, records, picture_);
    loop_.RunReady();
  }
  ResourceClaim Claim() { return *api_.Get<ResourceClaim>("default", "c"); }

  VirtualEventLoop loop_;
  controlplane::apiserver::Registry registry_;
  std::unique_ptr<api::client::Client> client_;
  api::client::BlockingClient api_;
  discovery::Picture picture_;
};

TEST_F(ClaimStatusTest, SaysOfEachDeviceThatItIsReadyAndWhichItIs) {
  const ResourceClaim claim = Allocate({{kDriver, "gpu-0"}, {kDriver, "gpu-1"}});
  Report(claim, {"gpu-0", "gpu-1"});
  const auto devices = Claim().status.devices;
  ASSERT_THAT(devices, SizeIs(2));
  EXPECT_EQ(devices[1].driver, kDriver);
  EXPECT_EQ(devices[1].pool, "node-1");
  EXPECT_EQ(devices[1].device, "gpu-1");
  ASSERT_THAT(devices[1].conditions, SizeIs(1));
  EXPECT_EQ(devices[1].conditions[0].type, "Ready");
  EXPECT_EQ(devices[1].conditions[0].status, "True");
  EXPECT_EQ(devices[1].conditions[0].reason, "Prepared");
  ASSERT_TRUE(devices[1].data);
  EXPECT_THAT(devices[1].data->json, ::testing::HasSubstr("GPU-1"));
}

TEST_F(ClaimStatusTest, OfANetworkDeviceItSaysHowTheNodeKnowsIt) {
  discovery::PlainDevice& nic = picture_.inventory.devices.emplace_back();
  nic.name = "nic-0";
  nic.interface = "eth3";
  nic.hardware_address = "02:00:00:00:00:01";
  const ResourceClaim claim = Allocate({{kDriver, "nic-0"}});
  Report(claim, {"nic-0"});
  ASSERT_THAT(Claim().status.devices, SizeIs(1));
  const auto device = Claim().status.devices[0];
  ASSERT_TRUE(device.network_data);
  EXPECT_EQ(device.network_data->interface_name, "eth3");
  EXPECT_EQ(device.network_data->hardware_address, "02:00:00:00:00:01");
  EXPECT_FALSE(device.data);
  EXPECT_EQ(device.conditions.at(0).status, "True");
}

TEST_F(ClaimStatusTest, OtherDriversDevicesStayAsTheyAre) {
  ResourceClaim claim = Allocate({{kDriver, "gpu-0"}, {"nic.example.com", "nic-0"}});
  auto& other = claim.status.devices.emplace_back();
  other.driver = "nic.example.com";
  other.pool = "node-1";
  other.device = "nic-0";
  claim = *api_.UpdateStatus(claim);
  Report(claim, {"gpu-0"});
  Report(claim, {"gpu-0"});
  ASSERT_THAT(Claim().status.devices, SizeIs(2));
  EXPECT_EQ(Claim().status.devices[0].driver, "nic.example.com");
  EXPECT_THAT(Claim().status.devices[0].conditions, SizeIs(0));
}

TEST_F(ClaimStatusTest, WhatIsSaidAlreadyIsNotWrittenAgain) {
  const ResourceClaim claim = Allocate({{kDriver, "gpu-0"}});
  Report(claim, {"gpu-0"});
  const ResourceClaim reported = Claim();
  loop_.RunFor(std::chrono::seconds(5));
  Report(reported, {"gpu-0"});
  EXPECT_EQ(Claim().metadata.resource_version, reported.metadata.resource_version);
  // As of a partition that is made anew.
  picture_.inventory.gpus[0].uuid = "gpu-0";
  Report(reported, {"gpu-0"});
  EXPECT_THAT(Claim().status.devices.at(0).data->json, ::testing::HasSubstr("gpu-0"));
}

TEST_F(ClaimStatusTest, AnotherClaimOfTheSameNameIsLeftAlone) {
  ResourceClaim claim = Allocate({{kDriver, "gpu-0"}});
  claim.metadata.uid = "11111111-2222-3333-4444-555555555555";
  Report(claim, {"gpu-0"});
  EXPECT_THAT(Claim().status.devices, SizeIs(0));
}

}  // namespace
}  // namespace assay::driver_ref::publish
