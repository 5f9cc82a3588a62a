// Scheduler: gives pods their nodes, and claims their devices, as kube-scheduler does with its
// default plugins, as far as they matter for devices. README.md lists what it leaves out; above all
// it takes no running pod away (preemption), which never helps with devices anyway.
//
// Source: kube-scheduler, schedule_one.go. One pod at a time is matched to a node; binding goes on
// in the background.
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
