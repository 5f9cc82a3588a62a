// Pod groups: gangs that go as a whole or not at all (KEP-4671), and claims that the pods of a
// group share (KEP-5729).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "api/core/types.h"
#include "api/resource/types.h"
#include "api/scheduling/types.h"
#include "base/testing/status_matchers.h"
#include "controlplane/claims/pod_claims.h"
#include "controlplane/testing/scheduler_fixture.h"

namespace assay::controlplane::scheduler {
namespace {

using api::core::Node;
using api::core::Pod;
using api::resource::ResourceClaim;
using api::scheduling::PodGroup;
using assay::testing::IsOk;
using controlplane::testing::MakeAllocation;
using controlplane::testing::MakeClass;
using controlplane::testing::MakePod;
using controlplane::testing::MakeSlice;
using controlplane::testing::MakeTemplate;
using controlplane::testing::SchedulerTest;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kIncomplete[] =
    "Unschedulable: pod group is unschedulable, waiting for minCount pods from a gang to be "
    "scheduled";

api::Compatibility WithGroups(const std::string& level) {
  const auto compatibility = api::Compatibility::Parse(
      level, "GenericWorkload=true,GangScheduling=true,DRAWorkloadResourceClaims=true");
  ASSAY_CHECK(compatibility.ok()) << compatibility.status().ToString();
  return *compatibility;
}

class PodGroupsTest : public SchedulerTest {
 protected:
  explicit PodGroupsTest(const std::string& level = "1.36") : SchedulerTest(WithGroups(level)) {}

  void SetUp() override {
    SchedulerTest::SetUp();
    ASSERT_THAT(cluster_->Create(MakeClass()), IsOk());
    ASSERT_THAT(cluster_->Create(MakeTemplate("one")), IsOk());
  }

  static PodGroup Gang(std::int32_t min_count) {
    PodGroup group;
    group.metadata.namespace_ = "default";
    group.metadata.name = "g";
    group.spec.scheduling_policy.gang.emplace();
    group.spec.scheduling_policy.gang->min_count = min_count;
    return group;
  }
  // Its pods' entry "gpu" means the group's claim.
  static PodGroup GangWithClaim(std::int32_t min_count) {
    PodGroup group = Gang(min_count);
    group.spec.resource_claims.resize(1);
    group.spec.resource_claims[0].name = "gpu";
    group.spec.resource_claims[0].resource_claim_template_name = "one";
    return group;
  }
  void AddMember(const std::string& name) {
    Pod pod = MakePod(name, {"one"});
    pod.spec.scheduling_group.emplace();
    pod.spec.scheduling_group->pod_group_name = "g";
    AddPod(pod);
  }
  // "<status> <reason>: <message>" of PodGroupScheduled.
  std::string GroupCondition() {
    const PodGroup group = *cluster_->Get<PodGroup>("default", "g");
    for (const auto& condition : group.status.conditions) {
      if (condition.type == "PodGroupScheduled") {
        return condition.status + " " + condition.reason + ": " + condition.message;
      }
    }
    return "";
  }
};

TEST_F(PodGroupsTest, AGangWaitsForItsGroupAndItsPods) {
  AddNode("n1", 3);
  AddMember("a");
  cluster_.RunFor(seconds(30));
  EXPECT_EQ(NodeOf("a"), "") << "there is no group";
  ASSERT_THAT(cluster_->Create(Gang(2)), IsOk());
  cluster_.RunFor(seconds(30));
  EXPECT_EQ(NodeOf("a"), "") << "there is one of two pods";
  EXPECT_THAT(cluster_.EventsAbout("a"), IsEmpty());
  AddMember("b");
  cluster_.RunFor(seconds(2));
  EXPECT_EQ(NodeOf("a"), "n1");
  EXPECT_EQ(NodeOf("b"), "n1");
  AddMember("c");
  cluster_.RunFor(seconds(2));
  EXPECT_EQ(NodeOf("c"), "n1") << "more than it needs may come later";
}

TEST_F(PodGroupsTest, AGangGoesAsAWholeOrNotAtAll) {
  AddNode("n1", 1);
  AddNode("n2", 1);
  ASSERT_THAT(cluster_->Create(Gang(3)), IsOk());
  for (const char* name : {"a", "b", "c"}) {
    AddMember(name);
  }
  cluster_.RunFor(seconds(60));
  std::multiset<std::string> reasons;
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_EQ(NodeOf(name), "");
    EXPECT_FALSE(ClaimOf(name).status.allocation) << "nobody holds devices while he waits";
    reasons.insert(WhyNotScheduled(name));
  }
  EXPECT_EQ(reasons.count(kIncomplete), 2u) << "two would have fit";
  EXPECT_THAT(reasons,
              Contains(HasSubstr("0/2 nodes are available: 2 cannot allocate all claims")));
  EXPECT_EQ(GroupCondition(), "False Unschedulable: pod group is unschedulable");

  AddNode("n3", 1);
  cluster_.RunFor(seconds(15));
  EXPECT_EQ((std::set<std::string>{NodeOf("a"), NodeOf("b"), NodeOf("c")}),
            (std::set<std::string>{"n1", "n2", "n3"}));
  EXPECT_EQ(GroupCondition(), "True Scheduled: ");
}

TEST_F(PodGroupsTest, OthersGetWhatAWaitingGangDoesNotUse) {
  AddNode("n1", 1);
  ASSERT_THAT(cluster_->Create(Gang(2)), IsOk());
  AddMember("a");
  AddMember("b");
  cluster_.RunFor(seconds(20));
  ASSERT_EQ(NodeOf("a") + NodeOf("b"), "");
  AddPod(MakePod("single", {"one"}));
  cluster_.RunFor(seconds(5));
  EXPECT_EQ(NodeOf("single"), "n1");
}

TEST_F(PodGroupsTest, PodsOfAGroupShareItsClaim) {
  AddNode("n1", 1);
  AddNode("n2", 1);
  ASSERT_THAT(cluster_->Create(GangWithClaim(3)), IsOk());
  cluster_.Settle();
  for (const char* name : {"a", "b", "c"}) {
    AddMember(name);
  }
  cluster_.RunFor(seconds(15));
  EXPECT_EQ(NodeOf("a"), "n1");
  EXPECT_EQ(NodeOf("b"), "n1") << "where the claim's device is, though n2 is emptier";
  EXPECT_EQ(NodeOf("c"), "n1");
  const auto claims = *cluster_->List<ResourceClaim>();
  ASSERT_THAT(claims, SizeIs(1));
  ASSERT_THAT(claims[0].status.reserved_for, SizeIs(1));
  EXPECT_EQ(claims[0].status.reserved_for[0].api_group, "scheduling.k8s.io");
  EXPECT_EQ(claims[0].status.reserved_for[0].resource, "podgroups");
  EXPECT_EQ(claims[0].status.reserved_for[0].name, "g");
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_THAT(cluster_.EventsAbout(name), Not(Contains(HasSubstr("PreBind"))))
        << "they do not come in each other's way";
  }
}

// A domain of nodes that are linked is a device for those nodes: the group's claim has one, and
// each pod a GPU of its own.
TEST_F(PodGroupsTest, AGangStaysInOneDomain) {
  const auto selector_for = [](const std::string& name, const char* domain) {
    auto made = MakeClass(name);
    made.spec.selectors.emplace_back().cel.emplace().expression =
        std::string("device.attributes[\"gpu.example.com\"].?domain.orValue(false) == ") + domain;
    return made;
  };
  ASSERT_THAT(cluster_->Create(selector_for("domain", "true")), IsOk());
  ASSERT_THAT(cluster_->Create(selector_for("device", "false")), IsOk());
  for (const char* name : {"domain", "device"}) {
    auto made = MakeTemplate(name);
    made.spec.spec.devices.requests[0].exactly->device_class_name = name;
    ASSERT_THAT(cluster_->Create(made), IsOk());
  }
  // More GPUs lie outside of the domain than in it.
  for (const char* node : {"n1", "n2"}) {
    AddNode(node, 4);
  }
  for (const char* node : {"n3", "n4", "n5"}) {
    AddNode(node, 1);
  }
  auto domain = MakeSlice("rack", 1);
  domain.spec.node_name.reset();
  domain.spec.devices[0].attributes["domain"].bool_ = true;
  auto& expression = domain.spec.node_selector.emplace()
                         .node_selector_terms.emplace_back()
                         .match_expressions.emplace_back();
  expression.key = "kubernetes.io/hostname";
  expression.operator_ = "In";
  expression.values = {"n3", "n4", "n5"};
  ASSERT_THAT(cluster_->Create(domain), IsOk());

  PodGroup group = Gang(3);
  group.spec.resource_claims.resize(1);
  group.spec.resource_claims[0].name = "gpu";
  group.spec.resource_claims[0].resource_claim_template_name = "domain";
  ASSERT_THAT(cluster_->Create(group), IsOk());
  cluster_.Settle();
  for (const char* name : {"a", "b", "c"}) {
    Pod pod = MakePod(name, {"domain", "device"});
    pod.spec.scheduling_group.emplace().pod_group_name = "g";
    AddPod(pod);
  }
  cluster_.RunFor(seconds(15));
  EXPECT_THAT((std::set<std::string>{NodeOf("a"), NodeOf("b"), NodeOf("c")}),
              ElementsAre("n3", "n4", "n5"));
}

class LaterPodGroupsTest : public PodGroupsTest {
 protected:
  LaterPodGroupsTest() : PodGroupsTest("1.37") {}
};

TEST_F(LaterPodGroupsTest, AGangThatNeedsFewerGoes) {
  AddNode("n1", 2);
  ASSERT_THAT(cluster_->Create(Gang(3)), IsOk());
  AddMember("a");
  AddMember("b");
  cluster_.RunFor(seconds(20));
  ASSERT_EQ(NodeOf("a") + NodeOf("b"), "");
  ASSERT_THAT(cluster_->Patch<PodGroup>({"default", "g"},
                                        R"({"spec":{"schedulingPolicy":{"gang":{"minCount":2}}}})"),
              IsOk());
  cluster_.RunFor(seconds(2));
  EXPECT_EQ(NodeOf("a"), "n1");
  EXPECT_EQ(NodeOf("b"), "n1");
}

// As an attempt leaves a group's claim that got as far as writing its allocation, on n1.
class AllocatedGroupTest : public PodGroupsTest {
 protected:
  void AddNodesAndGroup() {
    AddNode("n1", 1);
    AddNode("n2", 1);
    ASSAY_ASSERT_OK_AND_ASSIGN(const PodGroup group, cluster_->Create(GangWithClaim(2)));
    cluster_.Settle();
    ResourceClaim claim = cluster_->List<ResourceClaim>()->at(0);
    claim.metadata.finalizers = {claims::kFinalizer};
    ASSAY_ASSERT_OK_AND_ASSIGN(claim, cluster_->Update(claim));
    claim.status.allocation = MakeAllocation("n1");
    claim.status.reserved_for.resize(1);
    claim.status.reserved_for[0].api_group = "scheduling.k8s.io";
    claim.status.reserved_for[0].resource = "podgroups";
    claim.status.reserved_for[0].name = "g";
    claim.status.reserved_for[0].uid = group.metadata.uid;
    ASSERT_THAT(cluster_->UpdateStatus(claim), IsOk());
  }
  std::vector<std::string> EventsOfBoth() {
    std::vector<std::string> events = cluster_.EventsAbout("a");
    for (const std::string& text : cluster_.EventsAbout("b")) {
      events.push_back(text);
    }
    return events;
  }
};

TEST_F(AllocatedGroupTest, GetsOtherDevicesWhereItCannotRun) {
  AddNodesAndGroup();
  ASSERT_THAT(cluster_->Patch<Node>({"", "n1"}, R"({"spec":{"unschedulable":true}})"), IsOk());
  AddMember("a");
  AddMember("b");
  cluster_.RunFor(seconds(60));
  EXPECT_EQ(NodeOf("a"), "n2");
  EXPECT_EQ(NodeOf("b"), "n2");
  EXPECT_THAT(EventsOfBoth(), Contains(HasSubstr("ResourceClaim unreserved for PodGroup")));
}

// That the first of them would fit holds nothing back. (Both would fit on n2, which as upstream
// nobody looks for: the first pod is placed without regard to the second.)
TEST_F(AllocatedGroupTest, GivesItsDevicesBackWhereOnlyAPartOfItFits) {
  AddNodesAndGroup();
  Node full = *cluster_->Get<Node>("", "n1");
  full.status.allocatable["pods"] = api::meta::Quantity::Of("1");
  ASSERT_THAT(cluster_->UpdateStatus(full), IsOk());
  AddMember("a");
  AddMember("b");
  cluster_.RunFor(seconds(60));
  EXPECT_THAT(EventsOfBoth(), Contains(HasSubstr("ResourceClaim unreserved for PodGroup")));
  EXPECT_THAT(cluster_->List<ResourceClaim>()->at(0).status.reserved_for, SizeIs(0));
}

}  // namespace
}  // namespace assay::controlplane::scheduler
