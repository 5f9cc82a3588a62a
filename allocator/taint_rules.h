// DeviceTaintRules: the taints that an administrator gives to devices, whatever their slices say.
//
// Source: k8s.io/dynamic-resource-allocation/resourceslice/tracker (applyPatches).
//
// Thread-safe: a function.
#ifndef ASSAY_ALLOCATOR_TAINT_RULES_H_
#define ASSAY_ALLOCATOR_TAINT_RULES_H_

#include "api/resource/types.h"

namespace assay::allocator {

// Adds the rule's taint to the devices of the slice that it selects; a rule without a selector
// selects all. For Inventory::SetSlice, which knows no rules.
void AddTaints(const api::resource::DeviceTaintRule& rule, api::resource::ResourceSlice& slice);

}  // namespace assay::allocator

#endif  // ASSAY_ALLOCATOR_TAINT_RULES_H_
