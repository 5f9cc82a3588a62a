#include "controlplane/node/driver_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "controlplane/node/testing_node.h"

namespace assay::controlplane::node {
namespace {

using namespace std::chrono_literals;
using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kRegistration[] = "/registry/a-reg.sock";
constexpr char kEndpoint[] = "/plugins/a/dra.sock";

class DriverRegistryTest : public ::testing::Test {
 protected:
  DriverRegistryTest()
      : driver_(std::make_shared<FakeDriver>(FakeDriver::WithDevices("a", kEndpoint))) {
    Reset(/*wipe_at_start=*/false);
  }

  void Reset(bool wipe_at_start) {
    registry_.reset();
    registry_ = std::make_unique<DriverRegistry>(
        *node_.client, node_.dialer,
        DriverRegistry::Options{.node_name = kTestNode, .wipe_at_start = wipe_at_start, .seed = 1},
        DriverRegistry::Handlers{
            .on_health = [this](const std::string&,
                                const auto& devices) { health_.push_back(devices.size()); },
            .on_health_end = [this](const std::string&) { ++health_ends_; },
            .on_registration = [this](const std::string&,
                                      const Status& status) { outcomes_.push_back(status); }});
    registry_->Start();
  }
  void Listen() {
    node_.dialer.Listen(kEndpoint, driver_);
    node_.dialer.Listen(kRegistration, driver_);
  }
  void Register() {
    Listen();
    registry_->AddSocket(kRegistration);
    node_.loop.RunReady();
    node_.loop.RunFor(10ms);
    ASSERT_THAT(registry_->Find("a").status(), IsOk());
  }
  void MakeSlice(const std::string& name, const std::string& driver, const std::string& node) {
    api::resource::ResourceSlice slice;
    slice.metadata.name = name;
    slice.spec.driver = driver;
    slice.spec.node_name = node;
    slice.spec.pool.name = node;
    slice.spec.pool.resource_slice_count = 1;
    ASSERT_THAT(node_.api.Create(slice).status(), IsOk());
  }
  std::vector<std::string> Slices() {
    std::vector<std::string> names;
    for (const auto& slice : TestingNode::Must(node_.api.List<api::resource::ResourceSlice>())) {
      names.push_back(slice.metadata.name);
    }
    return names;
  }

  TestingNode node_;
  std::shared_ptr<FakeDriver> driver_;
  std::vector<std::size_t> health_;
  int health_ends_ = 0;
  std::vector<Status> outcomes_;
  std::unique_ptr<DriverRegistry> registry_;
};

TEST(ChooseVersionTest, TakesThePluginsFirstKnownService) {
  EXPECT_EQ(*ChooseVersion({"v1.DRAPlugin", "v1beta1.DRAPlugin"}), DraVersion::kV1);
  // Not the newest: the plugin's order counts.
  EXPECT_EQ(*ChooseVersion({"v1beta1.DRAPlugin", "v1.DRAPlugin"}), DraVersion::kV1beta1);
  EXPECT_EQ(*ChooseVersion({"v2.DRAPlugin", "v1beta1.DRAPlugin"}), DraVersion::kV1beta1);
  EXPECT_THAT(ChooseVersion({}), StatusIs(StatusCode::kInvalidArgument,
                                          "empty list of supported gRPC services (aka supported "
                                          "versions)"));
  EXPECT_THAT(ChooseVersion({"1.0.0", "x"}),
              StatusIs(StatusCode::kInvalidArgument,
                       "none of services supported by the plugin ([\"1.0.0\" \"x\"]) are supported "
                       "by the kubelet ([\"v1.DRAPlugin\" \"v1beta1.DRAPlugin\"])"));
}

TEST_F(DriverRegistryTest, RegistersAndTellsThePlugin) {
  Register();
  EXPECT_THAT(driver_->notifications, ElementsAre(""));
  EXPECT_THAT(registry_->Endpoints("a"), ElementsAre(kEndpoint));
  EXPECT_THAT(registry_->Find("b").status(),
              StatusIs(StatusCode::kNotFound, "DRA driver b is not registered"));
}

TEST_F(DriverRegistryTest, AnEmptyEndpointIsTheRegistrationSocket) {
  driver_->info.endpoint = "";
  Register();
  EXPECT_THAT(registry_->Endpoints("a"), ElementsAre(kRegistration));
}

TEST_F(DriverRegistryTest, RefusesOtherPluginTypesAndSaysWhy) {
  driver_->info.type = "CSIPlugin";
  Listen();
  registry_->AddSocket(kRegistration);
  node_.loop.RunFor(10ms);
  EXPECT_THAT(
      driver_->notifications,
      ElementsAre("RegisterPlugin error -- no handler registered for plugin type: CSIPlugin "
                  "at socket /registry/a-reg.sock"));
  EXPECT_THAT(registry_->Find("a").status(), StatusIs(StatusCode::kNotFound));
}

TEST_F(DriverRegistryTest, RefusesUnknownVersionsAndSaysWhy) {
  driver_->info.supported_versions = {"1.0.0"};
  Listen();
  registry_->AddSocket(kRegistration);
  node_.loop.RunFor(10ms);
  ASSERT_THAT(driver_->notifications, SizeIs(1));
  EXPECT_THAT(driver_->notifications[0],
              HasSubstr("plugin validation failed with err: invalid supported gRPC versions of DRA "
                        "driver plugin a at endpoint /plugins/a/dra.sock: none of services"));
}

TEST_F(DriverRegistryTest, RetriesWithGrowingDelaysAsTheReconcilerComesBy) {
  driver_->info.type = "CSIPlugin";
  Listen();
  registry_->AddSocket(kRegistration);
  // After 0.5 s, 1 s, 2 s, 4 s, each at the next full second: at 0, 1, 2, 4 and 8 s.
  node_.loop.RunFor(8500ms);
  EXPECT_THAT(driver_->notifications, SizeIs(5));
  driver_->info.type = "DRAPlugin";
  node_.loop.RunFor(8s);
  EXPECT_THAT(registry_->Find("a").status(), IsOk());
}

TEST_F(DriverRegistryTest, GivesUpOnASlowGetInfoAfterASecond) {
  driver_->get_info = [] { return std::nullopt; };
  Listen();
  registry_->AddSocket(kRegistration);
  node_.loop.RunFor(990ms);
  EXPECT_THAT(outcomes_, IsEmpty());
  node_.loop.RunFor(20ms);
  ASSERT_THAT(outcomes_, SizeIs(1));
  EXPECT_THAT(outcomes_[0], StatusIs(StatusCode::kDeadlineExceeded, HasSubstr("GetInfo")));
  EXPECT_THAT(driver_->notifications, IsEmpty());
}

TEST_F(DriverRegistryTest, ForgetsAPluginThatRefusesItsNotification) {
  driver_->notify = [](const std::string&) { return InternalError("no"); };
  Listen();
  registry_->AddSocket(kRegistration);
  node_.loop.RunFor(10ms);
  EXPECT_THAT(registry_->Find("a").status(), StatusIs(StatusCode::kNotFound));
}

TEST_F(DriverRegistryTest, RefusesAnEndpointTwice) {
  Register();
  node_.dialer.Listen("/registry/second-reg.sock", driver_);
  registry_->AddSocket("/registry/second-reg.sock");
  node_.loop.RunFor(10ms);
  EXPECT_THAT(driver_->notifications.back(),
              HasSubstr("endpoint /plugins/a/dra.sock already registered for DRA driver plugin a"));
  EXPECT_THAT(registry_->Endpoints("a"), SizeIs(1));
}

TEST_F(DriverRegistryTest, PrefersTheNewestConnectedInstance) {
  Register();
  auto second = std::make_shared<FakeDriver>(FakeDriver::WithDevices("a", "/plugins/a/dra-2.sock"));
  node_.dialer.Listen("/plugins/a/dra-2.sock", second);
  node_.dialer.Listen("/registry/a-2-reg.sock", second);
  registry_->AddSocket("/registry/a-2-reg.sock");
  node_.loop.RunFor(10ms);
  const auto prepare = [&] {
    const auto driver = *registry_->Find("a");
    api::client::TaskScope scope;
    const auto call = [](std::shared_ptr<DriverRegistry::Driver> d) -> api::client::Task<Status> {
      const std::vector<ClaimReference> claims;
      const auto response = co_await d->Prepare(claims);
      co_return response.status();
    };
    scope.Spawn(call(driver));
    node_.loop.RunFor(10ms);
  };
  prepare();
  EXPECT_THAT(second->prepared, SizeIs(1));
  node_.dialer.Listen("/plugins/a/dra-2.sock", nullptr);
  node_.loop.RunReady();
  prepare();
  EXPECT_THAT(driver_->prepared, SizeIs(1));
}

TEST_F(DriverRegistryTest, CallsUnderWayEndWhenThePluginGoes) {
  driver_->prepare = [](const auto&) { return std::nullopt; };
  Register();
  Status outcome;
  api::client::TaskScope scope;
  const auto call = [](std::shared_ptr<DriverRegistry::Driver> d) -> api::client::Task<Status> {
    const std::vector<ClaimReference> claims;
    const auto response = co_await d->Prepare(claims);
    co_return response.status();
  };
  scope.Spawn<Status>(call(*registry_->Find("a")), [&](const Status& status) { outcome = status; });
  node_.loop.RunFor(1s);
  EXPECT_THAT(outcome, IsOk()) << "it still waits";
  registry_->RemoveSocket(kRegistration);
  node_.loop.RunReady();
  EXPECT_THAT(outcome, StatusIs(StatusCode::kCancelled));
}

TEST_F(DriverRegistryTest, WipesTheNodesSlicesAtTheStart) {
  MakeSlice("own", "a", kTestNode);
  MakeSlice("other-driver", "b", kTestNode);
  MakeSlice("other-node", "a", "node-2");
  Reset(/*wipe_at_start=*/true);
  node_.loop.RunFor(10ms);
  EXPECT_THAT(Slices(), ElementsAre("other-node"));
}

TEST_F(DriverRegistryTest, WipesADriversSlicesHalfAMinuteAfterItWent) {
  MakeSlice("own", "a", kTestNode);
  MakeSlice("other-driver", "b", kTestNode);
  Register();
  registry_->RemoveSocket(kRegistration);
  node_.loop.RunFor(29s);
  EXPECT_THAT(Slices(), SizeIs(2));
  node_.loop.RunFor(2s);
  EXPECT_THAT(Slices(), ElementsAre("other-driver"));
}

TEST_F(DriverRegistryTest, ALostConnectionCountsAsGone) {
  MakeSlice("own", "a", kTestNode);
  Register();
  node_.dialer.Listen(kEndpoint, nullptr);
  node_.loop.RunFor(31s);
  EXPECT_THAT(Slices(), IsEmpty());
}

TEST_F(DriverRegistryTest, AReconnectInTimeKeepsTheSlices) {
  MakeSlice("own", "a", kTestNode);
  Register();
  node_.dialer.Listen(kEndpoint, nullptr);
  node_.loop.RunFor(25s);
  node_.dialer.Listen(kEndpoint, driver_);
  node_.loop.RunFor(60s);
  EXPECT_THAT(Slices(), ElementsAre("own"));
}

TEST_F(DriverRegistryTest, AsksForHealthAgainFiveSecondsAfterAStreamEnds) {
  Register();
  EXPECT_EQ(driver_->health_streams, 1);  // Although it has no such service.
  node_.loop.RunFor(11s);
  EXPECT_EQ(driver_->health_streams, 3);
  driver_->has_health = true;
  node_.loop.RunFor(5s);
  node_.dialer.SendHealth(kEndpoint, std::vector<DeviceHealth>(2));
  node_.loop.RunReady();
  EXPECT_THAT(health_, ElementsAre(2u));
  const int ends = health_ends_;
  registry_->RemoveSocket(kRegistration);
  EXPECT_EQ(health_ends_, ends + 1);
  node_.loop.RunFor(11s);
  EXPECT_EQ(driver_->health_streams, 4);
}

}  // namespace
}  // namespace assay::controlplane::node
