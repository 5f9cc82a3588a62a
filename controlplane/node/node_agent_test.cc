#include "controlplane/node/node_agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "controlplane/node/dra_manager.h"
#include "controlplane/node/driver_registry.h"
#include "controlplane/node/testing_node.h"

namespace assay::controlplane::node {
namespace {

using namespace std::chrono_literals;
using ::assay::testing::IsOk;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using api::core::Pod;

constexpr char kRegistration[] = "/registry/a-reg.sock";
constexpr char kEndpoint[] = "/plugins/a/dra.sock";

class NodeAgentTest : public ::testing::Test {
 protected:
  explicit NodeAgentTest(api::Compatibility compatibility = {}) : node_(std::move(compatibility)) {
    driver_ = std::make_shared<FakeDriver>(FakeDriver::WithDevices("a", kEndpoint));
    EXPECT_THAT(node_.StartAgent(), IsOk());
  }

  void RegisterDriver() {
    node_.dialer.Listen(kEndpoint, driver_);
    node_.dialer.Listen(kRegistration, driver_);
    node_.agent->drivers().AddSocket(kRegistration);
    node_.loop.RunFor(100ms);
    ASSERT_THAT(node_.agent->drivers().Find("a").status(), IsOk());
  }

  // A pod that uses an allocated and reserved claim "<name>-claim" of driver a, whose CDI spec is
  // there.
  Pod MakePod(const std::string& name, const std::function<void(Pod&)>& change = [](Pod&) {}) {
    Pod pod = node_.NewPod(name, {name + "-claim"});
    change(pod);
    pod = TestingNode::Must(node_.api.Create(pod));
    const auto claim = node_.MakeClaim(name + "-claim", "a", name, pod.metadata.uid);
    WriteSpec(claim.metadata.uid);
    node_.Bind(pod);
    return pod;
  }
  void WriteSpec(const std::string& name) {
    std::filesystem::create_directories(node_.dir / "cdi");
    ASSERT_THAT(
        WriteFileAtomically(node_.dir / "cdi" / (name + ".json"),
                            R"({"cdiVersion":"1.0.0","kind":"a/claim","devices":[{"name":")" +
                                name + R"(","containerEdits":{"env":["GPU=)" + name + R"("]}}]})"),
        IsOk());
  }
  std::string Phase(const std::string& pod) { return node_.GetPod(pod).status.phase; }
  bool Exists(const std::string& pod) {
    return node_.api.Get<Pod>("default", pod).status().code() != StatusCode::kNotFound;
  }
  std::vector<std::string> Events(const std::string& reason) {
    std::vector<std::string> messages;
    for (const auto& event : TestingNode::Must(node_.api.List<api::core::Event>())) {
      if (event.reason == reason) {
        messages.push_back(event.message);
      }
    }
    return messages;
  }

  TestingNode node_;
  std::shared_ptr<FakeDriver> driver_;
};

TEST_F(NodeAgentTest, PreparesClaimsThenStartsContainersWithTheirDevices) {
  RegisterDriver();
  const Pod pod = MakePod("p");
  node_.loop.RunFor(1s);
  ASSERT_EQ(Phase("p"), "Running");
  const auto claim =
      TestingNode::Must(node_.api.Get<api::resource::ResourceClaim>("default", "p-claim"));
  ASSERT_THAT(driver_->prepared, SizeIs(1));
  EXPECT_THAT(driver_->prepared[0],
              ElementsAre(ClaimReference{"default", "p-claim", claim.metadata.uid}));
  EXPECT_THAT(driver_->versions, ElementsAre(DraVersion::kV1));

  const auto spec = node_.agent->ContainerSpec(pod.metadata.uid, "main");
  ASSERT_TRUE(spec);
  EXPECT_THAT(spec->env, Contains("GPU=" + claim.metadata.uid));
  ASSERT_THAT(spec->mounts, SizeIs(1));
  EXPECT_EQ(spec->mounts[0].source, "/host/state");
  EXPECT_EQ(spec->mounts[0].destination, "/run/assay/fakegpu/state");
  EXPECT_THAT(spec->mounts[0].options, Contains("ro"));

  const auto status = node_.GetPod("p").status.container_statuses.at(0);
  EXPECT_TRUE(status.ready);
  ASSERT_THAT(status.allocated_resources_status, SizeIs(1));
  EXPECT_EQ(status.allocated_resources_status[0].name, "claim:p-claim");
  EXPECT_EQ(status.allocated_resources_status[0].resources.at(0).resource_id,
            "a/claim=" + claim.metadata.uid);
  EXPECT_EQ(status.allocated_resources_status[0].resources.at(0).health, "Unknown");
}

TEST_F(NodeAgentTest, AsksNobodyWhereAClaimIsNotReservedForThePod) {
  RegisterDriver();
  Pod pod = TestingNode::Must(node_.api.Create(node_.NewPod("p", {"claim"})));
  const auto claim = node_.MakeClaim("claim", "a", "other", "other-uid");
  node_.Bind(pod);
  node_.loop.RunFor(1s);
  EXPECT_THAT(driver_->prepared, IsEmpty());
  EXPECT_THAT(
      Events("FailedPrepareDynamicResources"),
      ElementsAre("Failed to prepare dynamic resources: prepare dynamic resources: pod p (" +
                  pod.metadata.uid + ") is not allowed to use ResourceClaim claim (" +
                  claim.metadata.uid + ")"));
  // Nothing was noted, so that the pod can go without the driver.
  EXPECT_FALSE(node_.agent->dra().IsUsedBy(pod.metadata.uid));
  ASSERT_THAT(node_.api.Delete<Pod>({"default", "p"}), IsOk());
  node_.loop.RunFor(1s);
  EXPECT_FALSE(Exists("p"));
}

TEST_F(NodeAgentTest, TriesAgainAtTheResyncWhereTheDriverIsMissing) {
  MakePod("p");
  node_.loop.RunFor(1s);
  EXPECT_EQ(Phase("p"), "Pending");
  EXPECT_THAT(Events("FailedPrepareDynamicResources"),
              ElementsAre("Failed to prepare dynamic resources: prepare dynamic resources: DRA "
                          "driver a is not registered"));
  RegisterDriver();
  node_.loop.RunFor(55s);
  EXPECT_THAT(driver_->prepared, IsEmpty());
  node_.loop.RunFor(40s);
  EXPECT_EQ(Phase("p"), "Running");
}

TEST_F(NodeAgentTest, ReportsTheDriversErrors) {
  RegisterDriver();
  driver_->prepare = [](const auto& claims) {
    PrepareResponse response;
    response[claims.at(0).uid].error = "no such device";
    return std::optional<Result<PrepareResponse>>(std::move(response));
  };
  MakePod("failed");
  node_.loop.RunFor(1s);
  driver_->prepare = [](const auto&) {
    return std::optional<Result<PrepareResponse>>(PrepareResponse());
  };
  MakePod("skipped");
  node_.loop.RunFor(1s);
  driver_->prepare = [](const auto&) {
    return std::optional<Result<PrepareResponse>>(PrepareResponse{{"stranger", {}}});
  };
  MakePod("unknown");
  node_.loop.RunFor(1s);
  driver_->prepare = [](const auto&) {
    return std::optional<Result<PrepareResponse>>(UnavailableError("broken"));
  };
  MakePod("broken");
  node_.loop.RunFor(1s);
  driver_->prepare = [](const auto&) { return std::nullopt; };
  MakePod("slow");
  node_.loop.RunFor(44s);
  EXPECT_THAT(Events("FailedPrepareDynamicResources"), SizeIs(4));
  node_.loop.RunFor(2s);
  const std::string prefix = "Failed to prepare dynamic resources: prepare dynamic resources: ";
  EXPECT_THAT(
      Events("FailedPrepareDynamicResources"),
      ::testing::UnorderedElementsAre(
          prefix + "NodePrepareResources failed for ResourceClaim failed-claim: no such device",
          prefix + "NodePrepareResources skipped 1 ResourceClaims",
          prefix + "NodePrepareResources returned result for unknown claim UID stranger",
          prefix + "NodePrepareResources: rpc error: code = Unavailable desc = broken",
          prefix + "NodePrepareResources: rpc error: code = DeadlineExceeded desc = no answer in "
                   "time"));
}

TEST_F(NodeAgentTest, OneCallPerDriverWithAllClaimsOfThePod) {
  RegisterDriver();
  Pod pod = TestingNode::Must(node_.api.Create(node_.NewPod("p", {"one", "two"})));
  for (const char* name : {"one", "two"}) {
    WriteSpec(node_.MakeClaim(name, "a", "p", pod.metadata.uid).metadata.uid);
  }
  node_.Bind(pod);
  node_.loop.RunFor(1s);
  ASSERT_EQ(Phase("p"), "Running");
  EXPECT_THAT(driver_->prepared, ElementsAre(SizeIs(2)));
}

TEST_F(NodeAgentTest, AClaimThatAnotherPodUsesIsNeitherPreparedNorUnpreparedAgain) {
  RegisterDriver();
  const Pod first = MakePod("p");
  node_.loop.RunFor(1s);
  Pod second = node_.NewPod("q", {"p-claim"});
  second = TestingNode::Must(node_.api.Create(second));
  auto claim = TestingNode::Must(node_.api.Get<api::resource::ResourceClaim>("default", "p-claim"));
  auto& consumer = claim.status.reserved_for.emplace_back();
  consumer.resource = "pods";
  consumer.name = "q";
  consumer.uid = second.metadata.uid;
  TestingNode::Must(node_.api.UpdateStatus(claim));
  node_.Bind(second);
  node_.loop.RunFor(1s);
  ASSERT_EQ(Phase("q"), "Running");
  EXPECT_THAT(driver_->prepared, SizeIs(1));
  ASSERT_THAT(node_.api.Delete<Pod>({"default", "p"}), IsOk());
  node_.loop.RunFor(1s);
  EXPECT_FALSE(Exists("p"));
  EXPECT_THAT(driver_->unprepared, IsEmpty());
  ASSERT_THAT(node_.api.Delete<Pod>({"default", "q"}), IsOk());
  node_.loop.RunFor(1s);
  EXPECT_THAT(driver_->unprepared, SizeIs(1));
}

TEST_F(NodeAgentTest, APodStaysUntilItsClaimsAreUnprepared) {
  RegisterDriver();
  const Pod pod = MakePod("p");
  node_.loop.RunFor(1s);
  int failures = 2;
  driver_->unprepare = [&, works = driver_->unprepare](const auto& claims) {
    if (failures-- > 0) {
      UnprepareResponse response;
      response[claims.at(0).uid] = "busy";
      return std::optional<Result<UnprepareResponse>>(std::move(response));
    }
    return works(claims);
  };
  ASSERT_THAT(node_.api.Delete<Pod>({"default", "p"}), IsOk());
  node_.loop.RunFor(1s);
  EXPECT_TRUE(Exists("p"));
  EXPECT_EQ(Phase("p"), "Running") << "the terminal status waits for the driver";
  EXPECT_FALSE(node_.agent->ContainerSpec(pod.metadata.uid, "main"));
  node_.loop.RunFor(31s);
  EXPECT_THAT(driver_->unprepared, SizeIs(3));
  EXPECT_FALSE(Exists("p"));
  EXPECT_FALSE(node_.agent->dra().IsUsedBy(pod.metadata.uid));
}

TEST_F(NodeAgentTest, APodThatEndsByItselfIsUnpreparedAndStays) {
  RegisterDriver();
  MakePod("p", [](Pod& pod) {
    pod.spec.restart_policy = "Never";
    pod.metadata.annotations["assay.dev/exit-after"] = "5s";
  });
  node_.loop.RunFor(4s);
  EXPECT_EQ(Phase("p"), "Running");
  node_.loop.RunFor(3s);
  EXPECT_EQ(Phase("p"), "Succeeded");
  EXPECT_THAT(driver_->unprepared, SizeIs(1));
}

TEST_F(NodeAgentTest, AfterARestartDriversAreAskedAgain) {
  RegisterDriver();
  const Pod pod = MakePod("p");
  node_.loop.RunFor(1s);
  node_.dialer.Listen(kEndpoint, nullptr);
  ASSERT_THAT(node_.StartAgent(), IsOk());
  EXPECT_TRUE(node_.agent->dra().IsUsedBy(pod.metadata.uid)) << "from the checkpoint";
  RegisterDriver();
  node_.loop.RunFor(100s);
  EXPECT_THAT(driver_->prepared, SizeIs(2));
  // The kubelet lists a device twice then.
  EXPECT_THAT(node_.agent->dra().cache().claims().begin()->second.devices.at("a"), SizeIs(2));
}

TEST_F(NodeAgentTest, UnpreparesWhatPodsUsedThatWentWhileItWasAway) {
  RegisterDriver();
  MakePod("p");
  node_.loop.RunFor(1s);
  node_.agent.reset();
  api::client::DeleteOptions now;
  now.grace_period_seconds = 0;
  ASSERT_THAT(node_.api.Delete<Pod>({"default", "p"}, now), IsOk());
  ASSERT_THAT(node_.StartAgent(), IsOk());
  RegisterDriver();
  node_.loop.RunFor(50s);
  EXPECT_THAT(driver_->unprepared, IsEmpty());
  node_.loop.RunFor(20s);
  EXPECT_THAT(driver_->unprepared, SizeIs(1));
}

TEST_F(NodeAgentTest, AForceDeletedPodIsUnprepared) {
  RegisterDriver();
  MakePod("p");
  node_.loop.RunFor(1s);
  api::client::DeleteOptions now;
  now.grace_period_seconds = 0;
  ASSERT_THAT(node_.api.Delete<Pod>({"default", "p"}, now), IsOk());
  node_.loop.RunFor(1s);
  EXPECT_THAT(driver_->unprepared, SizeIs(1));
}

TEST_F(NodeAgentTest, AnUnresolvableDeviceKeepsTheContainerFromStarting) {
  RegisterDriver();
  Pod pod = TestingNode::Must(node_.api.Create(node_.NewPod("p", {"claim"})));
  const auto claim = node_.MakeClaim("claim", "a", "p", pod.metadata.uid);
  node_.Bind(pod);
  node_.loop.RunFor(1s);
  const Pod waiting = node_.GetPod("p");
  EXPECT_EQ(waiting.status.phase, "Pending");
  EXPECT_EQ(waiting.status.container_statuses.at(0).state.waiting->reason, "CreateContainerError");
  EXPECT_THAT(Events("Failed"),
              Contains(HasSubstr("unresolvable CDI devices a/claim=" + claim.metadata.uid)));
  WriteSpec(claim.metadata.uid);
  node_.loop.RunFor(16s);
  EXPECT_EQ(Phase("p"), "Running");
}

TEST_F(NodeAgentTest, HealthReachesThePodsStatus) {
  driver_->has_health = true;
  RegisterDriver();
  MakePod("p");
  node_.loop.RunFor(1s);
  const auto send = [&](DeviceHealthState health) {
    DeviceHealth device{.pool_name = "pool", .device_name = "device", .health = health};
    node_.dialer.SendHealth(kEndpoint, {device});
    node_.loop.RunFor(1s);
    return node_.GetPod("p")
        .status.container_statuses.at(0)
        .allocated_resources_status.at(0)
        .resources.at(0)
        .health;
  };
  EXPECT_EQ(send(DeviceHealthState::kHealthy), "Healthy");
  EXPECT_EQ(send(DeviceHealthState::kUnhealthy), "Unhealthy");
  node_.dialer.EndHealth(kEndpoint, UnavailableError("gone"));
  // Noticed at the next sync of the pod.
  node_.loop.RunFor(100s);
  EXPECT_EQ(node_.GetPod("p")
                .status.container_statuses.at(0)
                .allocated_resources_status.at(0)
                .resources.at(0)
                .health,
            "Unknown");
}

TEST_F(NodeAgentTest, ExtendedResourcesReachTheContainersThatAskForThem) {
  RegisterDriver();
  Pod pod = node_.NewPod("p", {});
  auto& other = pod.spec.containers.emplace_back(pod.spec.containers[0]);
  other.name = "other";
  for (auto* list :
       {&pod.spec.containers[0].resources.requests, &pod.spec.containers[0].resources.limits}) {
    (*list)["example.com/gpu"] = api::meta::Quantity::Of("1");
  }
  pod = TestingNode::Must(node_.api.Create(pod));
  const auto claim = node_.MakeClaim("p-extended", "a", "p", pod.metadata.uid);
  WriteSpec(claim.metadata.uid);
  auto& status = pod.status.extended_resource_claim_status.emplace();
  status.resource_claim_name = "p-extended";
  auto& mapping = status.request_mappings.emplace_back();
  mapping.container_name = "main";
  mapping.resource_name = "example.com/gpu";
  mapping.request_name = "gpu";
  TestingNode::Must(node_.api.UpdateStatus(pod));
  node_.Bind(pod);
  node_.loop.RunFor(1s);
  ASSERT_EQ(Phase("p"), "Running");
  const std::string device = "GPU=" + claim.metadata.uid;
  EXPECT_THAT(node_.agent->ContainerSpec(pod.metadata.uid, "main")->env, Contains(device));
  EXPECT_THAT(node_.agent->ContainerSpec(pod.metadata.uid, "other")->env, Not(Contains(device)));
}

api::Compatibility With(const std::vector<std::string>& gates) {
  api::Compatibility compatibility;
  for (const std::string& gate : gates) {
    EXPECT_THAT(compatibility.Set(gate, true), IsOk());
  }
  return compatibility;
}

class NodeAgentGroupTest : public NodeAgentTest {
 protected:
  NodeAgentGroupTest() : NodeAgentTest(With({"GenericWorkload", "DRAWorkloadResourceClaims"})) {}
};

TEST_F(NodeAgentGroupTest, AClaimThatIsReservedForAGroupIsForItsPods) {
  RegisterDriver();
  for (const char* name : {"member", "stranger"}) {
    Pod pod = node_.NewPod(name, {std::string(name) + "-claim"});
    pod.spec.scheduling_group.emplace().pod_group_name =
        std::string(name) == "member" ? "g" : "another";
    pod = TestingNode::Must(node_.api.Create(pod));
    auto claim = node_.MakeClaim(std::string(name) + "-claim", "a", name, pod.metadata.uid);
    claim.status.reserved_for[0].api_group = "scheduling.k8s.io";
    claim.status.reserved_for[0].resource = "podgroups";
    claim.status.reserved_for[0].name = "g";
    claim.status.reserved_for[0].uid = "g-uid";
    TestingNode::Must(node_.api.UpdateStatus(claim));
    WriteSpec(claim.metadata.uid);
    node_.Bind(pod);
  }
  node_.loop.RunFor(1s);
  EXPECT_EQ(Phase("member"), "Running");
  EXPECT_EQ(Phase("stranger"), "Pending");
  EXPECT_THAT(driver_->prepared, SizeIs(1));
}

class NodeAgentNativeResourcesTest : public NodeAgentTest {
 protected:
  NodeAgentNativeResourcesTest() : NodeAgentTest(With({"DRANodeAllocatableResources"})) {}
};

TEST_F(NodeAgentNativeResourcesTest, WhatDevicesTakeOfTheNodeStaysInThePodsStatus) {
  RegisterDriver();
  Pod pod = TestingNode::Must(node_.api.Create(node_.NewPod("p", {"claim"})));
  const auto claim = node_.MakeClaim("claim", "a", "p", pod.metadata.uid);
  WriteSpec(claim.metadata.uid);
  auto& taken = pod.status.node_allocatable_resource_claim_statuses.emplace_back();
  taken.resource_claim_name = "claim";
  taken.containers = {"main"};
  taken.resources["cpu"] = api::meta::Quantity::Of("2");
  TestingNode::Must(node_.api.UpdateStatus(pod));
  node_.Bind(pod);
  node_.loop.RunFor(1s);
  ASSERT_EQ(Phase("p"), "Running");
  const Pod running = node_.GetPod("p");
  ASSERT_THAT(running.status.node_allocatable_resource_claim_statuses, SizeIs(1));
  EXPECT_EQ(running.status.node_allocatable_resource_claim_statuses[0].resources.at("cpu"),
            api::meta::Quantity::Of("2"));
}

// Level 1.37.
class NodeAgentSkipTest : public NodeAgentTest {
 protected:
  NodeAgentSkipTest()
      : NodeAgentTest(*api::Compatibility::Parse("1.37", "DRAOptionalNodeOperations=true")) {}

  // With a claim that needs no `operations`.
  void MakePodWithout(const std::string& name, std::vector<std::string> operations) {
    const Pod pod = TestingNode::Must(node_.api.Create(node_.NewPod(name, {name + "-claim"})));
    const auto claim =
        node_.MakeClaim(name + "-claim", "a", name, pod.metadata.uid, std::move(operations));
    WriteSpec(claim.metadata.uid);
    node_.Bind(pod);
    node_.loop.RunFor(1s);
  }
  void Delete(const std::string& name) {
    ASSERT_THAT(node_.api.Delete<Pod>({"default", name}), IsOk());
    node_.loop.RunFor(1s);
    EXPECT_FALSE(Exists(name));
  }
};

TEST_F(NodeAgentSkipTest, WhatNeedsNothingOfTheNodeNeedsNoDriver) {
  MakePodWithout("p", {"*"});
  EXPECT_EQ(Phase("p"), "Running");
  EXPECT_THAT(Events("FailedPrepareDynamicResources"), IsEmpty());
  // After a restart too: it is in the checkpoint.
  ASSERT_THAT(node_.StartAgent(), IsOk());
  Delete("p");
}

TEST_F(NodeAgentSkipTest, OneCallIsMadeAndTheOtherIsNot) {
  RegisterDriver();
  MakePodWithout("p", {"NodeUnprepareResources"});
  EXPECT_EQ(Phase("p"), "Running");
  EXPECT_THAT(driver_->prepared, SizeIs(1));
  Delete("p");
  EXPECT_THAT(driver_->unprepared, IsEmpty());
}

TEST_F(NodeAgentTest, ADamagedCheckpointKeepsItFromStarting) {
  node_.agent.reset();
  ASSERT_THAT(WriteFileAtomically(node_.dir / "kubelet/dra_manager_state", "{}"), IsOk());
  EXPECT_EQ(node_.StartAgent().code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace assay::controlplane::node
