// The one translation of our errors to gRPC's.
#ifndef ASSAY_DRIVER_REF_KUBELET_GRPC_STATUS_H_
#define ASSAY_DRIVER_REF_KUBELET_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include <string>

#include "base/result.h"

namespace assay::driver_ref::kubelet {

grpc::Status ToGrpc(const Status& status);

// The text for a claim's `error`: never empty for an error, empty for OK.
std::string ToClaimError(const Status& status);

}  // namespace assay::driver_ref::kubelet

#endif  // ASSAY_DRIVER_REF_KUBELET_GRPC_STATUS_H_
