// Looking ahead: what shows that a branch of the search cannot succeed, without trying it.
#include <algorithm>
#include <bit>
#include <cstring>

#include "allocator/search/searcher.h"
#include "allocator/selector/key_writer.h"

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
  if (any_fails_ || prepared_.tries_all()) {
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
  numbering_.clear();
  for (const PoolPlace& place : places_) {
    for (std::uint32_t i = 0; i < place.pool->devices().size(); ++i) {
      const Candidate candidate = place.first_word * 64 + i;
      const constraint::ValueId id = ValueOf(constraint, candidate);
      // One of unknown kind agrees with nothing: not with another of its kind, either.
      if (id != constraint::kNoValue && id != constraint::kUnknownValue) {
        numbering_.emplace_back(id, candidate);
      }
    }
  }
  std::sort(numbering_.begin(), numbering_.end());
  for (const auto& [id, candidate] : numbering_) {
    if (values.ids.empty() || values.ids.back() != id) {
      values.ids.push_back(id);
      values.members.resize(values.members.size() + words_);
    }
    values.members[(values.ids.size() - 1) * words_ + candidate / 64] |= BitOf(candidate);
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
            IsConcerned(wish, claim, constraint) ? all & values.members[v * words_ + word] : all;
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
        has = (wish_words_[wish.devices + word] & values.members[v * words + word]) != 0;
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
bool Searcher::CountersSuffice() {
  if (left_.empty()) {
    return true;
  }
  needed_.assign(left_.size(), 0);
  for (const Wish& wish : wishes_) {
    FindLeast(wish);
    for (const inventory::CounterUse& use : least_) {
      needed_[use.counter] += use.amount * wish.count;
    }
  }
  for (std::size_t i = 0; i < left_.size(); ++i) {
    // Nothing is asked of a counter that is not needed: it may be negative.
    if (needed_[i] != 0 && needed_[i] > left_[i]) {
      return false;
    }
  }
  return true;
}

// Of each counter the least that any of the wish's devices takes, in `least_`; their numbers are
// those of `left_`.
void Searcher::FindLeast(const Wish& wish) {
  least_.clear();
  bool first = true;
  for (std::size_t word = 0; word < words_; ++word) {
    for (std::uint64_t bits = narrowed_[wish.devices + word]; bits != 0; bits &= bits - 1) {
      const auto candidate =
          static_cast<Candidate>(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
      const std::uint32_t offset = PlaceOf(candidate).first_counter;
      const std::vector<inventory::CounterUse>& uses = DeviceOf(candidate).layout().counters;
      if (first) {
        first = false;
        for (const inventory::CounterUse& use : uses) {
          least_.push_back({offset + use.counter, use.amount});
        }
      } else {
        // Both are in the order of the counters.
        auto use = uses.begin();
        auto kept = least_.begin();
        for (const inventory::CounterUse& least : least_) {
          while (use != uses.end() && offset + use->counter < least.counter) {
            ++use;
          }
          if (use != uses.end() && offset + use->counter == least.counter) {
            *kept++ = {least.counter, std::min(least.amount, use->amount)};
          }
        }
        least_.erase(kept, least_.end());
      }
      if (least_.empty()) {
        return;
      }
    }
  }
}

// Devices are of one kind if each can stand for the other in every solution.
void Searcher::FindKinds() {
  if (kinds_found_) {
    return;
  }
  kinds_found_ = true;
  kind_.assign(words_ * 64, 0);
  by_kind_.clear();
  kind_keys_.clear();
  const std::size_t width = 3 + (sets_.size() + 63) / 64 + prepared_.num_constraints();
  for (const PoolPlace& place : places_) {
    for (std::uint32_t i = 0; i < place.pool->devices().size(); ++i) {
      const Candidate candidate = place.first_word * 64 + i;
      by_kind_.push_back(candidate);
      kind_[candidate] = static_cast<std::uint32_t>(kind_keys_.size() / width);
      WriteKindKey(candidate);
    }
  }
  const auto compare = [&](Candidate a, Candidate b) {
    const std::uint64_t* const keys = kind_keys_.data();
    return std::memcmp(keys + kind_[a] * width, keys + kind_[b] * width,
                       width * sizeof(std::uint64_t));
  };
  std::sort(by_kind_.begin(), by_kind_.end(),
            [&](Candidate a, Candidate b) { return compare(a, b) < 0; });
  first_of_kind_.clear();
  for (std::uint32_t i = 0; i < by_kind_.size(); ++i) {
    if (i == 0 || compare(by_kind_[i - 1], by_kind_[i]) != 0) {
      first_of_kind_.push_back(i);
    }
  }
  first_of_kind_.push_back(static_cast<std::uint32_t>(by_kind_.size()));
  for (std::uint32_t kind = 0; kind + 1 < first_of_kind_.size(); ++kind) {
    for (std::uint32_t i = first_of_kind_[kind]; i < first_of_kind_[kind + 1]; ++i) {
      kind_[by_kind_[i]] = kind;
    }
  }
}

// What tells a device's kind from others, at the end of `kind_keys_`.
void Searcher::WriteKindKey(Candidate candidate) {
  const PoolPlace& place = PlaceOf(candidate);
  const inventory::DeviceRef device = DeviceOf(candidate);
  const inventory::LayoutDevice& layout = device.layout();
  const bool is_plain = layout.counters.empty() && layout.groups.empty();
  kind_keys_.push_back(is_plain ? 0 : static_cast<std::uint64_t>(&place - places_.data()) + 1);
  kind_keys_.push_back(is_plain ? 0 : layout.alike);
  std::uint64_t capacity = 0;
  if (Has(dynamic_.data(), candidate)) {
    selector::KeyWriter key;
    AddCapacity(device, key);
    capacity = capacities_.try_emplace(key.Take(), capacities_.size() + 1).first->second;
  }
  kind_keys_.push_back(capacity << 2 | (device.pool->IsTaken(device.number) ? 2 : 0) |
                       (layout.slice->skip_node_operations.empty() ? 1 : 0));
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    if (i % 64 == 0) {
      kind_keys_.push_back(0);
    }
    kind_keys_.back() |= (Has(sets_[i].usable, candidate) ? std::uint64_t{1} : 0) << (i % 64);
  }
  for (std::size_t k = 0; k < prepared_.num_constraints(); ++k) {
    kind_keys_.push_back(ValueOf(k, candidate));
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
  const std::uint32_t kind = kind_[candidate];
  for (std::uint32_t i = first_of_kind_[kind]; i < first_of_kind_[kind + 1]; ++i) {
    const Candidate alike = by_kind_[i];
    if (shares_.empty() || SharesOf(alike) == nullptr) {
      skipped[alike / 64] |= BitOf(alike);
    }
  }
}

// Of the devices that the search has taken only the kinds matter, but for a request that is under
// way.
void Searcher::WriteKey(std::size_t claim, std::size_t request, std::size_t alternative,
                        std::size_t number, Candidate first) {
  FindKinds();
  const auto add = [this](std::uint64_t word) {
    key_.append(reinterpret_cast<const char*>(&word), sizeof(word));
  };
  key_.clear();
  add(((claim * 64 + request) * 64 + alternative) * 64 + number);
  add(states_[claim].results.size());
  const bool by_kind = number == 0 && !prepared_.wants_admin();
  if (!by_kind) {
    add(first);
  }
  key_items_.clear();
  for (std::size_t c = 0; c < states_.size(); ++c) {
    for (const ChosenDevice& device : states_[c].results) {
      if (device.dedicated) {
        // With admin access one device may be several claims'.
        const std::uint64_t of_claim = prepared_.wants_admin() ? c << 32 : 0;
        key_items_.push_back(by_kind ? kind_[device.candidate] : of_claim | device.candidate);
      }
    }
  }
  AddSorted(key_items_);
  AddShares(number == 0);
  for (const constraint::Constraint& constraint : prepared_.claims()[claim].constraints) {
    const std::vector<constraint::ValueId>& stack = constraint.stack();
    const bool last = !constraint.distinct() && !stack.empty();
    key_items_.assign(last ? std::prev(stack.end()) : stack.begin(), stack.end());
    AddSorted(key_items_);
  }
}

// Adds to `key_`.
void Searcher::AddSorted(std::vector<std::uint64_t>& items) {
  std::sort(items.begin(), items.end());
  items.insert(items.begin(), items.size());
  key_.append(reinterpret_cast<const char*>(items.data()), items.size() * sizeof(std::uint64_t));
}

// Shares, by kind of device while that is all that matters, in `key_`.
void Searcher::AddShares(bool by_kind) {
  std::vector<std::string> shares;
  for (const Shares& some : shares_) {
    if (!some.present) {
      continue;
    }
    selector::KeyWriter one;
    one.Number(by_kind ? kind_[some.candidate] : some.candidate);
    for (const inventory::Amount& amount : some.amounts) {
      one.Number(static_cast<std::int64_t>(amount >> 64));
      one.Number(static_cast<std::int64_t>(amount));
    }
    shares.push_back(one.Take());
  }
  std::sort(shares.begin(), shares.end());
  selector::KeyWriter all;
  all.Texts(shares);
  key_ += all.Take();
}

}  // namespace assay::allocator::search
