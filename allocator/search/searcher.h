// Searcher: finds the devices of a node for claims, in upstream's order: the first complete
// solution.
//
// It tries what upstream tries, in its order, but leaves out branches that cannot succeed: fewer
// devices left than needed; a device in place of one of its kind that has failed; a state that has
// failed before; and, after the first failure, whatever looking ahead shows to be hopeless (not
// enough devices, values or counters for all that is still to be found). It leaves out nothing
// where some branch could end in a fatal error, which upstream would come upon, nor where a branch
// that fails leaves something behind (Features::upstream_defects).
//
// Source: structured/internal/incubating/allocator_incubating.go.
//
// Not thread-safe; its memory is kept from node to node, so that a node it has seen the like of
// costs no allocation.
#ifndef ASSAY_ALLOCATOR_SEARCH_SEARCHER_H_
#define ASSAY_ALLOCATOR_SEARCH_SEARCHER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "allocator/search/capacity.h"
#include "allocator/search/counters_by_pool_name.h"
#include "allocator/search/options.h"
#include "allocator/search/prepared.h"
#include "api/resource/types.h"
#include "base/result.h"

namespace assay::allocator::search {

// Most devices of one claim (resource.k8s.io: AllocationResultsMaxSize).
inline constexpr std::size_t kMaxResults = 32;

// One of the node's devices, of all pools: bits of a pool's devices begin with a word.
using Candidate = std::uint32_t;

struct ChosenDevice {
  Candidate candidate = 0;
  const Wanted* wanted = nullptr;
  bool dedicated = true;  // not a share
};

// What was found for a claim.
struct Found {
  std::vector<std::size_t> chosen;  // of each request's alternatives
  std::vector<ChosenDevice> results;
};

class Searcher {
 public:
  // Both must outlive it.
  Searcher(Prepared& prepared, const AllocateOptions& options);

  // Whether the claims fit; errors as of Snapshot::Allocate. Pools in the order of allocation.
  Result<bool> Run(const api::core::Node& node, std::span<const inventory::NodePool* const> pools);

  // What the last Run, which found devices, has found.
  Result<std::vector<api::resource::AllocationResult>> BuildAllocations() const;

  // Whether the last Run's answer hangs on more than the kinds of the pools (NodePool::kind) and
  // what of them is taken.
  bool HangsOnNode() const;
  // What the last Run, which found devices, has found, by claim; to build allocations of on another
  // node like that one.
  std::vector<Found> found() const;
  void Restore(const api::core::Node& node, std::span<const inventory::NodePool* const> pools,
               std::span<const Found> found);

  // Devices tried by the last Run.
  std::uint64_t steps() const { return steps_; }

 private:
  // How one attempt ended.
  enum class Outcome : std::uint8_t { kNo, kYes, kTooManyResults, kError, kStartOver };
  using Words = std::uint64_t*;
  using ConstWords = const std::uint64_t*;

  struct PoolPlace {
    const inventory::NodePool* pool;
    const LayoutFacts* facts;
    std::uint32_t first_word;
    std::uint32_t first_counter;
    std::uint32_t first_group;
  };
  // What a request can have on this node; by word.
  struct Sets {
    ConstWords usable;
    ConstWords fails;
  };
  struct ClaimState : Found {
    std::vector<std::uint64_t> devices;  // those it has to itself
  };
  // A device that this search takes shares of.
  struct Shares {
    Candidate candidate;
    bool present;  // even if all shares were taken back but one that is empty
    Allocating amounts;
  };
  // What one device's allocation changed, to take back.
  struct Undo {
    bool counters = false;
    bool marked = false;
    bool capacity = false;
    bool capacity_existed = false;
    std::uint32_t constraints = 0;
    std::vector<inventory::CompatibilityGroups> groups;  // as they were
  };

  // Branches that fail before it is asked whether there is any hope.
  static constexpr std::uint64_t kFailuresToStartOver = 16;
  // Failed states that are remembered.
  static constexpr std::size_t kMaxFailedStates = 1 << 15;

  // ---- preparation (searcher.cc)
  void Place(std::span<const inventory::NodePool* const> pools);
  void CollectSets(const api::core::Node& node);
  void CollectUnknown(const api::core::Node& node, const PoolPlace& place, Wanted& wanted);
  Status Validate();
  Status ValidateAll(const std::string& where, Wanted& wanted);
  Result<bool> NoFit() const;

  // ---- search (searcher.cc)
  Outcome Search();
  Outcome Fail(Status error);
  Outcome GiveUp();
  bool EnoughDevices();
  bool CountStep();
  Outcome NextRequest(std::size_t claim, std::size_t request);
  Outcome NextDevice(std::size_t claim, std::size_t request, std::size_t alternative,
                     std::size_t number, Candidate first);
  Outcome NextOfAll(std::size_t claim, std::size_t request, std::size_t alternative,
                    std::size_t number);
  Outcome TryDevices(std::size_t claim, std::size_t request, std::size_t alternative,
                     std::size_t number, Candidate first);
  Outcome Take(std::size_t claim, const Wanted& wanted, Candidate candidate, bool must, Undo& undo);
  void TakeBack(std::size_t claim, const Wanted& wanted, Candidate candidate, const Undo& undo);
  void TakeBackChecks(std::size_t claim, const Wanted& wanted, Candidate candidate,
                      const Undo& undo);
  bool TakeCounters(Candidate candidate);
  bool JoinGroups(Candidate candidate, Undo& undo);
  bool NodeSkipsOperations(Candidate candidate) const;
  void ChangeShares(Candidate candidate, const Wanted& wanted, bool add, Undo& undo);
  bool HasShares(Candidate candidate) const;
  Result<bool> FitsNow(const Wanted& wanted, Candidate candidate) const;
  Status FailureOf(const Wanted& wanted, Candidate candidate);

  const PoolPlace& PlaceOf(Candidate candidate) const { return places_[pool_of_[candidate / 64]]; }
  inventory::DeviceRef DeviceOf(Candidate candidate) const {
    const PoolPlace& place = PlaceOf(candidate);
    return {place.pool, candidate - place.first_word * 64};
  }
  constraint::ValueId ValueOf(std::size_t constraint, Candidate candidate) const {
    return Prepared::ValueOf(*PlaceOf(candidate).facts, constraint, DeviceOf(candidate));
  }
  bool IsShareable(Candidate candidate) const {
    const PoolPlace& place = PlaceOf(candidate);
    return Has(place.facts->shareable.data() - place.first_word, candidate);
  }
  static bool Has(ConstWords words, Candidate candidate) {
    return (words[candidate / 64] >> (candidate % 64) & 1) != 0;
  }
  Wanted& WantedOf(std::size_t claim, std::size_t request, std::size_t alternative) {
    return *prepared_.claims()[claim].requests[request].alternatives[alternative];
  }
  // Devices that the request may have, by word: what serves it and is not in use.
  std::uint64_t Free(std::size_t claim, const Wanted& wanted, std::size_t word) const {
    return sets_[wanted.number].usable[word] & ~InUse(claim, wanted, word) & ~blocked_[word];
  }
  std::uint64_t InUse(std::size_t claim, const Wanted& wanted, std::size_t word) const {
    return wanted.request.admin_access ? states_[claim].devices[word] : in_use_[word];
  }

  // ---- looking ahead (look_ahead.cc)
  // Devices still to be found, alike: `count` of those in `devices`.
  struct Wish {
    std::uint32_t count;
    const Wanted* wanted;
    std::size_t claim;
    std::size_t devices;  // where its words begin in wish_words_
  };
  bool MayLookAhead();
  bool CouldFail();
  bool HasHope();
  bool CanStillSucceed(std::size_t claim, std::size_t request, std::size_t alternative,
                       std::size_t number, Candidate first);
  void AddWish(std::size_t claim, std::size_t request, std::size_t alternative, std::size_t number,
               Candidate first);
  bool AllGranted(std::size_t words);
  bool Grant(std::size_t wish, std::size_t words);
  bool IsConcerned(const Wish& wish, std::size_t claim, std::size_t constraint) const;
  void NumberValues(std::size_t constraint);
  bool CountersSuffice();
  void FindLeast(const Wish& wish);
  bool SomeValueServes(std::size_t claim, std::size_t constraint);
  bool ValuesSuffice(std::size_t claim, std::size_t constraint);
  void FindKinds();
  void WriteKindKey(Candidate candidate);
  void AddCapacity(inventory::DeviceRef device, selector::KeyWriter& key) const;
  const Shares* SharesOf(Candidate candidate) const;
  void SkipKind(Candidate candidate, Words skipped) const;
  // What tells the state of the search apart, in `key_`.
  void WriteKey(std::size_t claim, std::size_t request, std::size_t alternative, std::size_t number,
                Candidate first);
  void AddSorted(std::vector<std::uint64_t>& items);
  void AddShares(bool by_kind);

  Prepared& prepared_;
  const AllocateOptions& options_;
  std::vector<ClaimState> states_;

  // The node.
  const api::core::Node* node_ = nullptr;
  std::vector<PoolPlace> places_;
  std::vector<std::uint32_t> pool_of_;  // by word
  std::size_t words_ = 0;
  std::vector<Sets> sets_;                // by request
  std::vector<std::uint64_t> set_words_;  // what `sets_` points into, where it is not the facts
  std::vector<std::vector<Candidate>> all_devices_;  // by request; for mode All
  std::vector<std::uint64_t> in_use_;
  std::vector<std::uint64_t> blocked_;                  // by counters
  std::vector<std::uint64_t> dynamic_;                  // capacity hangs on what is in use
  std::vector<inventory::Amount> left_;                 // of each pool's counters
  std::vector<inventory::CompatibilityGroups> groups_;  // of each pool's counter sets
  std::vector<Shares> shares_;
  std::optional<CountersByPoolName> by_pool_name_;  // instead of `left_`, with defects
  bool any_fails_ = false;
  bool any_dynamic_ = false;

  // The search.
  std::uint64_t steps_ = 0;
  std::uint64_t failures_ = 0;  // branches that were given up
  bool started_over_ = false;
  std::optional<bool> may_look_ahead_;
  Status error_;

  // Looking ahead.
  std::vector<Wish> wishes_;
  std::vector<std::uint64_t> wish_words_;
  std::vector<std::uint64_t> granted_;
  std::vector<std::uint64_t> seen_;
  std::vector<std::int32_t> owner_;
  std::vector<std::uint64_t> skipped_;     // of every open TryDevices that leaves out some
  std::vector<inventory::Amount> needed_;  // of each counter
  std::vector<inventory::CounterUse> least_;
  // Of a constraint: its values, numbered.
  struct Values {
    bool known = false;
    std::vector<constraint::ValueId> ids;
    std::vector<std::uint64_t> members;  // of each value, by word
  };
  std::vector<Values> values_;  // by constraint
  std::vector<std::pair<constraint::ValueId, Candidate>> numbering_;
  std::vector<std::uint64_t> narrowed_;
  bool kinds_found_ = false;
  std::vector<std::uint32_t> kind_;           // by candidate
  std::vector<Candidate> by_kind_;            // all, those of a kind together
  std::vector<std::uint32_t> first_of_kind_;  // in `by_kind_`; one more at the end
  std::vector<std::uint64_t> kind_keys_;
  std::map<std::string, std::uint64_t> capacities_;  // see AddCapacity, numbered
  std::vector<std::uint64_t> key_items_;
  std::unordered_set<std::string> failed_;  // states
  std::string key_;
};

}  // namespace assay::allocator::search

#endif  // ASSAY_ALLOCATOR_SEARCH_SEARCHER_H_
