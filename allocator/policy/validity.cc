#include "allocator/policy/validity.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "allocator/selector/derived_attribute.h"
#include "api/meta/quantity.h"
#include "cel/dra/selector.h"

namespace assay::allocator::policy {
namespace {

using api::core::Node;
using api::core::NodeSelector;
using api::core::NodeSelectorRequirement;
using api::meta::Quantity;
using api::resource::AllocationResult;
using api::resource::Device;
using api::resource::DeviceAttribute;
using api::resource::DeviceClass;
using api::resource::DeviceConstraint;
using api::resource::DeviceRequestAllocationResult;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;

constexpr std::size_t kMaxResults = 32;

std::string NameOf(const ResourceClaim& claim) {
  return claim.metadata.namespace_ + "/" + claim.metadata.name;
}

// What a request or subrequest asks for.
struct Wanted {
  const std::string* class_name;
  const std::vector<api::resource::DeviceSelector>* selectors;
  const std::vector<api::resource::DeviceToleration>* tolerations;
  const api::resource::CapacityRequirements* capacity;
  bool all;
  std::int64_t count;
  bool admin;
};

template <typename Request>
Wanted WantedOf(const Request& request, bool admin) {
  return {&request.device_class_name,
          &request.selectors,
          &request.tolerations,
          request.capacity.has_value() ? &*request.capacity : nullptr,
          request.allocation_mode == "All",
          request.count,
          admin};
}

bool RequirementHolds(const NodeSelectorRequirement& requirement, const std::string* value) {
  const auto& values = requirement.values;
  const bool listed =
      value != nullptr && std::find(values.begin(), values.end(), *value) != values.end();
  const std::string& op = requirement.operator_;
  if (op == "In") {
    return listed;
  }
  if (op == "NotIn") {
    return !listed;
  }
  if (op == "Exists" || op == "DoesNotExist") {
    return (value != nullptr) == (op == "Exists");
  }
  const auto number = [](const std::string& text) -> std::optional<std::int64_t> {
    std::int64_t parsed = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), parsed);
    return end.ec == std::errc() && end.ptr == text.data() + text.size() ? std::optional(parsed)
                                                                         : std::nullopt;
  };
  if ((op != "Gt" && op != "Lt") || value == nullptr || values.size() != 1) {
    return false;
  }
  const auto actual = number(*value);
  const auto limit = number(values[0]);
  return actual.has_value() && limit.has_value() &&
         (op == "Gt" ? *actual > *limit : *actual < *limit);
}

bool SelectorHolds(const NodeSelector& selector, const Node& node) {
  return std::ranges::any_of(selector.node_selector_terms, [&](const auto& term) {
    const auto labelled = [&](const NodeSelectorRequirement& requirement) {
      const auto label = node.metadata.labels.find(requirement.key);
      return RequirementHolds(requirement,
                              label == node.metadata.labels.end() ? nullptr : &label->second);
    };
    const auto named = [&](const NodeSelectorRequirement& requirement) {
      return RequirementHolds(requirement,
                              requirement.key == "metadata.name" ? &node.metadata.name : nullptr);
    };
    return !(term.match_expressions.empty() && term.match_fields.empty()) &&
           std::ranges::all_of(term.match_expressions, labelled) &&
           std::ranges::all_of(term.match_fields, named);
  });
}

// The node fields that a slice and a device have in common.
template <typename T>
bool IsForNode(const T& selection, const Node& node) {
  if (!selection.node_name.value_or("").empty()) {
    return *selection.node_name == node.metadata.name;
  }
  return selection.all_nodes.value_or(false) ||
         (selection.node_selector.has_value() && SelectorHolds(*selection.node_selector, node));
}

bool IsForNode(const ResourceSlice& slice, const Device& device, const Node& node) {
  return slice.spec.per_device_node_selection.value_or(false) ? IsForNode(device, node)
                                                              : IsForNode(slice.spec, node);
}

// One value of an attribute, with its type.
std::vector<std::string> ValuesOf(const DeviceAttribute& attribute, bool lists) {
  std::vector<std::string> values;
  if (attribute.string.has_value()) {
    values.push_back("s" + *attribute.string);
  } else if (attribute.int_.has_value()) {
    values.push_back("i" + std::to_string(*attribute.int_));
  } else if (attribute.bool_.has_value()) {
    values.push_back(*attribute.bool_ ? "b1" : "b0");
  } else if (attribute.version.has_value()) {
    values.push_back("v" + *attribute.version);
  } else if (lists) {
    for (const std::string& value : attribute.strings) {
      values.push_back("s" + value);
    }
    for (std::int64_t value : attribute.ints) {
      values.push_back("i" + std::to_string(value));
    }
    for (bool value : attribute.bools) {
      values.push_back(value ? "b1" : "b0");
    }
    for (const std::string& value : attribute.versions) {
      values.push_back("v" + value);
    }
  }
  return values;
}

cel::dra::AttributeValue CelValueOf(const DeviceAttribute& attribute, bool lists) {
  if (lists && !attribute.ints.empty()) {
    return attribute.ints;
  }
  if (lists && !attribute.bools.empty()) {
    return std::vector<bool>(attribute.bools.begin(), attribute.bools.end());
  }
  if (lists && !attribute.strings.empty()) {
    return attribute.strings;
  }
  if (lists && !attribute.versions.empty()) {
    std::vector<cel::dra::Version> versions;
    for (const std::string& text : attribute.versions) {
      versions.push_back({text});
    }
    return versions;
  }
  if (attribute.int_.has_value()) {
    return *attribute.int_;
  }
  if (attribute.bool_.has_value()) {
    return *attribute.bool_;
  }
  if (attribute.string.has_value()) {
    return *attribute.string;
  }
  if (attribute.version.has_value()) {
    return cel::dra::Version{*attribute.version};
  }
  return std::monostate();
}

const DeviceAttribute* AttributeOf(const Device& device, const std::string& driver,
                                   const std::string& name) {
  const auto full = device.attributes.find(name);
  if (full != device.attributes.end()) {
    return &full->second;
  }
  const std::size_t slash = name.find('/');
  if (slash == std::string::npos || name.substr(0, slash) != driver) {
    return nullptr;
  }
  const auto bare = device.attributes.find(name.substr(slash + 1));
  return bare == device.attributes.end() ? nullptr : &bare->second;
}

bool IsTolerated(const api::resource::DeviceTaint& taint,
                 const std::vector<api::resource::DeviceToleration>& tolerations) {
  return std::ranges::any_of(tolerations, [&](const auto& toleration) {
    return (toleration.effect.empty() || toleration.effect == taint.effect) &&
           (toleration.key.empty() || toleration.key == taint.key) &&
           (toleration.operator_ == "Exists" || ((toleration.operator_.empty() ||  //
                                                  toleration.operator_ == "Equal") &&
                                                 toleration.value == taint.value));
  });
}

class Checker {
 public:
  explicit Checker(const World& world) : world_(world) {}

  std::vector<std::string> Run(std::span<const Placed> placed) {
    for (const Placed& one : placed) {
      const auto claim = std::ranges::find(world_.claims, one.claim, NameOf);
      const auto node = std::ranges::find_if(
          world_.nodes, [&](const Node& n) { return n.metadata.name == one.node; });
      if (claim == world_.claims.end() || !claim->status.allocation.has_value()) {
        Report(one.claim, "is not allocated");
      } else if (node == world_.nodes.end()) {
        Report(one.claim, "is placed on node " + one.node + ", which does not exist");
      } else {
        judged_.insert(one.claim);
        CheckClaim(*claim, *node);
      }
    }
    CheckUse();
    return std::move(violations_);
  }

 private:
  struct Found {
    const ResourceSlice* slice = nullptr;
    const Device* device = nullptr;
  };

  void Report(const std::string& subject, const std::string& text) {
    violations_.push_back(subject + ": " + text);
  }

  // ---- one claim ----

  void CheckClaim(const ResourceClaim& claim, const Node& node) {
    const std::string name = NameOf(claim);
    const AllocationResult& allocation = *claim.status.allocation;
    const auto& results = allocation.devices.results;
    if (results.size() > kMaxResults) {
      Report(name, std::to_string(results.size()) + " devices, more than 32");
    }
    if (allocation.node_selector.has_value() && !SelectorHolds(*allocation.node_selector, node)) {
      Report(name, "its node selector does not select node " + node.metadata.name);
    }
    std::set<std::size_t> claimed;
    for (const auto& request : claim.spec.devices.requests) {
      std::vector<std::pair<std::string, Wanted>> alternatives;
      if (request.exactly.has_value()) {
        alternatives.emplace_back(
            request.name,
            WantedOf(*request.exactly, request.exactly->admin_access.value_or(false)));
      }
      for (const auto& subrequest : request.first_available) {
        alternatives.emplace_back(request.name + "/" + subrequest.name,
                                  WantedOf(subrequest, false));
      }
      int served = 0;
      for (const auto& [full_name, wanted] : alternatives) {
        std::vector<const DeviceRequestAllocationResult*> own;
        for (std::size_t i = 0; i < results.size(); ++i) {
          if (results[i].request == full_name) {
            own.push_back(&results[i]);
            claimed.insert(i);
          }
        }
        if (!own.empty()) {
          ++served;
          CheckRequest(name, full_name, wanted, own, node);
        }
      }
      if (served != 1) {
        Report(name, "request " + request.name + " is served by " + std::to_string(served) +
                         " of its alternatives");
      }
    }
    if (claimed.size() != results.size()) {
      Report(name, "has devices that no request asks for");
    }
    for (const DeviceConstraint& constraint : claim.spec.devices.constraints) {
      CheckConstraint(claim, constraint, results, node);
    }
    CheckOnceEach(name, results);
  }

  void CheckRequest(const std::string& claim, const std::string& request, const Wanted& wanted,
                    const std::vector<const DeviceRequestAllocationResult*>& results,
                    const Node& node) {
    const std::string where = claim + ", request " + request;
    if (!wanted.all && static_cast<std::int64_t>(results.size()) != wanted.count) {
      Report(where, std::to_string(results.size()) + " devices instead of " +
                        std::to_string(wanted.count));
    }
    std::set<std::string> distinct;
    for (const DeviceRequestAllocationResult* result : results) {
      const std::string id = result->driver + "/" + result->pool + "/" + result->device;
      if (!distinct.insert(id).second) {
        Report(where, "has " + id + " twice");
      }
      if (result->admin_access.value_or(false) != wanted.admin) {
        Report(where, "adminAccess of " + id + " is not as asked for");
      }
      const Found found = Find(*result, node);
      if (found.device == nullptr) {
        Report(where, id + " is not offered to node " + node.metadata.name);
        continue;
      }
      CheckDevice(where, id, wanted, *result, found);
    }
    if (wanted.all) {
      CheckAll(where, wanted, results.size(), node);
    }
  }

  void CheckDevice(const std::string& where, const std::string& id, const Wanted& wanted,
                   const DeviceRequestAllocationResult& result, const Found& found) {
    const Device& device = *found.device;
    if (!Selects(wanted, *found.slice, device)) {
      Report(where, id + " is not selected");
    }
    for (const auto& taint : device.taints) {
      if (world_.features.device_taints &&
          (taint.effect == "NoSchedule" || taint.effect == "NoExecute") &&
          !IsTolerated(taint, *wanted.tolerations)) {
        Report(where, id + " has taint " + taint.key + ", which is not tolerated");
      }
    }
    if (!device.consumes_counters.empty() && !world_.features.partitionable_devices) {
      Report(where, id + " consumes counters, but the feature is off");
    }
    if (!device.binding_conditions.empty() && !world_.features.device_binding_and_status) {
      Report(where, id + " has binding conditions, but the feature is off");
    }
    const bool shareable =
        world_.features.consumable_capacity && device.allow_multiple_allocations.value_or(false);
    if (shareable != result.share_id.has_value()) {
      Report(where, id + (shareable ? " lacks a share ID" : " has a share ID"));
    }
    if (world_.features.consumable_capacity) {
      CheckCapacity(where, id, wanted, result, device, shareable);
    }
  }

  void CheckCapacity(const std::string& where, const std::string& id, const Wanted& wanted,
                     const DeviceRequestAllocationResult& result, const Device& device,
                     bool shareable) {
    static const std::map<std::string, Quantity> kNone;
    const auto& requests = wanted.capacity == nullptr ? kNone : wanted.capacity->requests;
    for (const auto& [name, quantity] : requests) {
      const auto capacity = device.capacity.find(name);
      if (capacity == device.capacity.end()) {
        Report(where, id + " has no capacity " + name);
      } else if (quantity > capacity->second.value) {
        Report(where, id + " has too little " + name);
      }
    }
    if (!shareable) {
      return;
    }
    for (const auto& [name, capacity] : device.capacity) {
      const auto consumed = result.consumed_capacity.find(name);
      if (consumed == result.consumed_capacity.end()) {
        Report(where, id + " does not say what it consumes of " + name);
        continue;
      }
      const Quantity& amount = consumed->second;
      const auto asked = requests.find(name);
      if (asked != requests.end() && amount < asked->second) {
        Report(where, id + " consumes less " + name + " than was asked for");
      }
      const auto& policy = capacity.request_policy;
      if (!policy.has_value() || (policy->default_.has_value() && amount == *policy->default_)) {
        continue;
      }
      const auto& range = policy->valid_range;
      const auto& valid = policy->valid_values;
      if (range.has_value()
              ? (range->min.has_value() && amount < *range->min) ||
                    (range->max.has_value() && amount > *range->max)
              : !valid.empty() && std::find(valid.begin(), valid.end(), amount) == valid.end()) {
        Report(where, id + " consumes of " + name + " what its policy does not allow");
      }
    }
  }

  // All devices that match, and at least one.
  void CheckAll(const std::string& where, const Wanted& wanted, std::size_t count,
                const Node& node) {
    std::size_t offered = 0;
    for (const ResourceSlice& slice : world_.slices) {
      if (!IsCurrent(slice, node)) {
        continue;
      }
      for (const Device& device : slice.spec.devices) {
        const bool fits = wanted.capacity == nullptr ||
                          std::ranges::all_of(wanted.capacity->requests, [&](const auto& entry) {
                            return device.capacity.contains(entry.first);
                          });
        offered += IsForNode(slice, device, node) && fits && Selects(wanted, slice, device) ? 1 : 0;
      }
    }
    // With consumable capacity, devices without enough of it are left out.
    if (count == 0 || count > offered ||
        (count < offered && wanted.capacity == nullptr && !world_.features.consumable_capacity)) {
      Report(where, "has " + std::to_string(count) + " of all " + std::to_string(offered));
    }
  }

  // The expression by which a request derives the attribute; null: it derives none of that name.
  const std::string* DerivationOf(const ResourceClaim& claim, const std::string& request,
                                  const std::string& name) const {
    const std::string* expression = nullptr;
    const auto look = [&](const std::string& full_name, const auto& derived) {
      for (const auto& attribute : derived) {
        if (full_name == request && attribute.name == name && world_.features.derived_attributes) {
          expression = &attribute.expression;
        }
      }
    };
    for (const auto& each : claim.spec.devices.requests) {
      if (each.exactly.has_value()) {
        look(each.name, each.exactly->derived_attributes);
      }
      for (const auto& subrequest : each.first_available) {
        look(each.name + "/" + subrequest.name, subrequest.derived_attributes);
      }
    }
    return expression;
  }

  // The attribute that a constraint compares; none: the device does not have it.
  std::optional<DeviceAttribute> Compared(const ResourceClaim& claim, const std::string& request,
                                          const Found& found, const std::string& name) const {
    if (const std::string* expression = DerivationOf(claim, request, name)) {
      const selector::DerivedAttribute derived(*expression, world_.features.OfSelectors());
      const auto attribute = derived.error().empty()
                                 ? derived.Evaluate(CelDeviceOf(*found.slice, *found.device))
                                 : InvalidArgumentError(derived.error());
      return attribute.ok() ? std::optional(*attribute) : std::nullopt;
    }
    const DeviceAttribute* attribute = AttributeOf(*found.device, found.slice->spec.driver, name);
    return attribute == nullptr ? std::nullopt : std::optional(*attribute);
  }

  void CheckConstraint(const ResourceClaim& of_claim, const DeviceConstraint& constraint,
                       const std::vector<DeviceRequestAllocationResult>& results,
                       const Node& node) {
    const std::string claim = NameOf(of_claim);
    const bool distinct = !constraint.match_attribute.has_value();
    const std::string& name =
        distinct ? *constraint.distinct_attribute : *constraint.match_attribute;
    std::optional<std::set<std::string>> common;
    std::set<std::string> seen;
    for (const DeviceRequestAllocationResult& result : results) {
      const std::string parent = result.request.substr(0, result.request.find('/'));
      const auto& requests = constraint.requests;
      if (!requests.empty() &&
          std::find(requests.begin(), requests.end(), result.request) == requests.end() &&
          std::find(requests.begin(), requests.end(), parent) == requests.end()) {
        continue;
      }
      const Found found = Find(result, node);
      const std::optional<DeviceAttribute> attribute =
          found.device == nullptr ? std::nullopt : Compared(of_claim, result.request, found, name);
      if (!attribute.has_value()) {
        Report(claim, result.device + " has no attribute " + name);
        continue;
      }
      const auto values = ValuesOf(*attribute, world_.features.list_type_attributes);
      const std::set<std::string> own(values.begin(), values.end());
      if (distinct) {
        for (const std::string& value : own) {
          if (!seen.insert(value).second) {
            Report(claim, "two devices have " + name + " = " + value.substr(1));
          }
        }
      } else if (!common.has_value()) {
        common = own;
      } else {
        std::erase_if(*common, [&](const std::string& value) { return !own.contains(value); });
        if (common->empty()) {
          Report(claim, result.device + " has another " + name + " than the devices before it");
        }
      }
    }
  }

  // A device that is no share, once in a claim.
  void CheckOnceEach(const std::string& claim,
                     const std::vector<DeviceRequestAllocationResult>& results) {
    std::set<std::string> seen;
    for (const auto& result : results) {
      const std::string id = result.driver + "/" + result.pool + "/" + result.device;
      if (!result.share_id.has_value() && !seen.insert(id).second) {
        Report(claim, "has " + id + " twice");
      }
    }
  }

  // ---- pools ----

  bool IsRelevant(const ResourceSlice& slice, const Node& node) const {
    if (!world_.features.partitionable_devices &&
        (slice.spec.per_device_node_selection.has_value() || !slice.spec.shared_counters.empty())) {
      return false;
    }
    if (slice.spec.per_device_node_selection.value_or(false)) {
      return std::ranges::any_of(slice.spec.devices,
                                 [&](const Device& device) { return IsForNode(device, node); });
    }
    return !slice.spec.shared_counters.empty() || IsForNode(slice.spec, node);
  }

  // Whether the slice is of the generation that the node uses, and that is all there.
  bool IsCurrent(const ResourceSlice& slice, const Node& node) const {
    if (!IsRelevant(slice, node)) {
      return false;
    }
    std::int64_t slices = 0;
    std::int64_t relevant = 0;
    bool newer = false;
    for (const ResourceSlice& other : world_.slices) {
      if (other.spec.driver != slice.spec.driver || other.spec.pool.name != slice.spec.pool.name) {
        continue;
      }
      if (other.spec.pool.generation > slice.spec.pool.generation) {
        newer = true;
        if (IsRelevant(other, node)) {
          return false;
        }
      }
      if (other.spec.pool.generation == slice.spec.pool.generation) {
        ++slices;
        relevant += IsRelevant(other, node) ? 1 : 0;
      }
    }
    // What is left of an older generation counts only for a node that sees all of it.
    return slices == slice.spec.pool.resource_slice_count && (relevant == slices || !newer);
  }

  Found Find(const DeviceRequestAllocationResult& result, const Node& node) const {
    Found found;
    for (const ResourceSlice& slice : world_.slices) {
      if (slice.spec.driver != result.driver || slice.spec.pool.name != result.pool ||
          !IsCurrent(slice, node)) {
        continue;
      }
      for (const Device& device : slice.spec.devices) {
        if (device.name != result.device) {
          continue;
        }
        if (found.device != nullptr) {
          return {};  // two of one name: the pool is invalid
        }
        if (IsForNode(slice, device, node)) {
          found = {&slice, &device};
        }
      }
    }
    return found;
  }

  // ---- selectors ----

  bool Selects(const Wanted& wanted, const ResourceSlice& slice, const Device& device) {
    const auto device_class = std::ranges::find_if(world_.classes, [&](const DeviceClass& c) {
      return c.metadata.name == *wanted.class_name;
    });
    return device_class != world_.classes.end() &&
           SelectsAll(device_class->spec.selectors, slice, device) &&
           SelectsAll(*wanted.selectors, slice, device);
  }

  cel::dra::Device CelDeviceOf(const ResourceSlice& slice, const Device& device) const {
    const cel::dra::Features features = world_.features.OfSelectors();
    cel::dra::DeviceContent content;
    content.driver = slice.spec.driver;
    content.allow_multiple_allocations = device.allow_multiple_allocations.value_or(false);
    for (const auto& [name, attribute] : device.attributes) {
      content.attributes.push_back({name, CelValueOf(attribute, features.list_type_attributes)});
    }
    for (const auto& [name, capacity] : device.capacity) {
      content.capacity.push_back({name, capacity.value.ToString()});
    }
    return cel::dra::Device(content, features);
  }

  bool SelectsAll(const std::vector<api::resource::DeviceSelector>& selectors,
                  const ResourceSlice& slice, const Device& device) {
    const cel::dra::Features features = world_.features.OfSelectors();
    const cel::dra::Device prepared = CelDeviceOf(slice, device);
    return std::ranges::all_of(selectors, [&](const api::resource::DeviceSelector& selector) {
      if (!selector.cel.has_value()) {
        return false;
      }
      const std::string& expression = selector.cel->expression;
      auto compiled = compiled_.find(expression);
      if (compiled == compiled_.end()) {
        compiled = compiled_
                       .emplace(expression,
                                cel::dra::CompileSelector(
                                    expression, {.features = features, .estimate_cost = false}))
                       .first;
      }
      if (!compiled->second.ok()) {
        return false;
      }
      const Result<bool> matches = compiled->second.Matches(prepared);
      return matches.ok() && *matches;
    });
  }

  // ---- what all claims hold together ----

  // How much of one device is held, and whether by a claim that is judged.
  struct Held {
    int dedicated = 0;
    int shares = 0;
    bool judged = false;
    std::map<std::string, Quantity> consumed;
  };
  using DeviceId = std::pair<std::pair<std::string, std::string>, std::string>;

  void CheckUse() {
    std::map<DeviceId, Held> held;
    for (const ResourceClaim& claim : world_.claims) {
      if (!claim.status.allocation.has_value()) {
        continue;
      }
      const bool judged = judged_.contains(NameOf(claim));
      for (const auto& result : claim.status.allocation->devices.results) {
        if (result.admin_access.value_or(false)) {
          continue;
        }
        Held& device = held[{{result.driver, result.pool}, result.device}];
        device.judged = device.judged || judged;
        const bool shared = world_.features.consumable_capacity && result.share_id.has_value();
        ++(shared ? device.shares : device.dedicated);
        for (const auto& [name, quantity] : result.consumed_capacity) {
          device.consumed[name].Add(quantity);
        }
      }
    }
    for (const auto& [id, device] : held) {
      CheckHeld(id, device);
    }
    CheckCounters(held);
  }

  void CheckHeld(const DeviceId& id, const Held& held) {
    const std::string name = id.first.first + "/" + id.first.second + "/" + id.second;
    if (!held.judged) {
      return;
    }
    if (held.dedicated > 1 || (held.dedicated > 0 && held.shares > 0)) {
      Report(name, "is held twice");
    }
    for (const ResourceSlice& slice : world_.slices) {
      if (slice.spec.driver != id.first.first || slice.spec.pool.name != id.first.second) {
        continue;
      }
      for (const Device& device : slice.spec.devices) {
        for (const auto& [capacity, value] : device.capacity) {
          const auto consumed = held.consumed.find(capacity);
          if (device.name == id.second && held.shares > 0 && consumed != held.consumed.end() &&
              consumed->second > value.value) {
            Report(name, "more of " + capacity + " is consumed than there is");
          }
        }
      }
    }
  }

  void CheckCounters(const std::map<DeviceId, Held>& held) {
    struct Left {
      Quantity value;
      bool judged = false;
    };
    std::map<std::pair<std::string, std::string>, std::int64_t> newest;
    for (const ResourceSlice& slice : world_.slices) {
      std::int64_t& generation = newest[{slice.spec.driver, slice.spec.pool.name}];
      generation = std::max(generation, slice.spec.pool.generation);
    }
    std::map<std::vector<std::string>, Left> left;
    const auto current = [&](const ResourceSlice& slice) {
      return newest.at({slice.spec.driver, slice.spec.pool.name}) == slice.spec.pool.generation;
    };
    for (const ResourceSlice& slice : world_.slices) {
      for (const auto& set : slice.spec.shared_counters) {
        for (const auto& [name, counter] : set.counters) {
          if (current(slice)) {
            left[{slice.spec.driver, slice.spec.pool.name, set.name, name}].value = counter.value;
          }
        }
      }
    }
    for (const ResourceSlice& slice : world_.slices) {
      for (const Device& device : slice.spec.devices) {
        const auto use = held.find({{slice.spec.driver, slice.spec.pool.name}, device.name});
        if (use == held.end() || !current(slice)) {
          continue;
        }
        for (const auto& consumption : device.consumes_counters) {
          for (const auto& [name, counter] : consumption.counters) {
            Left& counter_left =
                left[{slice.spec.driver, slice.spec.pool.name, consumption.counter_set, name}];
            counter_left.value.Sub(counter.value);
            counter_left.judged = counter_left.judged || use->second.judged;
          }
        }
      }
    }
    for (const auto& [key, counter] : left) {
      if (counter.judged && counter.value.Sign() < 0) {
        Report(key[0] + "/" + key[1], "counter " + key[2] + "/" + key[3] + " is below zero");
      }
    }
  }

  const World& world_;
  std::map<std::string, cel::dra::CompiledSelector> compiled_;
  std::set<std::string> judged_;
  std::vector<std::string> violations_;
};

}  // namespace

std::vector<std::string> FindViolations(const World& world, std::span<const Placed> placed) {
  return Checker(world).Run(placed);
}

}  // namespace assay::allocator::policy
