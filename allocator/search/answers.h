// Answers: what was found on nodes, for those that are like them: that have the same devices, of
// which the same are in use. In a fleet most nodes are like others, whichever way they are used: 8
// devices can be so in no more than 256 ways.
//
// Not thread-safe; one per search.
#ifndef ASSAY_ALLOCATOR_SEARCH_ANSWERS_H_
#define ASSAY_ALLOCATOR_SEARCH_ANSWERS_H_

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "allocator/search/searcher.h"

namespace assay::allocator::search {

// What nodes that are alike have in common: the kinds of their pools; a 0 if one is like no other.
using NodeKind = std::vector<std::uint64_t>;
struct HashNodeKind {
  std::size_t operator()(const NodeKind& kind) const;
};

class Answers {
 public:
  struct Answer {
    bool fits = false;
    std::uint64_t steps = 0;
    std::vector<Found> found;  // by claim, if they fit
  };

  // That of a node of this kind, if one was here before. Valid as long as this.
  const Answer* Find(const NodeKind& kind);
  // Keeps what a search has found that hangs on nothing but the kind (Searcher::HangsOnNode), which
  // is not known yet. Whether it does.
  bool Keep(const NodeKind& kind, Answer answer);

 private:
  static constexpr std::size_t kMaxAnswers = 1 << 16;

  std::unordered_map<NodeKind, Answer, HashNodeKind> answers_;
  // The last one that was found: nodes alike often stand together.
  const std::pair<const NodeKind, Answer>* last_ = nullptr;
};

}  // namespace assay::allocator::search

#endif  // ASSAY_ALLOCATOR_SEARCH_ANSWERS_H_
