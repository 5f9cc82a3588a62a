// Control of a fake node: creates it from YAML, plays faults on it, unplugs its GPUs, shows it.
//
// The node is one file, its state, which programs under test reach through libnvidia-ml.so.1. The
// library finds the file in the environment variable ASSAY_FAKEGPU_STATE, else at
// /run/assay/fakegpu/state. What is changed here, every process sees at its next call.
//
//   ASSAY_ASSIGN_OR_RETURN(Node node, Node::Create("/tmp/x/state",
//   "fixtures/nodes/dgx-h100.yaml")); ASSAY_RETURN_IF_ERROR(node.Inject("3", XidFault{.xid = 79}));
//   ASSAY_RETURN_IF_ERROR(node.Heal("3"));
//
// Thread-safe: every change is a transaction on the file, also between processes.
#ifndef ASSAY_FAKEGPU_CONTROL_CONTROL_H_
#define ASSAY_FAKEGPU_CONTROL_CONTROL_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "fakegpu/model/fault.h"

namespace assay::fakegpu::control {

using model::EccFault;
using model::FabricFault;
using model::Fault;
using model::LostFault;
using model::NvLinkErrorFault;
using model::NvLinkFault;
using model::PcieReplayFault;
using model::PowerBrakeFault;
using model::ReturnFault;
using model::ThermalFault;
using model::XidFault;

inline constexpr std::string_view kStateVariable = "ASSAY_FAKEGPU_STATE";
inline constexpr std::string_view kDefaultStatePath = "/run/assay/fakegpu/state";
// A directory that the library looks for nvidia<minor> in instead of /dev, when set: only the GPUs
// whose node is there are shown.
inline constexpr std::string_view kDevicesVariable = "ASSAY_FAKEGPU_DEV";

// The state file that the environment names, or the default.
std::filesystem::path StatePathFromEnvironment();

struct CreateOptions {
  // What UUIDs, serial numbers and noise derive from; 0: the seed that the node's file names.
  std::uint64_t seed = 0;
  // Takes the place of a node that is there; its clients find their driver gone.
  bool replace = false;
};

enum class ProcessType { kCompute, kGraphics, kMps };
// As fakegpuctl and scenarios write it: "compute", "graphics", "mps".
Result<ProcessType> ParseProcessType(std::string_view text);
std::string_view ToString(ProcessType type);

struct ProcessInfo {
  std::uint32_t pid = 0;
  std::string name;
  std::uint64_t memory_bytes = 0;
  // The MIG instance that it runs in, by NVML's ids: both where MIG mode is on, else neither.
  std::optional<std::uint32_t> gpu_instance;
  std::optional<std::uint32_t> compute_instance;
  ProcessType type = ProcessType::kCompute;
  // Of the media engines, of which it uses so many percent.
  std::uint32_t encoder_percent = 0;
  std::uint32_t decoder_percent = 0;
  std::uint32_t jpeg_percent = 0;
  std::uint32_t ofa_percent = 0;
};

struct ComputeInstanceInfo {
  std::uint32_t id = 0;
  std::string uuid;  // Of the MIG device.
};
// A MIG instance in its place: `size` of the GPU's memory slices, from `start`.
struct GpuInstanceInfo {
  std::uint32_t id = 0;
  std::string profile;  // "1g.10gb".
  std::uint32_t start = 0;
  std::uint32_t size = 0;
  std::vector<ComputeInstanceInfo> compute_instances;
};

// A GPU as `fakegpuctl show` prints it, at one instant.
struct GpuInfo {
  std::uint32_t slot = 0;   // Its place in the node, which unplugging does not change.
  std::uint32_t minor = 0;  // Of /dev/nvidia<minor>.
  std::string name;
  std::string uuid;
  std::string pci_bus_id;    // "0000:1b:00.0", as sysfs writes it.
  std::string architecture;  // "Hopper".
  std::uint64_t memory_total_bytes = 0;
  std::uint64_t memory_used_bytes = 0;
  std::uint32_t numa_node = 0;
  bool plugged = true;
  bool lost = false;
  bool mig_enabled = false;
  std::uint32_t mig_memory_slices = 0;  // 0: the board has no MIG.
  std::vector<GpuInstanceInfo> gpu_instances;
  std::uint32_t temperature_c = 0;
  std::uint32_t power_mw = 0;
  std::uint32_t utilization_percent = 0;
  std::uint32_t sm_clock_mhz = 0;
  std::uint64_t ecc_corrected = 0;
  std::uint64_t ecc_uncorrected = 0;
  std::uint32_t last_xid = 0;       // 0: none since the last heal.
  std::string recovery_action;      // "none", "reset", "reboot", ...
  std::vector<std::string> faults;  // What is injected and not healed, in words.
  std::vector<ProcessInfo> processes;
};

struct ClockInfo {
  Duration time{};
  bool held = false;
  double rate = 1;  // So many times as fast as the machine's.
};

struct NodeInfo {
  std::string name;
  std::string driver_version;  // "580.95.05".
  std::string cuda_version;    // "13.0".
  bool driver_loaded = true;
  Duration time{};            // Of the node's clock.
  std::vector<GpuInfo> gpus;  // By slot, unplugged ones too.
};

class Node {
 public:
  // Makes the state file (and its directory) of the node that the YAML file describes: whole or not
  // at all. kInvalidArgument "file:line: field: ..." for a wrong file, kAlreadyExists where a node
  // is and options.replace is not.
  static Result<Node> Create(const std::filesystem::path& state,
                             const std::filesystem::path& node_file, CreateOptions options = {});
  // kNotFound, or kDataLoss for a file that is no state file of this version.
  static Result<Node> Open(const std::filesystem::path& state);

  const std::filesystem::path& state_path() const { return state_path_; }
  Result<NodeInfo> Show() const;

  // `gpu` is a slot ("3"), a UUID ("GPU-..."), a PCI bus id ("0000:1b:00.0") or "all"; kNotFound
  // where there is none.
  Status Inject(std::string_view gpu, const Fault& fault) const;
  // Ends every fault of the GPU as a reset does: volatile ECC counts, XID and recovery action too.
  Status Heal(std::string_view gpu) const;

  // Takes the GPU out of the node: it is no longer listed, and its handles answer
  // NVML_ERROR_GPU_IS_LOST. kFailedPrecondition if it is already out (or in).
  Status Unplug(std::string_view gpu) const;
  Status Replug(std::string_view gpu) const;

  // The kernel driver goes (nvmlInit answers DRIVER_NOT_LOADED) or comes back.
  Status UnloadDriver() const;
  Status LoadDriver() const;

  // A process starts on a GPU, or ends. kAlreadyExists, kNotFound (its MIG instance too),
  // kResourceExhausted; kFailedPrecondition where MIG mode wants an instance, or has none, and
  // where the board has no encoder that it could use.
  Status StartProcess(std::string_view gpu, const ProcessInfo& process,
                      std::uint32_t utilization_percent) const;
  Status EndProcess(std::string_view gpu, std::uint32_t pid) const;

  // The node's clock, which metrics follow: held still, moved on while held, running again.
  Result<ClockInfo> Clock() const;
  Status HoldClock() const;
  Status StepClock(Duration step) const;
  Status RunClock() const;

 private:
  explicit Node(std::filesystem::path state_path) : state_path_(std::move(state_path)) {}
  std::filesystem::path state_path_;
};

// Parses a fault as fakegpuctl and testee hooks write it: "xid=79", "xid=43,gi=1,ci=0",
// "ecc=uncorrected,memory=sram,count=4", "lost", "thermal=95", "power-brake", "nvlink=3",
// "nvlink-errors=3,counter=replay,count=7", "pcie-replays=5", "fabric=in-progress",
// "return=nvmlDeviceGetName:15,skip=2,times=1", "delay=*:50,pid=7". kInvalidArgument says what was
// expected.
Result<Fault> ParseFault(std::string_view text);
// The same text back.
std::string FaultToString(const Fault& fault);

}  // namespace assay::fakegpu::control

#endif  // ASSAY_FAKEGPU_CONTROL_CONTROL_H_
