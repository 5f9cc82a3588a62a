// Pool: the devices that one driver offers under one name, with what is allocated of them.
// NodePool: what one node sees of it; what the search, explanations and policies read.
//
// Source: k8s.io/dynamic-resource-allocation, structured/internal/incubating/pools_incubating.go
// (GatherPools), of v0.36.3 and v0.37.2.
//
// Thread-safe: immutable, but for views that a Pool makes on demand and keeps.
#ifndef ASSAY_ALLOCATOR_INVENTORY_POOL_H_
#define ASSAY_ALLOCATOR_INVENTORY_POOL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "allocator/features.h"
#include "allocator/inventory/compatibility_groups.h"
#include "allocator/inventory/layout.h"
#include "api/resource/types.h"
#include "base/result.h"

namespace assay::api::core {
struct Node;
}  // namespace assay::api::core

namespace assay::allocator::inventory {

// How much of a device is allocated to claims.
struct DeviceUse {
  int dedicated = 0;  // claims that have it to themselves (adminAccess does not count)
  int shares = 0;
  // Aggregated over the shares; set even if empty once one share names capacity at all.
  std::map<std::string, Amount> consumed;
  bool has_consumed = false;

  bool empty() const { return dedicated == 0 && shares == 0; }
};
using Uses = std::map<std::string, DeviceUse, std::less<>>;  // by device

struct PoolId {
  std::string driver;
  std::string name;

  std::string ToString() const { return driver + "/" + name; }
  friend auto operator<=>(const PoolId&, const PoolId&) = default;
};

// What a node sees of a pool, whatever is in use.
struct NodePoolBase {
  std::shared_ptr<const PoolId> id;
  std::shared_ptr<const Layout> layout;
  std::vector<std::shared_ptr<const Slice>> slices;  // those that it sees, by name
  std::vector<const Value*> own;                     // see LayoutDevice::first_own
  std::shared_ptr<const PoolKind> kind;
};

struct NodePool {
  NodePool(std::shared_ptr<const NodePoolBase> base, const Uses& uses, LayoutTable& layouts);

  const std::string& driver() const { return base->id->driver; }
  const std::string& name() const { return base->id->name; }
  std::string ToString() const { return base->id->ToString(); }
  const Layout& layout() const { return *base->layout; }
  PoolState state() const { return base->layout->state; }
  // In the order of allocation; a device's number is its place here.
  const std::vector<LayoutDevice>& devices() const { return base->layout->devices; }

  // Whether a claim has the device to itself.
  bool IsTaken(std::uint32_t device) const {
    return (taken[device / 64] >> (device % 64) & 1) != 0;
  }
  // What shares there are of it; null: none.
  const DeviceUse* SharesOf(std::uint32_t device) const;
  bool HasCounters() const { return !base->layout->counters.empty(); }
  // What is left of a counter; may be negative.
  Amount Available(std::uint32_t counter) const {
    return available.empty() ? base->layout->counters[counter].value : available[counter];
  }

  std::shared_ptr<const NodePoolBase> base;
  // Null: it is like no other, as there is more to say of what is in use than `taken` does.
  std::shared_ptr<const PoolKind> kind;
  DeviceSet taken;    // by claims that have them to themselves
  DeviceSet blocked;  // take more of a counter than is left
  std::vector<std::pair<std::uint32_t, DeviceUse>> shares;  // by device
  std::vector<Amount> available;            // of each counter; empty: all that there is
  std::vector<CompatibilityGroups> groups;  // of each counter set, of the devices in use
  // Some counter is negative; then nothing that takes counters can be allocated.
  bool over_allocated = false;
};

// A device of a NodePool.
struct DeviceRef {
  const NodePool* pool;
  std::uint32_t number;

  const LayoutDevice& layout() const { return pool->devices()[number]; }
  const Device& device() const { return *layout().device; }
  const api::resource::Device& api() const { return *layout().device->api; }
};

// An attribute of a device: one of its slice's shape, or a string that tells it apart.
struct AttributeRef {
  const api::resource::DeviceAttribute* attribute = nullptr;
  const Value* own = nullptr;
  std::uint32_t own_slot = 0;  // which of Device::own_attributes

  explicit operator bool() const { return attribute != nullptr || own != nullptr; }
};

// The device's attribute of a full name: by that name, or by its id where the domain is the
// driver's.
AttributeRef FindAttribute(DeviceRef device, std::string_view full_name);

// All slices of a pool, whichever their generation and node, with what is in use.
class Pool {
 public:
  using Slices = std::vector<std::shared_ptr<const Slice>>;

  // `layouts` must outlive it.
  Pool(std::shared_ptr<const PoolId> id, Slices slices, std::shared_ptr<const Uses> uses,
       LayoutTable& layouts, const Features& features);
  // The same slices, used otherwise.
  Pool(const Pool& other, std::shared_ptr<const Uses> uses);

  const PoolId& id() const { return *shape_->id; }

  // What the node sees, as long as this lives; null if nothing. Made in advance where only one node
  // sees it, else kept for the next node that sees the same.
  Result<const NodePool*> ViewFrom(const api::core::Node& node) const;
  // What the only node sees that the slices name; null if nothing, or if there is no such node.
  const NodePool* OnlyView() const { return only_view_.get(); }

  // The nodes that slices name.
  std::vector<std::string> NodeNames() const;
  // Whether nodes that no slice names see anything of it.
  bool SeenByOthers() const;

 private:
  struct Shape {
    std::shared_ptr<const PoolId> id;
    Slices slices;  // by name
    Features features;
    LayoutTable* layouts;
    // Set if every slice names the same node.
    std::string only_node;
    std::shared_ptr<const NodePoolBase> only_base;
    // What others see of such a pool: nothing, but that it is in order.
    std::shared_ptr<const NodePool> foreign_view;
  };

  void MakeOnlyView();
  Result<Slices> RelevantSlices(const api::core::Node& node) const;
  static std::shared_ptr<const NodePoolBase> Build(const Shape& shape, const Slices& relevant);

  std::shared_ptr<const Shape> shape_;
  std::shared_ptr<const Uses> uses_;
  std::unique_ptr<const NodePool> only_view_;

  mutable std::mutex mu_;
  // By the slices that a node sees. Guarded by mu_.
  mutable std::map<Slices, std::unique_ptr<const NodePool>> views_;
};

}  // namespace assay::allocator::inventory

#endif  // ASSAY_ALLOCATOR_INVENTORY_POOL_H_
