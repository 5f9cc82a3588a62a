// Copy on write: whether what is shared can be changed in place.
//
// Thread-safe: a pure function of a pointer that no other thread touches.
#ifndef ASSAY_ALLOCATOR_INTERNAL_HELD_ALONE_H_
#define ASSAY_ALLOCATOR_INTERNAL_HELD_ALONE_H_

#include <memory>

namespace assay::allocator::internal {

// Whether nobody but `pointer` holds it, which must not be null. Threads that did have read it
// before it is changed after this.
template <typename T>
bool HeldAlone(const std::shared_ptr<T>& pointer) {
  if (pointer.use_count() > 1) {
    return false;
  }
  // The count alone orders nothing; letting go of a copy comes after those who let go before.
  std::shared_ptr<T>(pointer).reset();
  return true;
}

}  // namespace assay::allocator::internal

#endif  // ASSAY_ALLOCATOR_INTERNAL_HELD_ALONE_H_
