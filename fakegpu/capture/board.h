// A board's profile from what NVML says of one GPU.
//
// Thread-safe.
#ifndef ASSAY_FAKEGPU_CAPTURE_BOARD_H_
#define ASSAY_FAKEGPU_CAPTURE_BOARD_H_

#include <string>

#include "base/result.h"
#include "fakegpu/capture/nvml_library.h"

namespace assay::fakegpu::capture {

struct BoardProfile {
  std::string name;  // "nvidia-h100-80gb-hbm3", made of the product's name.
  std::string yaml;
};
Result<BoardProfile> CaptureBoard(const NvmlLibrary& nvml, nvmlDevice_t device);

}  // namespace assay::fakegpu::capture

#endif  // ASSAY_FAKEGPU_CAPTURE_BOARD_H_
