#include "fakegpu/layout/mig.h"

#include <stdio.h>

namespace assay::fakegpu::layout {
namespace {

constexpr std::uint64_t kMebibyte = 1024 * 1024;
constexpr std::uint64_t kGibibyte = 1024 * kMebibyte;

std::uint32_t MemorySlices(const GpuState& gpu) {
  return gpu.mig_memory_slices != 0 && gpu.mig_memory_slices <= 8 ? gpu.mig_memory_slices : 8;
}

const MigProfile& ProfileOf(const GpuState& gpu, const GpuInstance& instance) {
  return gpu.mig_profiles[instance.profile < kMaxMigProfiles ? instance.profile : 0];
}

// The memory slices that are taken, a bit each.
std::uint32_t Taken(const GpuState& gpu) {
  std::uint32_t taken = 0;
  for (const GpuInstance& instance : gpu.gpu_instances) {
    if (instance.used != 0 && instance.start < 8 && instance.size <= 8) {
      taken |= ((1U << instance.size) - 1) << instance.start;
    }
  }
  return taken;
}

bool Fits(std::uint32_t taken, const MigProfile& profile, std::uint32_t start) {
  return start < 8 && profile.placement_size <= 8 && (profile.placements >> start & 1) != 0 &&
         ((((1U << profile.placement_size) - 1) << start) & taken) == 0;
}

// How many placements of all profiles are open when `taken` is.
std::uint32_t OpenPlacements(const GpuState& gpu, std::uint32_t taken) {
  std::uint32_t open = 0;
  for (const MigProfile& profile : gpu.mig_profiles) {
    for (std::uint32_t start = 0; profile.valid != 0 && start < 8; ++start) {
      open += Fits(taken, profile, start) ? 1 : 0;
    }
  }
  return open;
}

// The placement that leaves the most others open; kAnyPlacement if there is none.
std::uint32_t LeastInTheWay(const GpuState& gpu, const MigProfile& profile) {
  const std::uint32_t taken = Taken(gpu);
  std::uint32_t best = kAnyPlacement;
  std::uint32_t best_open = 0;
  for (std::uint32_t start = 0; start < 8; ++start) {
    if (!Fits(taken, profile, start)) {
      continue;
    }
    const std::uint32_t open =
        OpenPlacements(gpu, taken | ((1U << profile.placement_size) - 1) << start);
    if (best == kAnyPlacement || open > best_open) {
      best = start;
      best_open = open;
    }
  }
  return best;
}

std::uint32_t CountInstances(const GpuState& gpu, const MigProfile& profile) {
  std::uint32_t count = 0;
  for (const GpuInstance& instance : gpu.gpu_instances) {
    count += instance.used != 0 && &ProfileOf(gpu, instance) == &profile ? 1 : 0;
  }
  return count;
}

std::uint32_t ComputeTaken(const GpuInstance& instance) {
  std::uint32_t taken = 0;
  for (const ComputeInstance& compute : instance.compute_instances) {
    if (compute.used != 0 && compute.start < 8 && compute.slices <= 8) {
      taken |= ((1U << compute.slices) - 1) << compute.start;
    }
  }
  return taken;
}

bool HasProcess(const GpuState& gpu, std::uint32_t gpu_instance, std::uint32_t compute_instance) {
  for (const Process& process : gpu.processes) {
    if (process.type != Process::kFree && process.gpu_instance == gpu_instance &&
        (compute_instance == kNoInstance || process.compute_instance == compute_instance)) {
      return true;
    }
  }
  return false;
}

// Whether the media and optical-flow engines that `count` instances of the profile take are left.
// The board has those of its largest profile.
bool EnginesLeft(const GpuState& gpu, const MigProfile& profile, std::uint32_t count) {
  std::uint32_t decoders = 0;
  std::uint32_t jpeg_engines = 0;
  std::uint32_t ofa_engines = 0;
  for (const MigProfile& row : gpu.mig_profiles) {
    if (row.valid != 0) {
      decoders = decoders < row.decoders ? row.decoders : decoders;
      jpeg_engines = jpeg_engines < row.jpeg_engines ? row.jpeg_engines : jpeg_engines;
      ofa_engines = ofa_engines < row.ofa_engines ? row.ofa_engines : ofa_engines;
    }
  }
  std::uint32_t taken_decoders = profile.decoders * count;
  std::uint32_t taken_jpeg_engines = profile.jpeg_engines * count;
  std::uint32_t taken_ofa_engines = profile.ofa_engines * count;
  for (const GpuInstance& instance : gpu.gpu_instances) {
    if (instance.used != 0) {
      taken_decoders += ProfileOf(gpu, instance).decoders;
      taken_jpeg_engines += ProfileOf(gpu, instance).jpeg_engines;
      taken_ofa_engines += ProfileOf(gpu, instance).ofa_engines;
    }
  }
  return taken_decoders <= decoders && taken_jpeg_engines <= jpeg_engines &&
         taken_ofa_engines <= ofa_engines;
}

const char* AttributeText(const MigProfile& profile) {
  switch (profile.attribute) {
    case kMigMedia:
      return "+me";
    case kMigGraphics:
      return "+gfx";
    case kMigAllMedia:
      return "+me.all";
    case kMigNoMedia:
      return "-me";
    default:
      return "";
  }
}

// splitmix64's output function.
std::uint64_t Mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// "MIG-" and a UUID that no other creation on this node has.
void FreshUuid(const NodeState& node, const GpuState& gpu, std::uint32_t generation, char* text,
               std::size_t size) {
  const std::uint64_t high = Mix(node.seed ^ gpu.noise_seed ^ (std::uint64_t{generation} << 32));
  const std::uint64_t low = Mix(high + 0x9e3779b97f4a7c15);
  snprintf(text, size, "MIG-%08x-%04x-5%03x-%04x-%012llx", static_cast<unsigned>(high >> 32),
           static_cast<unsigned>(high >> 16 & 0xffff), static_cast<unsigned>(high & 0xfff),
           static_cast<unsigned>(low >> 48 & 0x3fff) | 0x8000,
           static_cast<unsigned long long>(low & 0xffff'ffff'ffff));
}

}  // namespace

const MigProfile* FindMigProfileByIndex(const GpuState& gpu, std::uint32_t index) {
  for (const MigProfile& profile : gpu.mig_profiles) {
    if (profile.valid != 0 && profile.index == index) {
      return &profile;
    }
  }
  return nullptr;
}

const MigProfile* FindMigProfileById(const GpuState& gpu, std::uint32_t id) {
  for (const MigProfile& profile : gpu.mig_profiles) {
    if (profile.valid != 0 && profile.id == id) {
      return &profile;
    }
  }
  return nullptr;
}

void MigProfileName(const GpuState& gpu, const MigProfile& profile, char* text, std::size_t size) {
  // As go-nvlib computes it: eighths of the memory, rounded up, of the GPU's whole gigabytes.
  const std::uint64_t total = gpu.identity.memory_total_bytes;
  const std::uint64_t eighths =
      total == 0 ? 0 : (8 * profile.memory_mib * kMebibyte + total - 1) / total;
  const std::uint64_t gigabytes = (eighths * ((total + kGibibyte - 1) / kGibibyte) + 4) / 8;
  snprintf(text, size, "%ug.%llugb%s", profile.slices, static_cast<unsigned long long>(gigabytes),
           AttributeText(profile));
}

bool FitsAt(const GpuState& gpu, const MigProfile& profile, std::uint32_t start) {
  return Fits(Taken(gpu), profile, start) && EnginesLeft(gpu, profile, 1);
}

std::uint32_t RemainingGpuInstances(const GpuState& gpu, const MigProfile& profile) {
  const std::uint32_t existing = CountInstances(gpu, profile);
  const std::uint32_t allowed = profile.instances > existing ? profile.instances - existing : 0;
  std::uint32_t taken = Taken(gpu);
  std::uint32_t count = 0;
  for (std::uint32_t start = 0; start < 8 && count < allowed; ++start) {
    if (Fits(taken, profile, start) && EnginesLeft(gpu, profile, count + 1)) {
      taken |= ((1U << profile.placement_size) - 1) << start;
      ++count;
    }
  }
  return count;
}

MigError CreateGpuInstance(NodeState& node, GpuState& gpu, const MigProfile& profile,
                           std::uint32_t start, std::uint32_t* place) {
  if (start != kAnyPlacement && (start >= 8 || (profile.placements >> start & 1) == 0)) {
    return MigError::kBadPlacement;
  }
  if (RemainingGpuInstances(gpu, profile) == 0) {
    return MigError::kNoRoom;
  }
  const std::uint32_t chosen = start == kAnyPlacement ? LeastInTheWay(gpu, profile) : start;
  if (chosen == kAnyPlacement || profile.placement_size == 0 || !FitsAt(gpu, profile, chosen)) {
    return MigError::kNoRoom;
  }
  for (std::uint32_t i = 0; i < kMaxGpuInstances; ++i) {
    GpuInstance& instance = gpu.gpu_instances[i];
    if (instance.used != 0) {
      continue;
    }
    instance = {};
    instance.used = 1;
    instance.profile = static_cast<std::uint32_t>(&profile - gpu.mig_profiles);
    instance.start = chosen;
    instance.size = profile.placement_size;
    instance.id = MemorySlices(gpu) / instance.size - 1 + chosen / instance.size;
    instance.generation = ++node.next_generation;
    *place = i;
    return MigError::kNone;
  }
  return MigError::kNoRoom;
}

MigError DestroyGpuInstance(GpuState& gpu, std::uint32_t place) {
  GpuInstance& instance = gpu.gpu_instances[place];
  for (const ComputeInstance& compute : instance.compute_instances) {
    if (compute.used != 0) {
      return MigError::kInUse;
    }
  }
  if (HasProcess(gpu, instance.id, kNoInstance)) {
    return MigError::kInUse;
  }
  instance.used = 0;
  return MigError::kNone;
}

std::uint32_t ComputeMultiprocessors(const GpuState& gpu, const GpuInstance& instance,
                                     std::uint32_t slices) {
  const MigProfile& profile = ProfileOf(gpu, instance);
  if (slices >= profile.slices) {
    return profile.multiprocessors;
  }
  // A part has whole slices of the board; what a GPU instance has beyond them only its full compute
  // instance gets.
  const MigProfile* smallest = FindMigProfileByIndex(gpu, 0);
  return smallest != nullptr ? smallest->multiprocessors * slices
                             : profile.multiprocessors * slices / profile.slices;
}

bool ComputeProfileOf(std::uint32_t gpu_instance_slices, std::uint32_t profile,
                      ComputeProfile* result) {
  // NVML_COMPUTE_INSTANCE_PROFILE_{1,2,3,4,7,8,6}_SLICE.
  constexpr std::uint32_t kSlices[] = {1, 2, 3, 4, 7, 8, 6};
  if (profile >= sizeof(kSlices) / sizeof(kSlices[0]) || gpu_instance_slices == 0) {
    return false;
  }
  const std::uint32_t slices = kSlices[profile];
  // 3 of 4 is the one combination that boards leave out.
  if (slices > gpu_instance_slices || (slices == 3 && gpu_instance_slices == 4)) {
    return false;
  }
  *result = {slices, gpu_instance_slices / slices};
  return true;
}

bool ComputeFitsAt(const GpuState& gpu, const GpuInstance& instance, const ComputeProfile& profile,
                   std::uint32_t start) {
  const std::uint32_t slices = ProfileOf(gpu, instance).slices;
  const std::uint32_t mask = (1U << profile.slices) - 1;
  return start < 8 && start % profile.slices == 0 && start + profile.slices <= slices &&
         (mask << start & ComputeTaken(instance)) == 0;
}

std::uint32_t RemainingComputeInstances(const GpuState& gpu, const GpuInstance& instance,
                                        const ComputeProfile& profile) {
  std::uint32_t count = 0;
  for (std::uint32_t start = 0; start < 8; start += profile.slices) {
    count += ComputeFitsAt(gpu, instance, profile, start) ? 1 : 0;
  }
  return count;
}

MigError CreateComputeInstance(NodeState& node, GpuState& gpu, std::uint32_t gpu_instance,
                               std::uint32_t profile, std::uint32_t start, std::uint32_t* place) {
  GpuInstance& parent = gpu.gpu_instances[gpu_instance];
  ComputeProfile compute_profile{};
  if (!ComputeProfileOf(ProfileOf(gpu, parent).slices, profile, &compute_profile)) {
    return MigError::kBadProfile;
  }
  std::uint32_t chosen = start;
  if (start == kAnyPlacement) {
    for (chosen = 0; chosen < 8 && !ComputeFitsAt(gpu, parent, compute_profile, chosen);) {
      ++chosen;
    }
  }
  if (!ComputeFitsAt(gpu, parent, compute_profile, chosen)) {
    return MigError::kNoRoom;
  }
  for (std::uint32_t i = 0; i < kMaxComputeInstances; ++i) {
    ComputeInstance& instance = parent.compute_instances[i];
    if (instance.used != 0) {
      continue;
    }
    instance = {};
    instance.used = 1;
    instance.id = i;
    instance.profile = profile;
    instance.start = chosen;
    instance.slices = compute_profile.slices;
    instance.generation = ++node.next_generation;
    FreshUuid(node, gpu, instance.generation, instance.uuid, sizeof(instance.uuid));
    *place = i;
    return MigError::kNone;
  }
  return MigError::kNoRoom;
}

MigError DestroyComputeInstance(GpuState& gpu, std::uint32_t gpu_instance, std::uint32_t place) {
  GpuInstance& parent = gpu.gpu_instances[gpu_instance];
  ComputeInstance& instance = parent.compute_instances[place];
  if (HasProcess(gpu, parent.id, instance.id)) {
    return MigError::kInUse;
  }
  instance.used = 0;
  return MigError::kNone;
}

}  // namespace assay::fakegpu::layout
