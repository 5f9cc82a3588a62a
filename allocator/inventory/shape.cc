#include "allocator/inventory/shape.h"

#include <utility>

#include "allocator/selector/key_writer.h"

namespace assay::allocator::inventory {
namespace {

using api::resource::DeviceAttribute;
using api::resource::ResourceSliceSpec;

using selector::KeyWriter;

void Add(const api::core::NodeSelector& selector, KeyWriter& key) {
  const auto add_all = [&key](const std::vector<api::core::NodeSelectorRequirement>& requirements) {
    key.Count(requirements.size());
    for (const auto& requirement : requirements) {
      key.Text(requirement.key);
      key.Text(requirement.operator_);
      key.Texts(requirement.values);
    }
  };
  key.Count(selector.node_selector_terms.size());
  for (const api::core::NodeSelectorTerm& term : selector.node_selector_terms) {
    add_all(term.match_expressions);
    add_all(term.match_fields);
  }
}

void Add(const std::optional<api::core::NodeSelector>& selector, KeyWriter& key) {
  key.Flag(selector.has_value());
  if (selector.has_value()) {
    Add(*selector, key);
  }
}

void Add(const std::optional<bool>& flag, KeyWriter& key) {
  key.Flag(flag.has_value());
  key.Flag(flag.value_or(false));
}

void Add(const std::optional<api::meta::Quantity>& quantity, KeyWriter& key) {
  key.Flag(quantity.has_value());
  if (quantity.has_value()) {
    key.Quantity(*quantity);
  }
}

void Add(const api::resource::DeviceCapacity& capacity, KeyWriter& key) {
  key.Quantity(capacity.value);
  key.Flag(capacity.request_policy.has_value());
  if (!capacity.request_policy.has_value()) {
    return;
  }
  Add(capacity.request_policy->default_, key);
  key.Count(capacity.request_policy->valid_values.size());
  for (const api::meta::Quantity& value : capacity.request_policy->valid_values) {
    key.Quantity(value);
  }
  const auto& range = capacity.request_policy->valid_range;
  key.Flag(range.has_value());
  if (range.has_value()) {
    Add(range->min, key);
    Add(range->max, key);
    Add(range->step, key);
  }
}

// All that allocation can ask of a device.
void Add(const api::resource::Device& device, KeyWriter& key) {
  key.Text(device.name);
  key.Count(device.attributes.size());
  for (const auto& [name, attribute] : device.attributes) {
    key.Text(name);
    selector::AddToKey(attribute, key);
  }
  key.Count(device.capacity.size());
  for (const auto& [name, capacity] : device.capacity) {
    key.Text(name);
    Add(capacity, key);
  }
  key.Count(device.consumes_counters.size());
  for (const auto& consumption : device.consumes_counters) {
    key.Text(consumption.counter_set);
    key.Count(consumption.counters.size());
    for (const auto& [name, counter] : consumption.counters) {
      key.Text(name);
      key.Quantity(counter.value);
    }
    key.Texts(consumption.compatibility_groups);
  }
  key.Flag(device.node_name.has_value());
  key.Text(device.node_name.value_or(""));
  Add(device.node_selector, key);
  Add(device.all_nodes, key);
  key.Count(device.taints.size());
  for (const auto& taint : device.taints) {
    key.Text(taint.key);
    key.Text(taint.value);
    key.Text(taint.effect);
  }
  Add(device.binds_to_node, key);
  key.Texts(device.binding_conditions);
  key.Texts(device.binding_failure_conditions);
  Add(device.allow_multiple_allocations, key);
}

std::string KeyOf(const ResourceSliceSpec& spec, const std::vector<api::resource::Device>& devices,
                  const std::vector<std::vector<std::string>>& own_names) {
  KeyWriter key;
  key.Text(spec.driver);
  key.Flag(spec.node_name.has_value());
  Add(spec.all_nodes, key);
  Add(spec.node_selector, key);
  Add(spec.per_device_node_selection, key);
  key.Texts(spec.skip_node_operations);
  key.Count(spec.shared_counters.size());
  for (const api::resource::CounterSet& set : spec.shared_counters) {
    key.Text(set.name);
    key.Count(set.counters.size());
    for (const auto& [name, counter] : set.counters) {
      key.Text(name);
      key.Quantity(counter.value);
    }
  }
  key.Count(devices.size());
  for (std::size_t i = 0; i < devices.size(); ++i) {
    Add(devices[i], key);
    key.Texts(own_names[i]);
  }
  return key.Take();
}

}  // namespace

std::shared_ptr<const Slice> ShapeTable::MakeSlice(const api::resource::ResourceSlice& slice) {
  const ResourceSliceSpec& spec = slice.spec;
  auto made = std::make_shared<Slice>();
  made->name = slice.metadata.name;
  made->node_name = spec.node_name.value_or("");
  made->generation = spec.pool.generation;
  made->slice_count = spec.pool.resource_slice_count;
  std::vector<api::resource::Device> devices = spec.devices;
  std::vector<std::vector<std::string>> own_names(devices.size());
  for (std::size_t i = 0; i < devices.size(); ++i) {
    auto& attributes = devices[i].attributes;
    for (auto it = attributes.begin(); it != attributes.end();) {
      if (!TellsApart(spec.driver, it->first, it->second)) {
        ++it;
        continue;
      }
      own_names[i].push_back(it->first);
      made->own.push_back(Intern(*it->second.string));
      it = attributes.erase(it);
    }
  }
  std::weak_ptr<const SliceShape>& known = shapes_[KeyOf(spec, devices, own_names)];
  made->shape = known.lock();
  if (made->shape == nullptr) {
    made->shape = MakeShape(spec, std::move(devices), std::move(own_names));
    known = made->shape;
  }
  if (shapes_.size() > shapes_to_purge_) {
    std::erase_if(shapes_, [](const auto& entry) { return entry.second.expired(); });
    shapes_to_purge_ = 2 * shapes_.size() + 1024;
  }
  return made;
}

bool ShapeTable::TellsApart(const std::string& driver, const std::string& name,
                            const DeviceAttribute& attribute) {
  // Just plain strings: what else could be said of the value must not be lost.
  if (!attribute.string.has_value() || attribute.int_.has_value() || attribute.bool_.has_value() ||
      attribute.version.has_value() || !attribute.strings.empty() || !attribute.ints.empty() ||
      !attribute.bools.empty() || !attribute.versions.empty()) {
    return false;
  }
  std::set<std::string>& seen = seen_[{driver, name}];
  if (seen.size() <= max_shared_values_) {
    seen.insert(*attribute.string);
  }
  return seen.size() > max_shared_values_;
}

std::shared_ptr<const Value> ShapeTable::Intern(const std::string& text) {
  const std::lock_guard lock(mu_);
  std::weak_ptr<const Value>& known = values_[text];
  std::shared_ptr<const Value> value = known.lock();
  if (value == nullptr) {
    value = std::make_shared<const Value>(text);
    known = value;
  }
  if (values_.size() > values_to_purge_) {
    std::erase_if(values_, [](const auto& entry) { return entry.second.expired(); });
    values_to_purge_ = 2 * values_.size() + 4096;
  }
  return value;
}

const Value* ShapeTable::FindValue(std::string_view text) const {
  const std::lock_guard lock(mu_);
  const auto it = values_.find(text);
  return it == values_.end() ? nullptr : it->second.lock().get();
}

std::shared_ptr<const SliceShape> ShapeTable::MakeShape(
    const ResourceSliceSpec& spec, std::vector<api::resource::Device> devices,
    std::vector<std::vector<std::string>> own_names) {
  auto shape = std::make_shared<SliceShape>();
  shape->driver = spec.driver;
  shape->has_node_name = spec.node_name.has_value();
  shape->all_nodes = spec.all_nodes;
  shape->node_selector = spec.node_selector;
  shape->per_device_node_selection = spec.per_device_node_selection;
  shape->shared_counters = spec.shared_counters;
  shape->skip_node_operations = spec.skip_node_operations;
  shape->api_devices = std::move(devices);
  shape->devices.reserve(shape->api_devices.size());
  std::uint32_t first_own = 0;
  for (std::size_t i = 0; i < shape->api_devices.size(); ++i) {
    const api::resource::Device& api = shape->api_devices[i];
    Device device;
    device.api = &api;
    device.content = contents_.Find(spec.driver, api);
    device.shareable = api.allow_multiple_allocations.value_or(false);
    for (const auto& consumption : api.consumes_counters) {
      shape->has_compatibility_groups =
          shape->has_compatibility_groups || !consumption.compatibility_groups.empty();
      for (const auto& [name, counter] : consumption.counters) {
        device.consumption.push_back({consumption.counter_set, name, ToAmount(counter.value)});
      }
    }
    for (const auto& [name, capacity] : api.capacity) {
      device.capacity.push_back({name, &capacity, ToAmount(capacity.value)});
      device.has_plain_capacity = device.has_plain_capacity &&
                                  !capacity.request_policy.has_value() &&
                                  device.capacity.back().value >= 0;
    }
    device.own_attributes = std::move(own_names[i]);
    device.first_own = first_own;
    first_own += static_cast<std::uint32_t>(device.own_attributes.size());
    shape->devices.push_back(std::move(device));
  }
  return shape;
}

}  // namespace assay::allocator::inventory
