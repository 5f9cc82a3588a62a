// The geometry of MIG: which GPU instances and compute instances fit where, and making and ending
// them.
//
// A GPU instance takes a run of memory slices, at one of its profile's placements; a compute
// instance takes a run of its GPU instance's compute slices. Media engines are the board's, too,
// and an instance takes its share of them. An id is the place in a binary tree over the slices, as
// the driver numbers them: 0 is the whole GPU, 1 and 2 its halves, 7 to 14 the eighths.
//
// Freestanding. Thread-safe: functions of their arguments; changes are made in a Transaction.
#ifndef ASSAY_FAKEGPU_LAYOUT_MIG_H_
#define ASSAY_FAKEGPU_LAYOUT_MIG_H_

#include <cstddef>
#include <cstdint>

#include "fakegpu/layout/state.h"

namespace assay::fakegpu::layout {

enum class MigError {
  kNone,
  kBadProfile,    // The board, or the GPU instance, has no such profile.
  kBadPlacement,  // The profile has no such placement.
  kNoRoom,
  kInUse,  // Processes, or instances inside, are left.
};

// Null where the board has none such.
const MigProfile* FindMigProfileByIndex(const GpuState& gpu, std::uint32_t index);
const MigProfile* FindMigProfileById(const GpuState& gpu, std::uint32_t id);

// "1g.10gb", "1g.10gb+me", "1g.24gb-me": slices, and the memory's eighths of the GPU in gigabytes.
void MigProfileName(const GpuState& gpu, const MigProfile& profile, char* text, std::size_t size);

// Whether the profile can start at memory slice `start` now.
bool FitsAt(const GpuState& gpu, const MigProfile& profile, std::uint32_t start);
// How many more instances of the profile fit.
std::uint32_t RemainingGpuInstances(const GpuState& gpu, const MigProfile& profile);

// Makes an instance where `start` says (kAnyPlacement: where it is least in the way) and puts its
// place in gpu.gpu_instances into `*place`.
inline constexpr std::uint32_t kAnyPlacement = 0xffffffff;
MigError CreateGpuInstance(NodeState& node, GpuState& gpu, const MigProfile& profile,
                           std::uint32_t start, std::uint32_t* place);
MigError DestroyGpuInstance(GpuState& gpu, std::uint32_t place);

// What a compute-instance profile (NVML_COMPUTE_INSTANCE_PROFILE_*) is in a GPU instance of
// `gpu_instance_slices`: false where it is none.
struct ComputeProfile {
  std::uint32_t slices;
  std::uint32_t instances;
};
bool ComputeProfileOf(std::uint32_t gpu_instance_slices, std::uint32_t profile,
                      ComputeProfile* result);
// The multiprocessors of a compute instance of so many slices.
std::uint32_t ComputeMultiprocessors(const GpuState& gpu, const GpuInstance& instance,
                                     std::uint32_t slices);
bool ComputeFitsAt(const GpuState& gpu, const GpuInstance& instance, const ComputeProfile& profile,
                   std::uint32_t start);
std::uint32_t RemainingComputeInstances(const GpuState& gpu, const GpuInstance& instance,
                                        const ComputeProfile& profile);
MigError CreateComputeInstance(NodeState& node, GpuState& gpu, std::uint32_t gpu_instance,
                               std::uint32_t profile, std::uint32_t start, std::uint32_t* place);
MigError DestroyComputeInstance(GpuState& gpu, std::uint32_t gpu_instance, std::uint32_t place);

}  // namespace assay::fakegpu::layout

#endif  // ASSAY_FAKEGPU_LAYOUT_MIG_H_
