// dra-driver-ref: the program around Driver: flags, logging, signals, exit codes.

#include <spdlog/spdlog.h>

#include <csignal>
#include <ctime>
#include <iostream>
#include <memory>
#include <optional>

#include "driver-ref/discovery/device_tree.h"
#include "driver-ref/driver.h"
#include "driver-ref/logging.h"
#include "driver-ref/mutants.h"
#include "driver-ref/nvml/nvml_backend.h"
#include "driver-ref/options.h"

namespace assay::driver_ref {
namespace {

constexpr int kCannotGoOn = 1;
constexpr int kWrongFlag = 2;

// Threads made later inherit the mask: signals are taken here alone.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

Status RunWebhook(const webhook::WebhookOptions& options, const sigset_t& signals) {
  ASSAY_ASSIGN_OR_RETURN(const auto server, webhook::ServeWebhook(options));
  spdlog::info("webhook of driver {} at {}{}", options.driver_name, server->url(), webhook::kPath);
  int signal = 0;
  sigwait(&signals, &signal);
  spdlog::info("asked to end");
  return OkStatus();
}

Status Run(const Options& options, const sigset_t& signals) {
  if (options.webhook) {
    return RunWebhook(*options.webhook, signals);
  }
  std::unique_ptr<discovery::Backend> backend;
  std::string nvml_path;  // That containers get.
  if (!options.no_gpus) {
    ASSAY_ASSIGN_OR_RETURN(auto nvml, nvml::NvmlBackend::Load(options.nvml_library,
                                                              {.divide = options.mig,
                                                               .nvidia_smi = options.nvidia_smi}));
    nvml_path = nvml->library_path();
    backend = std::move(nvml);
  }
  if (!options.sysfs_devices.empty()) {
    backend = std::make_unique<discovery::DeviceTree>(options.sysfs_devices, std::move(backend));
  }
  ASSAY_ASSIGN_OR_RETURN(const auto driver, Driver::Start(options, std::move(backend), nvml_path));
  const timespec interval{.tv_sec = 1, .tv_nsec = 0};
  // Interrupted, or nothing came: look after the sockets.
  while (sigtimedwait(&signals, nullptr, &interval) < 0) {
    ASSAY_RETURN_IF_ERROR(driver->CheckSockets());
  }
  spdlog::info("asked to end");
  return OkStatus();
}

int Main(int argc, char** argv) {
  const Result<std::optional<Options>> options = ParseOptions(argc, argv);
  if (!options.ok()) {
    std::cerr << "dra-driver-ref: " << options.status().message() << "\n";
    return kWrongFlag;
  }
  if (!options->has_value()) {
    return 0;
  }
  SetUpLog((*options)->log_format);
  const sigset_t signals = BlockSignals();
  for (const mutants::Mutant& mutant : mutants::All()) {
    if (mutants::Is(mutant.name)) {
      spdlog::warn("mutant {}: {}", mutant.name, mutant.defect);
    }
  }
  if (const Status status = Run(**options, signals); !status.ok()) {
    spdlog::critical("{}", status.ToString());
    return kCannotGoOn;
  }
  return 0;
}

}  // namespace
}  // namespace assay::driver_ref

int main(int argc, char** argv) { return assay::driver_ref::Main(argc, argv); }
