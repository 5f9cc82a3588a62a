// A client's start: a process that has never used NVML loads it, initialises it and finds every
// GPU. Each iteration is a new process; what is in the page cache stays there, as on a node that is
// up.
#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

#include "base/file.h"
#include "bench/micro/fakegpu/setting.h"

namespace assay::bench {
namespace {

using fakegpu::control::Node;

std::int64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

// A number of a file of /proc/self, in its own unit.
long ReadNumber(const char* file, const std::string& name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name + ":")) {
      return std::strtol(line.c_str() + name.size() + 1, nullptr, 10);
    }
  }
  return -1;
}
// Memory that is this process's alone: neither the library's text nor the node's state is.
long AnonymousKib() { return ReadNumber("/proc/self/smaps_rollup", "Anonymous"); }
long Threads() { return ReadNumber("/proc/self/status", "Threads"); }

struct Start {
  long long load_ns = 0;
  long long init_ns = 0;
  long long list_ns = 0;
  long gpus = 0;
  long anonymous_kib = 0;  // More than before,
  long threads = 0;        // and so here.
};

constexpr char kFormat[] = "%lld %lld %lld %ld %ld %ld\n";

// Runs this program as a new process.
bool RunStart(const std::string& library, const std::string& state_path, Start* start) {
  int ends[2];
  if (pipe(ends) != 0) {
    return false;
  }
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    setenv(std::string(fakegpu::control::kStateVariable).c_str(), state_path.c_str(), 1);
    execl("/proc/self/exe", "bench_nvml", kMeasureStart, library.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  FILE* const out = fdopen(ends[0], "r");
  const int read = std::fscanf(out, kFormat, &start->load_ns, &start->init_ns, &start->list_ns,
                               &start->gpus, &start->anonymous_kib, &start->threads);
  (void)std::fclose(out);
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0 && read == 6;
}

// A node of so many L4, on a PCI domain each.
Result<Node> NodeOf(const Setting& setting, int gpus) {
  const std::filesystem::path file = setting.directory / (std::to_string(gpus) + ".yaml");
  const auto profile = std::filesystem::absolute("fixtures/profiles/nvidia/l4.yaml");
  ASSAY_RETURN_IF_ERROR(
      WriteFileAtomically(file,
                          "name: many\n"
                          "driver: {version: 580.95.05, branch: r580_00, cuda: \"13.0\"}\n"
                          "gpus:\n"
                          "  - {profile: " +
                              profile.string() +
                              ", pci: \"0000:01:00.0\", root_bus: 0, numa_node: 0, cpus: [0-63], "
                              "module_id: 0, count: " +
                              std::to_string(gpus) + ", step: {domain: 1}}\n"));
  return Node::Create(setting.directory / std::to_string(gpus), file, {.replace = true});
}

void BM_Start(benchmark::State& state, const Setting& setting) {
  const int gpus = static_cast<int>(state.range(0));
  const Result<Node> node = NodeOf(setting, gpus);
  if (!node.ok()) {
    state.SkipWithError(node.status().message().c_str());
    return;
  }
  Start sum;
  for (auto _ : state) {
    Start start;
    if (!RunStart(setting.library_path, node->state_path(), &start) ||
        (setting.is_ours && start.gpus != gpus)) {
      state.SkipWithError("a start failed");
      return;
    }
    state.SetIterationTime(static_cast<double>(start.init_ns + start.list_ns) / 1e9);
    sum.load_ns += start.load_ns;
    sum.init_ns += start.init_ns;
    sum.list_ns += start.list_ns;
    sum.anonymous_kib += start.anonymous_kib;
    sum.threads += start.threads;
  }
  const auto mean = [&state](auto total, double unit) {
    return static_cast<double>(total) / static_cast<double>(state.iterations()) / unit;
  };
  state.counters["load_us"] = mean(sum.load_ns, 1e3);
  state.counters["init_us"] = mean(sum.init_ns, 1e3);
  state.counters["list_us"] = mean(sum.list_ns, 1e3);
  state.counters["private_kib"] = mean(sum.anonymous_kib, 1);
  state.counters["threads_added"] = mean(sum.threads, 1);
}

}  // namespace

int MeasureStart(const char* library_path) {
  const long kib = AnonymousKib();
  const long threads = Threads();
  const std::int64_t begin = NowNs();
  void* const library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return 1;
  }
  const auto init = reinterpret_cast<nvmlReturn_t (*)()>(dlsym(library, "nvmlInit_v2"));
  const auto count_of =
      reinterpret_cast<nvmlReturn_t (*)(unsigned int*)>(dlsym(library, "nvmlDeviceGetCount_v2"));
  const auto handle_of = reinterpret_cast<nvmlReturn_t (*)(unsigned int, nvmlDevice_t*)>(
      dlsym(library, "nvmlDeviceGetHandleByIndex_v2"));
  const std::int64_t loaded = NowNs();
  if (init() != NVML_SUCCESS) {
    return 1;
  }
  const std::int64_t initialised = NowNs();
  unsigned int count = 0;
  if (count_of(&count) != NVML_SUCCESS) {
    return 1;
  }
  for (unsigned int i = 0; i < count; ++i) {
    nvmlDevice_t device = nullptr;
    if (handle_of(i, &device) != NVML_SUCCESS) {
      return 1;
    }
  }
  const std::int64_t listed = NowNs();
  std::printf(kFormat, static_cast<long long>(loaded - begin),
              static_cast<long long>(initialised - loaded),
              static_cast<long long>(listed - initialised), static_cast<long>(count),
              AnonymousKib() - kib, Threads() - threads);
  return 0;
}

void RegisterStarts(const Setting& setting) {
  benchmark::RegisterBenchmark("BM_Start",
                               [setting](benchmark::State& state) { BM_Start(state, setting); })
      ->ArgName("gpus")
      ->Arg(8)
      ->Arg(1024)
      ->UseManualTime()
      ->Iterations(200)  // A library that does nothing would start for ever.
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace assay::bench
