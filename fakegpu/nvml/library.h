// The library in a process: the state file that it reads, from the first nvmlInit to the last
// nvmlShutdown, and the GPUs that this process may see.
//
// Freestanding. Thread-safe.
#ifndef ASSAY_FAKEGPU_NVML_LIBRARY_H_
#define ASSAY_FAKEGPU_NVML_LIBRARY_H_

#include <pthread.h>

#include <atomic>
#include <cstdint>

#include "fakegpu/abi/nvml.h"
#include "fakegpu/layout/call_log.h"
#include "fakegpu/layout/region.h"

namespace assay::fakegpu::nvml {

class Library {
 public:
  constexpr Library() = default;
  static Library& Get();  // Inline below: every call of a client's comes by it.

  // Counted: the state is opened by the first, let go by the last.
  nvmlReturn_t Init();
  nvmlReturn_t Shutdown();

  // Null before the first Init and after the last Shutdown.
  const layout::Region* region() const { return region_.load(std::memory_order_acquire); }
  const char* state_path() const { return path_; }
  // The node's call log; null where there is none that this process may write.
  static layout::CallLog* call_log() { return call_log_.load(std::memory_order_acquire); }

  // In a container only those GPUs are there whose device node is.
  bool IsVisible(std::uint32_t slot) const { return (visible_[slot / 64] >> (slot % 64) & 1) != 0; }

 private:
  nvmlReturn_t OpenState();
  void OpenCallLog(const char* state_path);
  void FindVisible(const layout::Region& region);

  pthread_mutex_t mu_ = PTHREAD_MUTEX_INITIALIZER;
  std::uint32_t references_ = 0;  // Guarded by mu_.
  // The mapping outlives Shutdown until the next Init, for calls of other threads that are late.
  layout::Region mappings_[2];  // Guarded by mu_.
  std::uint32_t current_ = 0;   // Guarded by mu_.
  std::atomic<const layout::Region*> region_ = nullptr;
  layout::CallLog call_logs_[2];  // Guarded by mu_; mapped as mappings_ are.
  // Static: each call of a client's looks at it, which is to cost one load.
  static inline constinit std::atomic<layout::CallLog*> call_log_ = nullptr;
  // Written by Init before region_ is.
  char path_[4096] = {};
  std::uint64_t visible_[layout::kMaxGpus / 64] = {};
};

namespace internal {

// Never destroyed: calls may come while the process exits.
union LibraryInstance {
  constexpr LibraryInstance() : library() {}
  ~LibraryInstance() {}
  Library library;
};
extern constinit LibraryInstance library_instance;

}  // namespace internal

inline Library& Library::Get() { return internal::library_instance.library; }

}  // namespace assay::fakegpu::nvml

#endif  // ASSAY_FAKEGPU_NVML_LIBRARY_H_
