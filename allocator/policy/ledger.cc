#include "allocator/policy/ledger.h"

#include <algorithm>

namespace assay::allocator::policy {

void Ledger::Set(const api::resource::ResourceClaim& claim) {
  std::string name = claim.metadata.namespace_ + "/" + claim.metadata.name;
  Drop(name);
  if (!claim.status.allocation.has_value()) {
    return;
  }
  std::vector<Pool> pools;
  for (const auto& result : claim.status.allocation->devices.results) {
    if (result.admin_access.value_or(false)) {
      continue;
    }
    Pool pool{result.driver, result.pool};
    std::vector<Holding>& holdings = holdings_[pool];
    const auto place = std::ranges::upper_bound(holdings, name, {}, &Holding::claim);
    holdings.insert(place, {name, result.device});
    if (std::find(pools.begin(), pools.end(), pool) == pools.end()) {
      pools.push_back(std::move(pool));
    }
  }
  pools_[std::move(name)] = std::move(pools);
}

void Ledger::Remove(std::string_view namespace_name, std::string_view name) {
  Drop(std::string(namespace_name) + "/" + std::string(name));
}

void Ledger::Drop(const std::string& claim) {
  const auto known = pools_.find(claim);
  if (known == pools_.end()) {
    return;
  }
  for (const Pool& pool : known->second) {
    const auto holdings = holdings_.find(pool);
    std::erase_if(holdings->second, [&](const Holding& holding) { return holding.claim == claim; });
    if (holdings->second.empty()) {
      holdings_.erase(holdings);
    }
  }
  pools_.erase(known);
}

const std::vector<Ledger::Holding>& Ledger::Of(std::string_view driver,
                                               std::string_view pool) const {
  static const std::vector<Holding> kNone;
  const auto it = holdings_.find({std::string(driver), std::string(pool)});
  return it == holdings_.end() ? kNone : it->second;
}

std::vector<std::string> Ledger::HoldersOf(std::string_view driver, std::string_view pool,
                                           std::string_view device) const {
  std::vector<std::string> claims;
  for (const Holding& holding : Of(driver, pool)) {
    if (holding.device == device && (claims.empty() || claims.back() != holding.claim)) {
      claims.push_back(holding.claim);
    }
  }
  return claims;
}

}  // namespace assay::allocator::policy
