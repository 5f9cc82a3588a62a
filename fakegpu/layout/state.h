// The state of a fake node, as it lies in the state file: plain structs of fixed size.
//
// Everything is little-endian and naturally aligned, holds no pointers, and is zero where it is
// unused. Strings end with a NUL within their array. Readers may see a struct while it is being
// overwritten (region.h makes them look again), so counts are clamped where they are used.
//
// Freestanding: no libstdc++, no exceptions. Values; region.h and transaction.h have the thread
// rules.
#ifndef ASSAY_FAKEGPU_LAYOUT_STATE_H_
#define ASSAY_FAKEGPU_LAYOUT_STATE_H_

#include <cstdint>
#include <type_traits>

namespace assay::fakegpu::layout {

inline constexpr std::uint32_t kMaxGpus = 4096;
inline constexpr std::uint32_t kMaxLinks = 36;
inline constexpr std::uint32_t kMaxProcesses = 128;       // On one GPU.
inline constexpr std::uint32_t kMaxMigProfiles = 20;      // Of one GPU.
inline constexpr std::uint32_t kMaxGpuInstances = 8;      // On one GPU.
inline constexpr std::uint32_t kMaxComputeInstances = 8;  // On one GPU instance.
inline constexpr std::uint32_t kMaxMemoryClocks = 4;
inline constexpr std::uint32_t kMaxCpuRanges = 4;
inline constexpr std::uint32_t kMaxReturnFaults = 32;
inline constexpr std::uint32_t kMaxAccounting = 64;       // Of one GPU, the latest.
inline constexpr std::uint32_t kMaxRetiredPages = 64;     // Of one GPU and cause.
inline constexpr std::uint32_t kMaxPowerProfiles = 16;    // NVML_POWER_PROFILE_*, 15 of them.
inline constexpr std::uint32_t kNoInstance = 0xffffffff;  // "not of a MIG instance", as in NVML.
inline constexpr std::uint32_t kAnyGpu = 0xffffffff;

struct PciAddress {
  std::uint32_t domain;
  std::uint32_t bus;
  std::uint32_t device;
  std::uint32_t function;
};

// One NVLink of a GPU.
struct Link {
  enum Remote : std::uint32_t { kNone = 0, kGpu = 1, kSwitch = 2 };
  std::uint32_t present;
  std::uint32_t up;
  std::uint32_t remote;  // A Remote.
  std::uint32_t remote_link;
  PciAddress remote_pci;
  std::uint32_t remote_device_id;
  std::uint32_t downs;      // How often it went down.
  std::uint64_t errors[5];  // By nvmlNvLinkErrorCounter_t.
};

// A process that has a context on a GPU.
struct Process {
  enum Type : std::uint32_t { kFree = 0, kCompute = 1, kGraphics = 2, kMps = 3 };
  std::uint32_t type;  // A Type; kFree: the slot is empty.
  std::uint32_t pid;
  std::uint32_t gpu_instance;      // kNoInstance outside of MIG.
  std::uint32_t compute_instance;  // Likewise.
  std::uint64_t memory_bytes;
  std::int64_t start_ns;  // On the node's clock.
  std::uint32_t sm_percent;
  std::uint32_t memory_percent;
  std::uint32_t encoder_percent;
  std::uint32_t decoder_percent;
  std::uint32_t jpeg_percent;
  std::uint32_t ofa_percent;
  char name[64];
};

// The processes of a GPU: those slots that may be in use come first, so that walking over few is
// quick.
struct ProcessList {
  std::uint32_t slots;
  std::uint32_t reserved;
  Process entries[kMaxProcesses];

  const Process* begin() const { return entries; }
  const Process* end() const { return entries + (slots < kMaxProcesses ? slots : kMaxProcesses); }
  Process* begin() { return entries; }
  Process* end() { return entries + (slots < kMaxProcesses ? slots : kMaxProcesses); }

  // An empty slot to fill in; null if all are taken.
  Process* Add() {
    for (std::uint32_t i = 0; i < kMaxProcesses; ++i) {
      if (entries[i].type == Process::kFree) {
        slots = slots > i ? slots : i + 1;
        return &entries[i];
      }
    }
    return nullptr;
  }
  void Remove(Process& process) {
    process = {};
    slots = slots < kMaxProcesses ? slots : kMaxProcesses;
    while (slots > 0 && entries[slots - 1].type == Process::kFree) {
      --slots;
    }
  }
};

// What a MIG profile has that the plain one of its size has not.
enum MigAttribute : std::uint32_t {
  kMigPlain = 0,
  kMigMedia = 1,     // "+me": a share of the media engines.
  kMigGraphics = 2,  // "+gfx"
  kMigAllMedia = 3,  // "+me.all"
  kMigNoMedia = 4,   // "-me"
};

// A row of a board's MIG table (reference: `nvidia-smi mig -lgip`).
struct MigProfile {
  std::uint32_t valid;
  std::uint32_t index;  // NVML_GPU_INSTANCE_PROFILE_*.
  std::uint32_t id;     // What the driver calls it: 19, 9, 0...
  std::uint32_t slices;
  std::uint32_t instances;
  std::uint32_t multiprocessors;
  std::uint32_t copy_engines;
  std::uint32_t decoders;
  std::uint32_t encoders;
  std::uint32_t jpeg_engines;
  std::uint32_t ofa_engines;
  std::uint32_t attribute;  // A MigAttribute.
  std::uint64_t memory_mib;
  std::uint32_t placement_size;  // In memory slices.
  std::uint32_t placements;      // Bit i: may start at memory slice i.
};

struct ComputeInstance {
  std::uint32_t used;
  std::uint32_t id;
  std::uint32_t profile;  // NVML_COMPUTE_INSTANCE_PROFILE_*.
  std::uint32_t start;
  std::uint32_t slices;
  std::uint32_t generation;  // Of the node's instances; a stale handle differs.
  char uuid[48];             // "MIG-...".
};

struct GpuInstance {
  std::uint32_t used;
  std::uint32_t id;
  std::uint32_t profile;  // Index into GpuState::mig_profiles.
  std::uint32_t start;
  std::uint32_t size;
  std::uint32_t generation;
  ComputeInstance compute_instances[kMaxComputeInstances];
};

// ECC counts by error type (corrected, uncorrected) and memory (nvmlMemoryLocation_t: L1, L2,
// device memory, register file, texture, shared, CBU, SRAM).
struct EccCounts {
  std::uint64_t by_location[2][8];
};

// CPUs [first, first + count).
struct CpuRange {
  std::uint32_t first;
  std::uint32_t count;
};

// Where a GPU of a rack stands (nvmlPlatformInfo_t).
struct Platform {
  std::uint32_t known;
  std::uint8_t chassis_serial[16];
  std::uint8_t ib_guid[16];
  std::uint32_t slot;
  std::uint32_t tray;
  std::uint32_t host;
  std::uint32_t switched;  // Its peers are reached through switches, not directly.
};

struct Identity {
  char name[96];
  char uuid[48];
  char serial[32];
  char part_number[48];
  char vbios[32];
  char gsp_firmware[64];
  char inforom_image[16];
  char inforom_oem[16];
  char inforom_ecc[16];
  char inforom_power[16];
  PciAddress pci;
  std::uint32_t pci_device_id;     // Device id << 16 | vendor id.
  std::uint32_t pci_subsystem_id;  // Likewise.
  PciAddress pci_root_port;        // What bridge the GPU hangs from, and
  std::uint32_t pci_root_bus;      // the host bridge's bus: the PCIe root.
  std::uint32_t pci_switch;        // GPUs below one PCIe switch have one number; 0: none.
  std::uint32_t numa_node;
  CpuRange cpus[kMaxCpuRanges];  // The CPUs that are near; a count of 0 ends.
  std::uint32_t brand;           // nvmlBrandType_t.
  std::uint32_t architecture;    // NVML_DEVICE_ARCH_*.
  std::uint32_t compute_major;
  std::uint32_t compute_minor;
  std::uint32_t cores;
  std::uint32_t multiprocessors;
  std::uint32_t memory_bus_bits;
  std::uint32_t minor;
  std::uint32_t module_id;
  std::uint32_t board_id;
  std::uint32_t max_pcie_generation;
  std::uint32_t max_pcie_width;
  std::uint32_t fans;
  std::uint32_t retires_pages;  // Turing and before: pages are retired, not rows remapped.
  std::uint32_t c2c_links;      // To the CPU, beside PCIe.
  std::uint32_t c2c_mbps;       // Of one of them.
  std::uint32_t encoders;       // NVENC engines.
  Platform platform;
  std::uint64_t memory_total_bytes;     // What NVML reports as total.
  std::uint64_t memory_reserved_bytes;  // Of it, for driver and firmware.
  std::uint64_t bar1_total_bytes;
};

struct Limits {
  std::uint32_t power_min_mw;
  std::uint32_t power_max_mw;
  std::uint32_t power_default_mw;
  std::uint32_t power_idle_mw;
  std::uint32_t temperature_idle_c;  // At idle power, and
  std::uint32_t temperature_load_c;  // at default power, both settled.
  std::uint32_t temperature_shutdown_c;
  std::uint32_t temperature_slowdown_c;
  std::uint32_t temperature_gpu_max_c;
  std::uint32_t temperature_memory_max_c;
  std::uint32_t clock_graphics_max_mhz;
  std::uint32_t clock_graphics_idle_mhz;
  std::uint32_t clock_graphics_min_mhz;
  std::uint32_t clock_graphics_step_mhz;
  std::uint32_t clock_video_max_mhz;
  std::uint32_t clock_memory_mhz[kMaxMemoryClocks];  // Highest first; 0 ends.
  std::uint32_t clock_application_graphics_mhz;      // Defaults.
  std::uint32_t clock_application_memory_mhz;
};

struct Settings {
  std::uint32_t persistence;
  std::uint32_t compute_mode;
  std::uint32_t ecc_current;
  std::uint32_t ecc_pending;
  std::uint32_t mig_current;
  std::uint32_t mig_pending;
  std::uint32_t accounting;
  std::uint32_t power_limit_mw;
  std::uint32_t application_graphics_mhz;
  std::uint32_t application_memory_mhz;
  std::uint32_t locked_graphics_min_mhz;  // 0: not locked.
  std::uint32_t locked_graphics_max_mhz;
  std::uint32_t locked_memory_min_mhz;
  std::uint32_t locked_memory_max_mhz;
  std::uint32_t auto_boost;
  std::uint32_t fan_policy;
  std::uint32_t fan_percent;  // 0: automatic.
  std::uint32_t timeslice;
  std::uint32_t drain;
  std::uint32_t api_restriction[2];
  std::uint32_t nvlink_bandwidth_mode;       // NVML_GPU_NVLINK_BW_MODE_*.
  std::uint32_t nvlink_low_power_threshold;  // Idle so long, in the board's unit; 0: the default.
  std::uint32_t power_profiles;              // Requested, a bit each.
  char hostname[64];                         // As an administrator named the GPU's machine.
};

// Workload power profiles: numbered by NVML_POWER_PROFILE_*, a bit each in a mask.
struct PowerProfiles {
  struct Profile {
    std::uint32_t priority;   // The lower, the more important.
    std::uint32_t conflicts;  // A mask: what cannot hold beside it.
  };
  std::uint32_t offered;  // A mask; 0: the board knows none.
  std::uint32_t reserved;
  Profile profiles[kMaxPowerProfiles];
};

// Pages of device memory that are no longer used, for one cause.
struct RetiredPages {
  struct Page {
    std::uint64_t address;
    std::int64_t retired_ns;  // On the node's clock.
  };
  std::uint32_t count;
  std::uint32_t reserved;
  Page pages[kMaxRetiredPages];
};

struct Health {
  std::uint32_t plugged;
  std::uint32_t lost;
  std::uint32_t last_xid;
  std::uint32_t recovery_action;       // nvmlDeviceGpuRecoveryAction_t.
  std::uint32_t forced_temperature_c;  // 0: none.
  std::uint32_t power_brake;
  std::uint32_t remapped_corrected;
  std::uint32_t remapped_uncorrected;
  std::uint32_t remap_pending;
  std::uint32_t remap_failed;
  std::uint64_t pcie_replays;
  EccCounts ecc_volatile;
  EccCounts ecc_aggregate;
  RetiredPages retired[2];  // By nvmlPageRetirementCause_t.
};

struct Fabric {
  // NVML_GPU_FABRIC_STATE_*.
  enum State : std::uint32_t {
    kNotSupported = 0,
    kNotStarted = 1,
    kInProgress = 2,
    kCompleted = 3
  };
  std::uint8_t cluster_uuid[16];
  std::uint32_t state;
  std::uint32_t status;  // nvmlReturn_t of the probe.
  std::uint32_t clique;
  std::uint32_t health_mask;
};

// From where temperature and what adds up over time go on: settled once, at `since_ns` of the
// node's clock.
struct Trail {
  std::int64_t since_ns;
  double temperature_c;
  double energy_mj;
  // Seconds at full load, and
  double sm_seconds;
  double memory_seconds;
  double encoder_seconds;
  double decoder_seconds;
  double jpeg_seconds;
  double ofa_seconds;
  // seconds throttled: by the power limit, by heat, by the power brake.
  double power_capped_seconds;
  double thermal_seconds;
  double brake_seconds;
};

// What a process used, kept beyond its end while accounting is on (nvmlAccountingStats_t).
struct AccountingRecord {
  std::uint32_t pid;
  std::uint32_t sm_percent;
  std::uint32_t memory_percent;
  std::uint32_t reserved;
  std::uint64_t memory_bytes;
  std::int64_t start_ns;
  std::int64_t end_ns;
};
struct Accounting {
  std::uint64_t count;  // Ever; the ring holds the last kMaxAccounting.
  AccountingRecord ended[kMaxAccounting];
};

struct GpuState {
  Identity identity;
  Limits limits;
  Settings settings;
  Health health;
  Fabric fabric;
  Trail trail;
  std::uint64_t noise_seed;
  std::uint32_t nvlink_version;
  std::uint32_t nvlink_mbps;  // Of one link.
  Link links[kMaxLinks];
  PowerProfiles power_profiles;
  std::uint32_t mig_supported;
  std::uint32_t mig_memory_slices;
  MigProfile mig_profiles[kMaxMigProfiles];
  GpuInstance gpu_instances[kMaxGpuInstances];
  ProcessList processes;
  Accounting accounting;
};

inline constexpr std::uint64_t kMaxDelayUs = 60'000'000;

// A function that answers a code instead of its result, or answers late (model::ReturnFault).
struct ReturnFault {
  std::uint64_t function_hash;     // HashName, "*" for all of them; 0: the slot is empty.
  std::uint64_t id;                // Of the node's: no two faults have the same.
  std::uint32_t gpu;               // A slot, or kAnyGpu.
  std::int32_t code;               // nvmlReturn_t; NVML_SUCCESS: what the function answers.
  std::uint32_t gpu_instance;      // kNoInstance: of any, and outside of MIG.
  std::uint32_t compute_instance;  // Likewise.
  std::uint32_t pid;               // 0: of any process.
  std::uint32_t percent;           // Of the calls.
  std::uint64_t skip;              // So many calls of each process pass first;
  std::uint64_t times;             // then so many do not. 0: all.
  std::uint64_t delay_us;          // At most kMaxDelayUs.
};

struct NodeClock {
  std::uint32_t held;
  std::uint32_t epoch_s;      // The node's time 0, in seconds since 1970: for timestamps.
  std::int64_t node_ns;       // The node's time at
  std::int64_t monotonic_ns;  // this time of CLOCK_MONOTONIC, and since then
  double rate;                // it goes so many times as fast, unless held.
};

struct NodeState {
  char name[64];
  char driver_version[80];
  char driver_branch[80];
  char nvml_version[80];
  std::uint32_t cuda_version;  // 13000 is 13.0.
  std::uint32_t driver_loaded;
  std::uint32_t gpu_count;
  std::uint32_t next_generation;  // Of MIG instances.
  NodeClock clock;
  std::uint64_t event_count;  // Ever; the ring holds the last kEventRing of them.
  std::uint64_t seed;
  std::uint64_t return_fault_ids;       // Given ever.
  std::uint32_t return_fault_count;     // How many of the slots are in use.
  std::uint32_t nvlink_bandwidth_mode;  // Of all GPUs, as Hopper has it; NVML_GPU_NVLINK_BW_MODE_*.
  ReturnFault return_faults[kMaxReturnFaults];
};

// Something that event sets wait for (nvmlEventType*).
struct Event {
  std::uint64_t number;  // From 1; the ring's place is number % kEventRing.
  std::uint64_t type;
  std::uint64_t data;  // The XID of an XID event.
  std::uint32_t gpu;
  std::uint32_t gpu_instance;
  std::uint32_t compute_instance;
  std::uint32_t reserved;
};

inline constexpr std::uint32_t kEventRing = 4096;

// In Event::type: the event is of the system (nvmlSystemEventType*), not of a GPU's event sets.
inline constexpr std::uint64_t kSystemEvent = std::uint64_t{1} << 63;

// The driver lets go of a GPU, or takes hold of it.
constexpr Event BindingEvent(std::uint32_t slot, bool bound) {
  return {.number = 0,
          .type = kSystemEvent | (bound ? 2U : 1U),
          .data = 0,
          .gpu = slot,
          .gpu_instance = kNoInstance,
          .compute_instance = kNoInstance,
          .reserved = 0};
}

// FNV-1a, 64 bits: how function names stand in the state.
constexpr std::uint64_t HashName(const char* name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (; *name != '\0'; ++name) {
    hash = (hash ^ static_cast<unsigned char>(*name)) * 0x100000001b3;
  }
  return hash;
}

static_assert(std::is_trivially_copyable_v<GpuState> && std::is_trivially_copyable_v<NodeState>);
static_assert(sizeof(GpuState) % 8 == 0 && sizeof(NodeState) % 8 == 0);

}  // namespace assay::fakegpu::layout

#endif  // ASSAY_FAKEGPU_LAYOUT_STATE_H_
