// Looking ahead: what shows that a branch of the search cannot succeed, without trying it.
#include <algorithm>
#include <bit>
#include <map>
#include <unordered_map>

#include "allocator/search/searcher.h"

namespace assay::allocator::search {
namespace {

std::uint64_t BitOf(Candidate candidate) { return std::uint64_t{1} << (candidate % 64); }

}  // namespace

// Whether branches may be left out unseen: not if something in one could be a fatal error.
bool Searcher::MayLookAhead() {
  if (!may_look_ahead_.has_value()) {
    may_look_ahead_ = !CouldFail();
  }
  return *may_look_ahead_;
}

bool Searcher::CouldFail() {
  if (any_fails_) {
    return true;
  }
  for (const PoolPlace& place : places_) {
    if (place.pool->layout().gives_counters) {
      return true;
    }
  }
  return prepared_.wants_all() &&
         std::any_of(prepared_.claims().begin(), prepared_.claims().end(),
                     [](const PreparedClaim& claim) { return !claim.constraints.empty(); });
}

// Whether the whole search can succeed.
bool Searcher::HasHope() {
  const bool simple = !prepared_.claims()[0].requests.empty() &&
                      !prepared_.claims()[0].requests[0].has_alternatives;
  return !simple || CanStillSucceed(0, 0, 0, 0, 0);
}

// Whether what is still to be found can be there at all: a device of its own for each, values for
// the constraints, and counters for the least of each. Necessary, not sufficient; requests with
// admin access, of all devices or of devices that can be shared are left out. The request `request`
// still needs devices from number `number` on, from candidate `first` on.
bool Searcher::CanStillSucceed(std::size_t claim, std::size_t request, std::size_t alternative,
                               std::size_t number, Candidate first) {
  wishes_.clear();
  wish_words_.clear();
  for (std::size_t c = claim; c < states_.size(); ++c) {
    const std::vector<PreparedRequest>& requests = prepared_.claims()[c].requests;
    for (std::size_t r = c == claim ? request : 0; r < requests.size(); ++r) {
      if (c == claim && r == request) {
        AddWish(c, r, alternative, number, first);
      } else if (!requests[r].has_alternatives) {
        AddWish(c, r, 0, 0, 0);
      }
    }
  }
  narrowed_ = wish_words_;
  if (!AllGranted(words_) || !CountersSuffice()) {
    return false;
  }
  const std::vector<constraint::Constraint>& constraints = prepared_.claims()[claim].constraints;
  for (std::size_t i = 0; i < constraints.size(); ++i) {
    if (!constraints[i].lists() &&
        !(constraints[i].distinct() ? ValuesSuffice(claim, i) : SomeValueServes(claim, i))) {
      return false;
    }
  }
  return true;
}

void Searcher::AddWish(std::size_t claim, std::size_t request, std::size_t alternative,
                       std::size_t number, Candidate first) {
  const Wanted& wanted = WantedOf(claim, request, alternative);
  if (wanted.request.admin_access || wanted.request.all() || number >= wanted.num_devices) {
    return;
  }
  const std::size_t begin = wish_words_.size();
  wish_words_.resize(begin + words_);
  for (std::size_t word = first / 64; word < words_; ++word) {
    std::uint64_t free = Free(claim, wanted, word);
    if (word == first / 64) {
      free &= ~std::uint64_t{0} << (first % 64);
    }
    if ((free & dynamic_[word]) != 0) {
      wish_words_.resize(begin);
      return;
    }
    wish_words_[begin + word] = free;
  }
  wishes_.push_back(
      {static_cast<std::uint32_t>(wanted.num_devices - number), &wanted, claim, begin});
}

// Whether each wish can have devices (or values) of its own: of those in `narrowed_`, where each
// wish has as many words as there are candidates.
bool Searcher::AllGranted(std::size_t words) {
  granted_.assign(words, 0);
  owner_.resize(words * 64);
  for (std::size_t i = 0; i < wishes_.size(); ++i) {
    for (std::uint32_t k = 0; k < wishes_[i].count; ++k) {
      seen_.assign(words, 0);
      if (!Grant(i, words)) {
        return false;
      }
    }
  }
  return true;
}

// Gives the wish one more, moving others if need be.
bool Searcher::Grant(std::size_t wish, std::size_t words) {
  const std::uint64_t* devices = narrowed_.data() + wishes_[wish].devices;
  for (std::size_t word = 0; word < words; ++word) {
    if (const std::uint64_t free = devices[word] & ~granted_[word]; free != 0) {
      granted_[word] |= free & -free;
      owner_[word * 64 + static_cast<std::size_t>(std::countr_zero(free))] =
          static_cast<std::int32_t>(wish);
      return true;
    }
  }
  for (std::size_t word = 0; word < words; ++word) {
    while (const std::uint64_t bits = devices[word] & ~seen_[word]) {
      seen_[word] |= bits & -bits;
      const std::size_t device = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
      if (owner_[device] != static_cast<std::int32_t>(wish) &&
          Grant(static_cast<std::size_t>(owner_[device]), words)) {
        owner_[device] = static_cast<std::int32_t>(wish);
        return true;
      }
    }
  }
  return false;
}

bool Searcher::IsConcerned(const Wish& wish, std::size_t claim, std::size_t constraint) const {
  return wish.claim == claim && wish.wanted->concerned[constraint];
}

void Searcher::NumberValues(std::size_t constraint) {
  values_.resize(prepared_.num_constraints());
  Values& values = values_[constraint];
  if (values.known) {
    return;
  }
  values.known = true;
  values.ids.clear();
  values.members.clear();
  values.of.assign(words_ * 64, -1);
  std::unordered_map<constraint::ValueId, std::int32_t> numbers;
  for (const PoolPlace& place : places_) {
    for (std::uint32_t i = 0; i < place.pool->devices().size(); ++i) {
      const Candidate candidate = place.first_word * 64 + i;
      const constraint::ValueId id = ValueOf(constraint, candidate);
      // One of unknown kind agrees with nothing: not with another of its kind, either.
      if (id == constraint::kNoValue || id == constraint::kUnknownValue) {
        continue;
      }
      const auto [it, fresh] =
          numbers.try_emplace(id, static_cast<std::int32_t>(values.ids.size()));
      if (fresh) {
        values.ids.push_back(id);
        values.members.emplace_back(words_);
      }
      values.of[candidate] = it->second;
      values.members[static_cast<std::size_t>(it->second)][candidate / 64] |= BitOf(candidate);
    }
  }
}

// Whether there is a value of a matchAttribute that all concerned can agree on.
bool Searcher::SomeValueServes(std::size_t claim, std::size_t constraint) {
  const PreparedClaim& prepared = prepared_.claims()[claim];
  const std::vector<constraint::ValueId>& stack = prepared.constraints[constraint].stack();
  std::size_t concerned = stack.size();
  for (const Wish& wish : wishes_) {
    concerned += IsConcerned(wish, claim, constraint) ? wish.count : 0;
  }
  // The first one's value may be of a kind that is not known.
  if (concerned == stack.size() || concerned < 2) {
    return true;
  }
  const std::size_t number = prepared.first_constraint + constraint;
  NumberValues(number);
  const Values& values = values_[number];
  for (std::size_t v = 0; v < values.ids.size(); ++v) {
    if (!stack.empty() && stack.back() != values.ids[v]) {
      continue;
    }
    for (const Wish& wish : wishes_) {
      for (std::size_t word = 0; word < words_; ++word) {
        const std::uint64_t all = wish_words_[wish.devices + word];
        narrowed_[wish.devices + word] =
            IsConcerned(wish, claim, constraint) ? all & values.members[v][word] : all;
      }
    }
    if (AllGranted(words_) && CountersSuffice()) {
      return true;
    }
  }
  return false;
}

// Whether there are enough values for a distinctAttribute.
bool Searcher::ValuesSuffice(std::size_t claim, std::size_t constraint) {
  const PreparedClaim& prepared = prepared_.claims()[claim];
  const std::size_t number = prepared.first_constraint + constraint;
  NumberValues(number);
  const Values& values = values_[number];
  const std::size_t words = words_;  // there are no more values than candidates
  std::fill(narrowed_.begin(), narrowed_.end(), 0);
  const std::vector<constraint::ValueId>& stack = prepared.constraints[constraint].stack();
  const auto is_used = [&](std::size_t value) {
    return std::find(stack.begin(), stack.end(), values.ids[value]) != stack.end();
  };
  std::vector<Wish> concerned;
  for (const Wish& wish : wishes_) {
    if (!IsConcerned(wish, claim, constraint)) {
      continue;
    }
    concerned.push_back(wish);
    for (std::size_t v = 0; v < values.ids.size(); ++v) {
      bool has = false;
      for (std::size_t word = 0; word < words && !has; ++word) {
        has = (wish_words_[wish.devices + word] & values.members[v][word]) != 0;
      }
      if (has && !is_used(v)) {
        narrowed_[wish.devices + v / 64] |= std::uint64_t{1} << (v % 64);
      }
    }
  }
  // A first value of unknown kind clashes with none: one wish more or less.
  if (concerned.empty() || stack.empty()) {
    const bool any_unknown = std::any_of(places_.begin(), places_.end(), [&](const auto& place) {
      const auto& ids = place.facts->values[number];
      return std::find(ids.begin(), ids.end(), constraint::kUnknownValue) != ids.end();
    });
    if (concerned.empty() || any_unknown) {
      return true;
    }
  }
  std::swap(concerned, wishes_);
  const bool granted = AllGranted(words);
  std::swap(concerned, wishes_);
  return granted;
}

// Whether each wish can take of every counter what the least of its devices takes, of those in
// `narrowed_`.
bool Searcher::CountersSuffice() const {
  if (left_.empty()) {
    return true;
  }
  using Needs = std::vector<std::pair<std::size_t, inventory::Amount>>;
  Needs needed;
  Needs least;
  for (const Wish& wish : wishes_) {
    bool first = true;
    for (std::size_t word = 0; word < words_ && (first || !least.empty()); ++word) {
      for (std::uint64_t bits = narrowed_[wish.devices + word];
           bits != 0 && (first || !least.empty()); bits &= bits - 1) {
        const auto candidate =
            static_cast<Candidate>(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
        const PoolPlace& place = PlaceOf(candidate);
        const auto& uses = DeviceOf(candidate).layout().counters;
        if (first) {
          first = false;
          least.clear();
          for (const inventory::CounterUse& use : uses) {
            least.emplace_back(place.first_counter + use.counter, use.amount);
          }
          continue;
        }
        std::erase_if(least, [&](auto& entry) {
          const auto use = std::find_if(uses.begin(), uses.end(), [&](const auto& u) {
            return place.first_counter + u.counter == entry.first;
          });
          if (use == uses.end()) {
            return true;
          }
          entry.second = std::min(entry.second, use->amount);
          return false;
        });
      }
    }
    if (first) {
      continue;
    }
    for (const auto& [counter, amount] : least) {
      const auto known = std::find_if(needed.begin(), needed.end(),
                                      [&](const auto& entry) { return entry.first == counter; });
      const inventory::Amount total = amount * wish.count;
      if (known == needed.end()) {
        needed.emplace_back(counter, total);
      } else {
        known->second += total;
      }
    }
  }
  return std::all_of(needed.begin(), needed.end(),
                     [this](const auto& entry) { return entry.second <= left_[entry.first]; });
}

// Devices are of one kind if each can stand for the other in every solution.
void Searcher::FindKinds() {
  if (kinds_found_) {
    return;
  }
  kinds_found_ = true;
  kind_.assign(words_ * 64, 0);
  kinds_.clear();
  std::map<std::string, std::uint32_t> known;
  selector::KeyWriter key;
  for (const PoolPlace& place : places_) {
    for (std::uint32_t i = 0; i < place.pool->devices().size(); ++i) {
      const Candidate candidate = place.first_word * 64 + i;
      for (const Sets& sets : sets_) {
        key.Flag(Has(sets.usable, candidate));
      }
      key.Flag(place.pool->IsTaken(i));
      for (std::size_t k = 0; k < prepared_.num_constraints(); ++k) {
        key.Number(static_cast<std::int64_t>(ValueOf(k, candidate)));
      }
      const auto& counters = place.pool->devices()[i].counters;
      if (!counters.empty()) {
        key.Number(place.first_counter);
        for (const inventory::CounterUse& use : counters) {
          key.Number(use.counter);
          key.Number(static_cast<std::int64_t>(use.amount >> 64));
          key.Number(static_cast<std::int64_t>(use.amount));
        }
      }
      const inventory::LayoutDevice& layout = place.pool->devices()[i];
      for (const inventory::GroupUse& use : layout.groups) {
        key.Number(place.first_group + use.counter_set);
        key.Texts(*use.groups);
      }
      key.Flag(layout.slice->skip_node_operations.empty());
      if (Has(dynamic_.data(), candidate)) {
        AddCapacity({place.pool, i}, key);
      }
      const auto [it, fresh] =
          known.try_emplace(key.Take(), static_cast<std::uint32_t>(kinds_.size()));
      if (fresh) {
        kinds_.emplace_back(words_);
      }
      kind_[candidate] = it->second;
      kinds_[it->second][candidate / 64] |= BitOf(candidate);
    }
  }
}

// What a device with shares, in use or to come, has and gives to each request.
void Searcher::AddCapacity(inventory::DeviceRef device, selector::KeyWriter& key) const {
  const auto add = [&key](const inventory::Amount& amount) {
    key.Number(static_cast<std::int64_t>(amount >> 64));
    key.Number(static_cast<std::int64_t>(amount));
  };
  const inventory::Device& prepared = device.device();
  for (const inventory::Device::Capacity& capacity : prepared.capacity) {
    key.Text(capacity.name);
    add(capacity.value);
  }
  for (const Wanted* wanted : prepared_.wanted()) {
    for (const auto& [name, amount] :
         ConsumedCapacity(prepared, wanted->request.capacity, prepared_.features())) {
      add(inventory::ToAmount(amount));
    }
  }
  const inventory::DeviceUse* use = device.pool->SharesOf(device.number);
  key.Flag(use != nullptr);
  if (use != nullptr) {
    key.Flag(use->has_consumed);
    key.Count(use->consumed.size());
    for (const auto& [name, amount] : use->consumed) {
      key.Text(name);
      add(amount);
    }
  }
}

const Searcher::Shares* Searcher::SharesOf(Candidate candidate) const {
  const auto shares = std::find_if(shares_.begin(), shares_.end(), [candidate](const Shares& s) {
    return s.candidate == candidate && s.present;
  });
  return shares == shares_.end() ? nullptr : &*shares;
}

// Leaves out the devices that are as the one that has failed. Those that this search has shares of
// are like none.
void Searcher::SkipKind(Candidate candidate, Words skipped) const {
  skipped[candidate / 64] |= BitOf(candidate);
  if (SharesOf(candidate) != nullptr) {
    return;
  }
  const std::vector<std::uint64_t>& members = kinds_[kind_[candidate]];
  for (std::size_t word = 0; word < words_; ++word) {
    std::uint64_t alike = members[word];
    for (const Shares& shares : shares_) {
      if (shares.present && shares.candidate / 64 == word) {
        alike &= ~BitOf(shares.candidate);
      }
    }
    skipped[word] |= alike;
  }
}

// Of the devices in use only how many there are of each kind matters, but for a request that is
// under way.
void Searcher::WriteKey(std::size_t claim, std::size_t request, std::size_t alternative,
                        std::size_t number, Candidate first) {
  FindKinds();
  selector::KeyWriter key;
  key.Number(static_cast<std::int64_t>(((claim * 64 + request) * 64 + alternative) * 64 + number));
  key.Count(states_[claim].results.size());
  if (number == 0 && !prepared_.wants_admin()) {
    for (const std::vector<std::uint64_t>& members : kinds_) {
      int used = 0;
      for (std::size_t word = 0; word < words_; ++word) {
        used += std::popcount(members[word] & in_use_[word]);
      }
      key.Number(used);
    }
  } else {
    key.Number(first);
    for (std::size_t word = 0; word < words_; ++word) {
      key.Number(static_cast<std::int64_t>(in_use_[word]));
      for (const ClaimState& state : states_) {
        key.Number(static_cast<std::int64_t>(prepared_.wants_admin() ? state.devices[word] : 0));
      }
    }
  }
  // Shares, by kind of device while that is all that matters.
  std::vector<std::string> shares;
  for (const Shares& some : shares_) {
    if (!some.present) {
      continue;
    }
    selector::KeyWriter one;
    one.Number(number == 0 ? kind_[some.candidate] : some.candidate);
    for (const inventory::Amount& amount : some.amounts) {
      one.Number(static_cast<std::int64_t>(amount >> 64));
      one.Number(static_cast<std::int64_t>(amount));
    }
    shares.push_back(one.Take());
  }
  std::sort(shares.begin(), shares.end());
  key.Texts(shares);
  for (const constraint::Constraint& constraint : prepared_.claims()[claim].constraints) {
    std::vector<constraint::ValueId> stack = constraint.stack();
    if (!constraint.distinct() && !stack.empty()) {
      stack = {stack.back()};
    }
    std::sort(stack.begin(), stack.end());
    key.Count(stack.size());
    for (constraint::ValueId value : stack) {
      key.Number(static_cast<std::int64_t>(value));
    }
  }
  key_ = key.Take();
}

}  // namespace assay::allocator::search
