#include "controlplane/poolstatus/pool_status_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "api/resource/types.h"
#include "base/testing/status_matchers.h"
#include "controlplane/testing/virtual_cluster.h"

namespace assay::controlplane::poolstatus {
namespace {

using api::meta::Quantity;
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
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

api::Compatibility WithGate(api::Level level = api::Level::k1_36) {
  api::Compatibility compatibility(level);
  ASSAY_CHECK(compatibility.Set("DRAResourcePoolStatus", true).ok()) << "unknown gate";
  return compatibility;
}

class PoolStatusControllerTest : public ::testing::Test {
 protected:
  explicit PoolStatusControllerTest(const api::Compatibility& compatibility = WithGate())
      : cluster_(compatibility) {}

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

  VirtualCluster cluster_;
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

// Level 1.37.
class PoolViewsTest : public PoolStatusControllerTest {
 protected:
  PoolViewsTest() : PoolStatusControllerTest(WithPartitionTypes()) {}

  static api::Compatibility WithPartitionTypes() {
    api::Compatibility compatibility = WithGate(api::Level::k1_37);
    for (const char* gate : {"DRAPartitionableDevicesType", "DRADeviceTaintRules"}) {
      ASSAY_CHECK(compatibility.Set(gate, true).ok()) << gate;
    }
    return compatibility;
  }

  // A GPU of 80Gi, the whole of it and halves, each a device. The slice with the counters is
  // another.
  std::vector<ResourceSlice> DividedGpu() {
    ResourceSlice counters = MakeSlice("n1", 0);
    counters.metadata.name = "counters";
    counters.spec.pool.resource_slice_count = 2;
    auto& set = counters.spec.shared_counters.emplace_back();
    set.name = "gpu-0";
    set.counters["memory"].value = Quantity::Of("80Gi");
    ResourceSlice slice = MakeSlice("n1", 3);
    slice.spec.pool.resource_slice_count = 2;
    slice.spec.partition_type_attribute = "gpu.example.com/profile";
    for (std::size_t i = 0; i < 3; ++i) {
      auto& device = slice.spec.devices[i];
      // Both ways to write an attribute of the driver.
      device.attributes[i == 0 ? "profile" : "gpu.example.com/profile"].string =
          i == 0 ? "Full" : "Half";
      auto& cost = device.consumes_counters.emplace_back();
      cost.counter_set = "gpu-0";
      cost.counters["memory"].value = Quantity::Of(i == 0 ? "80Gi" : "40Gi");
    }
    return {counters, slice};
  }
  void Add(const std::vector<ResourceSlice>& slices) {
    for (const ResourceSlice& slice : slices) {
      ASSERT_THAT(cluster_->Create(slice), IsOk());
    }
  }
  PoolStatus AskForOne(const std::string& name, const std::string& attribute = "") {
    ResourcePoolStatusRequest request = Request(name);
    if (!attribute.empty()) {
      request.spec.default_partition_type_attribute = attribute;
    }
    request = Ask(request);
    EXPECT_TRUE(request.status && request.status->pools.size() == 1);
    return request.status && !request.status->pools.empty() ? request.status->pools[0]
                                                            : PoolStatus();
  }
  static std::vector<std::string> Partitions(const PoolStatus& pool) {
    std::vector<std::string> lines;
    for (const auto& partition : pool.partition_summary) {
      lines.push_back(partition.attribute + " " + partition.type + ": " +
                      std::to_string(*partition.allocatable) + " of " +
                      std::to_string(*partition.total));
    }
    return lines;
  }
};

TEST_F(PoolViewsTest, TellsHowManyMoreOfEachTypeThereCouldBe) {
  Add(DividedGpu());
  EXPECT_THAT(Partitions(AskForOne("before")), ElementsAre("gpu.example.com/profile Full: 1 of 1",
                                                           "gpu.example.com/profile Half: 2 of 2"));
  Allocate("a", "n1", "dev-1");
  const PoolStatus pool = AskForOne("after");
  EXPECT_THAT(Partitions(pool), ElementsAre("gpu.example.com/profile Full: 0 of 1",
                                            "gpu.example.com/profile Half: 1 of 2"));
  EXPECT_EQ(pool.allocated_devices, 1);
  EXPECT_FALSE(pool.validation_error);
  EXPECT_FALSE(pool.shareable_summary);
}

TEST_F(PoolViewsTest, TheRequestNamesTheAttributeWhereNoSliceDoes) {
  std::vector<ResourceSlice> slices = DividedGpu();
  slices[1].spec.partition_type_attribute.reset();
  Add(slices);
  EXPECT_THAT(Partitions(AskForOne("without")), IsEmpty());
  EXPECT_THAT(Partitions(AskForOne("with", "gpu.example.com/profile")), SizeIs(2));
  const PoolStatus flawed = AskForOne("wrong", "gpu.example.com/shape");
  EXPECT_EQ(flawed.validation_error,
            "PartitionTypeMissing: device \"dev-0\" in pool gpu.example.com/n1 does not carry "
            "partition type attribute \"gpu.example.com/shape\"");
  EXPECT_EQ(flawed.total_devices, 3);
  EXPECT_EQ(Get("wrong").status->conditions.at(0).message,
            "Calculated status for 1 pools (1 incomplete)");
}

TEST_F(PoolViewsTest, DevicesOfOneTypeCostTheSame) {
  std::vector<ResourceSlice> slices = DividedGpu();
  slices[1].spec.devices[2].consumes_counters[0].counters["memory"].value = Quantity::Of("20Gi");
  Add(slices);
  EXPECT_EQ(AskForOne("all").validation_error,
            "PartitionCostMismatch: devices of partition type \"Half\" in pool "
            "gpu.example.com/n1 consume different counters");
}

TEST_F(PoolViewsTest, AnAttributeWithoutCountersTellsNothing) {
  AddSlice("n1", 1);
  EXPECT_EQ(AskForOne("all", "gpu.example.com/profile").validation_error,
            "PartitionTypeMissing: pool gpu.example.com/n1 declares partitionTypeAttribute but "
            "publishes no sharedCounters");
}

TEST_F(PoolViewsTest, TellsWhatIsLeftOfSharedDevices) {
  ResourceSlice slice = MakeSlice("n1", 2);
  for (auto& device : slice.spec.devices) {
    device.allow_multiple_allocations = true;
    device.capacity["bandwidth"].value = Quantity::Of("40G");
  }
  Add({slice});
  for (const char* name : {"a", "b"}) {
    ASSERT_THAT(cluster_->Create(MakeClaim(name)), IsOk());
    ResourceClaim claim = *cluster_->Get<ResourceClaim>("default", name);
    claim.status.allocation = MakeAllocation("n1", "dev-0");
    auto& result = claim.status.allocation->devices.results[0];
    result.share_id = std::string("00000000-0000-4000-8000-00000000000") + name;
    result.consumed_capacity["bandwidth"] = Quantity::Of("10G");
    ASSERT_THAT(cluster_->UpdateStatus(claim), IsOk());
  }
  const PoolStatus pool = AskForOne("all");
  // Two shares of one device.
  EXPECT_EQ(pool.allocated_devices, 1);
  ASSERT_TRUE(pool.shareable_summary);
  EXPECT_EQ(pool.shareable_summary->fully_available_devices, 1);
  EXPECT_EQ(pool.shareable_summary->partially_available_devices, 1);
  ASSERT_THAT(pool.shareable_summary->capacity, SizeIs(1));
  const auto& capacity = pool.shareable_summary->capacity[0];
  EXPECT_EQ(capacity.name, "bandwidth");
  EXPECT_EQ(capacity.total, Quantity::Of("80G"));
  EXPECT_EQ(capacity.consumed, Quantity::Of("20G"));
  EXPECT_EQ(capacity.available, Quantity::Of("60G"));
}

TEST_F(PoolViewsTest, TaintedDevicesAreUnavailable) {
  ResourceSlice slice = MakeSlice("n1", 4);
  auto& taint = slice.spec.devices[0].taints.emplace_back();
  taint.key = "example.com/sick";
  taint.effect = "NoSchedule";
  Add({slice});
  api::resource::DeviceTaintRule rule;
  rule.metadata.name = "rule";
  rule.spec.device_selector.emplace().device = "dev-1";
  rule.spec.taint.key = "example.com/old";
  rule.spec.taint.effect = "NoExecute";
  ASSERT_THAT(cluster_->Create(rule), IsOk());
  const PoolStatus pool = AskForOne("all");
  EXPECT_EQ(pool.unavailable_devices, 2);
  EXPECT_EQ(pool.available_devices, 2);
}

}  // namespace
}  // namespace assay::controlplane::poolstatus
