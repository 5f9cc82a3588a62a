#include "controlplane/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/client/blocking_client.h"
#include "api/client/config.h"
#include "api/client/http_client.h"
#include "api/core/types.h"
#include "api/rbac/types.h"
#include "api/resource/types.h"
#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "controlplane/apiserver/bootstrap_policy.h"
#include "controlplane/claims/claim_controller.h"
#include "controlplane/eviction/device_taint_eviction.h"
#include "controlplane/scheduler/scheduler.h"
#include "controlplane/testing/virtual_cluster.h"

namespace assay::controlplane {
namespace {

using api::client::BlockingClient;
using api::client::LoadKubeconfig;
using api::core::Node;
using api::core::Pod;
using api::rbac::ClusterRole;
using api::resource::DeviceTaintRule;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;
using apiserver::User;
using assay::testing::IsOk;
using assay::testing::StatusIs;
using controlplane::testing::MakeClass;
using controlplane::testing::MakePod;
using controlplane::testing::MakeSlice;
using controlplane::testing::MakeTemplate;

class ClusterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSAY_ASSERT_OK_AND_ASSIGN(cluster_, Cluster::Start({.directory = dir_.path(), .seed = 1}));
  }

  TempDir dir_ = *TempDir::Create("cluster");
  std::unique_ptr<Cluster> cluster_;
};

// The life of a claim, with the cluster as any process sees it: over HTTPS, with a kubeconfig.
TEST_F(ClusterTest, ClaimIsMadeAllocatedReservedReleasedAndDeleted) {
  ASSERT_THAT(cluster_->AddNode({.name = "n1"}), IsOk());
  ASSAY_ASSERT_OK_AND_ASSIGN(const auto config, LoadKubeconfig(cluster_->kubeconfig()));
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<BlockingClient> client,
                             BlockingClient::Connect(config));
  ASSERT_THAT(client->Create(MakeSlice("n1", 2)), IsOk());
  ASSERT_THAT(client->Create(MakeClass()), IsOk());
  ASSERT_THAT(client->Create(MakeTemplate("one")), IsOk());
  ASSERT_THAT(client->Create(MakePod("a", {"one"})), IsOk());
  ASSAY_ASSERT_OK_AND_ASSIGN(
      const Pod pod, client->WaitFor<Pod>({"default", "a"},
                                          [](const Pod& p) { return !p.spec.node_name.empty(); }));
  EXPECT_EQ(pod.spec.node_name, "n1");
  const std::string name = pod.status.resource_claim_statuses.at(0).resource_claim_name.value();
  ASSAY_ASSERT_OK_AND_ASSIGN(const ResourceClaim claim,
                             client->Get<ResourceClaim>("default", name));
  ASSERT_TRUE(claim.status.allocation);
  EXPECT_EQ(claim.status.reserved_for.at(0).uid, pod.metadata.uid);

  // No kubelet is there to end it.
  ASSERT_THAT(client->Delete<Pod>({"default", "a"}, {.grace_period_seconds = 0}), IsOk());
  EXPECT_THAT(client->WaitUntilGone<ResourceClaim>({"default", name}), IsOk());
}

TEST_F(ClusterTest, DriversMayDoWhatTheyAreGranted) {
  const User driver = User::ServiceAccount("default", "driver", "n1");
  ASSAY_ASSERT_OK_AND_ASSIGN(const auto path, cluster_->WriteKubeconfig("driver", driver));
  ASSAY_ASSERT_OK_AND_ASSIGN(const auto config, LoadKubeconfig(path));
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<BlockingClient> client,
                             BlockingClient::Connect(config));
  EXPECT_THAT(client->Create(MakeSlice("n1", 1)), StatusIs(StatusCode::kPermissionDenied));
  for (const api::Object& object : apiserver::DriverPolicy(driver)) {
    EXPECT_THAT(cluster_->admin().CreateObject(object), IsOk());
  }
  EXPECT_THAT(client->Create(MakeSlice("n1", 1)), IsOk());
  EXPECT_THAT(client->Create(MakePod("a")), StatusIs(StatusCode::kPermissionDenied));
}

TEST_F(ClusterTest, AggregatedRolesHaveTheRulesOfThoseThatTheyChoose) {
  const auto rights = [&](const std::string& role, std::string_view resource) {
    return [&, role, resource](const ClusterRole& current) {
      return current.metadata.name == role &&
             std::ranges::any_of(current.rules, [&](const auto& rule) {
               return std::ranges::find(rule.resources, resource) != rule.resources.end();
             });
    };
  };
  // view's rules are in edit, and those of both in admin.
  EXPECT_THAT(cluster_->admin().WaitFor<ClusterRole>({"", "view"}, rights("view", "pods")), IsOk());
  EXPECT_THAT(cluster_->admin().WaitFor<ClusterRole>({"", "admin"},
                                                     rights("admin", "resourceclaims/status")),
              IsOk());
  ClusterRole more;
  more.metadata.name = "more";
  more.metadata.labels["rbac.authorization.k8s.io/aggregate-to-view"] = "true";
  more.rules.push_back({.verbs = {"get"}, .api_groups = {"example.com"}, .resources = {"wells"}});
  ASSERT_THAT(cluster_->admin().Create(more), IsOk());
  EXPECT_THAT(cluster_->admin().WaitFor<ClusterRole>({"", "admin"}, rights("admin", "wells")),
              IsOk());
  ASSERT_THAT(cluster_->admin().Delete<ClusterRole>({"", "more"}), IsOk());
  EXPECT_THAT(cluster_->admin().WaitFor<ClusterRole>({"", "admin"},
                                                     [&](const ClusterRole& role) {
                                                       return !role.metadata.name.empty() &&
                                                              !rights("admin", "wells")(role);
                                                     }),
              IsOk());
}

TEST_F(ClusterTest, GoesOnFromABackup) {
  ASSERT_THAT(cluster_->AddNode({.name = "n1"}), IsOk());
  ASSERT_THAT(cluster_->admin().Create(MakeSlice("n1", 2)), IsOk());
  ASSERT_THAT(cluster_->admin().Create(MakeClass()), IsOk());
  ASSERT_THAT(cluster_->admin().Create(MakeTemplate("one")), IsOk());
  const auto lives = [&](const std::string& name) {
    ASSERT_THAT(cluster_->admin().Create(MakePod(name, {"one"})), IsOk());
    ASSERT_THAT(cluster_->admin().WaitFor<Pod>(
                    {"default", name}, [](const Pod& p) { return !p.spec.node_name.empty(); }),
                IsOk());
  };
  lives("before");
  ASSAY_ASSERT_OK_AND_ASSIGN(const Pod before, cluster_->admin().Get<Pod>("default", "before"));
  const std::filesystem::path backup = dir_ / "backup";
  ASSERT_THAT(cluster_->SaveStore(backup), IsOk());
  EXPECT_EQ(std::filesystem::status(backup).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  lives("after");

  ASSERT_THAT(cluster_->LoadStore(backup), IsOk());
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::vector<Pod> pods, cluster_->admin().List<Pod>());
  ASSERT_EQ(pods.size(), 1u);
  EXPECT_EQ(pods[0], before);
  ASSAY_ASSERT_OK_AND_ASSIGN(const auto claims, cluster_->admin().List<ResourceClaim>());
  EXPECT_EQ(claims.size(), 1u);
  // The controllers and the scheduler have noticed: the second device is free again.
  lives("again");

  std::ofstream(backup) << "resourceVersion 7\n{\"apiVersion\":\"v1\",\"kind\":\"Well\"}\n";
  EXPECT_THAT(cluster_->LoadStore(backup),
              StatusIs(StatusCode::kInvalidArgument,
                       ::testing::HasSubstr(backup.string() + ":2: no kind \"Well\"")));
  std::ofstream(backup) << "\n";
  EXPECT_THAT(cluster_->LoadStore(backup),
              StatusIs(StatusCode::kInvalidArgument, ::testing::HasSubstr(":1: expected")));
}

TEST_F(ClusterTest, TheApiServersClockMayJump) {
  cluster_->SkewClock(std::chrono::hours(24));
  ASSAY_ASSERT_OK_AND_ASSIGN(const Pod pod, cluster_->admin().Create(MakePod("a")));
  EXPECT_GT(pod.metadata.creation_timestamp.unix_seconds(),
            api::meta::Time::From(Clock::Real().Now()).unix_seconds() + 23 * 3600);
}

// The scheduler and the controllers as processes of their own would be: over HTTPS, each with a
// token of its own and the rights that the bootstrap policy gives it.
TEST_F(ClusterTest, ComponentsNeedNoMoreThanTheirRights) {
  api::Compatibility compatibility;
  ASSERT_THAT(compatibility.Set("DRADeviceTaintRules", true), IsOk());
  std::filesystem::create_directory(dir_ / "alone");
  ASSAY_ASSERT_OK_AND_ASSIGN(cluster_, Cluster::Start({.directory = dir_ / "alone",
                                                       .compatibility = compatibility,
                                                       .claim_controller = false,
                                                       .scheduler = false,
                                                       .eviction_controller = false}));
  RealEventLoop loop;
  loop.Start();
  const auto on_loop = [&](const std::function<void()>& task) {
    std::promise<void> done;
    loop.Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  };
  std::vector<std::unique_ptr<api::client::Client>> clients;
  const auto client = [&](const User& user) -> api::client::Client& {
    clients.push_back(*api::client::HttpClient::Create(loop, cluster_->ConnectionFor(user)));
    return *clients.back();
  };
  const auto account = [&](const std::string& name) -> api::client::Client& {
    return client(User::ServiceAccount("kube-system", name));
  };
  std::unique_ptr<claims::ClaimController> claims;
  std::unique_ptr<scheduler::Scheduler> scheduler;
  std::unique_ptr<eviction::DeviceTaintEviction> eviction;
  on_loop([&] {
    claims = std::make_unique<claims::ClaimController>(account("resource-claim-controller"),
                                                       compatibility);
    claims->Start();
    scheduler = std::make_unique<scheduler::Scheduler>(
        client({.name = "system:kube-scheduler", .groups = {"system:authenticated"}}),
        compatibility, scheduler::SchedulerOptions{.seed = 1});
    scheduler->Start();
    eviction = std::make_unique<eviction::DeviceTaintEviction>(
        account("device-taint-eviction-controller"), compatibility);
    eviction->Start();
  });

  BlockingClient& admin = cluster_->admin();
  ASSERT_THAT(cluster_->AddNode({.name = "n1"}), IsOk());
  ASSERT_THAT(admin.Create(MakeSlice("n1", 2)), IsOk());
  ASSERT_THAT(admin.Create(MakeClass()), IsOk());
  ASSERT_THAT(admin.Create(MakeTemplate("one")), IsOk());
  ASSERT_THAT(admin.Create(MakePod("a", {"one"})), IsOk());
  EXPECT_THAT(admin.WaitFor<Pod>({"default", "a"},
                                 [](const Pod& pod) { return !pod.spec.node_name.empty(); }),
              IsOk());
  DeviceTaintRule rule;
  rule.metadata.name = "rule";
  rule.spec.device_selector.emplace().driver = "gpu.example.com";
  rule.spec.taint.key = "example.com/away";
  rule.spec.taint.effect = "NoExecute";
  ASSERT_THAT(admin.Create(rule), IsOk());
  EXPECT_THAT(admin.WaitFor<Pod>(
                  {"default", "a"},
                  [](const Pod& pod) { return pod.metadata.deletion_timestamp.has_value(); }),
              IsOk());
  // No kubelet is there to end it.
  ASSERT_THAT(admin.Delete<Pod>({"default", "a"}, {.grace_period_seconds = 0}), IsOk());
  EXPECT_THAT(admin.WaitForList<ResourceClaim>(
                  {}, [](const auto& claims_left) { return claims_left.empty(); }),
              IsOk());

  on_loop([&] {
    eviction.reset();
    scheduler.reset();
    claims.reset();
    clients.clear();
  });
  loop.StopAndJoin();
  for (const auto& record : cluster_->api_server().requests().Since(0)) {
    EXPECT_NE(record.code, 403) << record.user << " may not " << record.info.verb << " "
                                << record.info.resource << "/" << record.info.subresource;
  }
}

TEST_F(ClusterTest, NodesLookAsAKubeletRegistersThem) {
  ASSAY_ASSERT_OK_AND_ASSIGN(
      const Node node, cluster_->AddNode({.name = "n1", .labels = {{"gpu", "yes"}}, .cpu = "4"}));
  EXPECT_EQ(node.metadata.labels.at("kubernetes.io/hostname"), "n1");
  EXPECT_EQ(node.metadata.labels.at("gpu"), "yes");
  EXPECT_EQ(node.status.allocatable.at("cpu").ToString(), "4");
  EXPECT_EQ(node.status.conditions.back().type, "Ready");
  EXPECT_THAT(cluster_->AddNode({.name = "n2", .cpu = "many"}),
              StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(ClusterTest, OwnersTakeTheirDependentsAlong) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const Node node, cluster_->AddNode({.name = "n1"}));
  ResourceSlice slice = MakeSlice("n1", 1);
  slice.metadata.owner_references.resize(1);
  auto& owner = slice.metadata.owner_references[0];
  owner.api_version = "v1";
  owner.kind = "Node";
  owner.name = "n1";
  owner.uid = node.metadata.uid;
  ASSERT_THAT(cluster_->admin().Create(slice), IsOk());
  ASSERT_THAT(cluster_->admin().Delete<Node>({"", "n1"}), IsOk());
  EXPECT_THAT(cluster_->admin().WaitUntilGone<ResourceSlice>({"", "n1-slice"}), IsOk());
}

// At level 1.36 DeviceTaintRule is served as v1beta2 and v1alpha3 only; the types here are v1's.
TEST_F(ClusterTest, KindsAreReachedInTheVersionsThatTheLevelServes) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const auto config, LoadKubeconfig(cluster_->kubeconfig()));
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<BlockingClient> client,
                             BlockingClient::Connect(config));
  DeviceTaintRule rule;
  rule.metadata.name = "r";
  rule.spec.device_selector.emplace().driver = "gpu.example.com";
  rule.spec.taint = {.key = "example.com/broken", .effect = "NoExecute"};
  ASSERT_THAT(client->Create(rule), IsOk());
  ASSAY_ASSERT_OK_AND_ASSIGN(
      rule, client->WaitFor<DeviceTaintRule>({"", "r"}, [](const DeviceTaintRule& r) {
        return r.spec.taint.time_added.has_value();
      }));
  EXPECT_EQ(rule.spec.device_selector->driver, "gpu.example.com");
  rule.spec.taint.value = "xid-79";
  ASSAY_ASSERT_OK_AND_ASSIGN(rule, client->Update(rule));
  EXPECT_EQ(rule.metadata.generation, 2);
  ASSAY_ASSERT_OK_AND_ASSIGN(rule, client->Patch<DeviceTaintRule>(
                                       {"", "r"}, R"({"spec":{"taint":{"effect":"NoSchedule"}}})"));
  EXPECT_EQ(rule.spec.taint.effect, "NoSchedule");
  EXPECT_THAT(client->Delete<DeviceTaintRule>({"", "r"}), IsOk());
}

// The same life, with the real kubectl where there is one.
TEST_F(ClusterTest, KubectlAppliesWaitsAndDeletes) {
  const char* kubectl = std::getenv("ASSAY_KUBECTL");
  if (kubectl == nullptr) {
    GTEST_SKIP() << "ASSAY_KUBECTL does not name a kubectl";
  }
  ASSERT_THAT(cluster_->AddNode({.name = "n1"}), IsOk());
  ASSERT_THAT(cluster_->admin().Create(MakeSlice("n1", 1)), IsOk());
  ASSERT_THAT(WriteFileAtomically(dir_ / "all.yaml", R"(
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: gpu}
spec:
  selectors:
  - cel: {expression: 'device.driver == "gpu.example.com"'}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: one, namespace: default}
spec:
  spec:
    devices:
      requests:
      - name: req
        exactly: {deviceClassName: gpu}
---
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: default}
spec:
  containers:
  - name: main
    image: registry.invalid/pause:1
    resources: {claims: [{name: gpu}]}
  resourceClaims:
  - {name: gpu, resourceClaimTemplateName: one}
)"),
              IsOk());
  const auto run = [&](const std::string& arguments) {
    const std::string command = std::string("HOME=") + dir_.path().string() + " '" + kubectl +
                                "' --kubeconfig '" + cluster_->kubeconfig().string() + "' " +
                                arguments + " > " + (dir_ / "out").string() + " 2>&1";
    const int code = std::system(command.c_str());
    return std::make_pair(code, ReadFile(dir_ / "out").value_or(""));
  };
  const auto expect_success = [&](const std::string& arguments) {
    const auto [code, output] = run(arguments);
    EXPECT_EQ(code, 0) << arguments << "\n" << output;
    return output;
  };
  expect_success("apply -f " + (dir_ / "all.yaml").string());
  expect_success("wait --for=condition=PodScheduled --timeout=20s pod/a");
  EXPECT_THAT(expect_success("get resourceclaims"), ::testing::HasSubstr("allocated,reserved"));
  expect_success("get resourceslices,resourceclaims,pods -A");
  EXPECT_THAT(expect_success("describe pod a"),
              ::testing::HasSubstr("Successfully assigned default/a to n1"));
  expect_success("delete pod a --grace-period=0 --force --wait=true --timeout=20s");
  EXPECT_THAT(cluster_->admin().WaitForList<ResourceClaim>(
                  {}, [](const std::vector<ResourceClaim>& claims) { return claims.empty(); }),
              IsOk());
}

}  // namespace
}  // namespace assay::controlplane
