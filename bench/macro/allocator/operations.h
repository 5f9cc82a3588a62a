// Operations: what is timed. The peer programs (bench/peers/upstream-allocator) do the same with
// theirs; "the state" is what they derive for each pod from the claims in use.
//
//   check      one claim is asked of one node, again and again, against a state made beforehand
//   one-node   the state as it is; the claim is allocated on the first node
//   first-fit  the state as it is; then the claim is allocated on the first node that takes it:
//              found by allocator/fleet.h, whose index upkeep keeps up to date; upstream asks the
//              nodes in order
//   all-nodes  the state as it is; then every node is asked, as the scheduler's filter does, and
//              the claim is allocated on the first that takes it (upstream's filter allocates on
//              each)
//   upkeep     an allocated claim comes, or goes again (in turn), and a state is made
//   cycle      a state, first-fit, and the claim is in use from then on; the oldest of more than
//              100 such claims goes
//   heap       first-fit; what counts is the heap afterwards, once every node has been asked
//
// Nothing is kept between iterations but by upkeep and cycle, and the indexes of what is in use.
//
// Not thread-safe.
#ifndef ASSAY_BENCH_MACRO_ALLOCATOR_OPERATIONS_H_
#define ASSAY_BENCH_MACRO_ALLOCATOR_OPERATIONS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "api/resource/types.h"
#include "base/result.h"
#include "bench/macro/allocator/world.h"

namespace assay::bench {

// What was answered, so that programs can be held to the same answers.
class Answers {
 public:
  void Add(std::string_view node, const api::resource::AllocationResult& allocation);

  // How often a claim fitted.
  std::int64_t fits() const { return fits_; }
  // A hash of nodes, requests and devices (FNV-1a), short enough for a double: 52 bits.
  double Number() const;

 private:
  std::int64_t fits_ = 0;
  std::uint64_t hash_ = 14695981039346656037U;
};

class Operation {
 public:
  virtual ~Operation() = default;
  // Does it once, with the claims in turn. `answers` may be null. An error is the allocator's.
  virtual Status Run(std::size_t iteration, Answers* answers) = 0;
};

// The world must outlive the operation, which leaves it as it found it. Errors: a name that is
// none; a world without nodes or claims; for upkeep, a claim that fits nowhere.
Result<std::unique_ptr<Operation>> MakeOperation(std::string_view name, World& world);

}  // namespace assay::bench

#endif  // ASSAY_BENCH_MACRO_ALLOCATOR_OPERATIONS_H_
