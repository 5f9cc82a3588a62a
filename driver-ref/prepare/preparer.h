// Preparer: the life of a claim on this node: NodePrepareResources and NodeUnprepareResources,
// idempotent, and safe against an end of the process at any moment.
//
//   record "started" -> partitions, settings -> metadata, CDI specs -> record "prepared"   prepare
//   CDI specs, metadata gone -> partitions gone, settings as before -> record gone unprepare
//
// Calls for one claim run one after the other; a Prepare that an Unprepare has overtaken does
// nothing any more. Calls for different claims run in parallel but for the moments in which they
// hold the checkpoint's lock; nobody waits for the API server under that lock, or for the hardware,
// unless GPUs are divided or set: the kernel driver makes one partition after the other anyway.
//
// Thread-safe.
#ifndef ASSAY_DRIVER_REF_PREPARE_PREPARER_H_
#define ASSAY_DRIVER_REF_PREPARE_PREPARER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/resource/types.h"
#include "base/result.h"
#include "driver-ref/cdi/claim_specs.h"
#include "driver-ref/cdi/metadata_files.h"
#include "driver-ref/discovery/monitor.h"
#include "driver-ref/prepare/checkpoint.h"
#include "driver-ref/prepare/configuration.h"
#include "driver-ref/prepare/partitions.h"

namespace assay::driver_ref::prepare {

struct ClaimReference {
  std::string namespace_;
  std::string name;
  std::string uid;

  // "namespace/name (uid)", for logs.
  std::string ToString() const { return namespace_ + "/" + name + " (" + uid + ")"; }
};

struct PreparedDevice {
  DeviceRecord allocation;
  std::vector<std::string> cdi_device_ids;
};

class Preparer {
 public:
  struct Options {
    std::string driver_name;
    std::string pool_name;
    // Of the kernel that runs now; a claim that another one prepared is prepared again.
    std::string boot_id;
    // Null: nobody here divides GPUs. Outlives this.
    discovery::Partitioner* partitioner = nullptr;
    // Null: nothing can be set of GPUs. Outlives this.
    discovery::Configurator* configurator = nullptr;
    // The attributes that a device is published with. Where set, containers are told about their
    // devices (KEP-5304).
    std::function<std::map<std::string, api::resource::DeviceAttribute>(
        const discovery::Picture& picture, const std::string& device)>
        attributes;
  };
  // Reads a claim from the API server; has a time limit of its own.
  using ClaimSource = std::function<Result<api::resource::ResourceClaim>(
      const std::string& namespace_name, const std::string& name)>;
  // Is told of every claim that is prepared, with the hardware as it was then; does not wait.
  using Observer = std::function<void(const api::resource::ResourceClaim& claim,
                                      const std::vector<DeviceRecord>& devices,
                                      const discovery::Picture& picture)>;

  // What is referred to outlives this. `observer` may be empty.
  Preparer(Options options, Checkpoint& checkpoint, const cdi::ClaimSpecs& specs,
           const cdi::MetadataFiles& metadata, discovery::Monitor& monitor, ClaimSource claims,
           Observer observer = nullptr);

  // `cancelled` says that nobody waits for the answer any more; then nothing is left behind.
  Result<std::vector<PreparedDevice>> Prepare(const ClaimReference& claim,
                                              const std::function<bool()>& cancelled);
  // Works without API server and hardware. kFailedPrecondition while a partition is used.
  Status Unprepare(const ClaimReference& claim);

  // Removes CDI specs and partitions that belong to no claim of the checkpoint, and what is left of
  // claims that the API server no longer has. At the start and from time to time.
  Status RemoveOrphans();

 private:
  class ClaimLock;

  // Which of the devices is not on this node or cannot be used; notes where partitions lie.
  Status Locate(std::vector<DeviceRecord>& devices, const discovery::Picture& picture) const;
  // `known`: what is prepared already, with the lock held.
  Status CheckFree(const ClaimReference& claim, const std::vector<DeviceRecord>& devices,
                   const Checkpoint::Contents& known, const discovery::Picture& picture) const;
  // What a claim holds whose file is damaged: its CDI spec still says.
  Result<std::vector<DeviceRecord>> HeldInSpec(const std::string& uid,
                                               const discovery::Picture& picture) const;
  std::vector<cdi::DeviceEdits> EditsFor(const std::vector<DeviceRecord>& devices,
                                         const discovery::Picture& picture) const;
  // Makes what `record` says true, and completes it. `former`: what there is of an earlier try, or
  // null.
  Status Commit(ClaimRecord& record, const cdi::ClaimMetadata& metadata,
                const discovery::Picture& picture, const ClaimRecord* former);
  Status Forget(const std::string& uid, const std::vector<DeviceRecord>& devices);
  Status RemoveUnknownSpecs(const Checkpoint::Contents& known);
  void EndUnknownPartitions(const Checkpoint::Contents& known, const discovery::Picture& picture);
  std::vector<PreparedDevice> Answer(const ClaimRecord& record) const;

  Options options_;
  Checkpoint* checkpoint_;
  const cdi::ClaimSpecs* specs_;
  const cdi::MetadataFiles* metadata_;
  discovery::Monitor* monitor_;
  ClaimSource claims_;
  Observer observer_;
  Partitions partitions_;
  Configuration configuration_;

  // The calls of one claim.
  struct Turn {
    std::timed_mutex mu;
    int users = 0;                     // Guarded by Preparer::mu_.
    std::uint64_t last_unprepare = 0;  // Arrival of the last one that began. Guarded by mu.
  };
  std::mutex mu_;
  std::uint64_t arrivals_ = 0;                          // Guarded by mu_.
  std::map<std::string, std::shared_ptr<Turn>> turns_;  // By UID; shared by its users. mu_.
};

}  // namespace assay::driver_ref::prepare

#endif  // ASSAY_DRIVER_REF_PREPARE_PREPARER_H_
