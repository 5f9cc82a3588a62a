// The whole path with nothing in between that is made up: the control plane, the agent, the
// reference driver as a process, and fake GPUs. Pods get their devices and give them back; the
// driver is killed at any moment and nothing is lost.
//
// A test is a leaf: this one stands in the topmost layer that it is about.
#include "controlplane/node/end_to_end_test.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/core/types.h"
#include "api/kubelet/podresources_v1.pb.h"
#include "api/rbac/types.h"
#include "api/resource/types.h"
#include "base/file.h"
#include "base/http/client.h"
#include "base/random.h"
#include "base/testing/status_matchers.h"
#include "controlplane/apiserver/request_log.h"
#include "controlplane/node/blocking_driver.h"
#include "controlplane/node/cdi/registry.h"
#include "controlplane/node/runc.h"
#include "fakegpu/abi/nvml.h"
#include "fakegpu/host/driver_root.h"

namespace assay::controlplane::node {
namespace {

using namespace std::chrono_literals;
using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::_;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

using api::core::Pod;
using api::rbac::ClusterRoleBinding;
using api::resource::Device;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;
using apiserver::User;
using fakegpu::control::FabricFault;

struct Kills;

class EndToEndTest : public DriverOnNodeTest {
 protected:
  // In watts, of each GPU, as NVML tells every process.
  std::vector<int> PowerLimits() {
    ::setenv("ASSAY_FAKEGPU_STATE", (dir_ / "state").c_str(), 1);
    void* const library = ::dlopen(ASSAY_NVML_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    const auto init = reinterpret_cast<decltype(&nvmlInit_v2)>(::dlsym(library, "nvmlInit_v2"));
    const auto shutdown =
        reinterpret_cast<decltype(&nvmlShutdown)>(::dlsym(library, "nvmlShutdown"));
    const auto handle = reinterpret_cast<decltype(&nvmlDeviceGetHandleByIndex_v2)>(
        ::dlsym(library, "nvmlDeviceGetHandleByIndex_v2"));
    const auto limit = reinterpret_cast<decltype(&nvmlDeviceGetPowerManagementLimit)>(
        ::dlsym(library, "nvmlDeviceGetPowerManagementLimit"));
    std::vector<int> watts;
    EXPECT_EQ(init(), NVML_SUCCESS);
    for (unsigned int i = 0; i < kGpus; ++i) {
      nvmlDevice_t device = nullptr;
      unsigned int limit_mw = 0;
      EXPECT_EQ(handle(i, &device), NVML_SUCCESS);
      EXPECT_EQ(limit(device, &limit_mw), NVML_SUCCESS);
      watts.push_back(static_cast<int>(limit_mw / 1000));
    }
    EXPECT_EQ(shutdown(), NVML_SUCCESS);
    return watts;
  }
  // What the driver's status server answers at `path`, once it says "status at <URL>".
  http::Response AskDriver(const std::string& path) {
    const std::string log = ReadFile(dir_ / "driver.log").value_or("");
    const std::size_t begin = log.rfind("status at ") + std::string("status at ").size();
    const std::string url = log.substr(begin, log.find('\n', begin) - begin);
    std::promise<Result<http::Response>> answer;
    std::unique_ptr<http::Client> client;
    cluster_->RunOnLoop([&] {
      client = *http::Client::Create(agent_client_->loop(), {.url = url});
      client->Send({.target = path},
                   [&](Result<http::Response> got) { answer.set_value(std::move(got)); });
    });
    const Result<http::Response> response = answer.get_future().get();
    cluster_->RunOnLoop([&] { client.reset(); });
    EXPECT_THAT(response, IsOk());
    return response.value_or({.status = 0});
  }
  void SurviveKills(const Kills& kills);
  // Where the container finds something about its devices, and what it reads there.
  std::map<std::string, std::string> MetadataIn(const Pod& pod, const std::string& container) {
    std::map<std::string, std::string> files;
    cluster_->RunOnLoop([&] {
      if (const auto spec = agent_->ContainerSpec(pod.metadata.uid, container)) {
        for (const cdi::OciMount& mount : spec->mounts) {
          if (mount.destination.find("dra-device-attributes") != std::string::npos) {
            EXPECT_EQ(std::ranges::count(mount.options, "ro"), 1);
            files[mount.destination] = ReadFile(mount.source).value_or("");
          }
        }
      }
    });
    return files;
  }
  std::filesystem::path MetadataDirectory() const {
    return DriverSocket().parent_path() / "device-metadata";
  }
};

TEST_F(EndToEndTest, PodsGetTheirGpusAndGiveThemBack) {
  StartAgent();
  StartDriver();
  WaitForDriver();
  CreateClaim("two", 2);
  CreateClaim("three", 3);
  const Pod two = CreatePod("two");
  const Pod three = CreatePod("three");
  ASSERT_THAT(WaitForPhase("two", "Running"), IsOk());
  ASSERT_THAT(WaitForPhase("three", "Running"), IsOk());
  std::set<std::string> seen = DevicesIn(two);
  EXPECT_THAT(seen, SizeIs(2));
  const std::set<std::string> others = DevicesIn(three);
  EXPECT_THAT(others, SizeIs(3));
  seen.insert(others.begin(), others.end());
  EXPECT_THAT(seen, SizeIs(5)) << "no device is seen twice";
  EXPECT_EQ(CdiFiles(), 2u);

  // What a monitoring agent on the node would be told.
  BlockingDriver pod_resources((dir_ / "pod-resources.sock").string());
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::string bytes,
                             pod_resources.CallRaw("/v1.PodResourcesLister/List", ""));
  v1::ListPodResourcesResponse listed;
  ASSERT_TRUE(listed.ParseFromString(bytes));
  ASSERT_EQ(listed.pod_resources_size(), 2);
  for (const v1::PodResources& pod : listed.pod_resources()) {
    const auto& claim = pod.containers(0).dynamic_resources(0);
    EXPECT_EQ(claim.claim_name(), pod.name());
    ASSERT_EQ(claim.claim_resources_size(), pod.name() == "two" ? 2 : 3);
    EXPECT_EQ(claim.claim_resources(0).driver_name(), kDriver);
    // The quirk: the second device's list begins with the first one's.
    EXPECT_EQ(claim.claim_resources(1).cdi_devices_size(), 2);
  }
  v1::GetPodResourcesRequest missing;
  missing.set_pod_name("none");
  missing.set_pod_namespace("default");
  EXPECT_THAT(pod_resources.CallRaw("/v1.PodResourcesLister/Get", missing.SerializeAsString()),
              StatusIs(StatusCode::kUnknown, "pod none in namespace default not found"));

  for (const char* name : {"two", "three"}) {
    ASSERT_THAT(cluster_->admin().Delete<Pod>({"default", name}), IsOk());
    ASSERT_THAT(cluster_->admin().WaitUntilGone<Pod>({"default", name}), IsOk());
  }
  EXPECT_EQ(CdiFiles(), 0u);
  EXPECT_EQ(driver_->Signal(SIGTERM), 0);
  EXPECT_FALSE(std::filesystem::exists(DriverSocket()));
}

TEST_F(EndToEndTest, PrometheusAndTheProbesAreToldHowTheDriverFares) {
  StartAgent();
  StartDriver({"--status-port=0"});
  WaitForDriver();
  CreateClaim("one", 1);
  CreatePod("one");
  ASSERT_THAT(WaitForPhase("one", "Running"), IsOk());
  EXPECT_EQ(AskDriver("/healthz").status, 200);
  EXPECT_EQ(AskDriver("/readyz").status, 200);
  const std::string text = AskDriver("/metrics").body;
  EXPECT_THAT(text, HasSubstr("duration_seconds_count{operation=\"prepare\",code=\"OK\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\ndra_driver_registered 1\n"));
  EXPECT_THAT(text, HasSubstr("\ndra_driver_devices " + std::to_string(kGpus) + "\n"));
}

TEST_F(EndToEndTest, ClaimsShareAGpuUntilItsMemoryIsUsedUp) {
  StartAgent();
  StartDriver({"--share-gpus"});
  WaitForDriver();
  std::map<std::string, std::set<std::string>> seen;
  std::set<std::string> shares;
  for (const char* name : {"a", "b", "c"}) {
    CreateClaim(name, 1, "30Gi");
    const Pod pod = CreatePod(name);
    ASSERT_THAT(WaitForPhase(name, "Running"), IsOk());
    seen[name] = DevicesIn(pod);
    const auto claim = cluster_->admin().Get<ResourceClaim>("default", name);
    ASSERT_TRUE(claim.ok() && claim->status.allocation);
    shares.insert(claim->status.allocation->devices.results.at(0).share_id.value_or(""));
  }
  EXPECT_THAT(seen["a"], SizeIs(1));
  EXPECT_EQ(seen["a"], seen["b"]) << "60 of 80 GB";
  EXPECT_NE(seen["a"], seen["c"]);
  EXPECT_THAT(shares, SizeIs(3));
  EXPECT_EQ(CdiFiles(), 3u);
}

TEST_F(EndToEndTest, ClaimsAndTheirClassesConfigureGpus) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "setting GPUs is root's";
  }
  const auto power_limit = [](int watts) {
    api::resource::OpaqueDeviceConfiguration opaque;
    opaque.driver = kDriver;
    opaque.parameters.json =
        R"({"apiVersion": "gpu.assay.dev/v1", "kind": "GpuConfig", "powerLimitWatts": )" +
        std::to_string(watts) + "}";
    return opaque;
  };
  api::resource::DeviceClass quiet;
  quiet.metadata.name = "quiet-gpu";
  quiet.spec.selectors.emplace_back().cel.emplace().expression =
      std::string("device.driver == \"") + kDriver + "\"";
  quiet.spec.config.emplace_back().opaque = power_limit(400);
  ASSERT_THAT(cluster_->admin().Create(quiet), IsOk());
  StartAgent();
  StartDriver();
  WaitForDriver();
  const auto run = [&](const std::string& name, std::optional<int> watts) {
    ResourceClaim claim;
    claim.metadata.name = name;
    claim.metadata.namespace_ = "default";
    auto& request = claim.spec.devices.requests.emplace_back();
    request.name = "gpu";
    request.exactly.emplace().device_class_name = "quiet-gpu";
    if (watts) {
      claim.spec.devices.config.emplace_back().opaque = power_limit(*watts);
    }
    ASSERT_THAT(cluster_->admin().Create(claim), IsOk());
    CreatePod(name);
    ASSERT_THAT(WaitForPhase(name, "Running"), IsOk());
  };
  EXPECT_THAT(PowerLimits(), Each(700));
  run("a", std::nullopt);
  run("b", 350);
  EXPECT_THAT(PowerLimits(), UnorderedElementsAre(350, 400, 700, 700, 700, 700, 700, 700));
  for (const char* name : {"a", "b"}) {
    ASSERT_THAT(cluster_->admin().Delete<Pod>({"default", name}), IsOk());
    ASSERT_THAT(cluster_->admin().WaitUntilGone<Pod>({"default", name}), IsOk());
  }
  EXPECT_THAT(PowerLimits(), Each(700));
}

// Time slices are set with NVIDIA's tool, as its own driver does; here with a stand-in.
TEST_F(EndToEndTest, ContainersShareAGpuByTimeSlices) {
  const std::filesystem::path asked = dir_ / "asked";
  const std::filesystem::path nvidia_smi = dir_ / "nvidia-smi";
  ASSERT_THAT(
      WriteFileAtomically(nvidia_smi, "#!/bin/sh\necho \"$1 $4 $5\" >>" + asked.string() + "\n",
                          {.mode = 0755}),
      IsOk());
  StartAgent();
  StartDriver({"--nvidia-smi=" + nvidia_smi.string()});
  WaitForDriver();
  ResourceClaim claim;
  claim.metadata.name = "sliced";
  claim.metadata.namespace_ = "default";
  auto& request = claim.spec.devices.requests.emplace_back();
  request.name = "gpu";
  request.exactly.emplace().device_class_name = "gpu";
  auto& opaque = claim.spec.devices.config.emplace_back().opaque.emplace();
  opaque.driver = kDriver;
  opaque.parameters.json =
      R"({"apiVersion": "gpu.assay.dev/v1", "kind": "GpuConfig",
          "sharing": {"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": "Long"}}})";
  ASSERT_THAT(cluster_->admin().Create(claim), IsOk());
  CreatePod("sliced");
  ASSERT_THAT(WaitForPhase("sliced", "Running"), IsOk());
  EXPECT_EQ(ReadFile(asked).value_or(""), "compute-policy --set-timeslice 3\n");
  ASSERT_THAT(cluster_->admin().Delete<Pod>({"default", "sliced"}), IsOk());
  ASSERT_THAT(cluster_->admin().WaitUntilGone<Pod>({"default", "sliced"}), IsOk());
  EXPECT_EQ(ReadFile(asked).value_or(""),
            "compute-policy --set-timeslice 3\ncompute-policy --set-timeslice 0\n");
}

TEST_F(EndToEndTest, TheDriverTellsInTheClaimWhichDevicesAreReady) {
  ASSERT_THAT(GrantRole("dra-driver-ref-claim-status"), IsOk());
  StartAgent();
  StartDriver({"--claim-status"});
  WaitForDriver();
  CreateClaim("two", 2);
  CreatePod("two");
  ASSERT_THAT(WaitForPhase("two", "Running"), IsOk());
  EXPECT_THAT(cluster_->admin().WaitFor<ResourceClaim>(
                  {"default", "two"},
                  [](const ResourceClaim& claim) {
                    return claim.status.devices.size() == 2 &&
                           std::ranges::all_of(claim.status.devices, [](const auto& device) {
                             return device.conditions.size() == 1 &&
                                    device.conditions[0].type == "Ready" && device.data;
                           });
                  }),
              IsOk());
}

// KEP-5304: each container has a file for each request that it uses, as Kubernetes' helper library
// names and writes it.
TEST_F(EndToEndTest, ContainersReadAboutTheirDevices) {
  StartAgent();
  StartDriver({"--device-metadata"});
  WaitForDriver();
  api::resource::ResourceClaimTemplate claim_template;
  claim_template.metadata.name = "one";
  claim_template.metadata.namespace_ = "default";
  auto& request = claim_template.spec.spec.devices.requests.emplace_back();
  request.name = "small";
  auto& alternative = request.first_available.emplace_back();
  alternative.name = "any";
  alternative.device_class_name = "gpu";
  ASSERT_THAT(cluster_->admin().Create(claim_template), IsOk());
  ResourceClaim shared;
  shared.metadata.name = "shared";
  shared.metadata.namespace_ = "default";
  for (const char* name : {"left", "right"}) {
    auto& wanted = shared.spec.devices.requests.emplace_back();
    wanted.name = name;
    wanted.exactly.emplace().device_class_name = "gpu";
    wanted.exactly->count = 2;
  }
  ASSERT_THAT(cluster_->admin().Create(shared), IsOk());

  Pod pod;
  pod.metadata.name = "pod";
  pod.metadata.namespace_ = "default";
  auto& direct = pod.spec.resource_claims.emplace_back();
  direct.name = "both";
  direct.resource_claim_name = "shared";
  auto& templated = pod.spec.resource_claims.emplace_back();
  templated.name = "own";
  templated.resource_claim_template_name = "one";
  for (const char* name : {"all", "left"}) {
    auto& container = pod.spec.containers.emplace_back();
    container.name = name;
    container.image = "busybox";
  }
  pod.spec.containers[0].resources.claims = {{.name = "both"}, {.name = "own"}};
  pod.spec.containers[1].resources.claims = {{.name = "both", .request = "left"}};
  ASSAY_ASSERT_OK_AND_ASSIGN(pod, cluster_->admin().Create(pod));
  ASSERT_THAT(WaitForPhase("pod", "Running"), IsOk());

  const std::string root = "/var/run/kubernetes.io/dra-device-attributes/";
  const std::string file = std::string(kDriver) + "-metadata.json";
  std::map<std::string, std::string> all = MetadataIn(pod, "all");
  EXPECT_THAT(all,
              UnorderedElementsAre(Pair(root + "resourceclaims/shared/left/" + file, _),
                                   Pair(root + "resourceclaims/shared/right/" + file, _),
                                   Pair(root + "resourceclaimtemplates/own/small/" + file, _)));
  EXPECT_THAT(MetadataIn(pod, "left"),
              UnorderedElementsAre(Pair(root + "resourceclaims/shared/left/" + file, _)));

  ASSAY_ASSERT_OK_AND_ASSIGN(shared, cluster_->admin().Get<ResourceClaim>("default", "shared"));
  const auto slice = cluster_->admin().List<ResourceSlice>()->at(0);
  for (const auto& result : shared.status.allocation->devices.results) {
    const std::string& text = all[root + "resourceclaims/shared/" + result.request + "/" + file];
    EXPECT_THAT(text, HasSubstr("\"uid\": \"" + shared.metadata.uid + "\""));
    EXPECT_THAT(text, HasSubstr("\"name\": \"" + result.device + "\""));
    const auto device =
        std::ranges::find(slice.spec.devices, result.device, &api::resource::Device::name);
    ASSERT_NE(device, slice.spec.devices.end());
    EXPECT_THAT(text, HasSubstr("\"" + *device->attributes.at("uuid").string + "\""));
  }
  EXPECT_THAT(all[root + "resourceclaimtemplates/own/small/" + file],
              AllOf(HasSubstr("\"podClaimName\": \"own\""), HasSubstr("\"small/any\"")));

  ASSERT_THAT(cluster_->admin().Delete<Pod>({"default", "pod"}), IsOk());
  ASSERT_THAT(cluster_->admin().WaitUntilGone<Pod>({"default", "pod"}), IsOk());
  EXPECT_EQ(CdiFiles(), 0u);
  EXPECT_TRUE(std::filesystem::is_empty(MetadataDirectory()));
}

// KEP-5007: pods wait until their GPUs are part of the NVLink fabric.
class BindingTest : public EndToEndTest {
 protected:
  void SetUp() override {
    EndToEndTest::SetUp();
    ASSERT_THAT(GrantRole("dra-driver-ref-claim-status"), IsOk());
    ASSERT_THAT(GrantRole("dra-driver-ref-binding"), IsOk());
    SetFabric("all", FabricFault::State::kInProgress);
    StartAgent();
    StartDriver({"--bind-to-fabric"});
    WaitForDriver();
    CreateClaim("claim", 1);
    CreatePod("claim");
  }
  void SetFabric(const std::string& gpu, FabricFault::State state) {
    ASSERT_THAT(gpus_->Inject(gpu, FabricFault{state}), IsOk());
  }
  // The claim's device once the driver has said that it waits.
  std::string WaitingDevice() {
    const auto claim = cluster_->admin().WaitFor<ResourceClaim>(
        {"default", "claim"}, [](const ResourceClaim& now) {
          return now.status.devices.size() == 1 &&
                 now.status.devices[0].conditions.at(0).reason == "FabricPending";
        });
    EXPECT_THAT(claim, IsOk());
    return claim.ok() ? claim->status.devices[0].device : "";
  }
  // The UUID of the GPU of that device.
  std::string UuidOf(const std::string& device) {
    const auto slice = cluster_->admin().List<ResourceSlice>()->at(0);
    return *std::ranges::find(slice.spec.devices, device, &api::resource::Device::name)
                ->attributes.at("uuid")
                .string;
  }
};

TEST_F(BindingTest, APodWaitsForTheFabricAlsoOverARestartOfTheDriver) {
  const std::string device = WaitingDevice();
  driver_->Signal(SIGKILL);
  EXPECT_EQ(cluster_->admin().Get<Pod>("default", "claim")->spec.node_name, "");
  ASSERT_THAT(gpus_->Heal(UuidOf(device)), IsOk());
  StartDriver({"--bind-to-fabric"});
  ASSERT_THAT(WaitForPhase("claim", "Running"), IsOk());
  const auto claim = cluster_->admin().Get<ResourceClaim>("default", "claim");
  ASSERT_THAT(claim, IsOk());
  EXPECT_EQ(claim->status.allocation->devices.results.at(0).device, device);
  EXPECT_EQ(claim->status.devices.at(0).conditions.at(0).status, "True");
}

TEST_F(BindingTest, AGpuThatTheFabricRefusesIsGivenUpForAnother) {
  const std::string refused = WaitingDevice();
  const std::string uuid = UuidOf(refused);
  SetFabric(uuid, FabricFault::State::kFailed);
  ASSAY_ASSERT_OK_AND_ASSIGN(const fakegpu::control::NodeInfo node, gpus_->Show());
  for (const auto& gpu : node.gpus) {
    if (gpu.uuid != uuid) {
      ASSERT_THAT(gpus_->Heal(gpu.uuid), IsOk());
    }
  }
  ASSERT_THAT(WaitForPhase("claim", "Running"), IsOk());
  const auto claim = cluster_->admin().Get<ResourceClaim>("default", "claim");
  ASSERT_THAT(claim, IsOk());
  EXPECT_NE(claim->status.allocation->devices.results.at(0).device, refused);
  ASSERT_THAT(claim->status.devices, SizeIs(1)) << "nothing is left of the former allocation";
  EXPECT_EQ(claim->status.devices[0].device,
            claim->status.allocation->devices.results.at(0).device);
}

TEST_F(EndToEndTest, TheDriverMayWhatItsManifestSaysAndNoMore) {
  StartAgent();
  StartDriver();
  WaitForDriver();
  ASSAY_ASSERT_OK_AND_ASSIGN(ClusterRoleBinding binding,
                             cluster_->admin().Get<ClusterRoleBinding>("", "dra-driver-ref"));
  ASSERT_THAT(cluster_->admin().Delete<ClusterRoleBinding>({"", "dra-driver-ref"}), IsOk());
  std::promise<void> refused;
  cluster_->api_server().requests().SetObserver(
      [&,
       first = std::make_shared<std::atomic<bool>>(true)](const apiserver::RequestRecord& record) {
        if (record.user == kUser.name && record.info.resource == "resourceclaims" &&
            record.code == 403 && first->exchange(false)) {
          refused.set_value();
        }
      });
  CreateClaim("a", 1);
  CreatePod("a");
  // The driver cannot look at the claim, and says so.
  refused.get_future().wait();
  cluster_->api_server().requests().SetObserver(nullptr);
  EXPECT_EQ(CdiFiles(), 0u);

  binding.metadata = {.name = "dra-driver-ref"};
  ASSERT_THAT(cluster_->admin().Create(binding), IsOk());
  // The kubelet tries again when the pod changes, or at its resync.
  ASSERT_THAT(cluster_->admin().Patch<Pod>({"default", "a"},
                                           R"({"metadata":{"annotations":{"again":"yes"}}})",
                                           {.type = api::client::PatchType::kMerge}),
              IsOk());
  EXPECT_THAT(WaitForPhase("a", "Running"), IsOk());
}

TEST_F(EndToEndTest, AnApiServerThatWasAwayFindsEverythingAsItWas) {
  StartAgent();
  StartDriver();
  WaitForDriver();
  CreateClaim("a", 1);
  CreatePod("a");
  ASSERT_THAT(WaitForPhase("a", "Running"), IsOk());
  ASSAY_ASSERT_OK_AND_ASSIGN(const auto before, cluster_->admin().List<ResourceSlice>());
  cluster_->api_server().GoDown();
  ASSERT_THAT(cluster_->api_server().ComeBack(), IsOk());
  CreateClaim("b", 1);
  CreatePod("b");
  EXPECT_THAT(WaitForPhase("b", "Running"), IsOk());
  // Nothing was published anew.
  ASSAY_ASSERT_OK_AND_ASSIGN(const auto after, cluster_->admin().List<ResourceSlice>());
  EXPECT_EQ(after, before);
}

// As after a backup of etcd was restored that is older than the driver.
TEST_F(EndToEndTest, TheDriverPublishesAgainWhatTheApiServerLost) {
  const std::filesystem::path backup = dir_ / "backup";
  ASSERT_THAT(cluster_->SaveStore(backup), IsOk());
  StartAgent();
  StartDriver();
  WaitForDriver();
  CreateClaim("a", 1);
  CreatePod("a");
  ASSERT_THAT(WaitForPhase("a", "Running"), IsOk());
  EXPECT_EQ(CdiFiles(), 1u);

  cluster_->api_server().GoDown();
  ASSERT_THAT(cluster_->LoadStore(backup), IsOk());
  ASSERT_THAT(cluster_->api_server().ComeBack(), IsOk());
  WaitForSlices();
  // The pod is gone, and soon what was prepared for it. Another gets its GPU.
  while (CdiFiles() != 0) {
    std::this_thread::yield();
  }
  CreateClaim("b", static_cast<std::int64_t>(kGpus));
  CreatePod("b");
  EXPECT_THAT(WaitForPhase("b", "Running"), IsOk());
}

TEST_F(EndToEndTest, AnXidReachesTheSliceAndThePodAndGoesAway) {
  StartAgent();
  StartDriver();
  WaitForDriver();
  CreateClaim("all", kGpus);
  CreatePod("all");
  ASSERT_THAT(WaitForPhase("all", "Running"), IsOk());
  const auto health_is = [&](const std::string& health) {
    return cluster_->admin()
        .WaitFor<Pod>({"default", "all"},
                      [&](const Pod& pod) {
                        if (pod.status.container_statuses.empty()) {
                          return false;
                        }
                        const auto& statuses =
                            pod.status.container_statuses[0].allocated_resources_status;
                        return !statuses.empty() &&
                               std::ranges::any_of(statuses[0].resources, [&](const auto& device) {
                                 return device.health == health;
                               });
                      })
        .status();
  };
  const auto taints_are = [&](std::ptrdiff_t count) {
    return cluster_->admin()
        .WaitForList<ResourceSlice>({},
                                    [&](const std::vector<ResourceSlice>& slices) {
                                      return slices.size() == 1 &&
                                             std::ranges::count_if(slices[0].spec.devices,
                                                                   [](const auto& device) {
                                                                     return !device.taints.empty();
                                                                   }) == count;
                                    })
        .status();
  };
  ASSERT_THAT(health_is("Healthy"), IsOk());
  ASSERT_THAT(gpus_->Inject("3", fakegpu::control::XidFault{.xid = 79}), IsOk());
  EXPECT_THAT(health_is("Unhealthy"), IsOk());
  EXPECT_THAT(taints_are(1), IsOk());
  ASSERT_THAT(gpus_->Heal("3"), IsOk());
  EXPECT_THAT(taints_are(0), IsOk());
}

// Prepares and unprepares while the driver is killed at random moments: whatever it was doing, the
// next call of the same kind finishes it, and at the end nothing is left.
struct Kills {
  std::vector<std::string> flags;    // Of the driver.
  std::vector<std::string> devices;  // That the claim has.
  std::function<void()> prepared;    // Looks at what there is.
  std::function<void()> unprepared;
};
void EndToEndTest::SurviveKills(const Kills& kills) {
  constexpr int kRounds = 20;
  const auto seed = Random::FromSystem().Next();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);

  ResourceClaim claim = CreateClaim("claim", 2);
  auto& allocation = claim.status.allocation.emplace();
  for (const std::string& device : kills.devices) {
    auto& result = allocation.devices.results.emplace_back();
    result.request = "gpu";
    result.driver = kDriver;
    result.pool = kNode;
    result.device = device;
  }
  ASSERT_THAT(cluster_->admin().UpdateStatus(claim), IsOk());
  const std::vector<ClaimReference> claims = {{"default", "claim", claim.metadata.uid}};

  RealEventLoop timers;
  timers.Start();
  const auto kill_soon = [&]() -> std::function<void()> {
    auto done = std::make_shared<std::pair<std::mutex, std::condition_variable>>();
    auto killed = std::make_shared<bool>(false);
    timers.Post([&, delay = std::chrono::microseconds(random.Below(8000)), done, killed] {
      timers.RunAfter(delay, [&, done, killed] {
        driver_->Signal(SIGKILL);
        const std::lock_guard<std::mutex> lock(done->first);
        *killed = true;
        done->second.notify_all();
      });
    });
    return [done, killed] {
      std::unique_lock<std::mutex> lock(done->first);
      done->second.wait(lock, [&] { return *killed; });
    };
  };
  const auto restarted = [&] {
    StartDriver(kills.flags);
    auto driver = std::make_unique<BlockingDriver>(DriverSocket().string());
    EXPECT_THAT(driver->WaitUntilConnected(), IsOk());
    return driver;
  };

  auto driver = std::make_unique<BlockingDriver>(DriverSocket().string());
  ASSERT_THAT(driver->WaitUntilConnected(), IsOk());
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    std::function<void()> wait = kill_soon();
    (void)driver->Prepare(claims, DraVersion::kV1, 5s);
    wait();
    driver = restarted();
    const auto prepared = driver->Prepare(claims);
    ASSERT_THAT(prepared, IsOk());
    ASSERT_EQ(prepared->at(claim.metadata.uid).error, "");
    const cdi::Registry registry = cdi::Registry::Scan({dir_ / "cdi"});
    EXPECT_THAT(registry.errors(), IsEmpty());
    for (const PreparedDevice& device : prepared->at(claim.metadata.uid).devices) {
      EXPECT_THAT(registry.EditsFor(device.cdi_device_ids), IsOk());
    }
    kills.prepared();

    wait = kill_soon();
    (void)driver->Unprepare(claims, DraVersion::kV1, 5s);
    wait();
    driver = restarted();
    const auto unprepared = driver->Unprepare(claims);
    ASSERT_THAT(unprepared, IsOk());
    EXPECT_EQ(unprepared->at(claim.metadata.uid), "");
    EXPECT_EQ(CdiFiles(), 0u);
    EXPECT_TRUE(std::filesystem::is_empty(DriverSocket().parent_path() / "claims"));
    kills.unprepared();
  }
  driver.reset();
  timers.StopAndJoin();
}

TEST_F(EndToEndTest, SurvivesBeingKilledAtAnyMoment) {
  std::filesystem::create_directories(dir_ / "kubelet");
  StartDriver();
  WaitForSlices();
  const std::vector<Device> devices = DevicesOf(*cluster_->admin().List<ResourceSlice>());
  SurviveKills(
      {.flags = {"--device-metadata"},
       .devices = {devices.at(0).name, devices.at(1).name},
       .prepared = [] {},
       .unprepared = [&] { EXPECT_TRUE(std::filesystem::is_empty(MetadataDirectory())); }});
}

TEST_F(EndToEndTest, ASecondInstanceIsRefused) {
  std::filesystem::create_directories(dir_ / "kubelet");
  StartDriver();
  WaitForSlices();
  const std::unique_ptr<Process> first = std::move(driver_);
  StartDriver();
  EXPECT_EQ(driver_->Signal(0), 1);
  BlockingDriver driver(DriverSocket().string());
  EXPECT_THAT(driver.Prepare({}), IsOk()) << "the first one still serves";
}

// A node of an H100, which the driver divides, and an L4, which nobody can.
class DividedGpuTest : public EndToEndTest {
 protected:
  // In the H100: 7 + 7 + 4 + 3 + 2 + 1 + 1 placements of profiles, and the whole.
  static constexpr std::size_t kOfH100 = 26;

  DividedGpuTest() {
    node_file_ = "fixtures/nodes/h100-and-l4.yaml";
    devices_ = kOfH100 + 1;
  }
  void SetUp() override {
    if (geteuid() != 0) {
      GTEST_SKIP() << "dividing GPUs is root's";
    }
    EndToEndTest::SetUp();
  }
  std::vector<std::string> Flags() const {
    return {"--mig", "--proc-root=" + (dir_.path() / "host/proc").string()};
  }
  void WriteProc() {
    ASSERT_THAT(fakegpu::host::WriteDevices(dir_ / "state", dir_ / "host"), IsOk());
  }
  // The H100 as it is now.
  fakegpu::control::GpuInfo H100() {
    const auto node = gpus_->Show();
    EXPECT_THAT(node, IsOk());
    return node.ok() ? node->gpus.at(0) : fakegpu::control::GpuInfo{};
  }
  // "1g.20gb at 4", in order of the placements.
  std::set<std::string> Instances() {
    std::set<std::string> instances;
    for (const auto& instance : H100().gpu_instances) {
      EXPECT_THAT(instance.compute_instances, SizeIs(1)) << "half a partition";
      instances.insert(instance.profile + " at " + std::to_string(instance.start));
    }
    return instances;
  }
};

TEST_F(DividedGpuTest, AnyGpuOf20GigabytesIsAPartitionOrAWholeGpu) {
  WriteProc();
  StartAgent();
  StartDriver(Flags());
  WaitForDriver();
  const std::string at_least_20 =
      std::string("device.capacity[\"") + kDriver + "\"].memory.compareTo(quantity(\"20G\")) >= 0";
  std::map<std::string, Pod> pods;
  const auto run = [&](const std::string& name) {
    CreateClaim(name, 1, "", at_least_20);
    pods[name] = CreatePod(name);
  };
  // Four partitions of the H100, and the L4.
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    run(name);
    ASSERT_THAT(WaitForPhase(name, "Running"), IsOk());
  }
  EXPECT_THAT(Instances(),
              ElementsAre("1g.20gb at 0", "1g.20gb at 2", "1g.20gb at 4", "1g.20gb at 6"));
  std::set<std::string> of_h100;
  std::set<std::string> of_l4;
  for (const auto& [name, pod] : pods) {
    std::set<std::string> seen = DevicesIn(pod);
    if (seen.erase("/dev/nvidia0") != 0) {
      EXPECT_THAT(seen, SizeIs(2)) << "capabilities of the GPU instance and the compute instance";
      for (const std::string& path : seen) {
        EXPECT_THAT(path, StartsWith("/dev/nvidia-caps/nvidia-cap"));
        EXPECT_TRUE(of_h100.insert(path).second) << path << " is seen twice";
      }
    } else {
      EXPECT_THAT(seen, ElementsAre("/dev/nvidia1"));
      of_l4.insert(name);
    }
  }
  EXPECT_THAT(of_h100, SizeIs(8));
  EXPECT_THAT(of_l4, SizeIs(1));

  // A sixth waits until one of them goes.
  run("f");
  ASSERT_THAT(cluster_->admin().WaitFor<Pod>(
                  {"default", "f"},
                  [](const Pod& pod) {
                    return std::ranges::any_of(pod.status.conditions, [](const auto& condition) {
                      return condition.type == "PodScheduled" && condition.status == "False";
                    });
                  }),
              IsOk());
  ASSERT_THAT(cluster_->admin().Delete<Pod>({"default", "b"}), IsOk());
  ASSERT_THAT(cluster_->admin().WaitUntilGone<Pod>({"default", "b"}), IsOk());
  ASSERT_THAT(cluster_->admin().Delete<ResourceClaim>({"default", "b"}), IsOk());
  EXPECT_THAT(WaitForPhase("f", "Running"), IsOk());
  EXPECT_THAT(Instances(), SizeIs(4));

  for (const auto& [name, pod] : pods) {
    if (name != "b") {
      ASSERT_THAT(cluster_->admin().Delete<Pod>({"default", name}), IsOk());
      ASSERT_THAT(cluster_->admin().WaitUntilGone<Pod>({"default", name}), IsOk());
    }
  }
  EXPECT_THAT(Instances(), IsEmpty());
  EXPECT_FALSE(H100().mig_enabled);
  EXPECT_EQ(CdiFiles(), 0u);
}

TEST_F(DividedGpuTest, AWholeGpuAndItsPartitionsExcludeEachOther) {
  WriteProc();
  StartAgent();
  StartDriver(Flags());
  WaitForDriver();
  const std::string own = std::string("device.attributes[\"") + kDriver + "\"]";
  const std::string hopper = own + ".architecture == \"Hopper\"";
  CreateClaim("half", 2, "", own + ".type == \"mig\" && " + own + ".profile == \"3g.40gb\"");
  CreateClaim("whole", 1, "", hopper + " && " + own + ".type == \"gpu\"");
  CreatePod("half");
  ASSERT_THAT(WaitForPhase("half", "Running"), IsOk());
  EXPECT_THAT(Instances(), ElementsAre("3g.40gb at 0", "3g.40gb at 4"));
  const Pod whole = CreatePod("whole");
  ASSERT_THAT(cluster_->admin().Delete<Pod>({"default", "half"}), IsOk());
  ASSERT_THAT(cluster_->admin().WaitUntilGone<Pod>({"default", "half"}), IsOk());
  ASSERT_THAT(cluster_->admin().Delete<ResourceClaim>({"default", "half"}), IsOk());
  ASSERT_THAT(WaitForPhase("whole", "Running"), IsOk());
  EXPECT_THAT(Instances(), IsEmpty());
  EXPECT_FALSE(H100().mig_enabled) << "CUDA would see no whole GPU";
  EXPECT_THAT(DevicesIn(whole), ElementsAre("/dev/nvidia0"));
}

TEST_F(DividedGpuTest, ALostGpuTaintsAllOfItsPartitions) {
  StartDriver(Flags());
  WaitForSlices();
  ASSERT_THAT(gpus_->Inject("0", fakegpu::control::XidFault{.xid = 79}), IsOk());
  const auto tainted = [](const Device& device) { return !device.taints.empty(); };
  EXPECT_THAT(cluster_->admin().WaitForList<ResourceSlice>(
                  {},
                  [&](const std::vector<ResourceSlice>& slices) {
                    return std::ranges::count_if(DevicesOf(slices), tainted) ==
                           static_cast<std::ptrdiff_t>(kOfH100);
                  }),
              IsOk());
}

TEST_F(DividedGpuTest, KilledAtAnyMomentItLosesAndLeavesNoPartition) {
  WriteProc();
  std::filesystem::create_directories(dir_ / "kubelet");
  StartDriver(Flags());
  WaitForSlices();
  std::vector<std::string> names;
  for (const Device& device : DevicesOf(*cluster_->admin().List<ResourceSlice>())) {
    const auto profile = device.attributes.find("profile");
    if (profile != device.attributes.end() && profile->second.string == "3g.40gb") {
      names.push_back(device.name);
    }
  }
  SurviveKills(
      {.flags = Flags(),
       .devices = names,
       .prepared = [&] { EXPECT_THAT(Instances(), ElementsAre("3g.40gb at 0", "3g.40gb at 4")); },
       .unprepared =
           [&] {
             EXPECT_THAT(Instances(), IsEmpty());
             EXPECT_FALSE(H100().mig_enabled);
           }});
}

// With containers that run.
class ContainersTest : public DriverOnNodeTest {
 protected:
  void SetUp() override {
    auto runc = Runc::Open({.directory = dir_ / "runc"});
    if (!runc.ok()) {
      GTEST_SKIP() << runc.status();
    }
    containers_ = *std::move(runc);
    runc_ = containers_.get();
    DriverOnNodeTest::SetUp();
    // Nodes, in the place of what looks like them.
    std::filesystem::remove_all(dir_ / "dev");
    ASSAY_ASSERT_OK_AND_ASSIGN(const auto made,
                               fakegpu::host::WriteDevices(dir_ / "state", dir_.path()));
    ASSERT_EQ(made.devices_refused, 0);
    std::filesystem::create_directory(dir_ / "out");
    container_mounts_.push_back({.destination = "/assay-test",
                                 .type = "bind",
                                 .source = (dir_ / "out").string(),
                                 .options = {"bind", "rw"}});
  }
  void TearDown() override {
    driver_.reset();
    if (cluster_) {
      StopAgent();
    }
    containers_.reset();
  }

  // Runs `command` in a container with the claim's GPUs; returns what it prints.
  std::string RunWith(std::int64_t gpus, const std::string& name, const std::string& command) {
    const std::filesystem::path pipe = dir_ / "out" / name;
    EXPECT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    CreateClaim(name, gpus);
    Pod pod;
    pod.metadata.name = name;
    pod.metadata.namespace_ = "default";
    auto& container = pod.spec.containers.emplace_back();
    container.name = "main";
    container.image = "of-the-host";
    container.command = {"/bin/sh", "-c", "(" + command + ") > /assay-test/" + name};
    pod.spec.resource_claims.emplace_back().name = "gpus";
    pod.spec.resource_claims[0].resource_claim_name = name;
    container.resources.claims.emplace_back().name = "gpus";
    EXPECT_THAT(cluster_->admin().Create(pod), IsOk());
    EXPECT_THAT(WaitForPhase(name, "Running"), IsOk());
    return HasFailure() ? "" : ReadFile(pipe).value_or("");
  }
  // The UUIDs of the GPUs that the claim has, sorted.
  std::string UuidsOf(const std::string& claim_name) {
    std::set<std::string> uuids;
    const auto claim = cluster_->admin().Get<ResourceClaim>("default", claim_name);
    const auto devices = DevicesOf(*cluster_->admin().List<ResourceSlice>());
    for (const auto& result : claim->status.allocation->devices.results) {
      const auto device = std::ranges::find(devices, result.device, &Device::name);
      uuids.insert(device->attributes.at("uuid").string.value());
    }
    std::string lines;
    for (const std::string& uuid : uuids) {
      lines += uuid + "\n";
    }
    return lines;
  }

  std::unique_ptr<Runc> containers_;
};

TEST_F(ContainersTest, AnNvmlClientSeesItsOwnGpusAndNoOthers) {
  StartAgent();
  StartDriver();
  WaitForDriver();
  const std::string client = std::string(ASSAY_GPUS_IN_CONTAINER) + " | sort";
  const std::string seen_by_one = RunWith(1, "one", client);
  EXPECT_EQ(seen_by_one, UuidsOf("one"));
  const std::string seen_by_three = RunWith(3, "three", client);
  EXPECT_EQ(seen_by_three, UuidsOf("three"));
  EXPECT_NE(UuidsOf("one"), "");
  // Nothing of the node's other devices is there, and what it writes stays in the container.
  const std::string seen = RunWith(
      2, "two",
      "ls /dev | grep -c '^nvidia[0-9]'; echo x > /etc/assay-was-here; ls /etc/assay-was-here");
  EXPECT_EQ(seen, "2\n/etc/assay-was-here\n");
  EXPECT_FALSE(std::filesystem::exists("/etc/assay-was-here"));
  // The end of a pod is the end of its containers.
  const auto pod = cluster_->admin().Get<Pod>("default", "two");
  ASSERT_THAT(pod, IsOk());
  const std::filesystem::path bundle = dir_ / "runc" / (pod->metadata.uid + "-main");
  EXPECT_TRUE(std::filesystem::exists(bundle));
  ASSERT_THAT(cluster_->admin().Delete<Pod>({"default", "two"}), IsOk());
  ASSERT_THAT(cluster_->admin().WaitUntilGone<Pod>({"default", "two"}), IsOk());
  EXPECT_FALSE(std::filesystem::exists(bundle));
}

TEST_F(ContainersTest, WhatRuncRefusesIsTold) {
  cdi::OciSpec spec;
  spec.args = {"/there/is/no/such/program"};
  EXPECT_THAT(containers_->Run("none", spec),
              StatusIs(StatusCode::kInternal, HasSubstr("/there/is/no/such/program")));
}

}  // namespace
}  // namespace assay::controlplane::node
