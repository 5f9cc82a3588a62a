// SchedulerTest: a virtual cluster in which the claim controller and the scheduler run, for tests
// of what becomes of pods and their claims.
#ifndef ASSAY_CONTROLPLANE_TESTING_SCHEDULER_FIXTURE_H_
#define ASSAY_CONTROLPLANE_TESTING_SCHEDULER_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "base/testing/status_matchers.h"
#include "controlplane/claims/claim_controller.h"
#include "controlplane/scheduler/scheduler.h"
#include "controlplane/testing/virtual_cluster.h"

namespace assay::controlplane::testing {

class SchedulerTest : public ::testing::Test {
 protected:
  explicit SchedulerTest(api::Compatibility compatibility = {})
      : cluster_(std::move(compatibility)) {}

  void SetUp() override {
    controller_.Start();
    scheduler_.Start();
    cluster_.Settle();
    ASSERT_TRUE(scheduler_.synced());
  }

  void AddNode(const std::string& name, int devices) {
    ASSERT_THAT(cluster_->Create(MakeNode(name)), assay::testing::IsOk());
    if (devices > 0) {
      ASSERT_THAT(cluster_->Create(MakeSlice(name, devices)), assay::testing::IsOk());
    }
  }
  void AddPod(api::core::Pod pod) {
    ASSERT_THAT(cluster_->Create(std::move(pod)), assay::testing::IsOk());
    cluster_.Settle();
  }
  api::core::Pod GetPod(const std::string& name) {
    return *cluster_->Get<api::core::Pod>("default", name);
  }
  std::string NodeOf(const std::string& pod) { return GetPod(pod).spec.node_name; }
  api::resource::ResourceClaim GetClaim(const std::string& name) {
    return *cluster_->Get<api::resource::ResourceClaim>("default", name);
  }
  api::resource::ResourceClaim ClaimOf(const std::string& pod) {
    return GetClaim(*GetPod(pod).status.resource_claim_statuses.at(0).resource_claim_name);
  }
  // "" if the pod has no such condition.
  std::string WhyNotScheduled(const std::string& pod) {
    const api::core::Pod found = GetPod(pod);
    for (const api::core::PodCondition& condition : found.status.conditions) {
      if (condition.type == "PodScheduled" && condition.status == "False") {
        return condition.reason + ": " + condition.message;
      }
    }
    return "";
  }

  VirtualCluster cluster_;
  claims::ClaimController controller_{cluster_.client(), cluster_.compatibility()};
  scheduler::Scheduler scheduler_{cluster_.client(), cluster_.compatibility()};
};

}  // namespace assay::controlplane::testing

#endif  // ASSAY_CONTROLPLANE_TESTING_SCHEDULER_FIXTURE_H_
