#include "controlplane/claims/claim_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "api/core/types.h"
#include "api/resource/types.h"
#include "api/scheduling/types.h"
#include "base/testing/status_matchers.h"
#include "controlplane/claims/generated_name.h"
#include "controlplane/claims/pod_claims.h"
#include "controlplane/testing/virtual_cluster.h"

namespace assay::controlplane::claims {
namespace {

using api::core::Pod;
using api::resource::ResourceClaim;
using api::resource::ResourceClaimConsumerReference;
using api::resource::ResourceClaimTemplate;
using assay::testing::IsOk;
using assay::testing::StatusIs;
using controlplane::testing::MakeAllocation;
using controlplane::testing::MakeClaim;
using controlplane::testing::MakePod;
using controlplane::testing::MakeTemplate;
using controlplane::testing::UseClaim;
using controlplane::testing::VirtualCluster;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::StartsWith;

class ClaimControllerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    controller_.Start();
    cluster_.Settle();
    ASSERT_TRUE(controller_.synced());
  }

  std::vector<ResourceClaim> Claims() { return *cluster_->List<ResourceClaim>(); }
  Pod GetPod(const std::string& name) { return *cluster_->Get<Pod>("default", name); }
  ResourceClaim GetClaim(const std::string& name) {
    return *cluster_->Get<ResourceClaim>("default", name);
  }
  bool HasClaim(const std::string& name) {
    return cluster_->Get<ResourceClaim>("default", name).ok();
  }

  // As the scheduler leaves a claim: with the finalizer, allocated, reserved for the pods.
  void Allocate(const std::string& name, const std::vector<Pod>& pods) {
    ResourceClaim claim = GetClaim(name);
    claim.metadata.finalizers = {kFinalizer};
    claim = *cluster_->Update(claim);
    claim.status.allocation = MakeAllocation("node-1");
    for (const Pod& pod : pods) {
      ResourceClaimConsumerReference reference;
      reference.resource = "pods";
      reference.name = pod.metadata.name;
      reference.uid = pod.metadata.uid;
      claim.status.reserved_for.push_back(reference);
    }
    ASSERT_THAT(cluster_->UpdateStatus(claim), IsOk());
  }
  void SetPhase(const std::string& name, const std::string& phase) {
    Pod pod = GetPod(name);
    pod.status.phase = phase;
    ASSERT_THAT(cluster_->UpdateStatus(pod), IsOk());
  }
  void Bind(const std::string& name) {
    Pod pod = GetPod(name);
    pod.spec.node_name = "node-1";
    ASSERT_THAT(cluster_->Create(pod, {.subresource = "binding"}), IsOk());
  }

  VirtualCluster cluster_;
  ClaimController controller_{cluster_.client(), cluster_.compatibility()};
};

TEST_F(ClaimControllerTest, MakesAClaimFromATemplate) {
  ResourceClaimTemplate claim_template = MakeTemplate("one");
  claim_template.spec.metadata.labels["color"] = "red";
  claim_template.spec.metadata.annotations["note"] = "n";
  ASSERT_THAT(cluster_->Create(claim_template), IsOk());
  ASSAY_ASSERT_OK_AND_ASSIGN(const Pod pod, cluster_->Create(MakePod("a", {"one"})));
  cluster_.Settle();

  const std::vector<ResourceClaim> claims = Claims();
  ASSERT_EQ(claims.size(), 1u);
  const ResourceClaim& claim = claims[0];
  EXPECT_THAT(claim.metadata.name, StartsWith("a-gpu-"));
  EXPECT_EQ(claim.metadata.generate_name, "a-gpu-");
  EXPECT_THAT(claim.metadata.labels, ElementsAre(Pair("color", "red")));
  EXPECT_THAT(claim.metadata.annotations,
              ElementsAre(Pair("note", "n"), Pair(kPodClaimAnnotation, "gpu")));
  ASSERT_EQ(claim.metadata.owner_references.size(), 1u);
  const auto& owner = claim.metadata.owner_references[0];
  EXPECT_EQ(owner.api_version, "v1");
  EXPECT_EQ(owner.kind, "Pod");
  EXPECT_EQ(owner.name, "a");
  EXPECT_EQ(owner.uid, pod.metadata.uid);
  EXPECT_EQ(owner.controller, true);
  EXPECT_EQ(owner.block_owner_deletion, std::nullopt);
  EXPECT_EQ(claim.spec.devices.requests[0].exactly->device_class_name, "gpu");

  const Pod updated = GetPod("a");
  ASSERT_EQ(updated.status.resource_claim_statuses.size(), 1u);
  EXPECT_EQ(updated.status.resource_claim_statuses[0].name, "gpu");
  EXPECT_EQ(updated.status.resource_claim_statuses[0].resource_claim_name, claim.metadata.name);
  bool managed = false;
  for (const auto& entry : updated.metadata.managed_fields) {
    managed = managed || (entry.manager == "ResourceClaimController" &&
                          entry.operation == "Apply" && entry.subresource == "status");
  }
  EXPECT_TRUE(managed) << "the status is applied under the controller's name";
}

TEST_F(ClaimControllerTest, MissingTemplateIsToldAndWaitedFor) {
  ASSERT_THAT(cluster_->Create(MakePod("a", {"late"})), IsOk());
  cluster_.RunFor(seconds(1));
  EXPECT_THAT(Claims(), IsEmpty());
  EXPECT_THAT(
      cluster_.EventsAbout("a"),
      ElementsAre("FailedResourceClaimCreation: PodResourceClaim gpu: resource claim template "
                  "\"late\": resourceclaimtemplate.resource.k8s.io \"late\" not found"));
  ASSERT_THAT(cluster_->Create(MakeTemplate("late")), IsOk());
  cluster_.Settle();
  EXPECT_EQ(Claims().size(), 1u);
}

TEST_F(ClaimControllerTest, MakesAnotherClaimWhereTheFirstWasDeleted) {
  ASSERT_THAT(cluster_->Create(MakeTemplate("one")), IsOk());
  ASSERT_THAT(cluster_->Create(MakePod("a", {"one"})), IsOk());
  cluster_.Settle();
  const std::string first = Claims().at(0).metadata.name;
  ASSERT_THAT(cluster_->Delete<ResourceClaim>({"default", first}), IsOk());
  cluster_.Settle();
  ASSERT_EQ(Claims().size(), 1u);
  EXPECT_NE(Claims()[0].metadata.name, first);
  EXPECT_EQ(GetPod("a").status.resource_claim_statuses[0].resource_claim_name,
            Claims()[0].metadata.name);
}

TEST_F(ClaimControllerTest, TakesAnOrphanOfAnInterruptedRun) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const Pod pod, cluster_->Create(MakePod("a", {"one"})));
  ResourceClaim orphan = MakeClaim("orphan");
  orphan.metadata.annotations[kPodClaimAnnotation] = "gpu";
  orphan.metadata.owner_references.resize(1);
  auto& owner = orphan.metadata.owner_references[0];
  owner.api_version = "v1";
  owner.kind = "Pod";
  owner.name = "a";
  owner.uid = pod.metadata.uid;
  owner.controller = true;
  ASSERT_THAT(cluster_->Create(orphan), IsOk());
  ASSERT_THAT(cluster_->Create(MakeTemplate("one")), IsOk());
  cluster_.Settle();
  EXPECT_EQ(Claims().size(), 1u);
  EXPECT_EQ(GetPod("a").status.resource_claim_statuses[0].resource_claim_name, "orphan");
}

TEST_F(ClaimControllerTest, PodThatIsBeingDeletedGetsNoClaim) {
  Pod pod = MakePod("a", {"one"});
  pod.metadata.finalizers = {"example.com/wait"};
  ASSERT_THAT(cluster_->Create(pod), IsOk());
  ASSERT_THAT(cluster_->Delete<Pod>({"default", "a"}), IsOk());
  ASSERT_THAT(cluster_->Create(MakeTemplate("one")), IsOk());
  cluster_.RunFor(seconds(5));
  EXPECT_THAT(Claims(), IsEmpty());
}

TEST_F(ClaimControllerTest, ReservesForAPodThatRunsAlready) {
  ASSERT_THAT(cluster_->Create(MakeClaim("c")), IsOk());
  Pod pod = MakePod("a");
  UseClaim(pod, "c");
  ASSAY_ASSERT_OK_AND_ASSIGN(pod, cluster_->Create(pod));
  Bind("a");
  Allocate("c", {});
  cluster_.Settle();
  const ResourceClaim claim = GetClaim("c");
  ASSERT_EQ(claim.status.reserved_for.size(), 1u);
  EXPECT_EQ(claim.status.reserved_for[0].resource, "pods");
  EXPECT_EQ(claim.status.reserved_for[0].name, "a");
  EXPECT_EQ(claim.status.reserved_for[0].uid, pod.metadata.uid);
}

TEST_F(ClaimControllerTest, LastPodThatEndsDeallocates) {
  ASSERT_THAT(cluster_->Create(MakeClaim("c")), IsOk());
  std::vector<Pod> pods;
  for (const char* name : {"a", "b"}) {
    Pod pod = MakePod(name);
    UseClaim(pod, "c");
    pods.push_back(*cluster_->Create(pod));
    Bind(name);
  }
  Allocate("c", pods);
  SetPhase("a", "Succeeded");
  cluster_.Settle();
  EXPECT_EQ(GetClaim("c").status.reserved_for.size(), 1u);
  EXPECT_TRUE(GetClaim("c").status.allocation);
  SetPhase("b", "Failed");
  cluster_.Settle();
  const ResourceClaim claim = GetClaim("c");
  EXPECT_THAT(claim.status.reserved_for, IsEmpty());
  EXPECT_FALSE(claim.status.allocation);
  EXPECT_THAT(claim.metadata.finalizers, IsEmpty());
}

TEST_F(ClaimControllerTest, RunningPodThatIsBeingDeletedKeepsItsReservation) {
  ASSERT_THAT(cluster_->Create(MakeClaim("c")), IsOk());
  Pod pod = MakePod("a");
  UseClaim(pod, "c");
  pod.metadata.finalizers = {"example.com/wait"};
  ASSAY_ASSERT_OK_AND_ASSIGN(pod, cluster_->Create(pod));
  Bind("a");
  Allocate("c", {pod});
  ASSERT_THAT(cluster_->Delete<Pod>({"default", "a"}), IsOk());
  cluster_.RunFor(seconds(5));
  EXPECT_EQ(GetClaim("c").status.reserved_for.size(), 1u);
}

TEST_F(ClaimControllerTest, ClaimThatWasNeverReservedKeepsItsAllocation) {
  ASSERT_THAT(cluster_->Create(MakeClaim("c")), IsOk());
  Allocate("c", {});
  cluster_.RunFor(seconds(5));
  EXPECT_TRUE(GetClaim("c").status.allocation);
}

TEST_F(ClaimControllerTest, ReservationsOfReplacedOrUnknownPodsGoOthersStay) {
  ASSERT_THAT(cluster_->Create(MakeClaim("c")), IsOk());
  ASSERT_THAT(cluster_->Create(MakePod("a")), IsOk());
  ResourceClaim claim = GetClaim("c");
  claim.metadata.finalizers = {kFinalizer};
  claim = *cluster_->Update(claim);
  claim.status.allocation = MakeAllocation("node-1");
  claim.status.reserved_for.resize(3);
  claim.status.reserved_for[0].resource = "pods";
  claim.status.reserved_for[0].name = "a";
  claim.status.reserved_for[0].uid = "uid-of-an-earlier-a";
  claim.status.reserved_for[1].resource = "pods";
  claim.status.reserved_for[1].name = "nobody";
  claim.status.reserved_for[1].uid = "uid-of-nobody";
  claim.status.reserved_for[2].api_group = "example.com";
  claim.status.reserved_for[2].resource = "jobs";
  claim.status.reserved_for[2].name = "j";
  claim.status.reserved_for[2].uid = "uid-of-j";
  ASSERT_THAT(cluster_->UpdateStatus(claim), IsOk());
  cluster_.Settle();
  claim = GetClaim("c");
  ASSERT_EQ(claim.status.reserved_for.size(), 1u);
  EXPECT_EQ(claim.status.reserved_for[0].name, "j");
  EXPECT_TRUE(claim.status.allocation);
}

TEST_F(ClaimControllerTest, DeletedClaimWithoutReservationsIsFinalized) {
  ASSERT_THAT(cluster_->Create(MakeClaim("c")), IsOk());
  Allocate("c", {});
  ASSERT_THAT(cluster_->Delete<ResourceClaim>({"default", "c"}), IsOk());
  cluster_.Settle();
  EXPECT_FALSE(HasClaim("c"));
}

TEST_F(ClaimControllerTest, GeneratedClaimGoesWithItsFinishedPod) {
  ASSERT_THAT(cluster_->Create(MakeTemplate("one")), IsOk());
  ASSAY_ASSERT_OK_AND_ASSIGN(const Pod pod, cluster_->Create(MakePod("a", {"one"})));
  cluster_.Settle();
  const std::string name = Claims().at(0).metadata.name;
  Bind("a");
  Allocate(name, {pod});
  cluster_.Settle();
  EXPECT_TRUE(HasClaim(name));
  SetPhase("a", "Succeeded");
  cluster_.RunFor(seconds(1));
  EXPECT_FALSE(HasClaim(name));
}

TEST_F(ClaimControllerTest, ExtendedResourceClaimIsReleasedWithItsPod) {
  ASSERT_THAT(cluster_->Create(MakeClaim("extended")), IsOk());
  Pod pod = MakePod("a");
  pod.spec.containers[0].resources.limits["example.com/gpu"] = api::meta::Quantity::Of("1");
  ASSERT_THAT(cluster_->Create(pod), IsOk());
  Bind("a");
  pod = GetPod("a");
  pod.status.extended_resource_claim_status.emplace();
  pod.status.extended_resource_claim_status->resource_claim_name = "extended";
  pod.status.extended_resource_claim_status->request_mappings.resize(1);
  auto& mapping = pod.status.extended_resource_claim_status->request_mappings[0];
  mapping.container_name = "main";
  mapping.resource_name = "example.com/gpu";
  mapping.request_name = "container-0-request-0";
  ASSERT_THAT(cluster_->UpdateStatus(pod), IsOk());
  Allocate("extended", {pod});
  SetPhase("a", "Failed");
  cluster_.Settle();
  EXPECT_FALSE(GetClaim("extended").status.allocation);
}

TEST(ClaimControllerGroupTest, GroupsClaimServesItsPods) {
  api::Compatibility compatibility;
  ASSERT_THAT(compatibility.Set("GenericWorkload", true), IsOk());
  ASSERT_THAT(compatibility.Set("DRAWorkloadResourceClaims", true), IsOk());
  VirtualCluster cluster(compatibility);
  ClaimController controller(cluster.client(), cluster.compatibility());
  controller.Start();
  ASSERT_THAT(cluster->Create(MakeTemplate("one")), IsOk());
  api::scheduling::PodGroup group;
  group.metadata.namespace_ = "default";
  group.metadata.name = "g";
  group.spec.scheduling_policy.basic.emplace();
  group.spec.resource_claims.resize(1);
  group.spec.resource_claims[0].name = "gpu";
  group.spec.resource_claims[0].resource_claim_template_name = "one";
  ASSAY_ASSERT_OK_AND_ASSIGN(group, cluster->Create(group));
  cluster.Settle();
  std::vector<ResourceClaim> claims = *cluster->List<ResourceClaim>();
  ASSERT_EQ(claims.size(), 1u);
  EXPECT_THAT(claims[0].metadata.name, StartsWith("g-gpu-"));
  EXPECT_EQ(claims[0].metadata.owner_references.at(0).kind, "PodGroup");
  EXPECT_EQ(claims[0].metadata.owner_references.at(0).api_version, "scheduling.k8s.io/v1alpha2");

  // A pod with the same entry gets no claim of its own.
  Pod member = MakePod("a", {"one"});
  member.spec.scheduling_group.emplace();
  member.spec.scheduling_group->pod_group_name = "g";
  ASSERT_THAT(cluster->Create(member), IsOk());
  cluster.Settle();
  EXPECT_EQ(cluster->List<ResourceClaim>()->size(), 1u);
  ASSAY_ASSERT_OK_AND_ASSIGN(member, cluster->Get<Pod>("default", "a"));
  EXPECT_EQ(member.status.resource_claim_statuses.at(0).resource_claim_name,
            claims[0].metadata.name);

  // Its reservation goes with the group.
  ResourceClaim claim = claims[0];
  claim.metadata.finalizers = {kFinalizer};
  ASSAY_ASSERT_OK_AND_ASSIGN(claim, cluster->Update(claim));
  claim.status.allocation = MakeAllocation("node-1");
  claim.status.reserved_for.resize(1);
  claim.status.reserved_for[0].api_group = "scheduling.k8s.io";
  claim.status.reserved_for[0].resource = "podgroups";
  claim.status.reserved_for[0].name = "g";
  claim.status.reserved_for[0].uid = group.metadata.uid;
  ASSERT_THAT(cluster->UpdateStatus(claim), IsOk());
  cluster.Settle();
  EXPECT_TRUE(cluster->Get<ResourceClaim>("default", claim.metadata.name)->status.allocation);
  ASSERT_THAT(cluster->Delete<api::scheduling::PodGroup>({"default", "g"}), IsOk());
  cluster.Settle();
  EXPECT_FALSE(cluster->Get<ResourceClaim>("default", claim.metadata.name)->status.allocation);
}

TEST(GeneratedNameTest, CutsBothPartsInProportion) {
  EXPECT_EQ(GeneratedNamePrefix("pod", "claim"), "pod-claim-");
  const std::string fits = std::string(40, 'p') + "-" + std::string(15, 'c') + "-";
  EXPECT_EQ(GeneratedNamePrefix(std::string(40, 'p'), std::string(15, 'c')), fits);
  EXPECT_EQ(fits.size(), 57u);
  // 100 + 1 + 12 + 1 = 114 characters: both parts are halved, and nothing follows the second.
  EXPECT_EQ(GeneratedNamePrefix(std::string(100, 'p'), std::string(12, 'c')),
            std::string(50, 'p') + "-" + std::string(6, 'c'));
}

TEST(PodClaimsTest, NameOfAnEntry) {
  Pod pod = MakePod("p", {"one"});
  UseClaim(pod, "c");
  EXPECT_EQ(NameOf(pod, pod.spec.resource_claims[1])->name, "c");
  EXPECT_FALSE(NameOf(pod, pod.spec.resource_claims[1])->must_check_owner);
  EXPECT_THAT(NameOf(pod, pod.spec.resource_claims[0]),
              StatusIs(StatusCode::kNotFound, "pod \"default/p\": ResourceClaim not created yet"));
  pod.status.resource_claim_statuses.resize(1);
  pod.status.resource_claim_statuses[0].name = "gpu";
  EXPECT_EQ(NameOf(pod, pod.spec.resource_claims[0])->name, std::nullopt);
  pod.status.resource_claim_statuses[0].resource_claim_name = "made";
  EXPECT_EQ(NameOf(pod, pod.spec.resource_claims[0])->name, "made");
  EXPECT_TRUE(NameOf(pod, pod.spec.resource_claims[0])->must_check_owner);
  EXPECT_THAT(NameOf(pod, api::core::PodResourceClaim()), StatusIs(StatusCode::kUnimplemented));
}

TEST(PodClaimsTest, ForeignClaimIsNotForThePod) {
  Pod pod = MakePod("p");
  pod.metadata.uid = "u";
  EXPECT_THAT(IsForPod(pod, MakeClaim("c"), {}),
              StatusIs(StatusCode::kFailedPrecondition,
                       "ResourceClaim default/c was not created for Pod default/p (Pod is not "
                       "owner)"));
}

TEST(PodClaimsTest, GroupsEntryMustBeTheSame) {
  Pod pod = MakePod("p", {"one"});
  pod.metadata.uid = "u";
  api::scheduling::PodGroup group;
  group.metadata.name = "g";
  group.metadata.uid = "gu";
  group.spec.resource_claims.resize(1);
  group.spec.resource_claims[0].name = "gpu";
  group.spec.resource_claims[0].resource_claim_template_name = "another";
  ASSAY_ASSERT_OK_AND_ASSIGN(auto reference, BindTo(pod, &group, pod.spec.resource_claims[0]));
  EXPECT_EQ(reference.resource, "pods");
  group.spec.resource_claims[0].resource_claim_template_name = "one";
  ASSAY_ASSERT_OK_AND_ASSIGN(reference, BindTo(pod, &group, pod.spec.resource_claims[0]));
  EXPECT_EQ(reference.api_group, "scheduling.k8s.io");
  EXPECT_EQ(reference.resource, "podgroups");
  EXPECT_EQ(reference.uid, "gu");
}

}  // namespace
}  // namespace assay::controlplane::claims
