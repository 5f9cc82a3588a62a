// When the users of an allocated claim have to go because of device taints.
//
// Source: pkg/controller/devicetainteviction. Not thread-safe.
#ifndef ASSAY_CONTROLPLANE_EVICTION_EVICTION_TIME_H_
#define ASSAY_CONTROLPLANE_EVICTION_EVICTION_TIME_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "api/meta/time.h"
#include "api/resource/types.h"

namespace assay::controlplane::eviction {

// The one effect of a taint that evicts.
inline constexpr std::string_view kNoExecute = "NoExecute";

using RuleRef = std::shared_ptr<const api::resource::DeviceTaintRule>;
using SliceRef = std::shared_ptr<const api::resource::ResourceSlice>;

// One taint that evicts: a rule's (`rule_name` is set), or one of a slice's device.
struct EvictingTaint {
  std::string rule_name;
  std::string rule_uid;
  std::string driver;
  std::string pool;
  std::string device;
  std::size_t index = 0;
  friend auto operator<=>(const EvictingTaint&, const EvictingTaint&) = default;
};

struct Eviction {
  api::meta::Time when;
  std::set<EvictingTaint> reasons;
  friend bool operator==(const Eviction&, const Eviction&) = default;

  bool BecauseOf(const std::string& rule_uid) const;
  // The earlier time, all reasons.
  void Join(const Eviction& other);
};

// The slices, by pool. Taints count in slices of the newest generation of a pool, complete or not.
class Pools {
 public:
  void Set(const SliceRef& slice);
  void Remove(const SliceRef& slice);
  // Null where no slice of the newest generation has the device.
  const api::resource::Device* Find(const std::string& driver, const std::string& pool,
                                    const std::string& device) const;
  // How many devices of newest generations the rule selects.
  int CountSelected(const api::resource::DeviceTaintRule& rule) const;

 private:
  using PoolId = std::pair<std::string, std::string>;  // Driver, pool.
  struct Pool {
    std::map<std::string, SliceRef> slices;  // By name.
    std::int64_t NewestGeneration() const;
  };
  std::map<PoolId, Pool> pools_;
};

// Without a selector a rule evicts nobody; with an empty one it selects every device.
bool Selects(const api::resource::DeviceTaintRule& rule, const std::string& driver,
             const std::string& pool, const std::string& device);

// Whether a toleration of an allocation result holds against an evicting taint. Unlike in the
// scheduler, a toleration for all effects does not.
bool Tolerates(const api::resource::DeviceToleration& toleration,
               const api::resource::DeviceTaint& taint);

// `rules` all have the effect NoExecute. The claim is allocated.
std::optional<Eviction> EvictionOf(const api::resource::ResourceClaim& claim, const Pools& pools,
                                   const std::map<std::string, RuleRef>& rules);

}  // namespace assay::controlplane::eviction

#endif  // ASSAY_CONTROLPLANE_EVICTION_EVICTION_TIME_H_
