#include "allocator/search/answers.h"

#include <algorithm>

namespace assay::allocator::search {

std::size_t HashNodeKind::operator()(const NodeKind& kind) const {
  std::uint64_t hash = kind.size();
  for (const std::uint64_t word : kind) {
    // As in splitmix64: numbers of kinds differ in few bits.
    hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
    hash ^= hash >> 32;
  }
  return hash;
}

const Answers::Answer* Answers::Find(const NodeKind& kind) {
  if (last_ == nullptr || last_->first != kind) {
    const auto known = answers_.find(kind);
    if (known == answers_.end()) {
      return nullptr;
    }
    last_ = &*known;
  }
  return &last_->second;
}

bool Answers::Keep(const NodeKind& kind, Answer answer) {
  const bool is_like_no_other = std::find(kind.begin(), kind.end(), 0) != kind.end();
  if (is_like_no_other || answers_.size() >= kMaxAnswers) {
    return false;
  }
  answers_.emplace(kind, std::move(answer));
  return true;
}

}  // namespace assay::allocator::search
