#include "allocator/allocator.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "allocator/explain/explainer.h"
#include "allocator/inventory/pool.h"
#include "allocator/search/search.h"
#include "allocator/selector/selector.h"
#include "api/compatibility.h"
#include "api/core/types.h"

namespace assay::allocator {

using api::resource::AllocationResult;
using api::resource::DeviceClass;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;
using inventory::DeviceUse;
using inventory::NodePool;
using inventory::Pool;

namespace {

using PoolKey = std::pair<std::string, std::string>;  // driver, pool
using Classes = std::map<std::string, DeviceClass, std::less<>>;
using Uses = std::map<std::string, DeviceUse>;  // by device

// Which pools a node has to look at.
struct NodeIndex {
  std::unordered_map<std::string, std::vector<std::uint32_t>> of_node;
  std::vector<std::uint32_t> of_all;  // those that every node sees something of
};

cel::dra::Features SelectorFeatures(const Features& features) {
  return {features.consumable_capacity, features.list_type_attributes};
}

}  // namespace

Features Features::FromCompatibility(const api::Compatibility& compatibility) {
  Features features;
  features.admin_access = compatibility.Enabled("DRAAdminAccess");
  features.prioritized_list = compatibility.Enabled("DRAPrioritizedList");
  features.partitionable_devices = compatibility.Enabled("DRAPartitionableDevices");
  features.device_taints = compatibility.Enabled("DRADeviceTaints");
  features.device_binding_and_status = compatibility.Enabled("DRADeviceBindingConditions") &&
                                       compatibility.Enabled("DRAResourceClaimDeviceStatus");
  features.consumable_capacity = compatibility.Enabled("DRAConsumableCapacity");
  // The scheduler of 1.36 never turns list attributes on in the allocator.
  features.list_type_attributes =
      compatibility.AtLeast(api::Level::k1_37) && compatibility.Enabled("DRAListTypeAttributes");
  return features;
}

// ---- Snapshot ----

struct Snapshot::Impl {
  Features features;
  std::vector<std::shared_ptr<const Pool>> pools;  // by driver and name
  std::shared_ptr<const NodeIndex> index;
  std::shared_ptr<const Classes> classes;
  std::shared_ptr<selector::SelectorCache> selectors;

  // The node's pools in the order of allocation: those with binding conditions last.
  Result<std::vector<std::shared_ptr<const NodePool>>> PoolsOf(const api::core::Node& node) const {
    std::vector<std::uint32_t> numbers = index->of_all;
    if (const auto own = index->of_node.find(node.metadata.name); own != index->of_node.end()) {
      std::vector<std::uint32_t> merged;
      merged.reserve(numbers.size() + own->second.size());
      std::set_union(numbers.begin(), numbers.end(), own->second.begin(), own->second.end(),
                     std::back_inserter(merged));
      numbers = std::move(merged);
    }
    std::vector<std::shared_ptr<const NodePool>> views;
    views.reserve(numbers.size());
    for (std::uint32_t number : numbers) {
      Result<std::shared_ptr<const NodePool>> view = pools[number]->ViewFrom(node);
      if (!view.ok()) {
        return view.status().WithContext("gather pool information");
      }
      if (*view != nullptr) {
        views.push_back(*std::move(view));
      }
    }
    std::stable_partition(views.begin(), views.end(),
                          [](const auto& view) { return !view->has_binding_conditions; });
    return views;
  }

  search::ClassFinder FindClass() const {
    return [this](const std::string& name) -> const DeviceClass* {
      const auto it = classes->find(name);
      return it == classes->end() ? nullptr : &it->second;
    };
  }
};

Snapshot::Snapshot(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Snapshot::~Snapshot() = default;

Result<std::optional<std::vector<AllocationResult>>> Snapshot::Allocate(
    std::span<const ResourceClaim* const> claims, const api::core::Node& node,
    const AllocateOptions& options) const {
  ASSAY_ASSIGN_OR_RETURN(const auto pools, impl_->PoolsOf(node));
  const search::ClassFinder find_class = impl_->FindClass();
  return search::Search(
      {claims, node, pools, find_class, *impl_->selectors, impl_->features, options});
}

Result<bool> Snapshot::NodeMatches(const AllocationResult& allocation,
                                   const api::core::Node& node) {
  if (!allocation.node_selector.has_value()) {
    return true;
  }
  return inventory::SelectorMatches(*allocation.node_selector, node);
}

Explanation Snapshot::Explain(std::span<const ResourceClaim* const> claims,
                              const api::core::Node& node) const {
  const auto pools = impl_->PoolsOf(node);
  if (!pools.ok()) {
    Explanation explanation;
    explanation.error = pools.status().message();
    return explanation;
  }
  const search::ClassFinder find_class = impl_->FindClass();
  const AllocateOptions options;
  return explain::Explain(
      {claims, node, *pools, find_class, *impl_->selectors, impl_->features, options});
}

bool Snapshot::IsLocalToNodes(std::vector<std::string>* node_names) const {
  if (!impl_->index->of_all.empty()) {
    return false;
  }
  std::set<std::string> names;
  for (const auto& [name, numbers] : impl_->index->of_node) {
    names.insert(name);
  }
  node_names->assign(names.begin(), names.end());
  return true;
}

// ---- Inventory ----

struct Inventory::Impl {
  struct PoolEntry {
    std::map<std::string, std::shared_ptr<const inventory::Slice>> slices;  // by name
    Uses uses;
    std::shared_ptr<const Pool> built;  // null: to be built anew
  };
  // What an allocated claim holds.
  struct Holding {
    PoolKey pool;
    std::string device;
    bool shared = false;
    bool has_consumed = false;
    std::map<std::string, cel::Quantity> consumed;
  };

  explicit Impl(const InventoryOptions& options)
      : features(options.features),
        contents(SelectorFeatures(options.features)),
        classes(std::make_shared<const Classes>()),
        selectors(std::make_shared<selector::SelectorCache>(SelectorFeatures(options.features))) {}

  void DropSlice(std::string_view name) {
    const auto known = pool_of_slice.find(name);
    if (known == pool_of_slice.end()) {
      return;
    }
    PoolEntry& entry = pools[known->second];
    entry.slices.erase(std::string(name));
    entry.built = nullptr;
    shape_changed = true;
    pool_of_slice.erase(known);
  }

  void DropClaim(const std::string& key) {
    const auto known = holdings.find(key);
    if (known == holdings.end()) {
      return;
    }
    for (const Holding& holding : known->second) {
      Change(holding, -1);
    }
    holdings.erase(known);
  }

  void Change(const Holding& holding, int count) {
    PoolEntry& entry = pools[holding.pool];
    entry.built = nullptr;
    changed = true;
    DeviceUse& use = entry.uses[holding.device];
    if (!holding.shared) {
      use.dedicated += count;
    } else {
      use.shares += count;
      for (const auto& [name, amount] : holding.consumed) {
        if (count > 0) {
          use.consumed[name] += amount;
        } else {
          use.consumed[name] -= amount;
        }
      }
      use.has_consumed = (use.has_consumed || holding.has_consumed) && use.shares > 0;
    }
    if (use.empty()) {
      entry.uses.erase(holding.device);
    }
  }

  std::shared_ptr<const NodeIndex> MakeIndex(
      const std::vector<std::shared_ptr<const Pool>>& all) const {
    auto made = std::make_shared<NodeIndex>();
    for (std::uint32_t i = 0; i < all.size(); ++i) {
      if (all[i]->SeenByOthers()) {
        made->of_all.push_back(i);
      }
      for (const std::string& node : all[i]->NodeNames()) {
        made->of_node[node].push_back(i);
      }
    }
    return made;
  }

  Features features;
  selector::ContentTable contents;
  std::map<PoolKey, PoolEntry> pools;
  std::map<std::string, PoolKey, std::less<>> pool_of_slice;
  std::shared_ptr<const Classes> classes;
  std::map<std::string, std::vector<Holding>> holdings;  // by claim
  std::shared_ptr<selector::SelectorCache> selectors;
  bool changed = true;
  bool shape_changed = true;
  std::shared_ptr<const NodeIndex> index;
  std::shared_ptr<const Snapshot> snapshot;
};

Inventory::Inventory(InventoryOptions options) : impl_(std::make_unique<Impl>(options)) {}
Inventory::~Inventory() = default;
Inventory::Inventory(Inventory&&) noexcept = default;
Inventory& Inventory::operator=(Inventory&&) noexcept = default;

void Inventory::SetSlice(const ResourceSlice& slice) {
  impl_->DropSlice(slice.metadata.name);
  const PoolKey key{slice.spec.driver, slice.spec.pool.name};
  Impl::PoolEntry& entry = impl_->pools[key];
  entry.slices[slice.metadata.name] = inventory::MakeSlice(slice, impl_->contents);
  entry.built = nullptr;
  impl_->pool_of_slice[slice.metadata.name] = key;
  impl_->shape_changed = true;
}

void Inventory::RemoveSlice(std::string_view name) { impl_->DropSlice(name); }

void Inventory::SetClass(const DeviceClass& device_class) {
  auto classes = std::make_shared<Classes>(*impl_->classes);
  (*classes)[device_class.metadata.name] = device_class;
  impl_->classes = std::move(classes);
  impl_->changed = true;
}

void Inventory::RemoveClass(std::string_view name) {
  auto classes = std::make_shared<Classes>(*impl_->classes);
  classes->erase(std::string(name));
  impl_->classes = std::move(classes);
  impl_->changed = true;
}

void Inventory::SetClaim(const ResourceClaim& claim) {
  const std::string key = claim.metadata.namespace_ + "/" + claim.metadata.name;
  impl_->DropClaim(key);
  if (!claim.status.allocation.has_value()) {
    return;
  }
  std::vector<Impl::Holding> holdings;
  for (const auto& result : claim.status.allocation->devices.results) {
    if (result.admin_access.value_or(false)) {
      continue;
    }
    Impl::Holding holding;
    holding.pool = {result.driver, result.pool};
    holding.device = result.device;
    holding.shared = impl_->features.consumable_capacity && result.share_id.has_value();
    holding.has_consumed = holding.shared && !result.consumed_capacity.empty();
    if (holding.has_consumed) {
      for (const auto& [name, quantity] : result.consumed_capacity) {
        holding.consumed[name] = inventory::ToAmount(quantity);
      }
    }
    impl_->Change(holding, 1);
    holdings.push_back(std::move(holding));
  }
  impl_->holdings[key] = std::move(holdings);
}

void Inventory::RemoveClaim(std::string_view namespace_name, std::string_view name) {
  impl_->DropClaim(std::string(namespace_name) + "/" + std::string(name));
}

std::shared_ptr<const Snapshot> Inventory::TakeSnapshot() {
  if (impl_->snapshot != nullptr && !impl_->changed && !impl_->shape_changed) {
    return impl_->snapshot;
  }
  auto made = std::make_shared<Snapshot::Impl>();
  made->features = impl_->features;
  made->classes = impl_->classes;
  made->selectors = impl_->selectors;
  made->pools.reserve(impl_->pools.size());
  for (auto it = impl_->pools.begin(); it != impl_->pools.end();) {
    Impl::PoolEntry& entry = it->second;
    if (entry.slices.empty()) {
      // Devices may be in use that no slice offers any more.
      it = entry.uses.empty() ? impl_->pools.erase(it) : std::next(it);
      continue;
    }
    if (entry.built == nullptr) {
      std::vector<std::shared_ptr<const inventory::Slice>> slices;
      for (const auto& [name, slice] : entry.slices) {
        slices.push_back(slice);
      }
      entry.built =
          std::make_shared<const Pool>(it->first.first, it->first.second, std::move(slices),
                                       std::make_shared<const Uses>(entry.uses), impl_->features);
    }
    made->pools.push_back(entry.built);
    ++it;
  }
  if (impl_->shape_changed || impl_->index == nullptr) {
    impl_->index = impl_->MakeIndex(made->pools);
  }
  made->index = impl_->index;
  impl_->changed = false;
  impl_->shape_changed = false;
  impl_->snapshot = std::make_shared<const Snapshot>(std::move(made));
  return impl_->snapshot;
}

std::int64_t Score(const ResourceClaim& claim, const AllocationResult& allocation) {
  constexpr std::int64_t kMaxSubrequests = 8;
  std::int64_t score = 0;
  for (const api::resource::DeviceRequest& request : claim.spec.devices.requests) {
    for (std::size_t i = 0; i < request.first_available.size(); ++i) {
      const std::string name = request.name + "/" + request.first_available[i].name;
      const auto& results = allocation.devices.results;
      const bool chosen = std::any_of(results.begin(), results.end(),
                                      [&name](const auto& r) { return r.request == name; });
      if (chosen) {
        score += kMaxSubrequests - static_cast<std::int64_t>(i);
        break;
      }
    }
  }
  return score;
}

}  // namespace assay::allocator
