// SliceShape: what the slices of many nodes have in common; Slice: one of them.
//
// A fleet's nodes offer the same devices, but for names of nodes and pools and for attributes that
// tell devices apart (uuid, parentUUID). A ShapeTable finds out which attributes these are, by how
// many values they take, and keeps everything else once. So 5,000 nodes cost the memory of one, and
// what a selector says of one node's devices it says of all.
//
// ShapeTable: not thread-safe, but FindValue may be asked by any thread at any time. All else:
// thread-safe, immutable.
#ifndef ASSAY_ALLOCATOR_INVENTORY_SHAPE_H_
#define ASSAY_ALLOCATOR_INVENTORY_SHAPE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "allocator/inventory/amount.h"
#include "allocator/selector/selector.h"
#include "api/resource/types.h"

namespace assay::allocator::inventory {

// The value of a string attribute that tells devices apart. Equal ones of one ShapeTable have one
// address.
using Value = std::string;

// A device of a slice, prepared.
struct Device {
  struct Consumption {
    std::string_view counter_set;
    std::string_view counter;
    Amount amount;
  };
  struct Capacity {
    std::string_view name;
    const api::resource::DeviceCapacity* capacity;
    Amount value;
  };
  // All but `own_attributes`: use FindAttribute (allocator/inventory/pool.h) to look up one.
  const api::resource::Device* api = nullptr;
  std::shared_ptr<const selector::Content> content;  // without own_attributes
  std::vector<Consumption> consumption;
  std::vector<Capacity> capacity;
  bool has_plain_capacity = true;  // each is what it is and not negative: no policies
  bool shareable = false;          // allowMultipleAllocations
  // Names of the attributes whose values are the slice's, from its own[first_own] on.
  std::vector<std::string> own_attributes;
  std::uint32_t first_own = 0;
};

// What equal slices share. Views lie in `api_devices`.
struct SliceShape {
  std::string driver;
  bool has_node_name = false;
  std::optional<bool> all_nodes;
  std::optional<api::core::NodeSelector> node_selector;
  std::optional<bool> per_device_node_selection;
  std::vector<api::resource::CounterSet> shared_counters;
  std::vector<std::string> skip_node_operations;
  bool has_compatibility_groups = false;
  std::vector<api::resource::Device> api_devices;
  std::vector<Device> devices;

  bool has_counters() const { return !shared_counters.empty(); }
};

struct Slice {
  std::string name;
  std::string node_name;  // "": none
  std::int64_t generation = 0;
  std::int64_t slice_count = 0;
  std::shared_ptr<const SliceShape> shape;
  std::vector<std::shared_ptr<const Value>> own;
};

class ShapeTable {
 public:
  // An attribute with more than so many values is taken to tell devices apart.
  static constexpr std::size_t kMaxSharedValues = 32;

  explicit ShapeTable(cel::dra::Features features, std::size_t max_shared_values = kMaxSharedValues)
      : max_shared_values_(max_shared_values), contents_(features) {}

  std::shared_ptr<const Slice> MakeSlice(const api::resource::ResourceSlice& slice);

  // The value of that text; null if no attribute that tells devices apart has it.
  const Value* FindValue(std::string_view text) const;

 private:
  bool TellsApart(const std::string& driver, const std::string& name,
                  const api::resource::DeviceAttribute& attribute);
  std::shared_ptr<const Value> Intern(const std::string& text);
  std::shared_ptr<const SliceShape> MakeShape(const api::resource::ResourceSliceSpec& spec,
                                              std::vector<api::resource::Device> devices,
                                              std::vector<std::vector<std::string>> own_names);

  const std::size_t max_shared_values_;
  selector::ContentTable contents_;
  // By everything that makes a shape.
  std::unordered_map<std::string, std::weak_ptr<const SliceShape>> shapes_;
  std::size_t shapes_to_purge_ = 1024;  // entries from which on to look for dead ones
  // The values seen of each driver's attributes, up to max_shared_values_ + 1.
  std::map<std::pair<std::string, std::string>, std::set<std::string>> seen_;

  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  mutable std::mutex mu_;
  // Guarded by mu_.
  std::unordered_map<std::string, std::weak_ptr<const Value>, TextHash, std::equal_to<>> values_;
  std::size_t values_to_purge_ = 4096;  // Guarded by mu_.
};

}  // namespace assay::allocator::inventory

#endif  // ASSAY_ALLOCATOR_INVENTORY_SHAPE_H_
