// Where GPUs stand to each other and to the CPUs.

#include <sched.h>

#include "fakegpu/nvml/call.h"
#include "fakegpu/nvml/nvlink.h"

namespace assay::fakegpu::nvml {
namespace {

// The nearest thing that two GPUs share.
nvmlGpuTopologyLevel_t CommonAncestor(const layout::Identity& a, const layout::Identity& b) {
  if (a.board_id == b.board_id) {
    return NVML_TOPOLOGY_INTERNAL;
  }
  if (a.pci_root_bus == b.pci_root_bus && a.pci.domain == b.pci.domain) {
    if (a.pci_switch != 0 && a.pci_switch == b.pci_switch) {
      return NVML_TOPOLOGY_SINGLE;
    }
    return NVML_TOPOLOGY_HOSTBRIDGE;
  }
  return a.numa_node == b.numa_node ? NVML_TOPOLOGY_NODE : NVML_TOPOLOGY_SYSTEM;
}

// A read of two devices: body(const Gpu&, const Gpu&).
template <typename Body>
nvmlReturn_t ReadPair(const char* function, nvmlDevice_t first, nvmlDevice_t second,
                      bool arguments_ok, Body&& body) {
  const nvmlReturn_t checked = ReadDevice(DeviceCall{function, second, arguments_ok},
                                          [](const Gpu&) { return NVML_SUCCESS; });
  if (checked != NVML_SUCCESS) {
    return checked;
  }
  const std::uint32_t slot = FromPointer(second).slot;
  const Handle handle = FromPointer(first);
  const auto read = [&](const layout::Copy& copy) {
    MigPlace place;
    const nvmlReturn_t result =
        CheckDevice(DeviceCall{function, first}, handle, copy, /*played=*/true, &place);
    return result != NVML_SUCCESS ? result
                                  : body(Gpu{copy.node(), copy.gpu(handle.slot), handle},
                                         Gpu{copy.node(), copy.gpu(slot), FromPointer(second)});
  };
  return ReadNode(function, handle.kind == HandleKind::kDevice, read, handle);
}

constexpr unsigned int kBitsPerWord = 8 * sizeof(unsigned long);

void ClearSet(unsigned int size, unsigned long* set) {
  for (unsigned int word = 0; word < size; ++word) {
    set[word] = 0;
  }
}
// Numbers beyond the set's `size` words are left out, as cpu_set_t's users expect.
void AddToSet(std::uint64_t number, unsigned int size, unsigned long* set) {
  if (number / kBitsPerWord < size) {
    set[number / kBitsPerWord] |= 1UL << (number % kBitsPerWord);
  }
}

bool IsNear(const layout::Identity& identity, unsigned int cpu) {
  for (const layout::CpuRange& range : identity.cpus) {
    if (cpu >= range.first && cpu - range.first < range.count) {
      return true;
    }
  }
  return false;
}

nvmlReturn_t GetCpuAffinity(const char* function, nvmlDevice_t device, unsigned int size,
                            unsigned long* set) {
  return ReadDevice(DeviceCall{function, device, NotNull(set) && size != 0}, [&](const Gpu& gpu) {
    ClearSet(size, set);
    for (std::uint64_t cpu = 0; cpu < std::uint64_t{size} * kBitsPerWord; ++cpu) {
      if (IsNear(gpu.state.identity, static_cast<unsigned int>(cpu))) {
        AddToSet(cpu, size, set);
      }
    }
    return NVML_SUCCESS;
  });
}

bool IsScope(nvmlAffinityScope_t scope) {
  return scope == NVML_AFFINITY_SCOPE_NODE || scope == NVML_AFFINITY_SCOPE_SOCKET;
}

bool IsLevel(nvmlGpuTopologyLevel_t level) {
  return level >= NVML_TOPOLOGY_INTERNAL && level <= NVML_TOPOLOGY_SYSTEM && level % 10 == 0;
}

// Appends the GPUs that wanted(const layout::Identity&) names to an array under NVML's size rule.
template <typename Wanted>
nvmlReturn_t ListDevices(const layout::Copy& copy, Wanted&& wanted, unsigned int* count,
                         nvmlDevice_t* devices, unsigned int size) {
  unsigned int found = 0;
  for (std::uint32_t slot = 0; slot < copy.gpu_count(); ++slot) {
    const layout::GpuState& gpu = copy.gpu(slot);
    if (gpu.health.plugged == 0 || !Library::Get().IsVisible(slot) || !wanted(slot, gpu.identity)) {
      continue;
    }
    if (devices != nullptr && found < size) {
      devices[found] = ToPointer<nvmlDevice_t>({.kind = HandleKind::kDevice, .slot = slot});
    }
    ++found;
  }
  *count = found;
  return devices == nullptr || found <= size ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t device1,
                                                             nvmlDevice_t device2,
                                                             nvmlGpuTopologyLevel_t* pathInfo) {
  return ReadPair(__func__, device1, device2, NotNull(pathInfo), [&](const Gpu& a, const Gpu& b) {
    *pathInfo = CommonAncestor(a.state.identity, b.state.identity);
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetTopologyNearestGpus(nvmlDevice_t device,
                                                          nvmlGpuTopologyLevel_t level,
                                                          unsigned int* count,
                                                          nvmlDevice_t* deviceArray) {
  const unsigned int size = count != nullptr ? *count : 0;
  const nvmlReturn_t checked =
      ReadDevice(DeviceCall{__func__, device, NotNull(count) && IsLevel(level)},
                 [](const Gpu&) { return NVML_SUCCESS; });
  if (checked != NVML_SUCCESS) {
    return checked;
  }
  const std::uint32_t own = FromPointer(device).slot;
  return ReadNode(kReadAgain, true, [&](const layout::Copy& copy) {
    const layout::Identity& identity = copy.gpu(own).identity;
    return ListDevices(
        copy,
        [&](std::uint32_t slot, const layout::Identity& other) {
          return slot != own && CommonAncestor(identity, other) == level;
        },
        count, deviceArray, size);
  });
}

NVML_EXPORT nvmlReturn_t nvmlSystemGetTopologyGpuSet(unsigned int cpuNumber, unsigned int* count,
                                                     nvmlDevice_t* deviceArray) {
  const unsigned int size = count != nullptr ? *count : 0;
  return ReadNode(__func__, NotNull(count), [&](const layout::Copy& copy) {
    return ListDevices(
        copy,
        [cpuNumber](std::uint32_t, const layout::Identity& identity) {
          return IsNear(identity, cpuNumber);
        },
        count, deviceArray, size);
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetP2PStatus(nvmlDevice_t device1, nvmlDevice_t device2,
                                                nvmlGpuP2PCapsIndex_t p2pIndex,
                                                nvmlGpuP2PStatus_t* p2pStatus) {
  const bool known = p2pIndex >= NVML_P2P_CAPS_INDEX_READ && p2pIndex < NVML_P2P_CAPS_INDEX_UNKNOWN;
  return ReadPair(
      __func__, device1, device2, NotNull(p2pStatus) && known, [&](const Gpu& a, const Gpu& b) {
        const bool linked = AreLinked(a.state, b.state);
        // NVLink and atomics want a link; PCIe copies do with the bus.
        const bool needs_link =
            p2pIndex == NVML_P2P_CAPS_INDEX_NVLINK || p2pIndex == NVML_P2P_CAPS_INDEX_ATOMICS;
        *p2pStatus = linked || !needs_link ? NVML_P2P_STATUS_OK : NVML_P2P_STATUS_NOT_SUPPORTED;
        return NVML_SUCCESS;
      });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceOnSameBoard(nvmlDevice_t device1, nvmlDevice_t device2,
                                               int* onSameBoard) {
  return ReadPair(__func__, device1, device2, NotNull(onSameBoard),
                  [&](const Gpu& a, const Gpu& b) {
                    *onSameBoard = a.state.identity.board_id == b.state.identity.board_id;
                    return NVML_SUCCESS;
                  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetCpuAffinity(nvmlDevice_t device, unsigned int cpuSetSize,
                                                  unsigned long* cpuSet) {
  return GetCpuAffinity(__func__, device, cpuSetSize, cpuSet);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetCpuAffinityWithinScope(nvmlDevice_t device,
                                                             unsigned int cpuSetSize,
                                                             unsigned long* cpuSet,
                                                             nvmlAffinityScope_t scope) {
  return IsScope(scope) ? GetCpuAffinity(__func__, device, cpuSetSize, cpuSet)
                        : GetCpuAffinity(__func__, device, 0, nullptr);
}
// Binds the calling thread to the CPUs that are near. The fake node may have CPUs that this machine
// has not: those are left out, and a thread that would have none left stays where it is.
NVML_EXPORT nvmlReturn_t nvmlDeviceSetCpuAffinity(nvmlDevice_t device) {
  cpu_set_t wanted;
  CPU_ZERO(&wanted);
  const nvmlReturn_t result = ReadDevice(DeviceCall{__func__, device}, [&](const Gpu& gpu) {
    for (unsigned int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (IsNear(gpu.state.identity, cpu)) {
        CPU_SET(cpu, &wanted);
      }
    }
    return NVML_SUCCESS;
  });
  if (result == NVML_SUCCESS) {
    (void)sched_setaffinity(0, sizeof(wanted), &wanted);
  }
  return result;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceClearCpuAffinity(nvmlDevice_t device) {
  const nvmlReturn_t result =
      ReadDevice(DeviceCall{__func__, device}, [](const Gpu&) { return NVML_SUCCESS; });
  if (result == NVML_SUCCESS) {
    cpu_set_t all;
    memset(&all, 0xff, sizeof(all));
    (void)sched_setaffinity(0, sizeof(all), &all);
  }
  return result;
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetMemoryAffinity(nvmlDevice_t device, unsigned int nodeSetSize,
                                                     unsigned long* nodeSet,
                                                     nvmlAffinityScope_t scope) {
  const bool ok = NotNull(nodeSet) && nodeSetSize != 0 && IsScope(scope);
  return ReadDevice(DeviceCall{__func__, device, ok}, [&](const Gpu& gpu) {
    ClearSet(nodeSetSize, nodeSet);
    AddToSet(gpu.state.identity.numa_node, nodeSetSize, nodeSet);
    return NVML_SUCCESS;
  });
}

// Only a GPU whose memory is a NUMA node of its own (beside a Grace CPU) has such an id. Linux
// numbers those after the CPUs'.
NVML_EXPORT nvmlReturn_t nvmlDeviceGetNumaNodeId(nvmlDevice_t device, unsigned int* node) {
  constexpr std::uint32_t kFirstOfGpus = 2;
  constexpr std::uint32_t kNodesOfAGpu = 8;  // One for each MIG instance that there may be.
  return ReadDevice(DeviceCall{__func__, device, NotNull(node)}, [&](const Gpu& gpu) {
    if (gpu.state.identity.c2c_links == 0) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    *node = kFirstOfGpus + kNodesOfAGpu * gpu.handle.slot;
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetAddressingMode(nvmlDevice_t device,
                                                     nvmlDeviceAddressingMode_t* mode) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(mode)}, [&](const Gpu& gpu) {
    if (mode->version != nvmlDeviceAddressingMode_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    mode->value = gpu.state.identity.c2c_links != 0 ? NVML_DEVICE_ADDRESSING_MODE_ATS
                                                    : NVML_DEVICE_ADDRESSING_MODE_HMM;
    return NVML_SUCCESS;
  });
}

}  // namespace assay::fakegpu::nvml
