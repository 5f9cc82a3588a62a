// Partitioner: makes and ends the partitions of GPUs. One implementation over NVML
// (driver-ref/nvml/mig.h); a test's is a fake.
//
// A partition is a GPU instance with one compute instance that has all of it. It knows no owner:
// which claim a partition is for is in the checkpoint (driver-ref/prepare/).
//
// Thread-safe; two changes of one GPU exclude each other elsewhere (the checkpoint's lock).
#ifndef ASSAY_DRIVER_REF_DISCOVERY_PARTITIONER_H_
#define ASSAY_DRIVER_REF_DISCOVERY_PARTITIONER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace assay::driver_ref::discovery {

// Where a partition lies: no two can be in one place at the same time.
struct PartitionPlace {
  std::string gpu;  // Its UUID.
  std::uint32_t profile = 0;
  std::uint32_t start = 0;  // The first of its memory slices.
  std::uint32_t size = 0;

  // Whether they are of one GPU and have a memory slice in common.
  bool Overlaps(const PartitionPlace& other) const {
    return gpu == other.gpu && start < other.start + other.size && other.start < start + size;
  }
  // "GPU-8c2e...: profile 19 at 3"
  std::string ToString() const {
    return gpu + ": profile " + std::to_string(profile) + " at " + std::to_string(start);
  }

  friend bool operator==(const PartitionPlace&, const PartitionPlace&) = default;
};

// One that exists.
struct Partition {
  PartitionPlace place;
  // Of the MIG device; empty where the compute instance is missing: a crash left half of it.
  std::string uuid;
  std::uint32_t gpu_instance = 0;
  std::uint32_t compute_instance = 0;

  friend bool operator==(const Partition&, const Partition&) = default;
};

class Partitioner {
 public:
  virtual ~Partitioner() = default;

  // What there is on the GPU, whoever made it.
  virtual Result<std::vector<Partition>> List(const std::string& gpu) = 0;

  // Makes a partition, and turns MIG mode on where that is needed. kResourceExhausted where others
  // lie in the way, kFailedPrecondition where something uses the whole GPU. An error leaves nothing
  // behind, unless that fails too.
  virtual Result<Partition> Create(const PartitionPlace& place) = 0;

  // Ends what lies in that place; that nothing does is no error. With the last partition MIG mode
  // goes, where it can go without a reset. kFailedPrecondition while it is used.
  virtual Status Destroy(const PartitionPlace& place) = 0;

  // Sees to it that MIG mode is off. kFailedPrecondition while there are partitions, or processes.
  virtual Status UseWhole(const std::string& gpu) = 0;
};

}  // namespace assay::driver_ref::discovery

#endif  // ASSAY_DRIVER_REF_DISCOVERY_PARTITIONER_H_
