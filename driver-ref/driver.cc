#include "driver-ref/driver.h"

#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "api/client/blocking_client.h"
#include "api/client/config.h"
#include "base/event_loop.h"
#include "base/file.h"
#include "driver-ref/cdi/claim_specs.h"
#include "driver-ref/cdi/metadata_files.h"
#include "driver-ref/discovery/devices.h"
#include "driver-ref/discovery/monitor.h"
#include "driver-ref/kubelet/instance_lock.h"
#include "driver-ref/kubelet/services.h"
#include "driver-ref/kubelet/socket_server.h"
#include "driver-ref/metrics.h"
#include "driver-ref/mutants.h"
#include "driver-ref/prepare/checkpoint.h"
#include "driver-ref/prepare/preparer.h"
#include "driver-ref/publish/binding_controller.h"
#include "driver-ref/publish/claim_status.h"
#include "driver-ref/publish/publisher.h"
#include "driver-ref/status_server.h"

namespace assay::driver_ref {
namespace {

// Below the kubelet's 45 s for the whole call.
constexpr Duration kApiTimeout = std::chrono::seconds(8);
// A kubelet gives a pod 30 s to end.
constexpr Duration kGrace = std::chrono::seconds(5);
constexpr Duration kOrphanInterval = std::chrono::minutes(1);
// What happens twice a second has stopped.
constexpr Duration kStale = std::chrono::seconds(15);

Status MakeDirectory(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  return error ? ErrnoError(error.value(), "creating " + directory.string()) : OkStatus();
}

// 16 digits that follow from `text`, the same in every run (FNV-1a).
std::string ShortName(const std::string& text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  }
  std::string name;
  for (int shift = 60; shift >= 0; shift -= 4) {
    name += "0123456789abcdef"[(hash >> shift) & 15];
  }
  return name;
}

// <directory>/<name>, or a short name in its place where that is too long for a socket.
std::filesystem::path SocketPath(const std::filesystem::path& directory, const std::string& stem,
                                 const std::string& suffix) {
  const std::filesystem::path path = directory / (stem + suffix);
  return path.native().size() <= kubelet::kMaxSocketPath ? path
                                                         : directory / (ShortName(stem) + suffix);
}

std::string BootId(const std::filesystem::path& file) {
  const Result<std::string> text = ReadFile(file);
  return text.ok() ? text->substr(0, text->find('\n')) : "";
}

}  // namespace

struct Driver::Impl {
  Impl(const Options& o, std::unique_ptr<discovery::Backend> b, const std::string& nvml_path,
       std::unique_ptr<api::client::BlockingClient> c, kubelet::InstanceLock l)
      : options(o),
        instance_lock(std::move(l)),
        backend(std::move(b)),
        client(std::move(c)),
        monitor(*backend),
        checkpoint(options.state_dir),
        specs({.driver_name = options.driver_name,
               .cdi_root = options.cdi_root,
               .dev_root = options.dev_root,
               .proc_root = options.proc_root,
               .nvml_library = nvml_path}),
        metadata({.driver_name = options.driver_name,
                  .cdi_root = options.cdi_root,
                  .directory = options.state_dir / "device-metadata"}),
        preparer(
            {.driver_name = options.driver_name,
             .pool_name = options.node_name,
             .boot_id = BootId(options.boot_id_file),
             .partitioner = backend->partitioner(),
             .configurator = backend->configurator(),
             .attributes = Attributes()},
            checkpoint, specs, metadata, monitor,
            [this](const std::string& namespace_name, const std::string& name) {
              return client->Get<api::resource::ResourceClaim>(namespace_name, name);
            },
            ClaimObserver()),
        plugin_path(SocketPath(options.plugin_dir,
                               options.instance_id.empty() ? "dra" : "dra-" + options.instance_id,
                               ".sock")),
        services({.driver_name = options.driver_name,
                  .pool_name = options.node_name,
                  .endpoint = plugin_path.string()},
                 preparer, monitor, metrics),
        plugin_socket(plugin_path, services.plugin()),
        registration_socket(
            SocketPath(options.registry_dir,
                       options.instance_id.empty() || mutants::Is("one-registration-socket")
                           ? options.driver_name
                           : options.driver_name + "-" + options.instance_id,
                       "-reg.sock"),
            services.registration()) {}

  // What containers are told about a device: what it is published with. If asked for.
  std::function<std::map<std::string, api::resource::DeviceAttribute>(const discovery::Picture&,
                                                                      const std::string&)>
  Attributes() {
    if (!options.device_metadata) {
      return nullptr;
    }
    return [this](const discovery::Picture& picture, const std::string& name) {
      const std::optional<discovery::NodeDevice> device = picture.Find(name);
      return device ? discovery::ToDevice(*device, picture.inventory, device_options).attributes
                    : std::map<std::string, api::resource::DeviceAttribute>();
    };
  }

  // Writes what is prepared into the claims' status, if asked for.
  prepare::Preparer::Observer ClaimObserver() {
    if (!options.claim_status) {
      return nullptr;
    }
    return [this](const api::resource::ResourceClaim& claim,
                  const std::vector<prepare::DeviceRecord>& devices,
                  const discovery::Picture& picture) {
      client->client().loop().Post([this, claim, devices, picture] {
        publish::ReportPrepared(client->client(), options.driver_name, claim, devices, picture);
      });
    };
  }

  // On the client's loop, where the publisher lives.
  void Publish() {
    client->client().loop().Post([this] {
      if (!publisher) {
        return;
      }
      if (const std::optional<discovery::Picture> picture = monitor.Last()) {
        std::vector<api::resource::Device> devices =
            discovery::ToDevices(picture->inventory, device_options);
        if (mutants::Is("publishes-empty-first") && !std::exchange(published_empty, true)) {
          publisher->SetContent({});
          client->client().loop().RunAfter(std::chrono::milliseconds(500), [this] { Publish(); });
          return;
        }
        metrics.SetDevices(devices);
        publisher->SetContent({.counter_sets = discovery::ToCounterSets(picture->inventory),
                               .devices = std::move(devices)});
        if (binding) {
          binding->SetPicture(*picture);
        }
      }
    });
  }

  void RunOnLoop(const std::function<void()>& task) {
    std::mutex mu;
    std::condition_variable done;
    bool ran = false;
    client->client().loop().Post([&] {
      task();
      const std::lock_guard<std::mutex> lock(mu);
      ran = true;
      done.notify_one();
    });
    std::unique_lock<std::mutex> lock(mu);
    done.wait(lock, [&] { return ran; });
  }

  void RemoveOrphans(const std::stop_token& stop) {
    std::mutex mu;
    std::condition_variable_any wake;
    while (!stop.stop_requested()) {
      if (const Status status = preparer.RemoveOrphans(); !status.ok()) {
        spdlog::warn("looking for what is left of former claims: {}", status.ToString());
      }
      std::unique_lock<std::mutex> lock(mu);
      wake.wait_for(lock, stop, kOrphanInterval, [] { return false; });
    }
  }

  Status ServeStatus() {
    if (!options.status_port) {
      return OkStatus();
    }
    ASSAY_ASSIGN_OR_RETURN(
        status_server,
        driver_ref::ServeStatus(*options.status_port, {.metrics = [this] { return metrics.Text(); },
                                                       .healthy = [this] { return Healthy(); },
                                                       .ready = [this] { return Ready(); }}));
    spdlog::info("status at {}", status_server->url());
    return OkStatus();
  }
  Status Healthy() const {
    return Clock::Real().Monotonic() - sockets_checked.load() < kStale
               ? OkStatus()
               : UnavailableError("nobody looks after the sockets");
  }
  Status Ready() const {
    ASSAY_RETURN_IF_ERROR(Healthy());
    const std::optional<discovery::Picture> picture = monitor.Last();
    if (!picture || Clock::Real().Now() - picture->time > kStale) {
      return UnavailableError("the devices do not answer");
    }
    return metrics.registered() ? OkStatus()
                                : UnavailableError("the kubelet has not taken the registration");
  }

  Options options;
  kubelet::InstanceLock instance_lock;
  std::unique_ptr<discovery::Backend> backend;
  std::unique_ptr<api::client::BlockingClient> client;
  discovery::Monitor monitor;
  prepare::Checkpoint checkpoint;
  cdi::ClaimSpecs specs;
  cdi::MetadataFiles metadata;
  prepare::Preparer preparer;
  discovery::DeviceOptions device_options;
  bool published_empty = false;                   // By a mutant.
  std::unique_ptr<publish::Publisher> publisher;  // Lives on the client's loop.
  // Null without --bind-to-fabric; lives on the client's loop.
  std::unique_ptr<publish::BindingController> binding;
  std::filesystem::path plugin_path;
  Metrics metrics;
  kubelet::Services services;
  kubelet::SocketServer plugin_socket;
  kubelet::SocketServer registration_socket;
  std::jthread orphans;
  std::atomic<MonotonicTime> sockets_checked = Clock::Real().Monotonic();
  std::unique_ptr<http::Server> status_server;  // Null without --status-port.
};

Driver::Driver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Driver>> Driver::Start(const Options& options,
                                              std::unique_ptr<discovery::Backend> backend,
                                              const std::string& nvml_path) {
  for (const auto& directory : {options.registry_dir, options.plugin_dir, options.state_dir}) {
    ASSAY_RETURN_IF_ERROR(MakeDirectory(directory));
  }
  const std::string lock_name = options.instance_id.empty() ? "dra" : "dra-" + options.instance_id;
  Result<kubelet::InstanceLock> lock =
      kubelet::InstanceLock::Acquire(options.plugin_dir / (lock_name + ".lock"));
  if (!lock.ok()) {
    return lock.status().WithContext(
        "another instance of this driver runs here (give each an --instance-id)");
  }
  ASSAY_ASSIGN_OR_RETURN(api::client::ClientConfig config,
                         options.kubeconfig.empty()
                             ? api::client::LoadDefaultConfig()
                             : api::client::LoadKubeconfig(options.kubeconfig));
  config.user_agent = "dra-driver-ref/" ASSAY_VERSION;
  ASSAY_ASSIGN_OR_RETURN(auto client, api::client::BlockingClient::Connect(config, kApiTimeout));

  auto impl = std::make_unique<Impl>(options, std::move(backend), nvml_path, std::move(client),
                                     *std::move(lock));
  ASSAY_RETURN_IF_ERROR(impl->checkpoint.Open());
  impl->device_options = {
      .driver_name = options.driver_name,
      .taint_effect = options.taint_effect,
      .pcie_root = [root = options.sysfs_root.string()](
                       const std::string& id) { return discovery::PcieRootFromSysfs(root, id); },
      .share = options.share_gpus,
      .bind_to_fabric = options.bind_to_fabric};
  impl->RunOnLoop([&impl] {
    impl->publisher = std::make_unique<publish::Publisher>(
        impl->client->client(),
        publish::Publisher::Options{.driver_name = impl->options.driver_name,
                                    .node_name = impl->options.node_name});
    if (impl->options.bind_to_fabric) {
      impl->binding = std::make_unique<publish::BindingController>(
          impl->client->client(),
          publish::BindingController::Options{.driver_name = impl->options.driver_name,
                                              .pool_name = impl->options.node_name});
    }
  });
  impl->monitor.AddListener([impl = impl.get()] { impl->Publish(); });
  auto driver = std::unique_ptr<Driver>(new Driver(std::move(impl)));
  Impl& parts = *driver->impl_;
  parts.monitor.Start();
  ASSAY_RETURN_IF_ERROR(parts.ServeStatus());
  // The kubelet calls as soon as it sees the registration socket.
  ASSAY_RETURN_IF_ERROR(parts.plugin_socket.Start());
  ASSAY_RETURN_IF_ERROR(parts.registration_socket.Start());
  parts.orphans =
      std::jthread([&parts](const std::stop_token& stop) { parts.RemoveOrphans(stop); });
  spdlog::info("driver {} on node {}: serving on {}, registering at {}", options.driver_name,
               options.node_name, parts.plugin_socket.path().string(),
               parts.registration_socket.path().string());
  return driver;
}

Driver::~Driver() {
  Impl& parts = *impl_;
  parts.status_server.reset();
  parts.registration_socket.Stop(std::chrono::seconds(1));
  parts.services.EndStreams();
  parts.plugin_socket.Stop(kGrace);
  parts.orphans = {};
  parts.monitor.Stop();
  parts.RunOnLoop([&parts] {
    parts.publisher.reset();
    parts.binding.reset();
  });
}

Status Driver::CheckSockets() {
  if (mutants::Is("ignores-lost-sockets")) {
    return OkStatus();
  }
  for (kubelet::SocketServer* socket : {&impl_->plugin_socket, &impl_->registration_socket}) {
    if (socket->IsReachable()) {
      continue;
    }
    spdlog::warn("{} is gone or somebody else's: serving anew", socket->path().string());
    ASSAY_RETURN_IF_ERROR(MakeDirectory(socket->path().parent_path()));
    // Calls under way keep the old server until they end.
    socket->Stop(std::chrono::seconds(1));
    ASSAY_RETURN_IF_ERROR(socket->Start());
  }
  impl_->sockets_checked = Clock::Real().Monotonic();
  return OkStatus();
}

}  // namespace assay::driver_ref
