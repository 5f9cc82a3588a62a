#include "controlplane/eviction/device_taint_eviction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "api/core/types.h"
#include "api/resource/types.h"
#include "base/testing/status_matchers.h"
#include "controlplane/claims/pod_claims.h"
#include "controlplane/eviction/eviction_time.h"
#include "controlplane/testing/virtual_cluster.h"

namespace assay::controlplane::eviction {
namespace {

using api::core::Pod;
using api::resource::DeviceTaint;
using api::resource::DeviceTaintRule;
using api::resource::DeviceToleration;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;
using assay::testing::IsOk;
using controlplane::testing::MakeAllocation;
using controlplane::testing::MakeClaim;
using controlplane::testing::MakePod;
using controlplane::testing::MakeSlice;
using controlplane::testing::UseClaim;
using controlplane::testing::VirtualCluster;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

api::Compatibility WithRules() {
  api::Compatibility compatibility;
  ASSAY_CHECK(compatibility.Set("DRADeviceTaintRules", true).ok()) << "unknown gate";
  return compatibility;
}

DeviceToleration For(std::int64_t toleration_seconds) {
  DeviceToleration toleration;
  toleration.operator_ = "Exists";
  toleration.effect = "NoExecute";
  toleration.toleration_seconds = toleration_seconds;
  return toleration;
}

class DeviceTaintEvictionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    controller_.Start();
    cluster_.Settle();
    ASSERT_TRUE(controller_.synced());
    ASSERT_THAT(cluster_->Create(MakeSlice("n1", 2)), IsOk());
  }

  // A pod that runs on n1 with dev-0.
  void RunPod(const std::string& name, std::vector<DeviceToleration> tolerations = {}) {
    ASSERT_THAT(cluster_->Create(MakeClaim(name)), IsOk());
    Pod pod = MakePod(name);
    UseClaim(pod, name);
    ASSAY_ASSERT_OK_AND_ASSIGN(pod, cluster_->Create(pod));
    ResourceClaim claim = *cluster_->Get<ResourceClaim>("default", name);
    claim.metadata.finalizers = {claims::kFinalizer};
    ASSAY_ASSERT_OK_AND_ASSIGN(claim, cluster_->Update(claim));
    claim.status.allocation = MakeAllocation("n1");
    claim.status.allocation->devices.results[0].tolerations = std::move(tolerations);
    claim.status.reserved_for.resize(1);
    claim.status.reserved_for[0].resource = "pods";
    claim.status.reserved_for[0].name = name;
    claim.status.reserved_for[0].uid = pod.metadata.uid;
    ASSERT_THAT(cluster_->UpdateStatus(claim), IsOk());
    pod.spec.node_name = "n1";
    ASSERT_THAT(cluster_->Create(pod, {.subresource = "binding"}), IsOk());
    cluster_.Settle();
  }
  void SetTaint(const std::string& device_name, const std::string& effect) {
    ResourceSlice slice = *cluster_->Get<ResourceSlice>("", "n1-slice");
    ++slice.spec.pool.generation;
    for (auto& device : slice.spec.devices) {
      device.taints.clear();
      if (device.name == device_name && !effect.empty()) {
        DeviceTaint taint;
        taint.key = "example.com/sick";
        taint.effect = effect;
        device.taints = {taint};
      }
    }
    ASSERT_THAT(cluster_->Update(slice), IsOk());
    cluster_.Settle();
  }
  // The pod is gone, or marked: without a kubelet it stays as long as its grace period.
  bool Evicted(const std::string& name) {
    const auto pod = cluster_->Get<Pod>("default", name);
    return !pod.ok() || pod->metadata.deletion_timestamp.has_value();
  }
  std::string DisruptionOf(const std::string& name) {
    const Pod pod = *cluster_->Get<Pod>("default", name);
    for (const auto& condition : pod.status.conditions) {
      if (condition.type == "DisruptionTarget") {
        return condition.status + " " + condition.reason + ": " + condition.message;
      }
    }
    return "";
  }
  std::string StatusOf(const std::string& rule) {
    const DeviceTaintRule found = *cluster_->Get<DeviceTaintRule>("", rule);
    for (const auto& condition : found.status.conditions) {
      if (condition.type == "EvictionInProgress") {
        return condition.status + " " + condition.reason + ": " + condition.message;
      }
    }
    return "";
  }
  void AddRule(const std::string& name, const std::string& effect) {
    DeviceTaintRule rule;
    rule.metadata.name = name;
    rule.spec.device_selector.emplace();
    rule.spec.device_selector->device = "dev-0";
    rule.spec.taint.key = "example.com/drain";
    rule.spec.taint.effect = effect;
    ASSERT_THAT(cluster_->Create(rule), IsOk());
    cluster_.Settle();
  }

  VirtualCluster cluster_{WithRules()};
  DeviceTaintEviction controller_{cluster_.client(), cluster_.compatibility()};
};

TEST_F(DeviceTaintEvictionTest, EvictsWhoUsesATaintedDevice) {
  RunPod("a");
  SetTaint("dev-1", "NoExecute");
  EXPECT_FALSE(Evicted("a"));
  SetTaint("dev-0", "NoSchedule");
  EXPECT_FALSE(Evicted("a"));
  SetTaint("dev-0", "NoExecute");
  ASSERT_TRUE(Evicted("a"));
  EXPECT_EQ(DisruptionOf("a"),
            "True DeletionByDeviceTaintManager: Device Taint manager: deleting due to NoExecute "
            "taint");
  EXPECT_THAT(cluster_.EventsAbout("a"),
              ElementsAre("DeviceTaintManagerEviction: Marking for deletion"));
}

TEST_F(DeviceTaintEvictionTest, TolerationForSomeSecondsDelays) {
  RunPod("a", {For(60), For(90)});
  SetTaint("dev-0", "NoExecute");
  cluster_.RunFor(seconds(58));
  EXPECT_FALSE(Evicted("a"));
  cluster_.RunFor(seconds(3));
  EXPECT_TRUE(Evicted("a")) << "the shortest counts";
}

TEST_F(DeviceTaintEvictionTest, TaintThatGoesInTimeCancels) {
  RunPod("a", {For(60)});
  SetTaint("dev-0", "NoExecute");
  cluster_.RunFor(seconds(30));
  SetTaint("dev-0", "");
  cluster_.RunFor(seconds(60));
  EXPECT_FALSE(Evicted("a"));
  EXPECT_THAT(cluster_.EventsAbout("a"),
              ElementsAre("DeviceTaintManagerEviction: Cancelling deletion"));
}

TEST_F(DeviceTaintEvictionTest, TolerationForEver) {
  DeviceToleration toleration = For(0);
  toleration.toleration_seconds.reset();
  RunPod("a", {toleration, For(1)});
  SetTaint("dev-0", "NoExecute");
  cluster_.RunFor(seconds(3600));
  EXPECT_FALSE(Evicted("a"));
}

TEST_F(DeviceTaintEvictionTest, TolerationOfAllEffectsDoesNotHoldHere) {
  DeviceToleration toleration = For(0);
  toleration.toleration_seconds.reset();
  toleration.effect = "";
  RunPod("a", {toleration});
  SetTaint("dev-0", "NoExecute");
  EXPECT_TRUE(Evicted("a"));
}

TEST_F(DeviceTaintEvictionTest, OlderGenerationsOfAPoolDoNotCount) {
  RunPod("a");
  // Newer slices of the pool hide the old one, even before all of them are there.
  ResourceSlice newer = MakeSlice("n1", 2);
  newer.metadata.name = "newer";
  newer.spec.pool.generation = 5;
  newer.spec.pool.resource_slice_count = 2;
  ASSERT_THAT(cluster_->Create(newer), IsOk());
  SetTaint("dev-0", "NoExecute");
  cluster_.RunFor(seconds(5));
  EXPECT_FALSE(Evicted("a"));
}

TEST_F(DeviceTaintEvictionTest, RuleEvictsAndTellsHowFarItIs) {
  RunPod("a");
  RunPod("b", {For(20)});
  AddRule("drain", "NoExecute");
  EXPECT_EQ(StatusOf("drain"),
            "True PodsPendingEviction: 2 pods need to be evicted in 1 namespace.");
  EXPECT_TRUE(Evicted("a"));
  cluster_.RunFor(seconds(15));
  EXPECT_EQ(StatusOf("drain"),
            "True PodsPendingEviction: 1 pod needs to be evicted in 1 namespace. 1 pod evicted "
            "since starting the controller.");
  cluster_.RunFor(seconds(40));
  EXPECT_TRUE(Evicted("b"));
  EXPECT_EQ(StatusOf("drain"), "False Completed: 2 pods evicted since starting the controller.");
}

TEST_F(DeviceTaintEvictionTest, RuleWithoutEffectTellsWhatItWouldDo) {
  RunPod("a");
  AddRule("dry", "None");
  EXPECT_EQ(StatusOf("dry"),
            "False NoEffect: 1 published device selected. 1 allocated device selected. 1 pod would "
            "be evicted in 1 namespace if the effect was NoExecute. This information will not be "
            "updated again. Recreate the DeviceTaintRule to trigger an update.");
  EXPECT_FALSE(Evicted("a"));
}

TEST_F(DeviceTaintEvictionTest, OtherRules) {
  AddRule("other", "NoSchedule");
  EXPECT_EQ(StatusOf("other"),
            "False OtherEffect: Eviction only happens for the NoExecute effect.");
  AddRule("idle", "NoExecute");
  EXPECT_EQ(StatusOf("idle"), "False NotStarted: ");
}

TEST(EvictionTimeTest, RuleWithoutSelectorSelectsNothing) {
  DeviceTaintRule rule;
  EXPECT_FALSE(Selects(rule, "d", "p", "x"));
  rule.spec.device_selector.emplace();
  EXPECT_TRUE(Selects(rule, "d", "p", "x"));
  rule.spec.device_selector->pool = "q";
  EXPECT_FALSE(Selects(rule, "d", "p", "x"));
}

}  // namespace
}  // namespace assay::controlplane::eviction
