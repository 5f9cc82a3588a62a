// bench_allocator: times the allocator on the cases of cases.json. Peer programs time other
// allocators on the same cases; bench/compare sets them side by side.
//
// usage: bench_allocator [--cases=FILE] --inputs=DIR [FLAGS OF google-benchmark]
#include <benchmark/benchmark.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "bench/macro/allocator/cases.h"
#include "bench/macro/allocator/heap.h"
#include "bench/macro/allocator/operations.h"
#include "bench/macro/allocator/world.h"

namespace assay::bench {
namespace {

// Keeps the world of one list of inputs: google-benchmark runs a case several times, and cases that
// stand together share theirs.
class WorldCache {
 public:
  explicit WorldCache(std::string folder) : folder_(std::move(folder)) {}

  Result<World*> Get(const std::vector<std::string>& inputs) {
    if (world_ != nullptr && inputs == inputs_) {
      return world_.get();
    }
    world_ = nullptr;
    base_bytes_ = LiveHeapBytes();
    auto made = std::make_unique<World>();
    for (const std::string& input : inputs) {
      ASSAY_RETURN_IF_ERROR(made->Load(folder_ + "/" + input));
    }
    world_ = std::move(made);
    inputs_ = inputs;
    return world_.get();
  }

  // What the world holds.
  double HeapBytes() const { return static_cast<double>(LiveHeapBytes() - base_bytes_); }

 private:
  std::string folder_;
  std::vector<std::string> inputs_;
  std::unique_ptr<World> world_;
  std::uint64_t base_bytes_ = 0;
};

Status Measure(benchmark::State& state, const Case& c, WorldCache& worlds) {
  ASSAY_ASSIGN_OR_RETURN(World* const world, worlds.Get(c.inputs));
  ASSAY_ASSIGN_OR_RETURN(const std::unique_ptr<Operation> operation,
                         MakeOperation(c.operation, *world));
  Answers answers;
  ASSAY_RETURN_IF_ERROR(operation->Run(0, &answers));
  if (c.operation == "heap") {
    ASSAY_ASSIGN_OR_RETURN(const auto all_nodes, MakeOperation("all-nodes", *world));
    ASSAY_RETURN_IF_ERROR(all_nodes->Run(0, nullptr));
  }
  const HeapCounts before = CountHeap();
  std::size_t iteration = 1;
  for (auto _ : state) {
    if (Status ran = operation->Run(iteration++, nullptr); !ran.ok()) {
      return ran;
    }
  }
  const HeapCounts after = CountHeap();
  const auto each = [&state](std::uint64_t count) {
    return benchmark::Counter(static_cast<double>(count) / static_cast<double>(state.iterations()));
  };
  state.counters["allocations"] = each(after.allocations - before.allocations);
  state.counters["allocated_bytes"] = each(after.bytes - before.bytes);
  state.counters["heap_bytes"] = worlds.HeapBytes();
  state.counters["fits"] = static_cast<double>(answers.fits());
  state.counters["answer"] = answers.Number();
  return OkStatus();
}

// Takes --NAME=VALUE out of the arguments.
std::string TakeFlag(std::vector<char*>& arguments, std::string_view name,
                     std::string default_value) {
  const std::string start = "--" + std::string(name) + "=";
  std::erase_if(arguments, [&](const char* argument) {
    const bool is_it = std::string_view(argument).starts_with(start);
    if (is_it) {
      default_value = argument + start.size();
    }
    return is_it;
  });
  return default_value;
}

int Main(std::vector<char*> arguments) {
  const std::string cases_file = TakeFlag(arguments, "cases", "bench/macro/allocator/cases.json");
  WorldCache worlds(TakeFlag(arguments, "inputs", "."));
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) {
    return 2;
  }
  const Result<std::string> text = ReadFile(cases_file);
  const Result<std::vector<Case>> cases =
      text.ok() ? ParseCases(*text) : Result<std::vector<Case>>(text.status());
  if (!cases.ok()) {
    std::cerr << "bench_allocator: " << cases.status().message() << "\n";
    return 2;
  }
  for (const Case& c : *cases) {
    benchmark::RegisterBenchmark(c.name.c_str(), [&c, &worlds](benchmark::State& state) {
      if (const Status status = Measure(state, c, worlds); !status.ok()) {
        state.SkipWithError(status.message().c_str());
      }
    });
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  return assay::bench::Main(std::vector<char*>(argv, argv + argc));
}
