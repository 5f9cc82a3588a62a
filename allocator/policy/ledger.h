// Ledger: which claims hold which devices. The inventory counts uses; quality and explanations ask
// whose they are.
//
// Not thread-safe.
#ifndef ASSAY_ALLOCATOR_POLICY_LEDGER_H_
#define ASSAY_ALLOCATOR_POLICY_LEDGER_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/resource/types.h"

namespace assay::allocator::policy {

class Ledger {
 public:
  struct Holding {
    std::string claim;  // "namespace/name"
    std::string device;
  };

  // Adds or replaces the claim: the devices of its allocation, but those with adminAccess.
  void Set(const api::resource::ResourceClaim& claim);
  void Remove(std::string_view namespace_name, std::string_view name);

  // What is held of a pool, by claim.
  const std::vector<Holding>& Of(std::string_view driver, std::string_view pool) const;
  // The claims that hold a device.
  std::vector<std::string> HoldersOf(std::string_view driver, std::string_view pool,
                                     std::string_view device) const;

 private:
  using Pool = std::pair<std::string, std::string>;

  void Drop(const std::string& claim);

  std::map<Pool, std::vector<Holding>> holdings_;                // of each pool, by claim
  std::map<std::string, std::vector<Pool>, std::less<>> pools_;  // of each claim
};

}  // namespace assay::allocator::policy

#endif  // ASSAY_ALLOCATOR_POLICY_LEDGER_H_
