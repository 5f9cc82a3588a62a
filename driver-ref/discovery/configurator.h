// Configurator: what can be set of a GPU: read and written. One implementation over NVML
// (driver-ref/nvml/nvml_configurator.h); a test's is a fake.
//
// Thread-safe.
#ifndef ASSAY_DRIVER_REF_DISCOVERY_CONFIGURATOR_H_
#define ASSAY_DRIVER_REF_DISCOVERY_CONFIGURATOR_H_

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace assay::driver_ref::discovery {

// Who may use a GPU (NVML, nvmlComputeMode_t).
enum class ComputeMode { kDefault, kExclusiveThread, kProhibited, kExclusiveProcess };

// How long a process of several that share a GPU has it, as nvidia-smi numbers it.
enum class TimeSlice { kDefault, kShort, kMedium, kLong };

// What is not there is not set, or not known.
struct GpuSettings {
  std::optional<std::uint32_t> power_limit_mw;
  std::optional<ComputeMode> compute_mode;
  std::optional<TimeSlice> time_slice;

  friend bool operator==(const GpuSettings&, const GpuSettings&) = default;
};

class Configurator {
 public:
  virtual ~Configurator() = default;

  // As they are now; what the GPU does not have is left out.
  virtual Result<GpuSettings> Read(const std::string& gpu) = 0;
  // kInvalidArgument names a setting that the GPU does not take, and what it takes.
  virtual Status Write(const std::string& gpu, const GpuSettings& settings) = 0;
};

}  // namespace assay::driver_ref::discovery

#endif  // ASSAY_DRIVER_REF_DISCOVERY_CONFIGURATOR_H_
