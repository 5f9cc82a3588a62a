// The solver: the devices of one node for requests, with the least cost, by branch and bound.
//
// It knows no API objects: requests are sets of candidate devices, devices consume counters and
// have room for shares, constraints are values that must be equal or different. best_fit.h makes
// such a problem of claims and pools.
//
// Thread-safe: a function.
#ifndef ASSAY_ALLOCATOR_POLICY_SOLVER_H_
#define ASSAY_ALLOCATOR_POLICY_SOLVER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "allocator/inventory/amount.h"
#include "allocator/policy/quality.h"

namespace assay::allocator::policy {

struct Problem {
  struct Device {
    std::vector<QualityDevice::Take> takes;
    bool available = true;        // no claim has it to itself
    bool counters_taken = false;  // by shares of it that are in use
    bool shareable = false;
    bool has_binding_conditions = false;
    std::vector<Amount> room;  // of a shareable device: what is left of each capacity
    std::vector<Amount> all;   // what there is of each
  };
  struct Candidate {
    std::uint32_t device;
    std::vector<Amount> share;  // of each capacity of a shareable device
  };
  struct Request {
    std::size_t count = 1;
    std::vector<Candidate> candidates;       // ascending by device, each once
    std::vector<std::uint32_t> constraints;  // that concern it
    bool admin_access = false;               // takes what is in use too, and holds nothing up
  };
  struct Constraint {
    bool distinct = false;
    // Of each device, ascending: devices with matching values have one in common all together,
    // those with distinct ones none. Empty: it has no such attribute and satisfies nothing.
    std::vector<std::vector<std::uint32_t>> values;
  };

  std::vector<Device> devices;
  std::vector<Amount> counters;  // what is left of each
  std::vector<Request> requests;
  std::vector<Constraint> constraints;
};

// What an allocation costs, in the order of importance.
struct Cost {
  int binding = 0;      // devices with binding conditions, which upstream too takes last
  double stranded = 0;  // see quality.h; of this allocation alone
  double loose = 0;     // room left on shareable devices, as a share of what they have

  bool Below(const Cost& other) const;
};

struct Solution {
  std::vector<std::vector<std::uint32_t>> devices;  // of each request, ascending
  Cost cost;
  // No solution with as few binding conditions strands less. cost.stranded itself where that was
  // proven.
  double bound = 0;
  std::uint64_t steps = 0;  // devices tried

  bool optimal() const { return cost.stranded <= bound + 1e-9; }
};

// The least costly of all solutions; of equals, that with the first devices. `start` (of the same
// form as Solution::devices) is a solution to improve on; without one, nullopt means that there is
// none, or that none was found in `max_steps`. After so many steps the best that was found is
// returned, with a bound below its cost.
std::optional<Solution> Solve(const Problem& problem, const Blocks& blocks, const Holders& holders,
                              std::uint64_t max_steps,
                              const std::vector<std::vector<std::uint32_t>>* start = nullptr);

}  // namespace assay::allocator::policy

#endif  // ASSAY_ALLOCATOR_POLICY_SOLVER_H_
