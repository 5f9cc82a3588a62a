// nvmlDeviceGetFieldValues: many small readings by number, each with its own return code.

#include "fakegpu/nvml/call.h"

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

// ECC totals, and what of them is device memory.
Value EccValue(const layout::Health& health, unsigned int field) {
  constexpr int kDram = NVML_MEMORY_LOCATION_DRAM;
  switch (field) {
    case NVML_FI_DEV_ECC_SBE_VOL_TOTAL:
      return Long(Sum(health.ecc_volatile.by_location[0]));
    case NVML_FI_DEV_ECC_DBE_VOL_TOTAL:
      return Long(Sum(health.ecc_volatile.by_location[1]));
    case NVML_FI_DEV_ECC_SBE_AGG_TOTAL:
      return Long(Sum(health.ecc_aggregate.by_location[0]));
    case NVML_FI_DEV_ECC_DBE_AGG_TOTAL:
      return Long(Sum(health.ecc_aggregate.by_location[1]));
    case NVML_FI_DEV_ECC_SBE_VOL_DEV:
      return Long(health.ecc_volatile.by_location[0][kDram]);
    case NVML_FI_DEV_ECC_DBE_VOL_DEV:
      return Long(health.ecc_volatile.by_location[1][kDram]);
    case NVML_FI_DEV_ECC_SBE_AGG_DEV:
      return Long(health.ecc_aggregate.by_location[0][kDram]);
    case NVML_FI_DEV_ECC_DBE_AGG_DEV:
      return Long(health.ecc_aggregate.by_location[1][kDram]);
    default:
      return {};
  }
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

// `scope` is the link's number for the readings of one link.
Value LinkValue(const layout::GpuState& gpu, unsigned int field, unsigned int scope) {
  if (gpu.nvlink_version == 0) {
    return {};
  }
  if (field >= NVML_FI_DEV_NVLINK_SPEED_MBPS_L0 && field <= NVML_FI_DEV_NVLINK_SPEED_MBPS_L5) {
    return Number(gpu.nvlink_mbps);
  }
  switch (field) {
    case NVML_FI_DEV_NVLINK_LINK_COUNT:
      return Number(CountLinks(gpu, false));
    case NVML_FI_DEV_NVSWITCH_CONNECTED_LINK_COUNT:
      return Number(CountLinks(gpu, true));
    case NVML_FI_DEV_NVLINK_SPEED_MBPS_COMMON:
      return Number(gpu.nvlink_mbps);
    default:
      break;
  }
  if (scope >= layout::kMaxLinks || gpu.links[scope].present == 0) {
    return {};
  }
  const layout::Link& link = gpu.links[scope];
  switch (field) {
    case NVML_FI_DEV_NVLINK_REMOTE_NVLINK_ID:
      return Number(link.remote_link);
    case NVML_FI_DEV_NVLINK_GET_SPEED:
      return Number(link.up != 0 ? gpu.nvlink_mbps : 0);
    case NVML_FI_DEV_NVLINK_GET_STATE:
      return Number(link.up);
    case NVML_FI_DEV_NVLINK_GET_VERSION:
      return Number(gpu.nvlink_version);
    case NVML_FI_DEV_NVLINK_ERROR_DL_REPLAY:
      return Long(link.errors[NVML_NVLINK_ERROR_DL_REPLAY]);
    case NVML_FI_DEV_NVLINK_ERROR_DL_RECOVERY:
      return Long(link.errors[NVML_NVLINK_ERROR_DL_RECOVERY]);
    case NVML_FI_DEV_NVLINK_ERROR_DL_CRC:
      return Long(link.errors[NVML_NVLINK_ERROR_DL_CRC_FLIT]);
    default:
      return {};
  }
}

Value ValueOf(const Gpu& gpu, unsigned int field, unsigned int scope) {
  const layout::GpuState& state = gpu.state;
  switch (field) {
    case NVML_FI_DEV_ECC_CURRENT:
      return Number(state.settings.ecc_current);
    case NVML_FI_DEV_ECC_PENDING:
      return Number(state.settings.ecc_pending);
    case NVML_FI_DEV_MEMORY_TEMP:
      return Number(gpu.Measure().memory_temperature_c);
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
    case NVML_FI_DEV_REMAPPED_COR:
      return Number(state.health.remapped_corrected);
    case NVML_FI_DEV_REMAPPED_UNC:
      return Number(state.health.remapped_uncorrected);
    case NVML_FI_DEV_REMAPPED_PENDING:
      return Number(state.health.remap_pending);
    case NVML_FI_DEV_REMAPPED_FAILURE:
      return Number(state.health.remap_failed);
    case NVML_FI_DEV_PCIE_REPLAY_COUNTER:
      return Number(state.health.pcie_replays);
    case NVML_FI_DEV_IS_MIG_MODE_INDEPENDENT_MIG_QUERY_CAPABLE:
    case NVML_FI_DEV_IS_RESETLESS_MIG_SUPPORTED:
      return Number(state.mig_supported);
    case NVML_FI_DEV_C2C_LINK_COUNT:
      return Number(0);
    case NVML_FI_DEV_GET_GPU_RECOVERY_ACTION:
      return Number(state.health.recovery_action);
    default:
      break;
  }
  const Value ecc = state.settings.ecc_current != 0 ? EccValue(state.health, field) : Value{};
  return ecc.code == NVML_SUCCESS ? ecc : LinkValue(state, field, scope);
}

void Fill(const Value& value, std::int64_t now_us, nvmlFieldValue_t* field) {
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
    const std::int64_t now_us = gpu.Now() / 1000;
    for (int i = 0; i < valuesCount; ++i) {
      const Value value = values[i].fieldId == 0 || values[i].fieldId >= NVML_FI_MAX
                              ? Value{NVML_ERROR_INVALID_ARGUMENT}
                              : ValueOf(gpu, values[i].fieldId, values[i].scopeId);
      Fill(value, now_us, &values[i]);
    }
    return NVML_SUCCESS;
  });
}

}  // namespace assay::fakegpu::nvml
