// DraManager: the kubelet's manager of dynamic resources: prepares a pod's claims before its
// sandbox, tells which CDI devices a container gets, unprepares, and knows the devices' health.
//
// Source: Kubernetes 1.36, cm/dra/manager.go; orders, checks and error texts are its.
//
// Not thread-safe: lives on its loop.
#ifndef ASSAY_CONTROLPLANE_NODE_DRA_MANAGER_H_
#define ASSAY_CONTROLPLANE_NODE_DRA_MANAGER_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "api/client/async_client.h"
#include "api/client/task.h"
#include "api/compatibility.h"
#include "api/core/types.h"
#include "api/resource/types.h"
#include "base/random.h"
#include "base/result.h"
#include "controlplane/node/claim_cache.h"
#include "controlplane/node/driver_registry.h"
#include "controlplane/node/health_cache.h"

namespace assay::controlplane::node {

class DraManager {
 public:
  struct Options {
    // The kubelet's root directory, for the checkpoint files; empty: nothing is written.
    std::filesystem::path state_dir;
    api::Compatibility compatibility;
    std::uint64_t seed = 0;  // Of the order of drivers; 0: from the system.
  };

  // All outlive this.
  DraManager(api::client::Client& client, const DriverRegistry& drivers, Options options);

  // Reads the checkpoint. kDataLoss: a kubelet would not start.
  Status Load();

  // NodePrepareResources for what is not prepared yet: one call a driver with all claims of the
  // pod, up to the first error. Nothing is called or noted where a claim is not to be used.
  api::client::Task<Status> Prepare(api::core::Pod pod);
  // NodeUnprepareResources for the claims that no other pod uses.
  api::client::Task<Status> Unprepare(api::core::Pod pod);
  api::client::Task<Status> UnprepareClaims(std::string pod_uid, std::string namespace_name,
                                            std::vector<std::string> claim_names);

  // The CDI devices of a container, in the order of the pod's claims.
  Result<std::vector<std::string>> CdiDevicesFor(const api::core::Pod& pod,
                                                 const api::core::Container& container);
  // status.containerStatuses[].allocatedResourcesStatus of a container (KEP-4680).
  std::vector<api::core::ResourceStatus> ResourceStatusFor(const api::core::Pod& pod,
                                                           const api::core::Container& container);

  // Health that a driver streamed, or that its stream ended. Returns the UIDs of the pods whose
  // devices changed.
  std::set<std::string> UpdateHealth(const std::string& driver,
                                     const std::vector<DeviceHealth>& devices);
  void ClearHealth(const std::string& driver);

  const ClaimCache& cache() const { return cache_; }
  bool IsUsedBy(const std::string& pod_uid) const { return cache_.IsUsedBy(pod_uid); }

 private:
  // A claim that a pod is to use, checked.
  struct Checked {
    api::resource::ResourceClaim claim;
    // Null for those that need not be asked to prepare anything.
    std::map<std::string, std::shared_ptr<DriverRegistry::Driver>> drivers;
    std::map<std::string, std::set<std::string>> skipped_operations;
  };
  struct Batch {
    std::shared_ptr<DriverRegistry::Driver> driver;
    std::vector<ClaimReference> claims;
  };

  api::client::Task<Result<std::vector<Checked>>> Check(api::core::Pod pod);
  Result<std::vector<Batch>> Note(const std::string& pod_uid, const std::vector<Checked>& checked);
  Status AddDevices(const std::string& driver, const std::vector<ClaimReference>& asked,
                    const PrepareResponse& response);
  template <typename T>
  void Shuffle(std::vector<T>& items);

  api::client::AsyncClient client_;
  const DriverRegistry* drivers_;
  Options options_;
  Random random_;
  ClaimCache cache_;
  HealthCache health_;
};

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_DRA_MANAGER_H_
