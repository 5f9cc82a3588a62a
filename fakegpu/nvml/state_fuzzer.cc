// Fuzzes what reads and changes a state file: any damage to a good one is refused, or gives wrong
// numbers and no crash. The input says what is damaged, and how the library is called then.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>

#include "base/check.h"
#include "base/random.h"
#include "fakegpu/control/control.h"
#include "fakegpu/layout/region.h"
#include "fakegpu/nvml/testing/arguments.h"
#include "fakegpu/nvml/testing/bytes.h"
#include "fakegpu/nvml/testing/fuzzed_node.h"

namespace assay::fakegpu::nvml {
namespace {

// Writes numbers over numbers: of the header, of the node or a GPU in one copy or in both, or
// anywhere.
void Damage(FuzzedNode& node, Bytes& input) {
  constexpr std::size_t kCopy = layout::CopySize(FuzzedNode::kGpus);
  while (!input.empty()) {
    const auto what = input.Take<std::uint8_t>();
    std::size_t at = input.Take<std::uint16_t>() * std::size_t{4};
    const auto value = input.Take<std::uint32_t>();
    const std::size_t repeats = (what & 8) != 0 ? input.Take<std::uint8_t>() : 1;
    bool in_both = false;
    switch (what & 3) {
      case 0:
        at %= sizeof(layout::Header);
        break;
      case 1:
        at = layout::kHeaderSize + at % sizeof(layout::NodeState);
        in_both = true;
        break;
      case 2:
        at = layout::kHeaderSize + sizeof(layout::NodeState) +
             at % (kCopy - sizeof(layout::NodeState));
        in_both = true;
        break;
      default:
        at += input.Take<std::uint8_t>() * std::size_t{1 << 18};
    }
    for (std::size_t i = 0; i < repeats; ++i) {
      for (const std::size_t copy : {std::size_t{0}, kCopy}) {
        const std::size_t place = at + i * sizeof(value) + copy;
        if (place + sizeof(value) <= node.size() && (copy == 0 || in_both)) {
          std::memcpy(node.bytes() + place, &value, sizeof(value));
        }
      }
    }
  }
}

// What fakegpuctl does with a node: none of it trusts the file either.
void ControlEverything(const FuzzedNode& node) {
  const Result<control::Node> opened = control::Node::Open(node.state());
  if (!opened.ok()) {
    ASSAY_CHECK(opened.status().message().find(node.state().string()) != std::string::npos)
        << "a refusal names the file: " << opened.status().message();
    return;
  }
  (void)opened->Show();
  (void)opened->StartProcess("1", {.pid = 9, .name = "p", .memory_bytes = 1}, 10);
  (void)opened->StartProcess(
      "0", {.pid = 9, .name = "p", .memory_bytes = 1, .gpu_instance = 1, .compute_instance = 0},
      10);
  for (const control::Fault& fault : std::initializer_list<control::Fault>{
           control::XidFault{.xid = 63},
           control::EccFault{control::EccFault::Type::kUncorrected, 1}, control::ThermalFault{},
           control::PowerBrakeFault{}, control::NvLinkFault{.link = 3},
           control::ReturnFault{.function = "nvmlDeviceGetName"}}) {
    (void)opened->Inject("all", fault);
  }
  (void)opened->EndProcess("1", 9);
  (void)opened->Heal("all");
  (void)opened->Unplug("1");
  (void)opened->Replug("1");
  (void)opened->HoldClock();
  (void)opened->StepClock(std::chrono::seconds(1));
  (void)opened->RunClock();
  (void)opened->UnloadDriver();
  (void)opened->LoadDriver();
}

}  // namespace
}  // namespace assay::fakegpu::nvml

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay::fakegpu::nvml;
  static FuzzedNode& node = *new FuzzedNode;

  node.Restore();
  Bytes input(data, size);
  const auto calls = input.Take<std::uint8_t>();
  const auto cut = input.Take<std::uint32_t>();
  Damage(node, input);
  // 0: the file has its size.
  if (cut != 0 && cut < 2 * node.size()) {
    ASSAY_CHECK(truncate(node.state().c_str(), cut) == 0) << std::strerror(errno);
  }
  if (nvmlInit_v2() == NVML_SUCCESS) {
    assay::Random random(calls);
    for (const AnyFunction<assay::Random> function : kAnyFunctions<assay::Random>) {
      function(random);
    }
    LetGoOfHeld();
    while (nvmlShutdown() == NVML_SUCCESS) {
    }
  }
  ControlEverything(node);
  return 0;
}
