// Selectors: compiling them, and evaluating them on a device. bench/peers/cel times the same in
// Kubernetes' evaluator; its expressions.txt is what both read:
//
//   bench/compare assay=build/bench/bench/micro/cel/bench_cel upstream=.../cel
//
// BM_Evaluate reports `allocations` per evaluation, which must be 0 for scalars.
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>
#include <vector>

#include "cel/dra/selector.h"

namespace {

std::atomic<std::uint64_t> allocations = 0;

}  // namespace

void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size); memory != nullptr) {
    return memory;
  }
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using namespace assay::cel::dra;

const Device& BenchDevice() {
  static const Device* const device = [] {
    DeviceContent content;
    content.driver = "gpu.example.com";
    content.attributes = {{"model", std::string("H100-SXM5-80GB")},
                          {"index", std::int64_t{3}},
                          {"healthy", true},
                          {"driverVersion", Version{"550.54.15"}},
                          {"uuid", std::string("GPU-4cf8db2d-06c0-7d70-1a51-e59b25b2c16c")},
                          {"node.example.com/numa", std::int64_t{1}}};
    content.capacity = {{"memory", "80Gi"}, {"cores", "132"}};
    return new Device(content);
  }();
  return *device;
}

void BM_Compile(benchmark::State& state, const std::string& expression) {
  for (auto _ : state) {
    const CompiledSelector selector = CompileSelector(expression);
    if (!selector.ok()) {
      state.SkipWithError(selector.error->detail.c_str());
      return;
    }
    benchmark::DoNotOptimize(selector.max_cost);
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_Evaluate(benchmark::State& state, const std::string& expression) {
  const CompiledSelector selector = CompileSelector(expression);
  const Device& device = BenchDevice();
  if (!selector.ok()) {
    state.SkipWithError(selector.error->detail.c_str());
    return;
  }
  if (const auto matches = selector.Matches(device); !matches.ok() || !*matches) {
    state.SkipWithError("the device should match");
    return;
  }
  const std::uint64_t before = allocations.load();
  for (auto _ : state) {
    benchmark::DoNotOptimize(selector.Matches(device));
  }
  state.counters["allocations"] = benchmark::Counter(
      static_cast<double>(allocations.load() - before), benchmark::Counter::kAvgIterations);
  state.SetItemsProcessed(state.iterations());
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const char* path = std::getenv("ASSAY_CEL_EXPRESSIONS");
  if (path == nullptr) {
    path = "bench/peers/cel/expressions.txt";
  }
  std::ifstream in(path);
  if (!in) {
    std::fprintf(stderr, "%s is not there: run from the repository, or set ASSAY_CEL_EXPRESSIONS\n",
                 path);
    return 2;
  }
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.front() == '#') {
      continue;
    }
    const std::size_t end = line.find(' ');
    const std::string name = line.substr(0, end);
    const std::string expression = line.substr(line.find_first_not_of(' ', end));
    benchmark::RegisterBenchmark(("BM_Compile/" + name).c_str(), BM_Compile, expression);
    benchmark::RegisterBenchmark(("BM_Evaluate/" + name).c_str(), BM_Evaluate, expression);
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
