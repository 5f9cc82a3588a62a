#include "driver-ref/nvml/mig.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace assay::driver_ref::nvml {
namespace {

using discovery::Gpu;
using discovery::MigProfile;
using discovery::Partition;
using discovery::PartitionPlace;

// No board has more placements of a profile, or instances, than this.
constexpr std::size_t kMaxInstances = 64;

using ProfileInfo = nvmlGpuInstanceProfileInfo_v2_t;

// The profiles that the GPU has.
Result<std::vector<ProfileInfo>> ListProfiles(const Session& session, nvmlDevice_t device) {
  std::vector<ProfileInfo> profiles;
  for (unsigned int index = 0; index < NVML_GPU_INSTANCE_PROFILE_COUNT; ++index) {
    ProfileInfo info{};
    info.version = nvmlGpuInstanceProfileInfo_v2;
    const nvmlReturn_t code = session.f.profile_info(device, index, &info);
    if (code == NVML_SUCCESS) {
      profiles.push_back(info);
    } else if (code != NVML_ERROR_NOT_SUPPORTED && code != NVML_ERROR_INVALID_ARGUMENT) {
      return session.Error(code, "nvmlDeviceGetGpuInstanceProfileInfoV");
    }
  }
  return profiles;
}

// "MIG 1g.10gb+me" without the first word.
std::string ProfileName(const ProfileInfo& info) {
  constexpr std::string_view kPrefix = "MIG ";
  std::string_view name(info.name);
  if (name.starts_with(kPrefix)) {
    name.remove_prefix(kPrefix.size());
  }
  return std::string(name);
}

// What does not answer is left out, and asked again at the next look if that is everything.
std::vector<MigProfile> ProfilesOf(const Session& session, nvmlDevice_t device) {
  const Result<std::vector<ProfileInfo>> infos = ListProfiles(session, device);
  std::vector<MigProfile> profiles;
  if (!infos.ok()) {
    return profiles;
  }
  for (const ProfileInfo& info : *infos) {
    std::array<nvmlGpuInstancePlacement_t, kMaxInstances> placements{};
    unsigned int count = placements.size();
    if (session.f.possible_placements(device, info.id, placements.data(), &count) != NVML_SUCCESS ||
        count == 0) {
      continue;
    }
    MigProfile& profile = profiles.emplace_back();
    profile.id = info.id;
    profile.name = ProfileName(info);
    profile.memory_bytes = info.memorySizeMB * 1024 * 1024;
    profile.multiprocessors = info.multiprocessorCount;
    profile.copy_engines = info.copyEngineCount;
    profile.decoders = info.decoderCount;
    profile.encoders = info.encoderCount;
    profile.jpeg_engines = info.jpegCount;
    profile.ofa_engines = info.ofaCount;
    profile.size = placements[0].size;
    for (unsigned int i = 0; i < count; ++i) {
      profile.starts.push_back(placements[i].start);
    }
  }
  return profiles;
}

bool ModeComesAndGoes(const Functions& nvml, nvmlDevice_t device) {
  nvmlDeviceArchitecture_t architecture = 0;
  return nvml.architecture(device, &architecture) == NVML_SUCCESS &&
         architecture != NVML_DEVICE_ARCH_UNKNOWN && architecture >= NVML_DEVICE_ARCH_HOPPER;
}

}  // namespace

void DescribeDivision(const Session& session, nvmlDevice_t device, Gpu& gpu) {
  const Functions& nvml = session.f;
  unsigned int current = 0;
  unsigned int pending = 0;
  if (nvml.mig_mode(device, &current, &pending) != NVML_SUCCESS) {
    return;  // The board has no MIG, or is lost.
  }
  nvmlGpuVirtualizationMode_t virtualization = NVML_GPU_VIRTUALIZATION_MODE_NONE;
  const bool is_vgpu = nvml.virtualization_mode(device, &virtualization) == NVML_SUCCESS &&
                       virtualization == NVML_GPU_VIRTUALIZATION_MODE_VGPU;
  const bool comes_and_goes = ModeComesAndGoes(nvml, device);
  if (is_vgpu || (!comes_and_goes && current == NVML_DEVICE_MIG_DISABLE)) {
    gpu.mig_profiles.clear();
    gpu.whole = true;
    return;
  }
  gpu.whole = comes_and_goes;
  // They are the board's and stay.
  if (gpu.mig_profiles.empty()) {
    gpu.mig_profiles = ProfilesOf(session, device);
  }
}

Result<std::vector<nvmlGpuInstance_t>> MigPartitioner::GpuInstances(nvmlDevice_t device) {
  ASSAY_ASSIGN_OR_RETURN(const std::vector<ProfileInfo> profiles, ListProfiles(*session_, device));
  std::vector<nvmlGpuInstance_t> instances;
  for (const ProfileInfo& profile : profiles) {
    std::array<nvmlGpuInstance_t, kMaxInstances> found{};
    unsigned int count = found.size();
    const nvmlReturn_t code = session_->f.gpu_instances(device, profile.id, found.data(), &count);
    if (code == NVML_ERROR_NOT_SUPPORTED) {
      continue;  // MIG mode is off.
    }
    ASSAY_RETURN_IF_ERROR(session_->Error(code, "nvmlDeviceGetGpuInstances"));
    instances.insert(instances.end(), found.begin(), found.begin() + count);
  }
  return instances;
}

Result<Partition> MigPartitioner::Describe(nvmlDevice_t device, const std::string& gpu,
                                           nvmlGpuInstance_t instance) {
  const Functions& nvml = session_->f;
  nvmlGpuInstanceInfo_t info{};
  ASSAY_RETURN_IF_ERROR(
      session_->Error(nvml.gpu_instance_info(instance, &info), "nvmlGpuInstanceGetInfo"));
  Partition partition{.place = {.gpu = gpu,
                                .profile = info.profileId,
                                .start = info.placement.start,
                                .size = info.placement.size},
                      .uuid = "",
                      .gpu_instance = info.id};
  unsigned int count = 0;
  ASSAY_RETURN_IF_ERROR(
      session_->Error(nvml.max_mig_devices(device, &count), "nvmlDeviceGetMaxMigDeviceCount"));
  for (unsigned int i = 0; i < count; ++i) {
    nvmlDevice_t mig_device = nullptr;
    unsigned int gpu_instance = 0;
    std::array<char, NVML_DEVICE_UUID_V2_BUFFER_SIZE> uuid{};
    if (nvml.mig_device_by_index(device, i, &mig_device) == NVML_SUCCESS &&
        nvml.gpu_instance_id(mig_device, &gpu_instance) == NVML_SUCCESS &&
        gpu_instance == info.id &&
        nvml.compute_instance_id(mig_device, &partition.compute_instance) == NVML_SUCCESS &&
        nvml.uuid(mig_device, uuid.data(), uuid.size()) == NVML_SUCCESS) {
      partition.uuid = uuid.data();
      break;
    }
  }
  return partition;
}

Result<std::vector<Partition>> MigPartitioner::List(const std::string& gpu) {
  ASSAY_ASSIGN_OR_RETURN(nvmlDevice_t device, session_->FindGpu(gpu));
  ASSAY_ASSIGN_OR_RETURN(const std::vector<nvmlGpuInstance_t> instances, GpuInstances(device));
  std::vector<Partition> partitions;
  for (nvmlGpuInstance_t instance : instances) {
    ASSAY_ASSIGN_OR_RETURN(partitions.emplace_back(), Describe(device, gpu, instance));
  }
  return partitions;
}

Result<Partition> MigPartitioner::Create(const PartitionPlace& place) {
  const Functions& nvml = session_->f;
  ASSAY_ASSIGN_OR_RETURN(nvmlDevice_t device, session_->FindGpu(place.gpu));
  ASSAY_RETURN_IF_ERROR(SetMode(device, NVML_DEVICE_MIG_ENABLE).WithContext(place.gpu));
  const nvmlGpuInstancePlacement_t placement{.start = place.start, .size = place.size};
  nvmlGpuInstance_t instance = nullptr;
  ASSAY_RETURN_IF_ERROR(
      session_
          ->Error(nvml.create_gpu_instance(device, place.profile, &placement, &instance),
                  "nvmlDeviceCreateGpuInstanceWithPlacement")
          .WithContext(place.ToString()));
  const Status created = CreateComputeInstance(device, instance, place.profile);
  Result<Partition> partition =
      created.ok() ? Describe(device, place.gpu, instance) : Result<Partition>(created);
  if (!partition.ok()) {
    const Status undone = DestroyInstance(instance);
    return partition.status().WithContext(place.ToString() +
                                          (undone.ok() ? "" : ", and is not undone"));
  }
  return partition;
}

Status MigPartitioner::CreateComputeInstance(nvmlDevice_t device, nvmlGpuInstance_t instance,
                                             std::uint32_t profile) {
  const Functions& nvml = session_->f;
  ASSAY_ASSIGN_OR_RETURN(const std::vector<ProfileInfo> profiles, ListProfiles(*session_, device));
  const auto found = std::ranges::find(profiles, profile, &ProfileInfo::id);
  const unsigned int slices = found != profiles.end() ? found->sliceCount : 0;
  for (unsigned int index = 0; index < NVML_COMPUTE_INSTANCE_PROFILE_COUNT; ++index) {
    nvmlComputeInstanceProfileInfo_t info{};
    if (nvml.compute_profile_info(instance, index, NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED,
                                  &info) == NVML_SUCCESS &&
        info.sliceCount == slices) {
      nvmlComputeInstance_t made = nullptr;
      return session_->Error(nvml.create_compute_instance(instance, info.id, &made),
                             "nvmlGpuInstanceCreateComputeInstance");
    }
  }
  return InternalError("the GPU instance has no compute instance profile of " +
                       std::to_string(slices) + " slices");
}

Status MigPartitioner::DestroyInstance(nvmlGpuInstance_t instance) {
  const Functions& nvml = session_->f;
  for (unsigned int index = 0; index < NVML_COMPUTE_INSTANCE_PROFILE_COUNT; ++index) {
    nvmlComputeInstanceProfileInfo_t info{};
    std::array<nvmlComputeInstance_t, kMaxInstances> found{};
    unsigned int count = found.size();
    if (nvml.compute_profile_info(instance, index, NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED,
                                  &info) != NVML_SUCCESS ||
        nvml.compute_instances(instance, info.id, found.data(), &count) != NVML_SUCCESS) {
      continue;
    }
    for (unsigned int i = 0; i < count; ++i) {
      ASSAY_RETURN_IF_ERROR(
          session_->Error(nvml.destroy_compute_instance(found[i]), "nvmlComputeInstanceDestroy"));
    }
  }
  return session_->Error(nvml.destroy_gpu_instance(instance), "nvmlGpuInstanceDestroy");
}

Status MigPartitioner::Destroy(const PartitionPlace& place) {
  ASSAY_ASSIGN_OR_RETURN(nvmlDevice_t device, session_->FindGpu(place.gpu));
  ASSAY_ASSIGN_OR_RETURN(const std::vector<nvmlGpuInstance_t> instances, GpuInstances(device));
  std::size_t left = instances.size();
  for (nvmlGpuInstance_t instance : instances) {
    ASSAY_ASSIGN_OR_RETURN(const Partition partition, Describe(device, place.gpu, instance));
    if (partition.place == place) {
      ASSAY_RETURN_IF_ERROR(DestroyInstance(instance).WithContext(place.ToString()));
      --left;
    }
  }
  if (left == 0 && ModeComesAndGoes(session_->f, device)) {
    // Whoever wants the whole GPU turns the mode off too, and hears why it cannot be done.
    (void)SetMode(device, NVML_DEVICE_MIG_DISABLE).ok();
  }
  return OkStatus();
}

Status MigPartitioner::UseWhole(const std::string& gpu) {
  ASSAY_ASSIGN_OR_RETURN(nvmlDevice_t device, session_->FindGpu(gpu));
  return SetMode(device, NVML_DEVICE_MIG_DISABLE).WithContext(gpu);
}

Status MigPartitioner::SetMode(nvmlDevice_t device, unsigned int mode) {
  const Functions& nvml = session_->f;
  unsigned int current = 0;
  unsigned int pending = 0;
  nvmlReturn_t code = nvml.mig_mode(device, &current, &pending);
  if (code == NVML_ERROR_NOT_SUPPORTED && mode == NVML_DEVICE_MIG_DISABLE) {
    return OkStatus();
  }
  ASSAY_RETURN_IF_ERROR(session_->Error(code, "nvmlDeviceGetMigMode"));
  if (current == mode) {
    return OkStatus();
  }
  nvmlReturn_t activation = NVML_SUCCESS;
  ASSAY_RETURN_IF_ERROR(
      session_->Error(nvml.set_mig_mode(device, mode, &activation), "nvmlDeviceSetMigMode"));
  if (activation == NVML_SUCCESS) {
    return OkStatus();
  }
  // Nobody shall find it changed after the next reset.
  nvmlReturn_t ignored = NVML_SUCCESS;
  (void)nvml.set_mig_mode(device, current, &ignored);
  return FailedPreconditionError(
      "MIG mode does not change while something uses the GPU (nvmlDeviceSetMigMode: " +
      std::string(nvml.error_string(activation)) + ")");
}

}  // namespace assay::driver_ref::nvml
