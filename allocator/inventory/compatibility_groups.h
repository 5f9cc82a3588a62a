// CompatibilityGroups: what the devices that take of one counter set have in common
// (DRADeviceCompatibilityGroups): only devices with a common group share a set; those without
// groups share it only with each other.
//
// Source: structured/internal/experimental/compatibility_groups.go, v0.37.2.
//
// Thread-safe: values.
#ifndef ASSAY_ALLOCATOR_INVENTORY_COMPATIBILITY_GROUPS_H_
#define ASSAY_ALLOCATOR_INVENTORY_COMPATIBILITY_GROUPS_H_

#include <algorithm>
#include <string>
#include <vector>

namespace assay::allocator::inventory {

class CompatibilityGroups {
 public:
  // Whether a device of these groups may join.
  bool Admits(const std::vector<std::string>& groups) const {
    if (!has_members_) {
      return true;
    }
    if (groups.empty() || without_groups_) {
      return groups.empty() && without_groups_;
    }
    return std::any_of(groups.begin(), groups.end(),
                       [this](const std::string& group) { return Has(group); });
  }

  void Add(const std::vector<std::string>& groups) {
    if (!has_members_) {
      has_members_ = true;
      without_groups_ = groups.empty();
      common_ = groups;
    } else if (!without_groups_ && !groups.empty()) {
      std::erase_if(common_, [&groups](const std::string& group) {
        return std::find(groups.begin(), groups.end(), group) == groups.end();
      });
    }
  }

 private:
  bool Has(const std::string& group) const {
    return std::find(common_.begin(), common_.end(), group) != common_.end();
  }

  bool has_members_ = false;
  bool without_groups_ = false;
  std::vector<std::string> common_;
};

}  // namespace assay::allocator::inventory

#endif  // ASSAY_ALLOCATOR_INVENTORY_COMPATIBILITY_GROUPS_H_
