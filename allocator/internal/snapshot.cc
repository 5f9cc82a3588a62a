#include "allocator/internal/snapshot.h"

#include <algorithm>
#include <span>

#include "api/core/types.h"

namespace assay::allocator {

using internal::NodePools;
using internal::PoolList;
using inventory::NodePool;

namespace {

void Add(const NodePool* view, std::uint64_t kind, NodePools& found) {
  found.pools.push_back(view);
  found.kind.push_back(kind);
}

Status AddView(const PoolList::Entry& entry, const api::core::Node& node, NodePools& found) {
  const Result<const NodePool*> view = entry.pool->ViewFrom(node);
  if (!view.ok()) {
    return view.status().WithContext("gather pool information");
  }
  if (*view != nullptr) {
    Add(*view, (*view)->kind == nullptr ? 0 : (*view)->kind->id, found);
  }
  return OkStatus();
}

void PutBindingLast(std::vector<const NodePool*>& pools) {
  const auto binds = [](const NodePool* pool) { return pool->layout().has_binding_conditions; };
  if (pools.size() > 1 && std::any_of(pools.begin(), pools.end(), binds)) {
    std::stable_partition(pools.begin(), pools.end(),
                          [&binds](const NodePool* pool) { return !binds(pool); });
  }
}

}  // namespace

Status Snapshot::Impl::FindPools(const api::core::Node& node, NodePools& found) const {
  found.pools.clear();
  found.kind.clear();
  const std::span<const std::uint32_t> own = index->OfNode(node.metadata.name);
  const std::span<const std::uint32_t> all = index->OfAll();
  for (auto a = own.begin(), b = all.begin(); a != own.end() || b != all.end();) {
    const bool of_own =
        b == all.end() ||
        (a != own.end() && (*a == *b || pools.Get(*a).pool->id() < pools.Get(*b).pool->id()));
    const PoolList::Entry& entry = pools.Get(of_own ? *a : *b);
    if (of_own && entry.only_view != nullptr) {
      // The only node that this pool names is this one.
      Add(entry.only_view, entry.kind, found);
    } else {
      ASSAY_RETURN_IF_ERROR(AddView(entry, node, found));
    }
    b += b != all.end() && (!of_own || (a != own.end() && *a == *b)) ? 1 : 0;
    a += of_own ? 1 : 0;
  }
  PutBindingLast(found.pools);
  return OkStatus();
}

search::ClassFinder Snapshot::Impl::FindClass() const {
  return [this](const std::string& name) -> const api::resource::DeviceClass* {
    const auto it = classes->find(name);
    return it == classes->end() ? nullptr : &it->second;
  };
}

}  // namespace assay::allocator
