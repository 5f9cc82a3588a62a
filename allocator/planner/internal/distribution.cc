#include "allocator/planner/internal/distribution.h"

#include <algorithm>
#include <set>

#include "allocator/search/search.h"
#include "allocator/selector/reads.h"
#include "api/json/json.h"

namespace assay::allocator::internal {
namespace {

using inventory::NodePool;

void AddText(std::string_view text, std::string& kind) {
  kind += std::to_string(text.size());
  kind += ':';
  kind += text;
}

template <typename T>
void AddValue(const T& value, std::string& kind) {
  kind.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// The attributes that the groups' claims read; false if they may read any.
bool FindReads(std::span<const Group> groups, const search::ClassFinder& find_class,
               std::set<std::string>& names) {
  std::vector<std::string> ids;
  bool known = true;
  const auto read = [&](const std::vector<api::resource::DeviceSelector>& selectors) {
    for (const auto& selector : selectors) {
      known =
          known && selector.cel.has_value() && selector::FindReads(selector.cel->expression, ids);
    }
  };
  const auto read_request = [&](const auto& request) {
    read(request.selectors);
    if (const auto* device_class = find_class(request.device_class_name); device_class != nullptr) {
      read(device_class->spec.selectors);
    }
    for (const auto& derived : request.derived_attributes) {
      known = known && selector::FindReads(derived.expression, ids);
    }
  };
  for (const Group& group : groups) {
    for (const api::resource::ResourceClaim* claim : group) {
      for (const auto& request : claim->spec.devices.requests) {
        if (request.exactly.has_value()) {
          read_request(*request.exactly);
        }
        for (const auto& subrequest : request.first_available) {
          read_request(subrequest);
        }
      }
      for (const auto& constraint : claim->spec.devices.constraints) {
        const std::string& name = constraint.match_attribute.has_value()
                                      ? *constraint.match_attribute
                                      : constraint.distinct_attribute.value_or("");
        ids.push_back(name.substr(name.find('/') + 1));
      }
    }
  }
  names.insert(ids.begin(), ids.end());
  return known;
}

// Everything of a node that a search for such claims can see, but for names. Slices that say by
// selector for which nodes they are have been looked at by then; devices that do so are told apart
// by the node's name.
std::string KindOf(const search::Input& input, bool reads_known,
                   const std::set<std::string>& reads) {
  std::string kind;
  for (const NodePool* pool : input.pools) {
    AddText(pool->driver(), kind);
    AddValue(pool->layout().id, kind);
    for (std::uint64_t word : pool->taken) {
      AddValue(word, kind);
    }
    for (std::uint32_t i = 0; i < pool->layout().counters.size(); ++i) {
      AddValue(pool->Available(i), kind);
    }
    for (const auto& [device, use] : pool->shares) {
      AddValue(device, kind);
      AddValue(use.has_consumed, kind);
      for (const auto& [name, amount] : use.consumed) {
        AddText(name, kind);
        AddValue(amount, kind);
      }
    }
    for (const inventory::LayoutDevice& device : pool->devices()) {
      if (device.slice->per_device_node_selection.value_or(false)) {
        AddText(input.node.metadata.name, kind);
      }
      for (std::size_t i = 0; i < device.device->own_attributes.size(); ++i) {
        const std::string& name = device.device->own_attributes[i];
        if (!reads_known || reads.contains(name.substr(name.find('/') + 1))) {
          AddText(*pool->base->own[device.first_own + i], kind);
        }
      }
    }
  }
  return kind;
}

}  // namespace

Distribution::Distribution(const Snapshot& snapshot, const std::vector<api::core::Node>& nodes,
                           std::span<const Group> groups, const std::vector<std::size_t>& order,
                           const PlannerOptions& options)
    : snapshot_(snapshot),
      nodes_(nodes),
      groups_(groups),
      order_(order),
      options_(options),
      assignment_(nodes.size()) {
  for (const Group& group : groups) {
    std::string& form = forms_.emplace_back();
    for (const api::resource::ResourceClaim* claim : group) {
      AddText(api::json::EncodeAs(claim->spec.devices), form);
    }
  }
}

Status Distribution::FindKinds() {
  std::set<std::pair<std::string, std::string>> pools;
  std::set<std::string> reads;
  bool reads_known = false;
  for (const api::core::Node& node : nodes_) {
    ASSAY_RETURN_IF_ERROR(
        snapshot_.WithSearch({}, node, options_.allocate, [&](const search::Input& input) {
          if (kinds_.empty()) {
            reads_known = FindReads(groups_, input.find_class, reads);
          }
          for (const NodePool* pool : input.pools) {
            separate_ = separate_ && (pool->devices().empty() ||
                                      pools.emplace(pool->driver(), pool->name()).second);
          }
          kinds_.push_back(KindOf(input, reads_known, reads));
          return OkStatus();
        }));
  }
  return OkStatus();
}

Result<Distribution::Outcome> Distribution::Find() {
  ASSAY_RETURN_IF_ERROR(FindKinds());
  ASSAY_ASSIGN_OR_RETURN(const bool found, Next(0));
  if (found) {
    return Outcome::kFound;
  }
  return gave_up_ || !separate_ ? Outcome::kUnknown : Outcome::kImpossible;
}

const std::vector<std::size_t>& Distribution::GroupsOf(std::string_view node) const {
  const auto place = std::ranges::find(
      nodes_, node, [](const api::core::Node& n) -> std::string_view { return n.metadata.name; });
  return assignment_[static_cast<std::size_t>(place - nodes_.begin())];
}

Result<bool> Distribution::Next(std::size_t place) {
  if (place == order_.size()) {
    return true;
  }
  std::set<std::string_view> tried;  // kinds of nodes that have none of the groups
  for (std::size_t node = 0; node < nodes_.size(); ++node) {
    if (assignment_[node].empty() && !tried.insert(kinds_[node]).second) {
      continue;
    }
    assignment_[node].push_back(order_[place]);
    ASSAY_ASSIGN_OR_RETURN(const bool fits, Fits(node));
    if (fits) {
      ASSAY_ASSIGN_OR_RETURN(const bool found, Next(place + 1));
      if (found) {
        return true;
      }
    }
    assignment_[node].pop_back();
    if (gave_up_) {
      return false;
    }
  }
  return false;
}

Result<bool> Distribution::Fits(std::size_t node) {
  std::vector<std::string_view> forms;
  for (std::size_t group : assignment_[node]) {
    forms.push_back(forms_[group]);
  }
  std::ranges::sort(forms);
  std::string key = kinds_[node];
  for (std::string_view form : forms) {
    AddText(form, key);
  }
  if (const auto known = known_.find(key); known != known_.end()) {
    return known->second;
  }
  if (++steps_ > options_.max_batch_steps) {
    gave_up_ = true;
    return false;
  }
  Group together;
  for (std::size_t group : assignment_[node]) {
    together.insert(together.end(), groups_[group].begin(), groups_[group].end());
  }
  const auto allocations = snapshot_.Allocate(together, nodes_[node], options_.allocate);
  if (!allocations.ok()) {
    if (allocations.status().code() == StatusCode::kInvalidArgument) {
      return allocations.status();
    }
    // An invalid pool, or a search that was given up: nothing is proven by that.
    gave_up_ = gave_up_ || allocations.status().code() != StatusCode::kFailedPrecondition;
    return false;
  }
  known_.emplace(std::move(key), allocations->has_value());
  return allocations->has_value();
}

}  // namespace assay::allocator::internal
