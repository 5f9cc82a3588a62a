#include "bench/macro/allocator/heap.h"

#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace assay::bench {
namespace {

std::atomic<std::uint64_t> allocations = 0;
std::atomic<std::uint64_t> bytes = 0;

// Not fetch_add: an instruction with a lock prefix would be felt where hardly anything is done.
void Add(std::atomic<std::uint64_t>& counter, std::uint64_t count) {
  counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
}

void* Allocate(std::size_t size, std::size_t alignment) {
  Add(allocations, 1);
  Add(bytes, size);
  void* const made = alignment <= alignof(std::max_align_t)
                         ? std::malloc(size)
                         : std::aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));
  if (made == nullptr) {
    std::abort();
  }
  return made;
}

}  // namespace

HeapCounts CountHeap() { return {allocations.load(), bytes.load()}; }

std::uint64_t LiveHeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

}  // namespace assay::bench

void* operator new(std::size_t size) { return assay::bench::Allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return assay::bench::Allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* at) noexcept { std::free(at); }
void operator delete(void* at, std::size_t) noexcept { std::free(at); }
void operator delete(void* at, std::align_val_t) noexcept { std::free(at); }
void operator delete(void* at, std::size_t, std::align_val_t) noexcept { std::free(at); }
