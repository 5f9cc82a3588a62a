#include "allocator/inventory/pool.h"

#include <algorithm>
#include <set>

#include "allocator/inventory/node_selection.h"
#include "api/core/types.h"

namespace assay::allocator::inventory {
namespace {

// 1.37 does not offer what it cannot hold to its groups, nor what else is in the pool.
bool HasUnknownGroups(const SliceShape& shape, const Features& features) {
  return features.AtLeast1_37() && !features.compatibility_groups && shape.has_compatibility_groups;
}

bool IsIgnored(const SliceShape& shape, const Features& features) {
  if (HasUnknownGroups(shape, features)) {
    return true;
  }
  return !features.partitionable_devices &&
         (shape.per_device_node_selection.has_value() || shape.has_counters());
}

// 1.36 shows counters to every node.
bool IsSeenEverywhere(const SliceShape& shape, const Features& features) {
  return shape.has_counters() && !features.AtLeast1_37();
}

void Subtract(const std::vector<CounterUse>& uses, std::vector<Amount>& available) {
  for (const CounterUse& use : uses) {
    available[use.counter] = std::max(available[use.counter] - use.amount, -kHugeAmount);
  }
}

}  // namespace

NodePool::NodePool(std::shared_ptr<const NodePoolBase> made_of, const Uses& uses,
                   LayoutTable& layouts)
    : base(std::move(made_of)),
      taken(base->layout->words()),
      blocked(base->layout->blocked),
      over_allocated(base->layout->negative) {
  const Layout& layout = *base->layout;
  if (layout.state != PoolState::kUsable) {
    kind = base->kind;
    return;
  }
  bool is_plain = true;
  groups.resize(layout.num_counter_sets);
  const auto take = [&](const std::vector<CounterUse>& counters,
                        const std::vector<GroupUse>& in_groups) {
    for (const GroupUse& use : in_groups) {
      groups[use.counter_set].Add(*use.groups);
    }
    if (available.empty() && !counters.empty()) {
      available.reserve(layout.counters.size());
      for (const Counter& counter : layout.counters) {
        available.push_back(counter.value);
      }
    }
    Subtract(counters, available);
  };
  for (const auto& [name, use] : uses) {
    if (use.empty()) {
      continue;
    }
    if (const auto number = layout.numbers.find(name); number != layout.numbers.end()) {
      const std::uint32_t device = number->second;
      take(layout.devices[device].counters, layout.devices[device].groups);
      if (use.dedicated > 0) {
        taken[device / 64] |= std::uint64_t{1} << (device % 64);
      }
      if (use.shares > 0) {
        shares.emplace_back(device, use);
        is_plain = false;
      }
    }
    if (!layout.foreign.empty()) {
      if (const auto foreign = layout.foreign.find(name); foreign != layout.foreign.end()) {
        take(foreign->second.counters, foreign->second.groups);
        is_plain = false;
      }
    }
  }
  if (is_plain) {
    kind = layouts.FindKind(*base->kind, taken);
  }
  std::sort(shares.begin(), shares.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  if (!available.empty()) {
    over_allocated = std::any_of(available.begin(), available.end(),
                                 [](const Amount& amount) { return amount < 0; });
    blocked = BlockedDevices(layout, available);
  }
}

const DeviceUse* NodePool::SharesOf(std::uint32_t device) const {
  const auto it =
      std::lower_bound(shares.begin(), shares.end(), device,
                       [](const auto& entry, std::uint32_t d) { return entry.first < d; });
  return it == shares.end() || it->first != device ? nullptr : &it->second;
}

AttributeRef FindAttribute(DeviceRef ref, std::string_view full_name) {
  const LayoutDevice& place = ref.layout();
  const Device& device = *place.device;
  const auto find = [&](std::string_view name) -> AttributeRef {
    for (std::size_t i = 0; i < device.own_attributes.size(); ++i) {
      if (device.own_attributes[i] == name) {
        return {nullptr, ref.pool->base->own[place.first_own + i], static_cast<std::uint32_t>(i)};
      }
    }
    const auto it = device.api->attributes.find(std::string(name));
    return {it == device.api->attributes.end() ? nullptr : &it->second, nullptr, 0};
  };
  if (const AttributeRef attribute = find(full_name)) {
    return attribute;
  }
  const std::size_t slash = full_name.find('/');
  if (slash == std::string_view::npos || full_name.substr(0, slash) != ref.pool->driver()) {
    return {};
  }
  return find(full_name.substr(slash + 1));
}

Pool::Pool(std::shared_ptr<const PoolId> id, Slices slices, std::shared_ptr<const Uses> uses,
           LayoutTable& layouts, const Features& features)
    : uses_(std::move(uses)) {
  auto shape = std::make_shared<Shape>();
  shape->id = std::move(id);
  shape->slices = std::move(slices);
  shape->features = features;
  shape->layouts = &layouts;
  std::sort(shape->slices.begin(), shape->slices.end(),
            [](const auto& a, const auto& b) { return a->name < b->name; });
  const std::string& node = shape->slices.front()->node_name;
  const bool single =
      !node.empty() && std::all_of(shape->slices.begin(), shape->slices.end(),
                                   [&](const auto& slice) { return slice->node_name == node; });
  if (single) {
    shape->only_node = node;
    Slices own;
    Slices foreign;
    for (const auto& slice : shape->slices) {
      if (IsIgnored(*slice->shape, features)) {
        continue;
      }
      own.push_back(slice);
      if (IsSeenEverywhere(*slice->shape, features)) {
        foreign.push_back(slice);
      }
    }
    shape->only_base = own.empty() ? nullptr : Build(*shape, own);
    if (const auto base = foreign.empty() ? nullptr : Build(*shape, foreign); base != nullptr) {
      shape->foreign_view = std::make_shared<const NodePool>(base, Uses(), layouts);
    }
  }
  shape_ = std::move(shape);
  MakeOnlyView();
}

Pool::Pool(const Pool& other, std::shared_ptr<const Uses> uses)
    : shape_(other.shape_), uses_(std::move(uses)) {
  MakeOnlyView();
}

void Pool::MakeOnlyView() {
  if (shape_->only_base != nullptr) {
    only_view_ = std::make_unique<const NodePool>(shape_->only_base, *uses_, *shape_->layouts);
  }
}

std::vector<std::string> Pool::NodeNames() const {
  std::set<std::string> names;
  for (const auto& slice : shape_->slices) {
    if (!slice->node_name.empty()) {
      names.insert(slice->node_name);
    }
  }
  return {names.begin(), names.end()};
}

bool Pool::SeenByOthers() const {
  if (!shape_->only_node.empty()) {
    // Others see no devices; they only have to know of what is wrong.
    return shape_->foreign_view != nullptr && shape_->foreign_view->state() != PoolState::kUsable;
  }
  return std::any_of(shape_->slices.begin(), shape_->slices.end(), [this](const auto& slice) {
    return slice->node_name.empty() || IsSeenEverywhere(*slice->shape, shape_->features);
  });
}

Result<const NodePool*> Pool::ViewFrom(const api::core::Node& node) const {
  if (!shape_->only_node.empty()) {
    return node.metadata.name == shape_->only_node ? only_view_.get() : shape_->foreign_view.get();
  }
  ASSAY_ASSIGN_OR_RETURN(Slices relevant, RelevantSlices(node));
  if (relevant.empty()) {
    return static_cast<const NodePool*>(nullptr);
  }
  const std::lock_guard lock(mu_);
  const auto known = views_.find(relevant);
  if (known != views_.end()) {
    return known->second.get();
  }
  const std::shared_ptr<const NodePoolBase> base = Build(*shape_, relevant);
  std::unique_ptr<const NodePool> view =
      base == nullptr ? nullptr : std::make_unique<const NodePool>(base, *uses_, *shape_->layouts);
  return views_.emplace(std::move(relevant), std::move(view)).first->second.get();
}

Result<Pool::Slices> Pool::RelevantSlices(const api::core::Node& node) const {
  Slices relevant;
  for (const auto& slice : shape_->slices) {
    const SliceShape& shape = *slice->shape;
    if (IsIgnored(shape, shape_->features)) {
      continue;
    }
    bool matches = IsSeenEverywhere(shape, shape_->features);
    if (!matches && !slice->node_name.empty()) {
      matches = slice->node_name == node.metadata.name;
    } else if (!matches && (shape.all_nodes.value_or(false) || shape.node_selector.has_value())) {
      const std::optional<std::string> none;
      const Result<bool> selected =
          NodeMatches({&none, &shape.all_nodes, &shape.node_selector}, node);
      if (!selected.ok()) {
        return selected.status().WithContext("failed to perform node selection for slice " +
                                             slice->name);
      }
      matches = *selected;
    } else if (!matches && shape.per_device_node_selection.value_or(false)) {
      for (const api::resource::Device& device : shape.api_devices) {
        const Result<bool> selected =
            NodeMatches({&device.node_name, &device.all_nodes, &device.node_selector}, node);
        if (!selected.ok()) {
          return selected.status().WithContext("failed to perform node selection for device " +
                                               device.name + " in slice " + slice->name);
        }
        if (*selected) {
          matches = true;
          break;
        }
      }
    }
    if (matches) {
      relevant.push_back(slice);
    }
  }
  return relevant;
}

std::shared_ptr<const NodePoolBase> Pool::Build(const Shape& shape, const Slices& relevant) {
  std::int64_t generation = relevant.front()->generation;
  for (const auto& slice : relevant) {
    generation = std::max(generation, slice->generation);
  }
  const auto of_generation = [generation](const Slices& all) {
    Slices current;
    std::copy_if(all.begin(), all.end(), std::back_inserter(current),
                 [generation](const auto& slice) { return slice->generation == generation; });
    return current;
  };
  auto base = std::make_shared<NodePoolBase>();
  base->id = shape.id;
  base->slices = of_generation(relevant);
  const auto wanted =
      static_cast<std::size_t>(std::max<std::int64_t>(base->slices.front()->slice_count, 0));
  Slices others;
  if (base->slices.size() != wanted) {
    // The node may not see all of it.
    const bool obsolete =
        std::any_of(shape.slices.begin(), shape.slices.end(),
                    [&](const auto& slice) { return slice->generation > generation; });
    if (obsolete) {
      return nullptr;
    }
    Slices all = of_generation(shape.slices);
    std::erase_if(
        all, [&](const auto& slice) { return HasUnknownGroups(*slice->shape, shape.features); });
    if (all.size() != wanted) {
      base->layout = shape.layouts->incomplete();
      base->kind = shape.layouts->FindKind(*base->layout, {});
      return base;
    }
    std::copy_if(all.begin(), all.end(), std::back_inserter(others), [&](const auto& slice) {
      return std::find(base->slices.begin(), base->slices.end(), slice) == base->slices.end();
    });
  }
  const auto shapes_of = [](const Slices& slices) {
    LayoutTable::Shapes shapes;
    for (const auto& slice : slices) {
      shapes.push_back(slice->shape);
    }
    return shapes;
  };
  base->layout = shape.layouts->Find(shapes_of(base->slices), shapes_of(others));
  for (const auto& slice : base->slices) {
    for (const auto& value : slice->own) {
      base->own.push_back(value.get());
    }
  }
  base->kind = shape.layouts->FindKind(*base->layout, base->own);
  return base;
}

}  // namespace assay::allocator::inventory
