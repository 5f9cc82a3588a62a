#include "driver-ref/kubelet/grpc_status.h"

namespace assay::driver_ref::kubelet {

grpc::Status ToGrpc(const Status& status) {
  return status.ok() ? grpc::Status::OK
                     : grpc::Status(static_cast<grpc::StatusCode>(status.code()), status.message());
}

std::string ToClaimError(const Status& status) { return status.ok() ? "" : status.ToString(); }

}  // namespace assay::driver_ref::kubelet
