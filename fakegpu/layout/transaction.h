// A change of the node's state: all of it is seen, at once, when Commit() returns; or none of it.
//
//   Transaction transaction;
//   if (transaction.Begin(path) != OpenError::kNone) ...
//   transaction.gpu(3).settings.persistence = 1;
//   transaction.Commit();
//
// Writers wait for each other (an open-file-description lock, so threads do too, and a killed
// writer's lock is gone with it). Only the GPUs that changed are copied.
//
// Freestanding. Not thread-safe; one per change.
#ifndef ASSAY_FAKEGPU_LAYOUT_TRANSACTION_H_
#define ASSAY_FAKEGPU_LAYOUT_TRANSACTION_H_

#include <cstdint>

#include "fakegpu/layout/region.h"
#include "fakegpu/layout/state.h"

namespace assay::fakegpu::layout {

class Transaction {
 public:
  Transaction() = default;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  // Discards what was not committed.
  ~Transaction() { End(); }

  // Opens the file for writing, waits for the writer before, and prepares a copy of what it
  // committed.
  OpenError Begin(const char* path);
  std::uint64_t instance_id() const { return region_.instance_id(); }

  NodeState& node();
  std::uint32_t gpu_count();
  // `slot` < gpu_count(). The first is to change it, the second only to look.
  GpuState& gpu(std::uint32_t slot);
  const GpuState& look(std::uint32_t slot);
  // Adds an event, which event sets see after the commit. `event.number` is filled in.
  void AddEvent(Event event);
  // Publishes, with events of clocks and performance states that this changes; wakes who waits for
  // events, and ends.
  void Commit();

 private:
  char* copy(std::uint64_t commit) {
    return region_.base_ + kHeaderSize + (commit % 2) * region_.copy_size_;
  }
  Header& header() { return *reinterpret_cast<Header*>(region_.base_); }
  void End();
  GpuState& slot_of(std::uint64_t commit, std::uint32_t slot) {
    return reinterpret_cast<GpuState*>(copy(commit) + sizeof(NodeState))[slot];
  }
  void Prepare();
  void AddClockEvents();
  void WakeWaiters();

  Region region_;
  int fd_ = -1;
  std::uint64_t commit_ = 0;  // The number being prepared.
  bool has_events_ = false;
};

}  // namespace assay::fakegpu::layout

#endif  // ASSAY_FAKEGPU_LAYOUT_TRANSACTION_H_
