// InProcessClient: api::client::Client straight over a Registry, without encoding. What Assay's own
// controllers, scheduler and node agents use, on any EventLoop, also a virtual one.
//
// Call on the loop only. The Registry must outlive it.
#ifndef ASSAY_CONTROLPLANE_APISERVER_IN_PROCESS_CLIENT_H_
#define ASSAY_CONTROLPLANE_APISERVER_IN_PROCESS_CLIENT_H_

#include <memory>

#include "api/client/client.h"
#include "controlplane/apiserver/user.h"

namespace assay::controlplane::apiserver {

class Registry;

// Acts as `user`: node restriction and the permission checks of claims' status hold for it, the
// Authorizer's rules do not (they stand before the registry).
std::unique_ptr<api::client::Client> MakeInProcessClient(Registry& registry, EventLoop& loop,
                                                         User user);

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_IN_PROCESS_CLIENT_H_
