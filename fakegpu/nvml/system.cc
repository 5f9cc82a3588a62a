// Initialisation, versions, and what else is of the node and not of a GPU.

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <initializer_list>

#include "fakegpu/nvml/call.h"
#include "fakegpu/nvml/events.h"
#include "fakegpu/nvml/return_code.h"

namespace assay::fakegpu::nvml {
namespace {

// The three names of nvmlInit.
nvmlReturn_t Init(const char* function) {
  Library& library = Library::Get();
  const nvmlReturn_t result = library.Init();
  if (result != NVML_SUCCESS) {
    return result;
  }
  const nvmlReturn_t injected =
      ReadNode(function, true, [](const layout::Copy&) { return NVML_SUCCESS; });
  if (injected != NVML_SUCCESS) {
    (void)library.Shutdown();
  }
  return injected;
}

// Versions are told before nvmlInit too: from the state, if there is one.
template <typename Body>
nvmlReturn_t ReadNodeEvenBeforeInit(const char* function, bool arguments_ok, Body&& body) {
  if (!arguments_ok) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  Library& library = Library::Get();
  const nvmlReturn_t opened = library.Init();
  if (opened != NVML_SUCCESS) {
    return opened;
  }
  const nvmlReturn_t result = ReadNode(function, true, body);
  (void)library.Shutdown();
  return result;
}

nvmlReturn_t CudaVersion(const char* function, int* version) {
  return ReadNodeEvenBeforeInit(function, NotNull(version), [&](const layout::Copy& copy) {
    *version = static_cast<int>(copy.node().cuda_version);
    return NVML_SUCCESS;
  });
}

// A process's command line, or its name as the node's state has it (no such process need run).
nvmlReturn_t ProcessName(unsigned int pid, char* name, unsigned int length,
                         const layout::Copy& copy) {
  char path[32];
  snprintf(path, sizeof(path), "/proc/%u/cmdline", pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    char text[1024];
    const ssize_t size = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (size > 0) {
      text[size] = '\0';  // The first argument ends at the first NUL.
      snprintf(name, length, "%s", text);
      return NVML_SUCCESS;
    }
  }
  for (std::uint32_t slot = 0; slot < copy.gpu_count(); ++slot) {
    for (const layout::Process& process : copy.gpu(slot).processes) {
      if (process.type != layout::Process::kFree && process.pid == pid) {
        snprintf(name, length, "%.*s", static_cast<int>(sizeof(process.name) - 1), process.name);
        return NVML_SUCCESS;
      }
    }
  }
  return NVML_ERROR_NOT_FOUND;
}

}  // namespace

NVML_EXPORT nvmlReturn_t nvmlInit_v2() { return Init(__func__); }
NVML_EXPORT nvmlReturn_t nvmlInit() { return Init(__func__); }
NVML_EXPORT nvmlReturn_t nvmlInitWithFlags(unsigned int flags) {
  constexpr unsigned int kKnown =
      NVML_INIT_FLAG_NO_GPUS | NVML_INIT_FLAG_NO_ATTACH | NVML_INIT_FLAG_FORCE_INIT;
  return (flags & ~kKnown) != 0 ? NVML_ERROR_INVALID_ARGUMENT : Init(__func__);
}
NVML_EXPORT nvmlReturn_t nvmlShutdown() {
  const nvmlReturn_t result = Library::Get().Shutdown();
  if (result == NVML_SUCCESS && Library::Get().region() == nullptr) {
    FreeEventSets();
  }
  return result;
}

NVML_EXPORT const char* nvmlErrorString(nvmlReturn_t result) { return ReturnCodeText(result); }

NVML_EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char* version, unsigned int length) {
  return ReadNode(__func__, NotNull(version), [&](const layout::Copy& copy) {
    return CopyString(copy.node().driver_version, version, length);
  });
}

NVML_EXPORT nvmlReturn_t nvmlSystemGetNVMLVersion(char* version, unsigned int length) {
  return ReadNodeEvenBeforeInit(__func__, NotNull(version), [&](const layout::Copy& copy) {
    return CopyString(copy.node().nvml_version, version, length);
  });
}

NVML_EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion(int* cudaDriverVersion) {
  return CudaVersion(__func__, cudaDriverVersion);
}
NVML_EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int* cudaDriverVersion) {
  return CudaVersion(__func__, cudaDriverVersion);
}

NVML_EXPORT nvmlReturn_t nvmlSystemGetDriverBranch(nvmlSystemDriverBranchInfo_t* branchInfo,
                                                   unsigned int length) {
  return ReadNode(__func__, NotNull(branchInfo), [&](const layout::Copy& copy) {
    if (branchInfo->version != nvmlSystemDriverBranchInfo_v1) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    const std::size_t size =
        length < sizeof(branchInfo->branch) ? length : sizeof(branchInfo->branch);
    return CopyString(copy.node().driver_branch, branchInfo->branch, size);
  });
}

NVML_EXPORT nvmlReturn_t nvmlSystemGetProcessName(unsigned int pid, char* name,
                                                  unsigned int length) {
  return ReadNode(__func__, NotNull(name) && length != 0,
                  [&](const layout::Copy& copy) { return ProcessName(pid, name, length, copy); });
}

// The vGPU versions that the library knows, with or without a vGPU host: those of an NVML 13.0.
NVML_EXPORT nvmlReturn_t nvmlGetVgpuVersion(nvmlVgpuVersion_t* supported,
                                            nvmlVgpuVersion_t* current) {
  const bool any = supported != nullptr || current != nullptr;
  return ReadNode(__func__, any, [&](const layout::Copy&) {
    for (nvmlVgpuVersion_t* version : {supported, current}) {
      if (version != nullptr) {
        *version = {.minVersion = 0x0018'0001, .maxVersion = 0x001c'0001};
      }
    }
    return NVML_SUCCESS;
  });
}
NVML_EXPORT nvmlReturn_t nvmlGetVgpuCompatibility(nvmlVgpuMetadata_t* vgpuMetadata,
                                                  nvmlVgpuPgpuMetadata_t* pgpuMetadata,
                                                  nvmlVgpuPgpuCompatibility_t* compatibilityInfo) {
  return ReadNode(
      __func__, NotNull(vgpuMetadata, pgpuMetadata, compatibilityInfo), [&](const layout::Copy&) {
        compatibilityInfo->vgpuVmCompatibility = NVML_VGPU_VM_COMPATIBILITY_NONE;
        compatibilityInfo->compatibilityLimitCode = NVML_VGPU_COMPATIBILITY_LIMIT_HOST_DRIVER;
        return NVML_SUCCESS;
      });
}

// No S-class units and no host bridge cards: that hardware went out with Fermi.
NVML_EXPORT nvmlReturn_t nvmlUnitGetCount(unsigned int* unitCount) {
  return ReadNode(__func__, NotNull(unitCount), [&](const layout::Copy&) {
    *unitCount = 0;
    return NVML_SUCCESS;
  });
}
NVML_EXPORT nvmlReturn_t nvmlSystemGetHicVersion(unsigned int* hwbcCount, nvmlHwbcEntry_t*) {
  return ReadNode(__func__, NotNull(hwbcCount), [&](const layout::Copy&) {
    *hwbcCount = 0;
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlGetExcludedDeviceCount(unsigned int* deviceCount) {
  return ReadNode(__func__, NotNull(deviceCount), [&](const layout::Copy&) {
    *deviceCount = 0;
    return NVML_SUCCESS;
  });
}
NVML_EXPORT nvmlReturn_t nvmlGetExcludedDeviceInfoByIndex(unsigned int, nvmlExcludedDeviceInfo_t*) {
  // None is excluded, so every index is beyond the last.
  return ReadNode(__func__, true, [](const layout::Copy&) { return NVML_ERROR_INVALID_ARGUMENT; });
}
// The older names of the two above, which the real library still exports.
NVML_EXPORT nvmlReturn_t nvmlGetBlacklistDeviceCount(unsigned int* deviceCount) {
  return nvmlGetExcludedDeviceCount(deviceCount);
}
NVML_EXPORT nvmlReturn_t nvmlGetBlacklistDeviceInfoByIndex(unsigned int index,
                                                           nvmlExcludedDeviceInfo_t* info) {
  return nvmlGetExcludedDeviceInfoByIndex(index, info);
}

}  // namespace assay::fakegpu::nvml
