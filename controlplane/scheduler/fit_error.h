// The text that says why no node took a pod: "0/3 nodes are available: 2 cannot allocate all
// claims, 1 node(s) were unschedulable. still not schedulable, preemption: …".
//
// Source: kube-scheduler, framework.FitError. Thread-safe: functions.
#ifndef ASSAY_CONTROLPLANE_SCHEDULER_FIT_ERROR_H_
#define ASSAY_CONTROLPLANE_SCHEDULER_FIT_ERROR_H_

#include <cstddef>
#include <map>
#include <string>

#include "controlplane/scheduler/plugin_status.h"

namespace assay::controlplane::scheduler {

struct FitError {
  std::size_t nodes = 0;
  std::string prefilter;                        // What refused all nodes at once; else empty.
  std::map<std::string, PluginStatus> by_node;  // Else what each node was refused for.
  std::string postfilter;

  std::string ToString() const;
};

// What DefaultPreemption would say: it finds nobody to take away.
std::string PreemptionMessage(const FitError& error);

}  // namespace assay::controlplane::scheduler

#endif  // ASSAY_CONTROLPLANE_SCHEDULER_FIT_ERROR_H_
