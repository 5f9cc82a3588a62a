#include "allocator/search/search.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "allocator/constraint/constraint.h"
#include "allocator/search/capacity.h"
#include "allocator/search/result_builder.h"
#include "base/random.h"

namespace assay::allocator::search {
namespace {

using api::resource::AllocationResult;
using api::resource::DeviceRequest;
using api::resource::ResourceClaim;
using inventory::NodeDevice;
using inventory::NodePool;
using inventory::PoolState;

// How one attempt ended.
enum class Outcome : std::uint8_t { kNo, kYes, kTooManyResults, kError };

struct Candidate {
  const NodePool* pool;
  const NodeDevice* device;
  std::uint32_t pool_number;
};

// A request (or subrequest) with what was found out about it beforehand.
struct Prepared {
  Request request;
  Matcher matcher;
  std::size_t num_devices = 0;
  std::vector<std::uint32_t> all_devices;  // for mode All: candidates
  std::vector<std::uint8_t> matches;       // by candidate; kUnknown until asked
};

struct ClaimState {
  const ResourceClaim* claim;
  std::vector<std::vector<Prepared>> requests;  // with their subrequests
  std::vector<std::size_t> chosen;              // of the subrequests
  std::vector<constraint::Constraint> constraints;
  std::vector<ChosenDevice> results;
};

// What one device's allocation changed, to take back.
struct Undo {
  bool counters = false;
  bool marked = false;
  bool capacity = false;
  bool capacity_existed = false;
  std::vector<constraint::Constraint*> constraints;
};

class Searcher {
 public:
  explicit Searcher(const Input& input) : input_(input) {}

  Result<std::optional<std::vector<AllocationResult>>> Run() {
    CollectCandidates();
    for (const ResourceClaim* claim : input_.claims) {
      ASSAY_RETURN_IF_ERROR(PrepareClaim(*claim));
    }
    allocating_.assign(candidates_.size(), 0);
    shares_.resize(candidates_.size());
    consumed_.resize(input_.pools.size());
    for (std::size_t i = 0; i < input_.pools.size(); ++i) {
      consumed_[i].resize(input_.pools[i]->counters.size());
    }
    switch (NextRequest(0, 0)) {
      case Outcome::kError:
        return error_;
      case Outcome::kYes:
        break;
      default:
        return NoFit();
    }
    std::vector<AllocationResult> allocations;
    for (const ClaimState& state : claims_) {
      ASSAY_ASSIGN_OR_RETURN(AllocationResult allocation, BuildAllocation(state));
      allocations.push_back(std::move(allocation));
    }
    return std::optional(std::move(allocations));
  }

 private:
  static constexpr std::uint8_t kUnknown = 2;
  static constexpr std::uint64_t kCancelCheckSteps = 4096;

  Result<std::optional<std::vector<AllocationResult>>> NoFit() const {
    for (const auto& pool : input_.pools) {
      if (pool->state == PoolState::kInvalid) {
        return FailedPreconditionError("invalid resource pools were encountered");
      }
    }
    return std::optional<std::vector<AllocationResult>>();
  }

  void CollectCandidates() {
    std::size_t count = 0;
    for (const auto& pool : input_.pools) {
      count += pool->devices.size();
    }
    candidates_.reserve(count);
    for (std::size_t i = 0; i < input_.pools.size(); ++i) {
      const NodePool& pool = *input_.pools[i];
      if (pool.state == PoolState::kUsable) {
        for (const NodeDevice& device : pool.devices) {
          candidates_.push_back({&pool, &device, static_cast<std::uint32_t>(i)});
        }
      }
    }
  }

  // ---- preparation ----

  Status PrepareClaim(const ResourceClaim& claim) {
    claims_.push_back({&claim, {}, {}, {}, {}});
    ClaimState& state = claims_.back();
    const std::string name = ClaimName(claim);
    std::size_t least = 0;
    for (const DeviceRequest& request : claim.spec.devices.requests) {
      ASSAY_RETURN_IF_ERROR(CheckFeatures(name, request));
      std::vector<Prepared> prepared;
      if (request.first_available.empty()) {
        ASSAY_RETURN_IF_ERROR(Prepare(claim, Request::Of(request), prepared));
        least += prepared.back().num_devices;
      } else {
        std::size_t smallest = std::numeric_limits<std::size_t>::max();
        for (const api::resource::DeviceSubRequest& subrequest : request.first_available) {
          ASSAY_RETURN_IF_ERROR(Prepare(claim, Request::Of(request, subrequest), prepared));
          smallest = std::min(smallest, prepared.back().num_devices);
        }
        least += smallest;
      }
      state.requests.push_back(std::move(prepared));
      state.chosen.push_back(0);
    }
    if (least > static_cast<std::size_t>(kMaxResults)) {
      return InvalidArgumentError("claim " + name + ": number of requested devices " +
                                  std::to_string(least) + " exceeds the claim limit of " +
                                  std::to_string(kMaxResults));
    }
    const auto& constraints = claim.spec.devices.constraints;
    for (std::size_t i = 0; i < constraints.size(); ++i) {
      if (!constraints[i].match_attribute.has_value() &&
          !constraints[i].distinct_attribute.has_value()) {
        return InvalidArgumentError("claim " + name + ", constraint #" + std::to_string(i) +
                                    ": empty constraint (unsupported constraint type?)");
      }
      state.constraints.emplace_back(constraints[i], input_.features.list_type_attributes);
    }
    return OkStatus();
  }

  Status CheckFeatures(const std::string& claim, const DeviceRequest& request) const {
    if (!input_.features.prioritized_list && !request.first_available.empty()) {
      return InvalidArgumentError("claim " + claim + ", request " + request.name +
                                  ": has subrequests, but the DRAPrioritizedList feature is "
                                  "disabled");
    }
    if (input_.features.consumable_capacity) {
      return OkStatus();
    }
    const auto refuse = [&claim](std::string_view what, const std::string& name) {
      return InvalidArgumentError("claim " + claim + ", " + std::string(what) + " " + name +
                                  ": has capacity requests, but the DRAConsumableCapacity feature "
                                  "is disabled");
    };
    if (request.exactly.has_value() && request.exactly->capacity.has_value()) {
      return refuse("request", request.name);
    }
    for (const auto& subrequest : request.first_available) {
      if (subrequest.capacity.has_value()) {
        return refuse("subrequest", subrequest.name);
      }
    }
    return OkStatus();
  }

  Status Prepare(const ResourceClaim& claim, Request request, std::vector<Prepared>& out) {
    const std::string where = "claim " + ClaimName(claim) + ", request " + request.name;
    for (std::size_t i = 0; i < request.selectors->size(); ++i) {
      if (!(*request.selectors)[i].cel.has_value()) {
        return InvalidArgumentError(where + ", selector #" + std::to_string(i) +
                                    ": CEL expression empty (unsupported selector type?)");
      }
    }
    if (!input_.features.admin_access && request.has_admin_access) {
      return InvalidArgumentError(where +
                                  ": admin access is requested, but the feature is disabled");
    }
    if (request.class_name.empty()) {
      return InvalidArgumentError(where +
                                  ": missing device class name (unsupported request type?)");
    }
    request.device_class = input_.find_class(request.class_name);
    if (request.device_class == nullptr) {
      return InvalidArgumentError(where + ": could not retrieve device class " +
                                  request.class_name + ": deviceclass.resource.k8s.io \"" +
                                  request.class_name + "\" not found");
    }
    owned_requests_.push_back(std::make_unique<Request>(request));
    const Request& kept = *owned_requests_.back();
    out.push_back({kept,
                   Matcher(claim, kept, input_.selectors, input_.node, input_.features),
                   0,
                   {},
                   std::vector<std::uint8_t>(candidates_.size(), kUnknown)});
    Prepared& prepared = out.back();
    if (request.mode == "ExactCount") {
      prepared.num_devices = static_cast<std::size_t>(std::max<std::int64_t>(request.count, 0));
      return OkStatus();
    }
    if (request.all()) {
      return PrepareAll(where, prepared);
    }
    return InvalidArgumentError(where + ": unsupported count mode " + request.mode);
  }

  Status PrepareAll(const std::string& where, Prepared& prepared) {
    std::uint32_t candidate = 0;
    for (const auto& pool : input_.pools) {
      if (pool->state != PoolState::kUsable) {
        return InvalidArgumentError(
            where + ": asks for all devices, but resource pool " + pool->ToString() +
            (pool->state == PoolState::kIncomplete ? " is currently being updated"
                                                   : " is currently invalid"));
      }
      for (std::size_t i = 0; i < pool->devices.size(); ++i, ++candidate) {
        ASSAY_ASSIGN_OR_RETURN(const bool matches, Matches(prepared, candidate));
        if (matches && FitsNow(prepared, candidate)) {
          prepared.all_devices.push_back(candidate);
        }
      }
    }
    prepared.num_devices = prepared.all_devices.size();
    return OkStatus();
  }

  Result<bool> Matches(Prepared& prepared, std::uint32_t candidate) {
    std::uint8_t& known = prepared.matches[candidate];
    if (known == kUnknown) {
      ASSAY_ASSIGN_OR_RETURN(const bool matches,
                             prepared.matcher.Matches(*candidates_[candidate].device));
      known = matches ? 1 : 0;
    }
    return known == 1;
  }

  bool FitsNow(const Prepared& prepared, std::uint32_t candidate) const {
    if (!input_.features.consumable_capacity) {
      return true;
    }
    const NodeDevice& device = *candidates_[candidate].device;
    const Allocating* allocating =
        shares_.empty() || !shares_[candidate].present ? nullptr : &shares_[candidate].amounts;
    return FitsCapacity(*device.device, device.use, allocating, prepared.request.capacity);
  }

  // ---- the search ----

  Outcome Fail(Status error) {
    error_ = std::move(error);
    return Outcome::kError;
  }

  // Counts a step; false: the search must end, `error_` says why.
  bool CountStep() {
    ++steps_;
    if (input_.options.max_steps != 0 && steps_ > input_.options.max_steps) {
      error_ = Status(StatusCode::kResourceExhausted,
                      "gave up after " + std::to_string(input_.options.max_steps) + " steps");
      return false;
    }
    if (steps_ % kCancelCheckSteps == 1 && input_.options.cancelled && input_.options.cancelled()) {
      error_ = CancelledError("filter operation aborted: context canceled");
      return false;
    }
    return true;
  }

  Outcome NextRequest(std::size_t claim, std::size_t request) {
    if (claim == claims_.size()) {
      return Outcome::kYes;
    }
    ClaimState& state = claims_[claim];
    if (request == state.requests.size()) {
      const Outcome outcome = NextRequest(claim + 1, 0);
      // An earlier claim may choose otherwise.
      return outcome == Outcome::kTooManyResults ? Outcome::kNo : outcome;
    }
    std::vector<Prepared>& alternatives = state.requests[request];
    if (alternatives.front().request.parent.empty()) {
      return NextDevice(claim, request, 0, 0, 0);
    }
    bool all_too_many = true;
    for (std::size_t i = 0; i < alternatives.size(); ++i) {
      const Outcome outcome = NextDevice(claim, request, i, 0, 0);
      if (outcome == Outcome::kTooManyResults) {
        continue;
      }
      all_too_many = false;
      if (outcome == Outcome::kError) {
        return outcome;
      }
      if (outcome == Outcome::kYes) {
        state.chosen[request] = i;
        return outcome;
      }
    }
    return all_too_many ? Outcome::kTooManyResults : Outcome::kNo;
  }

  Outcome NextDevice(std::size_t claim, std::size_t request, std::size_t alternative,
                     std::size_t number, std::uint32_t first) {
    if (!CountStep()) {
      return Outcome::kError;
    }
    ClaimState& state = claims_[claim];
    Prepared& prepared = state.requests[request][alternative];
    const bool all = prepared.request.all();
    if (all && prepared.all_devices.empty()) {
      return Outcome::kNo;
    }
    if (number >= prepared.num_devices) {
      return NextRequest(claim, request + 1);
    }
    if (state.results.size() + prepared.num_devices - number >
        static_cast<std::size_t>(kMaxResults)) {
      return Outcome::kTooManyResults;
    }
    if (steps_ > input_.options.patience && MayLookAhead() &&
        !CanStillSucceed(claim, request, alternative, number, first)) {
      return Outcome::kNo;
    }
    if (all) {
      const std::uint32_t candidate = prepared.all_devices[number];
      Undo undo;
      const Outcome allocated = Allocate(state, prepared, candidate, true, undo);
      if (allocated != Outcome::kYes) {
        return allocated;
      }
      const Outcome outcome = NextDevice(claim, request, alternative, number + 1, 0);
      if (outcome != Outcome::kYes) {
        TakeBack(state, candidate, undo);
      }
      return outcome;
    }
    for (std::uint32_t candidate = first; candidate < candidates_.size(); ++candidate) {
      if (prepared.num_devices - number > candidates_.size() - candidate) {
        return OutOfCandidates(state, prepared, candidate);
      }
      const Outcome outcome = Try(claim, request, alternative, number, candidate);
      if (outcome != Outcome::kNo) {
        return outcome;
      }
    }
    return Outcome::kNo;
  }

  // There are too few candidates left for the request. Upstream would still look at them, and fail
  // on a selector that fails.
  Outcome OutOfCandidates(const ClaimState& state, Prepared& prepared, std::uint32_t candidate) {
    for (; candidate < candidates_.size(); ++candidate) {
      if (InUse(state, prepared, candidate)) {
        continue;
      }
      const Result<bool> matches = Matches(prepared, candidate);
      if (!matches.ok()) {
        return Fail(matches.status());
      }
    }
    return Outcome::kNo;
  }

  bool InUse(const ClaimState& state, const Prepared& prepared, std::uint32_t candidate) const {
    if (prepared.request.admin_access) {
      return IsOfClaim(state, candidate);
    }
    const inventory::DeviceUse* use = candidates_[candidate].device->use;
    return (use != nullptr && use->dedicated > 0) || allocating_[candidate] > 0;
  }

  bool IsOfClaim(const ClaimState& state, std::uint32_t candidate) const {
    return std::any_of(state.results.begin(), state.results.end(), [&](const ChosenDevice& d) {
      return d.candidate == candidate && d.dedicated;
    });
  }

  Outcome Try(std::size_t claim, std::size_t request, std::size_t alternative, std::size_t number,
              std::uint32_t candidate) {
    ClaimState& state = claims_[claim];
    Prepared& prepared = state.requests[request][alternative];
    if (InUse(state, prepared, candidate)) {
      return Outcome::kNo;
    }
    const Result<bool> matches = Matches(prepared, candidate);
    if (!matches.ok()) {
      return Fail(matches.status());
    }
    if (!*matches || !FitsNow(prepared, candidate)) {
      return Outcome::kNo;
    }
    Undo undo;
    const Outcome allocated = Allocate(state, prepared, candidate, false, undo);
    if (allocated != Outcome::kYes) {
      return allocated;
    }
    const Outcome outcome = NextDevice(claim, request, alternative, number + 1, candidate + 1);
    if (outcome != Outcome::kYes) {
      TakeBack(state, candidate, undo);
    }
    return outcome;
  }

  Outcome Allocate(ClaimState& state, Prepared& prepared, std::uint32_t candidate, bool must,
                   Undo& undo) {
    const Candidate& place = candidates_[candidate];
    const NodeDevice& device = *place.device;
    const Request& request = prepared.request;
    const bool shareable = input_.features.consumable_capacity && device.device->shareable;
    if (!shareable && request.admin_access && IsOfClaim(state, candidate)) {
      return Outcome::kNo;
    }
    if (!request.admin_access && InUse(state, prepared, candidate)) {
      return Outcome::kNo;
    }
    if (!input_.features.partitionable_devices && !device.device->api->consumes_counters.empty()) {
      return Outcome::kNo;
    }
    const bool shared_already = shareable && ((device.use != nullptr && device.use->has_consumed) ||
                                              shares_[candidate].present);
    if (!shared_already && !device.device->api->consumes_counters.empty()) {
      if (!TakeCounters(place)) {
        return Outcome::kNo;
      }
      undo.counters = true;
    }
    if (input_.features.device_taints && TaintsPrevent(*device.device->api, *request.tolerations)) {
      TakeBackChecks(candidate, undo);
      return Outcome::kNo;
    }
    for (constraint::Constraint& constraint : state.constraints) {
      if (!constraint.Concerns(request.base_name(), request.subrequest())) {
        continue;
      }
      if (!constraint.Add(*device.device->api, place.pool->driver)) {
        TakeBackChecks(candidate, undo);
        if (must) {
          return Fail(InvalidArgumentError("claim " + ClaimName(*state.claim) + ", request " +
                                           request.name + ": cannot add device " +
                                           place.pool->ToString() + "/" + device.device->api->name +
                                           " because a claim constraint would not be satisfied"));
        }
        return Outcome::kNo;
      }
      undo.constraints.push_back(&constraint);
    }
    ChosenDevice chosen;
    chosen.candidate = candidate;
    chosen.pool = place.pool;
    chosen.device = &device;
    chosen.request = &request;
    chosen.dedicated = !shareable;
    if (input_.features.consumable_capacity && !FitsNow(prepared, candidate)) {
      TakeBackChecks(candidate, undo);
      return Outcome::kNo;
    }
    if (!shareable) {
      ++allocating_[candidate];
      undo.marked = true;
    } else {
      chosen.consumed = ConsumedCapacity(*device.device, request.capacity);
      undo.capacity_existed = shares_[candidate].present;
      ChangeShares(candidate, chosen.consumed, true);
      undo.capacity = true;
    }
    state.results.push_back(std::move(chosen));
    return Outcome::kYes;
  }

  void TakeBack(ClaimState& state, std::uint32_t candidate, const Undo& undo) {
    if (undo.capacity) {
      ChangeShares(candidate, state.results.back().consumed, false);
      shares_[candidate].present = undo.capacity_existed;
    }
    state.results.pop_back();
    if (undo.marked) {
      --allocating_[candidate];
    }
    TakeBackChecks(candidate, undo);
  }

  void TakeBackChecks(std::uint32_t candidate, const Undo& undo) {
    for (auto it = undo.constraints.rbegin(); it != undo.constraints.rend(); ++it) {
      (*it)->RemoveLast();
    }
    if (undo.counters) {
      const Candidate& place = candidates_[candidate];
      for (const auto& [number, amount] : place.device->counters) {
        consumed_[place.pool_number][number] -= *amount;
      }
    }
  }

  void ChangeShares(std::uint32_t candidate,
                    const std::map<std::string, api::meta::Quantity>& consumed, bool add) {
    Shares& shares = shares_[candidate];
    const auto& capacity = candidates_[candidate].device->device->capacity;
    shares.amounts.resize(capacity.size());
    for (std::size_t i = 0; i < capacity.size(); ++i) {
      const cel::Quantity amount =
          inventory::ToAmount(consumed.find(std::string(capacity[i].name))->second);
      if (add) {
        shares.amounts[i] += amount;
      } else {
        shares.amounts[i] -= amount;
      }
    }
    shares.present = true;
  }

  // Takes the device's counters if they are there. As upstream, nothing can be taken from a pool of
  // which something is over-allocated.
  bool TakeCounters(const Candidate& place) {
    if (place.pool->over_allocated) {
      return false;
    }
    std::vector<cel::Quantity>& consumed = consumed_[place.pool_number];
    bool enough = true;
    for (const auto& [number, amount] : place.device->counters) {
      consumed[number] += *amount;
      enough = enough && consumed[number].Compare(place.pool->counters[number].available) <= 0;
    }
    if (!enough) {
      for (const auto& [number, amount] : place.device->counters) {
        consumed[number] -= *amount;
      }
    }
    return enough;
  }

  // ---- looking ahead ----

  // Whether branches may be left out unseen: not if something in one could be a fatal error, which
  // upstream would come upon.
  bool MayLookAhead() {
    if (!may_look_ahead_.has_value()) {
      may_look_ahead_ = !CouldFail();
    }
    return *may_look_ahead_;
  }

  bool CouldFail() {
    for (ClaimState& state : claims_) {
      for (std::vector<Prepared>& alternatives : state.requests) {
        for (Prepared& prepared : alternatives) {
          if (prepared.request.all() && !state.constraints.empty()) {
            return true;
          }
          for (std::uint32_t i = 0; i < candidates_.size(); ++i) {
            if (!Matches(prepared, i).ok()) {
              return true;
            }
          }
        }
      }
    }
    return false;
  }

  // A device that is still to be found, and those that could be it.
  struct Wish {
    const Request* request;
    std::size_t claim;
    std::vector<std::uint32_t> fitting;
  };

  // Whether what is still to be found can be there at all: a device of its own for each, for each
  // matchAttribute one value that all can agree on, and counters for the least of each. Necessary,
  // not sufficient; requests with alternatives, admin access or devices that can be shared are left
  // out. The request `request` still needs devices from number `number` on, from candidate `first`
  // on.
  bool CanStillSucceed(std::size_t claim, std::size_t request, std::size_t alternative,
                       std::size_t number, std::uint32_t first) {
    std::vector<Wish> wishes;
    for (std::size_t c = claim; c < claims_.size(); ++c) {
      ClaimState& state = claims_[c];
      for (std::size_t r = c == claim ? request : 0; r < state.requests.size(); ++r) {
        const bool current = c == claim && r == request;
        if (!current && state.requests[r].size() > 1) {
          continue;
        }
        Prepared& prepared = state.requests[r][current ? alternative : 0];
        AddWishes(state, c, prepared, current ? number : 0, current ? first : 0, wishes);
      }
    }
    if (!AllGranted(wishes)) {
      return false;
    }
    for (const constraint::Constraint& constraint : claims_[claim].constraints) {
      if (constraint.NeedsOneValue() && !SomeValueServes(constraint, claim, wishes)) {
        return false;
      }
    }
    return true;
  }

  void AddWishes(const ClaimState& state, std::size_t claim, Prepared& prepared, std::size_t number,
                 std::uint32_t first, std::vector<Wish>& wishes) {
    const Request& request = prepared.request;
    if (request.admin_access || request.all() || number >= prepared.num_devices) {
      return;
    }
    Wish wish{&request, claim, {}};
    for (std::uint32_t i = first; i < candidates_.size(); ++i) {
      const NodeDevice& device = *candidates_[i].device;
      if (InUse(state, prepared, i) || (input_.features.device_taints &&
                                        TaintsPrevent(*device.device->api, *request.tolerations))) {
        continue;
      }
      const Result<bool> matches = Matches(prepared, i);
      if (!matches.ok() || (*matches && device.device->shareable)) {
        return;
      }
      if (*matches) {
        wish.fitting.push_back(i);
      }
    }
    wishes.insert(wishes.end(), prepared.num_devices - number, wish);
  }

  bool SomeValueServes(const constraint::Constraint& constraint, std::size_t claim,
                       const std::vector<Wish>& wishes) {
    const auto concerned = [&](const Wish& wish) {
      return wish.claim == claim &&
             constraint.Concerns(wish.request->base_name(), wish.request->subrequest());
    };
    const auto value_of = [&](std::uint32_t candidate) {
      const Candidate& place = candidates_[candidate];
      return constraint.ValueOf(*place.device->device->api, place.pool->driver);
    };
    const auto any = std::find_if(wishes.begin(), wishes.end(), concerned);
    if (any == wishes.end()) {
      return true;
    }
    std::set<std::string> values;
    if (const std::optional<std::string> agreed = constraint.AgreedValue(); agreed.has_value()) {
      values.insert(*agreed);
    } else {
      for (std::uint32_t candidate : any->fitting) {
        if (const std::optional<std::string> value = value_of(candidate); value.has_value()) {
          values.insert(*value);
        }
      }
    }
    return std::any_of(values.begin(), values.end(), [&](const std::string& value) {
      std::vector<Wish> narrowed = wishes;
      for (Wish& wish : narrowed) {
        if (concerned(wish)) {
          std::erase_if(wish.fitting,
                        [&](std::uint32_t candidate) { return value_of(candidate) != value; });
        }
      }
      return AllGranted(narrowed);
    });
  }

  bool AllGranted(const std::vector<Wish>& wishes) const {
    std::vector<std::int32_t> owner(candidates_.size(), -1);
    for (std::size_t i = 0; i < wishes.size(); ++i) {
      std::vector<bool> seen(candidates_.size(), false);
      if (!FindDevice(wishes, i, owner, seen)) {
        return false;
      }
    }
    return CountersSuffice(wishes);
  }

  // Gives wish `i` a device, moving others if need be.
  static bool FindDevice(const std::vector<Wish>& wishes, std::size_t i,
                         std::vector<std::int32_t>& owner, std::vector<bool>& seen) {
    for (std::uint32_t device : wishes[i].fitting) {
      if (seen[device]) {
        continue;
      }
      seen[device] = true;
      if (owner[device] < 0 ||
          FindDevice(wishes, static_cast<std::size_t>(owner[device]), owner, seen)) {
        owner[device] = static_cast<std::int32_t>(i);
        return true;
      }
    }
    return false;
  }

  // Whether each wish can take of every counter what the least of its devices takes.
  bool CountersSuffice(const std::vector<Wish>& wishes) const {
    std::map<std::pair<std::uint32_t, std::uint32_t>, cel::Quantity> needed;
    for (const Wish& wish : wishes) {
      std::map<std::pair<std::uint32_t, std::uint32_t>, cel::Quantity> least;
      for (std::size_t i = 0; i < wish.fitting.size() && (i == 0 || !least.empty()); ++i) {
        const Candidate& place = candidates_[wish.fitting[i]];
        std::map<std::pair<std::uint32_t, std::uint32_t>, cel::Quantity> takes;
        for (const auto& [number, amount] : place.device->counters) {
          takes[{place.pool_number, number}] = *amount;
        }
        if (i == 0) {
          least = std::move(takes);
          continue;
        }
        std::erase_if(least, [&takes](const auto& entry) { return !takes.contains(entry.first); });
        for (auto& [counter, amount] : least) {
          amount = amount.Compare(takes[counter]) <= 0 ? amount : takes[counter];
        }
      }
      for (const auto& [counter, amount] : least) {
        needed[counter] += amount;
      }
    }
    return std::all_of(needed.begin(), needed.end(), [this](const auto& entry) {
      const auto& [counter, amount] = entry;
      cel::Quantity sum = consumed_[counter.first][counter.second];
      sum += amount;
      return sum.Compare(input_.pools[counter.first]->counters[counter.second].available) <= 0;
    });
  }

  Result<AllocationResult> BuildAllocation(const ClaimState& state) const {
    std::vector<const Request*> chosen;
    for (std::size_t i = 0; i < state.requests.size(); ++i) {
      chosen.push_back(&state.requests[i][state.chosen[i]].request);
    }
    return BuildResult(
        {*state.claim, chosen, state.results, input_.node, input_.features, input_.options});
  }

  struct Shares {
    bool present = false;  // some share of this search, or one that was taken back, is known
    Allocating amounts;
  };

  const Input& input_;
  std::vector<Candidate> candidates_;
  std::vector<ClaimState> claims_;
  std::vector<std::unique_ptr<Request>> owned_requests_;
  std::vector<std::uint32_t> allocating_;             // by candidate: by how many claims
  std::vector<Shares> shares_;                        // by candidate
  std::vector<std::vector<cel::Quantity>> consumed_;  // by pool and counter
  std::uint64_t steps_ = 0;
  std::optional<bool> may_look_ahead_;  // null: not yet known
  Status error_;
};

}  // namespace

Result<std::optional<std::vector<AllocationResult>>> Search(const Input& input) {
  return Searcher(input).Run();
}

}  // namespace assay::allocator::search
