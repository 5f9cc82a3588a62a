#include "controlplane/scheduler/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/core/types.h"
#include "api/resource/types.h"
#include "base/testing/status_matchers.h"
#include "controlplane/claims/pod_claims.h"
#include "controlplane/testing/scheduler_fixture.h"

namespace assay::controlplane::scheduler {
namespace {

using api::core::Node;
using api::core::Pod;
using api::meta::Quantity;
using api::resource::DeviceClass;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;
using assay::testing::IsOk;
using controlplane::testing::MakeAllocation;
using controlplane::testing::MakeClaim;
using controlplane::testing::MakeClass;
using controlplane::testing::MakeNode;
using controlplane::testing::MakePod;
using controlplane::testing::MakeSlice;
using controlplane::testing::MakeTemplate;
using controlplane::testing::SchedulerTest;
using controlplane::testing::UseClaim;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

constexpr char kHopeless[] =
    "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";

TEST_F(SchedulerTest, AllocatesReservesAndBinds) {
  AddNode("n1", 0);
  AddNode("n2", 2);
  ASSERT_THAT(cluster_->Create(MakeClass()), IsOk());
  ASSERT_THAT(cluster_->Create(MakeTemplate("one")), IsOk());
  AddPod(MakePod("a", {"one"}));
  cluster_.RunFor(seconds(1));

  const Pod pod = GetPod("a");
  EXPECT_EQ(pod.spec.node_name, "n2");
  const ResourceClaim claim = ClaimOf("a");
  EXPECT_THAT(claim.metadata.finalizers, ElementsAre(claims::kFinalizer));
  ASSERT_TRUE(claim.status.allocation);
  ASSERT_EQ(claim.status.allocation->devices.results.size(), 1u);
  EXPECT_EQ(claim.status.allocation->devices.results[0].device, "dev-0");
  EXPECT_TRUE(claim.status.allocation->allocation_timestamp);
  ASSERT_EQ(claim.status.reserved_for.size(), 1u);
  EXPECT_EQ(claim.status.reserved_for[0].resource, "pods");
  EXPECT_EQ(claim.status.reserved_for[0].name, "a");
  EXPECT_EQ(claim.status.reserved_for[0].uid, pod.metadata.uid);
  EXPECT_THAT(cluster_.EventsAbout("a"),
              Contains("Scheduled: Successfully assigned default/a to n2"));
}

TEST_F(SchedulerTest, PodsEndFreesDevicesForTheNext) {
  AddNode("n1", 1);
  ASSERT_THAT(cluster_->Create(MakeClass()), IsOk());
  ASSERT_THAT(cluster_->Create(MakeTemplate("one")), IsOk());
  AddPod(MakePod("a", {"one"}));
  cluster_.RunFor(seconds(1));
  ASSERT_EQ(NodeOf("a"), "n1");
  AddPod(MakePod("b", {"one"}));
  cluster_.RunFor(seconds(30));
  EXPECT_EQ(NodeOf("b"), "");
  EXPECT_EQ(WhyNotScheduled("b"),
            "Unschedulable: 0/1 nodes are available: 1 cannot allocate all claims. still not "
            "schedulable, " +
                std::string(kHopeless));
  EXPECT_THAT(cluster_.EventsAbout("b"),
              Contains(StartsWith("FailedScheduling: 0/1 nodes are available")));

  Pod done = GetPod("a");
  done.status.phase = "Succeeded";
  ASSERT_THAT(cluster_->UpdateStatus(done), IsOk());
  cluster_.RunFor(seconds(1));
  EXPECT_EQ(NodeOf("b"), "n1") << "woken by the claim, not by a timer";
}

TEST_F(SchedulerTest, SharedClaimIsAllocatedOnce) {
  AddNode("n1", 1);
  ASSERT_THAT(cluster_->Create(MakeClass()), IsOk());
  ASSERT_THAT(cluster_->Create(MakeClaim("c")), IsOk());
  for (const char* name : {"a", "b"}) {
    Pod pod = MakePod(name);
    UseClaim(pod, "c");
    ASSERT_THAT(cluster_->Create(pod), IsOk());
  }
  cluster_.RunFor(seconds(2));
  EXPECT_EQ(NodeOf("a"), "n1");
  EXPECT_EQ(NodeOf("b"), "n1");
  EXPECT_EQ(GetClaim("c").status.reserved_for.size(), 2u);
}

TEST_F(SchedulerTest, WaitsSilentlyUntilTheClaimIsThere) {
  AddNode("n1", 1);
  ASSERT_THAT(cluster_->Create(MakeClass()), IsOk());
  Pod pod = MakePod("a");
  UseClaim(pod, "later");
  AddPod(pod);
  cluster_.RunFor(seconds(30));
  EXPECT_EQ(NodeOf("a"), "");
  EXPECT_THAT(cluster_.EventsAbout("a"), IsEmpty());
  ASSERT_THAT(cluster_->Create(MakeClaim("later")), IsOk());
  cluster_.Settle();
  EXPECT_EQ(NodeOf("a"), "n1");
}

TEST_F(SchedulerTest, MissingClassIsNamedAndWaitedFor) {
  AddNode("n1", 1);
  ASSERT_THAT(cluster_->Create(MakeClaim("c")), IsOk());
  Pod pod = MakePod("a");
  UseClaim(pod, "c");
  AddPod(pod);
  cluster_.RunFor(seconds(1));
  EXPECT_EQ(WhyNotScheduled("a"),
            "Unschedulable: 0/1 nodes are available: request req: device class gpu does not "
            "exist. no new claims to deallocate, " +
                std::string(kHopeless));
  ASSERT_THAT(cluster_->Create(MakeClass()), IsOk());
  cluster_.RunFor(seconds(2));
  EXPECT_EQ(NodeOf("a"), "n1");
}

TEST_F(SchedulerTest, CelRuntimeErrorAbortsTheAttempt) {
  AddNode("n1", 1);
  DeviceClass broken = MakeClass();
  broken.spec.selectors.resize(1);
  broken.spec.selectors[0].cel.emplace();
  broken.spec.selectors[0].cel->expression =
      R"(device.attributes["gpu.example.com"].nothing == "x")";
  ASSERT_THAT(cluster_->Create(broken), IsOk());
  ASSERT_THAT(cluster_->Create(MakeClaim("c")), IsOk());
  Pod pod = MakePod("a");
  UseClaim(pod, "c");
  AddPod(pod);
  cluster_.RunFor(seconds(1));
  EXPECT_THAT(WhyNotScheduled("a"),
              AllOf(StartsWith("SchedulerError: running \"DynamicResources\" filter plugin: class "
                               "gpu: selector #0:"),
                    HasSubstr("no such key: nothing")));
}

TEST_F(SchedulerTest, AllocatedClaimThatNobodyElseUsesIsFreedWhereItDoesNotFit) {
  AddNode("n1", 1);
  AddNode("n2", 1);
  ASSERT_THAT(cluster_->Create(MakeClass()), IsOk());
  ASSERT_THAT(cluster_->Create(MakeClaim("c")), IsOk());
  ResourceClaim claim = GetClaim("c");
  claim.metadata.finalizers = {claims::kFinalizer};
  ASSAY_ASSERT_OK_AND_ASSIGN(claim, cluster_->Update(claim));
  claim.status.allocation = MakeAllocation("n1");
  ASSERT_THAT(cluster_->UpdateStatus(claim), IsOk());

  Pod pod = MakePod("a");
  UseClaim(pod, "c");
  pod.spec.node_selector["kubernetes.io/hostname"] = "n2";
  AddPod(pod);
  cluster_.RunFor(seconds(15));
  EXPECT_EQ(NodeOf("a"), "n2");
  EXPECT_EQ(GetClaim("c").status.allocation->devices.results[0].pool, "n2");
  EXPECT_THAT(cluster_.EventsAbout("a"),
              Contains(HasSubstr("deallocation of ResourceClaim completed")));
}

TEST_F(SchedulerTest, NodeWithTheFirstAlternativeIsPreferred) {
  AddNode("n1", 0);
  AddNode("n2", 0);
  for (const auto& [node, kind] : {std::pair{"n1", "small"}, std::pair{"n2", "large"}}) {
    ResourceSlice slice = MakeSlice(node, 1);
    slice.spec.devices[0].attributes["kind"].string = kind;
    ASSERT_THAT(cluster_->Create(slice), IsOk());
  }
  for (const char* kind : {"small", "large"}) {
    DeviceClass device_class = MakeClass(kind);
    device_class.spec.selectors.resize(1);
    device_class.spec.selectors[0].cel.emplace();
    device_class.spec.selectors[0].cel->expression =
        std::string(R"(device.attributes["gpu.example.com"].kind == ")") + kind + "\"";
    ASSERT_THAT(cluster_->Create(device_class), IsOk());
  }
  ResourceClaim claim = MakeClaim("c");
  auto& request = claim.spec.devices.requests[0];
  request.exactly.reset();
  for (const char* kind : {"large", "small"}) {
    api::resource::DeviceSubRequest alternative;
    alternative.name = kind;
    alternative.device_class_name = kind;
    alternative.allocation_mode = "ExactCount";
    alternative.count = 1;
    request.first_available.push_back(alternative);
  }
  ASSERT_THAT(cluster_->Create(claim), IsOk());
  Pod pod = MakePod("a");
  UseClaim(pod, "c");
  AddPod(pod);
  cluster_.RunFor(seconds(1));
  EXPECT_EQ(NodeOf("a"), "n2");
  EXPECT_EQ(GetClaim("c").status.allocation->devices.results[0].request, "req/large");
}

TEST_F(SchedulerTest, WaitsForBindingConditions) {
  AddNode("n1", 0);
  ResourceSlice slice = MakeSlice("n1", 1);
  slice.spec.devices[0].binding_conditions = {"attached"};
  slice.spec.devices[0].binding_failure_conditions = {"broken"};
  ASSERT_THAT(cluster_->Create(slice), IsOk());
  ASSERT_THAT(cluster_->Create(MakeClass()), IsOk());
  ASSERT_THAT(cluster_->Create(MakeClaim("c")), IsOk());
  Pod pod = MakePod("a");
  UseClaim(pod, "c");
  AddPod(pod);
  cluster_.RunFor(seconds(60));
  EXPECT_EQ(NodeOf("a"), "");
  EXPECT_THAT(cluster_.EventsAbout("a"),
              Contains("BindingConditionsPending: waiting for binding conditions for device on "
                       "node n1"));
  ResourceClaim claim = GetClaim("c");
  ASSERT_TRUE(claim.status.allocation);
  claim.status.devices.resize(1);
  claim.status.devices[0].driver = "gpu.example.com";
  claim.status.devices[0].pool = "n1";
  claim.status.devices[0].device = "dev-0";
  claim.status.devices[0].conditions.resize(1);
  auto& condition = claim.status.devices[0].conditions[0];
  condition.type = "attached";
  condition.status = "True";
  condition.reason = "Attached";
  condition.last_transition_time = api::meta::Time::From(cluster_.loop().clock().Now());
  ASSERT_THAT(cluster_->UpdateStatus(claim), IsOk());
  cluster_.RunFor(seconds(6));
  EXPECT_EQ(NodeOf("a"), "n1");
}

TEST_F(SchedulerTest, BindingConditionsThatTakeTooLongFreeTheClaim) {
  AddNode("n1", 0);
  ResourceSlice slice = MakeSlice("n1", 1);
  slice.spec.devices[0].binding_conditions = {"attached"};
  slice.spec.devices[0].binding_failure_conditions = {"broken"};
  ASSERT_THAT(cluster_->Create(slice), IsOk());
  ASSERT_THAT(cluster_->Create(MakeClass()), IsOk());
  ASSERT_THAT(cluster_->Create(MakeClaim("c")), IsOk());
  Pod pod = MakePod("a");
  UseClaim(pod, "c");
  AddPod(pod);
  cluster_.RunFor(minutes(12));
  EXPECT_THAT(cluster_.EventsAbout("a"), Contains(HasSubstr("device binding timeout")));
  EXPECT_THAT(cluster_.EventsAbout("a"),
              Contains(HasSubstr("deallocation of ResourceClaim completed")));
}

TEST_F(SchedulerTest, ExtendedResourceComesFromADevice) {
  AddNode("n1", 2);
  DeviceClass device_class = MakeClass();
  device_class.spec.extended_resource_name = "example.com/gpu";
  ASSERT_THAT(cluster_->Create(device_class), IsOk());
  Pod pod = MakePod("a");
  for (auto* list :
       {&pod.spec.containers[0].resources.requests, &pod.spec.containers[0].resources.limits}) {
    (*list)["example.com/gpu"] = Quantity::Of("2");
  }
  AddPod(pod);
  cluster_.RunFor(seconds(1));
  pod = GetPod("a");
  EXPECT_EQ(pod.spec.node_name, "n1");
  ASSERT_TRUE(pod.status.extended_resource_claim_status);
  const auto& status = *pod.status.extended_resource_claim_status;
  EXPECT_THAT(status.resource_claim_name, StartsWith("a-extended-resources-"));
  ASSERT_EQ(status.request_mappings.size(), 1u);
  EXPECT_EQ(status.request_mappings[0].request_name, "container-0-request-0");
  EXPECT_EQ(status.request_mappings[0].container_name, "main");
  const ResourceClaim claim = GetClaim(status.resource_claim_name);
  EXPECT_EQ(claim.metadata.annotations.at(claims::kExtendedResourceAnnotation), "true");
  EXPECT_EQ(claim.status.allocation->devices.results.size(), 2u);
  EXPECT_EQ(claim.status.reserved_for.at(0).name, "a");
}

TEST_F(SchedulerTest, ConflictsWhileReservingAreOvercome) {
  AddNode("n1", 1);
  ASSERT_THAT(cluster_->Create(MakeClass()), IsOk());
  ASSERT_THAT(cluster_->Create(MakeClaim("c")), IsOk());
  Pod pod = MakePod("a");
  UseClaim(pod, "c");
  ASSERT_THAT(cluster_->Create(pod), IsOk());
  // Somebody labels the claim before the scheduler has heard of the pod's binding.
  ASSERT_THAT(
      cluster_->Patch<ResourceClaim>({"default", "c"}, R"({"metadata":{"labels":{"a":"b"}}})"),
      IsOk());
  cluster_.RunFor(seconds(2));
  EXPECT_EQ(NodeOf("a"), "n1");
}

TEST_F(SchedulerTest, PlainPodsGoByResourcesTaintsAndAffinity) {
  Node small = MakeNode("small");
  small.status.allocatable["cpu"] = Quantity::Of("1");
  Node tainted = MakeNode("tainted");
  tainted.spec.taints.resize(1);
  tainted.spec.taints[0].key = "dedicated";
  tainted.spec.taints[0].effect = "NoSchedule";
  Node other = MakeNode("other");
  other.metadata.labels["zone"] = "b";
  for (const Node& node : {small, tainted, other}) {
    ASSERT_THAT(cluster_->Create(node), IsOk());
  }
  Pod pod = MakePod("a");
  pod.spec.containers[0].resources.requests["cpu"] = Quantity::Of("2");
  pod.spec.node_selector["zone"] = "a";
  AddPod(pod);
  cluster_.RunFor(seconds(1));
  EXPECT_EQ(WhyNotScheduled("a"),
            "Unschedulable: 0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 node(s) "
            "didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: "
            "0/3 nodes are available: 3 Preemption is not helpful for scheduling.");
  // The node gets the label: the pod moves without waiting.
  ASSERT_THAT(cluster_->Patch<Node>({"", "other"}, R"({"metadata":{"labels":{"zone":"a"}}})"),
              IsOk());
  cluster_.RunFor(seconds(2));
  EXPECT_EQ(NodeOf("a"), "other");
}

TEST_F(SchedulerTest, AssumedPodsCount) {
  Node node = MakeNode("n1");
  node.status.allocatable["cpu"] = Quantity::Of("3");
  ASSERT_THAT(cluster_->Create(node), IsOk());
  for (const char* name : {"a", "b"}) {
    Pod pod = MakePod(name);
    pod.spec.containers[0].resources.requests["cpu"] = Quantity::Of("2");
    ASSERT_THAT(cluster_->Create(pod), IsOk());
  }
  cluster_.RunFor(seconds(1));
  EXPECT_THAT((std::set<std::string>{NodeOf("a"), NodeOf("b")}), UnorderedElementsAre("", "n1"));
  const std::string waiting = NodeOf("a").empty() ? "a" : "b";
  EXPECT_THAT(WhyNotScheduled(waiting),
              HasSubstr("1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes "
                        "are available: 1 No preemption victims found for incoming pod."));
  ASSERT_THAT(
      cluster_->Delete<Pod>({"default", waiting == "a" ? "b" : "a"}, {.grace_period_seconds = 0}),
      IsOk());
  cluster_.RunFor(seconds(2));
  EXPECT_EQ(NodeOf(waiting), "n1");
}

TEST_F(SchedulerTest, GatedPodsWait) {
  AddNode("n1", 0);
  Pod pod = MakePod("a");
  pod.spec.scheduling_gates.resize(1);
  pod.spec.scheduling_gates[0].name = "example.com/wait";
  AddPod(pod);
  cluster_.RunFor(minutes(10));
  EXPECT_EQ(NodeOf("a"), "");
  pod = GetPod("a");
  pod.spec.scheduling_gates.clear();
  ASSERT_THAT(cluster_->Update(pod), IsOk());
  cluster_.Settle();
  EXPECT_EQ(NodeOf("a"), "n1");
}

TEST_F(SchedulerTest, HigherPriorityGoesFirst) {
  for (const char* name : {"low", "high"}) {
    Pod pod = MakePod(name);
    pod.spec.priority = std::string(name) == "high" ? 1000 : 0;
    pod.spec.containers[0].resources.requests["cpu"] = Quantity::Of("6");
    ASSERT_THAT(cluster_->Create(pod), IsOk());
  }
  cluster_.RunFor(seconds(20));
  AddNode("n1", 0);
  cluster_.RunFor(seconds(20));
  EXPECT_EQ(NodeOf("high"), "n1");
  EXPECT_EQ(NodeOf("low"), "");
}

TEST_F(SchedulerTest, WithoutNodesThePodWaitsForOne) {
  AddPod(MakePod("a"));
  cluster_.RunFor(seconds(1));
  EXPECT_EQ(WhyNotScheduled("a"), "SchedulerError: no nodes available to schedule pods");
  AddNode("n1", 0);
  cluster_.RunFor(seconds(2));
  EXPECT_EQ(NodeOf("a"), "n1");
}

}  // namespace
}  // namespace assay::controlplane::scheduler
