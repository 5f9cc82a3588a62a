// GpuFleet: nodes of 8 GPUs each, whole or with partitions, and claims for them; what the
// allocator's micro benchmarks allocate.
//
// Not thread-safe; one per benchmark.
#ifndef ASSAY_BENCH_MICRO_ALLOCATOR_GPU_FLEET_H_
#define ASSAY_BENCH_MICRO_ALLOCATOR_GPU_FLEET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "allocator/allocator.h"
#include "api/core/types.h"
#include "api/resource/types.h"

namespace assay::bench {

inline constexpr int kGpusPerNode = 8;

struct GpuFleet {
  // With `partitions`, each GPU is also offered as so many parts, which share its memory.
  explicit GpuFleet(std::int64_t count, int partitions = 0);

  // A claim for `gpus` GPUs, each a request of its own; or for parts, all of one GPU.
  static api::resource::ResourceClaim ClaimGpus(int gpus);
  static api::resource::ResourceClaim ClaimParts(int parts);
  // A claim that has the GPU of the node.
  static api::resource::ResourceClaim UsedGpu(std::int64_t node, int gpu);
  static api::resource::ResourceSlice GpuSlice(std::int64_t node, int partitions);

  std::vector<const api::core::Node*> NodePointers() const;

  allocator::Inventory inventory;
  std::vector<api::core::Node> nodes;
};

}  // namespace assay::bench

#endif  // ASSAY_BENCH_MICRO_ALLOCATOR_GPU_FLEET_H_
