// NVML as it is found: a library that is loaded, its functions by name.
//
// Not thread-safe; one per use.
#ifndef ASSAY_FAKEGPU_CAPTURE_NVML_LIBRARY_H_
#define ASSAY_FAKEGPU_CAPTURE_NVML_LIBRARY_H_

#include <memory>
#include <string>

#include "base/result.h"
#include "fakegpu/abi/nvml.h"

namespace assay::fakegpu::capture {

// Null for a function that this version of the library has not.
struct NvmlFunctions {
#define NVML_FUNCTION(result, name, parameters) result(*name) parameters = nullptr;
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION
};

class NvmlLibrary {
 public:
  // Loads and initialises it: kNotFound, or kFailedPrecondition with NVML's reason.
  static Result<std::unique_ptr<NvmlLibrary>> Load(const std::string& path);
  NvmlLibrary(const NvmlLibrary&) = delete;
  NvmlLibrary& operator=(const NvmlLibrary&) = delete;
  ~NvmlLibrary();

  const NvmlFunctions& functions() const { return functions_; }

  // What a function answered, as a Status that names it.
  Status ToStatus(nvmlReturn_t result, const char* function) const;

 private:
  NvmlLibrary() = default;
  void* handle_ = nullptr;
  bool initialised_ = false;
  NvmlFunctions functions_;
};

}  // namespace assay::fakegpu::capture

#endif  // ASSAY_FAKEGPU_CAPTURE_NVML_LIBRARY_H_
