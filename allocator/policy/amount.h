// Amount: a quantity in billionths, which Kubernetes' quantities are multiples of.
//
// Thread-safe: values.
#ifndef ASSAY_ALLOCATOR_POLICY_AMOUNT_H_
#define ASSAY_ALLOCATOR_POLICY_AMOUNT_H_

namespace assay::allocator::policy {

__extension__ using Amount = __int128;

}  // namespace assay::allocator::policy

#endif  // ASSAY_ALLOCATOR_POLICY_AMOUNT_H_
