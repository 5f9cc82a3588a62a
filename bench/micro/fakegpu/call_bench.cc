// Calls of one function after another, by one thread and by one for each processor.
#include <benchmark/benchmark.h>

#include <string>
#include <thread>

#include "bench/micro/fakegpu/setting.h"

namespace assay::bench {
namespace {

// Where any of the functions puts its result.
union Answer {
  unsigned int number;
  nvmlEnableState_t enabled;
  nvmlPstates_t performance_state;
  nvmlUtilization_t utilization;
  nvmlMemory_t memory;
  nvmlDevice_t device;
  char text[96];
};

// call(Answer*) -> nvmlReturn_t
template <typename Call>
void Register(const std::string& function, Call call) {
  const auto run = [call](benchmark::State& state) {
    alignas(64) Answer answer{};
    nvmlReturn_t result = NVML_SUCCESS;
    for (auto _ : state) {
      const nvmlReturn_t answered = call(&answer);
      result = answered != NVML_SUCCESS ? answered : result;
      benchmark::DoNotOptimize(answer);
    }
    if (result != NVML_SUCCESS) {
      state.SkipWithError(("answered " + std::to_string(result)).c_str());
    }
    state.SetItemsProcessed(state.iterations());
  };
  const unsigned int processors = std::thread::hardware_concurrency();
  auto* registered = benchmark::RegisterBenchmark(("BM_Call/" + function).c_str(), run);
  registered->UseRealTime()->Threads(1);
  if (processors > 1) {
    registered->Threads(static_cast<int>(processors));
  }
}

}  // namespace

void RegisterCalls(const Setting& setting) {
  const fakegpu::capture::NvmlFunctions* nvml = setting.nvml;
  nvmlDevice_t device = nullptr;
  (void)nvml->nvmlDeviceGetHandleByIndex_v2(0, &device);
  // What the kernel's driver would only look up.
  Register("nvmlDeviceGetMinorNumber", [f = nvml->nvmlDeviceGetMinorNumber, device](
                                           Answer* answer) { return f(device, &answer->number); });
  Register("nvmlDeviceGetPersistenceMode",
           [f = nvml->nvmlDeviceGetPersistenceMode, device](Answer* answer) {
             return f(device, &answer->enabled);
           });
  Register("nvmlDeviceGetUUID", [f = nvml->nvmlDeviceGetUUID, device](Answer* answer) {
    return f(device, answer->text, sizeof(answer->text));
  });
  Register("nvmlDeviceGetMemoryInfo", [f = nvml->nvmlDeviceGetMemoryInfo, device](Answer* answer) {
    return f(device, &answer->memory);
  });
  Register("nvmlDeviceGetHandleByIndex_v2", [f = nvml->nvmlDeviceGetHandleByIndex_v2](
                                                Answer* answer) { return f(7, &answer->device); });
  // What it would measure, of a board that rests and of one that works.
  nvmlDevice_t busy = nullptr;
  (void)nvml->nvmlDeviceGetHandleByIndex_v2(1, &busy);
  (void)setting.node->StartProcess("1", {.pid = 1, .name = "train", .memory_bytes = 1 << 30}, 70);
  for (const bool is_busy : {false, true}) {
    const nvmlDevice_t gpu = is_busy ? busy : device;
    const std::string suffix = is_busy ? "/busy" : "";
    Register("nvmlDeviceGetPowerUsage" + suffix,
             [f = nvml->nvmlDeviceGetPowerUsage, gpu](Answer* answer) {
               return f(gpu, &answer->number);
             });
    Register("nvmlDeviceGetTemperature" + suffix,
             [f = nvml->nvmlDeviceGetTemperature, gpu](Answer* answer) {
               return f(gpu, NVML_TEMPERATURE_GPU, &answer->number);
             });
    Register("nvmlDeviceGetUtilizationRates" + suffix,
             [f = nvml->nvmlDeviceGetUtilizationRates, gpu](Answer* answer) {
               return f(gpu, &answer->utilization);
             });
    Register("nvmlDeviceGetClockInfo" + suffix,
             [f = nvml->nvmlDeviceGetClockInfo, gpu](Answer* answer) {
               return f(gpu, NVML_CLOCK_SM, &answer->number);
             });
    Register("nvmlDeviceGetPerformanceState" + suffix,
             [f = nvml->nvmlDeviceGetPerformanceState, gpu](Answer* answer) {
               return f(gpu, &answer->performance_state);
             });
  }
  // A change: a commit of the node's state.
  Register("nvmlDeviceSetPersistenceMode",
           [f = nvml->nvmlDeviceSetPersistenceMode, device](Answer*) {
             return f(device, NVML_FEATURE_ENABLED);
           });
}

}  // namespace assay::bench
