// ECC: its mode, its counts, and the rows that were remapped.

#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

bool IsErrorType(nvmlMemoryErrorType_t type) {
  return type == NVML_MEMORY_ERROR_TYPE_CORRECTED || type == NVML_MEMORY_ERROR_TYPE_UNCORRECTED;
}
bool IsCounterType(nvmlEccCounterType_t type) {
  return type == NVML_VOLATILE_ECC || type == NVML_AGGREGATE_ECC;
}

const layout::EccCounts& Counts(const Gpu& gpu, nvmlEccCounterType_t type) {
  return type == NVML_VOLATILE_ECC ? gpu.state.health.ecc_volatile : gpu.state.health.ecc_aggregate;
}

// A read that needs ECC to be on.
template <typename Body>
nvmlReturn_t ReadEcc(const DeviceCall& call, Body&& body) {
  return ReadDevice(call, [&](const Gpu& gpu) {
    return gpu.state.settings.ecc_current == 0 ? NVML_ERROR_NOT_SUPPORTED : body(gpu);
  });
}

// A read that needs the row remapper: older boards retire pages instead.
template <typename Body>
nvmlReturn_t ReadRemapper(const DeviceCall& call, Body&& body) {
  return ReadDevice(call, [&](const Gpu& gpu) {
    return gpu.state.identity.retires_pages != 0 ? NVML_ERROR_NOT_SUPPORTED : body(gpu);
  });
}

// What the row remapper has left, out of 640 banks of an HBM board.
constexpr unsigned int kBanks = 640;

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, nvmlEnableState_t* current,
                                              nvmlEnableState_t* pending) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(current, pending)}, [&](const Gpu& gpu) {
    *current = static_cast<nvmlEnableState_t>(gpu.state.settings.ecc_current);
    *pending = static_cast<nvmlEnableState_t>(gpu.state.settings.ecc_pending);
    return NVML_SUCCESS;
  });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetDefaultEccMode(nvmlDevice_t device,
                                                     nvmlEnableState_t* defaultMode) {
  return Get(DeviceCall{__func__, device}, defaultMode,
             [](const Gpu&) { return NVML_FEATURE_ENABLED; });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceSetEccMode(nvmlDevice_t device, nvmlEnableState_t ecc) {
  const bool known = ecc == NVML_FEATURE_DISABLED || ecc == NVML_FEATURE_ENABLED;
  return ChangeDevice(DeviceCall{__func__, device, known},
                      [ecc](layout::Transaction&, layout::GpuState& gpu) {
                        gpu.settings.ecc_pending = ecc;  // Current after the next reset.
                        return NVML_SUCCESS;
                      });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetMemoryErrorCounter(nvmlDevice_t device,
                                                         nvmlMemoryErrorType_t errorType,
                                                         nvmlEccCounterType_t counterType,
                                                         nvmlMemoryLocation_t locationType,
                                                         unsigned long long* count) {
  const bool ok = NotNull(count) && IsErrorType(errorType) && IsCounterType(counterType) &&
                  locationType >= 0 && locationType < NVML_MEMORY_LOCATION_COUNT;
  return ReadEcc(DeviceCall{__func__, device, ok}, [&](const Gpu& gpu) {
    *count = Counts(gpu, counterType).by_location[errorType][locationType];
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device,
                                                     nvmlMemoryErrorType_t errorType,
                                                     nvmlEccCounterType_t counterType,
                                                     unsigned long long* eccCounts) {
  const bool ok = NotNull(eccCounts) && IsErrorType(errorType) && IsCounterType(counterType);
  return ReadEcc(DeviceCall{__func__, device, ok}, [&](const Gpu& gpu) {
    unsigned long long total = 0;
    for (const std::uint64_t count : Counts(gpu, counterType).by_location[errorType]) {
      total += count;
    }
    *eccCounts = total;
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetDetailedEccErrors(nvmlDevice_t device,
                                                        nvmlMemoryErrorType_t errorType,
                                                        nvmlEccCounterType_t counterType,
                                                        nvmlEccErrorCounts_t* eccCounts) {
  const bool ok = NotNull(eccCounts) && IsErrorType(errorType) && IsCounterType(counterType);
  return ReadEcc(DeviceCall{__func__, device, ok}, [&](const Gpu& gpu) {
    const auto& counts = Counts(gpu, counterType).by_location[errorType];
    *eccCounts = {.l1Cache = counts[NVML_MEMORY_LOCATION_L1_CACHE],
                  .l2Cache = counts[NVML_MEMORY_LOCATION_L2_CACHE],
                  .deviceMemory = counts[NVML_MEMORY_LOCATION_DEVICE_MEMORY],
                  .registerFile = counts[NVML_MEMORY_LOCATION_REGISTER_FILE]};
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceClearEccErrorCounts(nvmlDevice_t device,
                                                       nvmlEccCounterType_t counterType) {
  return ChangeDevice(DeviceCall{__func__, device, IsCounterType(counterType)},
                      [counterType](layout::Transaction&, layout::GpuState& gpu) {
                        if (gpu.settings.ecc_current == 0) {
                          return NVML_ERROR_NOT_SUPPORTED;
                        }
                        (counterType == NVML_VOLATILE_ECC ? gpu.health.ecc_volatile
                                                          : gpu.health.ecc_aggregate) = {};
                        return NVML_SUCCESS;
                      });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetSramEccErrorStatus(nvmlDevice_t device,
                                                         nvmlEccSramErrorStatus_t* status) {
  return ReadEcc(DeviceCall{__func__, device, NotNull(status)}, [&](const Gpu& gpu) {
    if (status->version != nvmlEccSramErrorStatus_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    const layout::Health& health = gpu.state.health;
    constexpr int kCorrected = NVML_MEMORY_ERROR_TYPE_CORRECTED;
    constexpr int kUncorrected = NVML_MEMORY_ERROR_TYPE_UNCORRECTED;
    constexpr int kSram = NVML_MEMORY_LOCATION_SRAM;
    const unsigned int version = status->version;
    *status = {};
    status->version = version;
    status->aggregateUncSecDed = health.ecc_aggregate.by_location[kUncorrected][kSram];
    status->aggregateCor = health.ecc_aggregate.by_location[kCorrected][kSram];
    status->volatileUncSecDed = health.ecc_volatile.by_location[kUncorrected][kSram];
    status->volatileCor = health.ecc_volatile.by_location[kCorrected][kSram];
    status->aggregateUncBucketOther = status->aggregateUncSecDed;
    return NVML_SUCCESS;
  });
}

// Those of the model are all of one place.
NVML_EXPORT nvmlReturn_t nvmlDeviceGetSramUniqueUncorrectedEccErrorCounts(
    nvmlDevice_t device, nvmlEccSramUniqueUncorrectedErrorCounts_t* errorCounts) {
  const unsigned int size = errorCounts != nullptr ? errorCounts->entryCount : 0;
  return ReadEcc(DeviceCall{__func__, device, NotNull(errorCounts)}, [&](const Gpu& gpu) {
    if (errorCounts->version != nvmlEccSramUniqueUncorrectedErrorCounts_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    const std::uint64_t errors =
        gpu.state.health.ecc_aggregate
            .by_location[NVML_MEMORY_ERROR_TYPE_UNCORRECTED][NVML_MEMORY_LOCATION_SRAM];
    errorCounts->entryCount = errors != 0 ? 1 : 0;
    if (errors == 0 || (size == 0 && errorCounts->entries == nullptr)) {
      return NVML_SUCCESS;
    }
    if (size == 0 || errorCounts->entries == nullptr) {
      return NVML_ERROR_INSUFFICIENT_SIZE;
    }
    errorCounts->entries[0] = {.unit = 0,
                               .location = 0,
                               .sublocation = 0,
                               .extlocation = 0,
                               .address = 0,
                               .isParity = 0,
                               .count = static_cast<unsigned int>(errors)};
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned int* corrRows,
                                                   unsigned int* uncRows, unsigned int* isPending,
                                                   unsigned int* failureOccurred) {
  const bool ok = NotNull(corrRows, uncRows, isPending, failureOccurred);
  return ReadRemapper(DeviceCall{__func__, device, ok}, [&](const Gpu& gpu) {
    const layout::Health& health = gpu.state.health;
    *corrRows = health.remapped_corrected;
    *uncRows = health.remapped_uncorrected;
    *isPending = health.remap_pending;
    *failureOccurred = health.remap_failed;
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetRemappedRows_v2(nvmlDevice_t device,
                                                      nvmlRemappedRowsInfo_v2_t* info) {
  return ReadRemapper(DeviceCall{__func__, device, NotNull(info)}, [&](const Gpu& gpu) {
    const layout::Health& health = gpu.state.health;
    *info = {.corrActiveRemaps = health.remapped_corrected,
             .corrInactiveRemaps = 0,
             .uncActiveRemaps = health.remapped_uncorrected,
             .uncInactiveRemaps = 0,
             .bPending = health.remap_pending,
             .bFailureOccurred = health.remap_failed};
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t
nvmlDeviceGetRowRemapperHistogram(nvmlDevice_t device, nvmlRowRemapperHistogramValues_t* values) {
  return ReadRemapper(DeviceCall{__func__, device, NotNull(values)}, [&](const Gpu& gpu) {
    const layout::Health& health = gpu.state.health;
    // Each remapped row is of a bank of its own, which has most of its spares left; a failure
    // is a bank with none.
    const unsigned int remapped = health.remapped_corrected + health.remapped_uncorrected;
    const unsigned int none = health.remap_failed != 0 ? 1 : 0;
    const unsigned int high = remapped < kBanks - none ? remapped : kBanks - none;
    *values = {.max = kBanks - none - high, .high = high, .partial = 0, .low = 0, .none = none};
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetRepairStatus(nvmlDevice_t device,
                                                   nvmlRepairStatus_t* repairStatus) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(repairStatus)}, [&](const Gpu&) {
    if (repairStatus->version != nvmlRepairStatus_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    repairStatus->bChannelRepairPending = 0;
    repairStatus->bTpcRepairPending = 0;
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetUnrepairableMemoryFlag_v1(
    nvmlDevice_t device, nvmlUnrepairableMemoryStatus_v1_t* status) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(status)}, [&](const Gpu& gpu) {
    status->bUnrepairableMemory = gpu.state.health.remap_failed;
    return NVML_SUCCESS;
  });
}

}  // namespace assay::fakegpu::nvml
