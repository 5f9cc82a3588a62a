// From a fault's injection, begun, to the moment at which the last of the processes that sleep in
// nvmlEventSetWait has its event.
#include <benchmark/benchmark.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <fstream>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "bench/micro/fakegpu/setting.h"

namespace assay::bench {
namespace {

constexpr unsigned int kForEverMs = 3'600'000;
constexpr int kMaxWaiters = 8;

std::int64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

// What a waiting process tells, in memory that it shares.
struct Waiter {
  std::atomic<std::uint64_t> waits = 0;  // Begun.
  std::atomic<std::int64_t> seen_ns = 0;
};

// Waits for event after event; a byte into `done` for each.
[[noreturn]] void WaitForEvents(const fakegpu::capture::NvmlFunctions& nvml, Waiter& waiter,
                                int done) {
  nvmlDevice_t device = nullptr;
  nvmlEventSet_t set = nullptr;
  if (nvml.nvmlDeviceGetHandleByIndex_v2(0, &device) != NVML_SUCCESS ||
      nvml.nvmlEventSetCreate(&set) != NVML_SUCCESS ||
      nvml.nvmlDeviceRegisterEvents(device, nvmlEventTypeSingleBitEccError, set) != NVML_SUCCESS) {
    _exit(1);
  }
  for (;;) {
    waiter.waits.fetch_add(1);
    nvmlEventData_t data{};
    if (nvml.nvmlEventSetWait_v2(set, &data, kForEverMs) != NVML_SUCCESS ||
        data.eventType != nvmlEventTypeSingleBitEccError) {
      _exit(1);
    }
    waiter.seen_ns.store(NowNs());
    const char byte = 0;
    if (write(done, &byte, 1) != 1) {
      _exit(1);
    }
  }
}

bool Sleeps(pid_t process) {
  std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  std::getline(stat, line);
  const std::size_t name_end = line.rfind(')');
  return name_end + 2 < line.size() && line[name_end + 2] == 'S';
}

class Waiters {
 public:
  Waiters(const fakegpu::capture::NvmlFunctions& nvml, int count) {
    void* const memory = mmap(nullptr, sizeof(Waiter) * kMaxWaiters, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || pipe(done_) != 0) {
      return;
    }
    waiters_ = new (memory) Waiter[kMaxWaiters];
    for (int i = 0; i < count; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        WaitForEvents(nvml, waiters_[i], done_[1]);
      }
      processes_.push_back(child);
    }
    close(done_[1]);
  }
  Waiters(const Waiters&) = delete;
  Waiters& operator=(const Waiters&) = delete;
  ~Waiters() {
    for (const pid_t process : processes_) {
      kill(process, SIGKILL);
      waitpid(process, nullptr, 0);
    }
    close(done_[0]);
    if (waiters_ != nullptr) {
      munmap(waiters_, sizeof(Waiter) * kMaxWaiters);
    }
  }

  // Until all sleep in wait number `number`; false if one has ended.
  bool AwaitSleep(std::uint64_t number) const {
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      while (waiters_[i].waits.load() < number || !Sleeps(processes_[i])) {
        if (waitpid(processes_[i], nullptr, WNOHANG) != 0) {
          return false;
        }
        std::this_thread::yield();
      }
    }
    return !processes_.empty();
  }
  // When the last had its event; 0 if one has ended.
  std::int64_t AwaitEvent() const {
    std::int64_t last = 0;
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      char byte = 0;
      if (read(done_[0], &byte, 1) != 1) {
        return 0;
      }
    }
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      last = std::max(last, waiters_[i].seen_ns.load());
    }
    return last;
  }

 private:
  Waiter* waiters_ = nullptr;
  int done_[2] = {-1, -1};
  std::vector<pid_t> processes_;
};

double Percentile(std::vector<double>& sorted, int percent) {
  std::sort(sorted.begin(), sorted.end());
  return sorted.empty() ? 0 : sorted[(sorted.size() - 1) * static_cast<std::size_t>(percent) / 100];
}

void BM_FaultSeen(benchmark::State& state, const Setting& setting) {
  const Waiters waiters(*setting.nvml, static_cast<int>(state.range(0)));
  std::vector<double> latencies_us;
  std::uint64_t number = 0;
  for (auto _ : state) {
    if (!waiters.AwaitSleep(++number)) {
      state.SkipWithError("this library has no events that wait");
      return;
    }
    const std::int64_t begin = NowNs();
    const Status injected = setting.node->Inject("0", fakegpu::control::EccFault{});
    const std::int64_t seen = waiters.AwaitEvent();
    if (!injected.ok() || seen == 0) {
      state.SkipWithError("a fault was not seen");
      return;
    }
    state.SetIterationTime(static_cast<double>(seen - begin) / 1e9);
    latencies_us.push_back(static_cast<double>(seen - begin) / 1e3);
  }
  state.counters["p50_us"] = Percentile(latencies_us, 50);
  state.counters["p99_us"] = Percentile(latencies_us, 99);
}

}  // namespace

void RegisterEvents(const Setting& setting) {
  benchmark::RegisterBenchmark("BM_FaultSeen",
                               [setting](benchmark::State& state) { BM_FaultSeen(state, setting); })
      ->ArgName("processes")
      ->Arg(1)
      ->Arg(kMaxWaiters)
      ->UseManualTime()
      ->Iterations(5'000)
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace assay::bench
