// bench_nvml: what NVML costs its clients: calls, a start, and the time until a fault is seen.
//
// usage: bench_nvml [--library=FILE] [FLAGS OF google-benchmark]
//
// Without --library it measures our own. Another, or libbench_null_nvml.so, which does nothing, is
// set beside it by bench/compare.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/temp_dir.h"
#include "bench/micro/fakegpu/setting.h"

namespace assay::bench {
namespace {

using fakegpu::capture::NvmlLibrary;
using fakegpu::control::Node;

std::string TakeLibrary(std::vector<char*>& arguments) {
  constexpr std::string_view kFlag = "--library=";
  std::string library = ASSAY_NVML_LIBRARY;
  std::erase_if(arguments, [&](std::string_view argument) {
    const bool is_it = argument.starts_with(kFlag);
    if (is_it) {
      library = argument.substr(kFlag.size());
    }
    return is_it;
  });
  return library;
}

Status Run(const std::string& library_path) {
  ASSAY_ASSIGN_OR_RETURN(const TempDir directory, TempDir::Create("bench-nvml"));
  ASSAY_ASSIGN_OR_RETURN(const Node node,
                         Node::Create(directory / "state", "fixtures/nodes/dgx-h100.yaml"));
  setenv(std::string(fakegpu::control::kStateVariable).c_str(), node.state_path().c_str(), 1);
  setenv(std::string(fakegpu::control::kDevicesVariable).c_str(), "", 1);
  ASSAY_ASSIGN_OR_RETURN(const std::unique_ptr<NvmlLibrary> library,
                         NvmlLibrary::Load(library_path));
  const Setting setting{.library_path = library_path,
                        .is_ours = library_path == ASSAY_NVML_LIBRARY,
                        .nvml = &library->functions(),
                        .node = &node,
                        .directory = directory.path()};
  RegisterCalls(setting);
  RegisterStarts(setting);
  RegisterEvents(setting);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return OkStatus();
}

int Main(std::vector<char*> arguments) {
  if (arguments.size() == 3 && arguments[1] == std::string_view(kMeasureStart)) {
    return MeasureStart(arguments[2]);
  }
  const std::string library = TakeLibrary(arguments);
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) {
    return 2;
  }
  if (const Status status = Run(library); !status.ok()) {
    std::cerr << "bench_nvml: " << status.message() << "\n";
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  return assay::bench::Main(std::vector<char*>(argv, argv + argc));
}
