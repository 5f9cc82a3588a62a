// The faults that can be played on a fake GPU, each with the consequences that it has on a board.
//
// A fault is a value; fakegpu/control applies it to a running node, where every client process
// sees it at its next call.
//
// Thread-safe: values, no shared state.
#ifndef ASSAY_FAKEGPU_MODEL_FAULT_H_
#define ASSAY_FAKEGPU_MODEL_FAULT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace assay::fakegpu::model {

// An XID (NVIDIA's name for an error that the kernel driver logs). Every event set that registered
// for XIDs gets an event. What else follows depends on the number ("XID Errors", NVIDIA's
// documentation): 79 is a GPU that has fallen off the bus, 48, 94 and 95 count an uncorrectable ECC
// error, 63 and 64 touch the row remapper, 74 is an NVLink error, and several ask for a reset.
struct XidFault {
  std::uint32_t xid = 0;
  // Where the error is of a MIG instance.
  std::optional<std::uint32_t> gpu_instance;
  std::optional<std::uint32_t> compute_instance;
};

// `count` ECC errors in device memory or in the chip's own; an event of single or double-bit ECC
// errors.
struct EccFault {
  enum class Type { kCorrected, kUncorrected };
  enum class Memory { kDram, kSram };
  Type type = Type::kCorrected;
  std::uint64_t count = 1;
  Memory memory = Memory::kDram;
};

// The GPU answers nothing but its identity: NVML_ERROR_GPU_IS_LOST. It stays in the list. XID 79.
struct LostFault {};

// The cooling fails: the temperature settles at `celsius`, and clocks fall once that is over the
// slowdown threshold.
struct ThermalFault {
  std::uint32_t celsius = 95;
};

// The board's power is braked from outside: clocks fall.
struct PowerBrakeFault {};

// One NVLink goes down. XID 74.
struct NvLinkFault {
  std::uint32_t link = 0;
};

// `count` errors of one NVLink, which stays up; no event.
struct NvLinkErrorFault {
  // As nvmlNvLinkErrorCounter_t counts them.
  enum class Counter { kReplay, kRecovery, kCrcFlit, kCrcData, kEccData };
  std::uint32_t link = 0;
  Counter counter = Counter::kReplay;
  std::uint64_t count = 1;
};

// `count` packets were sent again over PCIe; no event.
struct PcieReplayFault {
  std::uint64_t count = 1;
};

// The GPU is not, or not yet, part of the NVLink fabric that its switches make. "Failed" is a
// registration that ended with an error.
struct FabricFault {
  enum class State { kNotStarted, kInProgress, kFailed };
  State state = State::kInProgress;
};

// A function of the library ("*": each) answers `code` (the number of an nvmlReturn_t) instead of
// its result, for this GPU; 0 is its result. Functions without a device are faulted on any GPU.
struct ReturnFault {
  std::string function;
  int code = 999;
  // It answers so much later.
  std::uint32_t delay_ms = 0;
  // Only of this process; only for this MIG instance's handles.
  std::optional<std::uint32_t> pid;
  std::optional<std::uint32_t> gpu_instance;
  std::optional<std::uint32_t> compute_instance;
  // Of each process, `skip` calls pass, then `times` are faulted (0: all that follow), and of those
  // `percent` in 100, by the node's seed.
  std::uint64_t skip = 0;
  std::uint64_t times = 0;
  std::uint32_t percent = 100;
};

using Fault =
    std::variant<XidFault, EccFault, LostFault, ThermalFault, PowerBrakeFault, NvLinkFault,
                 NvLinkErrorFault, PcieReplayFault, FabricFault, ReturnFault>;

}  // namespace assay::fakegpu::model

#endif  // ASSAY_FAKEGPU_MODEL_FAULT_H_
