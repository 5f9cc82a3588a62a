// What an attempt costs, on a node like one that it has seen and from the beginning; and what it
// costs to keep the inventory. BM_Attempt_Fits reports `allocations` a call, which must be 0.
#include <benchmark/benchmark.h>

#include "allocator/allocator.h"
#include "bench/macro/allocator/heap.h"
#include "bench/micro/allocator/gpu_fleet.h"

namespace assay::bench {
namespace {

using allocator::Attempt;
using allocator::Snapshot;
using api::resource::ResourceClaim;

void BM_Attempt_Fits(benchmark::State& state) {
  GpuFleet fleet(2);
  const ResourceClaim claim = GpuFleet::ClaimGpus(static_cast<int>(state.range(0)));
  const ResourceClaim* claims[] = {&claim};
  Attempt attempt(fleet.inventory.TakeSnapshot(), claims);
  bool fits = attempt.Fits(fleet.nodes[0]).value_or(false);
  for (auto _ : state) {
    fits = fits && attempt.Fits(fleet.nodes[1]).value_or(false);
  }
  constexpr int kCounted = 1000;
  const HeapCounts before = CountHeap();
  for (int i = 0; i < kCounted; ++i) {
    fits = fits && attempt.Fits(fleet.nodes[1]).value_or(false);
  }
  const std::uint64_t allocations = CountHeap().allocations - before.allocations;
  state.counters["allocations"] = static_cast<double>(allocations) / kCounted;
  if (!fits) {
    state.SkipWithError("it does not fit");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Attempt_Fits)->Arg(1)->Arg(8);

// The claim is prepared, and the node is the first of its kind.
void BM_Attempt_AllocateAnew(benchmark::State& state) {
  GpuFleet fleet(1);
  const ResourceClaim claim = GpuFleet::ClaimGpus(static_cast<int>(state.range(0)));
  const ResourceClaim* claims[] = {&claim};
  for (auto _ : state) {
    Attempt attempt(fleet.inventory.TakeSnapshot(), claims);
    const auto allocated = attempt.Allocate(fleet.nodes[0]);
    if (!allocated.ok() || !allocated->has_value()) {
      state.SkipWithError("it does not fit");
      return;
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Attempt_AllocateAnew)->Arg(1)->Arg(8);

// A claim comes or goes, in turn, and a snapshot is taken.
void BM_Inventory_SetClaim(benchmark::State& state) {
  GpuFleet fleet(state.range(0));
  for (std::int64_t node = 0; node < state.range(0); ++node) {
    for (int gpu = 1; gpu < kGpusPerNode; ++gpu) {
      fleet.inventory.SetClaim(GpuFleet::UsedGpu(node, gpu));
    }
  }
  const ResourceClaim claim = GpuFleet::UsedGpu(state.range(0) / 2, 0);
  std::shared_ptr<const Snapshot> snapshot = fleet.inventory.TakeSnapshot();
  bool is_set = false;
  for (auto _ : state) {
    if (is_set) {
      fleet.inventory.RemoveClaim(claim.metadata.namespace_, claim.metadata.name);
    } else {
      fleet.inventory.SetClaim(claim);
    }
    is_set = !is_set;
    snapshot = fleet.inventory.TakeSnapshot();
  }
  const ResourceClaim wanted = GpuFleet::ClaimGpus(1);
  const ResourceClaim* claims[] = {&wanted};
  if (Attempt(snapshot, claims)
          .Fits(fleet.nodes[static_cast<std::size_t>(state.range(0) / 2)])
          .value_or(is_set) == is_set) {
    state.SkipWithError("wrong answer");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Inventory_SetClaim)->RangeMultiplier(10)->Range(10, 10000);

// A node's slice is replaced, and a snapshot is taken.
void BM_Inventory_SetSlice(benchmark::State& state) {
  GpuFleet fleet(state.range(0));
  auto slice = GpuFleet::GpuSlice(state.range(0) / 2, 0);
  std::shared_ptr<const Snapshot> snapshot = fleet.inventory.TakeSnapshot();
  for (auto _ : state) {
    ++slice.spec.pool.generation;
    fleet.inventory.SetSlice(slice);
    snapshot = fleet.inventory.TakeSnapshot();
  }
  std::vector<std::string> names;
  if (!snapshot->IsLocalToNodes(&names) || names.size() != fleet.nodes.size()) {
    state.SkipWithError("a node is missing");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Inventory_SetSlice)->RangeMultiplier(10)->Range(10, 10000);

}  // namespace
}  // namespace assay::bench
