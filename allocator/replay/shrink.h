// Shrink: makes a case on which two allocators differ as small as it can be, for people to read.
//
// Thread-safe: functions.
#ifndef ASSAY_ALLOCATOR_REPLAY_SHRINK_H_
#define ASSAY_ALLOCATOR_REPLAY_SHRINK_H_

#include <functional>
#include <string>
#include <vector>

namespace assay::allocator::replay {

using Lines = std::vector<std::string>;  // objects, as JSON

// Leaves out objects, fields and elements, as long as `differs` (which holds for `lines`) still
// does. No one part of what is returned can be left out.
Lines Shrink(Lines lines, const std::function<bool(const Lines&)>& differs);

// As YAML documents.
std::string ToYaml(const Lines& lines);

}  // namespace assay::allocator::replay

#endif  // ASSAY_ALLOCATOR_REPLAY_SHRINK_H_
