// A node's description from whatever NVML is there, a real driver's too. It only reads.
//
// Not everything can be asked: idle and loaded temperatures and power are taken from the readings
// of the moment, or stand in; a board whose MIG mode is off does not tell its MIG table. The files
// say so where it is so.
//
// Thread-safe; it loads the library for as long as it runs.
#ifndef ASSAY_FAKEGPU_CAPTURE_CAPTURE_H_
#define ASSAY_FAKEGPU_CAPTURE_CAPTURE_H_

#include <filesystem>
#include <map>
#include <string>

#include "base/result.h"

namespace assay::fakegpu::capture {

struct CaptureOptions {
  std::string library = "libnvidia-ml.so.1";  // As dlopen takes it.
  // Where the GPUs' PCIe roots and NUMA nodes are looked up; where it has none of them, GPUs that
  // NVML puts below one host bridge are given one root.
  std::filesystem::path pci_devices = "/sys/bus/pci/devices";
};

inline constexpr char kNodeFile[] = "node.yaml";

// The files of the description by name: kNodeFile, which names the others, one for each kind of
// board. An error names the GPU and the NVML function that answered it.
Result<std::map<std::string, std::string>> Capture(const CaptureOptions& options);

}  // namespace assay::fakegpu::capture

#endif  // ASSAY_FAKEGPU_CAPTURE_CAPTURE_H_
