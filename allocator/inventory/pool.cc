#include "allocator/inventory/pool.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "api/core/types.h"

namespace assay::allocator::inventory {
namespace {

using api::core::NodeSelectorRequirement;

std::optional<std::int64_t> ParseInteger(std::string_view text) {
  std::int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

// A requirement on a value that may be absent (null). Source: apimachinery, labels/selector.go.
Result<bool> RequirementMatches(const NodeSelectorRequirement& requirement,
                                const std::string* value) {
  const std::vector<std::string>& values = requirement.values;
  const auto listed = [&] {
    return std::find(values.begin(), values.end(), *value) != values.end();
  };
  if (requirement.operator_ == "In") {
    return value != nullptr && listed();
  }
  if (requirement.operator_ == "NotIn") {
    return value == nullptr || !listed();
  }
  if (requirement.operator_ == "Exists") {
    return value != nullptr;
  }
  if (requirement.operator_ == "DoesNotExist") {
    return value == nullptr;
  }
  if (requirement.operator_ == "Gt" || requirement.operator_ == "Lt") {
    if (value == nullptr || values.size() != 1) {
      return false;
    }
    const std::optional<std::int64_t> actual = ParseInteger(*value);
    const std::optional<std::int64_t> limit = ParseInteger(values[0]);
    if (!actual.has_value() || !limit.has_value()) {
      return false;
    }
    return requirement.operator_ == "Gt" ? *actual > *limit : *actual < *limit;
  }
  return InvalidArgumentError("\"" + requirement.operator_ +
                              "\" is not a valid label selector operator");
}

Result<bool> TermMatches(const api::core::NodeSelectorTerm& term, const api::core::Node& node) {
  // A term without requirements selects nothing.
  if (term.match_expressions.empty() && term.match_fields.empty()) {
    return false;
  }
  for (const NodeSelectorRequirement& requirement : term.match_expressions) {
    const auto label = node.metadata.labels.find(requirement.key);
    ASSAY_ASSIGN_OR_RETURN(
        const bool matches,
        RequirementMatches(requirement,
                           label == node.metadata.labels.end() ? nullptr : &label->second));
    if (!matches) {
      return false;
    }
  }
  for (const NodeSelectorRequirement& requirement : term.match_fields) {
    const std::string* value = requirement.key == "metadata.name" ? &node.metadata.name : nullptr;
    ASSAY_ASSIGN_OR_RETURN(const bool matches, RequirementMatches(requirement, value));
    if (!matches) {
      return false;
    }
  }
  return true;
}

// Whether the devices of a slice consume only what the counter sets have; else the reason.
std::string CheckConsumption(
    const std::map<std::string_view, const api::resource::CounterSet*>& sets,
    const std::vector<std::shared_ptr<const Slice>>& slices) {
  for (const auto& slice : slices) {
    for (const Device& device : slice->devices) {
      for (const auto& consumption : device.api->consumes_counters) {
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

bool IsNodeLocal(const Slice& slice, std::string_view node) {
  return slice.spec().node_name.value_or("") == node;
}

}  // namespace

cel::Quantity ToAmount(const api::meta::Quantity& quantity) {
  if (const std::optional<std::int64_t> value = quantity.AsInt64(); value.has_value()) {
    return cel::Quantity::OfInteger(*value);
  }
  return cel::Quantity::Parse(quantity.ToString()).value_or(cel::Quantity());
}

Result<bool> SelectorMatches(const api::core::NodeSelector& selector, const api::core::Node& node) {
  for (const api::core::NodeSelectorTerm& term : selector.node_selector_terms) {
    ASSAY_ASSIGN_OR_RETURN(const bool matches, TermMatches(term, node));
    if (matches) {
      return true;
    }
  }
  return false;
}

Result<bool> NodeMatches(const NodeSelection& selection, const api::core::Node& node) {
  if (!selection.node_name->value_or("").empty()) {
    return **selection.node_name == node.metadata.name;
  }
  if (selection.all_nodes->value_or(false)) {
    return true;
  }
  if (selection.selector->has_value()) {
    return SelectorMatches(**selection.selector, node);
  }
  return false;
}

std::shared_ptr<const Slice> MakeSlice(const api::resource::ResourceSlice& slice,
                                       selector::ContentTable& contents) {
  auto made = std::make_shared<Slice>();
  made->api = std::make_shared<const api::resource::ResourceSlice>(slice);
  const api::resource::ResourceSliceSpec& spec = made->api->spec;
  made->devices.reserve(spec.devices.size());
  for (const api::resource::Device& api : spec.devices) {
    Device device;
    device.api = &api;
    device.content = contents.Find(spec.driver, api);
    device.shareable = api.allow_multiple_allocations.value_or(false);
    for (const auto& consumption : api.consumes_counters) {
      for (const auto& [name, counter] : consumption.counters) {
        device.consumption.push_back({consumption.counter_set, name, ToAmount(counter.value)});
      }
    }
    for (const auto& [name, capacity] : api.capacity) {
      device.capacity.push_back({name, &capacity, ToAmount(capacity.value)});
    }
    made->devices.push_back(std::move(device));
  }
  return made;
}

Pool::Pool(std::string driver, std::string name, Slices slices,
           std::shared_ptr<const std::map<std::string, DeviceUse>> use, const Features& features)
    : driver_(std::move(driver)),
      name_(std::move(name)),
      slices_(std::move(slices)),
      use_(std::move(use)),
      features_(features) {
  std::sort(slices_.begin(), slices_.end(), [](const auto& a, const auto& b) {
    return a->api->metadata.name < b->api->metadata.name;
  });
  const std::string node = slices_.front()->spec().node_name.value_or("");
  const bool single =
      !node.empty() && std::all_of(slices_.begin(), slices_.end(),
                                   [&](const auto& slice) { return IsNodeLocal(*slice, node); });
  if (!single) {
    return;
  }
  only_node_ = node;
  Slices own;
  Slices foreign;
  for (const auto& slice : slices_) {
    const bool unsupported =
        !features_.partitionable_devices &&
        (slice->spec().per_device_node_selection.has_value() || slice->has_counters());
    if (!unsupported) {
      own.push_back(slice);
      if (slice->has_counters()) {
        foreign.push_back(slice);
      }
    }
  }
  only_view_ = own.empty() ? nullptr : Build(own);
  foreign_view_ = foreign.empty() ? nullptr : Build(foreign);
}

std::vector<std::string> Pool::NodeNames() const {
  std::set<std::string> names;
  for (const auto& slice : slices_) {
    if (!slice->spec().node_name.value_or("").empty()) {
      names.insert(*slice->spec().node_name);
    }
  }
  return {names.begin(), names.end()};
}

bool Pool::SeenByOthers() const {
  if (!only_node_.empty()) {
    // Others see no devices; they only have to know of what is wrong.
    return foreign_view_ != nullptr && foreign_view_->state != PoolState::kUsable;
  }
  return std::any_of(slices_.begin(), slices_.end(), [](const auto& slice) {
    return slice->spec().node_name.value_or("").empty() || slice->has_counters();
  });
}

Result<std::shared_ptr<const NodePool>> Pool::ViewFrom(const api::core::Node& node) const {
  if (!only_node_.empty()) {
    return node.metadata.name == only_node_ ? only_view_ : foreign_view_;
  }
  ASSAY_ASSIGN_OR_RETURN(const Slices relevant, RelevantSlices(node));
  return relevant.empty() ? nullptr : Build(relevant);
}

Result<Pool::Slices> Pool::RelevantSlices(const api::core::Node& node) const {
  Slices relevant;
  for (const auto& slice : slices_) {
    const api::resource::ResourceSliceSpec& spec = slice->spec();
    if (!features_.partitionable_devices &&
        (spec.per_device_node_selection.has_value() || slice->has_counters())) {
      continue;
    }
    // Counters are needed wherever the devices are.
    bool matches = slice->has_counters();
    if (matches) {
      relevant.push_back(slice);
      continue;
    }
    if (!spec.node_name.value_or("").empty() || spec.all_nodes.value_or(false) ||
        spec.node_selector.has_value()) {
      const Result<bool> selected =
          NodeMatches({&spec.node_name, &spec.all_nodes, &spec.node_selector}, node);
      if (!selected.ok()) {
        return selected.status().WithContext("failed to perform node selection for slice " +
                                             slice->api->metadata.name);
      }
      matches = *selected;
    } else if (spec.per_device_node_selection.value_or(false)) {
      for (const api::resource::Device& device : spec.devices) {
        const Result<bool> selected =
            NodeMatches({&device.node_name, &device.all_nodes, &device.node_selector}, node);
        if (!selected.ok()) {
          return selected.status().WithContext("failed to perform node selection for device " +
                                               device.name + " in slice " +
                                               slice->api->metadata.name);
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

std::shared_ptr<const NodePool> Pool::Build(const Slices& relevant) const {
  std::int64_t generation = relevant.front()->spec().pool.generation;
  for (const auto& slice : relevant) {
    generation = std::max(generation, slice->spec().pool.generation);
  }
  const auto of_generation = [generation](const Slices& all) {
    Slices current;
    std::copy_if(all.begin(), all.end(), std::back_inserter(current),
                 [&](const auto& slice) { return slice->spec().pool.generation == generation; });
    return current;
  };
  const Slices slices = of_generation(relevant);
  const auto wanted = static_cast<std::size_t>(
      std::max<std::int64_t>(slices.front()->spec().pool.resource_slice_count, 0));
  auto pool = std::make_shared<NodePool>();
  pool->driver = driver_;
  pool->name = name_;
  Slices others;
  if (slices.size() != wanted) {
    // The node may not see all of it.
    const bool obsolete = std::any_of(slices_.begin(), slices_.end(), [&](const auto& slice) {
      return slice->spec().pool.generation > generation;
    });
    if (obsolete) {
      return nullptr;
    }
    const Slices all = of_generation(slices_);
    if (all.size() != wanted) {
      pool->state = PoolState::kIncomplete;
      return pool;
    }
    std::copy_if(all.begin(), all.end(), std::back_inserter(others), [&](const auto& slice) {
      return std::find(slices.begin(), slices.end(), slice) == slices.end();
    });
  }
  FillDevices(slices, others, *pool);
  return pool;
}

void Pool::FillDevices(const Slices& slices, const Slices& others, NodePool& pool) const {
  const auto invalid = [&pool](std::string reason) {
    pool.state = PoolState::kInvalid;
    pool.invalid_reason = std::move(reason);
  };
  // With partitionable devices a slice has either counters or devices.
  const auto offers_devices = [this](const Slice& slice) {
    return !features_.partitionable_devices || !slice.has_counters();
  };
  std::set<std::string_view> names;
  for (const auto& slice : slices) {
    if (!offers_devices(*slice)) {
      continue;
    }
    for (const Device& device : slice->devices) {
      if (!names.insert(device.api->name).second) {
        return invalid("duplicate device name " + device.api->name);
      }
    }
  }
  std::map<std::pair<std::string_view, std::string_view>, std::uint32_t> counter_numbers;
  if (features_.partitionable_devices) {
    std::map<std::string_view, const api::resource::CounterSet*> sets;
    for (const auto& slice : slices) {
      for (const api::resource::CounterSet& set : slice->spec().shared_counters) {
        if (!sets.emplace(set.name, &set).second) {
          return invalid("duplicate counter set name " + set.name);
        }
        for (const auto& [name, counter] : set.counters) {
          counter_numbers[{set.name, name}] = static_cast<std::uint32_t>(pool.counters.size());
          pool.counters.push_back({set.name, name, ToAmount(counter.value)});
        }
      }
    }
    for (const Slices* some : {&slices, &others}) {
      if (std::string reason = CheckConsumption(sets, *some); !reason.empty()) {
        pool.counters.clear();
        return invalid(std::move(reason));
      }
    }
  }
  const auto use_of = [this](const Device& device) -> const DeviceUse* {
    const auto it = use_->find(device.api->name);
    return it == use_->end() || it->second.empty() ? nullptr : &it->second;
  };
  // What allocated devices take of the counters, wherever they are.
  for (const Slices* some : {&slices, &others}) {
    for (const auto& slice : *some) {
      for (const Device& device : slice->devices) {
        if (device.consumption.empty() || use_of(device) == nullptr) {
          continue;
        }
        for (const Device::Consumption& consumption : device.consumption) {
          const auto number = counter_numbers.find({consumption.counter_set, consumption.counter});
          if (number != counter_numbers.end()) {
            pool.counters[number->second].available -= consumption.amount;
          }
        }
      }
    }
  }
  pool.over_allocated = std::any_of(pool.counters.begin(), pool.counters.end(),
                                    [](const Counter& c) { return c.available.Sign() < 0; });
  for (const auto& slice : slices) {
    if (!offers_devices(*slice)) {
      continue;
    }
    for (const Device& device : slice->devices) {
      NodeDevice candidate;
      candidate.slice = slice.get();
      candidate.device = &device;
      candidate.use = use_of(device);
      for (const Device::Consumption& consumption : device.consumption) {
        const auto number = counter_numbers.find({consumption.counter_set, consumption.counter});
        if (number != counter_numbers.end()) {
          candidate.counters.emplace_back(number->second, &consumption.amount);
        }
      }
      pool.has_binding_conditions =
          pool.has_binding_conditions || !device.api->binding_conditions.empty();
      pool.devices.push_back(std::move(candidate));
    }
  }
  pool.slices = slices;
  pool.use = use_;
}

}  // namespace assay::allocator::inventory
