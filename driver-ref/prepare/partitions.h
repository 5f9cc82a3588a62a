// What claims' devices are on the hardware: which exclude each other, and, where GPUs are divided,
// how their partitions come and go.
//
// A partition that no claim of the checkpoint holds is nobody's: a crash left it, or somebody made
// it by hand, which the driver does not allow where it divides GPUs itself. It is ended when it is
// in the way, and in time anyway.
//
// Thread-safe; call what changes the hardware with the checkpoint's lock held.
#ifndef ASSAY_DRIVER_REF_PREPARE_PARTITIONS_H_
#define ASSAY_DRIVER_REF_PREPARE_PARTITIONS_H_

#include <vector>

#include "base/result.h"
#include "driver-ref/discovery/monitor.h"
#include "driver-ref/discovery/partitioner.h"
#include "driver-ref/prepare/checkpoint.h"

namespace assay::driver_ref::prepare {

// Whether the devices have hardware in common: are the same, overlapping partitions of a GPU, a
// partition and its whole GPU, or sub-slices of a torus with a common chip.
bool HaveCommonHardware(const DeviceRecord& a, const DeviceRecord& b);

class Partitions {
 public:
  // `partitioner`, where it is not null, outlives this.
  explicit Partitions(discovery::Partitioner* partitioner) : partitioner_(partitioner) {}

  // Sees to it that the devices are there: makes partitions, ends those that lie in the way of
  // whole GPUs, and notes in `devices` what was made. No claim but theirs may hold their hardware.
  //
  // `again`: they were prepared before. What is there then stays; else it is what a crash left, and
  // is made anew. For administrators nothing is made: a partition that is not there has no UUID.
  Status MakeReady(std::vector<DeviceRecord>& devices, const discovery::Picture& picture,
                   bool again);

  // Ends the partitions that these devices are. What a GPU had that is gone, lost or without its
  // driver is gone with it. kFailedPrecondition while one is used.
  Status End(const std::vector<DeviceRecord>& devices);

  // Ends what is nobody's on GPUs that are divided, as far as that can be done now. `held` are all
  // devices that claims hold.
  void EndUnknown(const std::vector<DeviceRecord>& held, const discovery::Picture& picture);

 private:
  Status MakeWhole(const discovery::Gpu& gpu);
  Result<discovery::Partition> FindPartition(const discovery::PartitionPlace& place);
  Result<discovery::Partition> MakePartition(const discovery::PartitionPlace& place, bool again);

  discovery::Partitioner* partitioner_;
};

}  // namespace assay::driver_ref::prepare

#endif  // ASSAY_DRIVER_REF_PREPARE_PARTITIONS_H_
