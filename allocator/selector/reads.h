// Reads: which attributes of a device a selector's answer can depend on.
//
// Thread-safe: a function.
#ifndef ASSAY_ALLOCATOR_SELECTOR_READS_H_
#define ASSAY_ALLOCATOR_SELECTOR_READS_H_

#include <string>
#include <string_view>
#include <vector>

namespace assay::allocator::selector {

// Appends the ids of the attributes that the expression names. False if it may read others: if
// `device` or its attributes are used otherwise than `device.attributes["domain"].id`,
// `device.attributes["domain"]["id"]`, with `?` for optional access, or
// `"id" in device.attributes["domain"]`. Errs on that side only; the expression need not compile.
bool FindReads(std::string_view expression, std::vector<std::string>& ids);

}  // namespace assay::allocator::selector

#endif  // ASSAY_ALLOCATOR_SELECTOR_READS_H_
