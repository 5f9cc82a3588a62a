// ClaimController: Kubernetes' resourceclaim controller. It generates claims from templates for
// pods and pod groups, takes reservations away from pods that are done, deallocates claims that
// nobody uses any more, and removes their finalizer. It never allocates; the scheduler does.
//
// Source: pkg/controller/resourceclaim/controller.go; KEP-4381, KEP-5729 (pod groups).
//
// Not thread-safe: lives on the client's loop.
#ifndef ASSAY_CONTROLPLANE_CLAIMS_CLAIM_CONTROLLER_H_
#define ASSAY_CONTROLPLANE_CLAIMS_CLAIM_CONTROLLER_H_

#include <memory>

#include "api/client/client.h"
#include "api/compatibility.h"

namespace assay::controlplane::claims {

class ClaimController {
 public:
  // `client` outlives the controller.
  ClaimController(api::client::Client& client, const api::Compatibility& compatibility);
  ~ClaimController();

  // Starts its watches; work begins once they have synced.
  void Start();
  bool synced() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::controlplane::claims

#endif  // ASSAY_CONTROLPLANE_CLAIMS_CLAIM_CONTROLLER_H_
