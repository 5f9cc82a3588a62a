#include "fakegpu/model/fault_effects.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "fakegpu/layout/accounting.h"
#include "fakegpu/layout/metrics.h"
#include "fakegpu/layout/reset.h"

namespace assay::fakegpu::model {
namespace {

// Of nvmlEventType*: this library stands beside the C interface, not above it.
constexpr std::uint64_t kSingleBitEcc = 0x1;
constexpr std::uint64_t kDoubleBitEcc = 0x2;
constexpr std::uint64_t kXidCritical = 0x8;
constexpr std::uint64_t kUnavailable = 0x4000;
constexpr std::uint64_t kRecoveryAction = 0x8000;
// Of nvmlDeviceGpuRecoveryAction_t.
constexpr std::uint32_t kReset = 1;
constexpr std::uint32_t kReboot = 2;
constexpr std::uint32_t kDrainAndReset = 4;
// Of nvmlMemoryErrorType_t and nvmlMemoryLocation_t.
constexpr int kCorrected = 0;
constexpr int kUncorrected = 1;
constexpr int kDram = 2;
constexpr int kSram = 7;
constexpr int kDoubleBitCause = 1;  // NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR
constexpr int kCrcErrors = 2;       // NVML_NVLINK_ERROR_DL_CRC_FLIT

constexpr std::uint32_t kUnknownError = 999;  // NVML_ERROR_UNKNOWN

constexpr std::uint32_t kHopper = 9;  // NVML_DEVICE_ARCH_HOPPER

constexpr std::uint32_t kFallenOffTheBus = 79;
constexpr std::uint32_t kNvLinkError = 74;

// What an XID leaves behind. Those that are not listed are an application's own error.
struct XidEffect {
  std::uint32_t xid;
  std::uint32_t recovery_action;
  bool uncorrectable = false;
  bool remap_pending = false;
  bool remap_failed = false;
  bool lost = false;
};
constexpr XidEffect kXidEffects[] = {
    {.xid = 48, .recovery_action = kReset, .uncorrectable = true},
    {.xid = 61, .recovery_action = kReset},
    {.xid = 62, .recovery_action = kReset},
    {.xid = 63, .recovery_action = kDrainAndReset, .remap_pending = true},
    {.xid = 64, .recovery_action = kReset, .remap_failed = true},
    {.xid = kNvLinkError, .recovery_action = kReset},
    {.xid = kFallenOffTheBus, .recovery_action = kReboot, .lost = true},
    {.xid = 94, .recovery_action = kDrainAndReset, .uncorrectable = true},
    {.xid = 95, .recovery_action = kReset, .uncorrectable = true},
    {.xid = 119, .recovery_action = kReset},
    {.xid = 120, .recovery_action = kReset},
    {.xid = 140, .recovery_action = kReset, .uncorrectable = true},
};

class Applier {
 public:
  Applier(layout::Transaction& transaction, std::uint32_t slot)
      : transaction_(transaction), slot_(slot), gpu_(transaction.gpu(slot)) {}

  Status operator()(const XidFault& fault) {
    AddXid(fault);
    const auto* effect = std::find_if(std::begin(kXidEffects), std::end(kXidEffects),
                                      [&](const XidEffect& e) { return e.xid == fault.xid; });
    if (effect == std::end(kXidEffects)) {
      return OkStatus();
    }
    layout::Health& health = gpu_.health;
    if (effect->uncorrectable) {
      ++health.ecc_volatile.by_location[kUncorrected][kDram];
      ++health.ecc_aggregate.by_location[kUncorrected][kDram];
      AddEvent(kDoubleBitEcc, 0);
    }
    health.remap_pending |= effect->remap_pending ? 1 : 0;
    if (effect->remap_pending) {
      RetirePage();
    }
    health.remap_failed |= effect->remap_failed ? 1 : 0;
    if (effect->lost) {
      health.lost = 1;
      AddEvent(kUnavailable, 0);
    }
    health.recovery_action = effect->recovery_action;
    AddEvent(kRecoveryAction, effect->recovery_action);
    return OkStatus();
  }

  Status operator()(const EccFault& fault) {
    const bool uncorrected = fault.type == EccFault::Type::kUncorrected;
    const int type = uncorrected ? kUncorrected : kCorrected;
    const bool dram = fault.memory == EccFault::Memory::kDram;
    const int location = dram ? kDram : kSram;
    gpu_.health.ecc_volatile.by_location[type][location] += fault.count;
    gpu_.health.ecc_aggregate.by_location[type][location] += fault.count;
    AddEvent(uncorrected ? kDoubleBitEcc : kSingleBitEcc, fault.count);
    if (uncorrected && dram) {
      RetirePage();
    }
    return OkStatus();
  }

  Status operator()(const LostFault&) { return (*this)(XidFault{.xid = kFallenOffTheBus}); }

  Status operator()(const ThermalFault& fault) {
    gpu_.health.forced_temperature_c = fault.celsius;
    return OkStatus();
  }

  Status operator()(const PowerBrakeFault&) {
    gpu_.health.power_brake = 1;
    return OkStatus();
  }

  Status operator()(const NvLinkErrorFault& fault) {
    ASSAY_RETURN_IF_ERROR(CheckLink(fault.link));
    gpu_.links[fault.link].errors[static_cast<int>(fault.counter)] += fault.count;
    return OkStatus();
  }

  Status operator()(const PcieReplayFault& fault) {
    gpu_.health.pcie_replays += fault.count;
    return OkStatus();
  }

  Status operator()(const NvLinkFault& fault) {
    ASSAY_RETURN_IF_ERROR(CheckLink(fault.link));
    gpu_.links[fault.link].downs += gpu_.links[fault.link].up;
    gpu_.links[fault.link].up = 0;
    ++gpu_.links[fault.link].errors[kCrcErrors];
    return (*this)(XidFault{.xid = kNvLinkError});
  }

  Status operator()(const FabricFault& fault) {
    layout::Fabric& fabric = gpu_.fabric;
    if (fabric.state == layout::Fabric::kNotSupported) {
      return InvalidArgumentError("the GPU belongs to no NVLink fabric");
    }
    switch (fault.state) {
      case FabricFault::State::kNotStarted:
        fabric.state = layout::Fabric::kNotStarted;
        fabric.status = 0;
        break;
      case FabricFault::State::kInProgress:
        fabric.state = layout::Fabric::kInProgress;
        fabric.status = 0;
        break;
      case FabricFault::State::kFailed:
        fabric.state = layout::Fabric::kCompleted;
        fabric.status = kUnknownError;
        break;
    }
    return OkStatus();
  }

  Status operator()(const ReturnFault& fault) {
    layout::NodeState& node = transaction_.node();
    if (fault.percent == 0 || fault.percent > 100) {
      return InvalidArgumentError("percent: expected a number from 1 to 100, found " +
                                  std::to_string(fault.percent));
    }
    if (fault.delay_ms > layout::kMaxDelayUs / 1000) {
      return InvalidArgumentError("delay: expected at most " +
                                  std::to_string(layout::kMaxDelayUs / 1000) +
                                  " milliseconds, found " + std::to_string(fault.delay_ms));
    }
    const layout::ReturnFault added = {
        .function_hash = layout::HashName(fault.function.c_str()),
        .id = ++node.return_fault_ids,
        .gpu = slot_,
        .code = fault.code,
        .gpu_instance = fault.gpu_instance.value_or(layout::kNoInstance),
        .compute_instance = fault.compute_instance.value_or(layout::kNoInstance),
        .pid = fault.pid.value_or(0),
        .percent = fault.percent,
        .skip = fault.skip,
        .times = fault.times,
        .delay_us = std::uint64_t{fault.delay_ms} * 1000};
    // In the place of one of the same calls, if there is any.
    layout::ReturnFault* free = nullptr;
    for (layout::ReturnFault& entry : node.return_faults) {
      if (entry.function_hash == added.function_hash && entry.gpu == slot_ &&
          entry.pid == added.pid && entry.gpu_instance == added.gpu_instance &&
          entry.compute_instance == added.compute_instance) {
        free = &entry;
        break;
      }
      if (entry.function_hash == 0 && free == nullptr) {
        free = &entry;
      }
    }
    if (free == nullptr) {
      return ResourceExhaustedError("at most " + std::to_string(layout::kMaxReturnFaults) +
                                    " return faults at a time");
    }
    node.return_fault_count += free->function_hash == 0 ? 1 : 0;
    *free = added;
    return OkStatus();
  }

 private:
  Status CheckLink(std::uint32_t link) const {
    return link < layout::kMaxLinks && gpu_.links[link].present != 0
               ? OkStatus()
               : InvalidArgumentError("the GPU has no NVLink " + std::to_string(link));
  }
  void AddEvent(std::uint64_t type, std::uint64_t data) { AddEvent(type, data, XidFault{}); }
  void AddEvent(std::uint64_t type, std::uint64_t data, const XidFault& where) {
    transaction_.AddEvent({.number = 0,
                           .type = type,
                           .data = data,
                           .gpu = slot_,
                           .gpu_instance = where.gpu_instance.value_or(layout::kNoInstance),
                           .compute_instance = where.compute_instance.value_or(layout::kNoInstance),
                           .reserved = 0});
  }
  // On boards that retire pages, an uncorrectable error takes one out of use, from the next reset
  // on.
  void RetirePage() {
    layout::RetiredPages& retired = gpu_.health.retired[kDoubleBitCause];
    if (gpu_.identity.retires_pages == 0 || retired.count >= layout::kMaxRetiredPages) {
      return;
    }
    constexpr std::uint64_t kPage = 65536;
    const std::uint64_t pages =
        std::max<std::uint64_t>(1, gpu_.identity.memory_total_bytes / kPage);
    retired.pages[retired.count] = {
        .address = (gpu_.noise_seed + retired.count * 0x9e3779b97f4a7c15) % pages * kPage,
        .retired_ns = gpu_.trail.since_ns};  // Settled just now.
    ++retired.count;
    gpu_.health.remap_pending = 1;
  }
  void AddXid(const XidFault& fault) {
    gpu_.health.last_xid = fault.xid;
    AddEvent(kXidCritical, fault.xid, fault);
  }

  layout::Transaction& transaction_;
  std::uint32_t slot_;
  layout::GpuState& gpu_;
};

std::int64_t Now(layout::Transaction& transaction) {
  return layout::NodeTime(transaction.node().clock, layout::CoarseMonotonic());
}

}  // namespace

Status ApplyFault(layout::Transaction& transaction, std::uint32_t slot, const Fault& fault) {
  if (transaction.look(slot).health.plugged == 0) {
    return FailedPreconditionError("the GPU is unplugged");
  }
  layout::SettleTrail(transaction.gpu(slot), Now(transaction));
  return std::visit(Applier(transaction, slot), fault);
}

void HealGpu(layout::Transaction& transaction, std::uint32_t slot) {
  layout::GpuState& gpu = transaction.gpu(slot);
  layout::SettleTrail(gpu, Now(transaction));
  layout::ResetGpu(gpu);
  layout::Health& health = gpu.health;
  health.lost = 0;
  health.forced_temperature_c = 0;
  health.power_brake = 0;
  health.remap_failed = 0;
  if (gpu.fabric.state != layout::Fabric::kNotSupported) {
    gpu.fabric.state = layout::Fabric::kCompleted;
    gpu.fabric.status = 0;
  }
  for (layout::Link& link : gpu.links) {
    link.up = link.present != 0 && link.remote != layout::Link::kNone ? 1 : 0;
  }
  layout::NodeState& node = transaction.node();
  for (layout::ReturnFault& fault : node.return_faults) {
    if (fault.function_hash != 0 && fault.gpu == slot) {
      fault = {};
      --node.return_fault_count;
    }
  }
}

Status UnplugGpu(layout::Transaction& transaction, std::uint32_t slot) {
  if (transaction.look(slot).health.plugged == 0) {
    return FailedPreconditionError("it is unplugged already");
  }
  layout::GpuState& gpu = transaction.gpu(slot);
  layout::SettleTrail(gpu, Now(transaction));
  gpu.health.plugged = 0;
  gpu.processes = {};
  std::fill(std::begin(gpu.gpu_instances), std::end(gpu.gpu_instances), layout::GpuInstance{});
  transaction.AddEvent({.number = 0,
                        .type = kUnavailable,
                        .data = 0,
                        .gpu = slot,
                        .gpu_instance = layout::kNoInstance,
                        .compute_instance = layout::kNoInstance,
                        .reserved = 0});
  transaction.AddEvent(layout::BindingEvent(slot, false));
  return OkStatus();
}

Status ReplugGpu(layout::Transaction& transaction, std::uint32_t slot) {
  if (transaction.look(slot).health.plugged != 0) {
    return FailedPreconditionError("it is plugged in already");
  }
  transaction.gpu(slot).health.plugged = 1;
  transaction.AddEvent(layout::BindingEvent(slot, true));
  return OkStatus();
}

Status UnloadDriver(layout::Transaction& transaction) {
  if (transaction.node().driver_loaded == 0) {
    return FailedPreconditionError("the driver is unloaded already");
  }
  transaction.node().driver_loaded = 0;
  for (std::uint32_t slot = 0; slot < transaction.gpu_count(); ++slot) {
    if (transaction.look(slot).health.plugged == 0) {
      continue;
    }
    layout::GpuState& gpu = transaction.gpu(slot);
    const std::int64_t now = Now(transaction);
    layout::SettleTrail(gpu, now);
    for (layout::Process& process : gpu.processes) {
      if (process.type != layout::Process::kFree) {
        layout::EndProcess(gpu, process, now);
      }
    }
    std::fill(std::begin(gpu.gpu_instances), std::end(gpu.gpu_instances), layout::GpuInstance{});
    gpu.health.ecc_volatile = {};
    transaction.AddEvent(layout::BindingEvent(slot, false));
  }
  return OkStatus();
}

Status LoadDriver(layout::Transaction& transaction) {
  if (transaction.node().driver_loaded != 0) {
    return FailedPreconditionError("the driver is loaded already");
  }
  transaction.node().driver_loaded = 1;
  for (std::uint32_t slot = 0; slot < transaction.gpu_count(); ++slot) {
    if (transaction.look(slot).health.plugged == 0) {
      continue;
    }
    layout::GpuState& gpu = transaction.gpu(slot);
    if (gpu.identity.architecture >= kHopper) {
      gpu.settings.mig_pending = 0;
    }
    gpu.settings.mig_current = gpu.settings.mig_pending;
    gpu.settings.ecc_current = gpu.settings.ecc_pending;
    transaction.AddEvent(layout::BindingEvent(slot, true));
  }
  return OkStatus();
}

std::vector<std::string> DescribeFaults(const layout::NodeState& node, const layout::GpuState& gpu,
                                        std::uint32_t slot) {
  std::vector<std::string> faults;
  const layout::Health& health = gpu.health;
  const auto add_if = [&faults](bool condition, std::string text) {
    if (condition) {
      faults.push_back(std::move(text));
    }
  };
  add_if(health.lost != 0, "lost");
  add_if(health.last_xid != 0, "xid " + std::to_string(health.last_xid));
  add_if(health.forced_temperature_c != 0,
         "thermal " + std::to_string(health.forced_temperature_c) + " C");
  add_if(health.power_brake != 0, "power brake");
  add_if(health.remap_pending != 0, "row remap pending");
  add_if(health.remap_failed != 0, "row remap failed");
  add_if(gpu.fabric.state == layout::Fabric::kNotStarted, "fabric not started");
  add_if(gpu.fabric.state == layout::Fabric::kInProgress, "fabric in progress");
  add_if(gpu.fabric.state == layout::Fabric::kCompleted && gpu.fabric.status != 0, "fabric failed");
  for (std::uint32_t i = 0; i < layout::kMaxLinks; ++i) {
    const layout::Link& link = gpu.links[i];
    add_if(link.present != 0 && link.up == 0 && link.remote != layout::Link::kNone,
           "nvlink " + std::to_string(i) + " down");
  }
  for (const layout::ReturnFault& fault : node.return_faults) {
    add_if(fault.function_hash != 0 && fault.gpu == slot,
           fault.code == 0 ? "a function answers late"
                           : "a function returns " + std::to_string(fault.code));
  }
  return faults;
}

}  // namespace assay::fakegpu::model
