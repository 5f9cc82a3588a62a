// A library with every function of NVML that does nothing: what its calls cost, no NVML can save.

#include "fakegpu/abi/nvml.h"

#define NVML_FUNCTION(result, name, parameters) \
  extern "C" __attribute__((visibility("default"))) result name parameters { return {}; }
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION
