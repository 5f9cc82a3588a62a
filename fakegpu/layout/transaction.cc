#include "fakegpu/layout/transaction.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cstring>

#include "fakegpu/layout/metrics.h"

namespace assay::fakegpu::layout {
namespace {

// Of nvmlEventType*.
constexpr std::uint64_t kPerformanceStateEvent = 0x4;
constexpr std::uint64_t kClockEvent = 0x10;

// In C libraries before 2.20 these are not named; the kernel has them since 3.15.
constexpr int kSetLockWait = 38;  // F_OFD_SETLKW

// Orders the stores before it with those after it, for readers of the mapping.
void StoreFence() {
#ifdef __SANITIZE_THREAD__
  asm volatile("" ::: "memory");
#else
  std::atomic_thread_fence(std::memory_order_release);
#endif
}

bool LockForWriting(int fd) {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_len = 1;
  while (fcntl(fd, kSetLockWait, &lock) != 0) {
    if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

OpenError Transaction::Begin(const char* path) {
  fd_ = open(path, O_RDWR | O_CLOEXEC);
  if (fd_ < 0) {
    return OpenErrorOf(errno);
  }
  OpenError error = OpenError::kNone;
  if (!LockForWriting(fd_)) {
    error = OpenError::kSystem;
  } else {
    error = region_.Map(fd_, /*writable=*/true);
  }
  if (error != OpenError::kNone) {
    End();
    return error;
  }
  Prepare();
  return OpenError::kNone;
}

// Makes the copy that is not committed equal to the one that is.
void Transaction::Prepare() {
  const std::uint64_t committed = header().committed.load(std::memory_order_relaxed);
  // A writer that was killed, or gave up, has left anything there.
  const bool unfinished = header().preparing.load(std::memory_order_relaxed) != committed;
  commit_ = committed + 1;
  header().preparing.store(commit_, std::memory_order_relaxed);
  StoreFence();

  std::memcpy(copy(commit_), copy(committed), sizeof(NodeState));
  const std::uint32_t capacity = region_.gpu_capacity();
  if (unfinished) {
    std::memcpy(&slot_of(commit_, 0), &slot_of(committed, 0),
                std::size_t{capacity} * sizeof(GpuState));
  } else {
    const std::uint64_t* changed = header().changed[committed % 2];
    for (std::uint32_t word = 0; word * 64 < capacity; ++word) {
      for (std::uint64_t bits = changed[word]; bits != 0; bits &= bits - 1) {
        const std::uint32_t slot = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
        if (slot < capacity) {
          std::memcpy(&slot_of(commit_, slot), &slot_of(committed, slot), sizeof(GpuState));
        }
      }
    }
  }
  std::memset(header().changed[commit_ % 2], 0, sizeof(header().changed[0]));
  if (header().wake_pending.load(std::memory_order_relaxed) != 0) {
    WakeWaiters();
  }
}

NodeState& Transaction::node() { return *reinterpret_cast<NodeState*>(copy(commit_)); }

std::uint32_t Transaction::gpu_count() {
  const std::uint32_t count = node().gpu_count;
  return count < region_.gpu_capacity() ? count : region_.gpu_capacity();
}

GpuState& Transaction::gpu(std::uint32_t slot) {
  header().changed[commit_ % 2][slot / 64] |= std::uint64_t{1} << (slot % 64);
  return slot_of(commit_, slot);
}

const GpuState& Transaction::look(std::uint32_t slot) { return slot_of(commit_, slot); }

void Transaction::AddEvent(Event event) {
  event.number = ++node().event_count;
  auto& entry = const_cast<Event&>(region_.events()[event.number % kEventRing]);
  auto& entry_number = reinterpret_cast<std::atomic<std::uint64_t>&>(entry.number);
  entry_number.store(0, std::memory_order_relaxed);
  StoreFence();
  std::memcpy(reinterpret_cast<char*>(&entry) + sizeof(entry.number),
              reinterpret_cast<const char*>(&event) + sizeof(event.number),
              sizeof(event) - sizeof(event.number));
  entry_number.store(event.number, std::memory_order_release);
  has_events_ = true;
}

// Clocks and performance states follow from all that a change touches (limits, faults, processes),
// so their events are found here, by what the GPU reads before and after. What time alone changes
// (a board that cools, jitter) is nobody's commit and has no event.
void Transaction::AddClockEvents() {
  const std::int64_t now = NodeTime(node().clock, CoarseMonotonic());
  const std::uint32_t count = gpu_count();
  for (std::uint32_t slot = 0; slot < count; ++slot) {
    if ((header().changed[commit_ % 2][slot / 64] >> (slot % 64) & 1) == 0) {
      continue;
    }
    const GpuState& old_state = slot_of(commit_ - 1, slot);
    const GpuState& new_state = slot_of(commit_, slot);
    if (old_state.health.plugged == 0 || new_state.health.plugged == 0 ||
        new_state.health.lost != 0) {
      continue;
    }
    const Readings before = Measure(old_state, now);
    const Readings after = Measure(new_state, now);
    const auto add = [&](std::uint64_t type) {
      AddEvent({.number = 0,
                .type = type,
                .data = 0,
                .gpu = slot,
                .gpu_instance = kNoInstance,
                .compute_instance = kNoInstance,
                .reserved = 0});
    };
    if (before.performance_state != after.performance_state) {
      add(kPerformanceStateEvent);
    }
    if (before.graphics_mhz != after.graphics_mhz || before.memory_mhz != after.memory_mhz) {
      add(kClockEvent);
    }
  }
}

void Transaction::Commit() {
  AddClockEvents();
  if (has_events_) {
    header().wake_pending.store(1, std::memory_order_relaxed);
  }
  header().committed.store(commit_, std::memory_order_release);
  if (has_events_) {
    WakeWaiters();
  }
  End();
}

void Transaction::WakeWaiters() {
  header().event_futex.fetch_add(1, std::memory_order_acq_rel);
  syscall(SYS_futex, &header().event_futex, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  header().wake_pending.store(0, std::memory_order_relaxed);
}

void Transaction::End() {
  region_.Close();
  if (fd_ >= 0) {
    close(fd_);  // Its lock goes with it.
    fd_ = -1;
  }
}

}  // namespace assay::fakegpu::layout
