// First fit over fleets of which half is in use: its cost must not grow with the number of nodes.
#include <benchmark/benchmark.h>

#include "allocator/fleet.h"
#include "bench/micro/allocator/gpu_fleet.h"

namespace assay::bench {
namespace {

using allocator::Attempt;
using allocator::Fleet;
using api::resource::ResourceClaim;

// Nodes of which those before the middle have all GPUs in use.
void FillHalf(GpuFleet& gpus) {
  for (std::size_t node = 0; node < gpus.nodes.size() / 2; ++node) {
    for (int gpu = 0; gpu < kGpusPerNode; ++gpu) {
      gpus.inventory.SetClaim(GpuFleet::UsedGpu(static_cast<std::int64_t>(node), gpu));
    }
  }
}

void BM_Fleet_FirstFit(benchmark::State& state) {
  GpuFleet gpus(state.range(0));
  FillHalf(gpus);
  Fleet fleet(gpus.NodePointers());
  fleet.Update(gpus.inventory.TakeSnapshot());
  const ResourceClaim claim = GpuFleet::ClaimGpus(1);
  const ResourceClaim* claims[] = {&claim};
  for (auto _ : state) {
    Attempt attempt(gpus.inventory.TakeSnapshot(), claims);
    const auto first = fleet.FirstFit(attempt);
    if (!first.ok() || *first != gpus.nodes.size() / 2) {
      state.SkipWithError("wrong answer");
      return;
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Fleet_FirstFit)->RangeMultiplier(10)->Range(10, 100000);

// A GPU of the last node comes in use or goes out of use, in turn.
void BM_Fleet_Update(benchmark::State& state) {
  GpuFleet gpus(state.range(0));
  FillHalf(gpus);
  Fleet fleet(gpus.NodePointers());
  fleet.Update(gpus.inventory.TakeSnapshot());
  const ResourceClaim used = GpuFleet::UsedGpu(state.range(0) - 1, 0);
  bool is_used = false;
  for (auto _ : state) {
    if (is_used) {
      gpus.inventory.RemoveClaim(used.metadata.namespace_, used.metadata.name);
    } else {
      gpus.inventory.SetClaim(used);
    }
    is_used = !is_used;
    fleet.Update(gpus.inventory.TakeSnapshot());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Fleet_Update)->RangeMultiplier(10)->Range(10, 100000);

}  // namespace
}  // namespace assay::bench
