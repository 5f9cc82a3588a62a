// What a ResourcePoolStatusRequest is answered: for each pool of its driver how many devices there
// are, and how many of them are allocated (KEP-5677).
//
// Source: pkg/controller/resourcepoolstatusrequest. Level 1.37's summaries of partitions and shared
// devices are left out.
//
// Thread-safe: a function.
#ifndef ASSAY_CONTROLPLANE_POOLSTATUS_POOL_STATUS_H_
#define ASSAY_CONTROLPLANE_POOLSTATUS_POOL_STATUS_H_

#include <memory>
#include <vector>

#include "api/meta/time.h"
#include "api/resource/types.h"
#include "base/result.h"

namespace assay::controlplane::poolstatus {

// The pools that `spec` asks for, at their newest generation, by name. kFailedPrecondition names
// a pool of the answer of which slices are missing: upstream answers nothing then.
Result<api::resource::ResourcePoolStatusRequestStatus> AnswerTo(
    const api::resource::ResourcePoolStatusRequestSpec& spec,
    const std::vector<std::shared_ptr<const api::resource::ResourceSlice>>& slices,
    const std::vector<std::shared_ptr<const api::resource::ResourceClaim>>& claims,
    api::meta::Time now);

}  // namespace assay::controlplane::poolstatus

#endif  // ASSAY_CONTROLPLANE_POOLSTATUS_POOL_STATUS_H_
