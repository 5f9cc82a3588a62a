#include "allocator/search/searcher.h"

#include <algorithm>
#include <bit>

#include "allocator/search/result_builder.h"
#include "api/core/types.h"

namespace assay::allocator::search {

using api::resource::AllocationResult;
using inventory::DeviceRef;
using inventory::NodePool;
using inventory::PoolState;

namespace {

constexpr std::uint64_t kCancelCheckSteps = 4096;

std::uint64_t BitOf(Candidate candidate) { return std::uint64_t{1} << (candidate % 64); }

// The bits from this candidate on, of its word.
std::uint64_t From(Candidate candidate) { return ~std::uint64_t{0} << (candidate % 64); }

}  // namespace

Searcher::Searcher(Prepared& prepared, const AllocateOptions& options)
    : prepared_(prepared), options_(options) {
  for (const PreparedClaim& claim : prepared.claims()) {
    states_.emplace_back().chosen.resize(claim.requests.size());
  }
  sets_.resize(prepared.wanted().size());
  all_devices_.resize(prepared.wanted().size());
  if (prepared.features().HasUpstreamDefects()) {
    by_pool_name_.emplace();
  }
}

Result<bool> Searcher::Run(const api::core::Node& node, std::span<const NodePool* const> pools) {
  node_ = &node;
  steps_ = 0;
  failures_ = 0;
  started_over_ = false;
  may_look_ahead_.reset();
  kinds_found_ = false;
  if (!failed_.empty()) {
    failed_.clear();
  }
  skipped_.clear();
  capacities_.clear();
  Place(pools);
  CollectSets(node);
  ASSAY_RETURN_IF_ERROR(Validate());
  switch (Search()) {
    case Outcome::kError:
      return error_;
    case Outcome::kYes:
      return true;
    default:
      return NoFit();
  }
}

// ---- preparation ----

void Searcher::Place(std::span<const NodePool* const> pools) {
  places_.clear();
  pool_of_.clear();
  left_.clear();
  groups_.clear();
  words_ = 0;
  any_fails_ = false;
  any_dynamic_ = false;
  for (const NodePool* pool : pools) {
    const LayoutFacts& facts = prepared_.FactsOf(*pool);
    places_.push_back({pool, &facts, static_cast<std::uint32_t>(words_),
                       static_cast<std::uint32_t>(left_.size()),
                       static_cast<std::uint32_t>(groups_.size())});
    groups_.insert(groups_.end(), pool->groups.begin(), pool->groups.end());
    const std::size_t words = pool->layout().words();
    pool_of_.insert(pool_of_.end(), words, static_cast<std::uint32_t>(places_.size() - 1));
    words_ += words;
    if (!pool->available.empty()) {
      left_.insert(left_.end(), pool->available.begin(), pool->available.end());
    } else {
      for (const inventory::Counter& counter : pool->layout().counters) {
        left_.push_back(counter.value);
      }
    }
    any_fails_ = any_fails_ || facts.any_fails;
  }
  in_use_.resize(words_);
  blocked_.resize(words_);
  dynamic_.resize(words_);
  for (const PoolPlace& place : places_) {
    const NodePool& pool = *place.pool;
    for (std::size_t i = 0; i < pool.layout().words(); ++i) {
      const std::size_t word = place.first_word + i;
      in_use_[word] = pool.taken[i];
      blocked_[word] = by_pool_name_.has_value() ? 0 : pool.blocked[i] & ~place.facts->shareable[i];
      dynamic_[word] = place.facts->shareable[i];
      any_dynamic_ = any_dynamic_ || dynamic_[word] != 0;
    }
    if (prepared_.features().consumable_capacity) {
      for (const auto& [number, use] : pool.shares) {
        dynamic_[place.first_word + number / 64] |= BitOf(number);
        any_dynamic_ = true;
      }
    }
  }
  for (ClaimState& state : states_) {
    state.results.clear();
    state.devices.assign(words_, 0);
  }
  for (PreparedClaim& claim : prepared_.claims()) {
    for (constraint::Constraint& constraint : claim.constraints) {
      constraint.Clear();
    }
  }
  shares_.clear();
  if (by_pool_name_.has_value()) {
    by_pool_name_->StartSearch();
  }
  for (Values& values : values_) {
    values.known = false;
  }
}

void Searcher::CollectSets(const api::core::Node& node) {
  const auto& wanted = prepared_.wanted();
  if (places_.size() == 1 && !places_[0].facts->any_unknown) {
    for (const Wanted* each : wanted) {
      const LayoutFacts::OfRequest& of = places_[0].facts->requests[each->number];
      sets_[each->number] = {of.usable.data(), of.fails.data()};
    }
    return;
  }
  set_words_.assign(2 * words_ * wanted.size(), 0);
  for (const Wanted* each : wanted) {
    const Words usable = set_words_.data() + 2 * words_ * each->number;
    sets_[each->number] = {usable, usable + words_};
    for (const PoolPlace& place : places_) {
      const LayoutFacts::OfRequest& of = place.facts->requests[each->number];
      std::copy(of.usable.begin(), of.usable.end(), usable + place.first_word);
      std::copy(of.fails.begin(), of.fails.end(), usable + words_ + place.first_word);
    }
  }
  for (const PoolPlace& place : places_) {
    if (!place.facts->any_unknown) {
      continue;
    }
    for (Wanted* each : wanted) {
      CollectUnknown(node, place, *each);
    }
  }
}

void Searcher::CollectUnknown(const api::core::Node& node, const PoolPlace& place, Wanted& wanted) {
  const LayoutFacts::OfRequest& of = place.facts->requests[wanted.number];
  const Words usable = set_words_.data() + 2 * words_ * wanted.number + place.first_word;
  const Words fails = usable + words_;
  for (std::size_t word = 0; word < of.unknown.size(); ++word) {
    for (std::uint64_t bits = of.unknown[word]; bits != 0; bits &= bits - 1) {
      const std::uint64_t bit = bits & -bits;
      const DeviceRef device{
          place.pool,
          static_cast<std::uint32_t>(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)))};
      Result<bool> matches = wanted.matcher.Matches(device);
      if (matches.ok() && *matches) {
        matches = IsForNode(device.layout(), node, prepared_.features());
      }
      if (!matches.ok() || (*matches && (of.overflow[word] & bit) != 0)) {
        fails[word] |= bit;
        any_fails_ = true;
      } else if (*matches) {
        usable[word] |= of.serves[word] & bit;
      }
    }
  }
}

Status Searcher::Validate() {
  const bool at_once = prepared_.features().AtLeast1_37();
  for (PreparedClaim& claim : prepared_.claims()) {
    std::size_t least = 0;
    for (PreparedRequest& request : claim.requests) {
      ASSAY_RETURN_IF_ERROR(request.error);
      std::size_t smallest = SIZE_MAX;
      for (const auto& wanted : request.alternatives) {
        ASSAY_RETURN_IF_ERROR(wanted->error);
        if (wanted->request.all()) {
          ASSAY_RETURN_IF_ERROR(ValidateAll(
              "claim " + ClaimName(*claim.claim) + ", request " + wanted->request.name, *wanted));
        }
        smallest = std::min(smallest, wanted->num_devices);
      }
      if (at_once && smallest > kMaxResults - least) {
        return InvalidArgumentError("claim " + ClaimName(*claim.claim) + ", request " +
                                    std::string(request.alternatives[0]->request.base_name()) +
                                    ": adding " + std::to_string(smallest) +
                                    " devices exceeds the claim limit of " +
                                    std::to_string(kMaxResults) + ", with " +
                                    std::to_string(least) + " already accounted for");
      }
      least = std::min(least + smallest, SIZE_MAX / 2);
    }
    if (least > kMaxResults) {
      return InvalidArgumentError("claim " + ClaimName(*claim.claim) +
                                  ": number of requested devices " + std::to_string(least) +
                                  " exceeds the claim limit of " + std::to_string(kMaxResults));
    }
    ASSAY_RETURN_IF_ERROR(claim.constraint_error);
  }
  return OkStatus();
}

// The devices of a request for all of them: they are fixed beforehand.
Status Searcher::ValidateAll(const std::string& where, Wanted& wanted) {
  std::vector<Candidate>& devices = all_devices_[wanted.number];
  devices.clear();
  const Features& features = prepared_.features();
  for (const PoolPlace& place : places_) {
    const NodePool& pool = *place.pool;
    if (pool.state() != PoolState::kUsable) {
      return InvalidArgumentError(
          where + ": asks for all devices, but resource pool " + pool.ToString() +
          (pool.state() == PoolState::kIncomplete ? " is currently being updated"
                                                  : " is currently invalid"));
    }
    const LayoutFacts::OfRequest& of = place.facts->requests[wanted.number];
    for (std::uint32_t i = 0; i < pool.devices().size(); ++i) {
      const Candidate candidate = place.first_word * 64 + i;
      bool matches = Has(of.matches.data(), i);
      if (Has(of.unknown.data(), i) && !Has(sets_[wanted.number].fails, candidate)) {
        ASSAY_ASSIGN_OR_RETURN(matches, wanted.matcher.Matches({&pool, i}));
        if (matches) {
          ASSAY_ASSIGN_OR_RETURN(matches, IsForNode(pool.devices()[i], *node_, features));
        }
      }
      if (Has(sets_[wanted.number].fails, candidate)) {
        return FailureOf(wanted, candidate);
      }
      if (!matches) {
        continue;
      }
      // 1.37 leaves in what is in use, so that the request fails.
      if (!features.consumable_capacity || features.AtLeast1_37()) {
        matches = Has(of.fits.data(), i);
      } else {
        ASSAY_ASSIGN_OR_RETURN(matches, FitsNow(wanted, candidate));
      }
      if (matches) {
        devices.push_back(candidate);
      }
    }
  }
  wanted.num_devices = devices.size();
  return OkStatus();
}

Result<bool> Searcher::NoFit() const {
  for (const PoolPlace& place : places_) {
    if (place.pool->state() == PoolState::kInvalid) {
      return FailedPreconditionError("invalid resource pools were encountered");
    }
  }
  return false;
}

// ---- the search ----

Searcher::Outcome Searcher::Search() {
  if (!EnoughDevices()) {
    return Outcome::kNo;
  }
  const Outcome outcome = NextRequest(0, 0);
  if (outcome != Outcome::kStartOver) {
    return outcome;
  }
  // It was not easy: before all else, is there any hope?
  return HasHope() ? NextRequest(0, 0) : Outcome::kNo;
}

// Whether there are as many devices as the requests need together, were they all alike. What most
// nodes of a full cluster fail at.
bool Searcher::EnoughDevices() {
  if (any_dynamic_ || prepared_.wants_all() || prepared_.wants_admin() || !MayLookAhead()) {
    return true;
  }
  std::size_t needed = 0;
  for (const PreparedClaim& claim : prepared_.claims()) {
    for (const PreparedRequest& request : claim.requests) {
      needed += request.has_alternatives ? 0 : request.alternatives[0]->num_devices;
    }
  }
  std::size_t free = 0;
  for (std::size_t word = 0; word < words_ && free < needed; ++word) {
    std::uint64_t any = 0;
    for (const Wanted* wanted : prepared_.wanted()) {
      any |= Free(wanted->claim, *wanted, word);
    }
    free += static_cast<std::size_t>(std::popcount(any));
  }
  return free >= needed;
}

// A branch that has failed.
Searcher::Outcome Searcher::GiveUp() {
  ++failures_;
  if (!started_over_ && failures_ > std::min(options_.patience, kFailuresToStartOver) &&
      MayLookAhead()) {
    started_over_ = true;
    return Outcome::kStartOver;
  }
  return Outcome::kNo;
}

Searcher::Outcome Searcher::Fail(Status error) {
  error_ = std::move(error);
  return Outcome::kError;
}

// What upstream says of a device that it must not look at.
Status Searcher::FailureOf(const Wanted& wanted, Candidate candidate) {
  const DeviceRef device = DeviceOf(candidate);
  Wanted& mutable_wanted = *prepared_.wanted()[wanted.number];
  ASSAY_ASSIGN_OR_RETURN(const bool matches, mutable_wanted.matcher.Matches(device));
  static_cast<void>(matches);
  ASSAY_ASSIGN_OR_RETURN(const bool is_for_node,
                         IsForNode(device.layout(), *node_, prepared_.features()));
  static_cast<void>(is_for_node);
  const Result<bool> fits = FitsCapacity(device.device(), nullptr, nullptr, wanted.request.capacity,
                                         prepared_.features());
  ASSAY_CHECK(!fits.ok());
  const std::string& name = device.api().name;
  return fits.status().WithContext(
      "claim " + ClaimName(*prepared_.claims()[wanted.claim].claim) + ", request " +
      wanted.request.name + ": checking capacity for device " +
      (wanted.request.all() ? name : device.pool->ToString() + "/" + name));
}

// Counts a step; false: the search must end, `error_` says why.
bool Searcher::CountStep() {
  ++steps_;
  if (options_.max_steps != 0 && steps_ > options_.max_steps) {
    error_ = Status(StatusCode::kResourceExhausted,
                    "gave up after " + std::to_string(options_.max_steps) + " steps");
    return false;
  }
  if (steps_ % kCancelCheckSteps == 1 && options_.cancelled && options_.cancelled()) {
    error_ = CancelledError("filter operation aborted: context canceled");
    return false;
  }
  return true;
}

Searcher::Outcome Searcher::NextRequest(std::size_t claim, std::size_t request) {
  if (claim == states_.size()) {
    return Outcome::kYes;
  }
  const PreparedClaim& prepared = prepared_.claims()[claim];
  if (request == prepared.requests.size()) {
    const Outcome outcome = NextRequest(claim + 1, 0);
    // An earlier claim may choose otherwise.
    return outcome == Outcome::kTooManyResults ? Outcome::kNo : outcome;
  }
  const PreparedRequest& wanted = prepared.requests[request];
  if (!wanted.has_alternatives) {
    return NextDevice(claim, request, 0, 0, 0);
  }
  bool all_too_many = true;
  for (std::size_t i = 0; i < wanted.alternatives.size(); ++i) {
    const Outcome outcome = NextDevice(claim, request, i, 0, 0);
    if (outcome == Outcome::kTooManyResults) {
      continue;
    }
    all_too_many = false;
    if (outcome == Outcome::kError || outcome == Outcome::kStartOver) {
      return outcome;
    }
    if (outcome == Outcome::kYes) {
      states_[claim].chosen[request] = i;
      return outcome;
    }
  }
  return all_too_many ? Outcome::kTooManyResults : Outcome::kNo;
}

Searcher::Outcome Searcher::NextDevice(std::size_t claim, std::size_t request,
                                       std::size_t alternative, std::size_t number,
                                       Candidate first) {
  if (!CountStep()) {
    return Outcome::kError;
  }
  const Wanted& wanted = WantedOf(claim, request, alternative);
  const bool all = wanted.request.all();
  if (all && all_devices_[wanted.number].empty()) {
    return Outcome::kNo;
  }
  if (number >= wanted.num_devices) {
    return NextRequest(claim, request + 1);
  }
  if (wanted.num_devices - number > kMaxResults - states_[claim].results.size()) {
    return Outcome::kTooManyResults;
  }
  return all ? NextOfAll(claim, request, alternative, number)
             : TryDevices(claim, request, alternative, number, first);
}

Searcher::Outcome Searcher::NextOfAll(std::size_t claim, std::size_t request,
                                      std::size_t alternative, std::size_t number) {
  const Wanted& wanted = WantedOf(claim, request, alternative);
  const Candidate candidate = all_devices_[wanted.number][number];
  Undo undo;
  const Outcome taken = Take(claim, wanted, candidate, true, undo);
  if (taken != Outcome::kYes) {
    return taken;
  }
  const Outcome outcome = NextDevice(claim, request, alternative, number + 1, 0);
  if (outcome != Outcome::kYes) {
    TakeBack(claim, wanted, candidate, undo);
  }
  return outcome;
}

Searcher::Outcome Searcher::TryDevices(std::size_t claim, std::size_t request,
                                       std::size_t alternative, std::size_t number,
                                       Candidate first) {
  const Wanted& wanted = WantedOf(claim, request, alternative);
  const std::size_t needed = wanted.num_devices - number;
  // Too few devices left?
  const std::size_t first_word = first / 64;
  std::size_t free = 0;
  for (std::size_t word = first_word; word < words_ && free < needed; ++word) {
    const std::uint64_t all = word == first_word ? From(first) : ~std::uint64_t{0};
    free += static_cast<std::size_t>(std::popcount(Free(claim, wanted, word) & all));
  }
  const bool enough = free >= needed || prepared_.tries_all();
  if (!enough && !any_fails_) {
    return GiveUp();
  }
  bool has_key = false;
  if (failures_ > options_.patience && MayLookAhead()) {
    if (!CanStillSucceed(claim, request, alternative, number, first)) {
      return GiveUp();
    }
    WriteKey(claim, request, alternative, number, first);
    if (failed_.contains(key_)) {
      return GiveUp();
    }
    has_key = true;
  }
  // Those left out are at the end of `skipped_`, once there are.
  constexpr std::size_t kNone = SIZE_MAX;
  std::size_t skipped = kNone;
  for (std::size_t word = first_word; word < words_; ++word) {
    std::uint64_t mask = word == first_word ? From(first) : ~std::uint64_t{0};
    while (true) {
      std::uint64_t free_bits = enough ? Free(claim, wanted, word) : 0;
      if (skipped != kNone) {
        free_bits &= ~skipped_[skipped + word];
      }
      const std::uint64_t fail_bits =
          any_fails_ ? sets_[wanted.number].fails[word] & ~InUse(claim, wanted, word) : 0;
      const std::uint64_t bits = (free_bits | fail_bits) & mask;
      if (bits == 0) {
        break;
      }
      const std::uint64_t bit = bits & -bits;
      const auto candidate =
          static_cast<Candidate>(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
      mask &= ~(bit | (bit - 1));
      if ((fail_bits & bit) != 0) {
        return Fail(FailureOf(wanted, candidate));
      }
      if (!CountStep()) {
        return Outcome::kError;
      }
      if (Has(dynamic_.data(), candidate)) {
        const Result<bool> fits = FitsNow(wanted, candidate);
        if (!fits.ok()) {
          return Fail(FailureOf(wanted, candidate));
        }
        if (!*fits) {
          continue;
        }
      }
      Undo undo;
      Outcome outcome = Take(claim, wanted, candidate, false, undo);
      if (outcome == Outcome::kYes) {
        outcome = NextDevice(claim, request, alternative, number + 1, candidate + 1);
        if (outcome != Outcome::kYes) {
          TakeBack(claim, wanted, candidate, undo);
        }
      }
      if (outcome != Outcome::kNo) {
        return outcome;
      }
      if (failures_ > options_.patience && MayLookAhead() && !prepared_.wants_admin()) {
        if (skipped == kNone) {
          FindKinds();
          skipped = skipped_.size();
          skipped_.resize(skipped + words_);
        }
        SkipKind(candidate, skipped_.data() + skipped);
      }
    }
  }
  if (skipped != kNone) {
    skipped_.resize(skipped);
  }
  if (has_key && failed_.size() < kMaxFailedStates) {
    // All has been taken back: the state is that of the beginning.
    WriteKey(claim, request, alternative, number, first);
    failed_.insert(key_);
  }
  return GiveUp();
}

Searcher::Outcome Searcher::Take(std::size_t claim, const Wanted& wanted, Candidate candidate,
                                 bool must, Undo& undo) {
  ClaimState& state = states_[claim];
  PreparedClaim& prepared = prepared_.claims()[claim];
  const DeviceRef device = DeviceOf(candidate);
  const bool shareable = IsShareable(candidate);
  const Features& features = prepared_.features();
  if (must) {
    const std::uint64_t used = wanted.request.admin_access
                                   ? (shareable ? 0 : state.devices[candidate / 64])
                                   : in_use_[candidate / 64];
    if ((used & BitOf(candidate)) != 0 ||
        (!features.partitionable_devices && !device.api().consumes_counters.empty()) ||
        (features.IsExperimental() && !features.optional_node_operations &&
         !device.layout().slice->skip_node_operations.empty())) {
      return Outcome::kNo;
    }
  }
  if (!NodeSkipsOperations(candidate)) {
    return Outcome::kNo;
  }
  if (!device.layout().counters.empty() || !device.layout().groups.empty()) {
    if (!(shareable && HasShares(candidate))) {
      if (!JoinGroups(candidate, undo)) {
        return Outcome::kNo;
      }
      if (!TakeCounters(candidate)) {
        TakeBackChecks(claim, wanted, candidate, undo);
        return Outcome::kNo;
      }
      undo.counters = true;
    }
  }
  if (must && features.device_taints && TaintsPrevent(device.api(), *wanted.request.tolerations)) {
    TakeBackChecks(claim, wanted, candidate, undo);
    return Outcome::kNo;
  }
  for (std::size_t i = 0; i < prepared.constraints.size(); ++i, ++undo.constraints) {
    if (!wanted.concerned[i]) {
      continue;
    }
    constraint::ValueId value = constraint::kNoValue;
    if (wanted.derived[i] == Wanted::kNotDerived) {
      value = ValueOf(prepared.first_constraint + i, candidate);
    } else {
      const Result<constraint::ValueId> derived =
          prepared_.DerivedValueOf(wanted.derived[i], device);
      if (!derived.ok()) {
        TakeBackChecks(claim, wanted, candidate, undo);
        return Fail(derived.status());
      }
      value = *derived;
    }
    if (!prepared.constraints[i].Add(wanted.request.base_name(), value, prepared_.values())) {
      TakeBackChecks(claim, wanted, candidate, undo);
      if (must) {
        return Fail(InvalidArgumentError("claim " + ClaimName(*prepared.claim) + ", request " +
                                         wanted.request.name + ": cannot add device " +
                                         device.pool->ToString() + "/" + device.api().name +
                                         " because a claim constraint would not be satisfied"));
      }
      return Outcome::kNo;
    }
  }
  if (must && features.consumable_capacity) {
    const Result<bool> fits = FitsNow(wanted, candidate);
    if (!fits.ok() || !*fits) {
      TakeBackChecks(claim, wanted, candidate, undo);
      return fits.ok() ? Outcome::kNo : Fail(FailureOf(wanted, candidate));
    }
  }
  if (!shareable) {
    state.devices[candidate / 64] |= BitOf(candidate);
    in_use_[candidate / 64] |= BitOf(candidate);
    undo.marked = true;
  } else {
    ChangeShares(candidate, wanted, true, undo);
  }
  state.results.push_back({candidate, &wanted, !shareable});
  return Outcome::kYes;
}

void Searcher::TakeBack(std::size_t claim, const Wanted& wanted, Candidate candidate,
                        const Undo& undo) {
  if (undo.capacity) {
    Undo unused = undo;
    ChangeShares(candidate, wanted, false, unused);
  }
  states_[claim].results.pop_back();
  if (undo.marked) {
    const std::size_t word = candidate / 64;
    states_[claim].devices[word] &= ~BitOf(candidate);
    const PoolPlace& place = PlaceOf(candidate);
    std::uint64_t used = place.pool->taken[word - place.first_word];
    for (const ClaimState& state : states_) {
      used |= state.devices[word];
    }
    in_use_[word] = (in_use_[word] & ~BitOf(candidate)) | (used & BitOf(candidate));
  }
  TakeBackChecks(claim, wanted, candidate, undo);
}

void Searcher::TakeBackChecks(std::size_t claim, const Wanted& wanted, Candidate candidate,
                              const Undo& undo) {
  std::vector<constraint::Constraint>& constraints = prepared_.claims()[claim].constraints;
  for (std::size_t i = undo.constraints; i-- > 0;) {
    if (wanted.concerned[i]) {
      constraints[i].RemoveLast(wanted.request.base_name());
    }
  }
  if (undo.counters && by_pool_name_.has_value()) {
    by_pool_name_->GiveBack(DeviceOf(candidate));
  } else if (undo.counters) {
    const PoolPlace& place = PlaceOf(candidate);
    for (const inventory::CounterUse& use : DeviceOf(candidate).layout().counters) {
      left_[place.first_counter + use.counter] += use.amount;
    }
  }
  if (!undo.groups.empty()) {
    const PoolPlace& place = PlaceOf(candidate);
    const auto& uses = DeviceOf(candidate).layout().groups;
    for (std::size_t i = undo.groups.size(); i-- > 0;) {
      groups_[place.first_group + uses[i].counter_set] = undo.groups[i];
    }
  }
}

// Adds the device to what shares its counter sets, if their groups allow it.
bool Searcher::JoinGroups(Candidate candidate, Undo& undo) {
  const PoolPlace& place = PlaceOf(candidate);
  const auto& uses = DeviceOf(candidate).layout().groups;
  const bool admitted = std::all_of(uses.begin(), uses.end(), [&](const inventory::GroupUse& use) {
    return groups_[place.first_group + use.counter_set].Admits(*use.groups);
  });
  if (!admitted) {
    return false;
  }
  for (const inventory::GroupUse& use : uses) {
    inventory::CompatibilityGroups& groups = groups_[place.first_group + use.counter_set];
    undo.groups.push_back(groups);
    groups.Add(*use.groups);
  }
  return true;
}

// Whether the node does without what the device's slice says that need not be done.
bool Searcher::NodeSkipsOperations(Candidate candidate) const {
  const Features& features = prepared_.features();
  if (!features.optional_node_operations ||
      DeviceOf(candidate).layout().slice->skip_node_operations.empty()) {
    return true;
  }
  const std::vector<std::string>& declared = node_->status.declared_features;
  return std::find(declared.begin(), declared.end(), "DRAOptionalNodeOperations") != declared.end();
}

// Takes the device's counters if they are there. As upstream, nothing can be taken from a pool of
// which something is over-allocated.
bool Searcher::TakeCounters(Candidate candidate) {
  if (by_pool_name_.has_value()) {
    return by_pool_name_->Take(DeviceOf(candidate));
  }
  const PoolPlace& place = PlaceOf(candidate);
  if (place.pool->over_allocated) {
    return false;
  }
  inventory::Amount* left = left_.data() + place.first_counter;
  const std::vector<inventory::CounterUse>& uses =
      place.pool->devices()[candidate - place.first_word * 64].counters;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    if ((left[uses[i].counter] -= uses[i].amount) < 0) {
      for (std::size_t k = 0; k <= i; ++k) {
        left[uses[k].counter] += uses[k].amount;
      }
      return false;
    }
  }
  return true;
}

// Whether the device's counters are paid for by an earlier share.
bool Searcher::HasShares(Candidate candidate) const {
  const DeviceRef device = DeviceOf(candidate);
  const inventory::DeviceUse* use = device.pool->SharesOf(device.number);
  if (use != nullptr && (use->has_consumed || prepared_.features().AtLeast1_37())) {
    return true;
  }
  return std::any_of(shares_.begin(), shares_.end(), [candidate](const Shares& shares) {
    return shares.candidate == candidate && shares.present;
  });
}

Result<bool> Searcher::FitsNow(const Wanted& wanted, Candidate candidate) const {
  if (!prepared_.features().consumable_capacity) {
    return true;
  }
  const DeviceRef device = DeviceOf(candidate);
  const auto shares = std::find_if(shares_.begin(), shares_.end(), [candidate](const Shares& s) {
    return s.candidate == candidate && s.present;
  });
  return FitsCapacity(device.device(), device.pool->SharesOf(device.number),
                      shares == shares_.end() ? nullptr : &shares->amounts, wanted.request.capacity,
                      prepared_.features());
}

void Searcher::ChangeShares(Candidate candidate, const Wanted& wanted, bool add, Undo& undo) {
  const inventory::Device& device = DeviceOf(candidate).device();
  const auto consumed = ConsumedCapacity(device, wanted.request.capacity, prepared_.features());
  auto shares = std::find_if(shares_.begin(), shares_.end(),
                             [candidate](const Shares& s) { return s.candidate == candidate; });
  if (shares == shares_.end()) {
    shares_.push_back({candidate, false, Allocating(device.capacity.size())});
    shares = std::prev(shares_.end());
  }
  if (add) {
    undo.capacity = true;
    undo.capacity_existed = shares->present;
    shares->present = true;
  } else {
    shares->present = undo.capacity_existed;
  }
  for (std::size_t i = 0; i < device.capacity.size(); ++i) {
    const inventory::Amount amount =
        inventory::ToAmount(consumed.find(std::string(device.capacity[i].name))->second);
    shares->amounts[i] += add ? amount : -amount;
  }
}

bool Searcher::HangsOnNode() const {
  // What is derived may read values that a node gives; what defects left behind stays.
  if (prepared_.tries_all()) {
    return true;
  }
  std::size_t with_own = 0;
  bool any_fixed_own = false;
  for (const PoolPlace& place : places_) {
    if (place.facts->hangs_on_node) {
      return true;
    }
    with_own += place.facts->compares_own ? 1 : 0;
    any_fixed_own = any_fixed_own || place.facts->compares_fixed_own;
  }
  // A kind says which of one pool's values are equal, not which are equal to another's.
  return with_own > 1 || (with_own == 1 && any_fixed_own);
}

std::vector<Found> Searcher::found() const { return {states_.begin(), states_.end()}; }

void Searcher::Restore(const api::core::Node& node, std::span<const NodePool* const> pools,
                       std::span<const Found> found) {
  node_ = &node;
  Place(pools);
  for (std::size_t i = 0; i < states_.size(); ++i) {
    static_cast<Found&>(states_[i]) = found[i];
  }
}

Result<std::vector<AllocationResult>> Searcher::BuildAllocations() const {
  std::vector<AllocationResult> allocations;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const PreparedClaim& claim = prepared_.claims()[i];
    std::vector<const Request*> chosen;
    for (std::size_t r = 0; r < claim.requests.size(); ++r) {
      const std::size_t alternative = claim.requests[r].has_alternatives ? states_[i].chosen[r] : 0;
      chosen.push_back(&claim.requests[r].alternatives[alternative]->request);
    }
    std::vector<ResultDevice> devices;
    for (const ChosenDevice& device : states_[i].results) {
      devices.push_back({DeviceOf(device.candidate), &device.wanted->request, device.dedicated});
    }
    ASSAY_ASSIGN_OR_RETURN(
        AllocationResult allocation,
        BuildResult({*claim.claim, chosen, devices, *node_, prepared_.features(), options_}));
    allocations.push_back(std::move(allocation));
  }
  return allocations;
}

}  // namespace assay::allocator::search
