#include "conformance/lab/lab.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <system_error>
#include <utility>

#include "api/core/types.h"
#include "api/manifest/manifests.h"
#include "api/rbac/types.h"
#include "base/file.h"
#include "conformance/testee/environment.h"
#include "controlplane/apiserver/bootstrap_policy.h"
#include "controlplane/node/node_agent.h"
#include "controlplane/node/runc.h"
#include "fakegpu/control/control.h"
#include "fakegpu/host/driver_root.h"

namespace assay::conformance {
namespace {

using api::resource::ResourceSlice;
using controlplane::apiserver::User;

constexpr std::string_view kServiceAccount = "dra-driver";

// The library lies beside the programs, built or installed.
std::string NvmlLibrary(const std::filesystem::path& bin_directory) {
  const std::filesystem::path prefix = bin_directory.parent_path();
  for (const char* place : {"lib", "lib/assay", "lib64/assay", "lib/x86_64-linux-gnu/assay"}) {
    std::filesystem::path library = prefix / place / "libnvidia-ml.so.1";
    if (std::filesystem::exists(library)) {
      return library.string();
    }
  }
  return (prefix / "lib/libnvidia-ml.so.1").string();
}

Status MakeDirectories(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return error ? ErrnoError(error.value(), path.string()) : OkStatus();
}

}  // namespace

bool PoolsAreComplete(const std::vector<ResourceSlice>& slices) {
  struct Pool {
    std::int64_t generation = -1;
    std::int64_t expected = 0;
    std::int64_t found = 0;
  };
  std::map<std::string, Pool> pools;
  for (const ResourceSlice& slice : slices) {
    Pool& pool = pools[slice.spec.pool.name];
    if (slice.spec.pool.generation > pool.generation) {
      pool = {.generation = slice.spec.pool.generation,
              .expected = slice.spec.pool.resource_slice_count,
              .found = 0};
    }
    pool.found += slice.spec.pool.generation == pool.generation ? 1 : 0;
  }
  return !pools.empty() && std::ranges::all_of(pools, [](const auto& each) {
    return each.second.found == each.second.expected;
  });
}

FileSnapshot SnapshotFiles(const std::filesystem::path& directory) {
  FileSnapshot files;
  std::error_code error;
  for (auto entry = std::filesystem::recursive_directory_iterator(directory, error);
       !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code type_error;
    if (entry->is_regular_file(type_error)) {
      // A file that goes away meanwhile is left out.
      if (Result<std::string> text = ReadFile(entry->path()); text.ok()) {
        files[entry->path().lexically_relative(directory).string()] = *std::move(text);
      }
    }
  }
  return files;
}

Lab::Lab(LabOptions options) : options_(std::move(options)) {}

Lab::~Lab() {
  driver_.reset();
  hooks_.reset();
  if (cluster_ != nullptr) {
    cluster_->RunOnLoop([this] {
      agent_.reset();
      agent_client_.reset();
    });
  }
}

Result<std::unique_ptr<Lab>> Lab::Open(LabOptions options) {
  std::unique_ptr<Lab> lab(new Lab(std::move(options)));
  ASSAY_RETURN_IF_ERROR(lab->SetUp());
  return lab;
}

Status Lab::SetUp() {
  directories_.root = options_.root;
  directories_.kubelet = options_.root / "kubelet";
  directories_.plugins = directories_.kubelet / "plugins";
  directories_.registry = directories_.kubelet / "plugins_registry";
  directories_.cdi = options_.root / "cdi";
  directories_.state = options_.root / "state";
  directories_.dev = options_.root / "dev";
  for (const auto& directory : {directories_.plugins, directories_.registry, directories_.cdi,
                                directories_.state, directories_.dev, options_.root / "cluster"}) {
    ASSAY_RETURN_IF_ERROR(MakeDirectories(directory));
  }
  ASSAY_RETURN_IF_ERROR(SetUpCluster());
  ASSAY_RETURN_IF_ERROR(SetUpFakeGpus());
  return options_.whole_cluster ? SetUpAgent() : OkStatus();
}

Status Lab::StartCluster() {
  // Suites allocate claims themselves: controllers would take reservations for pods that do not
  // exist back again.
  const bool whole = options_.whole_cluster;
  ASSAY_ASSIGN_OR_RETURN(own_cluster_,
                         controlplane::Cluster::Start(
                             {.directory = options_.root / "cluster",
                              .compatibility = options_.compatibility,
                              .namespaces = {"default", "kube-system", std::string(kNamespace)},
                              .garbage_collector = whole,
                              .claim_controller = whole,
                              .scheduler = whole,
                              .eviction_controller = whole}));
  cluster_ = own_cluster_.get();
  ASSAY_RETURN_IF_ERROR(GrantAccess());

  api::core::Namespace admin_namespace;
  admin_namespace.metadata.name = std::string(kAdminNamespace);
  // KEP-5018: only there may claims ask for admin access.
  admin_namespace.metadata.labels["resource.kubernetes.io/admin-access"] = "true";
  ASSAY_RETURN_IF_ERROR(admin().Create(std::move(admin_namespace)).status());

  api::resource::DeviceClass device_class;
  device_class.metadata.name = std::string(kDeviceClass);
  api::resource::DeviceSelector selector;
  selector.cel.emplace();
  selector.cel->expression = options_.profile.selector.empty()
                                 ? "device.driver == \"" + options_.profile.driver + "\""
                                 : options_.profile.selector;
  device_class.spec.selectors.push_back(std::move(selector));
  return admin().Create(std::move(device_class)).status().WithContext("claims.selector");
}

User Lab::DriverUser() const {
  const bool own_access = options_.whole_cluster && options_.profile.access;
  return own_access ? User::ServiceAccount(options_.profile.access->namespace_,
                                           options_.profile.access->name, options_.node_name)
                    : User::ServiceAccount("kube-system", std::string(kServiceAccount),
                                           options_.node_name);
}

Status Lab::GrantAccess() {
  if (!options_.whole_cluster || !options_.profile.access) {
    for (const api::Object& object : controlplane::apiserver::DriverPolicy(
             DriverUser(), {.device_status = options_.profile.Declares("device-status"),
                            .binding = options_.profile.Declares("binding-conditions")})) {
      ASSAY_RETURN_IF_ERROR(admin().CreateObject(object).status());
    }
    return OkStatus();
  }
  const Profile::Access& access = *options_.profile.access;
  for (const std::filesystem::path& manifest : access.manifests) {
    ASSAY_ASSIGN_OR_RETURN(const auto objects, api::manifest::ReadManifests(manifest.string()));
    for (const api::Object& object : objects) {
      ASSAY_RETURN_IF_ERROR(admin().CreateObject(object).status().WithContext(manifest.string()));
    }
  }
  for (const std::string& role : access.cluster_roles) {
    api::rbac::ClusterRoleBinding binding;
    binding.metadata.name = role;
    binding.role_ref.kind = "ClusterRole";
    binding.role_ref.name = role;
    binding.subjects.push_back(
        {.kind = "ServiceAccount", .name = access.name, .namespace_ = access.namespace_});
    ASSAY_RETURN_IF_ERROR(admin().Create(std::move(binding)).status());
  }
  return OkStatus();
}

Status Lab::SetUpCluster() {
  if (options_.cluster != nullptr) {
    cluster_ = options_.cluster;
  } else {
    ASSAY_RETURN_IF_ERROR(StartCluster());
  }
  ASSAY_ASSIGN_OR_RETURN(const api::core::Node node,
                         cluster_->AddNode({.name = options_.node_name}));
  node_uid_ = node.metadata.uid;
  const User user = DriverUser();
  driver_user_ = user.name;
  ASSAY_ASSIGN_OR_RETURN(driver_kubeconfig_, cluster_->WriteKubeconfig(
                                                 options_.node_name + ".driver.kubeconfig", user));
  return OkStatus();
}

Status Lab::SetUpFakeGpus() {
  const Variables variables = VariablesFor(NewUid());
  auto commands = CommandHooks(options_.profile, variables, *options_.spawner);
  if (options_.profile.fakegpu.empty()) {
    hooks_ = Transcribed(std::move(commands), transcript_);
    return OkStatus();
  }
  ASSAY_ASSIGN_OR_RETURN(const std::string text, Expand(options_.profile.fakegpu, variables));
  const std::filesystem::path node_file = options_.profile.file.parent_path() / text;
  const std::filesystem::path state = variables.at("FAKEGPU_STATE");
  ASSAY_RETURN_IF_ERROR(
      fakegpu::control::Node::Create(state, node_file, {.seed = options_.seed}).status());
  ASSAY_ASSIGN_OR_RETURN(const fakegpu::host::DriverRoot devices,
                         fakegpu::host::WriteDevices(state, options_.root));
  has_device_nodes_ = devices.devices_refused == 0;
  ASSAY_ASSIGN_OR_RETURN(hooks_, FakeGpuHooks(state, std::move(commands)));
  hooks_ = Transcribed(std::move(hooks_), transcript_);
  return OkStatus();
}

Status Lab::SetUpAgent() {
  if (options_.run_containers) {
    ASSAY_ASSIGN_OR_RETURN(runc_,
                           controlplane::node::Runc::Open({.directory = options_.root / "runc"}));
  }
  Status started;
  cluster_->RunOnLoop([&] {
    agent_client_ = cluster_->NewClient(User::Node(options_.node_name));
    controlplane::node::NodeAgentOptions options;
    options.node_name = options_.node_name;
    options.compatibility = options_.compatibility;
    options.kubelet_root = directories_.kubelet;
    options.cdi_directories = {directories_.cdi};
    options.record_directory = options_.root / "containers";
    options.runc = runc_.get();
    if (!options_.profile.fakegpu.empty()) {
      options.fakegpu_state = options_.root / "fakegpu/state";
    }
    agent_ = std::make_unique<controlplane::node::NodeAgent>(*agent_client_, std::move(options));
    started = agent_->Start();
  });
  return started.WithContext("the node agent");
}

Variables Lab::VariablesFor(const std::string& instance) const {
  return {{"KUBECONFIG", driver_kubeconfig_.string()},
          {"NODE_NAME", options_.node_name},
          {"KUBELET_ROOT", directories_.kubelet.string()},
          {"PLUGINS_DIR", directories_.plugins.string()},
          {"REGISTRY_DIR", directories_.registry.string()},
          {"CDI_DIR", directories_.cdi.string()},
          {"STATE_DIR", directories_.state.string()},
          {"DRIVER_NAME", options_.profile.driver},
          {"INSTANCE", instance},
          {"DEV_DIR", directories_.dev.string()},
          {"PROC_DIR", (options_.root / "proc").string()},
          {"SYS_DIR", (options_.root / "sys").string()},
          {"FAKEGPU_STATE", (options_.root / "fakegpu" / "state").string()},
          {"NVML_LIBRARY", NvmlLibrary(options_.bin_directory)},
          {"PROFILE_DIR", options_.profile.file.parent_path().string()},
          {"BIN_DIR", options_.bin_directory.string()}};
}

std::filesystem::path Lab::data_directory() const {
  return Expand(options_.profile.data_directory, VariablesFor("")).value_or("");
}

std::vector<std::filesystem::path> Lab::StateFiles() const {
  std::vector<std::filesystem::path> files;
  for (const std::filesystem::path path :
       Expand(options_.profile.state_files, VariablesFor("")).value_or({})) {
    std::error_code error;
    if (std::filesystem::is_regular_file(path, error)) {
      files.push_back(path);
    }
    for (const auto& [name, text] : SnapshotFiles(path)) {
      files.push_back(path / name);
    }
  }
  return files;
}

std::string Lab::NewUid() {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "a55a0000-0000-4000-8000-%012llx",
                static_cast<unsigned long long>(next_uid_++));
  return text.data();
}

// Where other nodes have the same driver, of this node alone.
std::string Lab::SliceSelector() const {
  return "spec.driver=" + options_.profile.driver +
         (own_cluster_ == nullptr ? ",spec.nodeName=" + options_.node_name : "");
}

Result<std::vector<ResourceSlice>> Lab::Slices() {
  return admin().List<ResourceSlice>({.field_selector = SliceSelector()});
}

Result<std::unique_ptr<Driver>> Lab::StartInstance(const DriverOptions& options) {
  const Profile& profile = options_.profile;
  const std::string instance = options.instance.empty() ? NewUid() : options.instance;
  const Variables variables = VariablesFor(instance);
  ProcessOptions process{.argv = {}, .env = InheritedEnvironment()};
  Result<std::vector<std::string>> argv = Expand(profile.start, variables);
  if (!argv.ok()) {
    return argv.status().WithContext(profile.file.string() + ": start.command");
  }
  process.argv = *std::move(argv);
  for (const auto& [key, value] : profile.env) {
    Result<std::string> expanded = Expand(value, variables);
    if (!expanded.ok()) {
      return expanded.status().WithContext(profile.file.string() + ": start.env." + key);
    }
    process.env[key] = *std::move(expanded);
  }
  for (const auto& [key, value] : options.env) {
    process.env[key] = value;
  }
  ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> made,
                         Expand(profile.directories, variables));
  for (const std::string& directory : made) {
    ASSAY_RETURN_IF_ERROR(MakeDirectories(directory));
  }
  Sockets known = SocketsIn(directories_.registry);
  ASSAY_ASSIGN_OR_RETURN(std::unique_ptr<Process> started, options_.spawner->Spawn(process));
  auto driver = std::make_unique<Driver>(std::move(started), directories_.registry,
                                         std::move(known), instance, transcript_);
  transcript_.Add("harness", "the driver was started");
  if (!options_.log_directory.empty()) {
    driver->KeepLog(options_.log_directory / ("driver-" + std::to_string(++starts_) + ".log"));
  }
  if (options.until == DriverOptions::Until::kStarted) {
    return driver;
  }
  // In a whole cluster the agent registers it, as the kubelet does.
  if (!options_.whole_cluster) {
    ASSAY_RETURN_IF_ERROR(driver->Register(profile.driver, profile.ready_timeout));
  }
  if (options.until == DriverOptions::Until::kPublished) {
    api::client::BlockingClient waiter(admin().client(), profile.ready_timeout);
    const auto slices =
        waiter.WaitForList<ResourceSlice>({.field_selector = SliceSelector()}, PoolsAreComplete);
    if (!slices.ok()) {
      return slices.status().WithContext(
          "the driver registered, but published no complete pool; it " + driver->Describe());
    }
  }
  return driver;
}

Result<Driver*> Lab::EnsureDriver(const DriverOptions& options) {
  if (driver_ != nullptr && driver_->registered() && driver_->process().running()) {
    return driver_.get();
  }
  if (failed_starts_ >= kMaxFailedStarts) {
    return *last_start_error_;
  }
  driver_.reset();
  Result<std::unique_ptr<Driver>> started = StartInstance(options);
  if (!started.ok()) {
    ++failed_starts_;
    last_start_error_ = started.status();
    return started.status();
  }
  failed_starts_ = 0;
  driver_ = *std::move(started);
  return driver_.get();
}

Result<Driver*> Lab::Restart() {
  DriverOptions options;
  if (driver_ != nullptr) {
    options.instance = driver_->instance();
    (void)driver_->Terminate(options_.profile.stop_timeout);
    driver_.reset();
  }
  return EnsureDriver(options);
}

Result<Driver*> Lab::KillAndRestart() {
  DriverOptions options;
  if (driver_ != nullptr) {
    options.instance = driver_->instance();
    driver_.reset();
  }
  return EnsureDriver(options);
}

void Lab::Reset() {
  driver_.reset();
  api_server().faults().Clear();
  for (const auto& directory :
       {directories_.plugins, directories_.registry, directories_.cdi, directories_.state}) {
    std::error_code error;
    std::filesystem::remove_all(directory, error);
    (void)MakeDirectories(directory).ok();
  }
  // Best effort: what is left shows in the next case.
  (void)admin()
      .DeleteCollection(api::KindOf<ResourceSlice>(), {.field_selector = SliceSelector()})
      .ok();
  for (const std::string_view name : {kNamespace, kAdminNamespace}) {
    (void)admin()
        .DeleteCollection(api::KindOf<api::resource::ResourceClaim>(),
                          {.namespace_ = std::string(name)})
        .ok();
  }
}

}  // namespace assay::conformance
