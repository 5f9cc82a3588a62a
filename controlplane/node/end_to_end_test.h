// What tests of the whole path share, a leaf as they are: the control plane, the agent, the
// reference driver as a process, and fake GPUs; nothing in between is made up.
#ifndef ASSAY_CONTROLPLANE_NODE_END_TO_END_TEST_H_
#define ASSAY_CONTROLPLANE_NODE_END_TO_END_TEST_H_

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "api/client/client.h"
#include "api/client/http_client.h"
#include "api/core/types.h"
#include "api/manifest/manifests.h"
#include "api/meta/quantity.h"
#include "api/rbac/types.h"
#include "api/resource/types.h"
#include "base/file.h"
#include "base/result.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "controlplane/apiserver/request_log.h"
#include "controlplane/apiserver/user.h"
#include "controlplane/cluster.h"
#include "controlplane/node/cdi/oci.h"
#include "controlplane/node/node_agent.h"
#include "fakegpu/control/control.h"

extern char** environ;

namespace assay::controlplane::node {

inline constexpr char kNode[] = "node-1";
inline constexpr char kDriver[] = "gpu.assay.dev";
inline constexpr std::size_t kGpus = 8;

// A child process that ends with this.
class Process {
 public:
  Process(const std::vector<std::string>& command, const std::vector<std::string>& variables,
          const std::filesystem::path& log) {
    std::vector<std::string> environment = variables;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      environment.emplace_back(*entry);
    }
    const auto pointers = [](const std::vector<std::string>& strings) {
      std::vector<char*> result;
      for (const std::string& string : strings) {
        result.push_back(const_cast<char*>(string.c_str()));
      }
      result.push_back(nullptr);
      return result;
    };
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, log.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0644);
    EXPECT_EQ(::posix_spawn(&pid_, command[0].c_str(), &files, nullptr, pointers(command).data(),
                            pointers(environment).data()),
              0);
    posix_spawn_file_actions_destroy(&files);
  }
  ~Process() { Signal(SIGKILL); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // Sends the signal and waits for the end. Returns the exit code, or -1 if it was killed.
  int Signal(int signal) {
    if (pid_ <= 0) {
      return -1;
    }
    ::kill(pid_, signal);
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
};

class DriverOnNodeTest : public ::testing::Test {
 protected:
  DriverOnNodeTest() : dir_(*TempDir::Create()) {
    for (const char* name : {"cluster", "dev", "cdi"}) {
      std::filesystem::create_directory(dir_ / name);
    }
    for (std::size_t i = 0; i < kGpus; ++i) {
      std::ofstream(dir_ / "dev" / ("nvidia" + std::to_string(i)));
    }
  }
  ~DriverOnNodeTest() override {
    driver_.reset();
    if (cluster_) {
      StopAgent();
      for (const auto& request :
           cluster_->api_server().requests().Since(0, {.user = kNodeUser.name})) {
        EXPECT_TRUE(request.code != 403 || request.injected)
            << "the node may not " << request.info.verb << " " << request.info.resource;
      }
    }
    if (HasFailure()) {
      if (const auto log = ReadFile(dir_ / "driver.log"); log.ok()) {
        std::fputs(log->c_str(), stderr);
      }
    }
  }

  void SetUp() override {
    ASSAY_ASSERT_OK_AND_ASSIGN(gpus_, fakegpu::control::Node::Create(dir_ / "state", node_file_));
    ASSAY_ASSERT_OK_AND_ASSIGN(
        cluster_, Cluster::Start({.directory = dir_ / "cluster",
                                  .namespaces = {"default", "kube-system", "kube-node-lease"}}));
    ASSERT_THAT(cluster_->AddNode({.name = kNode}), assay::testing::IsOk());
    // What the driver is allowed is what its own manifest says that it needs.
    ASSAY_ASSERT_OK_AND_ASSIGN(const std::vector<api::Object> manifest,
                               api::manifest::ReadManifests("driver-ref/rbac.yaml"));
    for (const api::Object& object : manifest) {
      ASSERT_THAT(cluster_->admin().CreateObject(object), assay::testing::IsOk());
    }
    ASSAY_ASSERT_OK_AND_ASSIGN(kubeconfig_, cluster_->WriteKubeconfig("driver.kubeconfig", kUser));

    api::resource::DeviceClass device_class;
    device_class.metadata.name = "gpu";
    device_class.spec.selectors.emplace_back().cel.emplace().expression =
        std::string("device.driver == \"") + kDriver + "\"";
    ASSERT_THAT(cluster_->admin().Create(device_class), assay::testing::IsOk());
  }

  // One of the roles of the driver's own manifest, beside the one that it has.
  Status GrantRole(const std::string& name) {
    api::rbac::ClusterRoleBinding binding;
    binding.metadata.name = name;
    binding.role_ref = {
        .api_group = "rbac.authorization.k8s.io", .kind = "ClusterRole", .name = name};
    binding.subjects.push_back(
        {.kind = "ServiceAccount", .name = "dra-driver-ref", .namespace_ = "kube-system"});
    return cluster_->admin().Create(std::move(binding)).status();
  }
  void StartAgent() {
    Status status;
    cluster_->RunOnLoop([&] {
      // As a kubelet: over HTTPS, with a node's rights.
      agent_client_ =
          *api::client::HttpClient::Create(cluster_->loop(), cluster_->ConnectionFor(kNodeUser));
      NodeAgentOptions options{
          .node_name = kNode,
          .kubelet_root = dir_ / "kubelet",
          .cdi_directories = {dir_ / "cdi"},
          .fakegpu_state = dir_ / "state",
          .container_mounts = container_mounts_,
          .runc = runc_,
          .pod_resources_socket = dir_ / "pod-resources.sock",
          .on_registration = [this](const std::string&, const Status& registered) {
            if (registered.ok() && !std::exchange(was_registered_, true)) {
              registered_.set_value();
            }
          }};
      agent_ = std::make_unique<NodeAgent>(*agent_client_, std::move(options));
      status = agent_->Start();
    });
    ASSERT_THAT(status, assay::testing::IsOk());
  }
  // As a kubelet that is killed.
  void StopAgent() {
    cluster_->RunOnLoop([this] {
      agent_.reset();
      agent_client_.reset();
    });
  }
  void StartDriver(const std::vector<std::string>& more_flags = {}) {
    std::vector<std::string> command = {ASSAY_DRIVER,
                                        std::string("--driver-name=") + kDriver,
                                        std::string("--node-name=") + kNode,
                                        "--kubeconfig=" + kubeconfig_.string(),
                                        "--kubelet-root=" + (dir_ / "kubelet").string(),
                                        "--cdi-root=" + (dir_ / "cdi").string(),
                                        "--dev-root=" + (dir_ / "dev").string(),
                                        std::string("--nvml-library=") + ASSAY_NVML_LIBRARY};
    command.insert(command.end(), more_flags.begin(), more_flags.end());
    driver_ = std::make_unique<Process>(
        command, std::vector<std::string>{"ASSAY_FAKEGPU_STATE=" + (dir_ / "state").string()},
        dir_ / "driver.log");
  }
  std::filesystem::path DriverSocket() const {
    return dir_.path() / "kubelet/plugins" / kDriver / "dra.sock";
  }
  // A driver has registered with the agent and published its slices. A pod that the agent meets
  // before waits for its resync.
  void WaitForDriver() {
    registered_.get_future().wait();
    WaitForSlices();
  }
  void WaitForSlices() {
    ASSERT_THAT(cluster_->admin().WaitForList<api::resource::ResourceSlice>(
                    {},
                    [this](const std::vector<api::resource::ResourceSlice>& slices) {
                      return DevicesOf(slices).size() == devices_ &&
                             std::ranges::all_of(slices,
                                                 [&](const api::resource::ResourceSlice& slice) {
                                                   return slice.spec.pool.resource_slice_count ==
                                                          static_cast<std::int64_t>(slices.size());
                                                 });
                    }),
                assay::testing::IsOk());
  }
  static std::vector<api::resource::Device> DevicesOf(
      const std::vector<api::resource::ResourceSlice>& slices) {
    std::vector<api::resource::Device> devices;
    for (const api::resource::ResourceSlice& slice : slices) {
      devices.insert(devices.end(), slice.spec.devices.begin(), slice.spec.devices.end());
    }
    return devices;
  }

  // With `memory` of each device, where it is not empty, or of devices that `selector` is for.
  api::resource::ResourceClaim CreateClaim(const std::string& name, std::int64_t count,
                                           const std::string& memory = "",
                                           const std::string& selector = "") {
    api::resource::ResourceClaim claim;
    claim.metadata.name = name;
    claim.metadata.namespace_ = "default";
    auto& request = claim.spec.devices.requests.emplace_back();
    request.name = "gpu";
    request.exactly.emplace().device_class_name = "gpu";
    request.exactly->count = count;
    if (!memory.empty()) {
      request.exactly->capacity.emplace().requests["memory"] = api::meta::Quantity::Of(memory);
    }
    if (!selector.empty()) {
      request.exactly->selectors.emplace_back().cel.emplace().expression = selector;
    }
    const auto created = cluster_->admin().Create(claim);
    EXPECT_THAT(created, assay::testing::IsOk());
    return created.ok() ? *created : claim;
  }
  // A pod with one claim of the same name.
  api::core::Pod CreatePod(const std::string& name) {
    api::core::Pod pod;
    pod.metadata.name = name;
    pod.metadata.namespace_ = "default";
    auto& container = pod.spec.containers.emplace_back();
    container.name = "main";
    container.image = "busybox";
    auto& entry = pod.spec.resource_claims.emplace_back();
    entry.name = "gpus";
    entry.resource_claim_name = name;
    container.resources.claims.emplace_back().name = "gpus";
    const auto created = cluster_->admin().Create(pod);
    EXPECT_THAT(created, assay::testing::IsOk());
    return created.ok() ? *created : pod;
  }
  Status WaitForPhase(const std::string& pod, const std::string& phase) {
    return cluster_->admin()
        .WaitFor<api::core::Pod>({"default", pod},
                                 [&](const api::core::Pod& p) { return p.status.phase == phase; })
        .status();
  }
  // The /dev/nvidia<N> that the pod's container sees.
  std::set<std::string> DevicesIn(const api::core::Pod& pod) {
    std::set<std::string> paths;
    cluster_->RunOnLoop([&] {
      // Between two agents nobody knows.
      const auto spec = agent_ ? agent_->ContainerSpec(pod.metadata.uid, "main") : std::nullopt;
      if (spec) {
        for (const cdi::OciDevice& device : spec->devices) {
          paths.insert(device.path);
        }
      }
    });
    return paths;
  }
  std::size_t CdiFiles() {
    std::error_code error;
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(dir_ / "cdi", error), {}));
  }

  std::vector<cdi::OciMount> container_mounts_;
  Runc* runc_ = nullptr;
  std::filesystem::path node_file_ = "fixtures/nodes/dgx-h100.yaml";
  std::size_t devices_ = kGpus;  // That the driver publishes of it.
  const apiserver::User kNodeUser = apiserver::User::Node(kNode);
  const apiserver::User kUser =
      apiserver::User::ServiceAccount("kube-system", "dra-driver-ref", kNode);
  TempDir dir_;
  Result<fakegpu::control::Node> gpus_ = NotFoundError("not made yet");
  std::filesystem::path kubeconfig_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<api::client::Client> agent_client_;  // Lives on the cluster's loop, as agent_.
  std::promise<void> registered_;
  bool was_registered_ = false;  // On the cluster's loop.
  std::unique_ptr<NodeAgent> agent_;
  std::unique_ptr<Process> driver_;
};

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_END_TO_END_TEST_H_
