// Dividing GPUs through NVML: which profiles and placements a GPU has, and the life of its GPU and
// compute instances. Nothing about any board is known here: NVML tells it.
//
// Thread-safe.
#ifndef ASSAY_DRIVER_REF_NVML_MIG_H_
#define ASSAY_DRIVER_REF_NVML_MIG_H_

#include <string>
#include <vector>

#include "driver-ref/discovery/backend.h"
#include "driver-ref/discovery/partitioner.h"
#include "driver-ref/nvml/session.h"

namespace assay::driver_ref::nvml {

// Fills in how the GPU may be divided, as NVIDIA's own driver decides it: since Hopper MIG mode
// comes and goes without a reset, so that the whole GPU and every partition of it are on offer;
// before, partitions alone where somebody has turned the mode on, and else the whole alone. A vGPU
// is not divided. What a lost GPU no longer answers stays as it was.
void DescribeDivision(const Session& session, nvmlDevice_t device, discovery::Gpu& gpu);

class MigPartitioner : public discovery::Partitioner {
 public:
  // `session` outlives this.
  explicit MigPartitioner(Session& session) : session_(&session) {}

  Result<std::vector<discovery::Partition>> List(const std::string& gpu) override;
  Result<discovery::Partition> Create(const discovery::PartitionPlace& place) override;
  Status Destroy(const discovery::PartitionPlace& place) override;
  Status UseWhole(const std::string& gpu) override;

 private:
  // The GPU instances of every profile. kUnavailable, kDataLoss and the like.
  Result<std::vector<nvmlGpuInstance_t>> GpuInstances(nvmlDevice_t device);
  Result<discovery::Partition> Describe(nvmlDevice_t device, const std::string& gpu,
                                        nvmlGpuInstance_t instance);
  Status CreateComputeInstance(nvmlDevice_t device, nvmlGpuInstance_t instance,
                               std::uint32_t profile);
  Status DestroyInstance(nvmlGpuInstance_t instance);
  Status SetMode(nvmlDevice_t device, unsigned int mode);

  Session* session_;
};

}  // namespace assay::driver_ref::nvml

#endif  // ASSAY_DRIVER_REF_NVML_MIG_H_
