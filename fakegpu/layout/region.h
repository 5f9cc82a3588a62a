// The state file, mapped for reading: its header, its two copies, its ring of events.
//
//   0            Header
//   kHeaderSize  copy 0: NodeState, then gpu_capacity GpuStates
//                copy 1
//                kEventRing Events
//
// Commit n lies in copy n % 2. A writer (transaction.h) prepares n + 1 in the other copy, then
// stores the number n + 1: a reader never waits for it, and a writer that is killed leaves n. What
// a reader has read of n is whole as long as nobody prepares n + 2; Read() looks again if so.
//
// Freestanding. Thread-safe once open; any number of processes.
#ifndef ASSAY_FAKEGPU_LAYOUT_REGION_H_
#define ASSAY_FAKEGPU_LAYOUT_REGION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "fakegpu/layout/state.h"

namespace assay::fakegpu::layout {

inline constexpr char kMagic[8] = {'A', 'S', 'S', 'A', 'Y', 'G', 'P', 'U'};
inline constexpr std::uint32_t kLayoutVersion = 4;
inline constexpr std::size_t kHeaderSize = 4096;

struct Header {
  char magic[8];
  std::uint32_t layout_version;
  std::uint32_t node_size;  // sizeof each: a file of another build is refused.
  std::uint32_t gpu_size;
  std::uint32_t event_size;
  std::uint32_t gpu_capacity;
  std::uint32_t reserved;
  std::uint64_t instance_id;  // Of this making of the node.
  std::uint64_t file_size;
  // The number of the last commit, and of the one that is or was being prepared.
  std::atomic<std::uint64_t> committed;
  std::atomic<std::uint64_t> preparing;
  // What event waits sleep on; changes with every event.
  std::atomic<std::uint32_t> event_futex;
  // Set while a commit's waiters are not woken yet: a killed writer's successor wakes them.
  std::atomic<std::uint32_t> wake_pending;
  // changed[n % 2]: the GPUs in which commit n differs from n - 1, a bit each.
  std::uint64_t changed[2][kMaxGpus / 64];
};
static_assert(sizeof(Header) <= kHeaderSize);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

constexpr std::size_t CopySize(std::uint32_t gpu_capacity) {
  return sizeof(NodeState) + std::size_t{gpu_capacity} * sizeof(GpuState);
}
constexpr std::size_t FileSize(std::uint32_t gpu_capacity) {
  return kHeaderSize + 2 * CopySize(gpu_capacity) + std::size_t{kEventRing} * sizeof(Event);
}

// Why a state file could not be used.
enum class OpenError {
  kNone,
  kNotFound,
  kNoPermission,
  kSystem,   // errno says more.
  kForeign,  // No state file, or one of another version.
  kCorrupt,  // Sizes or commit numbers that do not agree.
};
const char* OpenErrorText(OpenError error);
// What open() failed with.
OpenError OpenErrorOf(int error_number);

// Fills `memory`, of FileSize(gpu_count) zero bytes, with a node: its commit number 0.
void FormatRegion(void* memory, const NodeState& node, const GpuState* gpus,
                  std::uint32_t gpu_count, std::uint64_t instance_id);

// One commit, while Read() looks at it.
class Copy {
 public:
  Copy(const char* base, std::uint32_t gpu_capacity) : base_(base), gpu_capacity_(gpu_capacity) {}
  const NodeState& node() const { return *reinterpret_cast<const NodeState*>(base_); }
  std::uint32_t gpu_count() const {
    const std::uint32_t count = node().gpu_count;
    return count < gpu_capacity_ ? count : gpu_capacity_;
  }
  // `slot` < gpu_count().
  const GpuState& gpu(std::uint32_t slot) const {
    return reinterpret_cast<const GpuState*>(base_ + sizeof(NodeState))[slot];
  }

 private:
  const char* base_;
  std::uint32_t gpu_capacity_;
};

class Region {
 public:
  Region() = default;
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region() { Close(); }

  // Maps the file; this must be closed. On an error nothing stays mapped.
  OpenError Open(const char* path, bool writable = false);
  void Close();
  // Maps what `fd` is open on; the caller keeps `fd`.
  OpenError Map(int fd, bool writable);

  bool is_open() const { return base_ != nullptr; }
  std::uint64_t instance_id() const { return header().instance_id; }
  std::uint32_t gpu_capacity() const { return gpu_capacity_; }

  // function(const Copy&), called again if what it saw was overwritten meanwhile: it must have no
  // effect but on what it returns and on what it overwrites each time.
  template <typename Function>
  auto Read(Function&& function) const {
    for (;;) {
      const std::uint64_t committed = header().committed.load(std::memory_order_acquire);
      auto result = function(copy(committed));
      LoadFence();
      if (header().preparing.load(std::memory_order_relaxed) <= committed + 1) [[likely]] {
        return result;
      }
    }
  }

  // The ring's entry `number`; false if it is overwritten.
  bool ReadEvent(std::uint64_t number, Event* event) const;
  // Sleeps until event_futex is no longer `seen`, or `timeout_ns` (negative: for ever). False on a
  // time-out.
  bool WaitForEvent(std::uint32_t seen, std::int64_t timeout_ns) const;
  std::uint32_t event_futex() const { return header().event_futex.load(std::memory_order_acquire); }

 private:
  friend class Transaction;
  const Header& header() const { return *reinterpret_cast<const Header*>(base_); }
  Copy copy(std::uint64_t commit) const {
    return Copy(base_ + kHeaderSize + (commit % 2) * copy_size_, gpu_capacity_);
  }
  const Event* events() const {
    return reinterpret_cast<const Event*>(base_ + kHeaderSize + 2 * copy_size_);
  }
  // Orders the loads before it with those after it. TSan knows no fences; it is built for x86
  // here, which needs none.
  static void LoadFence() {
#ifdef __SANITIZE_THREAD__
    asm volatile("" ::: "memory");
#else
    std::atomic_thread_fence(std::memory_order_acquire);
#endif
  }

  char* base_ = nullptr;
  std::size_t size_ = 0;
  std::size_t copy_size_ = 0;
  std::uint32_t gpu_capacity_ = 0;
};

}  // namespace assay::fakegpu::layout

#endif  // ASSAY_FAKEGPU_LAYOUT_REGION_H_
