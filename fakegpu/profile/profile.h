// Nodes and boards from YAML. A node's file names the profile of each of its GPUs, relative to
// itself; fixtures/nodes and fixtures/profiles have examples.
//
// Strict: unknown keys, values out of range and files that are not there are errors
// "file:line: field: what was expected".
//
// Thread-safe: pure functions of files.
#ifndef ASSAY_FAKEGPU_PROFILE_PROFILE_H_
#define ASSAY_FAKEGPU_PROFILE_PROFILE_H_

#include <filesystem>

#include "base/result.h"
#include "fakegpu/model/node_builder.h"

namespace assay::fakegpu::profile {

// A board's facts.
struct Board {
  layout::GpuState state{};
  std::uint32_t nvlinks = 0;
};
Result<Board> LoadBoard(const std::filesystem::path& path);

Result<model::NodeSpec> LoadNode(const std::filesystem::path& path);

}  // namespace assay::fakegpu::profile

#endif  // ASSAY_FAKEGPU_PROFILE_PROFILE_H_
