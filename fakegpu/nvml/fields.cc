// nvmlDeviceGetFieldValues: many small readings by number, each with its own return code.

#include "fakegpu/nvml/call.h"
#include "fakegpu/nvml/nvlink.h"
#include "fakegpu/nvml/traffic.h"

namespace assay::fakegpu::nvml {
namespace {

struct Value {
  nvmlReturn_t code = NVML_ERROR_NOT_SUPPORTED;
  nvmlValueType_t type = NVML_VALUE_TYPE_UNSIGNED_INT;
  unsigned long long number = 0;
};

Value Number(std::uint64_t number) {
  return {NVML_SUCCESS, NVML_VALUE_TYPE_UNSIGNED_INT, number & 0xffff'ffff};
}
Value Long(std::uint64_t number) {
  return {NVML_SUCCESS, NVML_VALUE_TYPE_UNSIGNED_LONG_LONG, number};
}

std::uint64_t Sum(const std::uint64_t (&counts)[8]) {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : counts) {
    sum += count;
  }
  return sum;
}

struct EccField {
  unsigned int field;
  bool aggregate;
  int type;      // 0 corrected, 1 uncorrected.
  int location;  // -1: all.
};
constexpr EccField kEccFields[] = {
    {NVML_FI_DEV_ECC_SBE_VOL_TOTAL, false, 0, -1},
    {NVML_FI_DEV_ECC_DBE_VOL_TOTAL, false, 1, -1},
    {NVML_FI_DEV_ECC_SBE_AGG_TOTAL, true, 0, -1},
    {NVML_FI_DEV_ECC_DBE_AGG_TOTAL, true, 1, -1},
    {NVML_FI_DEV_ECC_SBE_VOL_L1, false, 0, NVML_MEMORY_LOCATION_L1_CACHE},
    {NVML_FI_DEV_ECC_DBE_VOL_L1, false, 1, NVML_MEMORY_LOCATION_L1_CACHE},
    {NVML_FI_DEV_ECC_SBE_VOL_L2, false, 0, NVML_MEMORY_LOCATION_L2_CACHE},
    {NVML_FI_DEV_ECC_DBE_VOL_L2, false, 1, NVML_MEMORY_LOCATION_L2_CACHE},
    {NVML_FI_DEV_ECC_SBE_VOL_DEV, false, 0, NVML_MEMORY_LOCATION_DRAM},
    {NVML_FI_DEV_ECC_DBE_VOL_DEV, false, 1, NVML_MEMORY_LOCATION_DRAM},
    {NVML_FI_DEV_ECC_SBE_VOL_REG, false, 0, NVML_MEMORY_LOCATION_REGISTER_FILE},
    {NVML_FI_DEV_ECC_DBE_VOL_REG, false, 1, NVML_MEMORY_LOCATION_REGISTER_FILE},
    {NVML_FI_DEV_ECC_SBE_VOL_TEX, false, 0, NVML_MEMORY_LOCATION_TEXTURE_MEMORY},
    {NVML_FI_DEV_ECC_DBE_VOL_TEX, false, 1, NVML_MEMORY_LOCATION_TEXTURE_MEMORY},
    {NVML_FI_DEV_ECC_DBE_VOL_CBU, false, 1, NVML_MEMORY_LOCATION_CBU},
    {NVML_FI_DEV_ECC_SBE_AGG_L1, true, 0, NVML_MEMORY_LOCATION_L1_CACHE},
    {NVML_FI_DEV_ECC_DBE_AGG_L1, true, 1, NVML_MEMORY_LOCATION_L1_CACHE},
    {NVML_FI_DEV_ECC_SBE_AGG_L2, true, 0, NVML_MEMORY_LOCATION_L2_CACHE},
    {NVML_FI_DEV_ECC_DBE_AGG_L2, true, 1, NVML_MEMORY_LOCATION_L2_CACHE},
    {NVML_FI_DEV_ECC_SBE_AGG_DEV, true, 0, NVML_MEMORY_LOCATION_DRAM},
    {NVML_FI_DEV_ECC_DBE_AGG_DEV, true, 1, NVML_MEMORY_LOCATION_DRAM},
    {NVML_FI_DEV_ECC_SBE_AGG_REG, true, 0, NVML_MEMORY_LOCATION_REGISTER_FILE},
    {NVML_FI_DEV_ECC_DBE_AGG_REG, true, 1, NVML_MEMORY_LOCATION_REGISTER_FILE},
    {NVML_FI_DEV_ECC_SBE_AGG_TEX, true, 0, NVML_MEMORY_LOCATION_TEXTURE_MEMORY},
    {NVML_FI_DEV_ECC_DBE_AGG_TEX, true, 1, NVML_MEMORY_LOCATION_TEXTURE_MEMORY},
    {NVML_FI_DEV_ECC_DBE_AGG_CBU, true, 1, NVML_MEMORY_LOCATION_CBU}};

Value EccValue(const layout::GpuState& gpu, unsigned int field) {
  if (gpu.settings.ecc_current == 0) {
    return {};
  }
  for (const EccField& row : kEccFields) {
    if (row.field == field) {
      const layout::Health& health = gpu.health;
      const auto& counts =
          (row.aggregate ? health.ecc_aggregate : health.ecc_volatile).by_location[row.type];
      return Long(row.location < 0 ? Sum(counts) : counts[row.location]);
    }
  }
  return {};
}

// Retired pages or remapped rows: a board has one of them.
Value RepairValue(const layout::GpuState& gpu, unsigned int field) {
  const layout::Health& health = gpu.health;
  const bool retires = gpu.identity.retires_pages != 0;
  switch (field) {
    case NVML_FI_DEV_RETIRED_SBE:
    case NVML_FI_DEV_RETIRED_DBE:
      return retires ? Number(health.retired[field - NVML_FI_DEV_RETIRED_SBE].count) : Value{};
    case NVML_FI_DEV_RETIRED_PENDING:
    case NVML_FI_DEV_RETIRED_PENDING_DBE:
      return retires ? Number(health.remap_pending) : Value{};
    case NVML_FI_DEV_RETIRED_PENDING_SBE:
      return retires ? Number(0) : Value{};
    case NVML_FI_DEV_REMAPPED_COR:
      return retires ? Value{} : Number(health.remapped_corrected);
    case NVML_FI_DEV_REMAPPED_UNC:
      return retires ? Value{} : Number(health.remapped_uncorrected);
    case NVML_FI_DEV_REMAPPED_PENDING:
      return retires ? Value{} : Number(health.remap_pending);
    case NVML_FI_DEV_REMAPPED_FAILURE:
      return retires ? Value{} : Number(health.remap_failed);
    case NVML_FI_DEV_REMAPPED_ROWS_COR_INACTIVE:
    case NVML_FI_DEV_REMAPPED_ROWS_UNC_INACTIVE:
      return retires ? Value{} : Number(0);
    default:
      return {};
  }
}

// The error counters by link, which the older fields have one number for each of: twelve links, the
// first six in one run, the others in a later one, and a total.
struct LinkErrorFields {
  unsigned int first;
  unsigned int seventh;
  unsigned int total;
  nvmlNvLinkErrorCounter_t counter;
};
constexpr LinkErrorFields kLinkErrorFields[] = {
    {NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_L0, NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_L6,
     NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL, NVML_NVLINK_ERROR_DL_CRC_FLIT},
    {NVML_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_L0, NVML_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_L6,
     NVML_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL, NVML_NVLINK_ERROR_DL_CRC_DATA},
    {NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_L0, NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_L6,
     NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL, NVML_NVLINK_ERROR_DL_REPLAY},
    {NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_L0, NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_L6,
     NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL, NVML_NVLINK_ERROR_DL_RECOVERY}};
constexpr unsigned int kNoLink = 0xffffffff;

// Which links a field is of (kNoLink: all), and which counter; false if it is none of these.
bool FindLinkError(unsigned int field, unsigned int* link, nvmlNvLinkErrorCounter_t* counter) {
  for (const LinkErrorFields& row : kLinkErrorFields) {
    *counter = row.counter;
    if (field >= row.first && field < row.first + 6) {
      *link = field - row.first;
      return true;
    }
    if (field >= row.seventh && field < row.seventh + 6) {
      *link = field - row.seventh + 6;
      return true;
    }
    if (field == row.total) {
      *link = kNoLink;
      return true;
    }
  }
  return false;
}

Value LinkErrors(const layout::GpuState& gpu, unsigned int link, nvmlNvLinkErrorCounter_t counter) {
  if (link != kNoLink) {
    return gpu.links[link].present != 0 ? Long(gpu.links[link].errors[counter]) : Value{};
  }
  std::uint64_t sum = 0;
  for (const layout::Link& entry : gpu.links) {
    sum += entry.present != 0 ? entry.errors[counter] : 0;
  }
  return Long(sum);
}

std::uint32_t CountLinks(const layout::GpuState& gpu, bool only_to_switches) {
  std::uint32_t count = 0;
  for (const layout::Link& link : gpu.links) {
    if (link.present != 0 && (!only_to_switches || link.remote == layout::Link::kSwitch)) {
      ++count;
    }
  }
  return count;
}

// What went over a link (or all: kNoLink) each way, ever. A link that is down tells nothing.
Value LinkTraffic(const Gpu& gpu, unsigned int link, double unit_bytes) {
  const layout::GpuState& state = gpu.state;
  const double busy = layout::TrailAt(state, gpu.Now()).sm_seconds / unit_bytes;
  if (link == kNoLink) {
    return Long(layout::Whole<std::uint64_t>(busy * NvLinkBytesPerBusySecond(state)));
  }
  if (link >= layout::kMaxLinks || !IsCarrying(state.links[link])) {
    return {};
  }
  return Long(layout::Whole<std::uint64_t>(busy * LinkBytesPerBusySecond(state)));
}

// Fields of one link, which the scope names.
Value ScopedLinkValue(const layout::GpuState& gpu, unsigned int field, const layout::Link& link) {
  switch (field) {
    case NVML_FI_DEV_NVLINK_REMOTE_NVLINK_ID:
      return link.remote != layout::Link::kNone ? Number(link.remote_link) : Value{};
    case NVML_FI_DEV_NVLINK_GET_SPEED:
    case NVML_FI_DEV_NVLINK_GET_DATA_RATE:
      return Number(link.up != 0 ? gpu.nvlink_mbps : 0);
    case NVML_FI_DEV_NVLINK_GET_STATE:
      return Number(link.up);
    case NVML_FI_DEV_NVLINK_GET_VERSION:
      return Number(NvLinkVersionCode(gpu.nvlink_version));
    case NVML_FI_DEV_NVLINK_GET_POWER_STATE:
      return Number(0);  // High speed.
    case NVML_FI_DEV_NVLINK_ERROR_DL_REPLAY:
      return Long(link.errors[NVML_NVLINK_ERROR_DL_REPLAY]);
    case NVML_FI_DEV_NVLINK_ERROR_DL_RECOVERY:
      return Long(link.errors[NVML_NVLINK_ERROR_DL_RECOVERY]);
    case NVML_FI_DEV_NVLINK_ERROR_DL_CRC:
      return Long(link.errors[NVML_NVLINK_ERROR_DL_CRC_FLIT]);
    case NVML_FI_DEV_NVLINK_COUNT_LINK_RECOVERY_EVENTS:
    case NVML_FI_DEV_NVLINK_COUNT_LINK_RECOVERY_SUCCESSFUL_EVENTS:
      return Long(link.errors[NVML_NVLINK_ERROR_DL_RECOVERY]);
    case NVML_FI_DEV_NVLINK_COUNT_RCV_ERRORS:
    case NVML_FI_DEV_NVLINK_COUNT_EFFECTIVE_ERRORS:
    case NVML_FI_DEV_NVLINK_COUNT_SYMBOL_ERRORS:
      return Long(link.errors[NVML_NVLINK_ERROR_DL_CRC_FLIT]);
    case NVML_FI_DEV_NVLINK_COUNT_MALFORMED_PACKET_ERRORS:
    case NVML_FI_DEV_NVLINK_COUNT_BUFFER_OVERRUN_ERRORS:
    case NVML_FI_DEV_NVLINK_COUNT_RCV_REMOTE_ERRORS:
    case NVML_FI_DEV_NVLINK_COUNT_RCV_GENERAL_ERRORS:
    case NVML_FI_DEV_NVLINK_COUNT_LOCAL_LINK_INTEGRITY_ERRORS:
    case NVML_FI_DEV_NVLINK_COUNT_XMIT_DISCARDS:
    case NVML_FI_DEV_NVLINK_COUNT_VL15_DROPPED:
    case NVML_FI_DEV_NVLINK_COUNT_LINK_RECOVERY_FAILED_EVENTS:
      return Long(0);
    default:
      return {};
  }
}

// After how long idle a link sleeps: of the board, in units of its generation.
Value LowPowerThreshold(const layout::GpuState& gpu, unsigned int field) {
  const bool supported = gpu.identity.architecture >= NVML_DEVICE_ARCH_HOPPER;
  if (field == NVML_FI_DEV_NVLINK_GET_POWER_THRESHOLD_SUPPORTED) {
    return Number(supported ? 1 : 0);
  }
  if (!supported) {
    return {};
  }
  switch (field) {
    case NVML_FI_DEV_NVLINK_GET_POWER_THRESHOLD:  // The longest, where none was set.
      return Number(gpu.settings.nvlink_low_power_threshold != 0
                        ? gpu.settings.nvlink_low_power_threshold
                        : NVML_NVLINK_LOW_POWER_THRESHOLD_MAX);
    case NVML_FI_DEV_NVLINK_GET_POWER_THRESHOLD_MIN:
      return Number(NVML_NVLINK_LOW_POWER_THRESHOLD_MIN);
    case NVML_FI_DEV_NVLINK_GET_POWER_THRESHOLD_MAX:
      return Number(NVML_NVLINK_LOW_POWER_THRESHOLD_MAX);
    case NVML_FI_DEV_NVLINK_GET_POWER_THRESHOLD_UNITS:
      return Number(gpu.identity.architecture >= NVML_DEVICE_ARCH_BLACKWELL
                        ? NVML_NVLINK_LOW_POWER_THRESHOLD_UNIT_50US
                        : NVML_NVLINK_LOW_POWER_THRESHOLD_UNIT_100US);
    default:
      return {};
  }
}

bool IsTraffic(unsigned int field) {
  return (field >= NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX &&
          field <= NVML_FI_DEV_NVLINK_THROUGHPUT_RAW_RX) ||
         field == NVML_FI_DEV_NVLINK_COUNT_XMIT_BYTES ||
         field == NVML_FI_DEV_NVLINK_COUNT_RCV_BYTES ||
         field == NVML_FI_DEV_NVLINK_COUNT_XMIT_PACKETS ||
         field == NVML_FI_DEV_NVLINK_COUNT_RCV_PACKETS;
}

// `scope` is the link's number for the readings of one link.
Value LinkValue(const Gpu& gpu, unsigned int field, unsigned int scope) {
  constexpr double kKibibyte = 1024;
  constexpr double kPacketBytes = 256;
  const layout::GpuState& state = gpu.state;
  if (state.nvlink_version == 0) {
    return {};
  }
  unsigned int link = 0;
  nvmlNvLinkErrorCounter_t counter{};
  if (FindLinkError(field, &link, &counter)) {
    return LinkErrors(state, link, counter);
  }
  if (IsTraffic(field)) {
    const bool kibibytes = field <= NVML_FI_DEV_NVLINK_THROUGHPUT_RAW_RX;
    const bool packets = field == NVML_FI_DEV_NVLINK_COUNT_XMIT_PACKETS ||
                         field == NVML_FI_DEV_NVLINK_COUNT_RCV_PACKETS;
    return LinkTraffic(gpu, scope, kibibytes ? kKibibyte : packets ? kPacketBytes : 1);
  }
  if ((field >= NVML_FI_DEV_NVLINK_SPEED_MBPS_L0 && field <= NVML_FI_DEV_NVLINK_SPEED_MBPS_L5) ||
      (field >= NVML_FI_DEV_NVLINK_SPEED_MBPS_L6 && field <= NVML_FI_DEV_NVLINK_SPEED_MBPS_L11)) {
    link = field >= NVML_FI_DEV_NVLINK_SPEED_MBPS_L6 ? field - NVML_FI_DEV_NVLINK_SPEED_MBPS_L6 + 6
                                                     : field - NVML_FI_DEV_NVLINK_SPEED_MBPS_L0;
    return state.links[link].present != 0 ? Number(state.nvlink_mbps) : Value{};
  }
  switch (field) {
    case NVML_FI_DEV_NVLINK_LINK_COUNT:
      return Number(CountLinks(state, false));
    case NVML_FI_DEV_NVSWITCH_CONNECTED_LINK_COUNT:
      return Number(CountLinks(state, true));
    case NVML_FI_DEV_NVLINK_SPEED_MBPS_COMMON:
      return Number(state.nvlink_mbps);
    default:
      break;
  }
  if (const Value threshold = LowPowerThreshold(state, field); threshold.code == NVML_SUCCESS) {
    return threshold;
  }
  return scope < layout::kMaxLinks && state.links[scope].present != 0
             ? ScopedLinkValue(state, field, state.links[scope])
             : Value{};
}

// `scope` is what draws the power: the GPU, or its memory or its module, of which nothing is known.
Value PowerValue(const Gpu& gpu, unsigned int field, unsigned int scope) {
  const layout::GpuState& state = gpu.state;
  if (scope != NVML_POWER_SCOPE_GPU) {
    return {};
  }
  switch (field) {
    case NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION:
    case NVML_FI_DEV_ENERGY:
      return Long(gpu.Measure().energy_mj);
    case NVML_FI_DEV_POWER_AVERAGE:
    case NVML_FI_DEV_POWER_INSTANT:
      return Number(gpu.Measure().power_mw);
    case NVML_FI_DEV_POWER_MIN_LIMIT:
      return Number(state.limits.power_min_mw);
    case NVML_FI_DEV_POWER_MAX_LIMIT:
      return Number(state.limits.power_max_mw);
    case NVML_FI_DEV_POWER_DEFAULT_LIMIT:
      return Number(state.limits.power_default_mw);
    case NVML_FI_DEV_POWER_CURRENT_LIMIT:
    case NVML_FI_DEV_POWER_REQUESTED_LIMIT:
      return Number(state.settings.power_limit_mw != 0 ? state.settings.power_limit_mw
                                                       : state.limits.power_default_mw);
    default:
      return {};
  }
}

// Temperatures, and thresholds as what is left to them from the slowdown threshold on, as boards
// tell them since Ada.
Value TemperatureValue(const Gpu& gpu, unsigned int field) {
  const layout::Limits& limits = gpu.state.limits;
  if (field != NVML_FI_DEV_MEMORY_TEMP && gpu.state.identity.architecture < NVML_DEVICE_ARCH_ADA) {
    return {};
  }
  const auto margin = [&limits](std::uint32_t celsius) {
    return Value{NVML_SUCCESS, NVML_VALUE_TYPE_SIGNED_INT, limits.temperature_slowdown_c - celsius};
  };
  switch (field) {
    case NVML_FI_DEV_MEMORY_TEMP:
      return Number(gpu.Measure().memory_temperature_c);
    case NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT:
      return margin(limits.temperature_shutdown_c);
    case NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT:
      return margin(limits.temperature_slowdown_c);
    case NVML_FI_DEV_TEMPERATURE_MEM_MAX_TLIMIT:
      return margin(limits.temperature_memory_max_c);
    case NVML_FI_DEV_TEMPERATURE_GPU_MAX_TLIMIT:
      return margin(limits.temperature_gpu_max_c);
    default:
      return {};
  }
}

// Nanoseconds for which clocks were held down, by reason.
Value ThrottleValue(const Gpu& gpu, unsigned int field) {
  const auto nanoseconds = [](double seconds) {
    return Long(layout::Whole<std::uint64_t>(seconds * 1e9));
  };
  const layout::Trail trail = layout::TrailAt(gpu.state, gpu.Now());
  switch (field) {
    case NVML_FI_DEV_PERF_POLICY_POWER:  // Also CLOCKS_EVENT_REASON_SW_POWER_CAP.
      return nanoseconds(trail.power_capped_seconds);
    case NVML_FI_DEV_PERF_POLICY_THERMAL:
    case NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN:
      return nanoseconds(trail.thermal_seconds);
    case NVML_FI_DEV_PERF_POLICY_BOARD_LIMIT:
    case NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN:
      return nanoseconds(trail.brake_seconds);
    case NVML_FI_DEV_PERF_POLICY_TOTAL_BASE_CLOCKS:
      return nanoseconds(trail.power_capped_seconds + trail.thermal_seconds + trail.brake_seconds);
    // The model never holds clocks down for these.
    case NVML_FI_DEV_PERF_POLICY_SYNC_BOOST:
    case NVML_FI_DEV_PERF_POLICY_LOW_UTILIZATION:
    case NVML_FI_DEV_PERF_POLICY_RELIABILITY:
    case NVML_FI_DEV_PERF_POLICY_TOTAL_APP_CLOCKS:
    case NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN:
      return nanoseconds(0);
    default:
      return {};
  }
}

Value PcieValue(const Gpu& gpu, unsigned int field) {
  const layout::GpuState& state = gpu.state;
  const auto bytes = [&](double share) {
    return Long(layout::Whole<std::uint64_t>(layout::TrailAt(state, gpu.Now()).sm_seconds *
                                             PcieBytesPerBusySecond(state) * share));
  };
  switch (field) {
    case NVML_FI_DEV_PCIE_REPLAY_COUNTER:
      return Number(state.health.pcie_replays);
    case NVML_FI_DEV_PCIE_COUNT_TX_BYTES:
      return bytes(0.5);
    case NVML_FI_DEV_PCIE_COUNT_RX_BYTES:
      return bytes(1);
    // Replays are what the model has of PCIe errors: each is of a packet that was not acknowledged.
    case NVML_FI_DEV_PCIE_COUNT_CORRECTABLE_ERRORS:
    case NVML_FI_DEV_PCIE_COUNT_NAKS_RECEIVED:
    case NVML_FI_DEV_PCIE_COUNT_BAD_TLP:
    case NVML_FI_DEV_PCIE_COUNT_LCRC_ERROR:
      return Number(state.health.pcie_replays);
    case NVML_FI_DEV_PCIE_REPLAY_ROLLOVER_COUNTER:
    case NVML_FI_DEV_PCIE_L0_TO_RECOVERY_COUNTER:
    case NVML_FI_DEV_PCIE_COUNT_RECEIVER_ERROR:
    case NVML_FI_DEV_PCIE_COUNT_NAKS_SENT:
    case NVML_FI_DEV_PCIE_COUNT_BAD_DLLP:
    case NVML_FI_DEV_PCIE_COUNT_NON_FATAL_ERROR:
    case NVML_FI_DEV_PCIE_COUNT_FATAL_ERROR:
    case NVML_FI_DEV_PCIE_COUNT_UNSUPPORTED_REQ:
    case NVML_FI_DEV_PCIE_COUNT_LANE_ERROR:
      return Number(0);
    default:
      return {};
  }
}

Value C2cValue(const layout::GpuState& gpu, unsigned int field, unsigned int scope) {
  if (field == NVML_FI_DEV_C2C_LINK_COUNT) {
    return Number(gpu.identity.c2c_links);
  }
  if (scope >= gpu.identity.c2c_links) {
    return {};
  }
  switch (field) {
    case NVML_FI_DEV_C2C_LINK_GET_STATUS:
      return Number(1);
    case NVML_FI_DEV_C2C_LINK_GET_MAX_BW:
      return Number(gpu.identity.c2c_mbps);
    case NVML_FI_DEV_C2C_LINK_ERROR_INTR:
    case NVML_FI_DEV_C2C_LINK_ERROR_REPLAY:
    case NVML_FI_DEV_C2C_LINK_ERROR_REPLAY_B2B:
      return Long(0);
    case NVML_FI_DEV_C2C_LINK_POWER_STATE:
      return Number(0);  // Full power.
    default:
      return {};
  }
}

// Of nvmlDeviceGpuRecoveryAction_t.
constexpr std::uint32_t kDrainAndReset = 4;

Value StateValue(const layout::GpuState& gpu, unsigned int field) {
  switch (field) {
    case NVML_FI_DEV_ECC_CURRENT:
      return Number(gpu.settings.ecc_current);
    case NVML_FI_DEV_ECC_PENDING:
      return Number(gpu.settings.ecc_pending);
    case NVML_FI_DEV_IS_MIG_MODE_INDEPENDENT_MIG_QUERY_CAPABLE:
    case NVML_FI_DEV_IS_RESETLESS_MIG_SUPPORTED:
      return Number(gpu.mig_supported);
    case NVML_FI_DEV_GET_GPU_RECOVERY_ACTION:
      return Number(gpu.health.recovery_action);
    case NVML_FI_DEV_RESET_STATUS:
      return Number(
          gpu.health.recovery_action != 0 && gpu.health.recovery_action != kDrainAndReset ? 1 : 0);
    case NVML_FI_DEV_DRAIN_AND_RESET_STATUS:
      return Number(gpu.health.recovery_action == kDrainAndReset ? 1 : 0);
    default:
      return {};
  }
}

// The first group that knows the field: no field is of two.
Value ValueOf(const Gpu& gpu, unsigned int field, unsigned int scope) {
  Value value = StateValue(gpu.state, field);
  const auto unless_found = [&value](auto&& next) {
    if (value.code != NVML_SUCCESS) {
      value = next();
    }
  };
  unless_found([&] { return EccValue(gpu.state, field); });
  unless_found([&] { return RepairValue(gpu.state, field); });
  unless_found([&] { return PowerValue(gpu, field, scope); });
  unless_found([&] { return TemperatureValue(gpu, field); });
  unless_found([&] { return ThrottleValue(gpu, field); });
  unless_found([&] { return PcieValue(gpu, field); });
  unless_found([&] { return C2cValue(gpu.state, field, scope); });
  unless_found([&] { return LinkValue(gpu, field, scope); });
  return value;
}

void Fill(const Value& value, long long now_us, nvmlFieldValue_t* field) {
  field->timestamp = now_us;
  field->latencyUsec = 0;
  field->nvmlReturn = value.code;
  field->valueType = value.type;
  field->value.ullVal = value.number;
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int valuesCount,
                                                  nvmlFieldValue_t* values) {
  const bool ok = NotNull(values) && valuesCount > 0;
  return ReadDevice(DeviceCall{__func__, device, ok}, [&](const Gpu& gpu) {
    const auto now_us = static_cast<long long>(gpu.StampUs(gpu.Now()));
    for (int i = 0; i < valuesCount; ++i) {
      const Value value = values[i].fieldId == 0 || values[i].fieldId >= NVML_FI_MAX
                              ? Value{NVML_ERROR_INVALID_ARGUMENT}
                              : ValueOf(gpu, values[i].fieldId, values[i].scopeId);
      Fill(value, now_us, &values[i]);
    }
    return NVML_SUCCESS;
  });
}

// Only the error counters of links can be cleared.
NVML_EXPORT nvmlReturn_t nvmlDeviceClearFieldValues(nvmlDevice_t device, int valuesCount,
                                                    nvmlFieldValue_t* values) {
  const bool ok = NotNull(values) && valuesCount > 0;
  return ChangeDevice(
      DeviceCall{__func__, device, ok}, [&](layout::Transaction&, layout::GpuState& gpu) {
        for (int i = 0; i < valuesCount; ++i) {
          unsigned int link = 0;
          nvmlNvLinkErrorCounter_t counter{};
          if (gpu.nvlink_version == 0 || !FindLinkError(values[i].fieldId, &link, &counter)) {
            values[i].nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
            continue;
          }
          for (unsigned int j = 0; j < layout::kMaxLinks; ++j) {
            if (link == kNoLink || link == j) {
              gpu.links[j].errors[counter] = 0;
            }
          }
          values[i].nvmlReturn = NVML_SUCCESS;
        }
        return NVML_SUCCESS;
      });
}

}  // namespace assay::fakegpu::nvml
