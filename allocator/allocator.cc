#include "allocator/allocator.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "allocator/explain/explainer.h"
#include "allocator/internal/held_alone.h"
#include "allocator/internal/snapshot.h"
#include "allocator/inventory/node_selection.h"
#include "allocator/inventory/pool.h"
#include "allocator/inventory/shape.h"
#include "allocator/search/answers.h"
#include "allocator/search/prepared.h"
#include "allocator/search/search.h"
#include "allocator/search/searcher.h"
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

using internal::Classes;
using internal::NodeIndex;
using internal::PoolList;
using internal::Tables;
using inventory::PoolId;
using inventory::Uses;

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
  features.level = compatibility.level();
  if (features.AtLeast1_37()) {
    // The scheduler of 1.36 never turns list attributes on in the allocator.
    features.list_type_attributes = compatibility.Enabled("DRAListTypeAttributes");
    features.fractional_capacity_range = compatibility.Enabled("DRAFractionalCapacityRange");
    features.optional_node_operations = compatibility.Enabled("DRAOptionalNodeOperations");
    features.compatibility_groups = compatibility.Enabled("DRADeviceCompatibilityGroups");
    features.derived_attributes = compatibility.Enabled("DRADerivedAttributes");
  }
  return features;
}

// ---- Snapshot ----

Snapshot::Snapshot(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Snapshot::~Snapshot() = default;

Result<std::optional<std::vector<AllocationResult>>> Snapshot::Allocate(
    std::span<const ResourceClaim* const> claims, const api::core::Node& node,
    const AllocateOptions& options) const {
  internal::NodePools found;
  ASSAY_RETURN_IF_ERROR(impl_->FindPools(node, found));
  const search::ClassFinder find_class = impl_->FindClass();
  return search::Search({claims, node, found.pools, find_class, impl_->tables->selectors,
                         impl_->features, options, impl_->tables->shapes});
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
  internal::NodePools found;
  if (const Status status = impl_->FindPools(node, found); !status.ok()) {
    Explanation explanation;
    explanation.error = status.message();
    return explanation;
  }
  const search::ClassFinder find_class = impl_->FindClass();
  const AllocateOptions options;
  return explain::Explain({claims, node, found.pools, find_class, impl_->tables->selectors,
                           impl_->features, options, impl_->tables->shapes});
}

bool Snapshot::IsLocalToNodes(std::vector<std::string>* node_names) const {
  if (!impl_->index->OfAll().empty()) {
    return false;
  }
  *node_names = impl_->index->Nodes();
  return true;
}

Status Snapshot::WithSearch(std::span<const ResourceClaim* const> claims,
                            const api::core::Node& node, const AllocateOptions& options,
                            const std::function<Status(const search::Input&)>& use) const {
  internal::NodePools found;
  ASSAY_RETURN_IF_ERROR(impl_->FindPools(node, found));
  const search::ClassFinder find_class = impl_->FindClass();
  return use({claims, node, found.pools, find_class, impl_->tables->selectors, impl_->features,
              options, impl_->tables->shapes});
}

// ---- Attempt ----

struct Attempt::Impl {
  Impl(std::shared_ptr<const Snapshot> of, std::span<const ResourceClaim* const> wanted,
       AllocateOptions how)
      : snapshot(std::move(of)),
        state(snapshot->impl_.get()),
        claims(wanted.begin(), wanted.end()),
        options(std::move(how)),
        find_class(state->FindClass()),
        prepared(
            {claims, find_class, state->tables->selectors, state->tables->shapes, state->features}),
        searcher(prepared, options) {}

  Result<bool> Fits(const api::core::Node& node) {
    answer = nullptr;
    holds_for_alike = false;
    ASSAY_RETURN_IF_ERROR(state->FindPools(node, found));
    answer = answers.Find(found.kind);
    holds_for_alike = answer != nullptr;
    if (answer != nullptr) {
      return answer->fits;
    }
    const Result<bool> fits = searcher.Run(node, found.pools);
    if (fits.ok() && !searcher.HangsOnNode()) {
      holds_for_alike = answers.Keep(
          found.kind,
          {*fits, searcher.steps(), *fits ? searcher.found() : std::vector<search::Found>()});
    }
    return fits;
  }

  std::shared_ptr<const Snapshot> snapshot;
  const Snapshot::Impl* state;
  std::vector<const ResourceClaim*> claims;
  AllocateOptions options;
  search::ClassFinder find_class;
  search::Prepared prepared;
  search::Searcher searcher;
  search::Answers answers;
  // Of the last node.
  internal::NodePools found;
  const search::Answers::Answer* answer = nullptr;  // what was known before; else the searcher's
  bool holds_for_alike = false;
};

Attempt::Attempt(std::shared_ptr<const Snapshot> snapshot,
                 std::span<const ResourceClaim* const> claims, AllocateOptions options)
    : impl_(std::make_unique<Impl>(std::move(snapshot), claims, std::move(options))) {}
Attempt::~Attempt() = default;
Attempt::Attempt(Attempt&&) noexcept = default;
Attempt& Attempt::operator=(Attempt&&) noexcept = default;

Result<bool> Attempt::Fits(const api::core::Node& node) { return impl_->Fits(node); }

Result<std::optional<std::vector<AllocationResult>>> Attempt::Allocate(
    const api::core::Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const bool fits, impl_->Fits(node));
  if (!fits) {
    return std::optional<std::vector<AllocationResult>>();
  }
  if (impl_->answer != nullptr) {
    impl_->searcher.Restore(node, impl_->found.pools, impl_->answer->found);
  }
  ASSAY_ASSIGN_OR_RETURN(auto allocations, impl_->searcher.BuildAllocations());
  return std::optional(std::move(allocations));
}

std::uint64_t Attempt::steps() const {
  return impl_->answer != nullptr ? impl_->answer->steps : impl_->searcher.steps();
}

const std::shared_ptr<const Snapshot>& Attempt::snapshot() const { return impl_->snapshot; }

bool Attempt::HoldsForAlike() const { return impl_->holds_for_alike; }

// ---- Inventory ----

struct Inventory::Impl {
  struct PoolEntry {
    std::uint32_t number = 0;
    std::shared_ptr<const PoolId> id;
    std::map<std::string, std::shared_ptr<const inventory::Slice>> slices;  // by name
    Uses uses;
    std::shared_ptr<const Pool> built;  // null: no slices, as of the last snapshot
    bool is_dirty = false;              // listed in `dirty`
    bool slices_changed = false;
  };
  using Entry = std::map<PoolId, PoolEntry>::iterator;

  // What an allocated claim holds.
  struct Holding {
    Entry pool;
    std::string device;
    bool shared = false;
    bool has_consumed = false;
    std::map<std::string, inventory::Amount> consumed;
  };

  explicit Impl(const InventoryOptions& options)
      : features(options.features),
        tables(std::make_shared<Tables>(options.features, options.max_shared_values)),
        classes(std::make_shared<const Classes>()) {}

  Entry FindPool(const PoolId& id) {
    const auto [it, fresh] = pools.try_emplace(id);
    if (fresh) {
      it->second.id = std::make_shared<const PoolId>(id);
      if (free_numbers.empty()) {
        it->second.number = next_number++;
        by_number.push_back(it->second.id);
      } else {
        it->second.number = free_numbers.back();
        free_numbers.pop_back();
        by_number[it->second.number] = it->second.id;
      }
    }
    return it;
  }

  void Touch(Entry entry) {
    if (!entry->second.is_dirty) {
      entry->second.is_dirty = true;
      dirty.push_back(entry);
    }
  }

  void DropSlice(std::string_view name) {
    const auto known = pool_of_slice.find(name);
    if (known == pool_of_slice.end()) {
      return;
    }
    known->second->second.slices.erase(known->first);
    known->second->second.slices_changed = true;
    Touch(known->second);
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
    Touch(holding.pool);
    Uses& uses = holding.pool->second.uses;
    DeviceUse& use = uses[holding.device];
    if (!holding.shared) {
      use.dedicated += count;
    } else {
      use.shares += count;
      for (const auto& [name, amount] : holding.consumed) {
        use.consumed[name] += count > 0 ? amount : -amount;
      }
      use.has_consumed = (use.has_consumed || holding.has_consumed) && use.shares > 0;
    }
    if (use.empty()) {
      uses.erase(holding.device);
    }
  }

  // Builds what has changed of a pool.
  void Refresh(Entry it) {
    PoolEntry& entry = it->second;
    entry.is_dirty = false;
    const bool slices_changed = std::exchange(entry.slices_changed, false);
    if (slices_changed && entry.built != nullptr) {
      ChangeIndex().Remove(entry.number, *entry.built);
    }
    if (entry.slices.empty()) {
      if (entry.built != nullptr) {
        list.Set(entry.number, nullptr);
      }
      entry.built = nullptr;
      // Devices may be in use that no slice offers any more.
      if (entry.uses.empty()) {
        free_numbers.push_back(entry.number);
        pools.erase(it);
      }
      return;
    }
    auto uses = std::make_shared<const Uses>(entry.uses);
    if (slices_changed) {
      Pool::Slices slices;
      for (const auto& [name, slice] : entry.slices) {
        slices.push_back(slice);
      }
      entry.built = std::make_shared<const Pool>(entry.id, std::move(slices), std::move(uses),
                                                 tables->layouts, features);
      ChangeIndex().Add(entry.number, *entry.built, [this](std::uint32_t a, std::uint32_t b) {
        return *by_number[a] < *by_number[b];
      });
    } else {
      entry.built = std::make_shared<const Pool>(*entry.built, std::move(uses));
    }
    list.Set(entry.number, entry.built);
  }

  NodeIndex& ChangeIndex() {
    if (index == nullptr) {
      index = std::make_shared<NodeIndex>();
    } else if (!internal::HeldAlone(index)) {
      index = std::make_shared<NodeIndex>(*index);
    }
    return *index;
  }

  Features features;
  std::shared_ptr<Tables> tables;
  std::map<PoolId, PoolEntry> pools;
  std::vector<Entry> dirty;
  std::vector<std::shared_ptr<const PoolId>> by_number;
  std::vector<std::uint32_t> free_numbers;
  std::uint32_t next_number = 0;
  std::map<std::string, Entry, std::less<>> pool_of_slice;
  std::shared_ptr<const Classes> classes;
  std::unordered_map<std::string, std::vector<Holding>> holdings;  // by claim
  PoolList list;
  std::shared_ptr<NodeIndex> index;
  bool classes_changed = true;
  std::shared_ptr<const Snapshot> snapshot;
};

Inventory::Inventory(InventoryOptions options) : impl_(std::make_unique<Impl>(options)) {}
Inventory::~Inventory() = default;
Inventory::Inventory(Inventory&&) noexcept = default;
Inventory& Inventory::operator=(Inventory&&) noexcept = default;

void Inventory::SetSlice(const ResourceSlice& slice) {
  impl_->DropSlice(slice.metadata.name);
  const Impl::Entry entry = impl_->FindPool({slice.spec.driver, slice.spec.pool.name});
  entry->second.slices[slice.metadata.name] = impl_->tables->shapes.MakeSlice(slice);
  entry->second.slices_changed = true;
  impl_->Touch(entry);
  impl_->pool_of_slice.emplace(slice.metadata.name, entry);
}

void Inventory::RemoveSlice(std::string_view name) { impl_->DropSlice(name); }

void Inventory::SetClass(const DeviceClass& device_class) {
  auto classes = std::make_shared<Classes>(*impl_->classes);
  (*classes)[device_class.metadata.name] = device_class;
  impl_->classes = std::move(classes);
  impl_->classes_changed = true;
}

void Inventory::RemoveClass(std::string_view name) {
  auto classes = std::make_shared<Classes>(*impl_->classes);
  classes->erase(std::string(name));
  impl_->classes = std::move(classes);
  impl_->classes_changed = true;
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
    holding.pool = impl_->FindPool({result.driver, result.pool});
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
  if (impl_->snapshot != nullptr && impl_->dirty.empty() && !impl_->classes_changed) {
    return impl_->snapshot;
  }
  for (const Impl::Entry entry : std::exchange(impl_->dirty, {})) {
    impl_->Refresh(entry);
  }
  impl_->classes_changed = false;
  if (impl_->index == nullptr) {
    impl_->ChangeIndex();
  }
  auto made = std::make_shared<Snapshot::Impl>();
  made->features = impl_->features;
  made->pools = impl_->list;
  made->index = impl_->index;
  made->classes = impl_->classes;
  made->tables = impl_->tables;
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
