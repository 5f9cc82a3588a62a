#include "allocator/inventory/layout.h"

#include <algorithm>
#include <set>
#include <utility>

#include "allocator/selector/key_writer.h"

namespace assay::allocator::inventory {
namespace {

using Shapes = LayoutTable::Shapes;
using CounterSets = std::map<std::string_view, const api::resource::CounterSet*>;

// Whether the devices of slices consume only what the counter sets have; else the reason.
std::string CheckConsumption(const CounterSets& sets, const Shapes& slices) {
  for (const auto& slice : slices) {
    for (const api::resource::Device& device : slice->api_devices) {
      for (const auto& consumption : device.consumes_counters) {
        const auto set = sets.find(consumption.counter_set);
        if (set == sets.end()) {
          return "counter set " + consumption.counter_set + " not found";
        }
        for (const auto& [name, counter] : consumption.counters) {
          if (!set->second->counters.contains(name)) {
            return "counter " + name + " not found in counter set " + consumption.counter_set;
          }
        }
      }
    }
  }
  return "";
}

class Builder {
 public:
  Builder(const Shapes& seen, const Shapes& others, const Features& features)
      : features_(features), layout_(std::make_shared<Layout>()) {
    layout_->shapes = seen;
    layout_->shapes.insert(layout_->shapes.end(), others.begin(), others.end());
    Sort(seen, device_slices_);
    Sort(others, foreign_slices_);
  }

  std::shared_ptr<Layout> Run() {
    if (std::string reason = Check(); !reason.empty()) {
      layout_->state = PoolState::kInvalid;
      layout_->invalid_reason = std::move(reason);
      layout_->counters.clear();
      return layout_;
    }
    std::uint32_t first_own = 0;
    for (const auto& slice : layout_->shapes) {
      const bool seen =
          std::find(device_slices_.begin(), device_slices_.end(), slice) != device_slices_.end();
      for (const Device& device : slice->devices) {
        if (seen) {
          AddDevice(*slice, device, first_own + device.first_own);
        }
      }
      for (const Device& device : slice->devices) {
        first_own += static_cast<std::uint32_t>(device.own_attributes.size());
      }
    }
    layout_->num_own = first_own;
    AddForeign();
    std::vector<Amount> available;
    for (const Counter& counter : layout_->counters) {
      available.push_back(counter.value);
      layout_->negative = layout_->negative || counter.value < 0;
    }
    layout_->blocked = BlockedDevices(*layout_, available);
    return layout_;
  }

 private:
  // With partitionable devices a slice has either counters or devices.
  void Sort(const Shapes& slices, Shapes& devices) {
    for (const auto& slice : slices) {
      const bool counters = features_.partitionable_devices && slice->has_counters();
      (counters ? counter_slices_ : devices).push_back(slice);
    }
  }

  std::string Check() {
    std::set<std::string_view> names;
    for (const auto& slice : device_slices_) {
      for (const api::resource::Device& device : slice->api_devices) {
        if (!names.insert(device.name).second) {
          return "duplicate device name " + device.name;
        }
      }
    }
    if (!features_.partitionable_devices) {
      return "";
    }
    CounterSets sets;
    for (const auto& slice : counter_slices_) {
      for (const api::resource::CounterSet& set : slice->shared_counters) {
        if (!sets.emplace(set.name, &set).second) {
          return "duplicate counter set name " + set.name;
        }
        for (const auto& [name, counter] : set.counters) {
          numbers_[{set.name, name}] = static_cast<std::uint32_t>(layout_->counters.size());
          layout_->counters.push_back({set.name, name, ToAmount(counter.value)});
        }
      }
    }
    // 1.36 holds the devices of slices with counters to it, too.
    const Shapes& slices = features_.AtLeast1_37() ? device_slices_ : layout_->shapes;
    for (const Shapes* some : {&slices, static_cast<const Shapes*>(&foreign_slices_)}) {
      if (std::string reason = CheckConsumption(sets, *some); !reason.empty()) {
        return reason;
      }
    }
    return "";
  }

  std::vector<CounterUse> CountersOf(const Device& device) const {
    std::vector<CounterUse> uses;
    for (const Device::Consumption& consumption : device.consumption) {
      const auto number = numbers_.find({consumption.counter_set, consumption.counter});
      if (number == numbers_.end()) {
        continue;
      }
      const auto known = std::find_if(uses.begin(), uses.end(), [&](const CounterUse& use) {
        return use.counter == number->second;
      });
      if (known != uses.end()) {
        known->amount += consumption.amount;
      } else {
        uses.push_back({number->second, consumption.amount});
      }
    }
    std::sort(uses.begin(), uses.end(),
              [](const CounterUse& a, const CounterUse& b) { return a.counter < b.counter; });
    return uses;
  }

  std::vector<GroupUse> GroupsOf(const Device& device) {
    std::vector<GroupUse> uses;
    if (!features_.compatibility_groups) {
      return uses;
    }
    for (const auto& consumption : device.api->consumes_counters) {
      const auto [it, fresh] = set_numbers_.try_emplace(
          consumption.counter_set, static_cast<std::uint32_t>(set_numbers_.size()));
      uses.push_back({it->second, &consumption.compatibility_groups});
    }
    layout_->num_counter_sets = set_numbers_.size();
    return uses;
  }

  void AddDevice(const SliceShape& slice, const Device& device, std::uint32_t first_own) {
    layout_->numbers[device.api->name] = static_cast<std::uint32_t>(layout_->devices.size());
    LayoutDevice& made = layout_->devices.emplace_back();
    made = {&slice, &device, first_own, CountersOf(device), GroupsOf(device), 0};
    selector::KeyWriter key;
    for (const CounterUse& use : made.counters) {
      layout_->gives_counters = layout_->gives_counters || use.amount < 0;
      key.Number(use.counter);
      key.Number(static_cast<std::int64_t>(use.amount >> 64));
      key.Number(static_cast<std::int64_t>(use.amount));
    }
    for (const GroupUse& use : made.groups) {
      key.Number(-1 - static_cast<std::int64_t>(use.counter_set));
      key.Texts(*use.groups);
    }
    made.alike =
        alike_.try_emplace(key.Take(), static_cast<std::uint32_t>(alike_.size())).first->second;
    layout_->has_binding_conditions =
        layout_->has_binding_conditions || !device.api->binding_conditions.empty();
  }

  void AddForeign() {
    if (layout_->counters.empty()) {
      return;
    }
    for (const auto& slice : foreign_slices_) {
      for (const Device& device : slice->devices) {
        if (const std::vector<CounterUse> uses = CountersOf(device); !uses.empty()) {
          Layout::Foreign& all = layout_->foreign[device.api->name];
          all.counters.insert(all.counters.end(), uses.begin(), uses.end());
          const std::vector<GroupUse> groups = GroupsOf(device);
          all.groups.insert(all.groups.end(), groups.begin(), groups.end());
        }
      }
    }
  }

  const Features& features_;
  std::shared_ptr<Layout> layout_;
  Shapes device_slices_;
  Shapes counter_slices_;
  Shapes foreign_slices_;
  std::map<std::pair<std::string_view, std::string_view>, std::uint32_t> numbers_;
  std::map<std::string_view, std::uint32_t> set_numbers_;
  std::map<std::string, std::uint32_t> alike_;  // see LayoutDevice::alike
};

// Drops what nobody holds, once there are `limit` entries.
template <typename Table>
void Purge(Table& table, std::size_t& limit) {
  if (table.size() > limit) {
    std::erase_if(table, [](const auto& entry) { return entry.second.expired(); });
    limit = 2 * table.size() + 1024;
  }
}

std::shared_ptr<const Layout> MakeIncomplete() {
  auto layout = std::make_shared<Layout>();
  layout->state = PoolState::kIncomplete;
  return layout;
}

}  // namespace

DeviceSet BlockedDevices(const Layout& layout, std::span<const Amount> available) {
  DeviceSet blocked(layout.words());
  const bool over_allocated = std::any_of(available.begin(), available.end(),
                                          [](const Amount& amount) { return amount < 0; });
  if (layout.gives_counters) {
    return blocked;
  }
  for (std::size_t i = 0; i < layout.devices.size(); ++i) {
    const std::vector<CounterUse>& uses = layout.devices[i].counters;
    const bool lacking = std::any_of(uses.begin(), uses.end(), [available](const CounterUse& use) {
      return use.amount > available[use.counter];
    });
    if (lacking || (over_allocated && !uses.empty())) {
      blocked[i / 64] |= std::uint64_t{1} << (i % 64);
    }
  }
  return blocked;
}

LayoutTable::LayoutTable(const Features& features)
    : features_(features), incomplete_(MakeIncomplete()) {}

std::shared_ptr<const Layout> LayoutTable::Find(const Shapes& seen, const Shapes& others) {
  std::vector<const void*> key;
  key.reserve(seen.size() + 1 + others.size());
  for (const auto& shape : seen) {
    key.push_back(shape.get());
  }
  key.push_back(nullptr);
  for (const auto& shape : others) {
    key.push_back(shape.get());
  }
  const std::lock_guard lock(mu_);
  std::weak_ptr<const Layout>& known = layouts_[std::move(key)];
  if (std::shared_ptr<const Layout> layout = known.lock(); layout != nullptr) {
    return layout;
  }
  std::shared_ptr<Layout> layout = Builder(seen, others, features_).Run();
  layout->id = next_id_++;
  known = layout;
  Purge(layouts_, layouts_to_purge_);
  return layout;
}

std::shared_ptr<const PoolKind> LayoutTable::FindKind(const Layout& layout,
                                                      const std::vector<const Value*>& own) {
  KindKey key = {0, layout.id};
  key.reserve(key.size() + own.size());
  std::unordered_map<const Value*, std::uint64_t> numbers;  // as they first come
  for (const Value* value : own) {
    key.push_back(numbers.try_emplace(value, numbers.size()).first->second);
  }
  return FindKind(std::move(key));
}

std::shared_ptr<const PoolKind> LayoutTable::FindKind(const PoolKind& kind,
                                                      const DeviceSet& taken) {
  KindKey key = {1, kind.id};
  key.insert(key.end(), taken.begin(), taken.end());
  return FindKind(std::move(key));
}

std::shared_ptr<const PoolKind> LayoutTable::FindKind(KindKey key) {
  const std::lock_guard lock(mu_);
  std::weak_ptr<const PoolKind>& known = kinds_[std::move(key)];
  std::shared_ptr<const PoolKind> kind = known.lock();
  if (kind == nullptr) {
    kind = std::make_shared<const PoolKind>(PoolKind{next_id_++});
    known = kind;
    Purge(kinds_, kinds_to_purge_);
  }
  return kind;
}

}  // namespace assay::allocator::inventory
