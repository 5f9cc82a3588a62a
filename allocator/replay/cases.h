// Random questions for allocators: fleets, claims and what is in use, as lines that Replay reads.
//
// At level 1.36, left out is what upstream 0.36.3 is known to get wrong: distinctAttribute over
// several devices of one request, and counters of two drivers' pools of one name; also attributes
// that are lists, which its scheduler never asks for. At 1.37 all of it comes, and what 1.37
// brought, with its gates on or off.
//
// Thread-safe: a function.
#ifndef ASSAY_ALLOCATOR_REPLAY_CASES_H_
#define ASSAY_ALLOCATOR_REPLAY_CASES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "api/compatibility.h"

namespace assay::allocator::replay {

// The lines of one case, beginning with a Reset.
std::vector<std::string> MakeCase(std::uint64_t seed, api::Level level = api::Level::k1_36);

}  // namespace assay::allocator::replay

#endif  // ASSAY_ALLOCATOR_REPLAY_CASES_H_
