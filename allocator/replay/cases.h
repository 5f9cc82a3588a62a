// Random questions for allocators: fleets, claims and what is in use, as lines that Replay reads.
//
// Left out is what upstream 0.36.3 is known to get wrong: distinctAttribute over several devices of
// one request, and counters of two drivers' pools of one name.
//
// Thread-safe: a function.
#ifndef ASSAY_ALLOCATOR_REPLAY_CASES_H_
#define ASSAY_ALLOCATOR_REPLAY_CASES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace assay::allocator::replay {

// The lines of one case, beginning with a Reset.
std::vector<std::string> MakeCase(std::uint64_t seed);

}  // namespace assay::allocator::replay

#endif  // ASSAY_ALLOCATOR_REPLAY_CASES_H_
