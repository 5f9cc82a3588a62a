// MIG: the mode, profiles, and the life of GPU instances, compute instances and MIG devices.

#include "fakegpu/nvml/mig.h"

#include <stdio.h>

#include "fakegpu/layout/mig.h"

namespace assay::fakegpu::nvml {
namespace {

using layout::MigError;

nvmlReturn_t ReturnCode(MigError error) {
  switch (error) {
    case MigError::kNone:
      return NVML_SUCCESS;
    case MigError::kBadProfile:
    case MigError::kBadPlacement:
      return NVML_ERROR_INVALID_ARGUMENT;
    case MigError::kNoRoom:
      return NVML_ERROR_INSUFFICIENT_RESOURCES;
    case MigError::kInUse:
      return NVML_ERROR_IN_USE;
  }
  return NVML_ERROR_UNKNOWN;
}

nvmlDevice_t DeviceOf(const Handle& handle) {
  return ToPointer<nvmlDevice_t>({.kind = HandleKind::kDevice, .slot = handle.slot});
}
nvmlGpuInstance_t GpuInstanceOf(std::uint32_t slot, std::uint32_t place,
                                const layout::GpuInstance& instance) {
  return ToPointer<nvmlGpuInstance_t>({.kind = HandleKind::kGpuInstance,
                                       .slot = slot,
                                       .gpu_instance = place,
                                       .generation = instance.generation});
}
Handle ComputeHandle(HandleKind kind, std::uint32_t slot, std::uint32_t gpu_instance,
                     std::uint32_t place, const layout::ComputeInstance& instance) {
  return {.kind = kind,
          .slot = slot,
          .gpu_instance = gpu_instance,
          .compute_instance = place,
          .generation = instance.generation};
}

const layout::MigProfile& ProfileOf(const layout::GpuState& gpu,
                                    const layout::GpuInstance& instance) {
  return gpu.mig_profiles[instance.profile < layout::kMaxMigProfiles ? instance.profile : 0];
}

// A read of a GPU that can do MIG.
template <typename Body>
nvmlReturn_t ReadMig(const DeviceCall& call, Body&& body) {
  return ReadDevice(call, [&](const Gpu& gpu) {
    return gpu.state.mig_supported == 0 ? NVML_ERROR_NOT_SUPPORTED : body(gpu);
  });
}

// A read of what a GPU-instance or compute-instance handle stands for.
template <typename Pointer, typename Body>
nvmlReturn_t ReadInstance(const char* function, Pointer pointer, HandleKind kind, bool arguments_ok,
                          Body&& body) {
  const Handle handle = FromPointer(pointer);
  const auto read = [&](const layout::Copy& copy) {
    MigPlace place;
    const nvmlReturn_t checked = CheckDevice(DeviceCall{function, nullptr}.OrMig(), handle, copy,
                                             /*played=*/true, &place);
    return checked != NVML_SUCCESS ? checked
                                   : body(Gpu{copy.node(), copy.gpu(handle.slot), handle,
                                              place.gpu_instance, place.compute_instance});
  };
  return ReadNode(function, arguments_ok && handle.kind == kind, read, handle);
}

// A change under such a handle: body(transaction, GpuState&) -> MigError.
template <typename Pointer, typename Body>
nvmlReturn_t ChangeInstance(const char* function, Pointer pointer, HandleKind kind,
                            bool arguments_ok, Body&& body) {
  const nvmlReturn_t readable =
      ReadInstance(function, pointer, kind, arguments_ok, [](const Gpu&) { return NVML_SUCCESS; });
  if (readable != NVML_SUCCESS) {
    return readable;
  }
  layout::Transaction transaction;
  const nvmlReturn_t begun = BeginChange(transaction);
  if (begun != NVML_SUCCESS) {
    return begun;
  }
  const Handle handle = FromPointer(pointer);
  layout::GpuState& gpu = transaction.gpu(handle.slot);
  MigPlace place;
  const nvmlReturn_t still_there = FindMig(gpu, handle, &place);
  if (still_there != NVML_SUCCESS) {
    return still_there;
  }
  const nvmlReturn_t result = ReturnCode(body(transaction, gpu));
  if (result == NVML_SUCCESS) {
    transaction.AddEvent({.number = 0,
                          .type = nvmlEventMigConfigChange,
                          .data = 0,
                          .gpu = handle.slot,
                          .gpu_instance = layout::kNoInstance,
                          .compute_instance = layout::kNoInstance,
                          .reserved = 0});
    transaction.Commit();
  }
  return result;
}

// An array under NVML's rule, filled by next(i) for i in [0, needed).
template <typename T, typename Next>
nvmlReturn_t FillArray(std::uint32_t needed, unsigned int* count, T* array, Next&& next) {
  for (std::uint32_t i = 0; array != nullptr && i < needed; ++i) {
    array[i] = next(i);
  }
  *count = needed;
  return NVML_SUCCESS;
}

template <typename Info>
void FillProfile(const layout::GpuState& gpu, const layout::MigProfile& profile, Info* info) {
  info->id = profile.id;
  info->sliceCount = profile.slices;
  info->instanceCount = profile.instances;
  info->multiprocessorCount = profile.multiprocessors;
  info->copyEngineCount = profile.copy_engines;
  info->decoderCount = profile.decoders;
  info->encoderCount = profile.encoders;
  info->jpegCount = profile.jpeg_engines;
  info->ofaCount = profile.ofa_engines;
  info->memorySizeMB = profile.memory_mib;
  if constexpr (requires { info->isP2pSupported; }) {
    info->isP2pSupported = 0;
  }
  if constexpr (requires { info->name; }) {
    char name[64];
    layout::MigProfileName(gpu, profile, name, sizeof(name));
    snprintf(info->name, sizeof(info->name), "MIG %s", name);
  }
  if constexpr (requires { info->capabilities; }) {
    info->capabilities =
        profile.attribute == layout::kMigGraphics ? NVML_GPU_INSTANCE_PROFILE_CAPS_GFX : 0;
  }
}

// Two layouts behind one pointer, told apart by the version word.
nvmlReturn_t FillProfileV(const layout::GpuState& gpu, const layout::MigProfile* profile,
                          nvmlGpuInstanceProfileInfo_v2_t* info) {
  if (info->version != nvmlGpuInstanceProfileInfo_v2 &&
      info->version != nvmlGpuInstanceProfileInfo_v3) {
    return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  }
  if (profile == nullptr) {
    return NVML_ERROR_NOT_SUPPORTED;
  }
  if (info->version == nvmlGpuInstanceProfileInfo_v3) {
    FillProfile(gpu, *profile, reinterpret_cast<nvmlGpuInstanceProfileInfo_v3_t*>(info));
  } else {
    FillProfile(gpu, *profile, info);
  }
  return NVML_SUCCESS;
}

template <typename Info>
void FillComputeProfile(const Gpu& gpu, std::uint32_t id, const layout::ComputeProfile& compute,
                        Info* info) {
  const layout::MigProfile& profile = ProfileOf(gpu.state, *gpu.gpu_instance);
  info->id = id;
  info->sliceCount = compute.slices;
  info->instanceCount = compute.instances;
  info->multiprocessorCount =
      layout::ComputeMultiprocessors(gpu.state, *gpu.gpu_instance, compute.slices);
  // Engines are shared by the compute instances of a GPU instance.
  info->sharedCopyEngineCount = profile.copy_engines;
  info->sharedDecoderCount = profile.decoders;
  info->sharedEncoderCount = profile.encoders;
  info->sharedJpegCount = profile.jpeg_engines;
  info->sharedOfaCount = profile.ofa_engines;
  if constexpr (requires { info->name; }) {
    char name[64];
    layout::MigProfileName(gpu.state, profile, name, sizeof(name));
    if (compute.slices == profile.slices) {
      snprintf(info->name, sizeof(info->name), "MIG %s", name);
    } else {
      snprintf(info->name, sizeof(info->name), "MIG %uc.%s", compute.slices, name);
    }
  }
  if constexpr (requires { info->capabilities; }) {
    info->capabilities =
        profile.attribute == layout::kMigGraphics ? NVML_COMPUTE_INSTANCE_PROFILE_CAPS_GFX : 0;
  }
}

// Counts the MIG devices, in order of their places, and finds the one with the index.
struct MigDeviceAt {
  std::uint32_t gpu_instance;
  std::uint32_t compute_instance;
};
bool FindMigDevice(const layout::GpuState& gpu, std::uint32_t index, MigDeviceAt* found) {
  for (std::uint32_t i = 0; i < layout::kMaxGpuInstances; ++i) {
    for (std::uint32_t j = 0; j < layout::kMaxComputeInstances; ++j) {
      if (gpu.gpu_instances[i].used != 0 && gpu.gpu_instances[i].compute_instances[j].used != 0 &&
          index-- == 0) {
        *found = {i, j};
        return true;
      }
    }
  }
  return false;
}

std::uint32_t MaxMigDevices(const layout::GpuState& gpu) {
  std::uint32_t most = 0;
  for (const layout::MigProfile& profile : gpu.mig_profiles) {
    most = profile.valid != 0 && profile.instances > most ? profile.instances : most;
  }
  return most;
}

bool HasInstances(const layout::GpuState& gpu) {
  for (const layout::GpuInstance& instance : gpu.gpu_instances) {
    if (instance.used != 0) {
      return true;
    }
  }
  return false;
}
bool HasProcesses(const layout::GpuState& gpu) {
  for (const layout::Process& process : gpu.processes) {
    if (process.type != layout::Process::kFree) {
      return true;
    }
  }
  return false;
}

nvmlReturn_t CreateInstance(const DeviceCall& call, unsigned int profile_id, std::uint32_t start,
                            std::uint32_t size, nvmlGpuInstance_t* created) {
  const std::uint32_t slot = FromPointer(call.device).slot;
  return ChangeDevice(call, [&](layout::Transaction& transaction, layout::GpuState& gpu) {
    if (gpu.mig_supported == 0 || gpu.settings.mig_current == 0) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    const layout::MigProfile* profile = layout::FindMigProfileById(gpu, profile_id);
    if (profile == nullptr || (size != 0 && size != profile->placement_size)) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    std::uint32_t place = 0;
    const MigError error =
        layout::CreateGpuInstance(transaction.node(), gpu, *profile, start, &place);
    if (error != MigError::kNone) {
      return ReturnCode(error);
    }
    *created = GpuInstanceOf(slot, place, gpu.gpu_instances[place]);
    transaction.AddEvent({.number = 0,
                          .type = nvmlEventMigConfigChange,
                          .data = 0,
                          .gpu = slot,
                          .gpu_instance = layout::kNoInstance,
                          .compute_instance = layout::kNoInstance,
                          .reserved = 0});
    return NVML_SUCCESS;
  });
}

nvmlReturn_t CreateCompute(const char* function, nvmlGpuInstance_t gpu_instance,
                           unsigned int profile_id, std::uint32_t start, bool arguments_ok,
                           nvmlComputeInstance_t* created) {
  const Handle handle = FromPointer(gpu_instance);
  return ChangeInstance(
      function, gpu_instance, HandleKind::kGpuInstance, arguments_ok && created != nullptr,
      [&](layout::Transaction& transaction, layout::GpuState& gpu) {
        std::uint32_t place = 0;
        const MigError error = layout::CreateComputeInstance(
            transaction.node(), gpu, handle.gpu_instance, profile_id, start, &place);
        if (error == MigError::kNone) {
          *created = ToPointer<nvmlComputeInstance_t>(
              ComputeHandle(HandleKind::kComputeInstance, handle.slot, handle.gpu_instance, place,
                            gpu.gpu_instances[handle.gpu_instance].compute_instances[place]));
        }
        return error;
      });
}

template <typename Placements>
nvmlReturn_t GetPlacements(const char* function, nvmlDevice_t device, unsigned int profile_id,
                           Placements* placements, unsigned int* count) {
  const unsigned int size = count != nullptr ? *count : 0;
  return ReadMig(DeviceCall{function, device, NotNull(count)}, [&](const Gpu& gpu) {
    const layout::MigProfile* profile = layout::FindMigProfileById(gpu.state, profile_id);
    if (profile == nullptr) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    std::uint32_t found = 0;
    for (std::uint32_t start = 0; start < 8; ++start) {
      if ((profile->placements >> start & 1) != 0) {
        if (placements != nullptr && found < size) {
          placements[found] = {.start = start, .size = profile->placement_size};
        }
        ++found;
      }
    }
    *count = found;
    return placements == nullptr || found <= size ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
  });
}

// The first version has no slice counts of the MIG device's own; both have one struct.
nvmlReturn_t GetAttributes(const char* function, nvmlDevice_t device,
                           nvmlDeviceAttributes_t* attributes) {
  return ReadDevice(DeviceCall{function, device, NotNull(attributes)}.OrMig(), [&](const Gpu& gpu) {
    if (gpu.compute_instance == nullptr) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    const layout::MigProfile& profile = ProfileOf(gpu.state, *gpu.gpu_instance);
    const std::uint32_t slices = gpu.compute_instance->slices;
    *attributes = {
        .multiprocessorCount = layout::ComputeMultiprocessors(gpu.state, *gpu.gpu_instance, slices),
        .sharedCopyEngineCount = profile.copy_engines,
        .sharedDecoderCount = profile.decoders,
        .sharedEncoderCount = profile.encoders,
        .sharedJpegCount = profile.jpeg_engines,
        .sharedOfaCount = profile.ofa_engines,
        .gpuInstanceSliceCount = profile.slices,
        .computeInstanceSliceCount = slices,
        .memorySizeMB = profile.memory_mib};
    return NVML_SUCCESS;
  });
}

nvmlReturn_t GetComputeInfo(const char* function, nvmlComputeInstance_t instance,
                            nvmlComputeInstanceInfo_t* info) {
  return ReadInstance(
      function, instance, HandleKind::kComputeInstance, NotNull(info), [&](const Gpu& gpu) {
        const layout::ComputeInstance& compute = *gpu.compute_instance;
        *info = {.device = DeviceOf(gpu.handle),
                 .gpuInstance =
                     GpuInstanceOf(gpu.handle.slot, gpu.handle.gpu_instance, *gpu.gpu_instance),
                 .id = compute.id,
                 .profileId = compute.profile,
                 .placement = {.start = compute.start, .size = compute.slices}};
        return NVML_SUCCESS;
      });
}

}  // namespace

void MigDeviceName(const Gpu& gpu, char* text, std::size_t size) {
  const char* board = gpu.state.identity.name;
  if (gpu.compute_instance == nullptr) {
    snprintf(text, size, "%.*s", static_cast<int>(sizeof(gpu.state.identity.name) - 1), board);
    return;
  }
  const layout::MigProfile& profile = ProfileOf(gpu.state, *gpu.gpu_instance);
  char name[64];
  layout::MigProfileName(gpu.state, profile, name, sizeof(name));
  char compute[16] = "";
  if (gpu.compute_instance->slices != profile.slices) {
    snprintf(compute, sizeof(compute), "%uc.", gpu.compute_instance->slices);
  }
  snprintf(text, size, "%.*s MIG %s%s", static_cast<int>(sizeof(gpu.state.identity.name) - 1),
           board, compute, name);
}

layout::Memory MemoryOfDevice(const Gpu& gpu) {
  if (gpu.compute_instance == nullptr) {
    return layout::MemoryOf(gpu.state);
  }
  layout::Memory memory{};
  memory.total_bytes = ProfileOf(gpu.state, *gpu.gpu_instance).memory_mib * 1024 * 1024;
  for (const layout::Process& process : gpu.state.processes) {
    if (process.type != layout::Process::kFree && process.gpu_instance == gpu.gpu_instance->id) {
      memory.used_bytes += process.memory_bytes;
    }
  }
  memory.used_bytes =
      memory.used_bytes < memory.total_bytes ? memory.used_bytes : memory.total_bytes;
  memory.free_bytes = memory.total_bytes - memory.used_bytes;
  return memory;
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int* currentMode,
                                              unsigned int* pendingMode) {
  return ReadMig(DeviceCall{__func__, device, NotNull(currentMode, pendingMode)},
                 [&](const Gpu& gpu) {
                   *currentMode = gpu.state.settings.mig_current;
                   *pendingMode = gpu.state.settings.mig_pending;
                   return NVML_SUCCESS;
                 });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceSetMigMode(nvmlDevice_t device, unsigned int mode,
                                              nvmlReturn_t* activationStatus) {
  const bool ok = NotNull(activationStatus) && mode <= NVML_DEVICE_MIG_ENABLE;
  const std::uint32_t slot = FromPointer(device).slot;
  return ChangeDevice(DeviceCall{__func__, device, ok},
                      [&](layout::Transaction& transaction, layout::GpuState& gpu) {
                        if (gpu.mig_supported == 0) {
                          return NVML_ERROR_NOT_SUPPORTED;
                        }
                        if (mode == NVML_DEVICE_MIG_DISABLE && HasInstances(gpu)) {
                          return NVML_ERROR_IN_USE;
                        }
                        gpu.settings.mig_pending = mode;
                        *activationStatus = NVML_SUCCESS;
                        if (HasProcesses(gpu)) {
                          *activationStatus = NVML_ERROR_IN_USE;  // At the next reset.
                        } else if (gpu.settings.mig_current != mode) {
                          gpu.settings.mig_current = mode;
                          transaction.AddEvent({.number = 0,
                                                .type = nvmlEventMigConfigChange,
                                                .data = 0,
                                                .gpu = slot,
                                                .gpu_instance = layout::kNoInstance,
                                                .compute_instance = layout::kNoInstance,
                                                .reserved = 0});
                        }
                        return NVML_SUCCESS;
                      });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfo(nvmlDevice_t device,
                                                             unsigned int profile,
                                                             nvmlGpuInstanceProfileInfo_t* info) {
  const bool known = profile < NVML_GPU_INSTANCE_PROFILE_COUNT;
  return ReadMig(DeviceCall{__func__, device, NotNull(info) && known}, [&](const Gpu& gpu) {
    const layout::MigProfile* found = layout::FindMigProfileByIndex(gpu.state, profile);
    if (found == nullptr) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    FillProfile(gpu.state, *found, info);
    return NVML_SUCCESS;
  });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfoV(
    nvmlDevice_t device, unsigned int profile, nvmlGpuInstanceProfileInfo_v2_t* info) {
  const bool known = profile < NVML_GPU_INSTANCE_PROFILE_COUNT;
  return ReadMig(DeviceCall{__func__, device, NotNull(info) && known}, [&](const Gpu& gpu) {
    return FillProfileV(gpu.state, layout::FindMigProfileByIndex(gpu.state, profile), info);
  });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfoByIdV(
    nvmlDevice_t device, unsigned int profileId, nvmlGpuInstanceProfileInfo_v2_t* info) {
  return ReadMig(DeviceCall{__func__, device, NotNull(info)}, [&](const Gpu& gpu) {
    return FillProfileV(gpu.state, layout::FindMigProfileById(gpu.state, profileId), info);
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstancePossiblePlacements_v2(
    nvmlDevice_t device, unsigned int profileId, nvmlGpuInstancePlacement_t* placements,
    unsigned int* count) {
  return GetPlacements(__func__, device, profileId, placements, count);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstancePossiblePlacements(
    nvmlDevice_t device, unsigned int profileId, nvmlGpuInstancePlacement_t* placements,
    unsigned int* count) {
  return GetPlacements(__func__, device, profileId, placements, count);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceRemainingCapacity(nvmlDevice_t device,
                                                                   unsigned int profileId,
                                                                   unsigned int* count) {
  return ReadMig(DeviceCall{__func__, device, NotNull(count)}, [&](const Gpu& gpu) {
    const layout::MigProfile* profile = layout::FindMigProfileById(gpu.state, profileId);
    if (profile == nullptr) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    *count = layout::RemainingGpuInstances(gpu.state, *profile);
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceCreateGpuInstance(nvmlDevice_t device, unsigned int profileId,
                                                     nvmlGpuInstance_t* gpuInstance) {
  return CreateInstance(DeviceCall{__func__, device, NotNull(gpuInstance)}, profileId,
                        layout::kAnyPlacement, 0, gpuInstance);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceCreateGpuInstanceWithPlacement(
    nvmlDevice_t device, unsigned int profileId, const nvmlGpuInstancePlacement_t* placement,
    nvmlGpuInstance_t* gpuInstance) {
  const bool ok = NotNull(placement, gpuInstance) && placement->start != layout::kAnyPlacement;
  return CreateInstance(DeviceCall{__func__, device, ok}, profileId, ok ? placement->start : 0,
                        ok ? placement->size : 0, gpuInstance);
}

NVML_EXPORT nvmlReturn_t nvmlGpuInstanceDestroy(nvmlGpuInstance_t gpuInstance) {
  return ChangeInstance(__func__, gpuInstance, HandleKind::kGpuInstance, true,
                        [&](layout::Transaction&, layout::GpuState& gpu) {
                          return layout::DestroyGpuInstance(gpu,
                                                            FromPointer(gpuInstance).gpu_instance);
                        });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstances(nvmlDevice_t device, unsigned int profileId,
                                                   nvmlGpuInstance_t* gpuInstances,
                                                   unsigned int* count) {
  return ReadMig(DeviceCall{__func__, device, NotNull(count)}, [&](const Gpu& gpu) {
    if (layout::FindMigProfileById(gpu.state, profileId) == nullptr) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    // The array holds the profile's instance count, says the interface.
    std::uint32_t found = 0;
    for (std::uint32_t i = 0; i < layout::kMaxGpuInstances; ++i) {
      const layout::GpuInstance& instance = gpu.state.gpu_instances[i];
      if (instance.used == 0 || ProfileOf(gpu.state, instance).id != profileId) {
        continue;
      }
      if (gpuInstances != nullptr) {
        gpuInstances[found] = GpuInstanceOf(gpu.handle.slot, i, instance);
      }
      ++found;
    }
    *count = found;
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceById(nvmlDevice_t device, unsigned int id,
                                                      nvmlGpuInstance_t* gpuInstance) {
  return ReadMig(DeviceCall{__func__, device, NotNull(gpuInstance)}, [&](const Gpu& gpu) {
    for (std::uint32_t i = 0; i < layout::kMaxGpuInstances; ++i) {
      const layout::GpuInstance& instance = gpu.state.gpu_instances[i];
      if (instance.used != 0 && instance.id == id) {
        *gpuInstance = GpuInstanceOf(gpu.handle.slot, i, instance);
        return NVML_SUCCESS;
      }
    }
    return NVML_ERROR_NOT_FOUND;
  });
}

NVML_EXPORT nvmlReturn_t nvmlGpuInstanceGetInfo(nvmlGpuInstance_t gpuInstance,
                                                nvmlGpuInstanceInfo_t* info) {
  return ReadInstance(__func__, gpuInstance, HandleKind::kGpuInstance, NotNull(info),
                      [&](const Gpu& gpu) {
                        const layout::GpuInstance& instance = *gpu.gpu_instance;
                        *info = {.device = DeviceOf(gpu.handle),
                                 .id = instance.id,
                                 .profileId = ProfileOf(gpu.state, instance).id,
                                 .placement = {.start = instance.start, .size = instance.size}};
                        return NVML_SUCCESS;
                      });
}

NVML_EXPORT nvmlReturn_t nvmlGpuInstanceGetComputeInstanceProfileInfo(
    nvmlGpuInstance_t gpuInstance, unsigned int profile, unsigned int engProfile,
    nvmlComputeInstanceProfileInfo_t* info) {
  const bool ok = NotNull(info) && profile < NVML_COMPUTE_INSTANCE_PROFILE_COUNT &&
                  engProfile < NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_COUNT;
  return ReadInstance(__func__, gpuInstance, HandleKind::kGpuInstance, ok, [&](const Gpu& gpu) {
    layout::ComputeProfile compute{};
    if (!layout::ComputeProfileOf(ProfileOf(gpu.state, *gpu.gpu_instance).slices, profile,
                                  &compute)) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    FillComputeProfile(gpu, profile, compute, info);
    return NVML_SUCCESS;
  });
}
NVML_EXPORT nvmlReturn_t nvmlGpuInstanceGetComputeInstanceProfileInfoV(
    nvmlGpuInstance_t gpuInstance, unsigned int profile, unsigned int engProfile,
    nvmlComputeInstanceProfileInfo_v2_t* info) {
  const bool ok = NotNull(info) && profile < NVML_COMPUTE_INSTANCE_PROFILE_COUNT &&
                  engProfile < NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_COUNT;
  return ReadInstance(__func__, gpuInstance, HandleKind::kGpuInstance, ok, [&](const Gpu& gpu) {
    if (info->version != nvmlComputeInstanceProfileInfo_v2 &&
        info->version != nvmlComputeInstanceProfileInfo_v3) {
      return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    }
    layout::ComputeProfile compute{};
    if (!layout::ComputeProfileOf(ProfileOf(gpu.state, *gpu.gpu_instance).slices, profile,
                                  &compute)) {
      return NVML_ERROR_NOT_SUPPORTED;
    }
    if (info->version == nvmlComputeInstanceProfileInfo_v3) {
      FillComputeProfile(gpu, profile, compute,
                         reinterpret_cast<nvmlComputeInstanceProfileInfo_v3_t*>(info));
    } else {
      FillComputeProfile(gpu, profile, compute, info);
    }
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlGpuInstanceGetComputeInstanceRemainingCapacity(
    nvmlGpuInstance_t gpuInstance, unsigned int profileId, unsigned int* count) {
  return ReadInstance(
      __func__, gpuInstance, HandleKind::kGpuInstance, NotNull(count), [&](const Gpu& gpu) {
        layout::ComputeProfile compute{};
        if (!layout::ComputeProfileOf(ProfileOf(gpu.state, *gpu.gpu_instance).slices, profileId,
                                      &compute)) {
          return NVML_ERROR_INVALID_ARGUMENT;
        }
        *count = layout::RemainingComputeInstances(gpu.state, *gpu.gpu_instance, compute);
        return NVML_SUCCESS;
      });
}

NVML_EXPORT nvmlReturn_t nvmlGpuInstanceGetComputeInstancePossiblePlacements(
    nvmlGpuInstance_t gpuInstance, unsigned int profileId,
    nvmlComputeInstancePlacement_t* placements, unsigned int* count) {
  const unsigned int size = count != nullptr ? *count : 0;
  return ReadInstance(
      __func__, gpuInstance, HandleKind::kGpuInstance, NotNull(count), [&](const Gpu& gpu) {
        layout::ComputeProfile compute{};
        if (!layout::ComputeProfileOf(ProfileOf(gpu.state, *gpu.gpu_instance).slices, profileId,
                                      &compute)) {
          return NVML_ERROR_INVALID_ARGUMENT;
        }
        if (placements != nullptr && size < compute.instances) {
          *count = compute.instances;
          return NVML_ERROR_INSUFFICIENT_SIZE;
        }
        return FillArray(compute.instances, count, placements, [&](std::uint32_t i) {
          return nvmlComputeInstancePlacement_t{.start = i * compute.slices,
                                                .size = compute.slices};
        });
      });
}

NVML_EXPORT nvmlReturn_t nvmlGpuInstanceCreateComputeInstance(
    nvmlGpuInstance_t gpuInstance, unsigned int profileId, nvmlComputeInstance_t* computeInstance) {
  return CreateCompute(__func__, gpuInstance, profileId, layout::kAnyPlacement, true,
                       computeInstance);
}
NVML_EXPORT nvmlReturn_t nvmlGpuInstanceCreateComputeInstanceWithPlacement(
    nvmlGpuInstance_t gpuInstance, unsigned int profileId,
    const nvmlComputeInstancePlacement_t* placement, nvmlComputeInstance_t* computeInstance) {
  const bool ok = NotNull(placement) && placement->start != layout::kAnyPlacement;
  return CreateCompute(__func__, gpuInstance, profileId, ok ? placement->start : 0, ok,
                       computeInstance);
}

NVML_EXPORT nvmlReturn_t nvmlComputeInstanceDestroy(nvmlComputeInstance_t computeInstance) {
  const Handle handle = FromPointer(computeInstance);
  return ChangeInstance(__func__, computeInstance, HandleKind::kComputeInstance, true,
                        [&handle](layout::Transaction&, layout::GpuState& gpu) {
                          return layout::DestroyComputeInstance(gpu, handle.gpu_instance,
                                                                handle.compute_instance);
                        });
}

NVML_EXPORT nvmlReturn_t nvmlGpuInstanceGetComputeInstances(nvmlGpuInstance_t gpuInstance,
                                                            unsigned int profileId,
                                                            nvmlComputeInstance_t* computeInstances,
                                                            unsigned int* count) {
  return ReadInstance(
      __func__, gpuInstance, HandleKind::kGpuInstance, NotNull(count), [&](const Gpu& gpu) {
        std::uint32_t found = 0;
        for (std::uint32_t i = 0; i < layout::kMaxComputeInstances; ++i) {
          const layout::ComputeInstance& instance = gpu.gpu_instance->compute_instances[i];
          if (instance.used == 0 || instance.profile != profileId) {
            continue;
          }
          if (computeInstances != nullptr) {
            computeInstances[found] = ToPointer<nvmlComputeInstance_t>(
                ComputeHandle(HandleKind::kComputeInstance, gpu.handle.slot,
                              gpu.handle.gpu_instance, i, instance));
          }
          ++found;
        }
        *count = found;
        return NVML_SUCCESS;
      });
}

NVML_EXPORT nvmlReturn_t nvmlGpuInstanceGetComputeInstanceById(
    nvmlGpuInstance_t gpuInstance, unsigned int id, nvmlComputeInstance_t* computeInstance) {
  return ReadInstance(__func__, gpuInstance, HandleKind::kGpuInstance, NotNull(computeInstance),
                      [&](const Gpu& gpu) {
                        for (std::uint32_t i = 0; i < layout::kMaxComputeInstances; ++i) {
                          const layout::ComputeInstance& instance =
                              gpu.gpu_instance->compute_instances[i];
                          if (instance.used != 0 && instance.id == id) {
                            *computeInstance = ToPointer<nvmlComputeInstance_t>(
                                ComputeHandle(HandleKind::kComputeInstance, gpu.handle.slot,
                                              gpu.handle.gpu_instance, i, instance));
                            return NVML_SUCCESS;
                          }
                        }
                        return NVML_ERROR_NOT_FOUND;
                      });
}

NVML_EXPORT nvmlReturn_t nvmlComputeInstanceGetInfo_v2(nvmlComputeInstance_t computeInstance,
                                                       nvmlComputeInstanceInfo_t* info) {
  return GetComputeInfo(__func__, computeInstance, info);
}
// The first version's struct ends before the placement.
NVML_EXPORT nvmlReturn_t nvmlComputeInstanceGetInfo(nvmlComputeInstance_t computeInstance,
                                                    nvmlComputeInstanceInfo_t* info) {
  nvmlComputeInstanceInfo_t full;
  const nvmlReturn_t result =
      GetComputeInfo(__func__, computeInstance, info != nullptr ? &full : nullptr);
  if (result == NVML_SUCCESS) {
    memcpy(info, &full, offsetof(nvmlComputeInstanceInfo_t, placement));
  }
  return result;
}

NVML_EXPORT nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device,
                                                     unsigned int* isMigDevice) {
  return Get(DeviceCall{__func__, device}.EvenIfLost().OrMig(), isMigDevice,
             [](const Gpu& gpu) { return gpu.compute_instance != nullptr; });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned int* id) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(id)}.OrMig(), [&](const Gpu& gpu) {
    if (gpu.gpu_instance == nullptr) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    *id = gpu.gpu_instance->id;
    return NVML_SUCCESS;
  });
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned int* id) {
  return ReadDevice(DeviceCall{__func__, device, NotNull(id)}.OrMig(), [&](const Gpu& gpu) {
    if (gpu.compute_instance == nullptr) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    *id = gpu.compute_instance->id;
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int* count) {
  // Zero where MIG is not supported or not on.
  return Get(DeviceCall{__func__, device}, count, [](const Gpu& gpu) {
    return gpu.state.settings.mig_current != 0 ? MaxMigDevices(gpu.state) : 0;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device,
                                                             unsigned int index,
                                                             nvmlDevice_t* migDevice) {
  return ReadMig(DeviceCall{__func__, device, NotNull(migDevice)}, [&](const Gpu& gpu) {
    if (index >= MaxMigDevices(gpu.state)) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    MigDeviceAt at{};
    if (!FindMigDevice(gpu.state, index, &at)) {
      return NVML_ERROR_NOT_FOUND;
    }
    *migDevice = ToPointer<nvmlDevice_t>(ComputeHandle(
        HandleKind::kMigDevice, gpu.handle.slot, at.gpu_instance, at.compute_instance,
        gpu.state.gpu_instances[at.gpu_instance].compute_instances[at.compute_instance]));
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t migDevice,
                                                                      nvmlDevice_t* device) {
  return ReadDevice(DeviceCall{__func__, migDevice, NotNull(device)}.OrMig(), [&](const Gpu& gpu) {
    if (gpu.compute_instance == nullptr) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    *device = DeviceOf(gpu.handle);
    return NVML_SUCCESS;
  });
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device,
                                                    nvmlDeviceAttributes_t* attributes) {
  return GetAttributes(__func__, device, attributes);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetAttributes(nvmlDevice_t device,
                                                 nvmlDeviceAttributes_t* attributes) {
  return GetAttributes(__func__, device, attributes);
}

}  // namespace assay::fakegpu::nvml
