// MIG capabilities: the device nodes that let a container use a GPU instance and a compute
// instance, /dev/nvidia-caps/nvidia-cap<minor>. Their numbers are the kernel driver's choice: /proc
// tells them.
//
// Thread-safe: no state.
#ifndef ASSAY_DRIVER_REF_CDI_MIG_CAPABILITIES_H_
#define ASSAY_DRIVER_REF_CDI_MIG_CAPABILITIES_H_

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/result.h"

namespace assay::driver_ref::cdi {

struct MigInstances {
  std::uint32_t gpu_minor = 0;  // Of /dev/nvidia<minor>.
  std::uint32_t gpu_instance = 0;
  std::uint32_t compute_instance = 0;
};

struct MigCapability {
  int major = 0;
  int minor = 0;
};

// Of the GPU instance and of the compute instance. kNotFound names the file that does not tell
// them: <proc_root>/devices or <proc_root>/driver/nvidia-caps/mig-minors.
Result<std::vector<MigCapability>> CapabilitiesOf(const MigInstances& instances,
                                                  const std::filesystem::path& proc_root);

}  // namespace assay::driver_ref::cdi

#endif  // ASSAY_DRIVER_REF_CDI_MIG_CAPABILITIES_H_
