#include "allocator/search/result_builder.h"

#include <algorithm>
#include <set>

#include "allocator/search/capacity.h"
#include "api/core/types.h"
#include "base/random.h"

namespace assay::allocator::search {
namespace {

using api::core::NodeSelector;
using api::core::NodeSelectorRequirement;
using api::resource::AllocationResult;
using api::resource::DeviceAllocationConfiguration;
using api::resource::DeviceConfiguration;
using api::resource::DeviceRequestAllocationResult;

std::string NewShareId(const AllocateOptions& options) {
  return options.new_share_id ? options.new_share_id() : Random::FromSystem().Uuid();
}

DeviceRequestAllocationResult ToResult(const ResultDevice& chosen, const ResultInput& input) {
  const api::resource::Device& device = chosen.device.api();
  DeviceRequestAllocationResult result;
  result.request = chosen.request->FullName();
  result.driver = chosen.device.pool->driver();
  result.pool = chosen.device.pool->name();
  result.device = device.name;
  if (chosen.request->admin_access) {
    result.admin_access = true;
  }
  result.tolerations = *chosen.request->tolerations;
  if (!chosen.dedicated) {
    result.share_id = NewShareId(input.options);
    result.consumed_capacity =
        ConsumedCapacity(chosen.device.device(), chosen.request->capacity, input.features);
  }
  if (input.features.AtLeast1_37() && input.features.IsExperimental()) {
    result.skip_node_operations = chosen.device.layout().slice->skip_node_operations;
  }
  if (input.features.device_binding_and_status) {
    result.binding_conditions = device.binding_conditions;
    result.binding_failure_conditions = device.binding_failure_conditions;
  }
  return result;
}

void AddConfig(const DeviceConfiguration& config, std::string source,
               std::vector<std::string> requests, AllocationResult& allocation) {
  DeviceAllocationConfiguration entry;
  static_cast<DeviceConfiguration&>(entry) = config;
  entry.source = std::move(source);
  entry.requests = std::move(requests);
  allocation.devices.config.push_back(std::move(entry));
}

// Each class' configuration once, with the names of the requests that use it.
void AddClassConfigs(const ResultInput& input, AllocationResult& allocation) {
  struct Range {
    std::size_t start;
    std::size_t end;
  };
  std::map<std::string, Range> of_class;
  std::vector<DeviceAllocationConfiguration>& configs = allocation.devices.config;
  for (const Request* request : input.chosen) {
    const std::string& name = request->device_class->metadata.name;
    if (const auto known = of_class.find(name); known != of_class.end()) {
      for (std::size_t i = known->second.start; i < known->second.end; ++i) {
        configs[i].requests.push_back(request->FullName());
      }
      continue;
    }
    const std::size_t start = configs.size();
    for (const auto& config : request->device_class->spec.config) {
      AddConfig(config, "FromClass", {request->FullName()}, allocation);
    }
    of_class[name] = {start, configs.size()};
  }
}

// The claim's own; 1.36 has one once for each request that it names.
void AddClaimConfigs(const ResultInput& input, AllocationResult& allocation) {
  for (const auto& config : input.claim.spec.devices.config) {
    if (config.requests.empty()) {
      AddConfig(config, "FromClaim", {}, allocation);
      continue;
    }
    const auto names = [&config](std::string_view name) {
      return std::find(config.requests.begin(), config.requests.end(), name) !=
             config.requests.end();
    };
    for (const Request* request : input.chosen) {
      if (names(request->base_name()) || (!request->parent.empty() && names(request->FullName()))) {
        AddConfig(config, "FromClaim", config.requests, allocation);
        if (input.features.AtLeast1_37()) {
          break;
        }
      }
    }
  }
}

// 1.37 says of a configuration for all requests that it is for all.
void ClearRequestsOfAll(const ResultInput& input, AllocationResult& allocation) {
  for (DeviceAllocationConfiguration& config : allocation.devices.config) {
    const std::vector<std::string>& names = config.requests;
    const auto has = [&names](std::string_view name) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    const bool for_all =
        !names.empty() &&
        std::all_of(input.chosen.begin(), input.chosen.end(), [&has](const Request* request) {
          return has(request->base_name()) || has(request->FullName());
        });
    if (for_all) {
      config.requests.clear();
    }
  }
}

void AddRequirements(const std::vector<NodeSelectorRequirement>& from,
                     std::vector<NodeSelectorRequirement>& to) {
  for (const NodeSelectorRequirement& requirement : from) {
    const bool known =
        std::any_of(to.begin(), to.end(), [&requirement](const NodeSelectorRequirement& other) {
          const auto as_set = [](const std::vector<std::string>& values) {
            return std::set<std::string>(values.begin(), values.end());
          };
          return other.key == requirement.key && other.operator_ == requirement.operator_ &&
                 as_set(other.values) == as_set(requirement.values);
        });
    if (!known) {
      to.push_back(requirement);
    }
  }
}

// Where the allocation can be used; null: everywhere.
Result<std::optional<NodeSelector>> MakeNodeSelector(const ResultInput& input) {
  NodeSelector selector;
  api::core::NodeSelectorTerm& term = selector.node_selector_terms.emplace_back();
  for (const ResultDevice& chosen : input.devices) {
    const inventory::SliceShape& slice = *chosen.device.layout().slice;
    const api::resource::Device& device = chosen.device.api();
    const bool per_device = slice.per_device_node_selection.value_or(false);
    const bool has_node_name = per_device ? device.node_name.has_value() : slice.has_node_name;
    const std::optional<NodeSelector>& node_selector =
        per_device ? device.node_selector : slice.node_selector;
    if (has_node_name || device.binds_to_node.value_or(false)) {
      NodeSelector local;
      local.node_selector_terms.emplace_back().match_fields.push_back(
          {"metadata.name", "In", {input.node.metadata.name}});
      return std::optional(std::move(local));
    }
    if (!node_selector.has_value() || node_selector->node_selector_terms.empty()) {
      continue;
    }
    if (node_selector->node_selector_terms.size() > 1) {
      return InvalidArgumentError("unsupported ResourceSlice.NodeSelector with " +
                                  std::to_string(node_selector->node_selector_terms.size()) +
                                  " terms");
    }
    // Upstream puts field requirements and expressions into their own lists.
    AddRequirements(node_selector->node_selector_terms[0].match_fields, term.match_fields);
    AddRequirements(node_selector->node_selector_terms[0].match_expressions,
                    term.match_expressions);
  }
  if (term.match_fields.empty() && term.match_expressions.empty()) {
    return std::optional<NodeSelector>();
  }
  return std::optional(std::move(selector));
}

}  // namespace

Result<AllocationResult> BuildResult(const ResultInput& input) {
  AllocationResult allocation;
  for (const ResultDevice& chosen : input.devices) {
    allocation.devices.results.push_back(ToResult(chosen, input));
  }
  AddClassConfigs(input, allocation);
  AddClaimConfigs(input, allocation);
  if (input.features.AtLeast1_37()) {
    ClearRequestsOfAll(input, allocation);
  }
  Result<std::optional<NodeSelector>> selector = MakeNodeSelector(input);
  if (!selector.ok()) {
    return selector.status().WithContext("create NodeSelector for claim " +
                                         input.claim.metadata.name);
  }
  allocation.node_selector = *std::move(selector);
  return allocation;
}

}  // namespace assay::allocator::search
