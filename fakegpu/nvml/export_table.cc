// nvmlInternalGetExportTable: the undocumented door that nvidia-smi goes through. It asks for one
// table; word 0 is its size in bytes, every other word a function.

#include <cstring>
#include <iterator>

#include "fakegpu/layout/reset.h"
#include "fakegpu/nvml/call.h"

namespace assay::fakegpu::nvml {
namespace {

constexpr unsigned char kTableId[16] = {0xc4, 0xfe, 0x3e, 0x6c, 0xc9, 0x8f, 0x6c, 0x4e,
                                        0xa3, 0x27, 0xee, 0x69, 0x6e, 0x12, 0xf7, 0xc4};
constexpr std::size_t kTableBytes = 0x1000;
constexpr std::size_t kSlots = kTableBytes / sizeof(void*);
constexpr std::size_t kIsPrimary = 20;          // -r
constexpr std::size_t kTopologyHostCheck = 23;  // topo -m
constexpr std::size_t kCanMonitor = 72;         // dmon, pmon
constexpr std::size_t kHandleByIndex = 81;
constexpr std::size_t kProcessUtilization = 145;  // pmon
constexpr std::size_t kReset = 168;               // -r, from here on
constexpr std::size_t kFabricManagerState = 169;
constexpr std::size_t kAllocateResetGroup = 182;
constexpr std::size_t kGetResetGroup = 183;
constexpr std::size_t kFreeResetGroup = 184;
constexpr std::size_t kSetComputePolicy = 192;  // compute-policy
constexpr std::size_t kGetComputePolicies = 193;
constexpr std::size_t kComputeProcesses = 213;
constexpr std::size_t kGraphicsProcesses = 214;
constexpr std::size_t kMpsProcesses = 215;

// The arguments of most slots are not known, so none is touched.
nvmlReturn_t NotSupported() { return NVML_ERROR_NOT_SUPPORTED; }
nvmlReturn_t Success() { return NVML_SUCCESS; }
nvmlReturn_t HandleByIndex(unsigned int index, nvmlDevice_t* device) {
  return nvmlDeviceGetHandleByIndex_v2(index, device);
}

// A question about a device that has the same answer for all of this node.
template <unsigned int Value>
nvmlReturn_t Answer(nvmlDevice_t device, unsigned int* answer) {
  return Get(DeviceCall{"nvmlInternalGetExportTable", device}, answer,
             [](const Gpu&) { return Value; });
}

// No fabric manager's state stands in the way of a reset.
nvmlReturn_t FabricManagerState(unsigned int* state) {
  if (state == nullptr) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  *state = 0;
  return NVML_SUCCESS;
}

// The GPUs that must be reset together: each can be reset alone, so a group is nothing but a token.
nvmlReturn_t AllocateResetGroup(void** group) {
  static char token;
  if (group == nullptr) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  *group = &token;
  return NVML_SUCCESS;
}

// Refused while anything runs on the GPU; ends its MIG instances.
nvmlReturn_t ResetDevice(nvmlDevice_t device) {
  return ChangeDevice(DeviceCall{"nvmlInternalGetExportTable", device},
                      [](layout::Transaction&, layout::GpuState& gpu) {
                        for (const layout::Process& process : gpu.processes) {
                          if (process.type != layout::Process::kFree) {
                            return NVML_ERROR_IN_USE;
                          }
                        }
                        for (layout::GpuInstance& instance : gpu.gpu_instances) {
                          instance = {};
                        }
                        layout::ResetGpu(gpu);
                        return NVML_SUCCESS;
                      });
}
nvmlReturn_t Reset(unsigned int count, nvmlDevice_t* devices) {
  for (unsigned int i = 0; i < count && devices != nullptr; ++i) {
    const nvmlReturn_t result = ResetDevice(devices[i]);
    if (result != NVML_SUCCESS) {
      return result;
    }
  }
  return NVML_SUCCESS;
}

// How the GPU's time is divided between processes.
struct ComputePolicy {
  unsigned int type;   // 0, time-slice, is the one that there is.
  unsigned int value;  // 0 to 3: the default, short, medium, long.
};
struct ComputePolicies {
  unsigned int count;
  ComputePolicy policies[1];
};

nvmlReturn_t SetComputePolicy(nvmlDevice_t device, const ComputePolicy* policy) {
  constexpr unsigned int kLong = 3;
  const bool ok = NotNull(policy) && policy->type == 0 && policy->value <= kLong;
  return ChangeDevice(DeviceCall{"nvmlInternalGetExportTable", device, ok},
                      [policy](layout::Transaction&, layout::GpuState& gpu) {
                        gpu.settings.timeslice = policy->value;
                        return NVML_SUCCESS;
                      });
}
nvmlReturn_t GetComputePolicies(nvmlDevice_t device, ComputePolicies* policies) {
  return Get(DeviceCall{"nvmlInternalGetExportTable", device}, policies, [](const Gpu& gpu) {
    return ComputePolicies{.count = 1, .policies = {{0, gpu.state.settings.timeslice}}};
  });
}

// A process as the table's lists have it.
struct ListedProcess {
  unsigned int pid;
  unsigned long long memory_bytes;
  unsigned int gpu_instance;
  unsigned int compute_instance;
  unsigned long long protected_memory_bytes;
  char name[4096];
};
static_assert(sizeof(ListedProcess) == 4128);

using ListFunction = nvmlReturn_t (*)(nvmlDevice_t, unsigned int*, nvmlProcessInfo_t*);

// `*count` is the array's size and becomes the number of processes.
template <ListFunction List>
nvmlReturn_t ListProcesses(nvmlDevice_t device, unsigned int* count, ListedProcess* processes) {
  if (count == nullptr) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  nvmlProcessInfo_t infos[layout::kMaxProcesses];
  unsigned int found = layout::kMaxProcesses;
  const nvmlReturn_t result = List(device, &found, infos);
  if (result != NVML_SUCCESS) {
    return result;
  }
  const unsigned int size = *count;
  *count = found;
  if (found > size || (found != 0 && processes == nullptr)) {
    return NVML_ERROR_INSUFFICIENT_SIZE;
  }
  for (unsigned int i = 0; i < found; ++i) {
    processes[i].pid = infos[i].pid;
    processes[i].memory_bytes = infos[i].usedGpuMemory;
    processes[i].gpu_instance = infos[i].gpuInstanceId;
    processes[i].compute_instance = infos[i].computeInstanceId;
    processes[i].protected_memory_bytes = 0;
    if (nvmlSystemGetProcessName(infos[i].pid, processes[i].name, sizeof(processes[i].name)) !=
        NVML_SUCCESS) {
      processes[i].name[0] = '\0';
    }
  }
  return NVML_SUCCESS;
}

// A moment of a GPU: which process each engine was at work for, and how much.
struct ProcessSample {
  struct Engine {
    unsigned int percent;
    unsigned int reserved;
    unsigned int pid;
    unsigned int reserved_too;
    char name[64];
  };
  unsigned long long time_us;
  Engine engines[4];  // Multiprocessors, memory, encoders, decoders.
};
static_assert(sizeof(ProcessSample) == 328);

// `*count` is the array's size and becomes the number of samples. nvidia-smi takes the mean over
// all of them for each process, so each process has one, with as many times its share as there are
// processes.
nvmlReturn_t SampleProcesses(nvmlDevice_t device, unsigned long long, nvmlValueType_t* type,
                             unsigned int* count, ProcessSample* samples) {
  const bool ok = NotNull(type, count, samples);
  const unsigned int size = ok ? *count : 0;
  return ReadDevice(DeviceCall{"nvmlInternalGetExportTable", device, ok}, [&](const Gpu& gpu) {
    if (gpu.state.settings.mig_current != 0) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    unsigned int running = 0;
    for (const layout::Process& process : gpu.state.processes) {
      running += process.type != layout::Process::kFree ? 1 : 0;
    }
    unsigned int found = 0;
    for (const layout::Process& process : gpu.state.processes) {
      if (process.type == layout::Process::kFree || found == size) {
        continue;
      }
      const unsigned int percents[] = {process.sm_percent, process.memory_percent,
                                       process.encoder_percent, process.decoder_percent};
      ProcessSample& sample = samples[found++];
      sample = {};
      sample.time_us = gpu.StampUs(gpu.Now());
      for (std::size_t i = 0; i < std::size(percents); ++i) {
        sample.engines[i].percent = percents[i] * running;
        sample.engines[i].pid = process.pid;
      }
    }
    *type = NVML_VALUE_TYPE_UNSIGNED_INT;
    *count = found;
    return NVML_SUCCESS;
  });
}

using Function = void (*)();
union Slot {
  std::size_t bytes;
  Function function;
};
Slot table[kSlots];

const Slot* Table() {
  // Filled anew each time with the same words: nothing to lock.
  table[0].bytes = kTableBytes;
  for (std::size_t i = 1; i < kSlots; ++i) {
    table[i].function = reinterpret_cast<Function>(&NotSupported);
  }
  table[kTopologyHostCheck].function = reinterpret_cast<Function>(&Success);
  table[kIsPrimary].function = reinterpret_cast<Function>(&Answer<0>);
  table[kCanMonitor].function = reinterpret_cast<Function>(&Answer<1>);
  table[kProcessUtilization].function = reinterpret_cast<Function>(&SampleProcesses);
  table[kReset].function = reinterpret_cast<Function>(&Reset);
  table[kFabricManagerState].function = reinterpret_cast<Function>(&FabricManagerState);
  table[kAllocateResetGroup].function = reinterpret_cast<Function>(&AllocateResetGroup);
  table[kGetResetGroup].function = reinterpret_cast<Function>(&Success);
  table[kFreeResetGroup].function = reinterpret_cast<Function>(&Success);
  table[kHandleByIndex].function = reinterpret_cast<Function>(&HandleByIndex);
  table[kSetComputePolicy].function = reinterpret_cast<Function>(&SetComputePolicy);
  table[kGetComputePolicies].function = reinterpret_cast<Function>(&GetComputePolicies);
  table[kComputeProcesses].function =
      reinterpret_cast<Function>(&ListProcesses<&nvmlDeviceGetComputeRunningProcesses_v3>);
  table[kGraphicsProcesses].function =
      reinterpret_cast<Function>(&ListProcesses<&nvmlDeviceGetGraphicsRunningProcesses_v3>);
  table[kMpsProcesses].function =
      reinterpret_cast<Function>(&ListProcesses<&nvmlDeviceGetMPSComputeRunningProcesses_v3>);
  return table;
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlInternalGetExportTable(const void** exportTable, const void* tableId) {
  if (exportTable == nullptr || tableId == nullptr) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  if (std::memcmp(tableId, kTableId, sizeof(kTableId)) != 0) {
    return NVML_ERROR_NOT_FOUND;
  }
  *exportTable = Table();
  return NVML_SUCCESS;
}

}  // namespace assay::fakegpu::nvml
