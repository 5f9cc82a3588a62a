// The roles and bindings that a cluster begins with, and those of a driver.
//
// Source: plugin/pkg/auth/authorizer/rbac/bootstrappolicy; KEP-4381. Thread-safe: pure functions.
#ifndef ASSAY_CONTROLPLANE_APISERVER_BOOTSTRAP_POLICY_H_
#define ASSAY_CONTROLPLANE_APISERVER_BOOTSTRAP_POLICY_H_

#include <vector>

#include "api/object.h"
#include "controlplane/apiserver/user.h"

namespace assay::controlplane::apiserver {

// Of Kubernetes' own: cluster-admin; those of the scheduler, of the controllers that Assay has, and
// of nodes (the group "system:nodes", whose writes NodeRestriction narrows to a node's own
// objects); admin, edit and view, to be bound in namespaces, with those of their rules that are
// about what Assay acts on. Where upstream's informers act as somebody else, reading is added.
std::vector<api::Object> BootstrapPolicy();

// What a driver's node plugin may do beyond the least.
struct DriverGrants {
  // Write status.devices of claims that are allocated to its node (KEP-4817).
  bool device_status = false;
  // That, and watch all claims, to see which devices are to be bound (KEP-5007).
  bool binding = false;
};

// A ClusterRole "dra-driver" and its binding to `driver`: what KEP-4381 says that a node plugin
// needs, which is slices (all verbs), get of claims and nodes; and what `grants` adds.
std::vector<api::Object> DriverPolicy(const User& driver, const DriverGrants& grants = {});

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_BOOTSTRAP_POLICY_H_
