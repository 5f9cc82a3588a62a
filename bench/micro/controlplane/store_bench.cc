// What one write costs that many watch.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/object.h"
#include "api/resource/types.h"
#include "bench/fixed_work/large_slice.h"
#include "controlplane/store/store.h"

namespace assay::bench {
namespace {

using api::resource::ResourceSlice;
using controlplane::store::Draft;
using controlplane::store::Store;
using controlplane::store::VersionPtr;
using controlplane::store::Watch;

// A write, and each of the watchers takes the event.
void BM_Store_WriteToWatchers(benchmark::State& state) {
  const api::Kind& kind = api::KindOf<ResourceSlice>();
  Store store({});
  Draft draft = Draft::New(kind);
  draft.As<ResourceSlice>() = MakeLargeSlice();
  Result<VersionPtr> stored = store.Create(std::move(draft));
  std::vector<std::unique_ptr<Watch>> watches;
  for (std::int64_t i = 0; i < state.range(0) && stored.ok(); ++i) {
    watches.push_back(*store.StartWatch({.kind = &kind, .after = (*stored)->resource_version()}));
  }
  for (auto _ : state) {
    if (stored.ok()) {
      stored = store.Update(Draft::CopyOf((*stored)->object()), (*stored)->resource_version());
    }
    for (const std::unique_ptr<Watch>& watch : watches) {
      const Result<Watch::Batch> batch = watch->Next(10);
      if (!stored.ok() || !batch.ok() || batch->events.size() != 1) {
        state.SkipWithError("an event is missing");
        return;
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Store_WriteToWatchers)->RangeMultiplier(10)->Range(1, 1000);

void BM_Store_List(benchmark::State& state) {
  const api::Kind& kind = api::KindOf<ResourceSlice>();
  Store store({});
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    Draft draft = Draft::New(kind);
    draft.metadata().name = "slice-" + std::to_string(i);
    if (!store.Create(std::move(draft)).ok()) {
      state.SkipWithError("cannot create");
      return;
    }
  }
  for (auto _ : state) {
    const Result<Store::Snapshot> list = store.List(kind, {});
    if (!list.ok() || static_cast<std::int64_t>(list->items.size()) != state.range(0)) {
      state.SkipWithError("wrong answer");
      return;
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Store_List)->RangeMultiplier(10)->Range(10, 10000);

}  // namespace
}  // namespace assay::bench
