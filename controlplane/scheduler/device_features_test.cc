// What the scheduler makes of the optional features of devices: each KEP from the slice to the
// allocation in the claim.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "api/core/types.h"
#include "api/resource/types.h"
#include "base/testing/status_matchers.h"
#include "controlplane/testing/scheduler_fixture.h"

namespace assay::controlplane::scheduler {
namespace {

using api::core::Pod;
using api::meta::Quantity;
using api::resource::Counter;
using api::resource::Device;
using api::resource::DeviceTaintRule;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;
using assay::testing::IsOk;
using controlplane::testing::MakeClaim;
using controlplane::testing::MakeClass;
using controlplane::testing::MakePod;
using controlplane::testing::MakeSlice;
using controlplane::testing::SchedulerTest;
using controlplane::testing::UseClaim;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

api::Compatibility With(const std::vector<std::string>& gates) {
  api::Compatibility compatibility;
  for (const std::string& gate : gates) {
    ASSAY_CHECK(compatibility.Set(gate, true).ok()) << "unknown gate " << gate;
  }
  return compatibility;
}

class DeviceFeaturesTest : public SchedulerTest {
 protected:
  explicit DeviceFeaturesTest(api::Compatibility compatibility = {})
      : SchedulerTest(std::move(compatibility)) {}

  void SetUp() override {
    SchedulerTest::SetUp();
    ASSERT_THAT(cluster_->Create(MakeClass()), IsOk());
  }

  // The claim, and a pod of the same name that uses it.
  void Use(const ResourceClaim& claim) {
    ASSERT_THAT(cluster_->Create(claim), IsOk());
    Pod pod = MakePod(claim.metadata.name);
    UseClaim(pod, claim.metadata.name);
    AddPod(pod);
    cluster_.RunFor(seconds(2));
  }
  void EndPod(const std::string& name) {
    Pod done = GetPod(name);
    done.status.phase = "Succeeded";
    ASSERT_THAT(cluster_->UpdateStatus(done), IsOk());
    cluster_.RunFor(seconds(15));
  }
  // "" if the claim is not allocated.
  std::string DeviceOf(const std::string& claim_name) {
    const ResourceClaim claim = GetClaim(claim_name);
    return claim.status.allocation ? claim.status.allocation->devices.results.at(0).device : "";
  }
};

// KEP-5018

TEST_F(DeviceFeaturesTest, AdministratorsSeeDevicesInUseAndUseNothingUp) {
  AddNode("n1", 1);
  ASSERT_THAT(cluster_->Patch<api::core::Namespace>(
                  {"", "default"},
                  R"({"metadata":{"labels":{"resource.kubernetes.io/admin-access":"true"}}})"),
              IsOk());
  const auto monitor = [](const std::string& name) {
    ResourceClaim claim = MakeClaim(name);
    claim.spec.devices.requests[0].exactly->admin_access = true;
    return claim;
  };
  Use(monitor("before"));
  EXPECT_EQ(DeviceOf("before"), "dev-0");
  Use(MakeClaim("user"));
  EXPECT_EQ(DeviceOf("user"), "dev-0") << "what administrators look at is free";
  Use(monitor("after"));
  EXPECT_EQ(DeviceOf("after"), "dev-0") << "what is in use can be looked at";
  EXPECT_EQ(GetClaim("after").status.allocation->devices.results[0].admin_access, true);
  EXPECT_EQ(NodeOf("after"), "n1");
  Use(MakeClaim("another"));
  EXPECT_EQ(DeviceOf("another"), "");
}

// KEP-5055

class TaintRulesTest : public DeviceFeaturesTest {
 protected:
  TaintRulesTest() : DeviceFeaturesTest(With({"DRADeviceTaintRules"})) {}
};

TEST_F(TaintRulesTest, ARuleKeepsAwayWhoDoesNotTolerateIt) {
  AddNode("n1", 1);
  DeviceTaintRule rule;
  rule.metadata.name = "maintenance";
  rule.spec.device_selector.emplace();
  rule.spec.device_selector->driver = "gpu.example.com";
  rule.spec.taint.key = "example.com/maintenance";
  rule.spec.taint.effect = "NoSchedule";
  ASSERT_THAT(cluster_->Create(rule), IsOk());
  Use(MakeClaim("user"));
  EXPECT_THAT(WhyNotScheduled("user"), HasSubstr("1 cannot allocate all claims"));

  ResourceClaim tolerant = MakeClaim("tolerant");
  auto& tolerations = tolerant.spec.devices.requests[0].exactly->tolerations;
  tolerations.resize(1);
  tolerations[0].key = "example.com/maintenance";
  tolerations[0].operator_ = "Exists";
  Use(tolerant);
  EXPECT_EQ(DeviceOf("tolerant"), "dev-0");
  EXPECT_THAT(GetClaim("tolerant").status.allocation->devices.results[0].tolerations, SizeIs(1))
      << "for the eviction controller";
  EndPod("tolerant");

  ASSERT_THAT(cluster_->Delete<DeviceTaintRule>({"", "maintenance"}), IsOk());
  cluster_.RunFor(seconds(15));
  EXPECT_EQ(DeviceOf("user"), "dev-0");
}

// KEP-5075

TEST_F(DeviceFeaturesTest, ANicIsSharedUntilItsBandwidthIsUsedUp) {
  AddNode("n1", 0);
  ResourceSlice slice = MakeSlice("n1", 1);
  Device& nic = slice.spec.devices[0];
  nic.allow_multiple_allocations = true;
  auto& bandwidth = nic.capacity["bandwidth"];
  bandwidth.value = Quantity::Of("100G");
  bandwidth.request_policy.emplace();
  bandwidth.request_policy->default_ = Quantity::Of("10G");
  bandwidth.request_policy->valid_range.emplace();
  bandwidth.request_policy->valid_range->min = Quantity::Of("10G");
  bandwidth.request_policy->valid_range->step = Quantity::Of("10G");
  ASSERT_THAT(cluster_->Create(slice), IsOk());
  const auto share = [](const std::string& name, const std::string& amount) {
    ResourceClaim claim = MakeClaim(name);
    claim.spec.devices.requests[0].exactly->capacity.emplace();
    claim.spec.devices.requests[0].exactly->capacity->requests["bandwidth"] = Quantity::Of(amount);
    return claim;
  };
  Use(share("first", "40G"));
  Use(share("second", "35G"));
  Use(share("third", "40G"));
  const auto first = GetClaim("first").status.allocation->devices.results.at(0);
  const auto second = GetClaim("second").status.allocation->devices.results.at(0);
  EXPECT_EQ(first.consumed_capacity.at("bandwidth"), Quantity::Of("40G"));
  EXPECT_EQ(second.consumed_capacity.at("bandwidth"), Quantity::Of("40G")) << "rounded up";
  ASSERT_TRUE(first.share_id);
  ASSERT_TRUE(second.share_id);
  EXPECT_NE(*first.share_id, *second.share_id);
  EXPECT_EQ(DeviceOf("third"), "");
  Use(MakeClaim("default"));
  EXPECT_EQ(GetClaim("default").status.allocation->devices.results.at(0).consumed_capacity.at(
                "bandwidth"),
            Quantity::Of("10G"));
  EndPod("first");
  EXPECT_EQ(DeviceOf("third"), "dev-0");
}

// KEP-4815

TEST_F(DeviceFeaturesTest, PartitionsAndTheWholeGpuExcludeEachOther) {
  AddNode("n1", 0);
  const auto memory = [](const std::string& amount) {
    Counter counter;
    counter.value = Quantity::Of(amount);
    return std::map<std::string, Counter>{{"memory", counter}};
  };
  ResourceSlice counters = MakeSlice("n1", 0);
  counters.metadata.name = "n1-counters";
  counters.spec.pool.resource_slice_count = 2;
  counters.spec.shared_counters.resize(1);
  counters.spec.shared_counters[0].name = "gpu-0";
  counters.spec.shared_counters[0].counters = memory("80Gi");
  ResourceSlice devices = MakeSlice("n1", 3);
  devices.spec.pool.resource_slice_count = 2;
  const std::vector<std::pair<std::string, std::string>> partitions = {
      {"half-0", "40Gi"}, {"half-1", "40Gi"}, {"whole", "80Gi"}};
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    Device& device = devices.spec.devices[i];
    device.name = partitions[i].first;
    device.capacity["memory"].value = Quantity::Of(partitions[i].second);
    device.consumes_counters.resize(1);
    device.consumes_counters[0].counter_set = "gpu-0";
    device.consumes_counters[0].counters = memory(partitions[i].second);
  }
  ASSERT_THAT(cluster_->Create(counters), IsOk());
  ASSERT_THAT(cluster_->Create(devices), IsOk());
  const auto at_least = [](const std::string& name, const std::string& amount) {
    ResourceClaim claim = MakeClaim(name);
    auto& selectors = claim.spec.devices.requests[0].exactly->selectors;
    selectors.resize(1);
    selectors[0].cel.emplace();
    selectors[0].cel->expression =
        R"(device.capacity["gpu.example.com"].memory.compareTo(quantity(")" + amount +
        R"(")) >= 0)";
    return claim;
  };
  Use(at_least("a", "20Gi"));
  EXPECT_EQ(DeviceOf("a"), "half-0") << "any GPU with 20 GiB or more";
  Use(at_least("large", "80Gi"));
  EXPECT_EQ(DeviceOf("large"), "") << "half of the GPU is in use";
  Use(at_least("b", "20Gi"));
  EXPECT_EQ(DeviceOf("b"), "half-1");
  Use(at_least("c", "20Gi"));
  EXPECT_EQ(DeviceOf("c"), "") << "nothing is left";
  ASSERT_THAT(cluster_->Delete<Pod>({"default", "c"}), IsOk());
  EndPod("a");
  EXPECT_EQ(DeviceOf("large"), "");
  EndPod("b");
  EXPECT_EQ(DeviceOf("large"), "whole");
  Use(at_least("d", "20Gi"));
  EXPECT_EQ(DeviceOf("d"), "") << "the whole GPU is in use";
}

// KEP-5007

TEST_F(DeviceFeaturesTest, ADeviceThatCannotBeBoundIsGivenUpForAnother) {
  for (const char* node : {"n1", "n2"}) {
    AddNode(node, 0);
    ResourceSlice slice = MakeSlice(node, 1);
    slice.spec.devices[0].binding_conditions = {"attached"};
    slice.spec.devices[0].binding_failure_conditions = {"broken"};
    ASSERT_THAT(cluster_->Create(slice), IsOk());
  }
  Use(MakeClaim("c"));
  EXPECT_EQ(NodeOf("c"), "") << "not before it is attached";
  const auto report = [&](const std::string& type) {
    ResourceClaim claim = GetClaim("c");
    ASSERT_TRUE(claim.status.allocation);
    claim.status.devices.resize(1);
    auto& device = claim.status.devices[0];
    device.driver = "gpu.example.com";
    device.pool = claim.status.allocation->devices.results[0].pool;
    device.device = "dev-0";
    device.conditions.resize(1);
    device.conditions[0].type = type;
    device.conditions[0].status = "True";
    device.conditions[0].reason = "Fabric";
    device.conditions[0].message = "as told";
    device.conditions[0].last_transition_time =
        api::meta::Time::From(cluster_.loop().clock().Now());
    ASSERT_THAT(cluster_->UpdateStatus(claim), IsOk());
  };
  const std::string first = GetClaim("c").status.allocation->devices.results.at(0).pool;
  // The driver's controller gives the device up: the claim fails, nobody else is to take it.
  ResourceSlice slice = *cluster_->Get<ResourceSlice>("", first + "-slice");
  slice.spec.devices[0].taints.resize(1);
  slice.spec.devices[0].taints[0].key = "example.com/broken";
  slice.spec.devices[0].taints[0].effect = "NoSchedule";
  ASSERT_THAT(cluster_->Update(slice), IsOk());
  report("broken");
  cluster_.RunFor(seconds(30));
  EXPECT_THAT(
      cluster_.EventsAbout("c"),
      Contains(HasSubstr(R"(device binding failed: claim=c, reason=Fabric, message="as told")")));
  EXPECT_THAT(cluster_.EventsAbout("c"),
              Contains(HasSubstr("deallocation of ResourceClaim completed")));
  ASSERT_TRUE(GetClaim("c").status.allocation);
  EXPECT_NE(GetClaim("c").status.allocation->devices.results.at(0).pool, first);
  EXPECT_THAT(GetClaim("c").status.devices, SizeIs(0)) << "the first device's status went with it";
  report("attached");
  cluster_.RunFor(seconds(10));
  EXPECT_THAT((std::vector<std::string>{first, NodeOf("c")}), UnorderedElementsAre("n1", "n2"));
}

// KEP-5517

class NativeResourcesTest : public DeviceFeaturesTest {
 protected:
  NativeResourcesTest() : DeviceFeaturesTest(With({"DRANodeAllocatableResources"})) {}

  // A node of 8 cpu whose two cards each take 3 of them, and half a byte for each byte of theirs.
  void AddCards() {
    AddNode("n1", 0);
    ResourceSlice slice = MakeSlice("n1", 2);
    for (Device& device : slice.spec.devices) {
      device.allow_multiple_allocations = true;
      device.capacity["memory"].value = Quantity::Of("4Gi");
      device.node_allocatable_resource_mappings["cpu"].allocation_multiplier = Quantity::Of("3");
      auto& memory = device.node_allocatable_resource_mappings["memory"];
      memory.capacity_key = "memory";
      memory.allocation_multiplier = Quantity::Of("500m");
    }
    ASSERT_THAT(cluster_->Create(slice), IsOk());
  }
  // A claim, and a pod that uses it and asks for so much cpu besides.
  void UseWithCpu(const ResourceClaim& claim, const std::string& cpu) {
    ASSERT_THAT(cluster_->Create(claim), IsOk());
    Pod pod = MakePod(claim.metadata.name);
    UseClaim(pod, claim.metadata.name);
    pod.spec.containers[0].resources.requests["cpu"] = Quantity::Of(cpu);
    AddPod(pod);
    cluster_.RunFor(seconds(2));
  }
};

TEST_F(NativeResourcesTest, DevicesTakeCpuAndMemoryOfTheirNode) {
  AddCards();
  UseWithCpu(MakeClaim("a"), "1");
  ASSERT_EQ(NodeOf("a"), "n1");
  const Pod pod = GetPod("a");
  ASSERT_THAT(pod.status.node_allocatable_resource_claim_statuses, SizeIs(1));
  const auto& taken = pod.status.node_allocatable_resource_claim_statuses[0];
  EXPECT_EQ(taken.resource_claim_name, "a");
  EXPECT_EQ(taken.containers, std::vector<std::string>{"main"});
  EXPECT_EQ(taken.resources.at("cpu"), Quantity::Of("3"));
  EXPECT_EQ(taken.resources.at("memory"), Quantity::Of("2Gi"));
  // 4 of 8 cpu are left: 2 and the card's 3 are too many, 1 and 3 are not.
  UseWithCpu(MakeClaim("b"), "2");
  EXPECT_THAT(WhyNotScheduled("b"), HasSubstr("1 Insufficient cpu"));
  EXPECT_EQ(DeviceOf("b"), "");
  UseWithCpu(MakeClaim("c"), "1");
  EXPECT_EQ(NodeOf("c"), "n1");
  EndPod("a");
  EXPECT_EQ(NodeOf("b"), "") << "c takes 4, and b would take 5";
  EndPod("c");
  EXPECT_EQ(NodeOf("b"), "n1");
}

TEST_F(NativeResourcesTest, PlainPodsFindTheCpuTaken) {
  AddCards();
  UseWithCpu(MakeClaim("a"), "1");
  Pod plain = MakePod("plain");
  plain.spec.containers[0].resources.requests["cpu"] = Quantity::Of("5");
  AddPod(plain);
  cluster_.RunFor(seconds(2));
  EXPECT_THAT(WhyNotScheduled("plain"), HasSubstr("1 Insufficient cpu"));
}

TEST_F(NativeResourcesTest, SuchAClaimIsForOnePodAndHasAContainer) {
  AddCards();
  Use(MakeClaim("a"));
  Pod other = MakePod("other");
  UseClaim(other, "a");
  AddPod(other);
  cluster_.RunFor(seconds(2));
  EXPECT_THAT(WhyNotScheduled("other"),
              HasSubstr("node allocatable resource claim a is already used by another pod"));
  ASSERT_THAT(cluster_->Create(MakeClaim("b")), IsOk());
  Pod idle = MakePod("idle");
  UseClaim(idle, "b");
  idle.spec.containers[0].resources.claims.clear();
  AddPod(idle);
  cluster_.RunFor(seconds(2));
  EXPECT_THAT(WhyNotScheduled("idle"),
              HasSubstr("claim b: node-allocatable resource claim not referenced by any container "
                        "within the pod"));
}

TEST_F(NativeResourcesTest, APodsOwnRequestsCoverWhatItsDevicesTake) {
  AddCards();
  const auto create = [&](const std::string& name, const std::string& cpu) {
    ASSERT_THAT(cluster_->Create(MakeClaim(name)), IsOk());
    Pod pod = MakePod(name);
    UseClaim(pod, name);
    pod.spec.resources.emplace();
    pod.spec.resources->requests["cpu"] = Quantity::Of(cpu);
    AddPod(pod);
    cluster_.RunFor(seconds(2));
  };
  create("little", "2");
  EXPECT_THAT(WhyNotScheduled("little"),
              HasSubstr("pod level request for cpu is insufficient to cover the aggregated "
                        "container and node-allocatable DRA requests"));
  create("enough", "4");
  EXPECT_EQ(NodeOf("enough"), "n1");
}

// KEP-5004

TEST_F(DeviceFeaturesTest, EveryClassIsAnExtendedResource) {
  AddNode("n1", 1);
  Pod pod = MakePod("a");
  for (auto* list :
       {&pod.spec.containers[0].resources.requests, &pod.spec.containers[0].resources.limits}) {
    (*list)["deviceclass.resource.kubernetes.io/gpu"] = Quantity::Of("1");
  }
  AddPod(pod);
  cluster_.RunFor(seconds(2));
  EXPECT_EQ(NodeOf("a"), "n1");
  const Pod bound = GetPod("a");
  ASSERT_TRUE(bound.status.extended_resource_claim_status);
  EXPECT_EQ(DeviceOf(bound.status.extended_resource_claim_status->resource_claim_name), "dev-0");
}

// Level 1.37.
class OptionalOperationsTest : public DeviceFeaturesTest {
 protected:
  OptionalOperationsTest()
      : DeviceFeaturesTest(*api::Compatibility::Parse("1.37", "DRAOptionalNodeOperations=true")) {}
};

TEST_F(OptionalOperationsTest, DevicesThatSkipThemAreForNodesThatCan) {
  api::core::Node able = controlplane::testing::MakeNode("able");
  able.status.declared_features = {"DRAOptionalNodeOperations"};
  ASSERT_THAT(cluster_->Create(able), IsOk());
  AddNode("other", 0);
  ResourceSlice slice = MakeSlice("everywhere", 1);
  slice.spec.node_name.reset();
  slice.spec.all_nodes = true;
  slice.spec.skip_node_operations = {"*"};
  ASSERT_THAT(cluster_->Create(slice), IsOk());

  Use(MakeClaim("a"));
  EXPECT_EQ(NodeOf("a"), "able");
  EXPECT_THAT(GetClaim("a").status.allocation->devices.results.at(0).skip_node_operations,
              ::testing::ElementsAre("*"));
  // Nor may the claim be used on the other node once it is allocated.
  for (const char* node : {"other", "able"}) {
    Pod pod = MakePod(node);
    UseClaim(pod, "a");
    pod.spec.node_selector["kubernetes.io/hostname"] = node;
    AddPod(pod);
    cluster_.RunFor(seconds(2));
  }
  EXPECT_EQ(NodeOf("other"), "");
  EXPECT_EQ(NodeOf("able"), "able");
}

}  // namespace
}  // namespace assay::controlplane::scheduler
