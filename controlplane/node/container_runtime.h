// ContainerRuntime: stands for containerd: makes the OCI spec that a container of a pod runs with,
// CDI devices applied, and keeps it. Whether anything is executed is for Options::runc to say.
//
// Not thread-safe.
#ifndef ASSAY_CONTROLPLANE_NODE_CONTAINER_RUNTIME_H_
#define ASSAY_CONTROLPLANE_NODE_CONTAINER_RUNTIME_H_

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "api/core/types.h"
#include "base/clock.h"
#include "base/result.h"
#include "controlplane/node/cdi/oci.h"

namespace assay::controlplane::node {

class Runc;

class ContainerRuntime {
 public:
  struct Options {
    // Later ones take precedence.
    std::vector<std::filesystem::path> cdi_directories = {"/etc/cdi", "/var/run/cdi"};
    // Mounted into every container, as the node's own set-up would.
    std::vector<cdi::OciMount> mounts;
    // The OCI specs are written here too, as <pod uid>/<container>.json; empty: nowhere. Containers
    // that are found there at the start are taken for running ones.
    std::filesystem::path record_directory;
    // Runs the containers; null: nothing does. Outlives this.
    Runc* runc = nullptr;
  };
  struct RunningContainer {
    std::string id;
    cdi::OciSpec spec;
    WallTime started;
  };

  ContainerRuntime(const Clock& clock, Options options);

  // kNotFound: "unresolvable CDI devices ...".
  Status Start(const api::core::Pod& pod, const api::core::Container& container,
               const std::vector<std::string>& cdi_device_ids);
  // Null where it does not run. After a restart a container's spec is empty.
  const RunningContainer* Find(const std::string& pod_uid, const std::string& container) const;
  // All containers of the pod.
  void Stop(const std::string& pod_uid);

 private:
  const Clock* clock_;  // Outlives this.
  Options options_;
  // By pod UID and name.
  std::map<std::pair<std::string, std::string>, RunningContainer> containers_;
};

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_CONTAINER_RUNTIME_H_
