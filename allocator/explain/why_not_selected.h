// Why a selector does not select a device: the part of its expression that does not hold, with what
// the device has.
//
// Thread-safe: functions.
#ifndef ASSAY_ALLOCATOR_EXPLAIN_WHY_NOT_SELECTED_H_
#define ASSAY_ALLOCATOR_EXPLAIN_WHY_NOT_SELECTED_H_

#include <string>
#include <string_view>
#include <vector>

#include "allocator/inventory/pool.h"
#include "allocator/selector/selector.h"

namespace assay::allocator::explain {

// "memory 40Gi < 80Gi", "model \"l4\" is not \"h100\""; of what is not such a comparison with a
// constant, the part of the expression as it is written. The expression does not match the device.
std::string WhyNotSelected(const std::string& expression, inventory::DeviceRef device,
                           selector::SelectorCache& selectors);

// The parts that && joins at the top of the expression; the whole where something weaker than && is
// there.
std::vector<std::string> SplitConjunction(std::string_view expression);

// An attribute's value; a list's in brackets.
std::string TextOf(const api::resource::DeviceAttribute& attribute);

}  // namespace assay::allocator::explain

#endif  // ASSAY_ALLOCATOR_EXPLAIN_WHY_NOT_SELECTED_H_
