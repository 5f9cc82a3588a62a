#include "allocator/policy/solver.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::allocator::policy {
namespace {

// Costs are sums of some hundred fractions of the size of a device.
constexpr double kRounding = 1e-9;

class Solver {
 public:
  Solver(const Problem& problem, const Blocks& blocks, const Holders& holders,
         std::uint64_t max_steps)
      : problem_(problem),
        blocks_(blocks),
        holders_(holders),
        max_steps_(max_steps),
        counters_(problem.counters),
        chosen_(problem.devices.size(), 0),
        charged_(blocks.size(), 0),
        picks_(problem.requests.size()),
        agreed_(problem.constraints.size()) {
    for (const Problem::Device& device : problem.devices) {
      room_.push_back(device.room);
    }
    for (const Problem::Request& request : problem.requests) {
      orders_.push_back(Order(request));
      double least = std::numeric_limits<double>::infinity();
      for (const Problem::Candidate& candidate : request.candidates) {
        least = std::min(least, OwnCost(candidate.device));
      }
      least_own_.push_back(request.candidates.empty() ? 0 : least);
    }
  }

  std::optional<Solution> Run(const std::vector<std::vector<std::uint32_t>>* start) {
    root_bound_ = Bound(0, 0).stranded;
    if (start != nullptr) {
      best_ = Solution{*start, CostOf(*start), 0, 0};
    }
    Next(0, 0, 0);
    if (best_.has_value()) {
      best_->bound = gave_up_ ? std::min(root_bound_, best_->cost.stranded) : best_->cost.stranded;
      best_->steps = steps_;
    }
    return std::move(best_);
  }

 private:
  double OwnCost(std::uint32_t device) const { return holders_.Cost(blocks_.Own(device)); }

  // Cheapest first, so that the first solution is a good one.
  std::vector<std::uint32_t> Order(const Problem::Request& request) const {
    std::vector<std::uint32_t> order(request.candidates.size());
    std::vector<std::int64_t> costs;
    for (std::uint32_t i = 0; i < order.size(); ++i) {
      order[i] = i;
      const std::uint32_t device = request.candidates[i].device;
      costs.push_back(std::llround(holders_.Cost(std::span(&device, 1)) / kRounding));
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return costs[a] < costs[b]; });
    return order;
  }

  // What the device adds to what is already charged.
  double Increase(std::uint32_t device) const {
    double increase = 0;
    for (std::uint32_t block : blocks_.Of(device)) {
      increase += charged_[block] == 0 ? holders_.Cost(block) : 0;
    }
    return increase;
  }

  // A lower bound for every solution that completes what is chosen so far; `request` still needs
  // devices from number `number` on.
  //
  // Proof. Let D be the devices still to come. What they add is the sum of Cost(b) over the blocks
  // that they hold up and that are not charged yet. (1) Of the blocks that are some device's own,
  // each is held up by one device of D at most, because two that hold up one own block exclude each
  // other (Blocks::Own); shares of one device are the exception, and counted as 0. So the own
  // blocks of D add at least, for each device to come, the least own cost of its request's
  // candidates. Own blocks that were charged by earlier choices belong to devices that these
  // exclude, which are not in D. (2) The other blocks add at least what any single device of D adds
  // of them, hence the maximum over requests of the minimum over candidates. The two sums are of
  // different blocks. An own block that is also a domain's or the node's is counted in (1) only.
  Cost Bound(std::size_t request, std::size_t number) const {
    Cost bound = cost_;
    double shared = 0;
    for (std::size_t r = request; r < problem_.requests.size(); ++r) {
      const std::size_t missing = problem_.requests[r].count - (r == request ? number : 0);
      if (missing == 0 || problem_.requests[r].admin_access) {
        continue;
      }
      double least_shared = std::numeric_limits<double>::infinity();
      double least_own = least_own_[r];
      for (const Problem::Candidate& candidate : problem_.requests[r].candidates) {
        double rest = 0;
        const std::uint32_t own = blocks_.Own(candidate.device);
        for (std::uint32_t block : blocks_.Of(candidate.device)) {
          rest += block != own && charged_[block] == 0 && !IsOwn(block) ? holders_.Cost(block) : 0;
        }
        least_shared = std::min(least_shared, rest);
        if (problem_.devices[candidate.device].shareable) {
          least_own = 0;
        }
      }
      bound.stranded += least_own * static_cast<double>(missing);
      shared = std::max(shared, problem_.requests[r].candidates.empty() ? 0 : least_shared);
    }
    bound.stranded += shared;
    return bound;
  }

  bool IsOwn(std::uint32_t block) const {
    if (is_own_.empty()) {
      is_own_.assign(blocks_.size(), false);
      for (std::uint32_t device = 0; device < problem_.devices.size(); ++device) {
        is_own_[blocks_.Own(device)] = true;
      }
    }
    return is_own_[block];
  }

  void Next(std::size_t request, std::size_t number, std::size_t first) {
    while (request < problem_.requests.size() && number == problem_.requests[request].count) {
      ++request;
      number = 0;
      first = 0;
    }
    if (request == problem_.requests.size()) {
      if (!best_.has_value() || cost_.Below(best_->cost)) {
        Keep();
      }
      return;
    }
    if (best_.has_value() && !Bound(request, number).Below(best_->cost)) {
      return;
    }
    const Problem::Request& wanted = problem_.requests[request];
    // In one request, only ascending places: each set of devices is tried once.
    for (std::size_t place = first;
         place + (wanted.count - number) <= orders_[request].size() && !gave_up_; ++place) {
      if (++steps_ > max_steps_) {
        gave_up_ = true;
        return;
      }
      const Problem::Candidate& candidate = wanted.candidates[orders_[request][place]];
      if (!Fits(wanted, candidate)) {
        continue;
      }
      const Cost before = cost_;
      Take(request, candidate);
      Next(request, number + 1, place + 1);
      Release(request, candidate);
      cost_ = before;
    }
  }

  bool Fits(const Problem::Request& request, const Problem::Candidate& candidate) const {
    const Problem::Device& device = problem_.devices[candidate.device];
    if ((!device.available && !request.admin_access) ||
        (!device.shareable && chosen_[candidate.device] > 0)) {
      return false;
    }
    for (std::size_t i = 0; i < candidate.share.size(); ++i) {
      if (candidate.share[i] > room_[candidate.device][i]) {
        return false;
      }
    }
    if (TakesCounters(candidate.device)) {
      for (const QualityDevice::Take& take : device.takes) {
        if (take.amount > counters_[take.counter]) {
          return false;
        }
      }
    }
    return std::ranges::all_of(request.constraints, [&](std::uint32_t constraint) {
      return Holds(constraint, candidate.device);
    });
  }

  bool TakesCounters(std::uint32_t device) const {
    return !problem_.devices[device].counters_taken && chosen_[device] == 0;
  }

  static bool Meet(const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) {
    return std::ranges::any_of(
        a, [&](std::uint32_t value) { return std::find(b.begin(), b.end(), value) != b.end(); });
  }

  bool Holds(std::uint32_t number, std::uint32_t device) const {
    const Problem::Constraint& constraint = problem_.constraints[number];
    const std::vector<std::uint32_t>& values = constraint.values[device];
    const auto& agreed = agreed_[number];
    if (values.empty() || agreed.empty()) {
      return !values.empty();
    }
    if (!constraint.distinct) {
      return Meet(values, agreed.back());
    }
    return std::ranges::none_of(agreed, [&](const auto& other) { return Meet(values, other); });
  }

  void Take(std::size_t request, const Problem::Candidate& candidate) {
    const Problem::Device& device = problem_.devices[candidate.device];
    cost_.binding += device.has_binding_conditions ? 1 : 0;
    const bool holds = !problem_.requests[request].admin_access;
    cost_.stranded += holds ? Increase(candidate.device) : 0;
    if (TakesCounters(candidate.device)) {
      for (const QualityDevice::Take& take : device.takes) {
        counters_[take.counter] -= take.amount;
      }
    }
    ++chosen_[candidate.device];
    for (std::uint32_t block : blocks_.Of(candidate.device)) {
      charged_[block] += holds ? 1 : 0;
    }
    for (std::size_t i = 0; i < candidate.share.size(); ++i) {
      Amount& room = room_[candidate.device][i];
      room -= candidate.share[i];
      cost_.loose +=
          device.all[i] == 0 ? 0 : static_cast<double>(room) / static_cast<double>(device.all[i]);
    }
    for (std::uint32_t number : problem_.requests[request].constraints) {
      const Problem::Constraint& constraint = problem_.constraints[number];
      std::vector<std::uint32_t> values = constraint.values[candidate.device];
      if (!constraint.distinct && !agreed_[number].empty()) {
        const std::vector<std::uint32_t>& before = agreed_[number].back();
        std::erase_if(values, [&](std::uint32_t value) {
          return std::find(before.begin(), before.end(), value) == before.end();
        });
      }
      agreed_[number].push_back(std::move(values));
    }
    picks_[request].push_back(candidate.device);
  }

  void Release(std::size_t request, const Problem::Candidate& candidate) {
    picks_[request].pop_back();
    for (std::uint32_t number : problem_.requests[request].constraints) {
      agreed_[number].pop_back();
    }
    for (std::size_t i = 0; i < candidate.share.size(); ++i) {
      room_[candidate.device][i] += candidate.share[i];
    }
    for (std::uint32_t block : blocks_.Of(candidate.device)) {
      charged_[block] -= problem_.requests[request].admin_access ? 0 : 1;
    }
    --chosen_[candidate.device];
    if (TakesCounters(candidate.device)) {
      for (const QualityDevice::Take& take : problem_.devices[candidate.device].takes) {
        counters_[take.counter] += take.amount;
      }
    }
  }

  void Keep() {
    Solution solution;
    solution.devices = picks_;
    for (auto& devices : solution.devices) {
      std::sort(devices.begin(), devices.end());
    }
    solution.cost = cost_;
    best_ = std::move(solution);
  }

  // Of a solution, taken as it is.
  Cost CostOf(const std::vector<std::vector<std::uint32_t>>& devices) {
    const Cost before = cost_;
    std::vector<std::pair<std::size_t, const Problem::Candidate*>> taken;
    for (std::size_t request = 0; request < devices.size(); ++request) {
      for (std::uint32_t device : devices[request]) {
        const auto& candidates = problem_.requests[request].candidates;
        const auto candidate = std::ranges::find(candidates, device, &Problem::Candidate::device);
        if (candidate != candidates.end()) {
          Take(request, *candidate);
          taken.emplace_back(request, &*candidate);
        }
      }
    }
    const Cost cost = cost_;
    for (auto it = taken.rbegin(); it != taken.rend(); ++it) {
      Release(it->first, *it->second);
    }
    cost_ = before;
    return cost;
  }

  const Problem& problem_;
  const Blocks& blocks_;
  const Holders& holders_;
  const std::uint64_t max_steps_;
  std::vector<std::vector<std::uint32_t>> orders_;  // of each request: its candidates' places
  std::vector<double> least_own_;                   // of each request
  mutable std::vector<bool> is_own_;                // by block; empty: not yet known

  std::vector<Amount> counters_;
  std::vector<std::vector<Amount>> room_;
  std::vector<std::uint32_t> chosen_;   // by device: how often
  std::vector<std::uint32_t> charged_;  // by block: by how many of the devices chosen
  std::vector<std::vector<std::uint32_t>> picks_;
  // By constraint: what all devices up to each have in common; or, if distinct, the values of each.
  std::vector<std::vector<std::vector<std::uint32_t>>> agreed_;
  Cost cost_;
  double root_bound_ = 0;
  std::uint64_t steps_ = 0;
  bool gave_up_ = false;
  std::optional<Solution> best_;
};

}  // namespace

bool Cost::Below(const Cost& other) const {
  if (binding != other.binding) {
    return binding < other.binding;
  }
  if (stranded < other.stranded - kRounding || stranded > other.stranded + kRounding) {
    return stranded < other.stranded;
  }
  return loose < other.loose - kRounding;
}

std::optional<Solution> Solve(const Problem& problem, const Blocks& blocks, const Holders& holders,
                              std::uint64_t max_steps,
                              const std::vector<std::vector<std::uint32_t>>* start) {
  return Solver(problem, blocks, holders, max_steps).Run(start);
}

}  // namespace assay::allocator::policy
