// NodeIndex: which pools a node has to look at, by driver and name. A copy shares what has not
// changed since.
//
// Not thread-safe; a copy that nobody changes can be read by any thread while others change theirs.
#ifndef ASSAY_ALLOCATOR_INTERNAL_NODE_INDEX_H_
#define ASSAY_ALLOCATOR_INTERNAL_NODE_INDEX_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allocator/internal/held_alone.h"
#include "allocator/inventory/pool.h"

namespace assay::allocator::internal {

class NodeIndex {
 public:
  using Numbers = std::span<const std::uint32_t>;

  // The pools that every node sees something of.
  Numbers OfAll() const { return of_all_; }
  // The others that the node sees.
  Numbers OfNode(std::string_view node) const {
    const std::size_t hash = std::hash<std::string_view>()(node);
    const std::shared_ptr<Shard>& shard = shards_[hash % kShards];
    const Place* place = shard == nullptr ? nullptr : shard->Find(hash, node);
    return place == nullptr ? Numbers() : place->numbers();
  }
  std::vector<std::string> Nodes() const;

  // `before`: whether the first of two pools comes first.
  template <typename Before>
  void Add(std::uint32_t number, const inventory::Pool& pool, const Before& before) {
    const auto insert = [&](std::vector<std::uint32_t>& numbers) {
      numbers.insert(std::lower_bound(numbers.begin(), numbers.end(), number, before), number);
    };
    if (pool.SeenByOthers()) {
      insert(of_all_);
    }
    for (const std::string& node : pool.NodeNames()) {
      Change(node, insert);
    }
  }
  void Remove(std::uint32_t number, const inventory::Pool& pool);

 private:
  static constexpr std::size_t kShards = 256;

  // A node's pools: within one cache line, where it has only one.
  class Place {
   public:
    Place() = default;
    Place(std::size_t hash, std::string name) : hash_(hash), name_(std::move(name)) {}

    bool empty() const { return numbers().empty(); }
    bool Is(std::size_t hash, std::string_view name) const {
      return hash_ == hash && name_ == name;
    }
    std::size_t hash() const { return hash_; }
    const std::string& name() const { return name_; }
    Numbers numbers() const {
      return more_ == nullptr ? Numbers(&only_, has_only_ ? 1 : 0) : Numbers(*more_);
    }
    void Set(std::vector<std::uint32_t> numbers);

   private:
    std::size_t hash_ = 0;
    std::string name_;
    std::uint32_t only_ = 0;
    bool has_only_ = false;
    // Shared, as it does not change: a copy of the place is one of its name.
    std::shared_ptr<const std::vector<std::uint32_t>> more_;
  };

  // Places by hash, with linear probing; no more than half of them are used.
  class Shard {
   public:
    const Place* Find(std::size_t hash, std::string_view name) const;
    // That of the node, made if need be.
    Place& Get(std::size_t hash, const std::string& name);
    // Drops the places that are empty.
    void Purge() { Resize(places_.size()); }
    const std::vector<Place>& places() const { return places_; }

   private:
    void Resize(std::size_t size);

    std::vector<Place> places_;  // as many as a power of two
    std::size_t used_ = 0;
  };

  // Calls change(numbers) for the node's pools.
  template <typename Use>
  void Change(const std::string& node, const Use& change) {
    const std::size_t hash = std::hash<std::string_view>()(node);
    std::shared_ptr<Shard>& shard = shards_[hash % kShards];
    if (shard == nullptr) {
      shard = std::make_shared<Shard>();
    } else if (!HeldAlone(shard)) {
      shard = std::make_shared<Shard>(*shard);
    }
    Place& place = shard->Get(hash, node);
    std::vector<std::uint32_t> numbers(place.numbers().begin(), place.numbers().end());
    change(numbers);
    const bool gone = numbers.empty();
    place.Set(std::move(numbers));
    if (gone) {
      shard->Purge();
    }
  }

  std::array<std::shared_ptr<Shard>, kShards> shards_;
  std::vector<std::uint32_t> of_all_;
};

}  // namespace assay::allocator::internal

#endif  // ASSAY_ALLOCATOR_INTERNAL_NODE_INDEX_H_
