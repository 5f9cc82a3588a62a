// Binding conditions in claims, against an API server's registry.
#include "driver-ref/publish/binding_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/client/blocking_client.h"
#include "api/core/types.h"
#include "api/resource/types.h"
#include "base/event_loop.h"
#include "base/testing/status_matchers.h"
#include "controlplane/apiserver/bootstrap_policy.h"
#include "controlplane/apiserver/in_process_client.h"
#include "controlplane/apiserver/registry.h"
#include "controlplane/apiserver/user.h"
#include "driver-ref/publish/claim_status.h"

namespace assay::driver_ref::publish {
namespace {

using namespace std::chrono_literals;
using ::assay::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using api::resource::ResourceClaim;
using controlplane::apiserver::RequestContext;
using controlplane::apiserver::User;
using discovery::Fabric;

constexpr char kDriver[] = "gpu.example.com";
constexpr char kReady[] = "gpu.example.com/fabric-ready";
constexpr char kFailed[] = "gpu.example.com/fabric-failed";

class BindingControllerTest : public ::testing::Test {
 protected:
  BindingControllerTest()
      : registry_({.clock = &loop_.clock(), .seed = 1}),
        admin_(controlplane::apiserver::MakeInProcessClient(registry_, loop_,
                                                            User::Controller("test"))),
        driver_(controlplane::apiserver::MakeInProcessClient(registry_, loop_, kUser)),
        api_(*admin_, loop_) {
    controlplane::apiserver::RequestContext context{.user = User::Controller("test")};
    for (const api::Object& object :
         controlplane::apiserver::DriverPolicy(kUser, {.binding = true})) {
      EXPECT_TRUE(registry_.Create(object, context).ok());
    }
    api::core::Namespace object;
    object.metadata.name = "default";
    EXPECT_THAT(api_.Create(object), IsOk());
    for (const char* name : {"GPU-0", "GPU-1"}) {
      picture_.inventory.gpus.push_back({.uuid = name, .fabric = Fabric::kPending});
    }
    Restart();
  }

  // As a new process.
  void Restart() {
    controller_.emplace(*driver_,
                        BindingController::Options{.driver_name = kDriver, .pool_name = "node-1"});
  }
  void Look() {
    controller_->SetPicture(picture_);
    loop_.RunFor(1s);
  }
  void SetFabric(std::size_t gpu, Fabric fabric, const std::string& error = "") {
    picture_.inventory.gpus.at(gpu).fabric = fabric;
    picture_.inventory.gpus.at(gpu).fabric_error = error;
    Look();
  }

  static void Allocate(ResourceClaim& claim, const std::vector<std::string>& devices,
                       const std::string& driver = kDriver) {
    auto& allocation =
        claim.status.allocation ? *claim.status.allocation : claim.status.allocation.emplace();
    for (const std::string& device : devices) {
      auto& result = allocation.devices.results.emplace_back();
      result.request = "gpu";
      result.driver = driver;
      result.pool = "node-1";
      result.device = device;
      result.binding_conditions = {driver + "/fabric-ready"};
      result.binding_failure_conditions = {driver + "/fabric-failed"};
    }
    // bindsToNode has the scheduler name the node: only that node's driver may say how it goes.
    auto& field = allocation.node_selector.emplace()
                      .node_selector_terms.emplace_back()
                      .match_fields.emplace_back();
    field.key = "metadata.name";
    field.operator_ = "In";
    field.values = {"node-1"};
  }
  ResourceClaim Create(const std::vector<std::string>& devices) {
    ResourceClaim claim;
    claim.metadata.namespace_ = "default";
    claim.metadata.name = "c";
    auto& request = claim.spec.devices.requests.emplace_back();
    request.name = "gpu";
    request.exactly.emplace().device_class_name = "gpu";
    claim = *api_.Create(claim);
    Allocate(claim, devices);
    return Update(claim);
  }
  ResourceClaim Update(const ResourceClaim& claim) {
    const auto updated = api_.UpdateStatus(claim);
    EXPECT_THAT(updated, IsOk());
    return updated.value_or(claim);
  }
  ResourceClaim Deallocated(ResourceClaim claim) {
    claim.status.allocation.reset();
    return Update(claim);
  }
  ResourceClaim Claim() { return *api_.Get<ResourceClaim>("default", "c"); }
  // "type=status reason" of each condition of the claim's device, in their order.
  std::vector<std::string> Conditions(const std::string& device = "gpu-0") {
    std::vector<std::string> texts;
    for (const auto& status : Claim().status.devices) {
      for (const auto& condition : status.conditions) {
        if (status.driver == kDriver && status.device == device) {
          texts.push_back(condition.type + "=" + condition.status + " " + condition.reason);
        }
      }
    }
    return texts;
  }
  static std::string Ready(const std::string& rest) { return std::string(kReady) + "=" + rest; }
  static std::string Failed(const std::string& rest) { return std::string(kFailed) + "=" + rest; }

  const User kUser = User::ServiceAccount("kube-system", "driver", "node-1");
  VirtualEventLoop loop_;
  controlplane::apiserver::Registry registry_;
  std::unique_ptr<api::client::Client> admin_;
  std::unique_ptr<api::client::Client> driver_;
  api::client::BlockingClient api_;
  discovery::Picture picture_;
  std::optional<BindingController> controller_;
};

TEST_F(BindingControllerTest, ADeviceIsBoundWhenItIsPartOfItsFabric) {
  Look();
  Create({"gpu-0", "gpu-1"});
  loop_.RunFor(1s);
  EXPECT_THAT(Conditions("gpu-0"), ElementsAre(Ready("False FabricPending")));
  SetFabric(1, Fabric::kReady);
  EXPECT_THAT(Conditions("gpu-0"), ElementsAre(Ready("False FabricPending")));
  EXPECT_THAT(Conditions("gpu-1"), ElementsAre(Ready("True FabricReady")));
  SetFabric(0, Fabric::kReady);
  EXPECT_THAT(Conditions("gpu-0"), ElementsAre(Ready("True FabricReady")));
}

TEST_F(BindingControllerTest, AFailureIsTrueUntilItIsMended) {
  Create({"gpu-0"});
  SetFabric(0, Fabric::kFailed, "Unknown Error");
  EXPECT_THAT(Conditions(), ElementsAre(Ready("False FabricFailed"), Failed("True FabricFailed")));
  EXPECT_THAT(Claim().status.devices[0].conditions[1].message, HasSubstr("Unknown Error"));
  SetFabric(0, Fabric::kReady);
  EXPECT_THAT(Conditions(), ElementsAre(Ready("True FabricReady")));
}

TEST_F(BindingControllerTest, AGpuThatIsGoneOrLostCannotBeBound) {
  Create({"gpu-0", "gpu-1"});
  picture_.inventory.gpus.pop_back();
  picture_.inventory.gpus[0].needs = "lost";
  Look();
  EXPECT_THAT(Conditions("gpu-0"),
              ElementsAre(Ready("False DeviceLost"), Failed("True DeviceLost")));
  EXPECT_THAT(Conditions("gpu-1"),
              ElementsAre(Ready("False DeviceGone"), Failed("True DeviceGone")));
}

TEST_F(BindingControllerTest, WhatWasReadyStaysSo) {
  Create({"gpu-0"});
  SetFabric(0, Fabric::kReady);
  const ResourceClaim before = Claim();
  SetFabric(0, Fabric::kFailed, "Unknown Error");
  EXPECT_EQ(Claim().status, before.status);
  EXPECT_EQ(Claim().metadata.resource_version, before.metadata.resource_version)
      << "nothing is written that is there already";
}

TEST_F(BindingControllerTest, ANewProcessGoesOnWhereTheLastOneEnded) {
  Create({"gpu-0"});
  Look();
  const auto since = Claim().status.devices[0].conditions[0].last_transition_time;
  loop_.RunFor(10s);
  Restart();
  Look();
  EXPECT_EQ(Claim().status.devices[0].conditions[0].last_transition_time, since);
  SetFabric(0, Fabric::kReady);
  EXPECT_THAT(Conditions(), ElementsAre(Ready("True FabricReady")));
  EXPECT_NE(Claim().status.devices[0].conditions[0].last_transition_time, since);
}

TEST_F(BindingControllerTest, OthersEntriesAndConditionsStay) {
  ResourceClaim claim = Deallocated(Create({"gpu-0"}));
  Allocate(claim, {"gpu-0"});
  Allocate(claim, {"gpu-1"}, "nic.example.com");
  auto& other = claim.status.devices.emplace_back();
  other.driver = "nic.example.com";
  other.pool = "node-1";
  other.device = "gpu-1";
  auto& condition = other.conditions.emplace_back();
  condition.type = "nic.example.com/fabric-ready";
  condition.status = "False";
  condition.reason = "Cabling";
  condition.last_transition_time = api::meta::Time::From(loop_.clock().Now());
  claim = Update(claim);
  SetFabric(0, Fabric::kReady);
  ReportPrepared(*driver_, kDriver, claim,
                 {{.pool = "node-1", .device = "gpu-0", .requests = {"gpu"}}}, picture_);
  SetFabric(0, Fabric::kPending);
  ASSERT_THAT(Claim().status.devices, SizeIs(2));
  EXPECT_EQ(Claim().status.devices[0], claim.status.devices[0]);
  EXPECT_THAT(Conditions(), ElementsAre(Ready("True FabricReady"), "Ready=True Prepared"));
}

TEST_F(BindingControllerTest, ClaimsWithoutBindingConditionsAreLeftAlone) {
  ResourceClaim claim = Deallocated(Create({"gpu-0"}));
  Allocate(claim, {"gpu-0"});
  claim.status.allocation->devices.results[0].binding_conditions.clear();
  claim.status.allocation->devices.results[0].binding_failure_conditions.clear();
  Allocate(claim, {"gpu-1"}, "nic.example.com");
  Update(claim);
  SetFabric(0, Fabric::kReady);
  EXPECT_THAT(Claim().status.devices, IsEmpty());
}

// The controller acts on what it knows; what the claim has become by then is what counts.
TEST_F(BindingControllerTest, AClaimThatWasDeallocatedMeanwhileGetsNoCondition) {
  Create({"gpu-0"});
  Look();
  ResourceClaim claim = Claim();
  picture_.inventory.gpus[0].fabric = Fabric::kReady;
  controller_->SetPicture(picture_);
  // Before the controller comes to it, and hears of it.
  claim.status.allocation.reset();
  RequestContext context{.user = User::Controller("test")};
  const auto deallocated = registry_.Update(api::Object::Of(claim), "status", context);
  ASSERT_TRUE(deallocated.ok());
  loop_.RunFor(1s);
  EXPECT_THAT(Claim().status.devices, IsEmpty());
  EXPECT_EQ(Claim().metadata.resource_version,
            deallocated->object->object().metadata().resource_version);

  // The same device again: what is said is of now.
  SetFabric(0, Fabric::kPending);
  claim = Claim();
  Allocate(claim, {"gpu-0"});
  Update(claim);
  loop_.RunFor(1s);
  EXPECT_THAT(Conditions(), ElementsAre(Ready("False FabricPending")));
}

TEST_F(BindingControllerTest, AnotherNodesDevicesAreAnothersToBind) {
  ResourceClaim claim = Deallocated(Create({"gpu-0"}));
  Allocate(claim, {"gpu-0"});
  claim.status.allocation->devices.results[0].pool = "node-2";
  Update(claim);
  SetFabric(0, Fabric::kReady);
  EXPECT_THAT(Claim().status.devices, IsEmpty());
}

}  // namespace
}  // namespace assay::driver_ref::publish
