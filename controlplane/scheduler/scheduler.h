// Scheduler: gives pods their nodes, and claims their devices, as kube-scheduler does with its
// default plugins, as far as they matter for devices. One pod at a time is matched to a node, or
// all pods of a group that wait (with GenericWorkload), of a gang all that it needs or none (with
// GangScheduling; KEP-4671); binding goes on in the background.
//
// Left out: preemption (which never helps with devices), spreading, affinity among pods, volumes,
// scores but for devices and free cpu and memory, profiles, extenders; and placements of groups
// (TopologyAwareWorkloadScheduling), alpha and off in 1.36.
//
// Source: kube-scheduler, schedule_one.go and schedule_one_podgroup.go.
//
// Not thread-safe: lives on the client's loop.
#ifndef ASSAY_CONTROLPLANE_SCHEDULER_SCHEDULER_H_
#define ASSAY_CONTROLPLANE_SCHEDULER_SCHEDULER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "api/client/client.h"
#include "api/compatibility.h"
#include "controlplane/scheduler/dynamic_resources.h"

namespace assay::controlplane::scheduler {

struct SchedulerOptions {
  // The pods with this spec.schedulerName, which is also the events' component.
  std::string name = "default-scheduler";
  std::uint64_t seed = 1;
  DynamicResourcesOptions dynamic_resources;
};

class Scheduler {
 public:
  // `client` outlives the scheduler.
  Scheduler(api::client::Client& client, const api::Compatibility& compatibility,
            SchedulerOptions options = {});
  ~Scheduler();

  // Starts its watches; work begins once they have synced.
  void Start();
  bool synced() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::controlplane::scheduler

#endif  // ASSAY_CONTROLPLANE_SCHEDULER_SCHEDULER_H_
