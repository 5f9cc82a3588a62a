// PoolList: pools by number. A copy shares all that has not changed since, and what has is found
// without looking at the rest: both cost the logarithm of the number of pools.
//
// Not thread-safe; a copy that nobody changes can be read by any thread while others change theirs.
#ifndef ASSAY_ALLOCATOR_INTERNAL_POOL_LIST_H_
#define ASSAY_ALLOCATOR_INTERNAL_POOL_LIST_H_

#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include "allocator/internal/held_alone.h"
#include "allocator/inventory/pool.h"

namespace assay::allocator::internal {

class PoolList {
 public:
  using Pool = inventory::Pool;

  // A pool, and what is asked of it so often that one should not have to look for it.
  struct Entry {
    std::shared_ptr<const Pool> pool;
    const inventory::NodePool* only_view = nullptr;  // the pool's
    std::uint64_t kind = 0;                          // its, if it has one
  };

  // Of a number that was set.
  const Entry& Get(std::uint32_t number) const {
    const Part* part = root_.get();
    for (unsigned level = depth_; level > 0; --level) {
      part = static_cast<const Branch*>(part)->parts[Slot(number, level)].get();
    }
    return static_cast<const Leaf*>(part)->entries[Slot(number, 0)];
  }

  void Set(std::uint32_t number, std::shared_ptr<const Pool> pool) {
    for (; (std::uint64_t{number} >> (kBits * (depth_ + 1))) != 0; ++depth_) {
      auto root = std::make_shared<Branch>();
      root->parts[0] = std::move(root_);
      root_ = std::move(root);
    }
    std::shared_ptr<Part>* part = &root_;
    for (unsigned level = depth_; level > 0; --level) {
      part = &Own<Branch>(*part).parts[Slot(number, level)];
    }
    Entry& entry = Own<Leaf>(*part).entries[Slot(number, 0)];
    entry.only_view = pool == nullptr ? nullptr : pool->OnlyView();
    entry.kind = entry.only_view == nullptr || entry.only_view->kind == nullptr
                     ? 0
                     : entry.only_view->kind->id;
    entry.pool = std::move(pool);
  }

  // Calls use(before, now) for each pool that is not what it was in `before`; null: there is none.
  template <typename Use>
  void ForEachChange(const PoolList& before, const Use& use) const {
    const unsigned level = depth_ > before.depth_ ? depth_ : before.depth_;
    Compare({before.root_.get(), before.depth_}, {root_.get(), depth_}, level, use);
  }

 private:
  static constexpr unsigned kBits = 4;
  static constexpr std::size_t kSlots = 1 << kBits;
  // Either a branch or, at level 0, a leaf.
  struct Part {};
  struct Branch : Part {
    std::array<std::shared_ptr<Part>, kSlots> parts;
  };
  struct Leaf : Part {
    std::array<Entry, kSlots> entries;
  };
  struct Root {
    const Part* part;
    unsigned level;
  };

  static std::size_t Slot(std::uint32_t number, unsigned level) {
    return (number >> (kBits * level)) % kSlots;
  }

  // The part, this list's own: made or copied if need be.
  template <typename T>
  static T& Own(std::shared_ptr<Part>& part) {
    if (part == nullptr) {
      part = std::make_shared<T>();
    } else if (!HeldAlone(part)) {
      part = std::make_shared<T>(static_cast<const T&>(*part));
    }
    return static_cast<T&>(*part);
  }

  // A tree of fewer levels is the first part of one that has grown.
  static Root PartOf(const Root& root, unsigned level, std::size_t slot) {
    if (root.part == nullptr || root.level == level) {
      return {
          root.part == nullptr ? nullptr : static_cast<const Branch*>(root.part)->parts[slot].get(),
          level - 1};
    }
    return slot == 0 ? root : Root{nullptr, level - 1};
  }

  template <typename Use>
  static void Compare(const Root& before, const Root& now, unsigned level, const Use& use) {
    if (before.part == now.part) {
      return;
    }
    for (std::size_t slot = 0; slot < kSlots; ++slot) {
      if (level > 0) {
        Compare(PartOf(before, level, slot), PartOf(now, level, slot), level - 1, use);
        continue;
      }
      const auto pool = [slot](const Root& root) {
        return root.part == nullptr ? nullptr
                                    : static_cast<const Leaf*>(root.part)->entries[slot].pool.get();
      };
      if (pool(before) != pool(now)) {
        use(pool(before), pool(now));
      }
    }
  }

  std::shared_ptr<Part> root_;
  unsigned depth_ = 0;  // levels of branches
};

}  // namespace assay::allocator::internal

#endif  // ASSAY_ALLOCATOR_INTERNAL_POOL_LIST_H_
