// The publisher against an API server's registry, under a virtual clock.
#include "driver-ref/publish/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/client/blocking_client.h"
#include "api/core/types.h"
#include "base/event_loop.h"
#include "base/testing/status_matchers.h"
#include "controlplane/apiserver/in_process_client.h"
#include "controlplane/apiserver/registry.h"
#include "controlplane/apiserver/user.h"

namespace assay::driver_ref::publish {
namespace {

using namespace std::chrono_literals;
using ::assay::testing::IsOk;
using ::testing::SizeIs;

using api::resource::Device;
using api::resource::ResourceSlice;

class PublisherTest : public ::testing::Test {
 protected:
  PublisherTest()
      : registry_({.clock = &loop_.clock(), .seed = 1}),
        client_(controlplane::apiserver::MakeInProcessClient(
            registry_, loop_, controlplane::apiserver::User::Controller("test"))),
        api_(*client_, loop_) {
    api::core::Node node;
    node.metadata.name = "node-1";
    node_uid_ = api_.Create(node)->metadata.uid;
    Restart();
  }

  void Restart() {
    publisher_ = std::make_unique<Publisher>(
        *client_, Publisher::Options{.driver_name = "gpu.example.com", .node_name = "node-1"});
  }
  void Publish(int count) {
    std::vector<Device> devices(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      devices[static_cast<std::size_t>(i)].name = "gpu-" + std::to_string(i);
    }
    publisher_->SetContent({.counter_sets = {}, .devices = std::move(devices)});
    loop_.RunFor(5s);
  }
  std::vector<ResourceSlice> Slices() { return *api_.List<ResourceSlice>(); }
  // Moves with every write.
  std::string Version() { return api_.ListObjects(api::KindOf<ResourceSlice>())->resource_version; }

  VirtualEventLoop loop_;
  controlplane::apiserver::Registry registry_;
  std::unique_ptr<api::client::Client> client_;
  api::client::BlockingClient api_;
  std::string node_uid_;
  std::unique_ptr<Publisher> publisher_;
};

TEST_F(PublisherTest, PublishesWhenItKnowsTheDevices) {
  loop_.RunFor(10s);
  EXPECT_THAT(Slices(), SizeIs(0));
  Publish(8);
  const auto slices = Slices();
  ASSERT_THAT(slices, SizeIs(1));
  EXPECT_THAT(slices[0].spec.devices, SizeIs(8));
  EXPECT_EQ(slices[0].metadata.owner_references.at(0).uid, node_uid_);
}

TEST_F(PublisherTest, WritesNothingWithoutAReason) {
  Publish(8);
  const std::string version = Version();
  loop_.RunFor(10min);
  EXPECT_EQ(Version(), version);
  Restart();
  Publish(8);
  EXPECT_EQ(Version(), version) << "nor after a restart";
}

TEST_F(PublisherTest, BringsBackWhatIsDeleted) {
  Publish(8);
  ASSERT_THAT(api_.DeleteCollection(api::KindOf<ResourceSlice>()), IsOk());
  loop_.RunFor(3s);
  EXPECT_THAT(Slices(), SizeIs(1));
}

TEST_F(PublisherTest, RevertsWhatOthersChange) {
  Publish(8);
  ResourceSlice slice = Slices().at(0);
  slice.spec.devices.resize(1);
  ASSERT_THAT(api_.Update(slice), IsOk());
  loop_.RunFor(3s);
  EXPECT_THAT(Slices().at(0).spec.devices, SizeIs(8));
}

TEST_F(PublisherTest, FollowsTheHardware) {
  Publish(8);
  Publish(7);
  EXPECT_THAT(Slices().at(0).spec.devices, SizeIs(7));
  Publish(0);
  ASSERT_THAT(Slices(), SizeIs(1));
  EXPECT_THAT(Slices()[0].spec.devices, SizeIs(0));
  Publish(200);
  EXPECT_THAT(Slices(), SizeIs(2));
}

TEST_F(PublisherTest, TouchesNobodyElsesSlices) {
  ResourceSlice other;
  other.metadata.name = "other";
  other.spec.driver = "other.example.com";
  other.spec.node_name = "node-1";
  other.spec.pool.name = "node-1";
  other.spec.pool.resource_slice_count = 1;
  ASSERT_THAT(api_.Create(other), IsOk());
  other.metadata.name = "other-node";
  other.spec.driver = "gpu.example.com";
  other.spec.node_name = "node-2";
  other.spec.pool.name = "node-2";
  ASSERT_THAT(api_.Create(other), IsOk());
  Publish(8);
  EXPECT_THAT(Slices(), SizeIs(3));
}

TEST_F(PublisherTest, AStormOfChangesIsFewWrites) {
  Publish(1);
  const int before = std::stoi(Version());
  for (int i = 0; i < 500; ++i) {
    std::vector<Device> devices(1);
    devices[0].name = "gpu-" + std::to_string(i);
    publisher_->SetContent({.counter_sets = {}, .devices = std::move(devices)});
    loop_.RunFor(10ms);
  }
  loop_.RunFor(5s);
  EXPECT_LE(std::stoi(Version()) - before, 14);
  EXPECT_EQ(Slices().at(0).spec.devices.at(0).name, "gpu-499");
}

// When it says that it will try again.
class Tries : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit Tries(const Clock& clock) : clock_(&clock) {}
  const std::vector<MonotonicTime>& times() const { return times_; }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (std::string(message.payload.data(), message.payload.size()).find("next try") !=
        std::string::npos) {
      times_.push_back(clock_->Monotonic());
    }
  }
  void flush_() override {}

  const Clock* clock_;
  std::vector<MonotonicTime> times_;
};

TEST_F(PublisherTest, TriesAgainEverLaterAndNotWithAllOthersAtOnce) {
  ASSERT_THAT(api_.Delete<api::core::Node>({"", "node-1"}), IsOk());
  const auto former = spdlog::default_logger();
  std::vector<std::vector<MonotonicTime>> tries;
  for (const std::uint64_t seed : {1, 2}) {
    const auto sink = std::make_shared<Tries>(loop_.clock());
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
    publisher_ = std::make_unique<Publisher>(
        *client_,
        Publisher::Options{.driver_name = "gpu.example.com", .node_name = "node-1", .seed = seed});
    const MonotonicTime start = loop_.clock().Monotonic();
    Publish(1);
    loop_.RunFor(5min);
    spdlog::set_default_logger(former);
    ASSERT_GT(sink->times().size(), 7u);
    auto& since = tries.emplace_back();
    Duration expected = 1s;
    for (std::size_t i = 1; i < sink->times().size(); ++i) {
      const Duration gap = sink->times()[i] - sink->times()[i - 1];
      EXPECT_GE(gap, expected) << "try " << i;
      EXPECT_LE(gap, expected * 6 / 5) << "try " << i;
      expected = std::min<Duration>(expected * 2, 30s);
      since.push_back(MonotonicTime(sink->times()[i] - start));
    }
  }
  EXPECT_NE(tries[0], tries[1]);
  api::core::Node node;
  node.metadata.name = "node-1";
  ASSERT_THAT(api_.Create(node), IsOk());
  loop_.RunFor(36s);
  EXPECT_THAT(Slices(), SizeIs(1));
}

}  // namespace
}  // namespace assay::driver_ref::publish
