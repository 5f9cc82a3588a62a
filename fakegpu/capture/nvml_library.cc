#include "fakegpu/capture/nvml_library.h"

#include <dlfcn.h>

namespace assay::fakegpu::capture {

Result<std::unique_ptr<NvmlLibrary>> NvmlLibrary::Load(const std::string& path) {
  std::unique_ptr<NvmlLibrary> library(new NvmlLibrary);
  library->handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library->handle_ == nullptr) {
    return NotFoundError(dlerror());
  }
#define NVML_FUNCTION(result, name, parameters) \
  library->functions_.name = reinterpret_cast<result(*) parameters>(dlsym(library->handle_, #name));
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION
  const NvmlFunctions& nvml = library->functions_;
  if (nvml.nvmlInit_v2 == nullptr || nvml.nvmlShutdown == nullptr ||
      nvml.nvmlErrorString == nullptr) {
    return InvalidArgumentError(path + ": this is no NVML: it has no nvmlInit_v2");
  }
  const nvmlReturn_t initialised = nvml.nvmlInit_v2();
  if (initialised != NVML_SUCCESS) {
    return FailedPreconditionError(path + ": nvmlInit_v2: " + nvml.nvmlErrorString(initialised));
  }
  library->initialised_ = true;
  return library;
}

NvmlLibrary::~NvmlLibrary() {
  if (initialised_) {
    (void)functions_.nvmlShutdown();
  }
  if (handle_ != nullptr) {
    dlclose(handle_);
  }
}

Status NvmlLibrary::ToStatus(nvmlReturn_t result, const char* function) const {
  return result == NVML_SUCCESS ? OkStatus()
                                : FailedPreconditionError(std::string(function) + ": " +
                                                          functions_.nvmlErrorString(result));
}

}  // namespace assay::fakegpu::capture
