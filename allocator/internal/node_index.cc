#include "allocator/internal/node_index.h"

namespace assay::allocator::internal {

std::vector<std::string> NodeIndex::Nodes() const {
  std::vector<std::string> nodes;
  for (const std::shared_ptr<Shard>& shard : shards_) {
    for (const Place& place : shard == nullptr ? std::vector<Place>() : shard->places()) {
      if (!place.empty()) {
        nodes.push_back(place.name());
      }
    }
  }
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

void NodeIndex::Remove(std::uint32_t number, const inventory::Pool& pool) {
  std::erase(of_all_, number);
  for (const std::string& node : pool.NodeNames()) {
    Change(node, [number](std::vector<std::uint32_t>& numbers) { std::erase(numbers, number); });
  }
}

void NodeIndex::Place::Set(std::vector<std::uint32_t> numbers) {
  has_only_ = numbers.size() == 1;
  only_ = has_only_ ? numbers[0] : 0;
  more_ = numbers.size() > 1
              ? std::make_shared<const std::vector<std::uint32_t>>(std::move(numbers))
              : nullptr;
}

const NodeIndex::Place* NodeIndex::Shard::Find(std::size_t hash, std::string_view name) const {
  if (places_.empty()) {
    return nullptr;
  }
  const std::size_t mask = places_.size() - 1;
  for (std::size_t at = hash / kShards & mask;; at = (at + 1) & mask) {
    const Place& place = places_[at];
    if (place.Is(hash, name)) {
      return place.empty() ? nullptr : &place;
    }
    if (place.empty()) {
      return nullptr;
    }
  }
}

NodeIndex::Place& NodeIndex::Shard::Get(std::size_t hash, const std::string& name) {
  if (2 * (used_ + 1) > places_.size()) {
    Resize(std::max<std::size_t>(8, 2 * places_.size()));
  }
  const std::size_t mask = places_.size() - 1;
  std::size_t at = hash / kShards & mask;
  while (!places_[at].empty() && !places_[at].Is(hash, name)) {
    at = (at + 1) & mask;
  }
  if (places_[at].empty()) {
    places_[at] = Place(hash, name);
    ++used_;
  }
  return places_[at];
}

void NodeIndex::Shard::Resize(std::size_t size) {
  std::vector<Place> before = std::exchange(places_, std::vector<Place>(size));
  used_ = 0;
  for (Place& place : before) {
    if (!place.empty()) {
      Place& at = Get(place.hash(), place.name());
      at = std::move(place);
    }
  }
}

}  // namespace assay::allocator::internal
