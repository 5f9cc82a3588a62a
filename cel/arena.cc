#include "cel/arena.h"

#include <algorithm>
#include <cstdint>

namespace assay::cel {

void* Arena::AllocateChunk(std::size_t size, std::size_t alignment) {
  const std::size_t chunk_size = std::max(kChunkSize, size + alignment);
  chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(chunk_size));
  next_ = chunks_.back().get();
  end_ = next_ + chunk_size;
  return Allocate(size, alignment);
}

}  // namespace assay::cel
