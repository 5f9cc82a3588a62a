// The allocation of a claim from the devices that were chosen: results, configuration, node
// selector.
//
// Thread-safe: a function.
#ifndef ASSAY_ALLOCATOR_SEARCH_RESULT_BUILDER_H_
#define ASSAY_ALLOCATOR_SEARCH_RESULT_BUILDER_H_

#include <span>

#include "allocator/features.h"
#include "allocator/inventory/pool.h"
#include "allocator/search/options.h"
#include "allocator/search/request.h"
#include "api/resource/types.h"

namespace assay::allocator::search {

struct ResultDevice {
  inventory::DeviceRef device;
  const Request* request;
  bool dedicated;  // not a share
};

struct ResultInput {
  const api::resource::ResourceClaim& claim;
  std::span<const Request* const> chosen;  // of each of the claim's requests
  std::span<const ResultDevice> devices;
  const api::core::Node& node;
  const Features& features;
  const AllocateOptions& options;
};

Result<api::resource::AllocationResult> BuildResult(const ResultInput& input);

}  // namespace assay::allocator::search

#endif  // ASSAY_ALLOCATOR_SEARCH_RESULT_BUILDER_H_
