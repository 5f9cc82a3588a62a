#include "allocator/planner/planner.h"

#include <algorithm>
#include <set>

#include "allocator/planner/internal/distribution.h"
#include "allocator/search/search.h"
#include "api/json/json.h"
#include "base/check.h"

namespace assay::allocator {

using api::core::Node;
using api::resource::ResourceClaim;
using api::resource::ResourceSlice;

namespace {

constexpr std::size_t kMaxRemembered = 64;  // forms of claims, by node
constexpr std::size_t kMaxOrders = 16;      // in which PlaceAll tries the groups

std::string NameOf(const ResourceClaim& claim) {
  return claim.metadata.namespace_ + "/" + claim.metadata.name;
}

// What tells claims apart for the search: all but names. (Names of claims are in errors, which are
// not remembered.)
std::string FormOf(const Group& claims) {
  std::string form;
  for (const ResourceClaim* claim : claims) {
    form += api::json::EncodeAs(claim->spec.devices);
    form += '\n';
  }
  return form;
}

// How hard a group is to place: its devices, and whether they must agree on something.
std::pair<std::int64_t, std::size_t> DifficultyOf(const Group& group) {
  std::int64_t devices = 0;
  std::size_t constraints = 0;
  for (const ResourceClaim* claim : group) {
    constraints += claim->spec.devices.constraints.size();
    for (const auto& request : claim->spec.devices.requests) {
      devices += request.exactly.has_value()
                     ? request.exactly->count
                     : (request.first_available.empty() ? 0 : request.first_available[0].count);
    }
  }
  return {devices, constraints};
}

}  // namespace

Planner::Planner(PlannerOptions options)
    : options_(std::move(options)),
      inventory_({.features = options_.features}),
      best_fit_(scale_, ledger_, options_.best_fit) {}
Planner::~Planner() = default;

void Planner::SetNode(const Node& node) {
  const auto known =
      std::ranges::find(nodes_, node.metadata.name, [](const Node& n) { return n.metadata.name; });
  if (known != nodes_.end()) {
    *known = node;
  } else {
    nodes_.push_back(node);
  }
  fleet_.reset();
  remembered_.erase(node.metadata.name);
}

void Planner::RemoveNode(std::string_view name) {
  std::erase_if(nodes_, [&](const Node& node) { return node.metadata.name == name; });
  fleet_.reset();
  remembered_.erase(std::string(name));
}

void Planner::SetSlice(const ResourceSlice& slice) {
  inventory_.SetSlice(slice);
  slices_[slice.metadata.name] = slice;
  scale_.Add(slice);
  scale_changed_ = true;
}

void Planner::RemoveSlice(std::string_view name) {
  inventory_.RemoveSlice(name);
  if (const auto known = slices_.find(name); known != slices_.end()) {
    slices_.erase(known);
  }
  scale_ = policy::Scale();
  for (const auto& [slice_name, slice] : slices_) {
    scale_.Add(slice);
  }
  scale_changed_ = true;
}

void Planner::SetClass(const api::resource::DeviceClass& device_class) {
  inventory_.SetClass(device_class);
  classes_[device_class.metadata.name] = device_class;
  remembered_.clear();
}

void Planner::SetClaim(const ResourceClaim& claim) {
  const std::string name = NameOf(claim);
  if (const auto known = claims_.find(name); known != claims_.end()) {
    Changed(known->second);
    claims_.erase(known);
  }
  inventory_.SetClaim(claim);
  ledger_.Set(claim);
  if (claim.status.allocation.has_value()) {
    Changed(claim);
    claims_[name] = claim;
  }
}

void Planner::RemoveClaim(std::string_view namespace_name, std::string_view name) {
  inventory_.RemoveClaim(namespace_name, name);
  ledger_.Remove(namespace_name, name);
  const auto known = claims_.find(std::string(namespace_name) + "/" + std::string(name));
  if (known != claims_.end()) {
    Changed(known->second);
    claims_.erase(known);
  }
}

void Planner::Changed(const ResourceClaim& claim) {
  ++epoch_;
  for (const auto& result : claim.status.allocation->devices.results) {
    epochs_[{result.driver, result.pool}] = epoch_;
  }
}

Result<std::optional<Placement>> Planner::Place(const Group& claims, Policy policy) {
  if (scale_changed_) {
    best_fit_ = policy::BestFit(scale_, ledger_, options_.best_fit);
    remembered_.clear();
    scale_changed_ = false;
  }
  return policy == Policy::kFirstFit ? FirstFit(claims) : BestFit(claims);
}

Result<std::optional<Placement>> Planner::FirstFit(const Group& claims) {
  if (!fleet_.has_value()) {
    std::vector<const Node*> nodes;
    for (const Node& node : nodes_) {
      nodes.push_back(&node);
    }
    fleet_.emplace(std::move(nodes));
  }
  Attempt attempt(inventory_.TakeSnapshot(), claims, options_.allocate);
  ASSAY_ASSIGN_OR_RETURN(const std::optional<std::size_t> first, fleet_->FirstFit(attempt));
  if (!first.has_value()) {
    return std::optional<Placement>();
  }
  const Node& node = nodes_[*first];
  ASSAY_ASSIGN_OR_RETURN(auto allocations, attempt.Allocate(node));
  ASSAY_CHECK(allocations.has_value()) << node.metadata.name << " fitted";
  Placement placement;
  placement.node = node.metadata.name;
  placement.allocations = *std::move(allocations);
  return std::optional(std::move(placement));
}

Result<std::optional<Placement>> Planner::BestFit(const Group& claims) {
  const std::shared_ptr<const Snapshot> snapshot = inventory_.TakeSnapshot();
  const std::string form = FormOf(claims);
  Status error;
  std::optional<Placement> best;
  for (const Node& node : nodes_) {
    Result<std::optional<Placement>> placement = BestFitOn(*snapshot, claims, form, node);
    if (!placement.ok()) {
      if (placement.status().code() == StatusCode::kInvalidArgument) {
        return placement.status();
      }
      error = error.ok() ? placement.status() : error;
    } else if (placement->has_value() && (!best.has_value() || (*placement)->BetterThan(*best))) {
      best = *std::move(placement);
    }
  }
  if (!best.has_value() && !error.ok()) {
    return error;
  }
  return best;
}

Result<std::optional<Placement>> Planner::BestFitOn(const Snapshot& snapshot, const Group& claims,
                                                    const std::string& form, const Node& node) {
  std::optional<Placement> placement;
  ASSAY_RETURN_IF_ERROR(
      snapshot.WithSearch(claims, node, options_.allocate, [&](const search::Input& input) {
        std::vector<std::uint64_t> epochs;
        for (const inventory::NodePool* pool : input.pools) {
          const auto epoch = epochs_.find({pool->driver(), pool->name()});
          epochs.push_back(epoch == epochs_.end() ? 0 : epoch->second);
        }
        Remembered& remembered = remembered_[node.metadata.name];
        if (remembered.epochs != epochs || remembered.placements.size() > kMaxRemembered) {
          remembered = {std::move(epochs), {}};
        }
        if (const auto known = remembered.placements.find(form);
            known != remembered.placements.end()) {
          placement = known->second;
          return OkStatus();
        }
        ASSAY_ASSIGN_OR_RETURN(placement, best_fit_.Place(input));
        remembered.placements.emplace(form, placement);
        return OkStatus();
      }));
  return placement;
}

void Planner::Assume(const Group& group, const Placement& placement) {
  for (std::size_t i = 0; i < group.size(); ++i) {
    ResourceClaim claim = *group[i];
    claim.status.allocation = placement.allocations[i];
    SetClaim(claim);
  }
}

void Planner::Forget(const Group& group) {
  for (const ResourceClaim* claim : group) {
    RemoveClaim(claim->metadata.namespace_, claim->metadata.name);
  }
}

// Places the groups one after the other. False: `failed` does not fit with those before it.
Result<bool> Planner::PlaceInOrder(std::span<const Group> groups,
                                   const std::vector<std::size_t>& order,
                                   std::vector<Placement>* placements, std::size_t* failed,
                                   BatchPlacement* answer) {
  std::vector<std::size_t> placed;
  Status error;
  for (std::size_t number : order) {
    answer->steps += nodes_.size();
    Result<std::optional<Placement>> placement = Place(groups[number], Policy::kBestFit);
    if (!placement.ok() || !placement->has_value()) {
      error = placement.status();
      *failed = number;
      break;
    }
    Assume(groups[number], **placement);
    (*placements)[number] = **std::move(placement);
    placed.push_back(number);
  }
  for (std::size_t number : placed) {
    Forget(groups[number]);
  }
  if (!error.ok()) {
    return error;
  }
  if (placed.size() == groups.size()) {
    return true;
  }
  if (answer->unplaced.empty() || groups.size() - placed.size() < answer->unplaced.size()) {
    answer->unplaced.clear();
    for (std::size_t i = 0; i < groups.size(); ++i) {
      if (std::find(placed.begin(), placed.end(), i) == placed.end()) {
        answer->unplaced.push_back(i);
      }
    }
  }
  return false;
}

Result<BatchPlacement> Planner::PlaceAll(std::span<const Group> groups) {
  BatchPlacement answer;
  std::vector<std::size_t> order(groups.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return DifficultyOf(groups[a]) > DifficultyOf(groups[b]);
  });
  std::set<std::vector<std::size_t>> tried;
  for (std::size_t i = 0; i < kMaxOrders && tried.insert(order).second; ++i) {
    std::vector<Placement> placements(groups.size());
    std::size_t failed = 0;
    ASSAY_ASSIGN_OR_RETURN(const bool all,
                           PlaceInOrder(groups, order, &placements, &failed, &answer));
    if (all) {
      answer.placements = std::move(placements);
      answer.unplaced.clear();
      return answer;
    }
    // What did not fit comes first the next time.
    std::erase(order, failed);
    order.insert(order.begin(), failed);
  }
  const std::shared_ptr<const Snapshot> snapshot = inventory_.TakeSnapshot();
  internal::Distribution distribution(*snapshot, nodes_, groups, order, options_);
  ASSAY_ASSIGN_OR_RETURN(const internal::Distribution::Outcome outcome, distribution.Find());
  answer.steps += distribution.steps();
  answer.proven = outcome == internal::Distribution::Outcome::kImpossible;
  if (outcome != internal::Distribution::Outcome::kFound) {
    return answer;
  }
  // Node by node, each with all that it gets.
  std::vector<Placement> placements(groups.size());
  Group placed;
  bool all = true;
  for (const Node& node : nodes_) {
    const std::vector<std::size_t>& numbers = distribution.GroupsOf(node.metadata.name);
    Group together;
    for (std::size_t number : numbers) {
      together.insert(together.end(), groups[number].begin(), groups[number].end());
    }
    if (together.empty()) {
      continue;
    }
    ASSAY_ASSIGN_OR_RETURN(const auto placement,
                           BestFitOn(*inventory_.TakeSnapshot(), together, FormOf(together), node));
    if (!placement.has_value()) {
      all = false;
      break;
    }
    Assume(together, *placement);
    placed.insert(placed.end(), together.begin(), together.end());
    std::size_t next = 0;
    for (std::size_t number : numbers) {
      Placement& own = placements[number] = *placement;
      own.allocations.clear();
      for (std::size_t i = 0; i < groups[number].size(); ++i) {
        own.allocations.push_back(placement->allocations[next++]);
      }
    }
  }
  Forget(placed);
  if (all) {
    answer.placements = std::move(placements);
    answer.unplaced.clear();
  }
  return answer;
}

Result<std::vector<NodeState>> Planner::Judge() {
  const std::shared_ptr<const Snapshot> snapshot = inventory_.TakeSnapshot();
  std::vector<NodeState> states;
  for (const Node& node : nodes_) {
    ASSAY_RETURN_IF_ERROR(
        snapshot->WithSearch({}, node, options_.allocate, [&](const search::Input& input) {
          const policy::BestFit::NodeQuality quality = best_fit_.Judge(input);
          states.push_back({node.metadata.name, quality.stranded, quality.used, quality.size});
          return OkStatus();
        }));
  }
  std::ranges::sort(states, {}, &NodeState::node);
  return states;
}

}  // namespace assay::allocator
