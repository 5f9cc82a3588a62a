// Heap: what the process has allocated. heap.cc replaces operator new and delete of the program
// that it is linked into.
//
// Counts all threads together; the benchmarks have one.
#ifndef ASSAY_BENCH_MACRO_ALLOCATOR_HEAP_H_
#define ASSAY_BENCH_MACRO_ALLOCATOR_HEAP_H_

#include <cstdint>

namespace assay::bench {

struct HeapCounts {
  std::uint64_t allocations = 0;  // since the start
  std::uint64_t bytes = 0;        // asked for since the start
};

HeapCounts CountHeap();

// What is allocated now, as malloc sees it, in bytes.
std::uint64_t LiveHeapBytes();

}  // namespace assay::bench

#endif  // ASSAY_BENCH_MACRO_ALLOCATOR_HEAP_H_
