// World: what a scheduler holds between two pods: the nodes, an inventory with what is in use, and
// the claims to allocate, read from files of JSON lines (bench/fleet writes them).
//
// Not thread-safe.
#ifndef ASSAY_BENCH_MACRO_ALLOCATOR_WORLD_H_
#define ASSAY_BENCH_MACRO_ALLOCATOR_WORLD_H_

#include <optional>
#include <string>
#include <vector>

#include "allocator/allocator.h"
#include "allocator/fleet.h"
#include "api/core/types.h"
#include "api/resource/types.h"
#include "base/result.h"

namespace assay::bench {

struct World {
  // Adds what the file holds; one that ends in .gz is decompressed. Errors name file and line.
  Status Load(const std::string& path);

  // The nodes, once all are loaded.
  allocator::Fleet& fleet();

  allocator::Inventory inventory;
  std::vector<api::core::Node> nodes;
  std::vector<api::resource::ResourceClaim> claims;  // to allocate

 private:
  std::optional<allocator::Fleet> fleet_;
};

}  // namespace assay::bench

#endif  // ASSAY_BENCH_MACRO_ALLOCATOR_WORLD_H_
