// The validity checker: whether allocations keep every rule of Kubernetes' allocator.
//
// It knows nothing of searches or indexes: it reads the API objects afresh, rule by rule, as slowly
// as that is, and so judges the answers of every policy, and of other allocators. An answer that it
// accepts is one that upstream's rules allow, though upstream may pick another.
//
//   World world{slices, classes, nodes, claims};
//   for (const std::string& violation : FindViolations(world, {"default/training"})) ...
//
// Source: k8s.io/dynamic-resource-allocation v0.36.3, structured/internal/incubating; KEP-4381,
// KEP-4815 (partitionable devices), KEP-5075 (consumable capacity), KEP-5055 (taints).
//
// Thread-safe: a function.
#ifndef ASSAY_ALLOCATOR_POLICY_VALIDITY_H_
#define ASSAY_ALLOCATOR_POLICY_VALIDITY_H_

#include <span>
#include <string>
#include <vector>

#include "allocator/features.h"
#include "api/core/types.h"
#include "api/resource/types.h"

namespace assay::allocator::policy {

// A cluster as its objects say, borrowed. Claims with an allocation hold their devices.
struct World {
  std::span<const api::resource::ResourceSlice> slices;
  std::span<const api::resource::DeviceClass> classes;
  std::span<const api::core::Node> nodes;
  std::span<const api::resource::ResourceClaim> claims;
  Features features = {};
};

// A claim of the world whose allocation is judged, made for that node.
struct Placed {
  std::string claim;  // "namespace/name"
  std::string node;
};

// What is wrong with the allocations of `placed`, each with claim, request or device; empty: all
// hold. The other claims are in use and not judged themselves. Claims must be defaulted.
std::vector<std::string> FindViolations(const World& world, std::span<const Placed> placed);

}  // namespace assay::allocator::policy

#endif  // ASSAY_ALLOCATOR_POLICY_VALIDITY_H_
