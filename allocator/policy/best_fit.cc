#include "allocator/policy/best_fit.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "allocator/search/capacity.h"
#include "allocator/search/prepared.h"
#include "allocator/search/result_builder.h"
#include "api/core/types.h"

namespace assay::allocator::policy {

using api::resource::AllocationResult;
using inventory::DeviceRef;
using inventory::NodePool;
using inventory::PoolState;

// What nodes with the same layouts and topology have in common.
struct BestFit::NodeModel {
  QualityNode node;
  std::unique_ptr<const Blocks> blocks;
  double size = 0;
};

namespace {

constexpr std::size_t kMaxModels = 4096;

// A place in the node-wide numbering of the devices and counters of its usable pools.
struct PoolNumbers {
  const NodePool* pool;
  std::uint32_t first_device;
  std::uint32_t first_counter;
};

std::vector<PoolNumbers> NumberPools(const search::Input& input) {
  std::vector<PoolNumbers> numbers;
  std::uint32_t devices = 0;
  std::uint32_t counters = 0;
  for (const NodePool* pool : input.pools) {
    if (pool->state() == PoolState::kUsable) {
      numbers.push_back({pool, devices, counters});
      devices += static_cast<std::uint32_t>(pool->devices().size());
      counters += static_cast<std::uint32_t>(pool->layout().counters.size());
    }
  }
  return numbers;
}

std::vector<DeviceRef> DevicesOf(const std::vector<PoolNumbers>& pools) {
  std::vector<DeviceRef> devices;
  for (const PoolNumbers& place : pools) {
    for (std::uint32_t i = 0; i < place.pool->devices().size(); ++i) {
      devices.push_back({place.pool, i});
    }
  }
  return devices;
}

// The values of a device's attribute, each with its kind; more than one if it is a list.
std::vector<std::string> ValuesOf(DeviceRef device, std::string_view name, bool lists) {
  const inventory::AttributeRef found = inventory::FindAttribute(device, name);
  std::vector<std::string> values;
  if (found.own != nullptr) {
    values.push_back("s" + *found.own);
    return values;
  }
  if (found.attribute == nullptr) {
    return values;
  }
  const api::resource::DeviceAttribute& attribute = *found.attribute;
  if (attribute.string.has_value()) {
    values.push_back("s" + *attribute.string);
  } else if (attribute.int_.has_value()) {
    values.push_back("i" + std::to_string(*attribute.int_));
  } else if (attribute.bool_.has_value()) {
    values.push_back(*attribute.bool_ ? "b1" : "b0");
  } else if (attribute.version.has_value()) {
    values.push_back("v" + *attribute.version);
  }
  for (std::size_t i = 0; lists && i < attribute.strings.size(); ++i) {
    values.push_back("s" + attribute.strings[i]);
  }
  for (std::size_t i = 0; lists && i < attribute.ints.size(); ++i) {
    values.push_back("i" + std::to_string(attribute.ints[i]));
  }
  for (std::size_t i = 0; lists && i < attribute.bools.size(); ++i) {
    values.emplace_back(attribute.bools[i] ? "b1" : "b0");
  }
  for (std::size_t i = 0; lists && i < attribute.versions.size(); ++i) {
    values.push_back("v" + attribute.versions[i]);
  }
  return values;
}

// The devices of each domain that is neither one device nor all of them.
std::vector<std::vector<std::uint32_t>> FindDomains(const std::vector<DeviceRef>& devices,
                                                    const std::set<std::string>& attributes) {
  std::vector<std::vector<std::uint32_t>> domains;
  for (const std::string& attribute : attributes) {
    std::map<std::string, std::vector<std::uint32_t>> by_value;
    for (std::uint32_t device = 0; device < devices.size(); ++device) {
      for (const std::string& value : ValuesOf(devices[device], attribute, false)) {
        by_value[value].push_back(device);
      }
    }
    for (auto& [value, members] : by_value) {
      if (members.size() > 1 && members.size() < devices.size()) {
        domains.push_back(std::move(members));
      }
    }
  }
  return domains;
}

// How many counters that are not zero there are in the sets that the device consumes of.
std::size_t CountCounters(DeviceRef device) {
  std::size_t count = 0;
  for (const inventory::Counter& counter : device.pool->layout().counters) {
    const auto& consumptions = device.api().consumes_counters;
    count += counter.value > 0 &&
                     std::ranges::any_of(consumptions,
                                         [&](const auto& consumption) {
                                           return consumption.counter_set == counter.counter_set;
                                         })
                 ? 1
                 : 0;
  }
  return count;
}

std::vector<QualityDevice::Take> TakesOf(DeviceRef device, std::uint32_t first_counter) {
  std::vector<QualityDevice::Take> takes;
  for (const inventory::CounterUse& use : device.layout().counters) {
    takes.push_back({first_counter + use.counter, use.amount});
  }
  return takes;
}

// The search's problem, and how to read its solution.
class Instance {
 public:
  Instance(const search::Input& input, const std::vector<PoolNumbers>& pools,
           const QualityNode& node)
      : input_(input),
        pools_(pools),
        devices_(DevicesOf(pools)),
        prepared_({input.claims, input.find_class, input.selectors, input.shapes, input.features}) {
    for (const PoolNumbers& place : pools_) {
      for (std::uint32_t i = 0; i < place.pool->layout().counters.size(); ++i) {
        problem_.counters.push_back(place.pool->over_allocated ? -1 : place.pool->Available(i));
      }
    }
    for (std::uint32_t device = 0; device < devices_.size(); ++device) {
      AddDevice(device, node);
    }
  }

  // Takes the requests from a solution that was found.
  Status Start(const std::vector<AllocationResult>& allocations) {
    std::uint32_t first_constraint = 0;
    for (std::size_t c = 0; c < allocations.size(); ++c) {
      search::PreparedClaim& claim = prepared_.claims()[c];
      AddConstraints(claim);
      for (search::PreparedRequest& request : claim.requests) {
        std::vector<std::uint32_t> found;
        std::size_t chosen = 0;
        for (std::size_t a = 0; a < request.alternatives.size() && found.empty(); ++a) {
          chosen = a;
          found = FindResults(allocations[c], request.alternatives[a]->request.FullName());
        }
        if (request.has_alternatives) {
          alternatives_.push_back(chosen);
        }
        ASSAY_RETURN_IF_ERROR(
            AddRequest(*request.alternatives[chosen], std::move(found), first_constraint));
      }
      first_constraint += static_cast<std::uint32_t>(claim.constraints.size());
    }
    return OkStatus();
  }

  const Problem& problem() const { return problem_; }
  const std::vector<std::vector<std::uint32_t>>& start() const { return start_; }
  const std::vector<std::size_t>& alternatives() const { return alternatives_; }

  // The number of a device by its names; none if the node does not see it.
  std::optional<std::uint32_t> Find(std::string_view driver, std::string_view pool,
                                    std::string_view device) const {
    for (const PoolNumbers& place : pools_) {
      if (place.pool->driver() == driver && place.pool->name() == pool) {
        const auto& numbers = place.pool->layout().numbers;
        const auto number = numbers.find(device);
        return number == numbers.end() ? std::nullopt
                                       : std::optional(place.first_device + number->second);
      }
    }
    return std::nullopt;
  }

  Result<std::vector<AllocationResult>> Build(
      const std::vector<std::vector<std::uint32_t>>& chosen) {
    std::vector<AllocationResult> allocations;
    std::size_t number = 0;
    for (const search::PreparedClaim& claim : prepared_.claims()) {
      std::vector<const search::Request*> requests;
      std::vector<search::ResultDevice> results;
      for (std::size_t i = 0; i < claim.requests.size(); ++i, ++number) {
        requests.push_back(&wanted_[number]->request);
        for (std::uint32_t device : chosen[number]) {
          results.push_back({devices_[device], requests.back(), !IsShareable(device)});
        }
      }
      ASSAY_ASSIGN_OR_RETURN(AllocationResult allocation,
                             search::BuildResult({*claim.claim, requests, results, input_.node,
                                                  input_.features, input_.options}));
      allocations.push_back(std::move(allocation));
    }
    return allocations;
  }

 private:
  bool IsShareable(std::uint32_t device) const {
    return input_.features.consumable_capacity && devices_[device].device().shareable;
  }

  void AddDevice(std::uint32_t number, const QualityNode& node) {
    const DeviceRef ref = devices_[number];
    const inventory::DeviceUse* shares = ref.pool->SharesOf(ref.number);
    Problem::Device device;
    device.takes = node.devices[number].takes;
    device.available = !ref.pool->IsTaken(ref.number);
    device.shareable = IsShareable(number);
    device.counters_taken = device.shareable && shares != nullptr && shares->has_consumed;
    device.has_binding_conditions = !ref.api().binding_conditions.empty();
    for (const inventory::Device::Capacity& capacity : ref.device().capacity) {
      Amount room = capacity.value;
      if (shares != nullptr) {
        const auto used = shares->consumed.find(std::string(capacity.name));
        room -= used == shares->consumed.end() ? 0 : used->second;
      }
      device.room.push_back(room);
      device.all.push_back(capacity.value);
    }
    problem_.devices.push_back(std::move(device));
  }

  void AddConstraints(const search::PreparedClaim& claim) {
    for (const constraint::Constraint& constraint : claim.constraints) {
      Problem::Constraint added;
      added.distinct = constraint.distinct();
      std::map<std::string, std::uint32_t> numbers;
      for (const DeviceRef& device : devices_) {
        std::vector<std::uint32_t>& values = added.values.emplace_back();
        for (std::string& value :
             ValuesOf(device, constraint.attribute(), input_.features.list_type_attributes)) {
          values.push_back(
              numbers.emplace(std::move(value), static_cast<std::uint32_t>(numbers.size()))
                  .first->second);
        }
        std::sort(values.begin(), values.end());
      }
      problem_.constraints.push_back(std::move(added));
    }
  }

  std::vector<std::uint32_t> FindResults(const AllocationResult& allocation,
                                         const std::string& request) const {
    std::vector<std::uint32_t> found;
    for (const auto& result : allocation.devices.results) {
      if (result.request == request) {
        found.push_back(Find(result.driver, result.pool, result.device).value_or(0));
      }
    }
    return found;
  }

  Status AddRequest(search::Wanted& wanted, std::vector<std::uint32_t> found,
                    std::uint32_t first_constraint) {
    Problem::Request request;
    request.count = found.size();
    request.admin_access = wanted.request.admin_access;
    for (std::uint32_t c = 0; c < wanted.concerned.size(); ++c) {
      if (wanted.concerned[c]) {
        request.constraints.push_back(first_constraint + c);
      }
    }
    // What is fixed is all that it can have.
    const bool fixed = wanted.request.all() || wanted.request.admin_access;
    for (std::uint32_t device = 0; device < devices_.size(); ++device) {
      const bool in_start = std::find(found.begin(), found.end(), device) != found.end();
      bool serves = in_start;
      if (!fixed && !in_start) {
        ASSAY_ASSIGN_OR_RETURN(serves, Serves(wanted, devices_[device]));
      }
      if (serves) {
        request.candidates.push_back({device, ShareOf(wanted, device)});
      }
    }
    problem_.requests.push_back(std::move(request));
    start_.push_back(std::move(found));
    wanted_.push_back(&wanted);
    return OkStatus();
  }

  // Whether the device could be the request's, whatever is in use.
  Result<bool> Serves(search::Wanted& wanted, DeviceRef device) {
    const search::LayoutFacts::OfRequest& facts =
        prepared_.FactsOf(*device.pool).requests[wanted.number];
    const auto has = [&](const inventory::DeviceSet& set) {
      return (set[device.number / 64] >> (device.number % 64) & 1) != 0;
    };
    if (has(facts.usable) || !has(facts.serves)) {
      return has(facts.usable);
    }
    if (!has(facts.unknown)) {
      return false;
    }
    ASSAY_ASSIGN_OR_RETURN(const bool here,
                           search::IsForNode(device.layout(), input_.node, input_.features));
    return here ? wanted.matcher.Matches(device) : Result<bool>(false);
  }

  std::vector<Amount> ShareOf(const search::Wanted& wanted, std::uint32_t device) const {
    std::vector<Amount> share;
    if (!IsShareable(device)) {
      return share;
    }
    const inventory::Device& shared = devices_[device].device();
    const auto consumed =
        search::ConsumedCapacity(shared, wanted.request.capacity, input_.features);
    for (const inventory::Device::Capacity& capacity : shared.capacity) {
      share.push_back(inventory::ToAmount(consumed.find(std::string(capacity.name))->second));
    }
    return share;
  }

  const search::Input& input_;
  const std::vector<PoolNumbers>& pools_;
  std::vector<DeviceRef> devices_;
  search::Prepared prepared_;
  Problem problem_;
  std::vector<search::Wanted*> wanted_;  // of each request of the problem
  std::vector<std::vector<std::uint32_t>> start_;
  std::vector<std::size_t> alternatives_;
};

// The claims that hold devices of the node, and the size of what they hold.
double AddHolders(const std::vector<PoolNumbers>& pools, const Ledger& ledger,
                  const QualityNode& node, Holders& holders) {
  std::map<std::string_view, std::vector<std::uint32_t>> claims;
  std::set<std::uint32_t> used;
  for (const PoolNumbers& place : pools) {
    const auto& numbers = place.pool->layout().numbers;
    for (const Ledger::Holding& holding : ledger.Of(place.pool->driver(), place.pool->name())) {
      if (const auto number = numbers.find(holding.device); number != numbers.end()) {
        claims[holding.claim].push_back(place.first_device + number->second);
        used.insert(place.first_device + number->second);
      }
    }
  }
  for (const auto& [claim, devices] : claims) {
    holders.Add(devices);
  }
  double size = 0;
  for (std::uint32_t device : used) {
    size += node.devices[device].size;
  }
  return size;
}

}  // namespace

bool Placement::BetterThan(const Placement& other) const {
  if (alternatives != other.alternatives) {
    return alternatives < other.alternatives;
  }
  if (cost.Below(other.cost) || other.cost.Below(cost)) {
    return cost.Below(other.cost);
  }
  constexpr double kRounding = 1e-9;
  const double free = size - used;
  const double other_free = other.size - other.used;
  if (free < other_free - kRounding || free > other_free + kRounding) {
    return free < other_free;
  }
  return node < other.node;
}

BestFit::~BestFit() = default;

std::shared_ptr<const BestFit::NodeModel> BestFit::ModelOf(const search::Input& input) {
  const std::vector<PoolNumbers> pools = NumberPools(input);
  const std::vector<DeviceRef> devices = DevicesOf(pools);
  std::set<std::string> attributes(options_.topology.begin(), options_.topology.end());
  for (const api::resource::ResourceClaim* claim : input.claims) {
    for (const auto& constraint : claim->spec.devices.constraints) {
      if (constraint.match_attribute.has_value()) {
        attributes.insert(*constraint.match_attribute);
      }
    }
  }
  std::vector<std::vector<std::uint32_t>> domains = FindDomains(devices, attributes);
  std::vector<std::uint64_t> key;
  for (const PoolNumbers& place : pools) {
    key.push_back(place.pool->layout().id);
  }
  for (const std::vector<std::uint32_t>& domain : domains) {
    key.push_back(domain.size());
    key.insert(key.end(), domain.begin(), domain.end());
  }
  std::shared_ptr<const NodeModel>& model = models_[key];
  if (model != nullptr) {
    return model;
  }
  auto made = std::make_shared<NodeModel>();
  made->node.domains = std::move(domains);
  for (const PoolNumbers& place : pools) {
    for (const inventory::Counter& counter : place.pool->layout().counters) {
      made->node.counters.push_back(counter.value);
    }
    for (std::uint32_t i = 0; i < place.pool->devices().size(); ++i) {
      const DeviceRef device{place.pool, i};
      made->node.devices.push_back(
          {SizeOf(place.pool->driver(), device.api(), CountCounters(device), *scale_),
           TakesOf(device, place.first_counter)});
    }
  }
  made->blocks = std::make_unique<const Blocks>(made->node);
  made->size = made->blocks->total_size();
  if (models_.size() > kMaxModels) {
    models_.clear();
    return made;
  }
  model = made;
  return made;
}

BestFit::NodeQuality BestFit::Judge(const search::Input& input) {
  const std::shared_ptr<const NodeModel> model = ModelOf(input);
  Holders holders(*model->blocks);
  const double used = AddHolders(NumberPools(input), *ledger_, model->node, holders);
  return {holders.Stranded(), used, model->size};
}

Result<std::optional<Placement>> BestFit::Place(const search::Input& input) {
  ASSAY_ASSIGN_OR_RETURN(auto first, search::Search(input));
  if (!first.has_value()) {
    return std::optional<Placement>();
  }
  const std::shared_ptr<const NodeModel> model = ModelOf(input);
  const std::vector<PoolNumbers> pools = NumberPools(input);
  Holders holders(*model->blocks);
  Placement placement;
  placement.node = input.node.metadata.name;
  placement.size = model->size;
  placement.used = AddHolders(pools, *ledger_, model->node, holders);
  Instance instance(input, pools, model->node);
  ASSAY_RETURN_IF_ERROR(instance.Start(*first));
  // The solver does not know compatibility groups and derived attributes (level 1.37): what was
  // found stays.
  const bool stays = input.features.compatibility_groups || input.features.derived_attributes;
  const std::uint64_t max_steps = stays ? 0 : options_.max_steps;
  const std::optional<Solution> solution =
      Solve(instance.problem(), *model->blocks, holders, max_steps, &instance.start());
  placement.alternatives = instance.alternatives();
  placement.cost = solution->cost;
  placement.bound = solution->bound;
  placement.steps = solution->steps;
  for (const std::vector<std::uint32_t>& devices : solution->devices) {
    for (std::uint32_t device : devices) {
      placement.used += model->node.devices[device].size;
    }
  }
  if (solution->devices == instance.start()) {
    placement.allocations = *std::move(first);
  } else {
    ASSAY_ASSIGN_OR_RETURN(placement.allocations, instance.Build(solution->devices));
  }
  return std::optional(std::move(placement));
}

}  // namespace assay::allocator::policy
