// AllocateOptions: how a search may run.
//
// Thread-safe: values.
#ifndef ASSAY_ALLOCATOR_SEARCH_OPTIONS_H_
#define ASSAY_ALLOCATOR_SEARCH_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>

namespace assay::allocator {

inline constexpr std::uint64_t kDefaultPatience = 32;

struct AllocateOptions {
  // Makes the share ID of a device that allows multiple allocations. Default: random UUIDs.
  std::function<std::string()> new_share_id;
  // Asked now and then; true ends the search with kCancelled.
  std::function<bool()> cancelled;
  // Steps (candidate devices tried) after which the search gives up with kResourceExhausted,
  // "gave up after N steps". 0: no limit.
  std::uint64_t max_steps = 50'000'000;
  // Branches that may fail before the search looks ahead at every step. Changes no answer.
  std::uint64_t patience = kDefaultPatience;
};

}  // namespace assay::allocator

#endif  // ASSAY_ALLOCATOR_SEARCH_OPTIONS_H_
