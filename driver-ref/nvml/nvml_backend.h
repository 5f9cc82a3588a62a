// The Backend over NVML: loads the library by path and is the only caller of its C interface.
//
// Thread-safe; WaitForXid is for one thread.
#ifndef ASSAY_DRIVER_REF_NVML_NVML_BACKEND_H_
#define ASSAY_DRIVER_REF_NVML_NVML_BACKEND_H_

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "driver-ref/discovery/backend.h"

namespace assay::driver_ref::nvml {

class NvmlBackend : public discovery::Backend {
 public:
  struct Options {
    bool divide = false;                    // GPUs that can do MIG are divided.
    std::filesystem::path nvidia_smi = {};  // Empty: nobody sets time slices.
  };
  // kNotFound for a library that cannot be loaded, kFailedPrecondition for one that lacks a
  // function. NVML itself is initialised when it is first needed: its driver may come later.
  static Result<std::unique_ptr<NvmlBackend>> Load(const std::string& library_path,
                                                   const Options& options);
  ~NvmlBackend() override;

  // The absolute path of the library that was loaded.
  const std::string& library_path() const { return library_path_; }

  Result<discovery::Inventory> Discover() override;
  Result<std::optional<discovery::XidEvent>> WaitForXid(Duration timeout) override;
  discovery::Partitioner* partitioner() override;
  discovery::Configurator* configurator() override;

 private:
  struct Impl;
  NvmlBackend(std::unique_ptr<Impl> impl, std::string library_path);
  std::unique_ptr<Impl> impl_;
  std::string library_path_;
};

}  // namespace assay::driver_ref::nvml

#endif  // ASSAY_DRIVER_REF_NVML_NVML_BACKEND_H_
