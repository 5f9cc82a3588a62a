// Random questions for allocators: fleets, claims and what is in use, as lines that Replay reads.
// At level 1.37 with what 1.37 brought, its gates on or off.
//
// Thread-safe: a function.
#ifndef ASSAY_ALLOCATOR_REPLAY_CASES_H_
#define ASSAY_ALLOCATOR_REPLAY_CASES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "api/compatibility.h"

namespace assay::allocator::replay {

struct CaseOptions {
  api::Level level = api::Level::k1_36;
  // At level 1.36: also what v0.36.3 is known to get wrong, to be answered with
  // Features::upstream_defects: distinctAttribute over several devices of one request, attributes
  // that are lists (which its scheduler never asks for), and counters of two drivers' pools of one
  // name. At 1.37 all of it comes anyway.
  bool upstream_defects = false;
};

// The lines of one case, beginning with a Reset.
std::vector<std::string> MakeCase(std::uint64_t seed, const CaseOptions& options = {});

}  // namespace assay::allocator::replay

#endif  // ASSAY_ALLOCATOR_REPLAY_CASES_H_
