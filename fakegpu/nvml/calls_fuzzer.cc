// Fuzzes the interface: any calls in any order, with any arguments. None crashes, none writes
// beyond its buffers (a sanitizer sees that), and the library answers afterwards.

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "base/check.h"
#include "fakegpu/nvml/testing/arguments.h"
#include "fakegpu/nvml/testing/bytes.h"
#include "fakegpu/nvml/testing/fuzzed_node.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay::fakegpu::nvml;
  static FuzzedNode& node = *new FuzzedNode;
  constexpr int kMostCalls = 64;
  constexpr std::size_t kFunctions = std::size(kAnyFunctions<Bytes>);

  node.Restore();
  ASSAY_CHECK(nvmlInit_v2() == NVML_SUCCESS);
  Bytes input(data, size);
  for (int i = 0; i < kMostCalls && !input.empty(); ++i) {
    kAnyFunctions<Bytes>[input.Take<std::uint16_t>() % kFunctions](input);
  }
  LetGoOfHeld();
  while (nvmlShutdown() == NVML_SUCCESS) {
  }
  unsigned int count = 0;
  ASSAY_CHECK(nvmlDeviceGetCount_v2(&count) == NVML_ERROR_UNINITIALIZED);
  ASSAY_CHECK(nvmlInit_v2() == NVML_SUCCESS && nvmlShutdown() == NVML_SUCCESS)
      << "what clients may do keeps none from the node";
  return 0;
}
