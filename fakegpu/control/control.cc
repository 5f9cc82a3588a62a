#include "fakegpu/control/control.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <system_error>

#include "base/file.h"
#include "base/random.h"
#include "fakegpu/control/call_log.h"
#include "fakegpu/layout/accounting.h"
#include "fakegpu/layout/metrics.h"
#include "fakegpu/layout/mig.h"
#include "fakegpu/layout/region.h"
#include "fakegpu/layout/transaction.h"
#include "fakegpu/model/fault_effects.h"
#include "fakegpu/model/node_builder.h"
#include "fakegpu/model/state_text.h"
#include "fakegpu/profile/profile.h"

namespace assay::fakegpu::control {
namespace {

using model::OpenStatus;
using model::PciText;
using model::Text;

bool IsNamed(const layout::GpuState& gpu, std::uint32_t slot, std::string_view name) {
  return name == "all" || name == std::to_string(slot) || name == Text(gpu.identity.uuid) ||
         name == PciText(gpu.identity.pci);
}

// The slots that `name` means; kNotFound names those that there are.
Result<std::vector<std::uint32_t>> FindGpus(layout::Transaction& transaction,
                                            std::string_view name) {
  std::vector<std::uint32_t> slots;
  for (std::uint32_t slot = 0; slot < transaction.gpu_count(); ++slot) {
    if (IsNamed(transaction.look(slot), slot, name)) {
      slots.push_back(slot);
    }
  }
  if (slots.empty()) {
    return NotFoundError("no GPU \"" + std::string(name) + "\": expected a slot from 0 to " +
                         std::to_string(static_cast<int>(transaction.gpu_count()) - 1) +
                         ", a UUID, a PCI bus id or \"all\"");
  }
  return slots;
}

// Makes one change of the node: change(transaction) -> Status; committed if it is OK.
template <typename Change>
Status ChangeNode(const std::filesystem::path& path, Change&& change) {
  layout::Transaction transaction;
  ASSAY_RETURN_IF_ERROR(OpenStatus(transaction.Begin(path.c_str()), path));
  ASSAY_RETURN_IF_ERROR(change(transaction));
  transaction.Commit();
  return OkStatus();
}

// The same for each GPU that `name` means: change(transaction, slot) -> Status.
template <typename Change>
Status ChangeGpus(const std::filesystem::path& path, std::string_view name, Change&& change) {
  return ChangeNode(path, [&](layout::Transaction& transaction) -> Status {
    ASSAY_ASSIGN_OR_RETURN(const std::vector<std::uint32_t> slots, FindGpus(transaction, name));
    for (const std::uint32_t slot : slots) {
      ASSAY_RETURN_IF_ERROR(change(transaction, slot).WithContext("GPU " + std::to_string(slot)));
    }
    return OkStatus();
  });
}

std::int64_t NodeNow(layout::Transaction& transaction) {
  return layout::NodeTime(transaction.node().clock, layout::CoarseMonotonic());
}

constexpr std::uint32_t kArchitectures = 11;
constexpr std::array<const char*, kArchitectures> kArchitectureNames = {
    "",       "",       "Kepler", "Maxwell", "Pascal",   "Volta",
    "Turing", "Ampere", "Ada",    "Hopper",  "Blackwell"};

std::string ArchitectureName(std::uint32_t architecture) {
  return architecture < kArchitectures ? kArchitectureNames[architecture] : "";
}

std::string RecoveryActionName(std::uint32_t action) {
  constexpr std::array<const char*, 6> kNames = {"none",      "reset",           "reboot",
                                                 "drain P2P", "drain and reset", "recover IMEX"};
  return action < kNames.size() ? kNames[action] : "unknown";
}

std::uint64_t Total(const std::uint64_t (&counts)[8]) {
  std::uint64_t total = 0;
  for (const std::uint64_t count : counts) {
    total += count;
  }
  return total;
}

std::vector<GpuInstanceInfo> DescribeInstances(const layout::GpuState& gpu) {
  std::vector<GpuInstanceInfo> instances;
  for (const layout::GpuInstance& instance : gpu.gpu_instances) {
    if (instance.used == 0 || instance.profile >= layout::kMaxMigProfiles) {
      continue;
    }
    char profile[64];
    layout::MigProfileName(gpu, gpu.mig_profiles[instance.profile], profile, sizeof(profile));
    GpuInstanceInfo& info = instances.emplace_back();
    info = {.id = instance.id,
            .profile = profile,
            .start = instance.start,
            .size = instance.size,
            .compute_instances = {}};
    for (const layout::ComputeInstance& compute : instance.compute_instances) {
      if (compute.used != 0) {
        info.compute_instances.push_back({.id = compute.id, .uuid = Text(compute.uuid)});
      }
    }
  }
  return instances;
}

// As layout::Process::Type counts them, from kCompute on.
constexpr std::string_view kProcessTypes[] = {"compute", "graphics", "mps"};

ProcessType TypeOf(const layout::Process& process) {
  return process.type == layout::Process::kGraphics ? ProcessType::kGraphics
         : process.type == layout::Process::kMps    ? ProcessType::kMps
                                                    : ProcessType::kCompute;
}

GpuInfo DescribeGpu(const layout::NodeState& node, const layout::GpuState& gpu, std::uint32_t slot,
                    std::int64_t now) {
  const layout::Readings readings = layout::Measure(gpu, now);
  const layout::Memory memory = layout::MemoryOf(gpu);
  GpuInfo info;
  info.slot = slot;
  info.minor = gpu.identity.minor;
  info.name = Text(gpu.identity.name);
  info.uuid = Text(gpu.identity.uuid);
  info.pci_bus_id = PciText(gpu.identity.pci);
  info.architecture = ArchitectureName(gpu.identity.architecture);
  info.memory_total_bytes = memory.total_bytes;
  info.memory_used_bytes = memory.used_bytes;
  info.numa_node = gpu.identity.numa_node;
  info.plugged = gpu.health.plugged != 0;
  info.lost = gpu.health.lost != 0;
  info.mig_enabled = gpu.settings.mig_current != 0;
  info.mig_memory_slices = gpu.mig_supported == 0 ? 0 : gpu.mig_memory_slices;
  info.gpu_instances = DescribeInstances(gpu);
  info.temperature_c = readings.temperature_c;
  info.power_mw = readings.power_mw;
  info.utilization_percent = readings.gpu_percent;
  info.sm_clock_mhz = readings.graphics_mhz;
  info.ecc_corrected = Total(gpu.health.ecc_volatile.by_location[0]);
  info.ecc_uncorrected = Total(gpu.health.ecc_volatile.by_location[1]);
  info.last_xid = gpu.health.last_xid;
  info.recovery_action = RecoveryActionName(gpu.health.recovery_action);
  info.faults = model::DescribeFaults(node, gpu, slot);
  for (const layout::Process& process : gpu.processes) {
    if (process.type != layout::Process::kFree) {
      ProcessInfo described{.pid = process.pid,
                            .name = Text(process.name),
                            .memory_bytes = process.memory_bytes,
                            .type = TypeOf(process),
                            .encoder_percent = process.encoder_percent,
                            .decoder_percent = process.decoder_percent,
                            .jpeg_percent = process.jpeg_percent,
                            .ofa_percent = process.ofa_percent};
      if (process.gpu_instance != layout::kNoInstance) {
        described.gpu_instance = process.gpu_instance;
        described.compute_instance = process.compute_instance;
      }
      info.processes.push_back(std::move(described));
    }
  }
  return info;
}

// The MIG instance that a process is to run in; null, and OK, outside of MIG.
Result<const layout::GpuInstance*> InstanceOf(const layout::GpuState& gpu,
                                              const ProcessInfo& process) {
  const bool named = process.gpu_instance.has_value() || process.compute_instance.has_value();
  if (gpu.settings.mig_current == 0) {
    if (named) {
      return FailedPreconditionError("MIG mode is off: a process has no instance");
    }
    return nullptr;
  }
  if (!process.gpu_instance.has_value() || !process.compute_instance.has_value()) {
    return FailedPreconditionError(
        "MIG mode is on: a process needs a GPU instance and a compute instance");
  }
  for (const layout::GpuInstance& instance : gpu.gpu_instances) {
    if (instance.used == 0 || instance.id != *process.gpu_instance) {
      continue;
    }
    for (const layout::ComputeInstance& compute : instance.compute_instances) {
      if (compute.used != 0 && compute.id == *process.compute_instance) {
        return &instance;
      }
    }
  }
  return NotFoundError("no compute instance " + std::to_string(*process.compute_instance) +
                       " in a GPU instance " + std::to_string(*process.gpu_instance));
}

// What is free for another process: of the GPU, or of the instance.
std::uint64_t FreeBytes(const layout::GpuState& gpu, const layout::GpuInstance* instance) {
  if (instance == nullptr) {
    return layout::MemoryOf(gpu).free_bytes;
  }
  if (instance->profile >= layout::kMaxMigProfiles) {
    return 0;  // Of a damaged file.
  }
  std::uint64_t free = gpu.mig_profiles[instance->profile].memory_mib * 1024 * 1024;
  for (const layout::Process& process : gpu.processes) {
    if (process.type != layout::Process::kFree && process.gpu_instance == instance->id) {
      free -= std::min(free, process.memory_bytes);
    }
  }
  return free;
}

// A node that is replaced tells its clients that their driver is gone.
void RetireNode(const std::filesystem::path& path) {
  layout::Transaction transaction;
  if (transaction.Begin(path.c_str()) == layout::OpenError::kNone) {
    transaction.node().driver_loaded = 0;
    transaction.Commit();
  }
}

}  // namespace

Result<ProcessType> ParseProcessType(std::string_view text) {
  const auto* found = std::find(std::begin(kProcessTypes), std::end(kProcessTypes), text);
  if (found == std::end(kProcessTypes)) {
    return InvalidArgumentError("process type \"" + std::string(text) +
                                "\": expected compute, graphics or mps");
  }
  return static_cast<ProcessType>(found - std::begin(kProcessTypes));
}

std::string_view ToString(ProcessType type) { return kProcessTypes[static_cast<int>(type)]; }

std::filesystem::path StatePathFromEnvironment() {
  const char* path = std::getenv(std::string(kStateVariable).c_str());
  return path != nullptr && path[0] != '\0' ? path : std::string(kDefaultStatePath);
}

Result<Node> Node::Create(const std::filesystem::path& state,
                          const std::filesystem::path& node_file, CreateOptions options) {
  ASSAY_ASSIGN_OR_RETURN(model::NodeSpec spec, profile::LoadNode(node_file));
  if (options.seed != 0) {
    spec.seed = options.seed;
  }
  Result<model::NodeImage> image = model::BuildNode(spec);
  if (!image.ok()) {
    return image.status().WithContext(node_file.string());
  }
  std::error_code error;
  const bool exists = std::filesystem::exists(state, error);
  if (exists && !options.replace) {
    return AlreadyExistsError(state.string() + ": there is a node already");
  }
  if (state.has_parent_path()) {
    std::filesystem::create_directories(state.parent_path(), error);
    if (error) {
      return ErrnoError(error.value(), state.parent_path().string());
    }
  }
  if (exists) {
    RetireNode(state);
  }
  const std::uint64_t instance_id = Random::FromSystem().Next();
  // First the log: what opens the new state finds it.
  ASSAY_RETURN_IF_ERROR(MakeCallLog(state, instance_id));
  ASSAY_RETURN_IF_ERROR(WriteFileAtomically(state, model::StateFileBytes(*image, instance_id)));
  return Node(state);
}

Result<Node> Node::Open(const std::filesystem::path& state) {
  layout::Region region;
  ASSAY_RETURN_IF_ERROR(OpenStatus(region.Open(state.c_str()), state));
  return Node(state);
}

Result<NodeInfo> Node::Show() const {
  layout::Region region;
  ASSAY_RETURN_IF_ERROR(OpenStatus(region.Open(state_path_.c_str()), state_path_));
  return region.Read([](const layout::Copy& copy) {
    const layout::NodeState& node = copy.node();
    const std::int64_t now = layout::NodeTime(node.clock, layout::CoarseMonotonic());
    NodeInfo info;
    info.name = Text(node.name);
    info.driver_version = Text(node.driver_version);
    info.cuda_version = std::to_string(node.cuda_version / 1000) + "." +
                        std::to_string(node.cuda_version % 1000 / 10);
    info.driver_loaded = node.driver_loaded != 0;
    info.time = Duration(now);
    for (std::uint32_t slot = 0; slot < copy.gpu_count(); ++slot) {
      info.gpus.push_back(DescribeGpu(node, copy.gpu(slot), slot, now));
    }
    return info;
  });
}

Status Node::Inject(std::string_view gpu, const Fault& fault) const {
  return ChangeGpus(state_path_, gpu, [&](layout::Transaction& transaction, std::uint32_t slot) {
    return model::ApplyFault(transaction, slot, fault);
  });
}

Status Node::Heal(std::string_view gpu) const {
  return ChangeGpus(state_path_, gpu, [](layout::Transaction& transaction, std::uint32_t slot) {
    model::HealGpu(transaction, slot);
    return OkStatus();
  });
}

Status Node::Unplug(std::string_view gpu) const {
  return ChangeGpus(state_path_, gpu, [](layout::Transaction& transaction, std::uint32_t slot) {
    return model::UnplugGpu(transaction, slot);
  });
}

Status Node::Replug(std::string_view gpu) const {
  return ChangeGpus(state_path_, gpu, [](layout::Transaction& transaction, std::uint32_t slot) {
    return model::ReplugGpu(transaction, slot);
  });
}

Status Node::UnloadDriver() const { return ChangeNode(state_path_, model::UnloadDriver); }

Status Node::LoadDriver() const { return ChangeNode(state_path_, model::LoadDriver); }

Status Node::StartProcess(std::string_view gpu, const ProcessInfo& process,
                          std::uint32_t utilization_percent) const {
  const std::uint32_t percents[] = {utilization_percent, process.encoder_percent,
                                    process.decoder_percent, process.jpeg_percent,
                                    process.ofa_percent};
  if (process.pid == 0 || *std::max_element(std::begin(percents), std::end(percents)) > 100) {
    return InvalidArgumentError(
        "a process needs a pid, and a utilisation of the GPU and of each engine from 0 to 100 "
        "percent");
  }
  return ChangeGpus(
      state_path_, gpu, [&](layout::Transaction& transaction, std::uint32_t slot) -> Status {
        layout::GpuState& state = transaction.gpu(slot);
        for (const layout::Process& entry : state.processes) {
          if (entry.type != layout::Process::kFree && entry.pid == process.pid) {
            return AlreadyExistsError("process " + std::to_string(process.pid) +
                                      " is on it already");
          }
        }
        ASSAY_ASSIGN_OR_RETURN(const layout::GpuInstance* const instance,
                               InstanceOf(state, process));
        if (process.encoder_percent != 0 && state.identity.encoders == 0) {
          return FailedPreconditionError("this board has no video encoder");
        }
        const std::uint64_t free_bytes = FreeBytes(state, instance);
        if (process.memory_bytes > free_bytes) {
          return ResourceExhaustedError(std::to_string(free_bytes) + " bytes are free, not " +
                                        std::to_string(process.memory_bytes));
        }
        const std::int64_t now = NodeNow(transaction);
        layout::SettleTrail(state, now);
        layout::Process* free = state.processes.Add();
        if (free == nullptr) {
          return ResourceExhaustedError("it has " + std::to_string(layout::kMaxProcesses) +
                                        " processes, which is the most");
        }
        free->type = static_cast<std::uint32_t>(process.type) + layout::Process::kCompute;
        free->pid = process.pid;
        free->gpu_instance = process.gpu_instance.value_or(layout::kNoInstance);
        free->compute_instance = process.compute_instance.value_or(layout::kNoInstance);
        free->memory_bytes = process.memory_bytes;
        free->start_ns = now;
        free->sm_percent = utilization_percent;
        free->memory_percent = utilization_percent / 2;
        free->encoder_percent = process.encoder_percent;
        free->decoder_percent = process.decoder_percent;
        free->jpeg_percent = process.jpeg_percent;
        free->ofa_percent = process.ofa_percent;
        return model::SetText(process.name, free->name);
      });
}

Status Node::EndProcess(std::string_view gpu, std::uint32_t pid) const {
  return ChangeGpus(state_path_, gpu,
                    [&](layout::Transaction& transaction, std::uint32_t slot) -> Status {
                      layout::GpuState& state = transaction.gpu(slot);
                      for (layout::Process& entry : state.processes) {
                        if (entry.type != layout::Process::kFree && entry.pid == pid) {
                          const std::int64_t now = NodeNow(transaction);
                          layout::SettleTrail(state, now);
                          layout::EndProcess(state, entry, now);
                          return OkStatus();
                        }
                      }
                      return NotFoundError("no process " + std::to_string(pid));
                    });
}

Result<ClockInfo> Node::Clock() const {
  layout::Region region;
  ASSAY_RETURN_IF_ERROR(OpenStatus(region.Open(state_path_.c_str()), state_path_));
  return region.Read([](const layout::Copy& copy) {
    const layout::NodeClock& clock = copy.node().clock;
    return ClockInfo{.time = Duration(layout::NodeTime(clock, layout::CoarseMonotonic())),
                     .held = clock.held != 0,
                     .rate = clock.rate};
  });
}

Status Node::HoldClock() const {
  return ChangeNode(state_path_, [](layout::Transaction& transaction) {
    layout::NodeClock& clock = transaction.node().clock;
    clock.node_ns = NodeNow(transaction);
    clock.held = 1;
    return OkStatus();
  });
}

Status Node::StepClock(Duration step) const {
  return ChangeNode(state_path_, [step](layout::Transaction& transaction) -> Status {
    layout::NodeClock& clock = transaction.node().clock;
    if (clock.held == 0) {
      return FailedPreconditionError("the node's clock runs: hold it first");
    }
    clock.node_ns = layout::After(clock.node_ns, step.count());
    return OkStatus();
  });
}

Status Node::RunClock() const {
  return ChangeNode(state_path_, [](layout::Transaction& transaction) {
    layout::NodeClock& clock = transaction.node().clock;
    clock.node_ns = NodeNow(transaction);
    clock.monotonic_ns = layout::CoarseMonotonic();
    clock.held = 0;
    return OkStatus();
  });
}

}  // namespace assay::fakegpu::control
