// The text of each return code, as the real library has it: programs match on it.
//
// Freestanding. Thread-safe.
#ifndef ASSAY_FAKEGPU_NVML_RETURN_CODE_H_
#define ASSAY_FAKEGPU_NVML_RETURN_CODE_H_

#include "fakegpu/abi/nvml.h"

namespace assay::fakegpu::nvml {

const char* ReturnCodeText(nvmlReturn_t code);

}  // namespace assay::fakegpu::nvml

#endif  // ASSAY_FAKEGPU_NVML_RETURN_CODE_H_
