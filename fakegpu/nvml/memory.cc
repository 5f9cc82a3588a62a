// Device memory and BAR1.

#include "fakegpu/nvml/call.h"
#include "fakegpu/nvml/mig.h"

namespace assay::fakegpu::nvml {

NVML_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t* memory) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(memory)}.OrMig(), [&](const Gpu& gpu) {
    const layout::Memory read = MemoryOfDevice(gpu);
    // The first version has no word for what is reserved, and counts it as used.
    *memory = {.total = read.total_bytes,
               .free = read.free_bytes,
               .used = read.reserved_bytes + read.used_bytes};
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t* memory) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(memory)}.OrMig(), [&](const Gpu& gpu) {
    if (memory->version != nvmlMemory_v2) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    const layout::Memory read = MemoryOfDevice(gpu);
    memory->total = read.total_bytes;
    memory->reserved = read.reserved_bytes;
    memory->free = read.free_bytes;
    memory->used = read.used_bytes;
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device,
                                                     nvmlBAR1Memory_t* bar1Memory) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(bar1Memory)}.OrMig(), [&](const Gpu& gpu) {
    // The driver's own mappings, and 2 MiB for each process.
    constexpr std::uint64_t kMebibyte = 1024 * 1024;
    std::uint64_t used = kMebibyte;
    for (const layout::Process& process : gpu.state.processes) {
      used += process.type != layout::Process::kFree ? 2 * kMebibyte : 0;
    }
    const std::uint64_t total = gpu.state.identity.bar1_total_bytes;
    used = used < total ? used : total;
    *bar1Memory = {.bar1Total = total, .bar1Free = total - used, .bar1Used = used};
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetMemoryBusWidth(nvmlDevice_t device, unsigned int* busWidth) {
  return Get(DeviceCall{__func__, device}, busWidth,
             [](const Gpu& gpu) { return gpu.state.identity.memory_bus_bits; });
}

}  // namespace assay::fakegpu::nvml
