// NvidiaSmi: what NVIDIA's tool can set and its library's interface cannot: time slices.
//
// Thread-safe.
#ifndef ASSAY_DRIVER_REF_NVML_NVIDIA_SMI_H_
#define ASSAY_DRIVER_REF_NVML_NVIDIA_SMI_H_

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "driver-ref/discovery/configurator.h"

namespace assay::driver_ref::nvml {

class NvidiaSmi {
 public:
  // Empty: there is none.
  explicit NvidiaSmi(std::filesystem::path program) : program_(std::move(program)) {}

  bool present() const { return !program_.empty(); }
  // As NVIDIA's own DRA driver has it set.
  Status SetTimeSlice(const std::string& gpu, discovery::TimeSlice slice) const;

 private:
  std::filesystem::path program_;
};

// Runs a program to its end, without its output. kInternal: it failed, kDeadlineExceeded: it took
// longer than `timeout` and was killed.
Status RunProgram(const std::vector<std::string>& command, Duration timeout);

}  // namespace assay::driver_ref::nvml

#endif  // ASSAY_DRIVER_REF_NVML_NVIDIA_SMI_H_
