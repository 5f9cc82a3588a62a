// What the benchmarks of NVML share: the library that is measured, and the nodes that it reads.
//
// Not thread-safe; benchmarks are registered and begun by one thread.
#ifndef ASSAY_BENCH_MICRO_FAKEGPU_SETTING_H_
#define ASSAY_BENCH_MICRO_FAKEGPU_SETTING_H_

#include <filesystem>
#include <string>

#include "fakegpu/capture/nvml_library.h"
#include "fakegpu/control/control.h"

namespace assay::bench {

struct Setting {
  std::string library_path;
  bool is_ours;                                 // So that it sees the nodes that are made.
  const fakegpu::capture::NvmlFunctions* nvml;  // Of that library, initialised on `node`.
  const fakegpu::control::Node* node;           // Of eight GPUs.
  std::filesystem::path directory;              // For more nodes.
};

void RegisterCalls(const Setting& setting);
void RegisterStarts(const Setting& setting);
void RegisterEvents(const Setting& setting);

// What RegisterStarts() starts this program for: loads the library at `library_path`, finds each
// GPU and prints what that took. An exit code.
int MeasureStart(const char* library_path);
inline constexpr char kMeasureStart[] = "--measure-start";

}  // namespace assay::bench

#endif  // ASSAY_BENCH_MICRO_FAKEGPU_SETTING_H_
