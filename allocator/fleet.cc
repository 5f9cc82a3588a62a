#include "allocator/fleet.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "allocator/internal/snapshot.h"
#include "allocator/search/answers.h"
#include "api/core/types.h"

namespace assay::allocator {

using api::core::Node;
using inventory::Pool;
using search::NodeKind;

struct Fleet::Impl {
  using Members = std::set<std::uint32_t>;
  using Kinds = std::unordered_map<NodeKind, Members, search::HashNodeKind>;

  // A node, and those of its kind.
  using Next = std::pair<std::uint32_t, const Members*>;

  explicit Impl(std::vector<const Node*> of) : nodes(std::move(of)), kind_of(nodes.size()) {
    for (std::uint32_t number = 0; number < nodes.size(); ++number) {
      numbers.emplace(nodes[number]->metadata.name, number);
    }
  }

  void Update(std::shared_ptr<const Snapshot> now, const Snapshot::Impl& state) {
    if (now == snapshot) {
      return;
    }
    bool all =
        snapshot == nullptr || !state.index->OfAll().empty() || !last->index->OfAll().empty();
    if (!all) {
      state.pools.ForEachChange(last->pools, [&](const Pool* before, const Pool* after) {
        for (const Pool* pool : {before, after}) {
          for (const std::string& name :
               pool == nullptr ? std::vector<std::string>() : pool->NodeNames()) {
            const auto [first, end] = numbers.equal_range(name);
            for (auto it = first; it != end; ++it) {
              Classify(it->second, state);
            }
          }
        }
      });
    }
    for (std::uint32_t number = 0; all && number < nodes.size(); ++number) {
      Classify(number, state);
    }
    snapshot = std::move(now);
    last = &state;
  }

  void Classify(std::uint32_t number, const Snapshot::Impl& state) {
    // What is wrong with the node's pools is told by asking.
    const bool in_trouble = !state.FindPools(*nodes[number], found).ok();
    const NodeKind& kind = in_trouble ? kLikeNoOther : found.kind;
    Kinds::value_type*& known = kind_of[number];
    if (known != nullptr) {
      if (known->first == kind) {
        return;
      }
      Change(known->second, [number](Members& members) { members.erase(number); });
      if (known->second.empty()) {
        kinds.erase(known->first);
      }
    }
    known = &*kinds.try_emplace(kind).first;
    Change(known->second, [number](Members& members) { members.insert(number); });
  }

  // Keeps `firsts` right while the members change.
  template <typename Use>
  void Change(Members& members, const Use& change) {
    const auto first = [&members] { return members.empty() ? kNoNode : *members.begin(); };
    const std::uint32_t before = first();
    change(members);
    const std::uint32_t after = first();
    if (before == after) {
      return;
    }
    if (before != kNoNode) {
      firsts.erase({before, &members});
    }
    if (after != kNoNode) {
      firsts.emplace(after, &members);
    }
  }

  static constexpr std::uint32_t kNoNode = UINT32_MAX;

  // Of nodes that must be asked one by one, as those with a pool that is like no other.
  const NodeKind kLikeNoOther = {0};

  std::vector<const Node*> nodes;
  std::unordered_multimap<std::string_view, std::uint32_t> numbers;  // by name
  Kinds kinds;
  std::set<Next> firsts;                    // the first node of each kind
  std::vector<Kinds::value_type*> kind_of;  // by node
  std::shared_ptr<const Snapshot> snapshot;
  const Snapshot::Impl* last = nullptr;  // the snapshot's
  // Memory that is kept.
  internal::NodePools found;
  std::vector<Next> others;
};

Fleet::Fleet(std::vector<const Node*> nodes) : impl_(std::make_unique<Impl>(std::move(nodes))) {}
Fleet::~Fleet() = default;
Fleet::Fleet(Fleet&&) noexcept = default;
Fleet& Fleet::operator=(Fleet&&) noexcept = default;

void Fleet::Update(std::shared_ptr<const Snapshot> snapshot) {
  const Snapshot::Impl& state = *snapshot->impl_;
  impl_->Update(std::move(snapshot), state);
}

Result<std::optional<std::size_t>> Fleet::FirstFit(Attempt& attempt) {
  Update(attempt.snapshot());
  const std::set<Impl::Next>& firsts = impl_->firsts;
  auto first = firsts.begin();
  // Besides: the next nodes of kinds whose first one's answer holds for itself alone.
  std::vector<Impl::Next>& others = impl_->others;
  others.clear();
  Status error;
  while (first != firsts.end() || !others.empty()) {
    Impl::Next next;
    if (others.empty() || (first != firsts.end() && *first < others.front())) {
      next = *first++;
    } else {
      std::pop_heap(others.begin(), others.end(), std::greater<>());
      next = others.back();
      others.pop_back();
    }
    const auto [number, members] = next;
    const Result<bool> fits = attempt.Fits(*impl_->nodes[number]);
    if (fits.ok() && *fits) {
      return std::optional<std::size_t>(number);
    }
    if (!fits.ok() && fits.status().code() == StatusCode::kInvalidArgument) {
      return fits.status();
    }
    error = error.ok() ? fits.status() : error;
    if (attempt.HoldsForAlike()) {
      continue;
    }
    if (const auto other = members->upper_bound(number); other != members->end()) {
      others.emplace_back(*other, members);
      std::push_heap(others.begin(), others.end(), std::greater<>());
    }
  }
  if (!error.ok()) {
    return error;
  }
  return std::optional<std::size_t>();
}

}  // namespace assay::allocator
