// The Configurator over NVML.
//
// Thread-safe.
#ifndef ASSAY_DRIVER_REF_NVML_NVML_CONFIGURATOR_H_
#define ASSAY_DRIVER_REF_NVML_NVML_CONFIGURATOR_H_

#include <string>
#include <utility>

#include "driver-ref/discovery/configurator.h"
#include "driver-ref/nvml/nvidia_smi.h"
#include "driver-ref/nvml/session.h"

namespace assay::driver_ref::nvml {

class NvmlConfigurator : public discovery::Configurator {
 public:
  // `session` outlives this.
  NvmlConfigurator(Session& session, NvidiaSmi nvidia_smi)
      : session_(&session), nvidia_smi_(std::move(nvidia_smi)) {}

  Result<discovery::GpuSettings> Read(const std::string& gpu) override;
  Status Write(const std::string& gpu, const discovery::GpuSettings& settings) override;

 private:
  Status WritePowerLimit(nvmlDevice_t device, std::uint32_t limit_mw);

  Session* session_;
  NvidiaSmi nvidia_smi_;
};

}  // namespace assay::driver_ref::nvml

#endif  // ASSAY_DRIVER_REF_NVML_NVML_CONFIGURATOR_H_
