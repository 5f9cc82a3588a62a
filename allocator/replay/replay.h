// Replay: answers the allocation questions of a stream of objects, as tools/peers/allocator does
// with Kubernetes' allocator; what tests compare.
//
// Input, one JSON object a line: Node, DeviceClass, ResourceSlice, ResourceClaim, and
// {"kind":"Reset"}, which forgets everything; gates in its "features" are on until the next one,
// and so is Features::upstream_defects with "upstreamDefects":true. A claim with an allocation is
// in use; one without is allocated on the first node where it fits, and is in use from then on; its
// answer is one line of JSON. {"kind":"Together","items":[...]} are claims that are allocated
// together, on one node.
//
// Not thread-safe; one per stream.
#ifndef ASSAY_ALLOCATOR_REPLAY_REPLAY_H_
#define ASSAY_ALLOCATOR_REPLAY_REPLAY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "allocator/allocator.h"
#include "base/result.h"

namespace assay::allocator::replay {

class Replay {
 public:
  // `patience`: AllocateOptions::patience.
  explicit Replay(InventoryOptions options = {}, std::uint64_t patience = kDefaultPatience);
  ~Replay();

  // Takes one line. The answer, if the line is a claim to allocate:
  // {"claim":"ns/name","node":"n","allocation":{...}}, {"claim":...,"error":"..."} or
  // {"claim":...}; for claims together, "claims" and "allocations" are lists. An error is a line
  // that cannot be read.
  Result<std::optional<std::string>> Take(std::string_view line);

  // Those that the last Reset left on.
  const Features& features() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::allocator::replay

#endif  // ASSAY_ALLOCATOR_REPLAY_REPLAY_H_
