// Retired pages: what boards had before rows of memory could be remapped.

#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

constexpr unsigned long long kSecondUs = 1'000'000;

nvmlReturn_t ListPages(const char* function, nvmlDevice_t device, nvmlPageRetirementCause_t cause,
                       unsigned int* count, unsigned long long* addresses,
                       unsigned long long* timestamps) {
  const bool known = cause >= 0 && cause < NVML_PAGE_RETIREMENT_CAUSE_COUNT;
  const unsigned int size = count != nullptr ? *count : 0;
  return ReadDevice(DeviceCall{function, device, NotNull(count) && known}, [&](const Gpu& gpu) {
    if (gpu.state.identity.retires_pages == 0) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    const layout::RetiredPages& retired = gpu.state.health.retired[cause];
    const std::uint32_t found =
        retired.count < layout::kMaxRetiredPages ? retired.count : layout::kMaxRetiredPages;
    *count = found;
    if (size == 0 || addresses == nullptr) {
      return found == 0 || size == 0 ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
    }
    for (std::uint32_t i = 0; i < found && i < size; ++i) {
      addresses[i] = retired.pages[i].address;
      if (timestamps != nullptr) {
        timestamps[i] = gpu.StampUs(retired.pages[i].retired_ns) / kSecondUs;
      }
    }
    return found <= size ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
  });
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlDeviceGetRetiredPages(nvmlDevice_t device,
                                                   nvmlPageRetirementCause_t cause,
                                                   unsigned int* pageCount,
                                                   unsigned long long* addresses) {
  return ListPages(__func__, device, cause, pageCount, addresses, nullptr);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetRetiredPages_v2(nvmlDevice_t device,
                                                      nvmlPageRetirementCause_t cause,
                                                      unsigned int* pageCount,
                                                      unsigned long long* addresses,
                                                      unsigned long long* timestamps) {
  return ListPages(__func__, device, cause, pageCount, addresses, timestamps);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetRetiredPagesPendingStatus(nvmlDevice_t device,
                                                                nvmlEnableState_t* isPending) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(isPending)}, [&](const Gpu& gpu) {
    if (gpu.state.identity.retires_pages == 0) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    *isPending = gpu.state.health.remap_pending != 0 ? NVML_FEATURE_ENABLED : NVML_FEATURE_DISABLED;
    return NVML_SUCCESS;
  });
}

}  // namespace assay::fakegpu::nvml
