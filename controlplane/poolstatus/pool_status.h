// What a ResourcePoolStatusRequest is answered: for each pool of its driver how many devices there
// are, and how many of them are allocated (KEP-5677).
//
// Source: pkg/controller/resourcepoolstatusrequest of 1.36 and 1.37.
//
// Thread-safe: a function.
#ifndef ASSAY_CONTROLPLANE_POOLSTATUS_POOL_STATUS_H_
#define ASSAY_CONTROLPLANE_POOLSTATUS_POOL_STATUS_H_

#include <memory>
#include <vector>

#include "api/compatibility.h"
#include "api/meta/time.h"
#include "api/resource/types.h"
#include "base/result.h"

namespace assay::controlplane::poolstatus {

// What of the cluster an answer is made of.
struct PoolSources {
  std::vector<std::shared_ptr<const api::resource::ResourceSlice>> slices;
  std::vector<std::shared_ptr<const api::resource::ResourceClaim>> claims;
  std::vector<std::shared_ptr<const api::resource::DeviceTaintRule>> taint_rules;
};

// The pools that `spec` asks for, at their newest generation, by name. kFailedPrecondition names
// a pool of the answer of which slices are missing: upstream answers nothing then.
Result<api::resource::ResourcePoolStatusRequestStatus> AnswerTo(
    const api::resource::ResourcePoolStatusRequestSpec& spec, const PoolSources& sources,
    api::Level level, api::meta::Time now);

}  // namespace assay::controlplane::poolstatus

#endif  // ASSAY_CONTROLPLANE_POOLSTATUS_POOL_STATUS_H_
