// Pool: the devices that one driver offers under one name, with what is allocated of them.
// NodePool: what one node sees of it.
//
// Source: k8s.io/dynamic-resource-allocation v0.36.3, structured/internal/incubating/
// pools_incubating.go.
//
// Thread-safe: immutable.
#ifndef ASSAY_ALLOCATOR_INVENTORY_POOL_H_
#define ASSAY_ALLOCATOR_INVENTORY_POOL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "allocator/features.h"
#include "allocator/selector/selector.h"
#include "api/resource/types.h"
#include "base/result.h"
#include "cel/quantity.h"

namespace assay::api::core {
struct Node;
struct NodeSelector;
}  // namespace assay::api::core

namespace assay::allocator::inventory {

// As the allocator's arithmetic has it.
cel::Quantity ToAmount(const api::meta::Quantity& quantity);

// Whether a node is selected: by name, or all, or by the selector; false if by none. An error is a
// selector that makes no sense.
struct NodeSelection {
  const std::optional<std::string>* node_name;
  const std::optional<bool>* all_nodes;
  const std::optional<api::core::NodeSelector>* selector;
};
Result<bool> NodeMatches(const NodeSelection& selection, const api::core::Node& node);
Result<bool> SelectorMatches(const api::core::NodeSelector& selector, const api::core::Node& node);

// How much of a device is allocated to claims.
struct DeviceUse {
  int dedicated = 0;  // claims that have it to themselves (adminAccess does not count)
  int shares = 0;
  // Aggregated over the shares; set even if empty once one share names capacity at all.
  std::map<std::string, cel::Quantity> consumed;
  bool has_consumed = false;

  bool empty() const { return dedicated == 0 && shares == 0; }
};

// A slice's device, prepared.
struct Device {
  struct Consumption {
    std::string_view counter_set;
    std::string_view counter;
    cel::Quantity amount;
  };
  struct Capacity {
    std::string_view name;
    const api::resource::DeviceCapacity* capacity;
    cel::Quantity value;
  };
  const api::resource::Device* api = nullptr;
  std::shared_ptr<const selector::Content> content;
  std::vector<Consumption> consumption;
  std::vector<Capacity> capacity;
  bool shareable = false;  // allowMultipleAllocations
};

// A slice, prepared. Its devices' views lie in `api`.
struct Slice {
  std::shared_ptr<const api::resource::ResourceSlice> api;
  std::vector<Device> devices;

  const api::resource::ResourceSliceSpec& spec() const { return api->spec; }
  bool has_counters() const { return !api->spec.shared_counters.empty(); }
};

struct Counter {
  std::string_view counter_set;
  std::string_view name;
  cel::Quantity available;  // may be negative
};

// A candidate's place in a NodePool.
struct NodeDevice {
  const Slice* slice = nullptr;
  const Device* device = nullptr;
  const DeviceUse* use = nullptr;  // null: not in use
  // Numbers of the pool's counters, with what the device takes of each.
  std::vector<std::pair<std::uint32_t, const cel::Quantity*>> counters;
};

enum class PoolState : std::uint8_t { kUsable, kIncomplete, kInvalid };

struct NodePool {
  std::string driver;
  std::string name;
  PoolState state = PoolState::kUsable;
  std::string invalid_reason;
  bool has_binding_conditions = false;
  std::vector<NodeDevice> devices;  // in the order of allocation
  std::vector<Counter> counters;
  bool over_allocated = false;  // some counter is negative
  // What `devices` points into.
  std::vector<std::shared_ptr<const Slice>> slices;
  std::shared_ptr<const std::map<std::string, DeviceUse>> use;

  std::string ToString() const { return driver + "/" + name; }
};

// All slices of a pool, whichever their generation and node.
class Pool {
 public:
  Pool(std::string driver, std::string name, std::vector<std::shared_ptr<const Slice>> slices,
       std::shared_ptr<const std::map<std::string, DeviceUse>> use, const Features& features);

  const std::string& driver() const { return driver_; }
  const std::string& name() const { return name_; }

  // What the node sees; null if nothing. For pools of a single node, made in advance.
  Result<std::shared_ptr<const NodePool>> ViewFrom(const api::core::Node& node) const;

  // The nodes that slices name.
  std::vector<std::string> NodeNames() const;
  // Whether nodes that no slice names see anything of it.
  bool SeenByOthers() const;

 private:
  using Slices = std::vector<std::shared_ptr<const Slice>>;

  Result<Slices> RelevantSlices(const api::core::Node& node) const;
  std::shared_ptr<const NodePool> Build(const Slices& relevant) const;
  void FillDevices(const Slices& slices, const Slices& others, NodePool& pool) const;

  std::string driver_;
  std::string name_;
  Slices slices_;  // by name
  std::shared_ptr<const std::map<std::string, DeviceUse>> use_;
  Features features_;
  // Set if every slice names the same node.
  std::string only_node_;
  std::shared_ptr<const NodePool> only_view_;
  // What the others see of such a pool: nothing, but that it is in order.
  std::shared_ptr<const NodePool> foreign_view_;
};

// Prepares a slice.
std::shared_ptr<const Slice> MakeSlice(const api::resource::ResourceSlice& slice,
                                       selector::ContentTable& contents);

}  // namespace assay::allocator::inventory

#endif  // ASSAY_ALLOCATOR_INVENTORY_POOL_H_
