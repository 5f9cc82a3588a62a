// What the library keeps of the objects that it gives out: a lock, and which of them are alive.
#ifndef ASSAY_FAKEGPU_NVML_LIVE_LIST_H_
#define ASSAY_FAKEGPU_NVML_LIVE_LIST_H_

#include <pthread.h>

namespace assay::fakegpu::nvml {

class MutexLock {
 public:
  explicit MutexLock(pthread_mutex_t& mutex) : mutex_(mutex) { pthread_mutex_lock(&mutex_); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  ~MutexLock() { pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t& mutex_;
};

// The objects that live, linked by T::next, so that any other pointer is refused. All but `mutex()`
// under its lock.
template <typename T>
class LiveList {
 public:
  pthread_mutex_t& mutex() { return mutex_; }

  T* first() const { return first_; }
  bool Has(const T* object) const {
    for (const T* entry = first_; entry != nullptr; entry = entry->next) {
      if (entry == object) {
        return true;
      }
    }
    return false;
  }
  void Add(T* object) {
    object->next = first_;
    first_ = object;
  }
  // It must be there.
  void Remove(T* object) {
    T** link = &first_;
    while (*link != object) {
      link = &(*link)->next;
    }
    *link = object->next;
  }

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  T* first_ = nullptr;  // Guarded by mutex_.
};

}  // namespace assay::fakegpu::nvml

#endif  // ASSAY_FAKEGPU_NVML_LIVE_LIST_H_
