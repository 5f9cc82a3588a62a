// How many GPUs there are, and handles to them.

#include <stdio.h>
#include <strings.h>

#include <iterator>

#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

bool IsListed(const layout::Copy& copy, std::uint32_t slot) {
  return copy.gpu(slot).health.plugged != 0 && Library::Get().IsVisible(slot);
}

// How many GPUs are listed in the slots below `end`: the index of the GPU in slot `end`.
std::uint32_t CountListed(const layout::Copy& copy, std::uint32_t end) {
  std::uint32_t count = 0;
  for (std::uint32_t slot = 0; slot < end && slot < copy.gpu_count(); ++slot) {
    count += IsListed(copy, slot) ? 1 : 0;
  }
  return count;
}

nvmlDevice_t DeviceOf(std::uint32_t slot) {
  return ToPointer<nvmlDevice_t>({.kind = HandleKind::kDevice, .slot = slot});
}

// The first listed GPU that matches(const layout::GpuState&).
template <typename Matches>
nvmlReturn_t FindDevice(const layout::Copy& copy, nvmlDevice_t* device, Matches&& matches) {
  for (std::uint32_t slot = 0; slot < copy.gpu_count(); ++slot) {
    if (IsListed(copy, slot) && matches(copy.gpu(slot))) {
      *device = DeviceOf(slot);
      return NVML_SUCCESS;
    }
  }
  return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t GetCount(const char* function, unsigned int* count) {
  return ReadNode(function, NotNull(count), [&](const layout::Copy& copy) {
    *count = CountListed(copy, copy.gpu_count());
    return NVML_SUCCESS;
  });
}

nvmlReturn_t ByIndex(const char* function, unsigned int index, nvmlDevice_t* device) {
  return ReadNode(function, NotNull(device), [&](const layout::Copy& copy) {
    std::uint32_t left = index;
    const nvmlReturn_t found =
        FindDevice(copy, device, [&left](const layout::GpuState&) { return left-- == 0; });
    return found == NVML_SUCCESS ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
  });
}

nvmlReturn_t ByUuid(const layout::Copy& copy, const char* uuid, nvmlDevice_t* device) {
  for (std::uint32_t slot = 0; slot < copy.gpu_count(); ++slot) {
    if (!IsListed(copy, slot)) {
      continue;
    }
    const layout::GpuState& gpu = copy.gpu(slot);
    if (strncasecmp(gpu.identity.uuid, uuid, sizeof(gpu.identity.uuid)) == 0) {
      *device = DeviceOf(slot);
      return NVML_SUCCESS;
    }
    for (std::uint32_t i = 0; i < layout::kMaxGpuInstances; ++i) {
      for (std::uint32_t j = 0; j < layout::kMaxComputeInstances; ++j) {
        const layout::ComputeInstance& instance = gpu.gpu_instances[i].compute_instances[j];
        if (gpu.gpu_instances[i].used != 0 && instance.used != 0 &&
            strncasecmp(instance.uuid, uuid, sizeof(instance.uuid)) == 0) {
          *device = ToPointer<nvmlDevice_t>({.kind = HandleKind::kMigDevice,
                                             .slot = slot,
                                             .gpu_instance = i,
                                             .compute_instance = j,
                                             .generation = instance.generation});
          return NVML_SUCCESS;
        }
      }
    }
  }
  return NVML_ERROR_NOT_FOUND;
}

// "GPU-aabbccdd-..." to its 16 bytes; false if it is not of that form.
bool UuidBytes(const char (&uuid)[48], unsigned char* bytes) {
  unsigned int digits = 0;
  for (const char* c = uuid + 4; c != std::end(uuid) && *c != '\0' && digits < 32; ++c) {
    if (*c == '-') {
      continue;
    }
    const int lower = *c | 0x20;
    const int value = lower >= 'a' ? lower - 'a' + 10 : *c - '0';
    if (value < 0 || value > 15) {
      return false;
    }
    const auto nibble = static_cast<unsigned char>(value);
    bytes[digits / 2] = digits % 2 == 0 ? static_cast<unsigned char>(nibble << 4)
                                        : static_cast<unsigned char>(bytes[digits / 2] | nibble);
    ++digits;
  }
  return digits == 32;
}

// "[domain:]bus:device[.function]" in hexadecimal, as users and sysfs write it.
bool ParsePciAddress(const char* text, layout::PciAddress* address) {
  unsigned int parts[4] = {};
  char after = '\0';
  if (sscanf(text, "%x:%x:%x.%x%c", &parts[0], &parts[1], &parts[2], &parts[3], &after) == 4 ||
      (parts[3] = 0, sscanf(text, "%x:%x:%x%c", &parts[0], &parts[1], &parts[2], &after)) == 3) {
    *address = {parts[0], parts[1], parts[2], parts[3]};
    return true;
  }
  if (sscanf(text, "%x:%x.%x%c", &parts[1], &parts[2], &parts[3], &after) == 3 ||
      (parts[3] = 0, sscanf(text, "%x:%x%c", &parts[1], &parts[2], &after)) == 2) {
    *address = {0, parts[1], parts[2], parts[3]};
    return true;
  }
  return false;
}

nvmlReturn_t ByPciBusId(const char* function, const char* bus_id, nvmlDevice_t* device) {
  return ReadNode(function, NotNull(bus_id, device), [&](const layout::Copy& copy) {
    layout::PciAddress wanted{};
    if (!ParsePciAddress(bus_id, &wanted)) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    return FindDevice(copy, device, [&wanted](const layout::GpuState& gpu) {
      const layout::PciAddress& pci = gpu.identity.pci;
      return pci.domain == wanted.domain && pci.bus == wanted.bus && pci.device == wanted.device &&
             pci.function == wanted.function;
    });
  });
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int* deviceCount) {
  return GetCount(__func__, deviceCount);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetCount(unsigned int* deviceCount) {
  return GetCount(__func__, deviceCount);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t* device) {
  return ByIndex(__func__, index, device);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned int index, nvmlDevice_t* device) {
  return ByIndex(__func__, index, device);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetHandleBySerial(const char* serial, nvmlDevice_t* device) {
  return ReadNode(__func__, NotNull(serial, device), [&](const layout::Copy& copy) {
    return FindDevice(copy, device, [serial](const layout::GpuState& gpu) {
      return strncmp(gpu.identity.serial, serial, sizeof(gpu.identity.serial)) == 0;
    });
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetHandleByUUID(const char* uuid, nvmlDevice_t* device) {
  return ReadNode(__func__, NotNull(uuid, device),
                  [&](const layout::Copy& copy) { return ByUuid(copy, uuid, device); });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetHandleByUUIDV(const nvmlUUID_t* uuid, nvmlDevice_t* device) {
  return ReadNode(__func__, NotNull(uuid, device), [&](const layout::Copy& copy) {
    if (uuid->version != nvmlUUID_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    switch (uuid->type) {
      case NVML_UUID_TYPE_ASCII: {
        char text[NVML_DEVICE_UUID_ASCII_LEN + 1] = {};
        memcpy(text, uuid->value.str, NVML_DEVICE_UUID_ASCII_LEN);
        return ByUuid(copy, text, device);
      }
      case NVML_UUID_TYPE_BINARY:
        return FindDevice(copy, device, [uuid](const layout::GpuState& gpu) {
          unsigned char bytes[NVML_DEVICE_UUID_BINARY_LEN] = {};
          return UuidBytes(gpu.identity.uuid, bytes) &&
                 memcmp(bytes, uuid->value.bytes, sizeof(bytes)) == 0;
        });
      default:
        return NVML_ERROR_INVALID_ARGUMENT;
    }
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char* pciBusId,
                                                          nvmlDevice_t* device) {
  return ByPciBusId(__func__, pciBusId, device);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetHandleByPciBusId(const char* pciBusId, nvmlDevice_t* device) {
  return ByPciBusId(__func__, pciBusId, device);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int* index) {
  // The index counts other GPUs, so the whole copy is needed.
  const nvmlReturn_t checked = ReadDevice(DeviceCall{__func__, device, NotNull(index)}.EvenIfLost(),
                                          [](const Gpu&) { return NVML_SUCCESS; });
  if (checked != NVML_SUCCESS) {
    return checked;
  }
  return ReadNode(kReadAgain, true, [&](const layout::Copy& copy) {
    *index = CountListed(copy, FromPointer(device).slot);
    return NVML_SUCCESS;
  });
}

}  // namespace assay::fakegpu::nvml
