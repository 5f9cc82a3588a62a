// The search on one node, of which nothing is known but what the claim is: claims that fit at once,
// and claims that need looking ahead.
#include <benchmark/benchmark.h>

#include "allocator/search/prepared.h"
#include "allocator/search/search.h"
#include "allocator/search/searcher.h"
#include "bench/micro/allocator/gpu_fleet.h"

namespace assay::bench {
namespace {

using api::resource::ResourceClaim;

// Whether the claim fits must be `expected`.
void Search(benchmark::State& state, GpuFleet& fleet, const ResourceClaim& claim, bool expected) {
  const ResourceClaim* claims[] = {&claim};
  const allocator::AllocateOptions options;
  std::uint64_t steps = 0;
  const Status status = fleet.inventory.TakeSnapshot()->WithSearch(
      claims, fleet.nodes[0], options, [&](const allocator::search::Input& input) {
        allocator::search::Prepared prepared(
            {input.claims, input.find_class, input.selectors, input.shapes, input.features});
        allocator::search::Searcher searcher(prepared, options);
        for (auto _ : state) {
          const Result<bool> fits = searcher.Run(input.node, input.pools);
          if (!fits.ok() || *fits != expected) {
            return InternalError("wrong answer");
          }
        }
        steps = searcher.steps();
        return OkStatus();
      });
  if (!status.ok()) {
    state.SkipWithError(status.message().c_str());
  }
  state.counters["steps"] = static_cast<double>(steps);
  state.SetItemsProcessed(state.iterations());
}

void BM_Searcher_Gpus(benchmark::State& state) {
  GpuFleet fleet(1);
  Search(state, fleet, GpuFleet::ClaimGpus(static_cast<int>(state.range(0))), true);
}
BENCHMARK(BM_Searcher_Gpus)->Arg(1)->Arg(8);

// Parts of one GPU, all but one of which are in use.
void BM_Searcher_PartsOfTheLastGpu(benchmark::State& state) {
  GpuFleet fleet(1, 8);
  for (int gpu = 0; gpu + 1 < kGpusPerNode; ++gpu) {
    fleet.inventory.SetClaim(GpuFleet::UsedGpu(0, gpu));
  }
  Search(state, fleet, GpuFleet::ClaimParts(static_cast<int>(state.range(0))), true);
}
BENCHMARK(BM_Searcher_PartsOfTheLastGpu)->Arg(2)->Arg(8);

// One part more than a GPU has: that takes looking ahead.
void BM_Searcher_OnePartTooMany(benchmark::State& state) {
  GpuFleet fleet(1, static_cast<int>(state.range(0)));
  Search(state, fleet, GpuFleet::ClaimParts(static_cast<int>(state.range(0)) + 1), false);
}
BENCHMARK(BM_Searcher_OnePartTooMany)->Arg(4)->Arg(8)->Arg(16);

}  // namespace
}  // namespace assay::bench
