#include "controlplane/poolstatus/pool_status_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "api/resource/types.h"
#include "base/testing/status_matchers.h"
#include "controlplane/testing/virtual_cluster.h"

namespace assay::controlplane::poolstatus {
namespace {

using api::resource::PoolStatus;
using api::resource::ResourceClaim;
using api::resource::ResourcePoolStatusRequest;
using api::resource::ResourceSlice;
using assay::testing::IsOk;
using controlplane::testing::MakeAllocation;
using controlplane::testing::MakeClaim;
using controlplane::testing::MakeSlice;
using controlplane::testing::VirtualCluster;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::SizeIs;

api::Compatibility WithGate() {
  api::Compatibility compatibility;
  ASSAY_CHECK(compatibility.Set("DRAResourcePoolStatus", true).ok()) << "unknown gate";
  return compatibility;
}

class PoolStatusControllerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    controller_.Start();
    cluster_.Settle();
  }

  void AddSlice(const std::string& node, int devices, std::int64_t generation = 1) {
    ResourceSlice slice = MakeSlice(node, devices);
    slice.spec.pool.generation = generation;
    ASSERT_THAT(cluster_->Create(slice), IsOk());
  }
  void Allocate(const std::string& claim_name, const std::string& node, const std::string& device) {
    ASSERT_THAT(cluster_->Create(MakeClaim(claim_name)), IsOk());
    ResourceClaim claim = *cluster_->Get<ResourceClaim>("default", claim_name);
    claim.status.allocation = MakeAllocation(node, device);
    ASSERT_THAT(cluster_->UpdateStatus(claim), IsOk());
  }
  static ResourcePoolStatusRequest Request(const std::string& name) {
    ResourcePoolStatusRequest request;
    request.metadata.name = name;
    request.spec.driver = "gpu.example.com";
    return request;
  }
  // The request as it is once every retry has been made.
  ResourcePoolStatusRequest Ask(const ResourcePoolStatusRequest& request) {
    cluster_.Settle();
    EXPECT_THAT(cluster_->Create(request), IsOk());
    cluster_.RunFor(seconds(10));
    return Get(request.metadata.name);
  }
  ResourcePoolStatusRequest Get(const std::string& name) {
    const auto request = cluster_->Get<ResourcePoolStatusRequest>("", name);
    EXPECT_THAT(request, IsOk());
    return request.ok() ? *request : ResourcePoolStatusRequest();
  }
  bool Exists(const std::string& name) {
    return cluster_->Get<ResourcePoolStatusRequest>("", name).ok();
  }

  VirtualCluster cluster_{WithGate()};
  PoolStatusController controller_{cluster_.client(), cluster_.compatibility()};
};

TEST_F(PoolStatusControllerTest, TellsWhatIsLeftOfEachPool) {
  AddSlice("n2", 2);
  AddSlice("n1", 3);
  Allocate("a", "n1", "dev-0");
  Allocate("b", "n1", "dev-1");
  ResourceSlice foreign = MakeSlice("n1", 1);
  foreign.metadata.name = "foreign";
  foreign.spec.driver = "nic.example.com";
  ASSERT_THAT(cluster_->Create(foreign), IsOk());

  const ResourcePoolStatusRequest request = Ask(Request("all"));
  ASSERT_TRUE(request.status);
  EXPECT_EQ(request.status->pool_count, 2);
  ASSERT_THAT(request.status->pools, SizeIs(2));
  const PoolStatus& pool = request.status->pools[0];
  EXPECT_EQ(pool.driver, "gpu.example.com");
  EXPECT_EQ(pool.pool_name, "n1");
  EXPECT_EQ(pool.node_name, "n1");
  EXPECT_EQ(pool.generation, 1);
  EXPECT_EQ(pool.resource_slice_count, 1);
  EXPECT_EQ(pool.total_devices, 3);
  EXPECT_EQ(pool.allocated_devices, 2);
  EXPECT_EQ(pool.available_devices, 1);
  EXPECT_EQ(pool.unavailable_devices, 0);
  EXPECT_EQ(request.status->pools[1].pool_name, "n2");
  EXPECT_EQ(request.status->pools[1].available_devices, 2);
  ASSERT_THAT(request.status->conditions, SizeIs(1));
  const auto& condition = request.status->conditions[0];
  EXPECT_EQ(condition.type + "=" + condition.status, "Complete=True");
  EXPECT_EQ(condition.reason + ": " + condition.message,
            "CalculationComplete: Calculated status for 2 pools");
}

TEST_F(PoolStatusControllerTest, TheAnswerIsGivenOnce) {
  AddSlice("n1", 1);
  Ask(Request("once"));
  Allocate("a", "n1", "dev-0");
  cluster_.RunFor(minutes(5));
  EXPECT_EQ(Get("once").status->pools.at(0).allocated_devices, 0);
}

TEST_F(PoolStatusControllerTest, PoolAndLimitNarrowTheAnswer) {
  for (const char* node : {"n1", "n2", "n3"}) {
    AddSlice(node, 1);
  }
  ResourcePoolStatusRequest one = Request("one");
  one.spec.pool_name = "n2";
  one = Ask(one);
  ASSERT_TRUE(one.status);
  EXPECT_EQ(one.status->pool_count, 1);
  EXPECT_EQ(one.status->pools.at(0).pool_name, "n2");

  ResourcePoolStatusRequest two = Request("two");
  two.spec.limit = 2;
  two = Ask(two);
  ASSERT_TRUE(two.status);
  EXPECT_EQ(two.status->pool_count, 3) << "of all, however many are listed";
  EXPECT_THAT(two.status->pools, SizeIs(2));
  EXPECT_EQ(two.status->conditions.at(0).message, "Calculated status for 2 pools");

  ResourcePoolStatusRequest none = Request("none");
  none.spec.pool_name = "elsewhere";
  none = Ask(none);
  ASSERT_TRUE(none.status);
  EXPECT_EQ(none.status->pool_count, 0);
}

TEST_F(PoolStatusControllerTest, OnlyTheNewestGenerationCounts) {
  AddSlice("n1", 5, /*generation=*/1);
  ResourceSlice newer = MakeSlice("n1", 2);
  newer.metadata.name = "newer";
  newer.spec.pool.generation = 2;
  ASSERT_THAT(cluster_->Create(newer), IsOk());
  const ResourcePoolStatusRequest request = Ask(Request("r"));
  ASSERT_TRUE(request.status);
  EXPECT_EQ(request.status->pools.at(0).generation, 2);
  EXPECT_EQ(request.status->pools.at(0).total_devices, 2);
}

TEST_F(PoolStatusControllerTest, PoolsOfSeveralNodesNameNone) {
  for (const char* node : {"n1", "n2"}) {
    ResourceSlice slice = MakeSlice(node, 1);
    slice.spec.pool.name = "shared";
    slice.spec.pool.resource_slice_count = 2;
    slice.spec.devices[0].name = node;
    ASSERT_THAT(cluster_->Create(slice), IsOk());
  }
  const ResourcePoolStatusRequest request = Ask(Request("r"));
  ASSERT_TRUE(request.status);
  EXPECT_EQ(request.status->pools.at(0).node_name, std::nullopt);
  EXPECT_EQ(request.status->pools.at(0).resource_slice_count, 2);
}

TEST_F(PoolStatusControllerTest, WaitsAWhileForMissingSlices) {
  ResourceSlice first = MakeSlice("n1", 1);
  first.spec.pool.resource_slice_count = 2;
  ASSERT_THAT(cluster_->Create(first), IsOk());
  ASSERT_THAT(cluster_->Create(Request("soon")), IsOk());
  cluster_.RunFor(std::chrono::milliseconds(20));
  EXPECT_FALSE(Get("soon").status);
  ResourceSlice second = first;
  second.metadata.name = "second";
  second.spec.devices[0].name = "dev-1";
  ASSERT_THAT(cluster_->Create(second), IsOk());
  cluster_.RunFor(seconds(1));
  ASSERT_TRUE(Get("soon").status);
  EXPECT_EQ(Get("soon").status->pools.at(0).total_devices, 2);
}

TEST_F(PoolStatusControllerTest, GivesUpAndStartsAgainOnlyWhenTheRequestChanges) {
  ResourceSlice first = MakeSlice("n1", 1);
  first.spec.pool.resource_slice_count = 2;
  ASSERT_THAT(cluster_->Create(first), IsOk());
  EXPECT_FALSE(Ask(Request("late")).status);
  ResourceSlice second = first;
  second.metadata.name = "second";
  second.spec.devices[0].name = "dev-1";
  ASSERT_THAT(cluster_->Create(second), IsOk());
  cluster_.RunFor(minutes(5));
  EXPECT_FALSE(Get("late").status) << "slices wake nobody";
  ASSERT_THAT(cluster_->Patch<ResourcePoolStatusRequest>({"", "late"},
                                                         R"({"metadata":{"labels":{"a":"b"}}})"),
              IsOk());
  cluster_.Settle();
  EXPECT_TRUE(Get("late").status);
}

TEST_F(PoolStatusControllerTest, GenerationNoughtCannotBeAnswered) {
  AddSlice("n1", 1, /*generation=*/0);
  EXPECT_FALSE(Ask(Request("r")).status) << "the API server refuses the answer";
}

TEST_F(PoolStatusControllerTest, AnswersLiveAnHourAndQuestionsADay) {
  AddSlice("n1", 1);
  Ask(Request("answered"));
  ResourceSlice half = MakeSlice("n2", 1);
  half.spec.pool.resource_slice_count = 2;
  ASSERT_THAT(cluster_->Create(half), IsOk());
  EXPECT_FALSE(Ask(Request("pending")).status);
  cluster_.RunFor(minutes(59));
  EXPECT_TRUE(Exists("answered"));
  cluster_.RunFor(minutes(12));
  EXPECT_FALSE(Exists("answered"));
  EXPECT_TRUE(Exists("pending"));
  cluster_.RunFor(hours(22));
  EXPECT_TRUE(Exists("pending"));
  cluster_.RunFor(hours(1));
  EXPECT_FALSE(Exists("pending"));
}

TEST(PoolStatusControllerGateTest, OffByDefault) {
  VirtualCluster cluster;
  PoolStatusController controller(cluster.client(), cluster.compatibility());
  controller.Start();
  ResourcePoolStatusRequest request;
  request.metadata.name = "r";
  request.spec.driver = "gpu.example.com";
  ASSERT_THAT(cluster->Create(request), IsOk());
  cluster.RunFor(minutes(1));
  EXPECT_FALSE(cluster->Get<ResourcePoolStatusRequest>("", "r")->status);
}

}  // namespace
}  // namespace assay::controlplane::poolstatus
