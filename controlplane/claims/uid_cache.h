// UidCache: the UIDs of the objects that were seen last, up to a limit.
//
// Not thread-safe.
#ifndef ASSAY_CONTROLPLANE_CLAIMS_UID_CACHE_H_
#define ASSAY_CONTROLPLANE_CLAIMS_UID_CACHE_H_

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_set>

namespace assay::controlplane::claims {

class UidCache {
 public:
  explicit UidCache(std::size_t limit = 500) : limit_(limit) {}

  void Add(const std::string& uid) {
    if (!known_.insert(uid).second) {
      return;
    }
    order_.push_back(uid);
    if (order_.size() > limit_) {
      known_.erase(order_.front());
      order_.pop_front();
    }
  }
  bool Has(const std::string& uid) const { return known_.contains(uid); }

 private:
  std::size_t limit_;
  std::deque<std::string> order_;  // Oldest first.
  std::unordered_set<std::string> known_;
};

}  // namespace assay::controlplane::claims

#endif  // ASSAY_CONTROLPLANE_CLAIMS_UID_CACHE_H_
