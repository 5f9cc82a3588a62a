// Layout: what a node sees of a pool, apart from names and from what is in use: the devices in the
// order of allocation, the counters, what is wrong with it. One for all pools that are alike.
//
// Source: k8s.io/dynamic-resource-allocation, structured/internal/incubating/pools_incubating.go
// (buildPool), of v0.36.3 and v0.37.2.
//
// LayoutTable: thread-safe. All else: thread-safe, immutable.
#ifndef ASSAY_ALLOCATOR_INVENTORY_LAYOUT_H_
#define ASSAY_ALLOCATOR_INVENTORY_LAYOUT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "allocator/features.h"
#include "allocator/inventory/amount.h"
#include "allocator/inventory/shape.h"

namespace assay::allocator::inventory {

enum class PoolState : std::uint8_t { kUsable, kIncomplete, kInvalid };

// A set of devices: bit i % 64 of word i / 64 is device i.
using DeviceSet = std::vector<std::uint64_t>;

struct Counter {
  std::string_view counter_set;
  std::string_view name;
  Amount value;
};

struct CounterUse {
  std::uint32_t counter;  // its number
  Amount amount;
};

// That a device takes of a counter set, as a member of groups.
struct GroupUse {
  std::uint32_t counter_set;  // its number
  const std::vector<std::string>* groups;
};

struct LayoutDevice {
  const SliceShape* slice = nullptr;
  const Device* device = nullptr;
  std::uint32_t first_own = 0;       // of the values that the node gives (NodePool::own)
  std::vector<CounterUse> counters;  // by counter
  std::vector<GroupUse> groups;
  std::uint32_t alike = 0;  // the same number: the same counters and groups
};

struct Layout {
  std::uint64_t id = 0;  // never given twice
  PoolState state = PoolState::kUsable;
  std::string invalid_reason;
  bool has_binding_conditions = false;
  std::vector<LayoutDevice> devices;  // in the order of allocation
  std::vector<Counter> counters;
  std::size_t num_counter_sets = 0;  // with compatibility groups; else not counted
  // What the devices that the node does not see take, by name.
  struct Foreign {
    std::vector<CounterUse> counters;
    std::vector<GroupUse> groups;
  };
  std::unordered_map<std::string_view, Foreign> foreign;
  std::unordered_map<std::string_view, std::uint32_t> numbers;  // of `devices`, by name
  DeviceSet blocked;                                            // see BlockedDevices
  bool negative = false;        // some counter is negative to begin with
  bool gives_counters = false;  // some device takes a negative amount
  std::size_t num_own = 0;      // values that a node gives

  std::size_t words() const { return (devices.size() + 63) / 64; }
  // What `devices` points into.
  std::vector<std::shared_ptr<const SliceShape>> shapes;
};

// What pools share that are alike: no search tells them apart.
struct PoolKind {
  std::uint64_t id = 0;  // never given twice
};

// Devices that take more of a counter than `available` has, or any of it where something is
// negative; none where devices give counters.
DeviceSet BlockedDevices(const Layout& layout, std::span<const Amount> available);

// Makes layouts, one for all that are alike, as long as somebody holds it.
class LayoutTable {
 public:
  using Shapes = std::vector<std::shared_ptr<const SliceShape>>;

  explicit LayoutTable(const Features& features);

  // `seen`: the shapes of the slices that the node sees, by slice name; `others`: the pool's other
  // slices, if there are.
  std::shared_ptr<const Layout> Find(const Shapes& seen, const Shapes& others);
  // The kind of pools of one layout whose nodes' values (`own`, in the layout's order) are equal in
  // the same places, whatever they are.
  std::shared_ptr<const PoolKind> FindKind(const Layout& layout,
                                           const std::vector<const Value*>& own);
  // The kind of those of which the same devices are taken.
  std::shared_ptr<const PoolKind> FindKind(const PoolKind& kind, const DeviceSet& taken);
  // That of every pool of which slices are missing.
  const std::shared_ptr<const Layout>& incomplete() const { return incomplete_; }

 private:
  using KindKey = std::vector<std::uint64_t>;

  std::shared_ptr<const PoolKind> FindKind(KindKey key);

  const Features features_;
  std::shared_ptr<const Layout> incomplete_;
  std::mutex mu_;
  // By the shapes. A dead entry's shapes may be dead too: their addresses mean nothing. Guarded by
  // mu_.
  std::map<std::vector<const void*>, std::weak_ptr<const Layout>> layouts_;
  std::size_t layouts_to_purge_ = 1024;  // Guarded by mu_.
  std::uint64_t next_id_ = 1;            // Guarded by mu_.
  // By what the two FindKinds write. Guarded by mu_.
  std::map<KindKey, std::weak_ptr<const PoolKind>> kinds_;
  std::size_t kinds_to_purge_ = 1024;  // Guarded by mu_.
};

}  // namespace assay::allocator::inventory

#endif  // ASSAY_ALLOCATOR_INVENTORY_LAYOUT_H_
