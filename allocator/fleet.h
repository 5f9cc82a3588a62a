// Fleet: nodes in the order in which they are tried, and which of them are alike: have the same
// devices, of which the same are in use. A first fit asks one node of each kind instead of every
// node; its cost hangs on how many kinds there are, and not on how many nodes.
//
//   Fleet fleet(nodes);
//   Attempt attempt(inventory.TakeSnapshot(), {&claim});
//   ASSAY_ASSIGN_OR_RETURN(const std::optional<std::size_t> first, fleet.FirstFit(attempt));
//   if (first.has_value()) return attempt.Allocate(*nodes[*first]);
//
// Not thread-safe; one per thread.
#ifndef ASSAY_ALLOCATOR_FLEET_H_
#define ASSAY_ALLOCATOR_FLEET_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "allocator/allocator.h"
#include "base/result.h"

namespace assay::allocator {

class Fleet {
 public:
  // The nodes must outlive it and stay as they are.
  explicit Fleet(std::vector<const api::core::Node*> nodes);
  ~Fleet();
  Fleet(Fleet&&) noexcept;
  Fleet& operator=(Fleet&&) noexcept;

  // Takes in what is in use in the snapshot. Costs little where little has changed since the last
  // one and no pool is for more than one node. FirstFit does it, too.
  void Update(std::shared_ptr<const Snapshot> snapshot);

  // The number of the first node for which attempt.Fits says yes; nullopt: there is none. An error
  // that is fatal (kInvalidArgument) ends it; nodes with others are passed over, and if the claims
  // fit nowhere, the first of these is the answer.
  Result<std::optional<std::size_t>> FirstFit(Attempt& attempt);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::allocator

#endif  // ASSAY_ALLOCATOR_FLEET_H_
